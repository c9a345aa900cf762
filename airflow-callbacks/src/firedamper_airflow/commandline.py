"""What the commands share: settings, also from a connection, which a command may read where a listener may not."""

from __future__ import annotations

import os
from typing import Optional

from firedamper_airflow import settings
from firedamper_airflow.guard import complain
from firedamper_airflow.settings import Settings


def find_settings() -> Settings:
    """As a task would find them."""
    found = settings.current()
    if found.ready:
        return found
    told = _from_connection(found.conn_id or settings.DEFAULT_CONN_ID)
    return settings.load(os.environ, settings._airflow_option, told) if told else found


def _from_connection(conn_id: str) -> Optional[dict[str, str]]:
    """By Airflow's own model, which asks secrets backends, environment and database. The way of tasks (``hook``) needs the supervisor of
    one on 3.x, and has no time for the imports of a process that has just started on 2.x (2.11.2, 3.3.2)."""
    try:
        from airflow.models.connection import Connection

        found = Connection.get_connection_from_secrets(conn_id)
        facts = {name: getattr(found, name, None) for name in ("host", "schema", "port", "login", "password")}
        extra = found.extra_dejson
    except Exception as error:
        # Missing is the usual case, and its exceptions differ between versions; the settings say what to set.
        if "isn't defined" not in str(error):
            complain(f"the connection {conn_id} could not be read", error)
        return None
    from firedamper_airflow import hook

    return hook.options_of({**facts, "extra": extra if isinstance(extra, dict) else {}})
