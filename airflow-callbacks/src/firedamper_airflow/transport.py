"""One POST, one try. Standard library only, no proxy from the environment, no redirect followed, certificates verified."""

from __future__ import annotations

import socket
import threading
import time
from dataclasses import dataclass, field
from typing import Callable, Mapping, Optional, TypeVar
from urllib.parse import urlsplit

from firedamper_airflow import signing
from firedamper_airflow._version import __version__

CONNECT_TIMEOUT = 1.0
#: Of an answer that somebody wants to read. Whatever is longer is not ours.
MAX_ANSWER_BYTES = 256 * 1024

# What will be refused for ever: not JSON, too large, wrong type, not understood. Everything else may pass another time; 401 and 404
# too, because a person will put the secret or the name right.
HOPELESS = frozenset((400, 413, 415, 422))

T = TypeVar("T")


@dataclass(frozen=True)
class Outcome:
    #: ``sent``: the service has it on disk. ``later``: worth another try. ``hopeless``: never again.
    result: str
    detail: str


@dataclass(frozen=True)
class Reply:
    status: int
    #: Names in lower case.
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


def post(url: str, headers: Mapping[str, str], body: bytes, deadline: float) -> Outcome:
    """Sends once. ``deadline`` is on the monotonic clock. Never raises an ``Exception``."""
    try:
        status = exchange(url, headers, body, deadline).status
    except Exception as error:
        return Outcome("later", f"{type(error).__name__}: {error}"[:200])
    if 200 <= status < 300:
        return Outcome("sent", str(status))
    return Outcome("hopeless" if status in HOPELESS else "later", f"answered {status}")


def signed_headers(key: bytes, webhook_id: str, body: bytes) -> dict[str, str]:
    """Made anew for each try: the receiver takes no time stamp older than some minutes."""
    headers = signing.headers(key, webhook_id, int(time.time()), body)
    headers["Content-Type"] = "application/json"
    headers["User-Agent"] = f"airflow-provider-firedamper/{__version__}"
    return headers


def address_of(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def exchange(url: str, headers: Mapping[str, str], body: bytes, deadline: float, read: int = 0) -> Reply:
    """One request and its answer, with at most ``read`` bytes of its body. Raises what the network raises."""
    import http.client

    parts = urlsplit(url)
    host, port = address_of(url)
    sock = socket.create_connection((host, port), timeout=min(CONNECT_TIMEOUT, _left(deadline)))
    try:
        sock.settimeout(_left(deadline))
        if parts.scheme == "https":
            import ssl

            sock = ssl.create_default_context().wrap_socket(sock, server_hostname=host)
            sock.settimeout(_left(deadline))
        connection = http.client.HTTPConnection(host, port)
        connection.sock = sock
        # The library would add a port of 443 to a connection that it takes for plain.
        connection.request("POST", parts.path, body=body, headers={**headers, "Host": parts.netloc, "Connection": "close"})
        sock.settimeout(_left(deadline))
        response = connection.getresponse()
        told = {name.lower(): value for name, value in response.getheaders()}
        return Reply(response.status, told, response.read(read) if read else b"")
    finally:
        sock.close()


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("no time left")
    return left


def within(seconds: float, act: Callable[[], T]) -> Optional[T]:
    """``act``'s answer, or None when it takes longer.

    Time-outs of sockets hold for one read each and not at all for name resolution: a resolver that hangs, or an answer that comes
    byte by byte, would hold a task for minutes. So the work is done in a daemon thread that is left behind when its time is over.
    """
    answers: list[T] = []
    thread = threading.Thread(target=lambda: answers.append(act()), name="firedamper-send", daemon=True)
    thread.start()
    thread.join(seconds)
    return answers[0] if answers else None
