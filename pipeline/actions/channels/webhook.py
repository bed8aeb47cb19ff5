"""The HTTP webhook: one POST an action, signed as Standard Webhooks has it (standardwebhooks.com).

The receiver sees Idempotency-Key (the action's id) and refuses to do the same twice. ``webhook-signature`` is ``v1,``
and the base64 of HMAC-SHA256 over ``id.timestamp.body``, once for each secret. TLS is verified, redirects are not
followed, no proxy of the environment is used, the answer's body is not read, and no attempt outlasts its deadline.
"""

import asyncio
import base64
import hashlib
import hmac
import json
import logging
import ssl
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from pipeline.actions.channels import configuration
from pipeline.actions.channels.letters import Letter, Letters
from pipeline.actions.outbox.delivery import Claimed
from pipeline.actions.outbox.outcome import DELIVERED, Outcome
from pipeline.errors import ActionError
from pipeline.policy.actions import ActionChannel

# Busy, too early, still working on the first one: these refuse nothing.
_NOT_NOW = (408, 409, 425, 429)
_DIGITS = 9  # of the seconds that a receiver asks for: what is longer is bounded anyway

logging.getLogger("httpx").setLevel(logging.WARNING)  # it would log the whole address of every request


class WebhookChannel:
    def __init__(self, webhook: configuration.Webhook, use: ActionChannel, letters: Letters):
        self._webhook, self._letters, self._use = webhook, letters, use
        self._client = httpx.AsyncClient(
            auth=webhook.login,
            timeout=use.timeout_seconds,
            follow_redirects=False,
            trust_env=False,
            # What is not encrypted is on this machine, and has no certificate.
            verify=ssl.create_default_context() if webhook.url.startswith("https:") else False,
        )
        self._runner = asyncio.Runner()

    def close(self) -> None:
        self._runner.run(self._client.aclose())
        self._runner.close()

    def send(self, action: Claimed) -> Outcome:
        try:
            content = body(action, self._letters.write_for(action))
        except ActionError as error:
            return Outcome("refused", str(error))
        headers = signed_headers(str(action.action_id), int(time.time()), content, self._webhook.secrets)
        try:
            return self._runner.run(self._post(content, headers))
        except httpx.TimeoutException:
            return Outcome("not_now", f"no answer within {self._use.timeout_seconds:g} s")
        except TimeoutError:
            return Outcome("not_now", f"no whole answer within {self._use.deadline_seconds:g} s")
        except httpx.ConnectError as error:
            return Outcome("not_now", f"cannot be reached: {error}")
        except httpx.TransportError:
            return Outcome("not_now", "the connection broke off")

    async def _post(self, content: bytes, headers: dict[str, str]) -> Outcome:
        """Left unread, the answer closes its connection: what a receiver adds is never taken for the next answer."""
        async with (
            asyncio.timeout(self._use.deadline_seconds),
            self._client.stream("POST", self._webhook.url, content=content, headers=headers) as response,
        ):
            return _judged(response)


def body(action: Claimed, letter: Letter) -> bytes:
    """The JSON document of an action; identical in every attempt."""
    document = {
        "action_id": str(action.action_id),
        "action_type": action.action_type,
        "rating_month": str(action.month),
        "customer_id": action.customer_id,
        "reason": action.reason,
        "payload": action.payload,
        "due_at": action.due_at and action.due_at.astimezone(UTC).isoformat(timespec="seconds"),
        "letter": {"language": letter.language, "subject": letter.subject, "text": letter.text},
    }
    return json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def signed_headers(action_id: str, timestamp: int, content: bytes, secrets: Sequence[bytes]) -> dict[str, str]:
    """The headers by which the receiver checks sender, time and integrity: one signature for each secret."""
    signed = b".".join((action_id.encode(), str(timestamp).encode(), content))
    digests = (hmac.new(secret, signed, hashlib.sha256).digest() for secret in secrets)
    signatures = " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests)
    return {
        "Content-Type": "application/json",
        "Idempotency-Key": action_id,
        "User-Agent": "gridgrade",
        "webhook-id": action_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signatures,
    }


def _judged(response: httpx.Response) -> Outcome:
    code = response.status_code
    if response.is_success:
        return DELIVERED
    if code in _NOT_NOW or response.is_server_error:
        return Outcome("not_now", f"answered {code}", _retry_after(response.headers.get("Retry-After")))
    if response.is_redirect:
        return Outcome("refused", f"answered {code}, and redirects are not followed: name the address it leads to")
    return Outcome("refused", f"answered {code}")


def _retry_after(header: str | None) -> float | None:
    """Seconds, from a number of them or from an HTTP date; None for whatever else a receiver may write."""
    text = (header or "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:_DIGITS])
    try:
        return (parsedate_to_datetime(text).astimezone(UTC) - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return None
