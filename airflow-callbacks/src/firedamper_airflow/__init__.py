"""Tells Firedamper, signed, what goes wrong in this Airflow.

Installed and configured, the listener plugin reports every DAG without a changed line of DAG code. ``on_failure_callback`` and
``on_retry_callback`` are for those who want to name the DAGs themselves, or add a severity or a note; ``report`` is for code that knows
more about its data.

Airflow imports this package at every parse of a DAG that uses it: nothing heavier than a few lines may be imported here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from firedamper_airflow._version import __version__
from firedamper_airflow.callbacks import on_failure_callback, on_retry_callback

# At once, not on demand: the import system would put the module of that name in the place of the function.
from firedamper_airflow.report import report

if TYPE_CHECKING:
    from firedamper_airflow.gate import FiredamperGate
    from firedamper_airflow.hook import FiredamperHook
    from firedamper_airflow.notifier import FiredamperNotifier

__all__ = [
    "FiredamperGate",
    "FiredamperHook",
    "FiredamperNotifier",
    "__version__",
    "on_failure_callback",
    "on_retry_callback",
    "report",
]

# They need Airflow's own base classes; whoever does not use them does not pay for that import.
_ON_DEMAND = {"FiredamperGate": "gate", "FiredamperHook": "hook", "FiredamperNotifier": "notifier"}


def __getattr__(name: str) -> Any:
    if name in _ON_DEMAND:
        import importlib

        return getattr(importlib.import_module(f"{__name__}.{_ON_DEMAND[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
