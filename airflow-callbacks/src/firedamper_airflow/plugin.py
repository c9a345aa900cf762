"""Entry point of Airflow's plugin manager."""

from __future__ import annotations

import os
import sys
from typing import Any, Callable

from airflow.plugins_manager import AirflowPlugin

from firedamper_airflow import links, settings
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
        if chosen.listens:
            from firedamper_airflow.listener import make

            found.append(make())

    quietly(load)
    return found


def _links(kind: Callable[[str, str, str], list[links.MenuItem]]) -> list[links.MenuItem]:
    """Where no secret is set the links stand all the same: the web server of 2.x, and the API server, need none to show them."""
    found: list[links.MenuItem] = []

    def load() -> None:
        from airflow import __version__ as version

        found.extend(kind(links.of_process(), settings.current().airflow, version))

    quietly(load)
    return found


class FiredamperPlugin(AirflowPlugin):
    name = "firedamper"
    listeners = _listeners()
    appbuilder_menu_items = _links(links.menu_items)
    external_views = _links(links.external_views)
