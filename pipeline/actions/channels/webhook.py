"""The HTTP webhook: one POST an action, signed as Standard Webhooks has it (standardwebhooks.com).

The receiver sees Idempotency-Key (the action's id) and refuses to do the same twice. ``webhook-signature`` is ``v1,``
and the base64 of HMAC-SHA256 over ``id.timestamp.body``. TLS is verified, redirects are not followed, the answer's body
is not read.
"""

import base64
import hashlib
import hmac
import json
import logging
import time
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

logging.getLogger("httpx").setLevel(logging.WARNING)  # it would log the whole address of every request


class WebhookChannel:
    def __init__(self, webhook: configuration.Webhook, use: ActionChannel, letters: Letters):
        self._webhook, self._letters, self._timeout = webhook, letters, use.timeout_seconds
        self._client = httpx.Client(
            auth=webhook.login,
            timeout=use.timeout_seconds,
            follow_redirects=False,
            verify=webhook.url.startswith("https:"),  # what is not is on this machine, and has no certificate
        )

    def close(self) -> None:
        self._client.close()

    def send(self, action: Claimed) -> Outcome:
        try:
            content = body(action, self._letters.write_for(action))
        except ActionError as error:
            return Outcome("refused", str(error))
        headers = signed_headers(str(action.action_id), int(time.time()), content, self._webhook.secret)
        try:
            # Left unread, the answer closes its connection: what a receiver adds to it is never taken for the next one.
            with self._client.stream("POST", self._webhook.url, content=content, headers=headers) as response:
                return _judged(response)
        except httpx.TimeoutException:
            return Outcome("not_now", f"no answer within {self._timeout:g} s")
        except httpx.ConnectError as error:
            return Outcome("not_now", f"cannot be reached: {error}")
        except httpx.TransportError:
            return Outcome("not_now", "the connection broke off")


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


def signed_headers(action_id: str, timestamp: int, content: bytes, secret: bytes) -> dict[str, str]:
    """The headers by which the receiver checks sender, time and integrity."""
    signed = b".".join((action_id.encode(), str(timestamp).encode(), content))
    signature = base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()
    return {
        "Content-Type": "application/json",
        "Idempotency-Key": action_id,
        "User-Agent": "gridgrade",
        "webhook-id": action_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{signature}",
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
    """Seconds, from a number of them or from an HTTP date."""
    if header is None:
        return None
    if header.strip().isdigit():
        return float(header)
    try:
        return (parsedate_to_datetime(header).astimezone(UTC) - datetime.now(UTC)).total_seconds()
    except ValueError:
        return None
