from __future__ import annotations

import base64
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from firedamper_airflow import sender, settings, transport
from firedamper_airflow.sender import Sender
from firedamper_airflow.spool import Spool
from receiver import SECRET, Receiver, check_signature


def event(number: int = 1, **over: Any) -> dict[str, Any]:
    facts = {"kind": "task_failed", "dag_id": "d", "run_id": "r", "task_id": f"t{number}", "map_index": -1, "try_number": 1}
    return {"version": 1, "occurred_at": "2026-11-21T03:25:43+00:00", **facts, **over}


def make(url: str, spool_dir: Path, **over: str) -> Sender:
    environ = {
        "FIREDAMPER_URL": url,
        "FIREDAMPER_SECRET": SECRET,
        "FIREDAMPER_AIRFLOW": "prod",
        "FIREDAMPER_SPOOL_DIR": str(spool_dir),
        **over,
    }
    found = settings.load(environ, lambda _: None)
    assert found.ready
    return Sender(found)


def waiting(spool_dir: Path) -> list[str]:
    return [json.loads(path.read_bytes()).get("task_id") for path in sorted(spool_dir.glob("*.json"))]


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def test_healthy_service_gets_a_signed_event(receiver: Receiver, spool_dir: Path) -> None:
    assert make(receiver.url, spool_dir).deliver(event(note="größe 日本")) == "sent"
    (request,) = receiver.requests
    check_signature(request)
    assert request["path"] == "/v1/callbacks/airflow/prod"
    assert request["headers"]["Content-Type"] == "application/json"
    assert json.loads(request["body"])["note"] == "größe 日本"
    assert not spool_dir.exists(), "a healthy service costs no file"


@pytest.mark.parametrize("mode", [500, 503, 429, 401, 404, 301, 307, 308, "garbage", "cut"])
def test_what_may_pass_another_time_is_kept(receiver: Receiver, spool_dir: Path, mode: Any) -> None:
    receiver.mode = mode
    assert make(receiver.url, spool_dir).deliver(event()) == "spooled"
    assert waiting(spool_dir) == ["t1"]
    assert len(receiver.requests) == 1, "one try, and no redirect is followed"


@pytest.mark.parametrize("mode", [400, 413, 415, 422])
def test_what_will_never_pass_is_not_kept(receiver: Receiver, spool_dir: Path, mode: int) -> None:
    receiver.mode = mode
    assert make(receiver.url, spool_dir).deliver(event()) == "dropped"
    assert waiting(spool_dir) == []
    receiver.mode = "ok"
    make(receiver.url, spool_dir).deliver(event(2))
    assert receiver.events[-1]["dropped_events"] == 1


@pytest.mark.parametrize("mode", ["hang", "drip"])
def test_a_service_that_does_not_answer_costs_one_timeout(receiver: Receiver, spool_dir: Path, mode: str) -> None:
    receiver.mode = mode
    out = make(receiver.url, spool_dir, FIREDAMPER_TIMEOUT="0.6")
    began = time.monotonic()
    assert out.deliver(event(1)) == "spooled"
    assert 0.5 < time.monotonic() - began < 1.2
    began = time.monotonic()
    assert [out.deliver(event(number)) for number in (2, 3, 4)] == ["spooled"] * 3
    assert time.monotonic() - began < 0.4, "the next ones do not pay again"
    assert waiting(spool_dir) == ["t1", "t2", "t3", "t4"]


def test_the_promise_of_three_seconds(receiver: Receiver, spool_dir: Path) -> None:
    receiver.mode = "hang"
    began = time.monotonic()
    assert make(receiver.url, spool_dir).deliver(event()) == "spooled"
    assert time.monotonic() - began < 3.4


def test_nobody_listens(spool_dir: Path) -> None:
    began = time.monotonic()
    assert make(f"http://127.0.0.1:{free_port()}", spool_dir).deliver(event()) == "spooled"
    assert time.monotonic() - began < 1


def test_a_host_that_swallows_packets_costs_the_connect_timeout(spool_dir: Path) -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        clients = []
        for _ in range(4):  # the backlog is full, further SYNs get no answer
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex(full.getsockname())
            clients.append(client)
        time.sleep(0.1)
        began = time.monotonic()
        assert make(f"http://127.0.0.1:{full.getsockname()[1]}", spool_dir).deliver(event()) == "spooled"
        assert 0.8 < time.monotonic() - began < 1.6
        for client in clients:
            client.close()


def test_a_resolver_that_hangs_costs_one_timeout(spool_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hang = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: hang.wait(10) and [])
    began = time.monotonic()
    assert make("http://nowhere.example", spool_dir, FIREDAMPER_TIMEOUT="0.5").deliver(event()) == "spooled"
    assert time.monotonic() - began < 1
    hang.set()


def test_a_server_that_does_not_speak_tls(receiver: Receiver, spool_dir: Path) -> None:
    out = make(receiver.url.replace("http://", "https://"), spool_dir, FIREDAMPER_TIMEOUT="1")
    assert out.deliver(event()) == "spooled"


@pytest.mark.parametrize("trusted", [True, False])
def test_certificates_are_verified(
    receiver: Receiver, spool_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trusted: bool
) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    receiver.server.socket = context.wrap_socket(receiver.server.socket, server_side=True)
    (authority if trusted else trustme.CA()).cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    out = make(f"https://localhost:{receiver.port}", spool_dir)
    assert out.deliver(event()) == ("sent" if trusted else "spooled")
    assert len(receiver.requests) == (1 if trusted else 0)


def test_proxies_of_the_environment_are_not_used(receiver: Receiver, spool_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    assert make(receiver.url, spool_dir).deliver(event()) == "sent"


class Proxy:
    """Takes CONNECT and absolute-form requests, and passes them on."""

    def __init__(self, answer: bytes = b"HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n") -> None:
        self.heads: list[bytes] = []
        self._answer = answer
        self._listen = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listen.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listen.accept()
            except OSError:
                return
            threading.Thread(target=self._pass_on, args=(client,), daemon=True).start()

    def _pass_on(self, client: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += client.recv(1 if not head.startswith(b"POST") else 65536)
        self.heads.append(head)
        target = head.split(b" ")[1].decode()
        host = target if head.startswith(b"CONNECT") else target.split("/")[2]
        if head.startswith(b"CONNECT"):
            client.sendall(self._answer)
        server = socket.create_connection(("127.0.0.1", int(host.rpartition(":")[2])))
        if not head.startswith(b"CONNECT"):
            # A proxy makes the path of it again.
            server.sendall(head.replace(f"http://{host}".encode(), b"", 1))
        both = [threading.Thread(target=self._copy, args=pair, daemon=True) for pair in ((client, server), (server, client))]
        for thread in both:
            thread.start()
        for thread in both:
            thread.join(5)
        client.close()
        server.close()

    @staticmethod
    def _copy(source: socket.socket, to: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                to.sendall(data)
            to.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def close(self) -> None:
        self._listen.close()


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    proxy = Proxy()
    yield proxy
    proxy.close()


def test_a_named_proxy_is_handed_http_with_the_whole_address(receiver: Receiver, spool_dir: Path, proxy: Proxy) -> None:
    named = proxy.url.replace("http://", "http://us%40er:pa%3Ass@")
    assert make(receiver.url, spool_dir, FIREDAMPER_PROXY=named).deliver(event(note="größe")) == "sent"
    check_signature(receiver.requests[0])
    (head,) = proxy.heads
    assert head.startswith(f"POST {receiver.url}/v1/callbacks/airflow/prod HTTP/1.1\r\n".encode())
    assert b"Proxy-Authorization: Basic " + base64.b64encode(b"us@er:pa:ss") in head


def test_https_goes_through_a_tunnel_which_sees_neither_event_nor_certificate_trouble(
    receiver: Receiver, spool_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, proxy: Proxy
) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    receiver.server.socket = context.wrap_socket(receiver.server.socket, server_side=True)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    named = proxy.url.replace("http://", "http://user:pass@")
    out = make(f"https://localhost:{receiver.port}", spool_dir, FIREDAMPER_PROXY=named)
    assert out.deliver(event()) == "sent"
    assert proxy.heads[0].startswith(f"CONNECT localhost:{receiver.port} HTTP/1.1\r\nHost: localhost:{receiver.port}\r\n".encode())
    assert b"Proxy-Authorization" in proxy.heads[0]
    assert "Proxy-Authorization" not in receiver.requests[0]["headers"], "the account is the proxy's business only"


@pytest.mark.parametrize("answer", [b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", b"HTTP/1.1 200", b"x" * 20_000, b""])
def test_a_proxy_that_opens_no_tunnel_is_a_way_that_is_closed(receiver: Receiver, spool_dir: Path, answer: bytes) -> None:
    proxy = Proxy(answer)
    out = make(f"https://localhost:{receiver.port}", spool_dir, FIREDAMPER_PROXY=proxy.url, FIREDAMPER_TIMEOUT="0.5")
    began = time.monotonic()
    assert out.deliver(event()) == "spooled"
    assert time.monotonic() - began < 1
    assert receiver.requests == []
    proxy.close()


def test_a_dead_proxy_is_not_gone_around(receiver: Receiver, spool_dir: Path) -> None:
    out = make(receiver.url, spool_dir, FIREDAMPER_PROXY=f"http://127.0.0.1:{free_port()}")
    assert out.deliver(event()) == "spooled"
    assert receiver.requests == []


def test_what_was_lost_while_the_disk_took_nothing_is_told_too(receiver: Receiver, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    now = [0.0]
    out = make(receiver.url, tmp_path / "file" / "spool")
    out._clock = lambda: now[0]
    receiver.mode = 503
    assert [out.deliver(event(number)) for number in (1, 2)] == ["dropped", "dropped"]
    receiver.mode, now[0] = "ok", 60.0
    assert [out.deliver(event(number)) for number in (3, 4)] == ["sent", "sent"]
    assert [sent["dropped_events"] for sent in receiver.events[-2:]] == [2, 0]


def test_the_second_telling_goes_out_only_where_it_says_something_else(receiver: Receiver, spool_dir: Path) -> None:
    out = make(receiver.url, spool_dir)
    found = {"quality": {"table": "t", "checks": []}, "incident_type": "quality_degradation"}
    told = [
        out.deliver(event(**over))
        for over in (found, found, {}, {**found, "incident_type": "data_loss"}, {"note": "n"}, {"note": "n"})
    ]
    assert told == ["sent", "known", "known", "sent", "sent", "known"]


def test_asking_whether_the_way_is_open_keeps_and_flushes_nothing(receiver: Receiver, spool_dir: Path) -> None:
    Spool(str(spool_dir)).keep({**event(10), "event_id": "fd_10"})
    out = make(receiver.url, spool_dir)
    assert out.try_once(event(event_id=None)).result == "sent"
    receiver.mode = 401
    assert out.try_once(event()).detail == "answered 401"
    assert (len(receiver.requests), len(waiting(spool_dir))) == (2, 1)


def test_kept_events_follow_the_next_one_that_gets_through(receiver: Receiver, spool_dir: Path) -> None:
    spool = Spool(str(spool_dir))
    for number in range(10, 18):
        spool.keep({**event(number), "event_id": f"fd_{number}"})
    assert make(receiver.url, spool_dir).deliver(event(1)) == "sent"
    assert [sent["task_id"] for sent in receiver.events] == ["t1", "t10", "t11", "t12", "t13", "t14"]
    for request in receiver.requests:
        check_signature(request)
    assert waiting(spool_dir) == ["t15", "t16", "t17"]
    # Another process has nothing of this one's memory.
    assert make(receiver.url, spool_dir).deliver(event(2)) == "sent"
    assert waiting(spool_dir) == []


def test_a_flush_that_fails_changes_nothing_for_the_event_that_got_through(receiver: Receiver, spool_dir: Path) -> None:
    spool = Spool(str(spool_dir))
    spool.keep({**event(10), "event_id": "fd_10"})
    spool.keep({**event(11), "event_id": "fd_11"})
    out = make(receiver.url, spool_dir)
    real = out._post

    def post(one: dict[str, Any], deadline: float) -> transport.Outcome:
        receiver.mode = "ok" if one["task_id"] == "t1" else 503
        return real(one, deadline)

    out._post = post  # type: ignore[method-assign]
    assert out.deliver(event(1)) == "sent"
    assert waiting(spool_dir) == ["t10", "t11"]
    assert len(receiver.requests) == 2, "after the first failure the others are left alone"


def test_poison_in_the_spool_does_not_stay_for_ever(receiver: Receiver, spool_dir: Path) -> None:
    Spool(str(spool_dir)).keep({**event(10), "event_id": "fd_10"})
    out = make(receiver.url, spool_dir)
    real = out._post

    def post(one: dict[str, Any], deadline: float) -> transport.Outcome:
        receiver.mode = "ok" if one["task_id"] == "t1" else 400
        return real(one, deadline)

    out._post = post  # type: ignore[method-assign]
    assert out.deliver(event(1)) == "sent"
    assert (waiting(spool_dir), Spool(str(spool_dir)).dropped()) == ([], 1)


def test_dropped_events_are_told_with_the_next_and_only_once(receiver: Receiver, spool_dir: Path) -> None:
    out = make(receiver.url, spool_dir)
    out.count_lost(7)
    receiver.mode = 503
    assert out.deliver(event(1)) == "spooled"
    receiver.mode = "ok"
    assert make(receiver.url, spool_dir).deliver(event(2)) == "sent"
    assert make(receiver.url, spool_dir).deliver(event(3)) == "sent"
    assert [(sent["task_id"], sent.get("dropped_events")) for sent in receiver.events[1:3]] == [("t2", 7), ("t1", None)]
    assert receiver.events[3]["dropped_events"] == 0


def test_the_same_failure_twice_in_one_process_is_sent_once_unless_the_second_says_more(
    receiver: Receiver, spool_dir: Path
) -> None:
    out = make(receiver.url, spool_dir)
    assert out.deliver(event()) == "sent"
    assert out.deliver(event(source="callback")) == "known"
    assert out.deliver(event(source="callback", severity="P1")) == "sent"
    assert out.deliver(event(source="callback")) == "known"
    # Two ids: another process may have told it without the words, and under one id the words would be taken for a duplicate.
    ids = [request["headers"]["webhook-id"] for request in receiver.requests]
    assert len(set(ids)) == len(ids) == 2


def test_disk_that_takes_nothing(receiver: Receiver, tmp_path: Path) -> None:
    receiver.mode = 503
    (tmp_path / "file").write_text("in the way")
    assert make(receiver.url, tmp_path / "file" / "spool").deliver(event()) == "dropped"
    receiver.mode = "ok"
    assert make(receiver.url, tmp_path / "file" / "spool").deliver(event()) == "sent"


def test_a_signal_of_airflow_in_the_middle_leaves_the_event_on_the_disk(spool_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class TaskTimeout(BaseException):
        pass

    def interrupted(*_: object) -> None:
        raise TaskTimeout

    monkeypatch.setattr(transport, "within", interrupted)
    with pytest.raises(TaskTimeout):
        make("http://127.0.0.1:1", spool_dir).deliver(event())
    assert waiting(spool_dir) == ["t1"]


def test_a_fork_gets_a_sender_of_its_own(configured: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    found = settings.current()
    mine = sender.of_process(found)
    assert sender.of_process(found) is mine
    monkeypatch.setattr(sender.os, "getpid", lambda: 1)
    assert sender.of_process(found) is not mine
