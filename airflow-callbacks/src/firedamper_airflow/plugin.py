"""Entry point of Airflow's plugin manager."""

from __future__ import annotations

import os
import sys
from typing import Any

from airflow.plugins_manager import AirflowPlugin

from firedamper_airflow import settings
from firedamper_airflow.guard import quietly


def _listeners() -> list[Any]:
    """No listener where there is nothing to send to: an installation without settings changes nothing at all in Airflow, which refuses
    DAGs with ``end_from_trigger`` tasks as soon as any listener is registered (2.11.2, 3.3.2)."""
    found: list[Any] = []

    def load() -> None:
        chosen = settings.current()
        # Once, where an operator looks, instead of in the log of every task.
        if "scheduler" in sys.argv[1:2] or os.environ.get("FIREDAMPER_DEBUG"):
            settings.warn_once(chosen)
        if chosen.ready and chosen.listener:
            from firedamper_airflow.listener import make

            found.append(make())

    quietly(load)
    return found


class FiredamperPlugin(AirflowPlugin):
    name = "firedamper"
    listeners = _listeners()
