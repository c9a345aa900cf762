from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import pytest

import fake_airflow
import things
from firedamper_airflow import asking, settings, transport
from receiver import Receiver, check_mac

WAIT = {
    "decision": "wait",
    "reason": "an open incident covers what it reads",
    "incidents": [
        {
            "id": "inc_7",
            "url": "http://firedamper/incidents/inc_7",
            "title": "orders_etl.load failed",
            "severity": "P1",
            "status": "contained",
            "type": "pipeline_failure",
            "airflow": "prod",
            "dag_id": "orders_etl",
            "path": ["prod/orders_etl", "prod/revenue"],
        }
    ],
    "retry_after_s": 30,
}
PASS = {"decision": "pass", "reason": "nothing open", "incidents": [], "retry_after_s": 0}


def say(receiver: Receiver, answer: Any, status: int = 200) -> None:
    receiver.mode = status
    receiver.answer = answer if isinstance(answer, bytes) else json.dumps(answer).encode()


def context(**over: Any) -> dict[str, Any]:
    return {**things.context(), **over}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(asking, "LONGEST_PAUSE_SECONDS", 0.05)


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    fake_airflow.install(monkeypatch)
    from firedamper_airflow import gate

    def made(**over: Any) -> Any:
        return gate.FiredamperGate(**{"task_id": "gate", "deferrable": False, **over})

    yield made
    if (pool := __import__("firedamper_airflow.gate_trigger", fromlist=["_pool"])._pool) is not None:
        pool.shutdown()


def test_the_question_is_the_contract_s_signed_and_never_the_same_twice(configured: Receiver, make: Any) -> None:
    say(configured, PASS)
    make().execute(context())
    make().execute(context(run_id=None, dag_run=SimpleNamespace(run_id="manual__x")))
    first, second = configured.requests
    assert first["path"] == "/v1/gate/airflow/prod"
    asked = check_mac(first)
    assert {name: asked[name] for name in asked if name != "asked_at"} == {
        "version": 1,
        "dag_id": "orders_etl",
        "run_id": "scheduled__2026-11-20T00:00:00+00:00",
        "logical_date": "2026-11-20T00:00:00+00:00",
    }
    assert abs((datetime.now(timezone.utc) - datetime.fromisoformat(asked["asked_at"])).total_seconds()) < 5
    assert check_mac(second)["run_id"] == "manual__x"
    assert check_mac(second)["logical_date"] is None
    assert first["headers"]["webhook-id"] != second["headers"]["webhook-id"]


def test_pass_goes_on_and_names_what_a_shadow_incident_would_have_held(
    configured: Receiver, make: Any, caplog: pytest.LogCaptureFixture
) -> None:
    say(configured, {**WAIT, "decision": "pass", "reason": "shadow: only told"})
    with caplog.at_level(logging.INFO):
        make().execute(context())
    assert "shadow: only told" in caplog.text
    assert "orders_etl.load failed (P1, contained)" in caplog.text


@pytest.mark.parametrize(("mode", "asked_for", "pause"), [("reschedule", 5, 30), ("reschedule", 90, 90), ("poke", 5, 5)])
def test_never_rescheduled_so_soon_that_airflow_fails_the_task(
    configured: Receiver, make: Any, mode: str, asked_for: int, pause: int
) -> None:
    say(configured, WAIT)
    for deferrable in (False, True):
        gate = make(mode=mode, poke_interval=asked_for, deferrable=deferrable)
        with pytest.raises(fake_airflow.AirflowRescheduleException):
            gate.resume_execution("__fail__" if deferrable else "execute", None, context())
        assert gate.poke_interval == pause


def test_blocked_waits_and_says_for_what(configured: Receiver, make: Any, caplog: pytest.LogCaptureFixture) -> None:
    say(configured, WAIT)
    with pytest.raises(fake_airflow.AirflowRescheduleException):
        make().execute(context())
    assert "prod/orders_etl -> prod/revenue" in caplog.text
    assert "http://firedamper/incidents/inc_7" in caplog.text


@pytest.mark.parametrize(
    ("over", "ends"),
    [
        ({"when_blocked": "skip"}, "AirflowSkipException"),
        ({"when_blocked": "fail"}, "GateClosed"),
        ({"when_blocked": "fail", "soft_fail": True}, "AirflowSkipException"),
    ],
)
@pytest.mark.parametrize("deferrable", [True, False])
def test_blocked_skips_or_fails_as_told(configured: Receiver, make: Any, over: Any, ends: str, deferrable: bool) -> None:
    say(configured, WAIT)
    with pytest.raises(fake_airflow.AirflowException) as raised:
        make(deferrable=deferrable, **over).execute(context())
    assert type(raised.value).__name__ == ends


def test_fail_is_not_tried_again(make: Any) -> None:
    from firedamper_airflow import gate

    assert issubclass(gate.GateClosed, fake_airflow.AirflowFailException)


USELESS: list[tuple[str, Any, Any]] = [
    ("nothing listens", None, b""),
    ("hangs", "hang", b""),
    ("garbage", "garbage", b""),
    ("cut", "cut", b""),
    ("not ready", 503, b""),
    ("wrong secret", 401, b"{}"),
    ("unknown Airflow", 404, b"{}"),
    ("another program's page", 200, b"<html>welcome</html>"),
    ("a decision of another kind", 200, b'{"decision": "maybe"}'),
    ("no object", 200, b'["pass"]'),
    ("endless", 200, b'{"decision": "pass", "x": "' + b"x" * 300_000 + b'"}'),
    ("a redirect", 302, b""),
]


@pytest.mark.parametrize(("name", "mode", "body"), USELESS, ids=[case[0] for case in USELESS])
def test_no_usable_answer_passes_waits_or_fails_as_told(
    configured: Receiver,
    make: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    name: str,
    mode: Any,
    body: bytes,
) -> None:
    monkeypatch.setenv("FIREDAMPER_TIMEOUT", "0.2")
    if mode is None:
        configured.close()
    else:
        configured.mode, configured.answer = mode, body
    make().execute(context())
    assert "passes UNCHECKED" in caplog.text
    with pytest.raises(fake_airflow.AirflowRescheduleException):
        make(on_unreachable="wait").execute(context())
    with pytest.raises(fake_airflow.AirflowException, match="no usable answer") as raised:
        make(on_unreachable="fail").execute(context())
    assert not isinstance(raised.value, fake_airflow.AirflowFailException), "Airflow's retries must apply"


def test_without_settings_it_is_unreachable_and_says_what_to_set(make: Any, caplog: pytest.LogCaptureFixture) -> None:
    make().execute(context())
    assert "set FIREDAMPER_URL" in caplog.text


def test_one_lost_packet_does_not_open_the_gate(configured: Receiver, make: Any) -> None:
    say(configured, WAIT)
    configured.plan = ["cut", 503]
    with pytest.raises(fake_airflow.AirflowRescheduleException):
        make().execute(context())
    assert len(configured.requests) == 3


def test_what_a_person_must_put_right_is_asked_once(configured: Receiver) -> None:
    configured.mode = 401
    answer = asking.ask(settings.current(), asking.Question("d", "r", None))
    assert (answer.decision, len(configured.requests)) == ("unknown", 1)
    assert "secret" in answer.reason


def test_a_hanging_service_costs_the_task_a_bounded_time(configured: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIREDAMPER_TIMEOUT", "0.3")
    configured.mode = "drip"
    began = time.monotonic()
    assert asking.ask(settings.current(), asking.Question("d", "r", None)).decision == "unknown"
    assert time.monotonic() - began < 0.3 * asking.TRIES + 1


def test_nothing_of_an_answer_breaks_a_line_of_the_log() -> None:
    wild = {"decision": "wait", "reason": "a\nb\x1b[31m", "incidents": [7, {"title": "t\r\nFAKE", "path": "x", "id": None}]}
    answer = asking.read(transport.Reply(200, {}, json.dumps(wild).encode()))
    assert "\n" not in answer.reason
    assert "\x1b" not in answer.reason
    assert str(answer.incidents[0]) == "t  FAKE"


@pytest.mark.parametrize(("told", "seconds"), [(30, 30), ("7", 7), (-1, 0), (1e9, 600), (None, 0), ("soon", 0), (float("nan"), 0)])
def test_a_pause_that_is_asked_for_has_bounds(told: Any, seconds: float) -> None:
    body = json.dumps({**WAIT, "retry_after_s": told}).encode()
    assert asking.read(transport.Reply(200, {}, body)).retry_after == seconds


@pytest.mark.parametrize("over", [{"when_blocked": "stop"}, {"on_unreachable": "skip"}])
def test_a_word_that_is_not_known_breaks_the_dag_file_and_not_the_night(make: Any, over: Any) -> None:
    with pytest.raises(ValueError, match="is one of"):
        make(**over)


def deferral(gate: Any, of: Any) -> dict[str, Any]:
    with pytest.raises(fake_airflow.TaskDeferred) as raised:
        of(gate)
    return raised.value.facts


def test_deferred_first_for_a_short_while_then_long_and_to_the_deadline(configured: Receiver, make: Any) -> None:
    say(configured, WAIT)
    gate = make(deferrable=True, timeout=timedelta(hours=3))
    started = datetime.now(timezone.utc) - timedelta(minutes=10)
    first = deferral(gate, lambda it: it.execute(context(ti=things.ti(start_date=started))))
    assert first["method_name"] == "resumed"
    assert abs(first["kwargs"]["deadline"] - (started.timestamp() + 3 * 3600)) < 1
    assert (first["trigger"].lap, first["timeout"]) == (120, timedelta(seconds=180))
    again = deferral(gate, lambda it: it.resume_execution("resumed", {**first["kwargs"], "event": {"why": "lap"}}, context()))
    assert again["trigger"].lap == 3600
    near = {"deadline": time.time() + 90, "event": {"why": "lap"}}
    assert 85 < deferral(gate, lambda it: it.resume_execution("resumed", near, context()))["trigger"].lap <= 90


def test_the_time_since_the_first_question_counts_when_it_was_rescheduled(configured: Receiver, make: Any) -> None:
    say(configured, WAIT)
    first = datetime.now(timezone.utc) - timedelta(hours=2)
    ti = things.ti(start_date=datetime.now(timezone.utc), get_first_reschedule_date=lambda _: first)
    facts = deferral(make(deferrable=True, timeout=3 * 3600), lambda it: it.execute(context(ti=ti)))
    assert abs(facts["kwargs"]["deadline"] - (first.timestamp() + 3 * 3600)) < 1


@pytest.mark.parametrize(("soft_fail", "ends"), [(False, "AirflowSensorTimeout"), (True, "AirflowSkipException")])
def test_resumed_after_the_deadline_it_asks_once_more_and_gives_up(
    configured: Receiver, make: Any, soft_fail: bool, ends: str
) -> None:
    past = {"deadline": time.time() - 1, "event": {"why": "lap"}}
    say(configured, PASS)
    make(deferrable=True).resume_execution("resumed", past, context())
    say(configured, WAIT)
    with pytest.raises(fake_airflow.AirflowException) as raised:
        make(deferrable=True, soft_fail=soft_fail).resume_execution("resumed", past, context())
    assert type(raised.value).__name__ == ends


@pytest.mark.parametrize("error", ["Trigger timeout", "Trigger failure"])
def test_without_a_triggerer_it_asks_by_itself(
    configured: Receiver, make: Any, caplog: pytest.LogCaptureFixture, error: str
) -> None:
    gate = make(deferrable=True)
    say(configured, WAIT)
    with pytest.raises(fake_airflow.AirflowRescheduleException):
        gate.resume_execution("__fail__", {"error": error}, context())
    assert f"no triggerer took this over ({error})" in caplog.text
    say(configured, PASS)
    gate.resume_execution("__fail__", {"error": error}, context())


def test_a_triggerer_with_other_settings_is_found_out(configured: Receiver, make: Any, caplog: pytest.LogCaptureFixture) -> None:
    say(configured, WAIT)
    told = {"deadline": time.time() + 900, "event": {"why": "unreachable"}}
    with pytest.raises(fake_airflow.AirflowRescheduleException):
        make(deferrable=True).resume_execution("resumed", told, context())
    assert "does it have the same settings?" in caplog.text


def trigger(**over: Any) -> Any:
    from firedamper_airflow.gate_trigger import FiredamperGateTrigger

    facts = {"dag_id": "d", "run_id": "r", "logical_date": None, "poke_interval": 0.02, "lap": 5.0, "patient": False}
    return FiredamperGateTrigger(**{**facts, **over})


def events_of(it: Any) -> list[Any]:
    async def all_of() -> list[Any]:
        return [event.payload async for event in it.run()]

    return asyncio.run(all_of())


def test_the_trigger_waits_until_the_gate_is_open(configured: Receiver, make: Any) -> None:
    say(configured, {**WAIT, "retry_after_s": 0})
    configured.plan = [200, 200, "cut", 200]

    async def run() -> Any:
        waiting = asyncio.ensure_future(trigger().wait())
        while len(configured.requests) < 4:
            await asyncio.sleep(0.01)
        assert not waiting.done()
        say(configured, PASS)
        return await waiting

    assert asyncio.run(run()) == {"why": "open"}


def test_the_trigger_ends_with_its_lap(configured: Receiver, make: Any) -> None:
    say(configured, {**WAIT, "retry_after_s": 0})
    began = time.monotonic()
    assert events_of(trigger(lap=0.3)) == [{"why": "lap"}]
    assert 0.25 < time.monotonic() - began < 1


def test_the_trigger_tells_an_impatient_gate_that_nobody_answers(configured: Receiver, make: Any) -> None:
    configured.mode = 500
    assert events_of(trigger()) == [{"why": "unreachable"}]
    assert len(configured.requests) == 3
    assert events_of(trigger(patient=True, lap=0.3)) == [{"why": "lap"}]


def test_unusable_answers_count_only_in_a_row(configured: Receiver, make: Any) -> None:
    say(configured, {**WAIT, "retry_after_s": 0})
    configured.plan = [500, 500, 200, 500, 500, 200, 500, "cut"]
    assert events_of(trigger(lap=0.8)) == [{"why": "lap"}]
    assert configured.plan == []


def test_a_triggerer_without_settings_says_so_even_to_a_patient_gate(make: Any) -> None:
    settings.forget()
    assert events_of(trigger(patient=True)) == [{"why": "unreachable"}]


def test_a_hanging_service_does_not_stop_the_triggerer_s_loop(
    configured: Receiver, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIREDAMPER_TIMEOUT", "0.5")
    configured.mode = "hang"

    async def run() -> float:
        waiting = [asyncio.ensure_future(trigger(patient=True, lap=0.8).wait()) for _ in range(8)]
        worst = 0.0
        while not all(task.done() for task in waiting):
            began = time.monotonic()
            await asyncio.sleep(0.01)
            worst = max(worst, time.monotonic() - began)
        return worst

    assert asyncio.run(run()) < 0.3


def test_the_trigger_is_stored_without_a_secret_and_comes_back_the_same(configured: Receiver, make: Any) -> None:
    path, facts = trigger().serialize()
    assert path == "firedamper_airflow.gate_trigger.FiredamperGateTrigger"
    assert json.loads(json.dumps(facts)) == facts
    assert trigger(**facts).serialize() == (path, facts)
    assert "whsec" not in json.dumps(facts)
