from __future__ import annotations

import datetime
import json
import socket
import ssl
import sys
import threading
import time
from collections.abc import Iterator
from email.utils import format_datetime
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import trustme

from firedamper_airflow import doctor, settings, transport
from firedamper_airflow.spool import Spool
from receiver import SECRET, Receiver, check_mac


@pytest.fixture(autouse=True)
def airflow(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """An Airflow that has loaded the plugin; its airflow.cfg is ``cfg``."""
    facts = SimpleNamespace(cfg={}, plugins=[SimpleNamespace(name="firedamper", listeners=["listener"])], errors={})
    parts: dict[str, dict[str, Any]] = {
        "airflow": {"__version__": "3.3.2", "__path__": []},
        "airflow.configuration": {"conf": SimpleNamespace(get=lambda _, key, fallback=None: facts.cfg.get(key, fallback))},
        "airflow.plugins_manager": {"ensure_plugins_loaded": lambda: None, "_get_plugins": lambda: (facts.plugins, facts.errors)},
    }
    for name, content in parts.items():
        module = ModuleType(name)
        vars(module).update(content)
        monkeypatch.setitem(sys.modules, name, module)
    sys.modules["airflow"].plugins_manager = sys.modules["airflow.plugins_manager"]  # type: ignore[attr-defined]
    return facts


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Any:
    def run(*arguments: str) -> tuple[int, str]:
        settings.forget()
        code = doctor.main(["doctor", *arguments])
        return code, capsys.readouterr().out

    return run


def test_all_is_well(configured: Receiver, told: Any) -> None:
    code, text = told()
    assert code == 0
    assert "FAIL" not in text
    assert "warn" not in text
    for word in (
        "Airflow 3.3.2",
        "listener reports every DAG",
        "nothing waits",
        "takes connections",
        "answered 202",
        "clocks agree",
    ):
        assert word in text
    assert f"FIREDAMPER_URL = {configured.url} (environment)" in text
    (request,) = configured.requests
    assert request["path"] == "/v1/callbacks/airflow/prod"
    assert check_mac(request)["kind"] == "test"


def test_no_secret_is_ever_shown(
    configured: Receiver, told: Any, airflow: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIREDAMPER_PROXY", "http://user:hunter2@127.0.0.1:1")
    assert told()[0] == 2
    text = told("--no-send")[1]
    monkeypatch.setenv("FIREDAMPER_SECRET", "hunter2-in-the-wrong-form")
    text += told()[1]
    monkeypatch.delenv("FIREDAMPER_SECRET")
    airflow.cfg["secret"] = SECRET
    text += told()[1]
    assert "set, not shown" in text
    for secret in ("hunter2", SECRET, SECRET[6:]):
        assert secret not in text


def test_where_each_setting_stands(monkeypatch: pytest.MonkeyPatch, told: Any, airflow: SimpleNamespace) -> None:
    airflow.cfg.update(url="http://127.0.0.1:9", airflow="cfg", timeout="1")
    monkeypatch.setenv("FIREDAMPER_AIRFLOW", "env")
    monkeypatch.setenv("AIRFLOW__FIREDAMPER__TIMEOUT", "1")
    text = told("--no-send")[1]
    assert "FIREDAMPER_URL = http://127.0.0.1:9 ([firedamper] in airflow.cfg)" in text
    assert "FIREDAMPER_AIRFLOW = env (environment)" in text
    assert "FIREDAMPER_TIMEOUT = 1 (environment, AIRFLOW__FIREDAMPER__TIMEOUT)" in text
    assert "not set: FIREDAMPER_SECRET, " in text


def test_nothing_set_says_what_to_set_and_tries_no_way(told: Any) -> None:
    code, text = told()
    assert code == 2
    assert "FAIL  set FIREDAMPER_URL" in text
    assert "FAIL  set FIREDAMPER_SECRET" in text
    assert "test event" not in text


@pytest.mark.parametrize(
    ("status", "hint"),
    [
        (401, "callback_secrets"),
        (403, "callback_secrets"),
        (404, "no airflows[].id in firedamper.yaml is 'prod'"),
        (302, "a redirect is not followed"),
        (429, "limits how much"),
        (500, "in trouble"),
        (503, "in trouble"),
        (400, "not an answer of Firedamper's"),
    ],
)
def test_each_refusal_has_its_hint(configured: Receiver, told: Any, status: int, hint: str) -> None:
    configured.mode = status
    configured.answer = json.dumps({"title": "no", "detail": "what\nFiredamper says"}).encode()
    code, text = told()
    assert code == 2
    assert f"FAIL  test event: answered {status} (what Firedamper says)" in text
    assert hint in text


@pytest.mark.parametrize("mode", ["hang", "garbage", "cut", "drip"])
def test_something_that_is_no_http(configured: Receiver, told: Any, monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    monkeypatch.setenv("FIREDAMPER_TIMEOUT", "0.3")
    configured.mode = mode
    code, text = told()
    assert code == 2
    assert "is it Firedamper?" in text


def test_a_name_that_nobody_knows(configured: Receiver, told: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    code, text = told()
    assert code == 2
    assert "does this machine's resolver know it?" in text
    assert "connections" not in text


def test_a_resolver_that_hangs_does_not_hang_the_doctor(configured: Receiver, told: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "STEP_SECONDS", 0.2)
    over = threading.Event()

    def hang(*_: Any, **__: Any) -> Any:
        over.wait(10)
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    began = time.monotonic()
    assert told()[0] == 2
    assert time.monotonic() - began < 2
    over.set()


def test_a_name_that_cannot_be_one(configured: Receiver, told: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIREDAMPER_URL", f"http://{'a' * 70}.example:8470")
    code, text = told()
    assert code == 2
    assert "UnicodeError" in text or "UnicodeEncodeError" in text


def test_nobody_listens(configured: Receiver, told: Any) -> None:
    configured.close()
    code, text = told()
    assert code == 2
    assert "ConnectionRefusedError" in text
    assert "does Firedamper run and listen" in text


class Tls:
    """Takes TLS connections and answers 202 to whatever comes."""

    def __init__(self, days: int) -> None:
        self.authority = trustme.CA()
        ends = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=days, hours=1)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.authority.issue_cert("127.0.0.1", not_after=ends).configure_cert(self.context)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self) -> None:
        while True:
            try:
                plain, _ = self.listener.accept()
            except OSError:
                return
            try:
                with self.context.wrap_socket(plain, server_side=True) as secure, secure.makefile("rb") as asked:
                    length = 0
                    while (line := asked.readline()) not in (b"\r\n", b""):
                        if line.lower().startswith(b"content-length:"):
                            length = int(line.split(b":")[1])
                    # Head and body may come apart, and an answer to half a request is cut off.
                    asked.read(length)
                    if line:
                        secure.sendall(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")
            except OSError:
                plain.close()

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(5)


@pytest.fixture(params=[90, 3])
def tls(request: pytest.FixtureRequest) -> Iterator[Any]:
    server = Tls(request.param)
    yield SimpleNamespace(server=server, days=request.param)
    server.close()


def test_a_certificate_is_looked_at(
    tls: Any, configured: Receiver, told: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FIREDAMPER_URL", f"https://127.0.0.1:{tls.server.port}")
    code, text = told()
    assert code == 2
    assert "is not trusted" in text
    assert "SSL_CERT_FILE" in text
    tls.server.authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    code, text = told()
    assert f"is trusted, for {tls.days} more days" in text
    assert code == (0 if tls.days > 14 else 1), text


def test_https_to_a_port_that_speaks_http(configured: Receiver, told: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIREDAMPER_URL", configured.url.replace("http:", "https:"))
    code, text = told()
    assert code == 2
    assert "a port that speaks TLS?" in text


def test_what_waits_and_what_was_dropped(configured: Receiver, spool_dir: Path, told: Any) -> None:
    spool = Spool(str(spool_dir))
    spool.keep({"event_id": "fd_1", "kind": "task_failed"})
    spool.count_dropped(4)
    code, text = told()
    assert code == 1
    assert "1 events wait" in text
    assert "firedamper-spool flush" in text
    assert "4 events had to be dropped" in text
    assert len(spool.waiting()) == 1, "looking sends nothing that waits"


def test_a_spool_that_takes_nothing(configured: Receiver, spool_dir: Path, told: Any) -> None:
    spool_dir.parent.mkdir(exist_ok=True)
    spool_dir.write_text("a file in its place")
    code, text = told()
    assert code == 1
    assert "cannot be used" in text


@pytest.mark.parametrize(("away", "level"), [(0, "ok"), (30, "ok"), (200, "warn"), (-200, "warn"), (400, "FAIL"), (-4000, "FAIL")])
def test_clocks(away: float, level: str) -> None:
    now = time.time()
    theirs = datetime.datetime.fromtimestamp(now - away, datetime.timezone.utc)
    (finding,) = doctor.clocks(transport.Reply(202, {"date": format_datetime(theirs, usegmt=True)}), now)
    assert finding.level == level
    assert abs(away) < 3 or ("ahead of" if away > 0 else "behind") in finding.what


@pytest.mark.parametrize("date", [None, "yesterday", ""])
def test_a_service_that_tells_no_time(date: Any) -> None:
    assert list(doctor.clocks(transport.Reply(202, {"date": date} if date is not None else {}), time.time())) == []


def test_the_plugin_that_is_not_loaded(configured: Receiver, told: Any, airflow: SimpleNamespace) -> None:
    airflow.plugins, airflow.errors = [], {"firedamper_airflow.plugin": "No module named x"}
    code, text = told()
    assert code == 2
    assert "does not load the plugin: firedamper_airflow.plugin: No module named x" in text
    airflow.plugins = [SimpleNamespace(name="firedamper", listeners=[])]
    assert told()[0] == 1


def test_a_listener_that_is_switched_off_on_purpose_is_no_fault(
    configured: Receiver, told: Any, airflow: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    airflow.plugins = [SimpleNamespace(name="firedamper", listeners=[])]
    monkeypatch.setenv("FIREDAMPER_LISTENER", "off")
    code, text = told()
    assert code == 0
    assert "switched off" in text


def test_without_airflow_it_says_so_and_goes_on(configured: Receiver, told: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("airflow", "airflow.plugins_manager", "airflow.configuration"):
        monkeypatch.setitem(sys.modules, name, None)  # type: ignore[arg-type]
    code, text = told()
    assert code == 1
    assert "Airflow cannot be imported here" in text
    assert "answered 202" in text


def test_an_address_that_only_tasks_may_read_is_worth_a_word(
    configured: Receiver, told: Any, airflow: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = SimpleNamespace(host="127.0.0.1", schema=None, port=configured.port, login="prod", password=SECRET, extra_dejson={})
    models = ModuleType("airflow.models.connection")
    models.Connection = SimpleNamespace(get_connection_from_secrets={"firedamper_default": stored}.__getitem__)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "airflow.models", ModuleType("airflow.models"))
    monkeypatch.setitem(sys.modules, "airflow.models.connection", models)
    for name in ("FIREDAMPER_URL", "FIREDAMPER_SECRET"):
        monkeypatch.delenv(name)
    code, text = told()
    assert code == 1
    assert "which only tasks may read" in text
    assert "answered 202" in text
    assert SECRET not in text
    airflow.plugins = [SimpleNamespace(name="firedamper", listeners=[])]
    assert "FIREDAMPER_CONN_ID" in told()[1].split("without its listener")[1]
