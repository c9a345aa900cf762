"""From what Airflow hands over to an event that is on its way. May raise: ``guard.quietly`` stands around it."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
from typing import Any, Mapping, Optional, Sequence

from firedamper_airflow import courier, events, quality, reading, sender, settings
from firedamper_airflow.guard import complain

# The process that Airflow said it starts as something long-lived. Task processes are forked from the scheduler and inherit this
# number, which is not theirs.
_long_lived_pid: Optional[int] = None

# File -> id of the import error that was told last, in a DAG processor of 3.x: no more of them than it has files.
_told: dict[str, str] = {}

LONG_LIVED_JOBS = frozenset(("SchedulerJob", "TriggererJob", "DagProcessorJob"))


def component_starts(component: Any) -> None:
    """From the life cycle hook: a Job (2.9-3.3) in long-lived processes and in 2.x's task supervisor, a marker in task processes."""
    global _long_lived_pid
    if getattr(component, "job_type", None) in LONG_LIVED_JOBS:
        _long_lived_pid = os.getpid()


def report_context(kind: Optional[str], context: Mapping[str, Any], words: Mapping[str, Optional[str]]) -> None:
    """For callbacks: always in a process that ends soon (task, or child of the DAG processor; 2.9-3.3)."""
    found = settings.in_task(asked_for=True)
    settings.warn_once(found)
    if not found.ready:
        return
    event = events.from_context(kind, context, words)
    if event is not None and _is_whole(event):
        sender.of_process(found).deliver(event)


def report_deadline(context: Mapping[str, Any], words: Mapping[str, Optional[str]]) -> None:
    """For a notifier in the triggerer (3.1 and later), whose event loop must not wait. No connection: reading one would."""
    found = settings.current()
    settings.warn_once(found)
    if not found.ready:
        return
    event = events.from_context(None, context, words)
    if event is not None and _is_whole(event):
        courier.of_process(found).hand_over(event)


def report_by_hand(
    context: Optional[Mapping[str, Any]],
    ids: Mapping[str, Any],
    words: Mapping[str, Optional[str]],
    table: Optional[str],
    checks: Optional[Sequence[Mapping[str, Any]]],
    schema_change: Optional[Mapping[str, Any]],
    interval: Optional[Sequence[Any]],
) -> bool:
    """For ``report``. True where Firedamper has it."""
    found = settings.in_task(asked_for=True)
    settings.warn_once(found)
    if not found.ready:
        return False
    told = dict(ids)
    if checks is not None:
        told["quality"] = quality.quality_of(table, [_check(one) for one in checks], interval)
    if schema_change is not None:
        change = {name: schema_change.get(name) for name in ("added", "removed", "changed")}
        told["schema_change"] = quality.schema_change_of(schema_change.get("table") or table, **change)
    if context is None and not (ids.get("dag_id") or ids.get("run_id")):
        context = _running_context()
    event = events.from_report(context, told, words)
    return _is_whole(event) and sender.of_process(found).deliver(event) in ("sent", "known")


def report_task(ti: Any, error: Any) -> None:
    goes_on = _in_long_lived_process(ti)
    found = settings.current() if goes_on else settings.in_task(asked_for=False)
    if not found.ready:
        return
    event = events.from_task_instance(ti, error, careful=goes_on)
    _dispatch(found, event, goes_on)


def report_run(kind: str, run: Any, message: Any) -> None:
    """For run listeners: in the scheduler or the API server (2.9-3.3)."""
    found = settings.current()
    if not found.ready or (kind == "run_succeeded" and not found.send_success):
        return
    _dispatch(found, events.from_dag_run(kind, run, message), goes_on=True)


def report_import_error(file: Any, stack: Any) -> None:
    """In the DAG processor: 2.10 and 2.11 in a child of it that ends soon, 3.x in itself. Airflow tells the same error at every parse."""
    found = settings.current()
    if not found.ready:
        return
    event = events.from_import_error(file, stack)
    if not event["file"]:
        return
    out = sender.of_process(found)
    event = out.named(event)
    if not _is_2x():
        if _told.get(event["file"]) != event["event_id"] and courier.of_process(found).hand_over(event):
            _told[event["file"]] = event["event_id"]
        return
    mark = os.path.join(found.spool_dir, f"import-{hashlib.sha256(event['file'].encode()).hexdigest()[:32]}")
    if _content(mark) != event["event_id"] and out.deliver(event) != "dropped":
        _remember(mark, event["event_id"])


def report_asset(asset: Any, told: Any = None) -> None:
    """In the task that updated it on 2.x, in the API server on 3.x; in the web server of 2.x where a person did."""
    found = settings.current()
    if not found.ready or not found.send_assets:
        return
    event = events.from_asset(asset if told is None else reading.read(told, "asset"), told)
    if not any(event["asset"].values()):
        return
    _dispatch(found, event, goes_on=not (_is_2x() and event["run_id"]))


def _dispatch(found: settings.Settings, event: dict[str, Any], goes_on: bool) -> None:
    if not _is_whole(event) or not found.watches(event["dag_id"], event.get("dag_tags")):
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
    return reading.is_orm(ti) and not _is_2x()


def _is_2x() -> bool:
    return (events.airflow_version() or "").startswith("2.")


def _is_whole(event: Mapping[str, Any]) -> bool:
    """Whether it says what it is about. The service could do nothing with one that does not."""
    missing = [name for name in ("dag_id", "run_id") if not event.get(name)] if event["kind"] != "asset_event" else []
    if event["kind"] in ("task_failed", "task_retry") and not event.get("task_id"):
        missing.append("task_id")
    if missing:
        complain(f"a {event['kind']} did not say which {', '.join(missing)} it is about")
    return not missing


def _check(one: Mapping[str, Any]) -> dict[str, Any]:
    of = {name: one.get(name) for name in ("column", "measured", "threshold")}
    return quality.check_of(one.get("check"), passed=one.get("passed", False), **of)


def _running_context() -> Any:
    """Of the task that runs in this process; None outside of one. Imports nothing of Airflow where there is no Airflow yet."""
    if "airflow" not in sys.modules:
        return None
    try:
        if _is_2x():
            from airflow.operators.python import get_current_context  # 2.9-2.11
        else:
            from airflow.sdk import get_current_context
        return get_current_context()
    except Exception:
        return None


def _content(path: str) -> Optional[str]:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read(256)
    except (OSError, ValueError):
        return None


def _remember(path: str, content: str) -> None:
    with contextlib.suppress(OSError):
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(content)
