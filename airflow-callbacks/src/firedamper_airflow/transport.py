"""One POST, one try. Standard library only, no proxy but the one that is named, no redirect followed, certificates verified."""

from __future__ import annotations

import socket
import threading
import time
from dataclasses import dataclass, field
from typing import Callable, Mapping, Optional, TypeVar
from urllib.parse import unquote, urlsplit

from firedamper_airflow import signing
from firedamper_airflow._version import __version__

CONNECT_TIMEOUT = 1.0
#: Of an answer that somebody wants to read. Whatever is longer is not ours.
MAX_ANSWER_BYTES = 256 * 1024
MAX_TUNNEL_ANSWER_BYTES = 16 * 1024

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


def post(url: str, headers: Mapping[str, str], body: bytes, deadline: float, proxy: str = "") -> Outcome:
    """Sends once. ``deadline`` is on the monotonic clock. Never raises an ``Exception``."""
    try:
        status = exchange(url, headers, body, deadline, proxy=proxy).status
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


def exchange(url: str, headers: Mapping[str, str], body: bytes, deadline: float, read: int = 0, proxy: str = "") -> Reply:
    """One request and its answer, with at most ``read`` bytes of its body. ``proxy``: ``http://[user:password@]host:port``; https goes
    through a tunnel that it opens, http is handed to it with the whole address. Raises what the network raises."""
    import http.client

    parts = urlsplit(url)
    host, port = address_of(url)
    sock = socket.create_connection(address_of(proxy or url), timeout=min(CONNECT_TIMEOUT, _left(deadline)))
    target, pass_on = parts.path, _proxy_headers(proxy)
    try:
        sock.settimeout(_left(deadline))
        if parts.scheme == "https":
            import ssl

            if proxy:
                _open_tunnel(sock, host, port, pass_on)
                pass_on = {}  # for the proxy only
                sock.settimeout(_left(deadline))
            sock = ssl.create_default_context().wrap_socket(sock, server_hostname=host)
            sock.settimeout(_left(deadline))
        elif proxy:
            target = f"{parts.scheme}://{parts.netloc}{parts.path}"
        connection = http.client.HTTPConnection(host, port)
        connection.sock = sock
        # The library would add a port of 443 to a connection that it takes for plain.
        connection.request("POST", target, body=body, headers={**headers, **pass_on, "Host": parts.netloc, "Connection": "close"})
        sock.settimeout(_left(deadline))
        response = connection.getresponse()
        told = {name.lower(): value for name, value in response.getheaders()}
        return Reply(response.status, told, response.read(read) if read else b"")
    finally:
        sock.close()


def _proxy_headers(proxy: str) -> dict[str, str]:
    parts = urlsplit(proxy)
    if not parts.username:
        return {}
    import base64

    account = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
    return {"Proxy-Authorization": "Basic " + base64.b64encode(account).decode("ascii")}


def _open_tunnel(sock: socket.socket, host: str, port: int, headers: Mapping[str, str]) -> None:
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    lines = [f"CONNECT {where} HTTP/1.1", f"Host: {where}", *(f"{name}: {value}" for name, value in headers.items())]
    sock.sendall(("\r\n".join(lines) + "\r\n\r\n").encode("ascii"))
    told = b""
    # Byte by byte: what follows the empty line belongs to TLS.
    while not told.endswith(b"\r\n\r\n"):
        byte = sock.recv(1)
        told += byte
        if not byte or len(told) > MAX_TUNNEL_ANSWER_BYTES:
            raise OSError("the proxy did not open a tunnel")
    status = told.split(b"\r\n", 1)[0].decode("latin-1")
    if status.split(" ")[1:2] != ["200"]:
        raise OSError(f"the proxy did not open a tunnel: {status[:100]}")


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
