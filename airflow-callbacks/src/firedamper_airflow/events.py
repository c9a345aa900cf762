"""Airflow's objects, read carefully, as one flat event (``openapi/callback.schema.json``).

Every reading may fail, be missing or be of another kind than the version before: 2.9-3.3 hand over ORM rows, SDK objects and REST
models, exceptions as objects and as strings. Whatever cannot be read is left out; an event without it is an event all the same.
What must never leave: conf, XCom, variables, connections.
"""

from __future__ import annotations

import datetime
import socket
import sys
from typing import Any, Mapping, Optional

from firedamper_airflow._version import __version__

Event = dict[str, Any]

MAX_EXCEPTION_BYTES = 8 * 1024
#: Looked at before secrets are masked, so that none is cut in half and let through.
MAX_EXCEPTION_READ = 64 * 1024
MAX_TAGS = 100

#: Characters; never above what the schema allows.
CAPS = {
    "dag_id": 1024,
    "run_id": 1024,
    "task_id": 1024,
    "state": 64,
    "operator": 1024,
    "run_type": 64,
    "reason": 1024,
    "log_url": 4096,
    "hostname": 255,
    "note": 4096,
    "severity": 64,
    "incident_type": 64,
}


def from_context(kind: str, context: Mapping[str, Any], words: Mapping[str, Optional[str]]) -> Optional[Event]:
    """From what a callback is given. A DAG's callback (it has a ``reason``) is about the run, whatever task it names: before 3.2 that
    is not the failed one. None where there is nothing to report (a task that succeeded)."""
    ti = _item(context, "ti") or _item(context, "task_instance")
    run = _item(context, "dag_run")
    reason = _item(context, "reason")
    if reason is not None:
        kind = "run_succeeded" if _text(reason) == "success" else "run_failed"
        event = _from_run(kind, run, reason, context)
    else:
        state = _state(ti)
        if state == "success":
            return None
        # 3.1.0 calls on_failure_callback for a task that will be tried again (#56942).
        kind = "task_retry" if state == "up_for_retry" else kind
        event = _from_task(kind, ti, _item(context, "exception"), run, _item(context, "dag"))
        event["log_url"] = _cap(_read(ti, "log_url"), "log_url")
        event["dag_id"] = (
            event["dag_id"] or _id(_read(run, "dag_id"), "dag_id") or _id(_read(_item(context, "dag"), "dag_id"), "dag_id")
        )
        event["run_id"] = event["run_id"] or _id(_item(context, "run_id"), "run_id")
        event["task_id"] = event["task_id"] or _id(_read(_item(context, "task"), "task_id"), "task_id")
    event["source"] = "callback"
    for name in ("severity", "incident_type", "note"):
        event[name] = _cap(words.get(name), name)
    return event


def from_task_instance(ti: Any, error: Any, *, careful: bool) -> Event:
    """From what a listener is given. ``careful``: in a process that goes on (scheduler, API server), where following a relation or a
    computed link would query the database inside Airflow's own transaction."""
    kind = "task_failed" if is_final(ti) else "task_retry"
    run = _read(ti, "dag_run") or _read(_read(ti, "_ti_context_from_server"), "dag_run")
    event = _from_task(kind, ti, error, run, None)
    # In 2.x the link is a property that follows the relation to the run.
    event["log_url"] = None if careful else _cap(_read(ti, "log_url"), "log_url")
    event["source"] = "listener"
    return event


def from_dag_run(kind: str, run: Any, message: Any) -> Event:
    """From what a run listener is given: an ORM row in the scheduler or the API server."""
    event = _from_run(kind, run, message or None, {})
    event["source"] = "listener"
    return event


def is_final(ti: Any) -> bool:
    """Whether Airflow will not try again. The state tells it on 2.10-3.3; in 2.9.3 it is still ``running`` in the hook, and the numbers
    have to (they do not know AirflowFailException: such a failure passes for a retry there, until the run ends)."""
    state = _state(ti)
    if state == "up_for_retry":
        return False
    if state == "running":
        tries, allowed = _try_number(ti), _number(_read(ti, "max_tries"))
        return tries is None or allowed is None or tries > allowed
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
        "hostname": _cap(_hostname(), "hostname"),
        "note": None,
        "severity": None,
        "incident_type": None,
        "dropped_events": 0,
        "quality": None,
        "schema_change": None,
        "file": None,
        "asset": None,
    }


def _from_task(kind: str, ti: Any, error: Any, run: Any, dag: Any) -> Event:
    task = _read(ti, "task")
    map_index = _number(_read(ti, "map_index"))
    return {
        **_common(kind),
        "dag_id": _id(_read(ti, "dag_id"), "dag_id"),
        "run_id": _id(_read(ti, "run_id"), "run_id"),
        "task_id": _id(_read(ti, "task_id"), "task_id"),
        "map_index": -1 if map_index is None else map_index,
        "try_number": _try_number(ti),
        "max_tries": _number(_read(ti, "max_tries")),
        "state": _cap(_state(ti), "state"),
        "operator": _cap(_read(ti, "operator") or _read(task, "task_type"), "operator"),
        "dag_tags": _tags(dag or _read(task, "dag")),
        "exception": _exception(error),
        "reason": None,
        "log_url": None,
        **_run_facts(run),
    }


def _from_run(kind: str, run: Any, reason: Any, context: Mapping[str, Any]) -> Event:
    dag = _item(context, "dag")
    return {
        **_common(kind),
        "dag_id": _id(_read(run, "dag_id") or _read(dag, "dag_id"), "dag_id"),
        "run_id": _id(_read(run, "run_id") or _item(context, "run_id"), "run_id"),
        "task_id": None,
        "map_index": -1,
        "try_number": None,
        "max_tries": None,
        "state": _cap(_state(run) or _text(_plain(_read(run, "_state"))), "state"),  # the row's column is behind a synonym
        "operator": None,
        "dag_tags": _tags(dag or _read(run, "dag")),
        "exception": None,
        "reason": _cap(reason, "reason"),
        "log_url": None,
        **_run_facts(run),
    }


def _run_facts(run: Any) -> Event:
    return {
        "run_type": _cap(_plain(_read(run, "run_type")), "run_type"),
        "logical_date": _instant(_read(run, "logical_date") or _read(run, "execution_date")),
        "run_start_date": _instant(_read(run, "start_date")),
    }


def airflow_version() -> Optional[str]:
    """Of the Airflow that runs us; None outside of one. Never imports it."""
    return _text(getattr(sys.modules.get("airflow"), "__version__", None)) or None


def is_orm(thing: Any) -> bool:
    """Whether this is a database row of Airflow's (its reading may query) or a plain object."""
    try:
        return "_sa_instance_state" in thing.__dict__
    except Exception:
        return False


# --- careful reading -------------------------------------------------------------------------------------------------------------


def _item(context: Any, name: str) -> Any:
    # 3.x contexts raise KeyError for what this run has not; 2.x ones warn, or compute.
    try:
        return context.get(name)
    except Exception:
        return None


def _read(thing: Any, name: str) -> Any:
    """An attribute, or None. Of a database row only what is loaded already, or is computed from that by a plain property: asking
    the database from within a hook of the scheduler could flush, or break, the transaction that the hook was called in."""
    if thing is None:
        return None
    try:
        if is_orm(thing):
            if name in thing.__dict__:
                return thing.__dict__[name]
            if type(getattr(type(thing), name, None)).__module__.startswith("sqlalchemy"):
                return None
        return getattr(thing, name, None)
    except Exception:
        return None


def _state(thing: Any) -> str:
    return _text(_plain(_read(thing, "state")))


def _plain(value: Any) -> Any:
    """The value of an enum: ``TaskInstanceState.FAILED`` and ``failed`` both occur."""
    try:
        return getattr(value, "value", value)
    except Exception:
        return None


def _number(value: Any) -> Optional[int]:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return int(value)


def _try_number(ti: Any) -> Optional[int]:
    # Before 2.10 try_number is a hybrid property, one too high once the task has ended (2.9.3: 2 on the first failure); the column
    # below it is right.
    number = _number(ti.__dict__.get("_try_number")) if is_orm(ti) else None
    return _number(_read(ti, "try_number")) if number is None else number


def _tags(dag: Any) -> list[str]:
    tags = _read(dag, "tags")
    if tags is None or isinstance(tags, str):
        return []
    try:
        names = {_text(_read(tag, "name") or tag)[:256] for tag in tags}
    except Exception:
        return []
    return sorted(name for name in names if name)[:MAX_TAGS]


def _instant(value: Any) -> Optional[str]:
    """In UTC with an offset, always with microseconds: equal instants are equal texts, whatever object they came in."""
    if not isinstance(value, datetime.datetime):
        return None
    try:
        if value.tzinfo is None:
            value = value.replace(tzinfo=datetime.timezone.utc)
        text: str = value.astimezone(datetime.timezone.utc).isoformat(timespec="microseconds")
        return text
    except Exception:
        return None


def _hostname() -> str:
    try:
        return socket.gethostname()
    except OSError:
        return ""


def _id(value: Any, name: str) -> Optional[str]:
    return _cap(value, name) if isinstance(value, str) else None


def _cap(value: Any, name: str) -> Optional[str]:
    text = "" if value is None else _text(value)
    return text[: CAPS[name]] or None


def _text(value: Any) -> str:
    """As text that can be sent: no lone surrogates, whatever ``__str__`` does."""
    if value is None:
        return ""
    try:
        text: str = value if isinstance(value, str) else str(value)
    except Exception:
        return f"<unprintable {type(value).__name__}>"
    return text.encode("utf-8", "replace").decode("utf-8")


# --- exceptions ------------------------------------------------------------------------------------------------------------------


def _exception(error: Any) -> Optional[dict[str, Optional[str]]]:
    """Type and message. A string where Airflow itself gives one: a killed task, a state set by hand."""
    if error is None:
        return None
    kind = None
    if isinstance(error, BaseException):
        kind = f"{type(error).__module__}.{type(error).__qualname__}"[:512]
    return {"type": kind, "message": _cut(_mask(_text(error)[:MAX_EXCEPTION_READ]))}


def _cut(text: str) -> str:
    return text.encode("utf-8", "replace")[:MAX_EXCEPTION_BYTES].decode("utf-8", "ignore")


_MASKERS = ("airflow.sdk._shared.secrets_masker", "airflow.sdk.execution_time.secrets_masker", "airflow.utils.log.secrets_masker")


def _mask(text: str) -> str:
    """What Airflow hides in its logs (passwords of connections that the task has read) is hidden here too. Only a masker that is
    loaded already: one that is not knows no secrets."""
    for name in _MASKERS:
        redact = getattr(sys.modules.get(name), "redact", None)
        if redact is None:
            continue
        try:
            text = _text(redact(text))
        except Exception:
            return "<withheld: Airflow's secrets masker failed>"
    return text
