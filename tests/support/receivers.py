"""Real receivers on this machine that take, refuse, stall and break off as they are asked to."""

import asyncio
import json
import ssl
import threading
import time
from collections import deque
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from aiosmtpd.smtp import SMTP, AuthResult

STALL_SECONDS = 1.5


class WebhookReceiver:
    """``script`` holds what to do with the next requests: a status, (status, Retry-After), "stall", "drop", "drip" or
    "twice"; once it is empty, 200. ``received`` are (headers, document); ``done`` the keys it acted on, each once."""

    def __init__(self):
        self.script, self.received, self.done = deque(), [], set()
        self.stalling = threading.Event()
        handler = type("Handler", (_Handler,), {"receiver": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/actions"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def encrypt(self, context: ssl.SSLContext) -> None:
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = self.url.replace("http://", "https://")

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def keys(self) -> list[str]:
        return [headers["Idempotency-Key"] for headers, _ in self.received]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    receiver: WebhookReceiver

    def do_POST(self):
        content = self.rfile.read(int(self.headers["Content-Length"]))
        receiver = self.receiver
        receiver.received.append((dict(self.headers), content))
        what = receiver.script.popleft() if receiver.script else 200
        if what in (200, "stall", "drop", "twice"):
            receiver.done.add(self.headers["Idempotency-Key"])
        if what == "stall":
            receiver.stalling.set()
            time.sleep(STALL_SECONDS)
            what = 200
        if what == "drop":
            self.close_connection = True
            self.connection.close()
            return
        if what == "drip":
            self._drip()
            return
        code, retry_after = what if isinstance(what, tuple) else (what, None)
        for _ in range(2 if what == "twice" else 1):
            self.send_response(200 if what == "twice" else code)
            if retry_after:
                self.send_header("Retry-After", retry_after)
            if code == 307:
                self.send_header("Location", receiver.url + "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

    def _drip(self):
        """An answer whose headers never end, a byte every now and then."""
        with suppress(OSError):
            self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Endless: ")
            for _ in range(600):
                self.wfile.write(b"x")
                time.sleep(0.1)
        self.close_connection = True

    def log_message(self, *_):
        pass


class MailReceiver:
    """``script`` holds what to answer to the next messages: a reply such as "451 later", "drop" or "stall"; once it is
    empty, 250. ``refuses`` maps a recipient to the reply. ``received`` are (recipients, text of the message)."""

    def __init__(self, *, tls: ssl.SSLContext | None = None, starttls: ssl.SSLContext | None = None, host="127.0.0.1"):
        self.script, self.received, self.refuses, self.logins = deque(), [], {}, []
        options = {}
        if starttls:
            options = {"tls_context": starttls, "require_starttls": True, "auth_required": True}
            options["authenticator"] = self._authenticate
        self._loop = asyncio.new_event_loop()
        serving = self._loop.create_server(lambda: SMTP(self, hostname=host, **options), host, 0, ssl=tls)
        server = self._loop.run_until_complete(serving)
        self.port = server.sockets[0].getsockname()[1]
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def _authenticate(self, server, session, envelope, mechanism, data):
        self.logins.append((data.login.decode(), data.password.decode()))
        return AuthResult(success=data.password == b"s3cret/pw", handled=False)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    async def handle_RCPT(self, server, session, envelope, address, options):
        if reply := self.refuses.get(address):
            return reply
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        self.received.append((list(envelope.rcpt_tos), envelope.content.decode()))
        what = self.script.popleft() if self.script else "250 OK"
        if what == "stall":
            await asyncio.sleep(STALL_SECONDS)
        if what == "drop":
            server.transport.abort()
        return what if what[0].isdigit() else "250 OK"


def document(content: bytes) -> dict:
    return json.loads(content)
