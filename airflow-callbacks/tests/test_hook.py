"""The connection type: what it says, who may read it, and that Airflow 2 and 3 are each asked in the way that does no harm."""

from __future__ import annotations

import json
import logging
import sys
import threading
import time
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

import things
from firedamper_airflow import hook, on_failure_callback, provider, reporter, settings, transport
from receiver import SECRET, Receiver

BASE = {"secret": SECRET, "airflow": "prod"}


def test_parts_become_settings() -> None:
    facts = {
        "host": "firedamper",
        "password": SECRET,
        "login": "prod",
        "extra": {"timeout": 1, "proxy": "http://p:3128", "conn_id": "x"},
    }
    assert hook.options_of(facts) == {**BASE, "url": "http://firedamper:8470", "timeout": "1", "proxy": "http://p:3128"}
    assert hook.options_of({"login": "prod", "extra": {"airflow": "eu"}})["airflow"] == "eu"
    assert hook.options_of({}) == {}


@pytest.mark.parametrize(
    ("over", "url"),
    [
        ({"host": "f"}, "http://f:8470"),
        ({"host": "f", "port": 9000, "schema": "https"}, "https://f:9000"),
        ({"host": "f/base", "port": 9000}, "http://f:9000/base"),
        ({"host": "f:9000"}, "http://f:9000"),
        ({"host": "https://f/base"}, "https://f/base"),
        ({"host": "https://f", "port": 9000}, "https://f:9000"),
        ({"host": "https://f:1", "port": 9000}, "https://f:1"),
        ({"host": ""}, ""),
    ],
)
def test_addresses(over: dict[str, Any], url: str) -> None:
    assert hook.options_of(over).get("url", "") == url


SLASHED = "whsec_" + "ab/+" * 8 + "YQ=="


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"firedamper://prod:{SECRET}@firedamper:9000/https", {**BASE, "url": "https://firedamper:9000"}),
        (f"firedamper://:{SECRET}@firedamper?airflow=prod", {**BASE, "url": "http://firedamper:8470"}),
        # As Airflow's own get_uri writes it (2.11.2, 3.3.2).
        (
            "firedamper://https://prod:whsec_ab%2F%2Bab%2F%2Bab%2F%2Bab%2F%2Bab%2F%2Bab%2F%2Bab%2F%2Bab%2F%2BYQ%3D%3D@f.example%2FBase:9000",
            {"airflow": "prod", "secret": SLASHED, "url": "https://f.example:9000/Base"},
        ),
        ("firedamper://h/?__extra__=%7B%22airflow%22%3A%20%22prod%22%7D", {"airflow": "prod", "url": "http://h:8470"}),
        (
            json.dumps({"conn_type": "firedamper", "host": "h", "password": SECRET, "extra": {"airflow": "prod"}}),
            {**BASE, "url": "http://h:8470"},
        ),
        (json.dumps({"host": "https://h", "password": SECRET, "extra": '{"airflow": "prod"}'}), {**BASE, "url": "https://h"}),
    ],
)
def test_both_forms_that_the_environment_may_have(text: str, expected: dict[str, str]) -> None:
    assert hook.from_environment({"AIRFLOW_CONN_FIREDAMPER_DEFAULT": text}, "firedamper_default") == expected


@pytest.mark.parametrize("text", ["{", "firedamper://[::1", "firedamper://h:port", '{"extra": "x"}', "nonsense"])
def test_a_connection_that_cannot_be_read_is_named_without_its_content(text: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert hook.from_environment({"AIRFLOW_CONN_X": text + SECRET}, "x") is None
    assert "AIRFLOW_CONN_X" in caplog.text
    assert SECRET not in caplog.text


def test_the_environment_is_read_in_every_process(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_FIREDAMPER_DEFAULT", f"firedamper://prod:{SECRET}@127.0.0.1:{receiver.port}")
    assert settings.current().ready
    settings.forget()
    monkeypatch.setenv("FIREDAMPER_CONN_ID", "other")
    assert not settings.current().ready
    monkeypatch.setenv("AIRFLOW_CONN_OTHER", f"firedamper://eu:{SECRET}@127.0.0.1:{receiver.port}")
    settings.forget()
    assert settings.current().airflow == "eu"


class Kept:
    """Airflow's own connections, by version."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, version: str, found: Any) -> None:
        self.asked: list[str] = []
        self.threads: list[threading.Thread] = []
        root = ModuleType("airflow")
        root.__version__ = version  # type: ignore[attr-defined]
        root.__path__ = []
        models, sdk = ModuleType("airflow.models"), ModuleType("airflow.sdk")
        models.__path__ = []
        connection = ModuleType("airflow.models.connection")

        def get(conn_id: str) -> Any:
            self.asked.append(conn_id)
            self.threads.append(threading.current_thread())
            if isinstance(found, BaseException):
                raise found
            if callable(found):
                return found()
            return found

        (connection if version[0] == "2" else sdk).Connection = SimpleNamespace(  # type: ignore[attr-defined]
            get_connection_from_secrets=get, get=get
        )
        for module in (root, models, connection, sdk):
            monkeypatch.setitem(sys.modules, module.__name__, module)


def kept_at(receiver: Receiver) -> SimpleNamespace:
    return SimpleNamespace(host="127.0.0.1", port=receiver.port, schema=None, login="prod", password=SECRET, extra=None)


@pytest.mark.parametrize("version", ["2.11.2", "3.3.2"])
def test_a_callback_reads_it_once_and_only_when_something_has_failed(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    kept = Kept(monkeypatch, version, kept_at(receiver))
    assert not settings.current().ready
    assert kept.asked == []
    on_failure_callback(things.context())
    on_failure_callback(things.context(ti=things.ti(task_id="other")))
    assert [event["task_id"] for event in receiver.events] == ["load", "other"]
    assert kept.asked == ["firedamper_default"]
    # 2.x: its reader empties the session of its thread, which is the one that saves the task. 3.x: a thread could be left behind.
    assert (kept.threads[0] is threading.current_thread()) == (version[0] == "3")


def test_the_listener_reads_it_only_where_the_installation_named_it(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Kept(monkeypatch, "3.3.2", kept_at(receiver))
    reporter.report_task(things.ti(), None)
    assert (kept.asked, settings.current().listens) == ([], False)
    settings.forget()
    monkeypatch.setenv("FIREDAMPER_CONN_ID", "firedamper_eu")
    assert settings.current().listens
    assert not settings.current().ready
    reporter.report_task(things.ti(), None)
    assert (kept.asked, len(receiver.events)) == (["firedamper_eu"], 1)


def test_scheduler_and_dag_processor_never_read_it(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIREDAMPER_CONN_ID", "firedamper_default")
    kept = Kept(monkeypatch, "3.3.2", kept_at(receiver))
    reporter.report_run("run_failed", things.run(), "")
    reporter.report_import_error("x.py", "y")
    reporter.report_asset(SimpleNamespace(name="a", uri="b"))
    reporter.report_task(things.Row(dag_id="d", run_id="r", task_id="t", state="failed"), None)  # a row: scheduler or API server
    assert kept.asked == []


def test_the_one_warning_says_what_a_connection_cannot_do(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("FIREDAMPER_CONN_ID", "firedamper_default")
    with caplog.at_level(logging.WARNING):
        settings.warn_once(settings.current())
    assert "only tasks report, by the connection firedamper_default" in caplog.text
    assert "set FIREDAMPER_URL" in caplog.text


class AirflowNotFoundException(Exception):
    pass


@pytest.mark.parametrize("version", ["2.11.2", "3.3.2"])
@pytest.mark.parametrize(
    "found",
    [AirflowNotFoundException("The conn_id `x` isn't defined"), RuntimeError("backend"), SimpleNamespace(extra="{", host="h")],
)
def test_none_or_one_that_cannot_be_read_is_said_and_harms_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, version: str, found: Any
) -> None:
    Kept(monkeypatch, version, found)
    with caplog.at_level(logging.WARNING):
        on_failure_callback(things.context())
        on_failure_callback(things.context())
    assert "set FIREDAMPER_URL" in caplog.text
    # One that nobody named need not exist; one that is there and cannot be read is said. The second time there is silence.
    missing = isinstance(found, AirflowNotFoundException)
    assert ("firedamper_default could not be read" in caplog.text) is not missing
    assert len(caplog.records) == (1 if missing else 2)


def test_a_backend_of_2x_that_hangs_holds_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hook, "READ_SECONDS", 0.3)
    gone = threading.Event()
    Kept(monkeypatch, "2.11.2", lambda: gone.wait(10))
    began = time.monotonic()
    on_failure_callback(things.context())
    assert time.monotonic() - began < 1
    gone.set()


def test_environment_and_airflow_cfg_win_and_then_nobody_is_asked(configured: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Kept(monkeypatch, "3.3.2", SimpleNamespace(host="elsewhere", password=None, extra=None))
    on_failure_callback(things.context())
    assert (kept.asked, len(configured.events)) == ([], 1)


@pytest.mark.parametrize("version", ["2.11.2", "3.3.2"])
def test_the_hook_class_and_its_test_button(receiver: Receiver, monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    Kept(monkeypatch, version, kept_at(receiver))
    base = type("BaseHook", (), {})
    if version[0] == "2":
        for name in ("airflow.hooks", "airflow.hooks.base"):
            monkeypatch.setitem(sys.modules, name, ModuleType(name))
        sys.modules["airflow.hooks"].__path__ = []
        sys.modules["airflow.hooks.base"].BaseHook = base  # type: ignore[attr-defined]
    else:
        sys.modules["airflow.sdk"].BaseHook = base  # type: ignore[attr-defined]
    monkeypatch.delitem(vars(hook), "FiredamperHook", raising=False)
    made = hook.FiredamperHook()
    assert (made.conn_type, made.default_conn_name, made.conn_name_attr) == (
        "firedamper",
        "firedamper_default",
        "firedamper_conn_id",
    )
    assert made.test_connection() == (True, "202")
    assert receiver.events[0]["kind"] == "test"
    receiver.mode = 401
    assert made.test_connection() == (False, "answered 401")
    assert hook.FiredamperHook is type(made)
    monkeypatch.delitem(vars(hook), "FiredamperHook", raising=False)


def test_provider_info_names_it() -> None:
    info = provider.get_provider_info()
    assert info["connection-types"] == [
        {"connection-type": "firedamper", "hook-class-name": "firedamper_airflow.hook.FiredamperHook"},
    ]


def test_reading_is_bounded_by_the_same_means_as_sending() -> None:
    assert transport.within(0.2, lambda: time.sleep(5)) is None
