"""Airflow's objects as one flat event (``openapi/callback.schema.json``).

2.9-3.3 hand over ORM rows, SDK objects and REST models, exceptions as objects and as strings. Whatever cannot be read is left out; an
event without it is an event all the same. What must never leave: conf, XCom, variables, connections.
"""

from __future__ import annotations

import datetime
import os
import socket
import sys
from typing import Any, Mapping, Optional

from firedamper_airflow import quality, reading
from firedamper_airflow._version import __version__
from firedamper_airflow.reading import (
    cap,
    class_name,
    identity,
    instant,
    is_a,
    is_orm,
    item,
    mask,
    number,
    plain,
    read,
    state,
    tags,
    text,
)

Event = dict[str, Any]

MAX_EXCEPTION_BYTES = 8 * 1024
CAPS = reading.CAPS


def from_context(kind: Optional[str], context: Mapping[str, Any], words: Mapping[str, Optional[str]]) -> Optional[Event]:
    """From what a callback is given. A DAG's callback (it has a ``reason``) is about the run, whatever task it names: before 3.2 that
    is not the failed one; a deadline's (3.1 and later) is about the run too. ``kind`` None: the callback was not told what it was
    called for. None where there is nothing to report (a task that succeeded)."""
    reason = item(context, "reason")
    if item(context, "deadline") is not None:
        event = _from_deadline(context)
        # The time stays in: two deadlines of one run, missed with the same words, are two.
        note = text(words.get("note")) if words.get("note") else ""
        words = {**words, "note": f"{note[:2048]} ({event['note']})" if note else None}
    elif reason is not None:
        kind = "run_succeeded" if text(reason) == "success" else "run_failed"
        event = _from_run(kind, item(context, "dag_run"), reason, context)
    else:
        ti = _task_instance(context)
        found = state(ti)
        if found == "success":
            return None
        # 3.1.0 calls on_failure_callback for a task that will be tried again (#56942).
        if found == "up_for_retry":
            kind = "task_retry"
        event = _from_task_context(kind or _kind_by_numbers(ti), context)
        _add_quality(event, ti, item(context, "exception"))
    event["source"] = "deadline" if event["kind"] == "report" else "callback"
    return say(event, words)


def from_task_instance(ti: Any, error: Any, *, careful: bool) -> Event:
    """From what a listener is given. ``careful``: in a process that goes on (scheduler, API server), where following a relation or a
    computed link would query the database inside Airflow's own transaction."""
    kind = "task_failed" if is_final(ti, error) else "task_retry"
    run = read(ti, "dag_run") or read(read(ti, "_ti_context_from_server"), "dag_run")
    event = _from_task(kind, ti, error, run, None)
    # In 2.x the link is a property that follows the relation to the run.
    event["log_url"] = None if careful else cap(read(ti, "log_url"), "log_url")
    event["source"] = "listener"
    _add_quality(event, ti, error)
    return event


def from_dag_run(kind: str, run: Any, message: Any) -> Event:
    """From what a run listener is given: an ORM row in the scheduler or the API server."""
    event = _from_run(kind, run, message or None, {})
    event["source"] = "listener"
    return event


def from_import_error(file: Any, stack: Any) -> Event:
    """From what the DAG processor has (2.10 and later). The file's time stands in the id: an error that came back after a repair is
    another one, the same error of the same file at the next parse is not."""
    path = cap(file, "file")
    return {
        **_common("import_error"),
        "source": "listener",
        "dag_id": None,
        "run_id": None,
        "file": path,
        # The end of a stack says what is wrong.
        "exception": {"type": None, "message": _cut_front(mask(text(stack, end=True)))} if stack else None,
        "event_id_of": _changed_at(path),
    }


def from_asset(asset: Any, told: Any) -> Event:
    """An updated asset (3.x) or dataset (2.x). ``told``: 3.2's event, which knows the producer; before, on 2.x, the environment of the
    producing task does, and where there is none (an API call, 3.0, 3.1) it stays unknown."""
    known = _from_environment()
    map_index = number(read(told, "source_map_index"))
    return {
        **_common("asset_event"),
        "source": "listener",
        "dag_id": identity(read(told, "source_dag_id"), "dag_id") or known["dag_id"],
        "run_id": identity(read(told, "source_run_id"), "run_id") or known["run_id"],
        "task_id": identity(read(told, "source_task_id"), "task_id") or known["task_id"],
        "map_index": -1 if map_index is None else map_index,
        "try_number": known["try_number"],
        "asset": {"name": text(read(asset, "name"))[:1500] or None, "uri": text(read(asset, "uri"))[:4096] or None},
    }


def from_report(context: Any, told: Mapping[str, Any], words: Mapping[str, Optional[str]]) -> Event:
    """What code says about its data. ``told``: ids that were given explicitly, ``quality`` and ``schema_change``. What was not given
    comes from the context of the running task, then from the variables that Airflow sets for it (2.9-3.3), which a subprocess has too."""
    ti, run = _task_instance(context), item(context, "dag_run")
    elsewhere = bool(told.get("dag_id") or told.get("run_id"))
    if elsewhere:
        event = {**_common("report"), **_from_environment(empty=True)}
    elif ti is not None:
        event = _from_task_context("report", context)
    else:
        event = {**_common("report"), **_from_environment(), "state": "running"}
    event.update({name: told[name] for name in told if told[name] is not None})
    event["logical_date"] = event.get("logical_date") or instant(read(run, "logical_date"))
    event["source"] = "report"
    event["exception"] = None
    event["incident_type"] = "schema_change" if told.get("schema_change") and not told.get("quality") else "quality_degradation"
    return say(event, words)


def say(event: Event, words: Mapping[str, Optional[str]]) -> Event:
    """The author's words win over what we found."""
    for name in ("severity", "incident_type", "note"):
        event[name] = cap(words.get(name), name) or event.get(name)
    return event


# After these Airflow does not try again, whatever the numbers say. By name: in 3.x they stand in another module.
_NO_RETRY = ("AirflowFailException", "AirflowSensorTimeout")


def is_final(ti: Any, error: Any = None) -> bool:
    """Whether Airflow will not try again. The state tells it on 2.10-3.3; in 2.9.3 it is still ``running`` in the hook, and the numbers
    and the exception have to."""
    found = state(ti)
    if found == "up_for_retry":
        return False
    if found == "running":
        tries, allowed = _try_number(ti), number(read(ti, "max_tries"))
        refused = any(kind.__name__ in _NO_RETRY for kind in type(error).__mro__)
        return refused or tries is None or allowed is None or tries > allowed
    return True


def test_event() -> Event:
    """Asks only whether the way is open."""
    return {**_common("test"), "source": "doctor"}


def _common(kind: str) -> Event:
    return {
        "version": 1,
        "kind": kind,
        "event_id": None,
        "occurred_at": datetime.datetime.now(datetime.timezone.utc).isoformat(),
        "airflow_version": airflow_version(),
        "package_version": __version__,
        "hostname": cap(_hostname(), "hostname"),
        "note": None,
        "severity": None,
        "incident_type": None,
        "dropped_events": 0,
        "quality": None,
        "schema_change": None,
        "file": None,
        "asset": None,
    }


def _from_task_context(kind: str, context: Mapping[str, Any]) -> Event:
    ti, run, dag = _task_instance(context), item(context, "dag_run"), item(context, "dag")
    event = _from_task(kind, ti, item(context, "exception"), run, dag)
    event["log_url"] = cap(read(ti, "log_url"), "log_url")
    event["dag_id"] = event["dag_id"] or identity(read(run, "dag_id"), "dag_id") or identity(read(dag, "dag_id"), "dag_id")
    event["run_id"] = event["run_id"] or identity(item(context, "run_id"), "run_id")
    event["task_id"] = event["task_id"] or identity(read(item(context, "task"), "task_id"), "task_id")
    return event


def _from_deadline(context: Mapping[str, Any]) -> Event:
    """The run as REST has it, and the deadline, each a dict (3.1-3.3; in 3.3 the deadline's time is an instant)."""
    event = _from_run("report", item(context, "dag_run"), None, context)
    missed = instant(read(item(context, "deadline"), "deadline_time"))
    event["incident_type"] = "freshness_violation"
    event["note"] = f"deadline {missed or ''} missed".replace("  ", " ")
    return event


def _from_task(kind: str, ti: Any, error: Any, run: Any, dag: Any) -> Event:
    task = read(ti, "task")
    map_index = number(read(ti, "map_index"))
    return {
        **_common(kind),
        "dag_id": identity(read(ti, "dag_id"), "dag_id"),
        "run_id": identity(read(ti, "run_id"), "run_id"),
        "task_id": identity(read(ti, "task_id"), "task_id"),
        "map_index": -1 if map_index is None else map_index,
        "try_number": _try_number(ti),
        "max_tries": number(read(ti, "max_tries")),
        "state": cap(state(ti), "state"),
        "operator": cap(read(ti, "operator") or read(task, "task_type"), "operator"),
        "dag_tags": tags(dag) if dag is not None else tags(read(task, "dag")),
        "exception": _exception(error),
        "reason": None,
        "log_url": None,
        **_run_facts(run),
    }


def _from_run(kind: str, run: Any, reason: Any, context: Mapping[str, Any]) -> Event:
    dag = item(context, "dag")
    run_id = read(run, "run_id") or read(run, "dag_run_id") or item(context, "run_id")
    return {
        **_common(kind),
        "dag_id": identity(read(run, "dag_id") or read(dag, "dag_id"), "dag_id"),
        "run_id": identity(run_id, "run_id"),
        "task_id": None,
        "map_index": -1,
        "try_number": None,
        "max_tries": None,
        "state": cap(state(run) or text(plain(read(run, "_state"))), "state"),  # the row's column is behind a synonym
        "operator": None,
        "dag_tags": tags(dag) if dag is not None else tags(read(run, "dag")),
        "exception": None,
        "reason": cap(reason, "reason"),
        "log_url": None,
        **_run_facts(run),
    }


def _run_facts(run: Any) -> Event:
    return {
        "run_type": cap(plain(read(run, "run_type")), "run_type"),
        "logical_date": instant(read(run, "logical_date") or read(run, "execution_date")),
        "run_start_date": instant(read(run, "start_date")),
    }


def _from_environment(empty: bool = False) -> Event:
    """What Airflow puts there for the task that runs (2.9-3.3), and for whatever the task starts."""
    environ: Mapping[str, str] = {} if empty else os.environ
    tries = environ.get("AIRFLOW_CTX_TRY_NUMBER", "")
    return {
        "dag_id": cap(environ.get("AIRFLOW_CTX_DAG_ID"), "dag_id"),
        "run_id": cap(environ.get("AIRFLOW_CTX_DAG_RUN_ID"), "run_id"),
        "task_id": cap(environ.get("AIRFLOW_CTX_TASK_ID"), "task_id"),
        "map_index": -1,
        "try_number": int(tries) if tries.isdecimal() and len(tries) < 9 else None,
    }


def airflow_version() -> Optional[str]:
    """Of the Airflow that runs us; None outside of one. Never imports it."""
    return text(getattr(sys.modules.get("airflow"), "__version__", None)) or None


def _task_instance(context: Any) -> Any:
    return item(context, "ti") or item(context, "task_instance")


def _kind_by_numbers(ti: Any) -> str:
    """For a notifier, which is not told whether it was called for a failure or for a retry, in the DAG processor, where there is no
    state (3.3.2, a killed task)."""
    tries, allowed = _try_number(ti), number(read(ti, "max_tries"))
    again = state(ti) in ("", "running") and tries is not None and allowed is not None and tries <= allowed
    return "task_retry" if again else "task_failed"


def _try_number(ti: Any) -> Optional[int]:
    # Before 2.10 try_number is a hybrid property, one too high once the task has ended (2.9.3: 2 on the first failure); the column
    # below it is right.
    found = number(ti.__dict__.get("_try_number")) if is_orm(ti) else None
    return number(read(ti, "try_number")) if found is None else found


def _add_quality(event: Event, ti: Any, error: Any) -> None:
    """A SQL check that failed is a statement about the data, not about the code."""
    found = quality.of_operator(read(ti, "task"), error)
    if found is not None:
        event["quality"] = found
        event["incident_type"] = "quality_degradation"


def _hostname() -> str:
    try:
        return socket.gethostname()
    except OSError:
        return ""


def _changed_at(path: Optional[str]) -> Optional[int]:
    try:
        return os.stat(path).st_mtime_ns if path else None
    except (OSError, ValueError):
        return None


# --- exceptions ------------------------------------------------------------------------------------------------------------------


def _exception(error: Any) -> Optional[dict[str, Optional[str]]]:
    """Type and message. A string where Airflow itself gives one: a killed task, a state set by hand."""
    if error is None:
        return None
    kind = class_name(error) if is_a(error, BaseException) else None
    return {"type": kind, "message": _cut(mask(text(error)))}


def _cut(found: str) -> str:
    return found.encode("utf-8", "replace")[:MAX_EXCEPTION_BYTES].decode("utf-8", "ignore")


def _cut_front(found: str) -> str:
    return found.encode("utf-8", "replace")[-MAX_EXCEPTION_BYTES:].decode("utf-8", "ignore")
