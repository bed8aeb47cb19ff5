"""The external channels of the settings, a webhook and a mail server, checked."""

import base64
import binascii
from dataclasses import dataclass, field
from email.headerregistry import Address
from email.utils import parseaddr
from typing import TypeVar
from urllib.parse import SplitResult, unquote, urlsplit

from pydantic import SecretStr

from pipeline.errors import ConfigError
from pipeline.policy.actions import ActionChannel
from pipeline.settings import Settings

_STANDARD_SECRET = "whsec_"  # noqa: S105  how Standard Webhooks marks a secret in base64
_SHORTEST_SECRET = 16


@dataclass(frozen=True)
class Webhook:
    """A webhook. ``login`` is the user part of the URL; ``where`` is the address without secrets, for messages.

    ``secrets`` sign: two while a receiver changes from one to the other.
    """

    url: str = field(repr=False)
    login: tuple[str, str] | None = field(repr=False)
    secrets: tuple[bytes, ...] = field(repr=False)
    where: str

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or ""


@dataclass(frozen=True)
class MailServer:
    """A mail server. ``tls``: "implicit", "starttls", or None on this machine."""

    host: str
    port: int
    tls: str | None
    login: tuple[str, str] | None = field(repr=False)
    sender: Address

    @property
    def where(self) -> str:
        return f"{self.host}:{self.port}"


Found = TypeVar("Found", Webhook, MailServer)


def webhook(settings: Settings) -> Webhook | None:
    """The webhook of the settings, None where it is not set up; ConfigError where the setting is invalid."""
    if settings.webhook_url is None or settings.webhook_secret is None:
        return None
    url = _split("GRIDGRADE_WEBHOOK_URL", settings.webhook_url, ("https", "http"), "https://crm.example.org/actions")
    if url.scheme == "http" and not _is_this_machine(url.hostname):
        raise ConfigError(
            "GRIDGRADE_WEBHOOK_URL is not https: actions name customers, so only this machine gets them so"
        )
    where = url.netloc.rpartition("@")[2]
    return Webhook(url._replace(netloc=where).geturl(), _login(url), _keys(settings.webhook_secret), where)


def mail_server(settings: Settings) -> MailServer | None:
    """The mail server of the settings, None where it is not set up; ConfigError where the setting is invalid."""
    if settings.smtp_url is None or settings.mail_from is None:
        return None
    url = _split(
        "GRIDGRADE_SMTP_URL", settings.smtp_url, ("smtp", "smtps"), "smtp://user:password@mail.example.org:587"
    )
    is_implicit = url.scheme == "smtps"
    tls = "implicit" if is_implicit else None if _is_this_machine(url.hostname) else "starttls"
    name, address = parseaddr(settings.mail_from)
    try:
        sender = Address(name, addr_spec=address)
    except (ValueError, IndexError):
        sender = None
    if sender is None or not (sender.username and sender.domain and settings.mail_from.isprintable()):
        raise ConfigError(
            "GRIDGRADE_MAIL_FROM is not a mail address, for example Example Power <billing@power.example>"
        )
    return MailServer(url.hostname or "", url.port or (465 if is_implicit else 587), tls, _login(url), sender)


def usable_webhook(settings: Settings, use: ActionChannel) -> Webhook:
    """``webhook``; ConfigError where it is not set up, or is none of the policy's hosts."""
    return _usable(webhook(settings), settings, "webhook", use)


def usable_mail_server(settings: Settings, use: ActionChannel) -> MailServer:
    """``mail_server``; ConfigError where it is not set up, or is none of the policy's hosts."""
    return _usable(mail_server(settings), settings, "email", use)


def _usable(found: Found | None, settings: Settings, channel: str, use: ActionChannel) -> Found:
    if found is None:
        raise ConfigError(missing(settings, channel) or f"the channel {channel} is not set up")
    if use.hosts and found.host.lower() not in use.hosts:
        raise ConfigError(f"{found.host} is not among the hosts of policy actions.channels.{channel}")
    return found


def missing(settings: Settings, channel: str) -> str | None:
    """Why a channel cannot be used, by the variables that are not set; None where it can."""
    needed = {"webhook": ("webhook_url", "webhook_secret"), "email": ("smtp_url", "mail_from")}.get(channel, ())
    absent = [f"GRIDGRADE_{name.upper()}" for name in needed if getattr(settings, name) is None]
    return f"{' and '.join(absent)} {'is' if len(absent) == 1 else 'are'} not set" if absent else None


def _split(name: str, secret: SecretStr, schemes: tuple[str, ...], example: str) -> SplitResult:
    try:
        url = urlsplit(secret.get_secret_value())
        is_one = url.scheme in schemes and bool(url.hostname) and url.port != 0
    except ValueError:
        is_one = False
    if not is_one:
        raise ConfigError(f"{name} is not an address of {' or '.join(schemes)}, for example {example}")
    return url


def _login(url: SplitResult) -> tuple[str, str] | None:
    return (unquote(url.username), unquote(url.password or "")) if url.username else None


def _keys(secret: SecretStr) -> tuple[bytes, ...]:
    """The signing keys, with a space between them."""
    return tuple(_key(text) for text in secret.get_secret_value().split() or [""])


def _key(text: str) -> bytes:
    """As in Standard Webhooks, ``whsec_`` precedes base64; any other text is the key itself."""
    try:
        key = base64.b64decode(text.removeprefix(_STANDARD_SECRET), validate=True)
    except binascii.Error:
        key = b""
    if not text.startswith(_STANDARD_SECRET):
        key = text.encode()
    if len(key) < _SHORTEST_SECRET:
        raise ConfigError(
            f"GRIDGRADE_WEBHOOK_SECRET is no key of {_SHORTEST_SECRET} bytes or more: openssl rand -hex 32 makes one"
        )
    return key


def _is_this_machine(host: str | None) -> bool:
    return host in ("localhost", "127.0.0.1", "::1")
