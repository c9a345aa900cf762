"""From the outside: what DAG code and Airflow call."""

from __future__ import annotations

import asyncio
import functools
import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import things
from firedamper_airflow import events, on_failure_callback, on_retry_callback, reporter, transport
from receiver import Receiver, check_signature
from test_courier import until

SRC = str(Path(__file__).parents[1] / "src")


def test_task_callback_is_there_when_it_returns(configured: Receiver) -> None:
    on_failure_callback(things.context())
    (request,) = configured.requests
    check_signature(request)
    assert configured.events[0]["kind"] == "task_failed"


def test_retry_dag_and_author_words(configured: Receiver) -> None:
    on_retry_callback(things.context(ti=things.ti(state=things.State.RETRY)))
    functools.partial(on_failure_callback, severity="P1", note="ask orders")(things.context(reason="task_failure", exception=...))
    assert [(sent["kind"], sent["severity"], sent["note"]) for sent in configured.events] == [
        ("task_retry", None, None),
        ("run_failed", "P1", "ask orders"),
    ]


def test_listener_and_callback_in_one_task_are_one_request(configured: Receiver) -> None:
    reporter.report_task(things.ti(), ValueError("null rate 0.31"))
    on_failure_callback(things.context())
    assert len(configured.requests) == 1


@pytest.mark.parametrize(
    "context", [{}, None, 7, {"ti": None}, {"reason": "task_failure"}, {"ti": object(), "exception": things.Unprintable()}]
)
def test_a_context_that_says_nothing_raises_nothing(configured: Receiver, context: Any) -> None:
    on_failure_callback(context)
    on_retry_callback(context)
    assert configured.requests == []


@pytest.mark.parametrize(
    "error", [ValueError, MemoryError, RecursionError, GeneratorExit, type("AirflowTaskTimeout", (BaseException,), {})]
)
def test_whatever_breaks_inside_does_not_come_out(
    configured: Receiver, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise error("inside")

    with monkeypatch.context() as patch:
        patch.setattr(events, "from_context", broken)
        on_failure_callback(things.context())
    monkeypatch.setattr(transport, "post", broken)
    on_failure_callback(things.context())


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
def test_only_the_end_of_the_interpreter_passes(
    configured: Receiver, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    def leave(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(events, "from_context", leave)
    with pytest.raises(error):
        on_failure_callback(things.context())


def test_without_settings_one_warning_and_no_effect(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(transport, "post", lambda *_: pytest.fail("sent"))
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            on_failure_callback(things.context())
            reporter.report_task(things.ti(), None)
            reporter.report_run("run_failed", things.run(), "")
    assert len(caplog.records) == 1
    assert "set FIREDAMPER_URL" in caplog.text


def test_run_listener_does_not_wait(configured: Receiver) -> None:
    configured.mode = "hang"
    began = time.monotonic()
    reporter.report_run("run_failed", things.run(state="failed"), "task_failure")
    assert time.monotonic() - began < 0.1
    assert until(lambda: len(configured.requests) == 1)


def test_success_is_sent_only_when_asked_for(configured: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    reporter.report_run("run_succeeded", things.run(), "success")
    reporter.report_run("run_failed", things.run(), "task_failure")
    assert until(lambda: configured.events)
    assert [sent["kind"] for sent in configured.events] == ["run_failed"]
    from firedamper_airflow import settings

    monkeypatch.setenv("FIREDAMPER_SEND_SUCCESS", "true")
    settings.forget()
    reporter.report_run("run_succeeded", things.run(), "success")
    assert until(lambda: len(configured.events) == 2)


def test_patterns_hold_for_the_listener_and_not_for_a_callback_that_somebody_wrote(
    configured: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIREDAMPER_IGNORE_DAGS", "orders_*")
    reporter.report_task(things.ti(), None)
    assert configured.requests == []
    on_failure_callback(things.context())
    assert len(configured.requests) == 1


def test_in_the_scheduler_a_task_hook_does_not_wait_and_in_its_forks_it_does(
    configured: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Job:
        job_type = "SchedulerJob"

    monkeypatch.setattr(reporter, "_long_lived_pid", None)
    reporter.component_starts(Job())
    configured.mode = "hang"
    monkeypatch.setenv("FIREDAMPER_TIMEOUT", "0.5")
    began = time.monotonic()
    reporter.report_task(things.ti(), None)
    assert time.monotonic() - began < 0.1
    assert until(lambda: len(configured.requests) == 1)
    configured.mode = "ok"
    pid = os.fork()
    if pid == 0:
        reporter.report_task(things.ti(task_id="in_a_task"), None)
        os._exit(0)  # as a task process ends: no atexit, no waiting for threads
    os.waitpid(pid, 0)
    assert [sent["task_id"] for sent in configured.events] == ["load", "in_a_task"]


@pytest.mark.parametrize(("version", "waits"), [("2.11.2", True), ("3.3.2", False)])
def test_a_database_row_means_a_task_on_2x_and_the_server_on_3x(
    configured: Receiver, monkeypatch: pytest.MonkeyPatch, version: str, waits: bool
) -> None:
    monkeypatch.setattr(reporter, "_long_lived_pid", None)
    monkeypatch.setattr(events, "airflow_version", lambda: version)
    row = things.Row(dag_id="d", run_id="r", task_id="t", map_index=-1, try_number=1, max_tries=0, state="failed")
    assert reporter._in_long_lived_process(row) is not waits
    assert reporter._in_long_lived_process(things.ti()) is False


def test_importing_the_package_imports_nothing_of_weight() -> None:
    script = (
        "import sys, time; import typing; before = set(sys.modules); began = time.perf_counter()\n"
        "import firedamper_airflow\n"
        "took = time.perf_counter() - began\n"
        "extra = {m.split('.')[0] for m in set(sys.modules) - before}\n"
        "print(took, *sorted(extra - {'firedamper_airflow', '__future__'}))"
    )
    answers = [
        subprocess.run(
            [sys.executable, "-S", "-c", script], env={"PYTHONPATH": SRC}, capture_output=True, text=True, check=True
        ).stdout.split()
        for _ in range(5)
    ]
    assert answers[0][1:] == []
    assert min(float(answer[0]) for answer in answers) < 0.005


def test_sending_needs_nothing_but_the_standard_library(configured: Receiver) -> None:
    script = (
        "import sys; sys.path.insert(0, sys.argv[1]); sys.path.insert(0, sys.argv[2])\n"
        "import things, firedamper_airflow\n"
        "firedamper_airflow.on_failure_callback(things.context())\n"
        "print(*[m for m in sys.modules if 'airflow' in m.split('.')[0] and not m.startswith('firedamper')])"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", script, SRC, str(Path(__file__).parent)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == ""
    assert len(configured.requests) == 1


class Base:
    """As much of Airflow's BaseNotifier as is called: 2.9-2.11 and 3.x differ in the constructor."""

    def __init__(self, context: Any = None) -> None:
        self.context = context or {}

    def render_template_fields(self, context: Any, jinja_env: Any = None) -> None:
        if self.note and "{%" in self.note:  # type: ignore[has-type]
            raise ValueError("no such template")
        self.note = self.note and self.note.replace("{{ x }}", str(context.get("x")))

    def __call__(self, context: Any) -> None:
        self.render_template_fields(context)
        self.notify(context)  # type: ignore[attr-defined]

    def __await__(self) -> Any:
        self.render_template_fields(self.context)
        return self.async_notify(self.context).__await__()  # type: ignore[attr-defined]


@pytest.fixture(params=["2.11.2", "3.3.2"])
def notifier(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    root = ModuleType("airflow")
    root.__path__ = []
    root.__version__ = request.param  # type: ignore[attr-defined]
    home = ModuleType("airflow.sdk" if request.param[0] == "3" else "airflow.notifications.basenotifier")
    home.BaseNotifier = Base  # type: ignore[attr-defined]
    parent = ModuleType("airflow.notifications")
    parent.__path__ = []
    for module in (root, parent, home):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    sys.modules.pop("firedamper_airflow.notifier", None)
    import firedamper_airflow

    yield firedamper_airflow.FiredamperNotifier
    sys.modules.pop("firedamper_airflow.notifier", None)


def test_a_notifier_on_failure_retry_and_success(configured: Receiver, notifier: Any) -> None:
    notifier(severity="P1", note="run {{ x }}")({**things.context(), "x": 7})
    notifier(note="{% broken")(things.context(ti=things.ti(state=things.State.RETRY)))
    notifier()(things.context(ti=things.ti(state="success")))
    notifier()(things.context(reason="success"))
    notifier(incident_type="data_loss")(things.context(reason="task_failure"))
    assert [(sent["kind"], sent["severity"], sent["incident_type"], sent["note"]) for sent in configured.events] == [
        ("task_failed", "P1", None, "run 7"),
        ("task_retry", None, None, "{% broken"),
        ("run_succeeded", None, None, None),
        ("run_failed", None, "data_loss", None),
    ]


DEADLINE = {
    "dag_run": {"dag_id": "orders_etl", "dag_run_id": "manual__1", "state": "running"},
    "deadline": {"id": "1", "deadline_time": "2026-11-21T04:00:00Z"},
}


def test_a_notifier_in_a_deadline_does_not_hold_the_loop_of_the_triggerer(configured: Receiver, notifier: Any) -> None:
    async def late() -> None:
        await notifier(context=dict(DEADLINE), severity="P1")

    configured.mode = "hang"
    began = time.monotonic()
    asyncio.run(late())
    assert time.monotonic() - began < 0.2
    assert until(lambda: len(configured.events) == 1)
    (event,) = configured.events
    assert (event["kind"], event["incident_type"], event["severity"]) == ("report", "freshness_violation", "P1")
    # 3.2's SyncCallback, in an executor.
    configured.mode = "ok"
    notifier()(dict(DEADLINE))
    assert configured.events[-1]["note"] == "deadline 2026-11-21T04:00:00.000000+00:00 missed"


def test_a_deadline_of_nobody_raises_nothing(configured: Receiver, notifier: Any, caplog: pytest.LogCaptureFixture) -> None:
    async def late(context: Any) -> None:
        await notifier(context=context)

    for context in (None, {}, {"deadline": None}, {"deadline": {}, "dag_run": {}}):
        asyncio.run(late(context))
    assert configured.requests == []


def test_the_listener_leaves_out_by_tag_where_tags_are_known(configured: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIREDAMPER_IGNORE_TAGS", "tier:*")
    reporter.report_task(things.ti(), None)
    assert configured.requests == []
    reporter.report_task(things.ti(task=things.task(dag=things.dag(tags=["x"]))), None)
    reporter.report_task(things.ti(task=None, task_id="unknown"), None)
    on_failure_callback(things.context(ti=things.ti(task_id="asked_for")))
    assert [sent["task_id"] for sent in configured.events] == ["load", "unknown", "asked_for"]
