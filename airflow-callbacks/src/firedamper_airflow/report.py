"""``report``: for code inside a task that knows more about its data than "it failed", or that wants to say so without failing.

    from firedamper_airflow import report

    report("the file of the 20th is half as large as the one of the 19th")          # a suspicion
    report.quality("orders", "null_rate", column="customer_id", measured=0.4, threshold=0.01)
    report.schema_change("orders", added=["coupon"], removed=["discount"], changed={"amount": ("numeric", "text")})
    report(table="orders", quality=[                                                # several checks at once
        {"check": "row_count", "measured": 0, "threshold": "> 0"},
        {"check": "duplicates", "column": "id", "measured": 0, "threshold": 0, "passed": True},
    ])

Which DAG, run and task it is about comes from the running task; outside of one, name ``dag_id`` and ``run_id``. Never raises, takes at most
the time-out (3 s), and answers whether Firedamper has it: False where it could not be delivered (then it waits in the spool and follows
the next event that gets through), where nothing is configured, and where the run is not known. The log says which.
"""

from __future__ import annotations

from typing import Any, Mapping, Optional, Sequence


class Report:
    """The one instance is ``firedamper_airflow.report``."""

    def __call__(
        self,
        note: Optional[str] = None,
        *,
        table: Optional[str] = None,
        quality: Optional[Sequence[Mapping[str, Any]]] = None,
        schema_change: Optional[Mapping[str, Any]] = None,
        interval: Optional[Sequence[Any]] = None,
        severity: Optional[str] = None,
        incident_type: Optional[str] = None,
        context: Optional[Mapping[str, Any]] = None,
        dag_id: Optional[str] = None,
        run_id: Optional[str] = None,
        task_id: Optional[str] = None,
        map_index: Optional[int] = None,
        try_number: Optional[int] = None,
    ) -> bool:
        """``quality``: checks, each ``{"check", "column", "measured", "threshold", "passed"}`` (``passed`` is False where it is left out).
        ``interval``: the data they are about, (start, end). ``schema_change``: ``{"added", "removed", "changed"}``. With neither it is a
        suspicion, and ``note`` says which. ``severity`` (P0 to P3) and ``incident_type`` are the author's own view."""
        # Imported only when something is said: every parse of a DAG file imports this module.
        from firedamper_airflow.guard import answer

        ids = {"dag_id": dag_id, "run_id": run_id, "task_id": task_id, "map_index": map_index, "try_number": try_number}
        words = {"severity": severity, "incident_type": incident_type, "note": note}
        found = answer(_send, context, ids, words, table, quality, schema_change, interval)
        return found is True

    def quality(
        self,
        table: Optional[str],
        check: str,
        *,
        measured: Any,
        threshold: Any = None,
        column: Optional[str] = None,
        passed: bool = False,
        **more: Any,
    ) -> bool:
        """One check: ``null_rate``, ``row_count``, ``duplicates``, ``freshness`` (measured and threshold may be instants or time
        differences), or a name of your own. ``threshold``: the bound, or the rule in words (``"< 0.01"``). Further arguments as above."""
        one = {"check": check, "column": column, "measured": measured, "threshold": threshold, "passed": passed}
        return self(table=table, quality=[one], **more)

    def schema_change(
        self,
        table: Optional[str],
        *,
        added: Sequence[str] = (),
        removed: Sequence[str] = (),
        changed: Any = (),
        **more: Any,
    ) -> bool:
        """``changed``: column to (before, after), as a mapping; or a list of columns. Further arguments as above."""
        return self(table=table, schema_change={"added": added, "removed": removed, "changed": changed}, **more)

    def suspicion(self, note: str, **more: Any) -> bool:
        """Something is odd, and a person should look. Further arguments as above."""
        return self(note, **more)


def _send(*args: Any) -> bool:
    from firedamper_airflow import reporter

    return reporter.report_by_hand(*args)


report = Report()
