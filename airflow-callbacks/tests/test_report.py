"""``report`` as code inside a task calls it."""

from __future__ import annotations

import datetime
import logging
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import things
from firedamper_airflow import report, settings, signing
from receiver import Receiver, check_signature
from test_events import valid

SRC = str(Path(__file__).parents[1] / "src")
RUN = {"dag_id": "orders_etl", "run_id": "r"}


def sent(receiver: Receiver) -> list[dict[str, Any]]:
    for request in receiver.requests:
        check_signature(request)
    return [valid(event) for event in receiver.events]


@pytest.fixture(params=["2.11.2", "3.3.2"])
def running(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A task process of that Airflow, in the middle of a task."""
    root, home = ModuleType("airflow"), ModuleType("airflow.operators.python" if request.param[0] == "2" else "airflow.sdk")
    root.__version__ = request.param  # type: ignore[attr-defined]
    root.__path__ = []
    home.get_current_context = lambda: things.context(ti=things.ti(state="running"), exception=...)  # type: ignore[attr-defined]
    parents = [ModuleType("airflow.operators")]
    parents[0].__path__ = []
    for module in (root, *parents, home):
        monkeypatch.setitem(sys.modules, module.__name__, module)


@pytest.mark.usefixtures("running")
def test_it_finds_out_by_itself_which_task_it_is_about(configured: Receiver) -> None:
    assert report("half as large as yesterday") is True
    (event,) = sent(configured)
    assert (event["kind"], event["source"], event["state"]) == ("report", "report", "running")
    assert (event["dag_id"], event["task_id"], event["try_number"], event["dag_tags"]) == (
        "orders_etl",
        "load",
        1,
        ["orders", "tier:1"],
    )
    assert (event["note"], event["incident_type"], event["quality"]) == ("half as large as yesterday", "quality_degradation", None)
    assert event["logical_date"] == "2026-11-20T00:00:00.000000+00:00"
    assert "never-to-be-sent" not in str(event)


def test_a_context_can_be_handed_over(configured: Receiver) -> None:
    mapped = things.context(ti=things.ti(map_index=3, state="running"))
    assert report.suspicion("odd", context=mapped)
    (event,) = sent(configured)
    assert (event["map_index"], event["exception"]) == (3, None)


def test_quality(configured: Receiver) -> None:
    start = datetime.datetime(2026, 11, 20, tzinfo=datetime.timezone.utc)
    assert report.quality(
        "orders",
        "null_rate",
        column="customer_id",
        measured=0.4,
        threshold=0.01,
        interval=(start, start + datetime.timedelta(days=1)),
        severity="P1",
        note="the join",
        **RUN,
    )
    (event,) = sent(configured)
    assert event["quality"] == {
        "table": "orders",
        "interval_start": "2026-11-20T00:00:00.000000+00:00",
        "interval_end": "2026-11-21T00:00:00.000000+00:00",
        "checks": [{"check": "null_rate", "column": "customer_id", "measured": 0.4, "threshold": 0.01, "passed": False}],
    }
    assert (event["severity"], event["note"], event["incident_type"]) == ("P1", "the join", "quality_degradation")


def test_several_checks_at_once_failed_ones_first(configured: Receiver) -> None:
    checks = [{"check": "duplicates", "measured": 0, "threshold": 0, "passed": True}, {"check": "row_count", "measured": 0}]
    assert report(table="orders", quality=checks, **RUN)
    (event,) = sent(configured)
    assert [(check["check"], check["passed"]) for check in event["quality"]["checks"]] == [
        ("row_count", False),
        ("duplicates", True),
    ]


def test_schema_change_and_the_authors_own_type(configured: Receiver) -> None:
    report.schema_change("orders", added=["coupon"], changed={"amount": ("numeric", "text")}, **RUN)
    report.schema_change("orders", removed=["discount"], incident_type="data_loss", **RUN)
    one, two = sent(configured)
    assert (one["incident_type"], two["incident_type"]) == ("schema_change", "data_loss")
    assert one["schema_change"]["changed"] == [{"column": "amount", "before": "numeric", "after": "text"}]


def test_the_same_report_is_one_event_and_another_one_is_two(configured: Receiver) -> None:
    assert [report("a", **RUN), report("a", **RUN), report("b", **RUN), report("a", severity="P0", **RUN)] == [True] * 4
    ids = [event["event_id"] for event in sent(configured)]
    assert len(ids) == len(set(ids)) == 3
    told = {"kind": "report", "dag_id": "d", "run_id": "r", "task_id": "t", "map_index": -1, "try_number": 1, "note": "n"}
    again = {**told, "occurred_at": "later", "source": "x", "hostname": "y"}
    assert signing.webhook_id("prod", told) == signing.webhook_id("prod", again)
    for other in ({"try_number": 2}, {"map_index": 0}, {"quality": {"checks": []}}, {"schema_change": {}}, {"incident_type": "x"}):
        assert signing.webhook_id("prod", {**told, **other}) != signing.webhook_id("prod", told)


@pytest.mark.parametrize("mode", ["cut", 503])
def test_false_where_it_is_not_there_and_it_follows_later(configured: Receiver, mode: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    configured.mode = mode
    assert report("a", **RUN) is False
    configured.mode = "ok"
    from firedamper_airflow import sender

    sender._senders.clear()  # another task's process
    assert report("b", **RUN) is True
    assert {event["note"] for event in sent(configured)[-2:]} == {"a", "b"}


def test_refused_for_good_is_false(configured: Receiver) -> None:
    configured.mode = 422
    assert report("a", **RUN) is False


@pytest.mark.parametrize(
    "call",
    [
        lambda: report("a"),
        lambda: report("a", dag_id="d"),
        lambda: report("a", context={}),
        lambda: report("a", context=7),  # type: ignore[arg-type]
        lambda: report(quality=7, **RUN),  # type: ignore[arg-type]
        lambda: report(quality=[None], **RUN),  # type: ignore[list-item]
        lambda: report(schema_change=[], **RUN),  # type: ignore[arg-type]
        lambda: report.schema_change("t", added=7, **RUN),  # type: ignore[arg-type]
    ],
)
def test_wrong_use_is_said_in_the_log_and_raises_nothing(configured: Receiver, caplog: pytest.LogCaptureFixture, call: Any) -> None:
    with caplog.at_level(logging.WARNING):
        assert call() is False
    assert len(caplog.records) == 1
    assert configured.requests == []


def test_what_broke_is_told_with_the_next_event(configured: Receiver) -> None:
    report(quality=7, **RUN)  # type: ignore[arg-type]
    report("a", **RUN)
    report("b", **RUN)
    assert [event["dropped_events"] for event in sent(configured)] == [1, 0]


def test_a_fork_does_not_tell_what_its_parent_has_lost(configured: Receiver) -> None:
    report(quality=7, **RUN)  # type: ignore[arg-type]
    pid = os.fork()
    if pid == 0:
        report("child", **RUN)
        os._exit(0)
    os.waitpid(pid, 0)
    report("parent", **RUN)
    assert [(event["note"], event["dropped_events"]) for event in sent(configured)] == [("child", 0), ("parent", 1)]


@pytest.mark.parametrize("odd", [things.Unprintable(), object(), b"\xff", 17, "x" * 10_000_000, "half \ud83d"])
def test_whatever_is_handed_over_as_words_is_an_event(configured: Receiver, odd: Any) -> None:
    assert report(odd, **RUN)
    assert report.quality(odd, odd, measured=odd, threshold=odd, column=odd, interval=(odd, odd), severity=odd, **RUN)
    assert len(sent(configured)) == 2


def test_without_settings_one_warning_and_false(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert [report("a", **RUN), report.quality("t", "c", measured=1, **RUN)] == [False, False]
    assert len(caplog.records) == 1


def test_in_a_subprocess_of_a_task_airflows_variables_say_which(configured: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    told = {"DAG_ID": "orders_etl", "DAG_RUN_ID": "manual__1", "TASK_ID": "größe", "TRY_NUMBER": "2"}
    for name, value in told.items():
        monkeypatch.setenv(f"AIRFLOW_CTX_{name}", value)
    script = "from firedamper_airflow import report; print(report('from dbt'), report('elsewhere', dag_id='x', run_id='y'))"
    done = subprocess.run(
        [sys.executable, "-S", "-c", script],
        env={**os.environ, "PYTHONPATH": SRC},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["True", "True"]
    mine, other = sent(configured)
    assert (mine["dag_id"], mine["run_id"], mine["task_id"], mine["try_number"]) == ("orders_etl", "manual__1", "größe", 2)
    assert (other["dag_id"], other["run_id"], other["task_id"], other["try_number"]) == ("x", "y", None, None)


def test_the_module_does_not_take_the_place_of_the_function(configured: Receiver) -> None:
    import importlib

    importlib.import_module("firedamper_airflow.report")
    from firedamper_airflow import report as again

    assert again is report
    assert callable(again)
    settings.forget()
