"""Reading what others made. Every reading may fail, be missing, or be of another kind than the version before: whatever cannot be read is
left out. Nothing in here raises an ``Exception``, asks a database, or believes what an object says about its own class."""

from __future__ import annotations

import datetime
import math
import sys
from typing import Any, Optional, Union

#: Characters; never above what ``openapi/callback.schema.json`` allows.
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
    "file": 4096,
}

MAX_TAGS = 100
#: More than anything sent: secrets are masked before it is cut, so that none is cut in half and let through.
MAX_TEXT = 64 * 1024


def is_a(value: Any, kinds: Union[type, tuple[type, ...]]) -> bool:
    """As ``isinstance``, but by the real class: ``isinstance`` asks the object for its ``__class__``, which may lie, or raise."""
    return issubclass(type(value), kinds)


def is_orm(thing: Any) -> bool:
    """Whether this is a database row of Airflow's (its reading may query) or a plain object."""
    try:
        return "_sa_instance_state" in thing.__dict__
    except Exception:
        return False


def item(context: Any, name: str) -> Any:
    # 3.x contexts raise KeyError for what this run has not; 2.x ones warn, or compute.
    try:
        return context.get(name)
    except Exception:
        return None


def read(thing: Any, name: str) -> Any:
    """An attribute, or None. Of a database row only what is loaded already, or is computed from that by a plain property: asking
    the database from within a hook of the scheduler could flush, or break, the transaction that the hook was called in."""
    if thing is None:
        return None
    try:
        if type(thing) is dict:  # what a deadline gives a callback for its run (3.1-3.3)
            return thing.get(name)
        if is_orm(thing):
            if name in thing.__dict__:
                return thing.__dict__[name]
            if type(getattr(type(thing), name, None)).__module__.startswith("sqlalchemy"):
                return None
        return getattr(thing, name, None)
    except Exception:
        return None


def plain(value: Any) -> Any:
    """The value of an enum: ``TaskInstanceState.FAILED`` and ``failed`` both occur."""
    try:
        return getattr(value, "value", value)
    except Exception:
        return None


def state(thing: Any) -> str:
    return text(plain(read(thing, "state")))


def number(value: Any) -> Optional[int]:
    if is_a(value, bool) or not is_a(value, (int, float)):
        return None
    try:
        return int(value)
    except (ValueError, OverflowError):
        return None


def measure(value: Any) -> Union[int, float, str, None]:
    """A measured value or a threshold: a number where JSON has one for it, otherwise its text."""
    if value is None:
        return None
    if is_a(value, (int, float)) and not is_a(value, bool):
        # NaN and infinity are no JSON; beyond 2**53 a reader in another language would see another number.
        return value if math.isfinite(value) and abs(value) <= 2**53 else text(value)[:1024]
    if class_name(value) == "decimal.Decimal" and value.is_finite():
        return measure(float(value)) if abs(value) <= 2**53 else text(value)[:1024]
    if is_a(value, (datetime.datetime, datetime.date, datetime.timedelta)):
        return instant(value) or text(value)[:1024]
    return text(value)[:1024]


def tags(dag: Any) -> Optional[list[str]]:
    """None where they are not known here, which is not the same as a DAG without any."""
    found = read(dag, "tags")
    if found is None or is_a(found, str):
        return None
    try:
        names = {text(read(tag, "name") or tag)[:256] for tag in found}
    except Exception:
        return None
    return sorted(name for name in names if name)[:MAX_TAGS]


def instant(value: Any) -> Optional[str]:
    """In UTC with an offset, always with microseconds: equal instants are equal texts, whatever object they came in."""
    try:
        if is_a(value, str):  # REST shapes
            value = datetime.datetime.fromisoformat(value.replace("Z", "+00:00"))
        if not is_a(value, datetime.datetime):
            return None
        if value.tzinfo is None:
            value = value.replace(tzinfo=datetime.timezone.utc)
        found: str = value.astimezone(datetime.timezone.utc).isoformat(timespec="microseconds")
        return found
    except Exception:
        return None


def identity(value: Any, name: str) -> Optional[str]:
    return cap(value, name) if is_a(value, str) else None


def cap(value: Any, name: str) -> Optional[str]:
    found = "" if value is None else text(value)
    return found[: CAPS[name]] or None


def text(value: Any, *, end: bool = False) -> str:
    """As text that can be sent: no lone surrogates, whatever ``__str__`` does, and no more than ``MAX_TEXT`` of it (its ``end``, where
    asked for): somebody's message has 10 MB."""
    if value is None:
        return ""
    try:
        found = str.__str__(value) if is_a(value, str) else str(value)
        found = found[-MAX_TEXT:] if end else found[:MAX_TEXT]
        return found.encode("utf-8", "replace").decode("utf-8")
    except Exception:
        return f"<unprintable {class_name(value).rpartition('.')[2]}>"


def class_name(value: Any) -> str:
    """With its module. A metaclass may say anything about the name of its classes; the slot of ``type`` itself does not lie."""
    try:
        kind = type(value)
        module, name = type.__dict__["__module__"].__get__(kind), type.__dict__["__qualname__"].__get__(kind)
        return f"{module}.{name}"[:512] if type(module) is str else str(name)[:512]
    except Exception:
        return "object"


_MASKERS = ("airflow.sdk._shared.secrets_masker", "airflow.sdk.execution_time.secrets_masker", "airflow.utils.log.secrets_masker")


def mask(found: str) -> str:
    """What Airflow hides in its logs (passwords of connections that the task has read) is hidden here too. Only a masker that is
    loaded already: one that is not knows no secrets."""
    for name in _MASKERS:
        redact = getattr(sys.modules.get(name), "redact", None)
        if redact is None:
            continue
        try:
            found = text(redact(found))
        except Exception:
            return "<withheld: Airflow's secrets masker failed>"
    return found
