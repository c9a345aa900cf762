"""From what Airflow hands over to an event that is on its way. May raise: ``guard.quietly`` stands around it."""

from __future__ import annotations

import os
from typing import Any, Mapping, Optional

from firedamper_airflow import courier, events, sender, settings
from firedamper_airflow.guard import complain

# The process that Airflow said it starts as something long-lived. Task processes are forked from the scheduler and inherit this
# number, which is not theirs.
_long_lived_pid: Optional[int] = None

LONG_LIVED_JOBS = frozenset(("SchedulerJob", "TriggererJob", "DagProcessorJob"))


def component_starts(component: Any) -> None:
    """From the life cycle hook: a Job (2.9-3.3) in long-lived processes and in 2.x's task supervisor, a marker in task processes."""
    global _long_lived_pid
    if getattr(component, "job_type", None) in LONG_LIVED_JOBS:
        _long_lived_pid = os.getpid()


def report_context(kind: str, context: Mapping[str, Any], words: Mapping[str, Optional[str]]) -> None:
    """For callbacks: always in a process that ends soon (task, or child of the DAG processor; 2.9-3.3)."""
    found = settings.current()
    settings.warn_once(found)
    if not found.ready:
        return
    event = events.from_context(kind, context, words)
    if event is None:
        return
    if not _is_whole(event):
        complain("a callback did not say which run it is about")
        return
    sender.of_process(found).deliver(event)


def report_task(ti: Any, error: Any) -> None:
    found = settings.current()
    if not found.ready:
        return
    goes_on = _in_long_lived_process(ti)
    event = events.from_task_instance(ti, error, careful=goes_on)
    _dispatch(found, event, goes_on)


def report_run(kind: str, run: Any, message: Any) -> None:
    """For run listeners: in the scheduler or the API server (2.9-3.3)."""
    found = settings.current()
    if not found.ready or (kind == "run_succeeded" and not found.send_success):
        return
    _dispatch(found, events.from_dag_run(kind, run, message), goes_on=True)


def _dispatch(found: settings.Settings, event: dict[str, Any], goes_on: bool) -> None:
    if not _is_whole(event) or not found.watches(event["dag_id"]):
        return
    if goes_on:
        courier.of_process(found).hand_over(event)
    else:
        sender.of_process(found).deliver(event)


def _in_long_lived_process(ti: Any) -> bool:
    """3.x: database rows are seen only in scheduler, API server and triggerer, a task process has SDK objects. 2.x: rows everywhere,
    and of the long-lived processes only the scheduler calls this hook, which has announced itself."""
    if os.getpid() == _long_lived_pid:
        return True
    return events.is_orm(ti) and not (events.airflow_version() or "").startswith("2.")


def _is_whole(event: Mapping[str, Any]) -> bool:
    if not event.get("dag_id") or not event.get("run_id"):
        return False
    return bool(event.get("task_id")) or event["kind"] not in ("task_failed", "task_retry")
