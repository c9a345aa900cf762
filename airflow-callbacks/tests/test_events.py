from __future__ import annotations

import datetime
import json
import sys
import time
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import jsonschema
import pytest

import things
from firedamper_airflow import events, signing

HERE = Path(__file__).parent
PAYLOADS = HERE / "payloads"
SCHEMA = json.loads((HERE.parents[1] / "openapi" / "callback.schema.json").read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)

NO_WORDS: dict[str, Any] = {}


def valid(event: Any) -> dict[str, Any]:
    """As the service will read it."""
    event = json.loads(json.dumps(event, ensure_ascii=False).encode("utf-8"))
    VALIDATOR.validate(event)
    return event


def from_context(kind: str = "task_failed", **over: Any) -> dict[str, Any]:
    event = events.from_context(kind, things.context(**over), NO_WORDS)
    assert event is not None
    return valid(event)


@pytest.mark.parametrize("path", sorted(PAYLOADS.glob("*.json")), ids=lambda path: path.name)
def test_shared_payload_is_what_the_schema_says(path: Path) -> None:
    VALIDATOR.validate(json.loads(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("path", sorted((PAYLOADS / "unknown").glob("*.json")), ids=lambda path: path.name)
def test_shared_unknown_payload_is_not(path: Path) -> None:
    with pytest.raises(jsonschema.ValidationError):
        VALIDATOR.validate(json.loads(path.read_text(encoding="utf-8")))


def test_our_fields_are_those_of_the_schema() -> None:
    assert set(from_context()) | {"event_id"} == set(SCHEMA["properties"])
    for name, cap in events.CAPS.items():
        field = SCHEMA["properties"][name]
        allowed = field.get("maxLength") or SCHEMA["$defs"]["id"]["maxLength"]
        assert cap <= allowed, name


def test_task_callback() -> None:
    event = from_context()
    assert event["kind"] == "task_failed"
    assert (event["dag_id"], event["task_id"], event["map_index"]) == ("orders_etl", "load", -1)
    assert (event["try_number"], event["max_tries"], event["state"]) == (1, 0, "failed")
    assert event["exception"] == {"type": "builtins.ValueError", "message": "null rate 0.31"}
    assert event["dag_tags"] == ["orders", "tier:1"]
    assert event["operator"] == "PythonOperator"
    assert event["logical_date"] == "2026-11-20T00:00:00.000000+00:00"
    assert event["run_start_date"] == "2026-11-21T03:20:01.004210+00:00"
    assert event["source"] == "callback"


def test_nothing_secret_leaves() -> None:
    for event in (from_context(), from_context(reason="task_failure"), events.from_task_instance(things.ti(), None, careful=False)):
        assert "never-to-be-sent" not in json.dumps(event)


def test_retry_callback_and_a_failure_callback_called_for_a_retry() -> None:
    assert from_context("task_retry", ti=things.ti(state=things.State.RETRY))["kind"] == "task_retry"
    assert from_context("task_failed", ti=things.ti(state=things.State.RETRY))["kind"] == "task_retry"


def test_dag_callback_is_about_the_run_and_not_the_task_it_names() -> None:
    event = from_context(reason="timed_out", exception=..., ti=things.ti(task_id="the_last_one"))
    assert (event["kind"], event["task_id"], event["reason"]) == ("run_failed", None, "timed_out")
    assert from_context(reason="success")["kind"] == "run_succeeded"


def test_bare_contexts() -> None:
    # 3.0.1-3.0.4 give a DAG's callback little more than this.
    event = events.from_context("task_failed", {"dag": things.dag(), "run_id": "r", "reason": "task_failure"}, NO_WORDS)
    assert valid(event)["dag_id"] == "orders_etl"
    # 3.x, a run without a logical date, called by the DAG processor.
    event = from_context(dag_run=things.run(logical_date=None), exception=..., ti=things.ti(state=None, end_date=None))
    assert (event["kind"], event["logical_date"], event["exception"]) == ("task_failed", None, None)
    assert events.from_context("task_failed", {"ti": things.ti(state=things.State.SUCCESS)}, NO_WORDS) is None


def test_2x_context_with_execution_date_and_a_string_for_an_exception() -> None:
    run = things.run(logical_date=None, execution_date=datetime.datetime(2026, 11, 20))
    event = from_context(dag_run=run, exception="{'DAG Id': 'cb_kill'}")
    assert event["logical_date"] == "2026-11-20T00:00:00.000000+00:00"
    assert event["exception"] == {"type": None, "message": "{'DAG Id': 'cb_kill'}"}


def test_mapped_task_with_unicode_ids() -> None:
    event = from_context(ti=things.ti(dag_id="Ütil_日本.x-1", task_id="lade.größe", map_index=7), dag=things.dag(tags=["größe"]))
    assert (event["dag_id"], event["task_id"], event["map_index"], event["dag_tags"]) == (
        "Ütil_日本.x-1",
        "lade.größe",
        7,
        ["größe"],
    )


@pytest.mark.parametrize(
    "error",
    [
        things.Unprintable(),
        Exception("x" * 10_000_000),
        Exception("日" * 9_000),
        Exception("half \ud83d of a pair"),
        Exception(),
        17,
        b"\xff",
        object(),
    ],
    ids=["unprintable", "10 MB", "multi-byte", "surrogate", "empty", "number", "bytes", "object"],
)
def test_any_exception_makes_an_event_of_at_most_8_kib(error: Any) -> None:
    message = from_context(exception=error)["exception"]["message"]
    assert len(message.encode("utf-8")) <= 8 * 1024
    if isinstance(error, things.Unprintable):
        assert message == "<unprintable Unprintable>"
    if "日" in str(getattr(error, "args", "")):
        assert len(message.encode("utf-8")) > 8 * 1024 - 3
        assert "\ufffd" not in message


def test_an_exception_whose_class_lies_is_named_by_its_real_one() -> None:
    assert from_context(exception=things.Liar())["exception"] == {"type": "things.Liar", "message": "<unprintable Liar>"}
    hostile = from_context(
        exception=things.Hostile(), ti=things.ti(try_number=things.Hostile(), max_tries=float("nan"), map_index=True)
    )
    assert (hostile["exception"]["type"], hostile["try_number"], hostile["max_tries"], hostile["map_index"]) == (
        None,
        None,
        None,
        -1,
    )


class Shout(str):
    def __str__(self) -> str:
        raise RuntimeError

    def encode(self, *_: Any) -> bytes:
        raise RuntimeError

    __getitem__ = None  # type: ignore[assignment]


def test_text_that_is_more_than_text() -> None:
    event = from_context(ti=things.ti(dag_id=Shout("orders_etl")), exception=Exception(Shout("why")), run_id=Shout("r"))
    assert (event["dag_id"], event["exception"]["message"]) == ("orders_etl", "<unprintable Exception>")


def test_a_message_of_10_mb_costs_little() -> None:
    began = time.perf_counter()
    from_context(exception=Exception("日" * 10_000_000))
    assert time.perf_counter() - began < 0.5


def test_a_deadline_that_was_missed_is_late_data_and_about_the_run() -> None:
    # As the triggerer of 3.3.2 hands it over: REST's run, and the deadline.
    run = {
        "dag_id": "orders_etl",
        "dag_run_id": "manual__1",
        "logical_date": "2026-11-20T00:00:00Z",
        "start_date": "2026-11-21T03:20:01.004210Z",
        "state": "running",
        "run_type": "manual",
        "conf": {"password": "never-to-be-sent"},
    }
    deadline = {"id": "01a1", "deadline_time": datetime.datetime(2026, 11, 21, 4, tzinfo=datetime.timezone.utc)}
    event = valid(events.from_context(None, {"dag_run": run, "deadline": deadline, "note": "x"}, {"severity": "P1"}))
    assert (event["kind"], event["source"], event["incident_type"]) == ("report", "deadline", "freshness_violation")
    assert (event["dag_id"], event["run_id"], event["task_id"], event["severity"]) == ("orders_etl", "manual__1", None, "P1")
    assert (event["logical_date"], event["state"]) == ("2026-11-20T00:00:00.000000+00:00", "running")
    assert event["note"] == "deadline 2026-11-21T04:00:00.000000+00:00 missed"
    assert "never-to-be-sent" not in json.dumps(event)
    said = events.from_context(None, {"dag_run": run, "deadline": deadline}, {"note": "late", "incident_type": "platform"})
    assert said is not None
    assert (said["note"], said["incident_type"]) == ("late (deadline 2026-11-21T04:00:00.000000+00:00 missed)", "platform")
    later = {**deadline, "deadline_time": "2026-11-21T05:00:00Z"}
    other = events.from_context(None, {"dag_run": run, "deadline": later}, {"note": "late", "incident_type": "platform"})
    assert other is not None
    assert signing.webhook_id("prod", said) != signing.webhook_id("prod", other)


@pytest.mark.parametrize(
    ("state", "try_number", "max_tries", "kind"),
    [
        (None, 1, 2, "task_retry"),  # 3.3.2, a killed task, in the DAG processor
        (None, 3, 2, "task_failed"),
        ("failed", 1, 2, "task_failed"),  # AirflowFailException
        ("up_for_retry", 1, 2, "task_retry"),
        (None, None, None, "task_failed"),
    ],
)
def test_a_notifier_is_not_told_what_it_was_called_for(state: Any, try_number: Any, max_tries: Any, kind: str) -> None:
    ti = things.ti(state=state, try_number=try_number, max_tries=max_tries)
    event = events.from_context(None, things.context(ti=ti), NO_WORDS)
    assert valid(event)["kind"] == kind


def test_tags_that_are_not_known_here_are_not_none_at_all() -> None:
    assert from_context(dag=things.dag(tags=[]))["dag_tags"] == []
    assert from_context(dag=..., ti=things.ti(task=None))["dag_tags"] is None


def test_objects_that_cannot_be_read_cost_their_field_only() -> None:
    event = from_context(dag_run=things.Hostile(), dag=things.Hostile(), task=things.Hostile())
    assert (event["dag_id"], event["task_id"], event["run_start_date"], event["dag_tags"]) == ("orders_etl", "load", None, None)


def test_secrets_that_airflow_masks_are_masked_here(monkeypatch: pytest.MonkeyPatch) -> None:
    masker = ModuleType("airflow.utils.log.secrets_masker")
    masker.redact = lambda text: text.replace("hunter2", "***")  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, masker.__name__, masker)
    # Also where the cut would go through the middle of it.
    message = from_context(exception=Exception("x" * (8 * 1024 - 3) + "hunter2"))["exception"]["message"]
    assert "hun" not in message
    assert from_context(exception=Exception("password hunter2"))["exception"]["message"] == "password ***"

    def broken(_: str) -> str:
        raise RuntimeError

    masker.redact = broken  # type: ignore[attr-defined]
    assert "hunter2" not in from_context(exception=Exception("password hunter2"))["exception"]["message"]


def test_author_words_travel_and_wrong_ones_do_not_cost_the_event() -> None:
    words: dict[str, Any] = {"severity": "P1", "incident_type": "data_loss", "note": "ask orders\nfirst " + "x" * 9_000}
    event = valid(events.from_context("task_failed", things.context(), words))
    assert (event["severity"], event["incident_type"]) == ("P1", "data_loss")
    assert event["note"].startswith("ask orders\nfirst")
    assert valid(events.from_context("task_failed", things.context(), {"severity": 1, "note": object()}))["severity"] == "1"


# --- listener --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "try_number", "max_tries", "kind"),
    [
        (things.State.FAILED, 1, 3, "task_failed"),  # AirflowFailException: retries are left, none is taken
        ("failed", 4, 3, "task_failed"),
        (things.State.RETRY, 1, 3, "task_retry"),
        ("running", 1, 1, "task_retry"),  # 2.9.3
        ("running", 2, 1, "task_failed"),  # 2.9.3
        ("running", None, None, "task_failed"),  # when in doubt, a failure: a false alarm is released, a missed one is not held
        (None, 1, 0, "task_failed"),
    ],
)
def test_listener_tells_a_retry_from_the_end(state: Any, try_number: Any, max_tries: Any, kind: str) -> None:
    ti = things.ti(state=state, try_number=try_number, max_tries=max_tries)
    event = valid(events.from_task_instance(ti, ValueError("no"), careful=False))
    assert (event["kind"], event["source"]) == (kind, "listener")


def test_listener_and_callback_name_the_same_event() -> None:
    listened = events.from_task_instance(things.ti(), ValueError("a"), careful=False)
    called = events.from_context("task_failed", things.context(exception=...), NO_WORDS)
    assert called is not None
    assert signing.webhook_id("prod", listened) == signing.webhook_id("prod", called)
    said = {**called, "note": "b"}
    assert signing.webhook_id("prod", said) != signing.webhook_id("prod", called)
    assert signing.subject_id("prod", said) == signing.subject_id("prod", listened)
    run_listened = events.from_dag_run("run_failed", things.run(state="failed"), "task_failure")
    # The DAG processor has the same instant in another offset.
    other = things.START.astimezone(datetime.timezone(datetime.timedelta(hours=5)))
    run_called = events.from_context(
        "task_failed", things.context(reason="task_failure", dag_run=things.run(start_date=other)), NO_WORDS
    )
    assert run_called is not None
    assert signing.webhook_id("prod", run_listened) == signing.webhook_id("prod", run_called)
    again = events.from_dag_run("run_failed", things.run(start_date=things.START + datetime.timedelta(hours=1)), "task_failure")
    assert signing.webhook_id("prod", again) != signing.webhook_id("prod", run_listened)


class TaskRow(things.Row):
    dag_run = things.Instrumented()
    operator = things.Instrumented()
    try_number = things.Instrumented()

    @property
    def log_url(self) -> str:
        return f"http://airflow/{self.dag_run.run_id}"


def test_database_rows_are_read_without_the_database() -> None:
    row = TaskRow(dag_id="d", run_id="r", task_id="t", map_index=-1, _try_number=1, max_tries=0, state="failed")
    things.queries.clear()
    event = valid(events.from_task_instance(row, "Executor reported it", careful=True))
    assert things.queries == []
    assert (event["operator"], event["log_url"], event["run_start_date"]) == (None, None, None)
    # 2.9: the property is one too high after the end, the column is right. In the hook it decides, the state being still running.
    assert event["try_number"] == 1
    assert events.is_final(TaskRow(_try_number=2, max_tries=1, state="running"))
    assert not events.is_final(TaskRow(_try_number=1, max_tries=1, state="running"))
    assert things.queries == []
    loaded = TaskRow(
        dag_id="d", run_id="r", task_id="t", map_index=-1, _try_number=1, max_tries=0, state="failed", dag_run=things.run()
    )
    assert events.from_task_instance(loaded, None, careful=True)["run_start_date"] == "2026-11-21T03:20:01.004210+00:00"


def test_run_listener() -> None:
    event = valid(events.from_dag_run("run_failed", things.run(state=things.State.FAILED, dag=things.dag()), ""))
    assert (event["kind"], event["reason"], event["state"], event["run_type"]) == ("run_failed", None, "failed", "scheduled")
    assert event["dag_tags"] == ["orders", "tier:1"]
    named = SimpleNamespace(name="of the database")
    assert events.from_dag_run("run_failed", things.run(dag=things.dag(tags=[named])), "")["dag_tags"] == ["of the database"]


def test_test_event() -> None:
    assert valid(events.test_event())["kind"] == "test"
