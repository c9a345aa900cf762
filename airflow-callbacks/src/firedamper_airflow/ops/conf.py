"""What conf each DAG takes: one JSON schema. Airflow shows it as params and refuses what does not fit; the task checks it again.

Again, because ``[core] dag_run_conf_overrides_params = False`` keeps Airflow from looking at conf at all, and because Airflow lets
names through that no param has (2.9-3.3): a misspelt ``dry_run`` must be told, not ignored.
"""

from __future__ import annotations

from typing import Any, Mapping

from firedamper_airflow.ops.refusal import Refused

Schema = Mapping[str, Any]

_TABLE = {"type": "string", "minLength": 3, "maxLength": 511, "description": "schema.table, exactly as the catalogue has it"}
_DRY = {"type": "boolean", "default": True, "description": "Only say what would be done. A real run must say false."}
_LOCK_ID = {
    "type": "string",
    "minLength": 1,
    "maxLength": 200,
    "default": "default",
    "description": "Whose lock it is, for instance the incident's id. Writes come back when the last lock is gone.",
}
_INSTANT = {"type": ["string", "null"], "format": "date-time", "default": None}

LOCK: Schema = {"table": _TABLE, "lock_id": _LOCK_ID, "dry_run": _DRY}
UNLOCK: Schema = LOCK

_NUMBER = {"type": "number"}
_CHECK = {
    "type": "object",
    "additionalProperties": False,
    "required": ["check"],
    "properties": {
        "check": {"enum": ["null_rate", "duplicates", "freshness", "row_count", "query"]},
        "column": {"type": "string", "minLength": 1, "maxLength": 255},
        "columns": {"type": "array", "minItems": 1, "maxItems": 50, "items": {"type": "string", "minLength": 1, "maxLength": 255}},
        "min": _NUMBER,
        "max": _NUMBER,
        "max_age_seconds": {"type": "number", "exclusiveMinimum": 0},
        "query": {"type": "string", "minLength": 1, "maxLength": 255},
        "operator": {"enum": ["==", "!=", "<", "<=", ">", ">="]},
        "value": _NUMBER,
    },
}
CHECK: Schema = {
    "table": _TABLE,
    "checks": {
        "type": "array",
        "minItems": 1,
        "maxItems": 50,
        "items": _CHECK,
        "description": 'e.g. [{"check": "null_rate", "column": "amount", "max": 0.01}]',
    },
    "interval_column": {
        "type": ["string", "null"],
        "maxLength": 255,
        "default": None,
        "description": "Look only at rows of an interval",
    },
    "interval_start": {**_INSTANT, "description": "Rows from here on"},
    "interval_end": {**_INSTANT, "description": "Rows before this"},
    "dry_run": {**_DRY, "default": False, "description": "Only show the queries: neither run nor report them. Checks never write."},
}

RESTORE: Schema = {
    "table": _TABLE,
    "backup": {**_TABLE, "description": "schema.table that holds the rows as they shall be"},
    "allow_empty": {"type": "boolean", "default": False, "description": "An empty backup is meant"},
    "dry_run": _DRY,
}

_OFFSET = {"type": ["integer", "null"], "minimum": 0}
_RANGE = {
    "type": "object",
    "additionalProperties": False,
    "required": ["partition"],
    "properties": {
        "partition": {"type": "integer", "minimum": 0},
        "start_offset": _OFFSET,
        "end_offset": _OFFSET,
        "start_time": _INSTANT,
        "end_time": _INSTANT,
    },
}
_TOPIC = {"type": "string", "minLength": 1, "maxLength": 249}
REPLAY: Schema = {
    "topic": {**_TOPIC, "description": "Where the messages are"},
    "target": {**_TOPIC, "description": "Where they are sent again; must exist"},
    "partitions": {
        "type": ["array", "null"],
        "minItems": 1,
        "maxItems": 10_000,
        "items": _RANGE,
        "default": None,
        "description": 'Ranges, the end left out, e.g. [{"partition": 0, "start_offset": 10, "end_offset": 20}]; nothing: every partition',
    },
    "start_time": {**_INSTANT, "description": "For every range without a start of its own"},
    "end_time": {**_INSTANT, "description": "Messages before this; for every range without an end of its own"},
    "keep_partitions": {
        "type": "boolean",
        "default": True,
        "description": "Same partition number in the target, or by the key again",
    },
    "keep_timestamps": {
        "type": "boolean",
        "default": True,
        "description": "False gives them the time of the replay: for messages that are older than the target's retention",
    },
    "dry_run": _DRY,
}


def checked(schema: Schema, conf: Mapping[str, Any] | None) -> dict[str, Any]:
    """The conf with every default put in, or ``Refused`` with everything that is wrong with it."""
    from jsonschema import Draft7Validator, FormatChecker  # Airflow's own dependency on every line

    given = dict(conf or {})
    whole = {
        "type": "object",
        "properties": dict(schema),
        "additionalProperties": False,
        "required": [name for name, one in schema.items() if "default" not in one],
    }
    errors = Draft7Validator(whole, format_checker=FormatChecker()).iter_errors(given)
    wrong = [f"{'.'.join(str(part) for part in error.absolute_path) or 'conf'}: {error.message[:300]}" for error in errors]
    if wrong:
        raise Refused("; ".join(wrong[:10]))
    return {**{name: one["default"] for name, one in schema.items() if "default" in one}, **given}
