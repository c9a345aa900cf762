"""The callback as a notifier, for those who keep their alerts in that form: ``on_failure_callback=FiredamperNotifier(severity="P1")``.

On failure, retry and success, of tasks and of DAGs; and for a deadline that was missed (Airflow 3.1 and later)::

    DAG(..., deadline=DeadlineAlert(..., callback=AsyncCallback(FiredamperNotifier, kwargs={"severity": "P1"})))
"""

from __future__ import annotations

from typing import Any, Optional, Sequence

from firedamper_airflow.guard import complain, quietly

try:
    from airflow.sdk import BaseNotifier
except ImportError:
    from airflow.notifications.basenotifier import BaseNotifier  # 2.9-2.11


class FiredamperNotifier(BaseNotifier):  # type: ignore[misc,unused-ignore]
    """Reports what it was called for, with the author's words about it: ``severity`` (P0 to P3), ``incident_type``, ``note``, which may be
    a template. A task that succeeded is not reported, a run that did is."""

    template_fields: Sequence[str] = ("note",)

    def __init__(
        self, *, severity: Optional[str] = None, incident_type: Optional[str] = None, note: Optional[str] = None, **kwargs: Any
    ) -> None:
        # 3.1 and later hand the context of a deadline over here.
        super().__init__(**kwargs)
        self.severity = severity
        self.incident_type = incident_type
        self.note = note

    def notify(self, context: Any) -> None:
        from firedamper_airflow import reporter

        quietly(reporter.report_context, None, context, self._words())

    async def async_notify(self, context: Any) -> None:
        """In the triggerer, whose loop serves all deferred tasks: a thread does the sending."""
        from firedamper_airflow import reporter

        quietly(reporter.report_deadline, context, self._words())

    def render_template_fields(self, context: Any, jinja_env: Any = None) -> None:
        """A note that cannot be rendered is sent as it was written: it must not cost the event."""
        try:
            super().render_template_fields(context, jinja_env)
        except Exception as error:
            complain("the note could not be rendered", error)

    def _words(self) -> dict[str, Optional[str]]:
        return {"severity": self.severity, "incident_type": self.incident_type, "note": self.note}
