"""The callback as a notifier, for those who keep their alerts in that form: ``on_failure_callback=FiredamperNotifier(severity="P1")``."""

from __future__ import annotations

from typing import Any, Optional, Sequence

from firedamper_airflow.guard import quietly

try:
    from airflow.sdk import BaseNotifier
except ImportError:
    from airflow.notifications.basenotifier import BaseNotifier  # 2.9-2.11


class FiredamperNotifier(BaseNotifier):  # type: ignore[misc,unused-ignore]
    """Reports the failure, or the retry, that it was called for, with the author's words about it. ``note`` may be a template."""

    template_fields: Sequence[str] = ("note",)

    def __init__(
        self, *, severity: Optional[str] = None, incident_type: Optional[str] = None, note: Optional[str] = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.severity = severity
        self.incident_type = incident_type
        self.note = note

    def notify(self, context: Any) -> None:
        from firedamper_airflow import reporter

        words = {"severity": self.severity, "incident_type": self.incident_type, "note": self.note}
        quietly(reporter.report_context, "task_failed", context, words)
