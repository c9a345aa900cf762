"""Tells Firedamper, signed, what goes wrong in this Airflow.

Installed and configured, the listener plugin reports every DAG without a changed line of DAG code. ``on_failure_callback`` and
``on_retry_callback`` are for those who want to name the DAGs themselves, or add a severity or a note.

Airflow imports this package at every parse of a DAG that uses it: nothing heavier than a few lines may be imported here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from firedamper_airflow._version import __version__
from firedamper_airflow.callbacks import on_failure_callback, on_retry_callback

if TYPE_CHECKING:
    from firedamper_airflow.notifier import FiredamperNotifier

__all__ = ["FiredamperNotifier", "__version__", "on_failure_callback", "on_retry_callback"]


def __getattr__(name: str) -> Any:
    # The notifier needs Airflow's own base class; whoever does not use it does not pay for that import.
    if name == "FiredamperNotifier":
        from firedamper_airflow.notifier import FiredamperNotifier

        return FiredamperNotifier
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
