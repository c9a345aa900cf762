"""Callbacks for DAG code: ``DAG(on_failure_callback=...)``, ``default_args={"on_failure_callback": ...}``, ``on_retry_callback``.

The same function serves tasks and DAGs: Airflow gives a DAG's callback a ``reason`` and a task's none (2.9-3.3).
"""

from __future__ import annotations

from typing import Any, Mapping, Optional


def on_failure_callback(
    context: Mapping[str, Any],
    *,
    severity: Optional[str] = None,
    incident_type: Optional[str] = None,
    note: Optional[str] = None,
) -> None:
    """Reports a final failure of a task, or of the run where it is the DAG's callback. Takes at most the time-out, never raises.

    ``severity`` (P0 to P3), ``incident_type`` and ``note`` are the author's words about it: ``functools.partial`` puts them in.
    """
    _report("task_failed", context, {"severity": severity, "incident_type": incident_type, "note": note})


def on_retry_callback(
    context: Mapping[str, Any],
    *,
    severity: Optional[str] = None,
    incident_type: Optional[str] = None,
    note: Optional[str] = None,
) -> None:
    """Reports a failed try that Airflow will repeat. Recorded, never acted on. Takes at most the time-out, never raises."""
    _report("task_retry", context, {"severity": severity, "incident_type": incident_type, "note": note})


def _report(kind: str, context: Mapping[str, Any], words: Mapping[str, Optional[str]]) -> None:
    # Imported only when something has failed: every parse of a DAG file imports this module.
    from firedamper_airflow.guard import quietly

    quietly(_send, kind, context, words)


def _send(kind: str, context: Mapping[str, Any], words: Mapping[str, Optional[str]]) -> None:
    from firedamper_airflow import reporter

    reporter.report_context(kind, context, words)
