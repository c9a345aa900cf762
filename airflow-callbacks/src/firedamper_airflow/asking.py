"""The question of the gate: does an open incident cover what this DAG reads? Standard library only; used by task and trigger alike."""

from __future__ import annotations

import datetime
import json
import os
import time
from dataclasses import dataclass
from typing import Any, Optional, Sequence

from firedamper_airflow import transport
from firedamper_airflow.settings import Settings

#: One lost packet, or a service that is just starting, must not open a gate: asked so often, so far apart.
TRIES = 3
PAUSE_SECONDS = 2.0
LONGEST_PAUSE_SECONDS = 10.0
#: What a service may ask of a waiting gate at most.
LONGEST_RETRY_AFTER = 600.0

PASS, WAIT, UNKNOWN = "pass", "wait", "unknown"


@dataclass(frozen=True)
class Incident:
    id: str
    url: str
    title: str
    severity: str
    status: str
    path: tuple[str, ...]

    def __str__(self) -> str:
        facts = ", ".join(fact for fact in (self.severity, self.status) if fact)
        through = f"; reaches this DAG by {' -> '.join(self.path)}" if self.path else ""
        return f"{self.title or self.id}{f' ({facts})' if facts else ''}{through}{f': {self.url}' if self.url else ''}"


@dataclass(frozen=True)
class Answer:
    #: ``pass``, ``wait``, or ``unknown``: no answer that can be used.
    decision: str
    reason: str
    incidents: tuple[Incident, ...] = ()
    retry_after: float = 0.0
    #: Asking again will not help: something must be put right first.
    settled: bool = True


@dataclass(frozen=True)
class Question:
    dag_id: str
    run_id: Optional[str]
    logical_date: Optional[str]


def ask(found: Settings, question: Question, tries: int = TRIES) -> Answer:
    """Never raises an ``Exception``. Takes at most ``tries`` times the time-out of one event, and the pauses between."""
    answer = Answer(UNKNOWN, "not asked")
    for left in range(tries - 1, -1, -1):
        answer = _ask_once(found, question)
        if answer.settled or not left:
            return answer
        time.sleep(min(answer.retry_after or PAUSE_SECONDS, LONGEST_PAUSE_SECONDS))
    return answer


def gate_url(found: Settings) -> str:
    base, _, airflow = found.endpoint.rpartition("/v1/callbacks/airflow/")
    return f"{base}/v1/gate/airflow/{airflow}"


def _ask_once(found: Settings, question: Question) -> Answer:
    if not found.ready:
        return Answer(UNKNOWN, "; ".join(found.problems))
    body = json.dumps({"version": 1, **vars(question), "asked_at": _now()}, ensure_ascii=False).encode("utf-8")
    # A fresh id each time: a question is no event, and a replayed one must not be taken for the first.
    headers = transport.signed_headers(found.key, f"fdq_{os.urandom(16).hex()}", body)

    def send() -> Answer:
        try:
            deadline = time.monotonic() + found.timeout
            longest = transport.MAX_ANSWER_BYTES + 1
            return read(transport.exchange(gate_url(found), headers, body, deadline, longest, found.proxy))
        except Exception as error:
            return Answer(UNKNOWN, f"{type(error).__name__}: {error}"[:200], settled=False)

    return transport.within(found.timeout, send) or Answer(UNKNOWN, f"no answer in {found.timeout:g} s", settled=False)


def read(reply: transport.Reply) -> Answer:
    """What is not exactly an answer of the gate is ``unknown``: a proxy's page must neither open nor close it."""
    if reply.status in (401, 403):
        return Answer(UNKNOWN, f"answered {reply.status}: the secret differs from Firedamper's, or the clocks do")
    if reply.status == 404:
        return Answer(UNKNOWN, "answered 404: Firedamper does not know this Airflow by that id, or has no gate")
    if reply.status != 200:
        later = reply.status == 429 or reply.status >= 500
        return Answer(
            UNKNOWN, f"answered {reply.status}", retry_after=_seconds(reply.headers.get("retry-after")), settled=not later
        )
    try:
        told = json.loads(reply.body) if len(reply.body) <= transport.MAX_ANSWER_BYTES else None
    except ValueError:
        told = None
    if not isinstance(told, dict) or told.get("decision") not in (PASS, WAIT):
        return Answer(UNKNOWN, "the answer is none of Firedamper's gate", settled=False)
    found = told.get("incidents")
    incidents = tuple(_incident(item) for item in found if isinstance(item, dict)) if isinstance(found, list) else ()
    return Answer(told["decision"], _text(told.get("reason")), incidents, _seconds(told.get("retry_after_s")))


def _incident(told: dict[str, Any]) -> Incident:
    facts = {name: _text(told.get(name)) for name in ("id", "url", "title", "severity", "status")}
    path = told.get("path")
    return Incident(path=tuple(_text(step) for step in path[:20]) if isinstance(path, list) else (), **facts)


def _text(value: Any) -> str:
    """Fit for one line of a log."""
    return "".join(sign if sign.isprintable() else " " for sign in value[:500]) if isinstance(value, str) else ""


def _seconds(value: Any) -> float:
    try:
        return min(max(0.0, float(value)), LONGEST_RETRY_AFTER)
    except (TypeError, ValueError):
        return 0.0


def _now() -> str:
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds")


def describe(incidents: Sequence[Incident]) -> str:
    return "".join(f"\n- {incident}" for incident in incidents[:20])
