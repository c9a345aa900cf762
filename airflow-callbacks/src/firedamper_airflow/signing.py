"""Standard Webhooks: HMAC-SHA256 over ``id.timestamp.body``; the secret is ``whsec_`` and the base64 of 24 to 64 bytes."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from typing import Any, Mapping

PREFIX = "whsec_"
HINT = 'make one with: echo "whsec_$(openssl rand -base64 32)"'


class BadSecret(ValueError):
    """The secret cannot be used. The message says why and how to make one, and never repeats it."""


def key_from(secret: str) -> bytes:
    """The bytes behind a secret.

    A secret without the prefix is refused: the specification leaves open whether such a text is base64 or the key itself, and a
    guess that differs from the receiver's shows only as "wrong signature".
    """
    if not secret.startswith(PREFIX):
        raise BadSecret(f"it is written whsec_<base64>; {HINT}")
    try:
        key = base64.b64decode(secret[len(PREFIX) :], validate=True)
    except (binascii.Error, ValueError):
        raise BadSecret(f"what follows whsec_ is not base64; {HINT}") from None
    if not 24 <= len(key) <= 64:
        raise BadSecret(f"it holds 24 to 64 bytes, this one {len(key)}; {HINT}")
    return key


def headers(key: bytes, webhook_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    mac = hmac.new(key, f"{webhook_id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": "v1," + base64.b64encode(mac).decode("ascii"),
    }


#: What may make a second telling of the same failure worth a request.
WORDS = ("severity", "incident_type", "note", "quality")


def subject_id(airflow: str, event: Mapping[str, Any]) -> str:
    """Of the failure alone, whatever its author says about it: with it one process tells what it has told already."""
    return webhook_id(airflow, {name: value for name, value in event.items() if name not in WORDS})


def webhook_id(airflow: str, event: Mapping[str, Any]) -> str:
    """Derived, so that one failure has one id whoever reports it: Airflow's own double run of a callback on a lost heartbeat (seen
    on 3.0.6-3.3.2), and callback and listener side by side.

    A try number goes on counting when a task is cleared. A run has none, but a clear gives it a new start (2.11.2, 3.3.2), which
    stands in its place: otherwise the failure of a repair would pass for the failure that it was meant to cure.
    """
    kind = event["kind"]
    of: list[Any] = [airflow, event.get("dag_id"), event.get("run_id"), event.get("task_id"), event.get("map_index")]
    if kind == "report":
        # Two reports of one task are two, the same one said twice (a callback run twice, a task killed and repeated) is one.
        said = {name: event.get(name) for name in ("quality", "schema_change", "note", "severity", "incident_type")}
        of += [event.get("try_number"), kind, _digest(said)]
    elif kind == "import_error":
        # Airflow says it again at every parse. A file that was changed and is still broken is news.
        of += [event.get("file"), event.get("event_id_of"), kind, _digest(event.get("exception"))]
    elif kind == "asset_event":
        when = None if event.get("run_id") else event.get("occurred_at")
        of += [event.get("try_number"), kind, _digest([event.get("asset"), when])]
    else:
        of += [event.get("run_start_date") if event.get("task_id") is None else event.get("try_number"), kind]
        # The listener may have told it from another process and without the words of the DAG's author: under one id these would be
        # taken for a duplicate and never be read (2.11.2). That both are one failure is the service's to see.
        said = {name: event[name] for name in WORDS if event.get(name) is not None}
        of += [_digest(said)] if said else []
    return "fd_" + _digest(of)[:32]


def _digest(of: Any) -> str:
    return hashlib.sha256(json.dumps(of, ensure_ascii=True, separators=(",", ":"), sort_keys=True).encode("ascii")).hexdigest()
