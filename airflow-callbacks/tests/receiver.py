"""A real HTTP server that behaves as told, and says what it got."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SECRET = "whsec_" + base64.b64encode(b"a test secret of thirty-two byte").decode()


class Receiver:
    """``mode``: ``ok``, a status code, ``hang`` (reads, never answers), ``drip`` (answers byte by byte), ``garbage``, ``cut``.

    ``answer`` is the body of what is answered by status; ``headers`` go with it. ``plan`` holds modes for the next requests, one each.
    """

    def __init__(self) -> None:
        self.mode: str | int = "ok"
        self.plan: list[str | int] = []
        self.answer: bytes = b""
        self.headers: dict[str, str] = {}
        self.requests: list[dict[str, Any]] = []
        #: Tenths of a second for which a request was kept waiting, by this server's own count.
        self.ticks = 0
        self._stop = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.requests.append({"path": self.path, "headers": dict(self.headers), "body": body, "at": time.monotonic()})
                receiver._answer(self)
                self.close_connection = True

            def do_GET(self) -> None:
                receiver.requests.append({"path": self.path, "headers": {}, "body": b"", "at": time.monotonic()})
                self.send_error(404)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None  # type: ignore[method-assign]
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def _answer(self, to: BaseHTTPRequestHandler) -> None:
        mode = self.plan.pop(0) if self.plan else self.mode
        stop = self._stop
        if mode == "hang":
            while self.ticks < 300 and not stop.wait(0.1):
                self.ticks += 1
        elif mode == "drip":
            for byte in b"HTTP/1.1 202 Accepted\r\nX-Slow: " + b"x" * 400:
                if stop.wait(0.1):
                    return
                self.ticks += 1
                to.wfile.write(bytes([byte]))
        elif mode == "garbage":
            to.wfile.write(b"\x00\xff<html>not http</html>\r\n\r\n")
        elif mode == "cut":
            to.connection.shutdown(socket.SHUT_RDWR)
        else:
            status = 202 if mode == "ok" else int(mode)
            to.send_response(status)
            if 300 <= status < 400:
                to.send_header("Location", f"{self.url}/elsewhere")
            for name, value in self.headers.items():
                to.send_header(name, value)
            to.send_header("Content-Length", str(len(self.answer)))
            to.end_headers()
            to.wfile.write(self.answer)

    def let_go(self) -> None:
        """Ends what it keeps waiting now."""
        self._stop.set()
        self._stop = threading.Event()

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(request["body"]) for request in self.requests]

    def close(self) -> None:
        self._stop.set()
        self.server.shutdown()
        self.server.server_close()


def check_signature(request: dict[str, Any], secret: str = SECRET) -> None:
    check_mac(request, secret)
    headers = {name.lower(): value for name, value in request["headers"].items()}
    assert json.loads(request["body"])["event_id"] == headers["webhook-id"]


def check_mac(request: dict[str, Any], secret: str = SECRET) -> dict[str, Any]:
    """By the letter of Standard Webhooks, written apart from the code under test. The body, once it is proven."""
    headers = {name.lower(): value for name, value in request["headers"].items()}
    key = base64.b64decode(secret.split("_", 1)[1])
    signed = b".".join([headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), request["body"]])
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert abs(time.time() - int(headers["webhook-timestamp"])) < 5
    found: dict[str, Any] = json.loads(request["body"])
    return found
