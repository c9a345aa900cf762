"""Links from Airflow's pages to Firedamper's. None where no address is set; none where the version has no place for them (3.0)."""

from __future__ import annotations

import os
import re
from typing import Any, Callable, Mapping, Optional
from urllib.parse import quote, urlsplit

from firedamper_airflow import settings

MenuItem = dict[str, Any]

WHY_PAUSED = "Why is this DAG paused?"
REPORT = "Report an issue with this data"


def address(environ: Mapping[str, str], option: Callable[[str], Optional[str]], endpoint: str = "") -> str:
    """Where people's browsers reach Firedamper. It may differ from where Airflow does, so it has a setting of its own; without it
    that of the events is taken, and where none is a plain http or https address there is nothing to link to."""
    named = (environ.get("FIREDAMPER_PUBLIC_URL") or option("public_url") or "").strip().rstrip("/")
    found = named or endpoint.rpartition("/v1/callbacks/airflow/")[0]
    return found if _plain(found) else ""


def of_process() -> str:
    return address(os.environ, settings._airflow_option, settings.current().endpoint)


def menu_items(base: str, airflow: str, version: str) -> list[MenuItem]:
    """2.x: entries of the menu. 3.1 and later would show them too, beside their own, and 3.0 nowhere."""
    if not base or _number(version)[0] != 2:
        return []
    return [
        {"name": "Incidents", "category": "Firedamper", "href": f"{base}/incidents"},
        {"name": "Report an issue", "category": "Firedamper", "href": f"{base}/report?airflow={quote(airflow, safe='')}"},
    ]


def external_views(base: str, airflow: str, version: str) -> list[MenuItem]:
    """3.1 and later. On the pages of a DAG and of a run only a view with a ``url_route`` is shown, as a tab that embeds the page (3.1.8,
    3.3.2); the routes must differ from each other, or all but the first are dropped (3.3.2). The browser fills in the braces: encoded on
    3.2.2 and 3.3.2, as they stand on 3.1.8."""
    if not base or _number(version) < (3, 1):
        return []
    here = quote(airflow, safe="")
    report = f"{base}/report?airflow={here}&dag_id={{DAG_ID}}"
    why = f"{base}/dags/{here}/{{DAG_ID}}"
    return [
        {"name": "Firedamper", "destination": "nav", "category": "browse", "href": f"{base}/incidents"},
        {"name": WHY_PAUSED, "destination": "dag", "url_route": "firedamper-dag", "href": why},
        {"name": REPORT, "destination": "dag", "url_route": "firedamper-dag-report", "href": report},
        {"name": WHY_PAUSED, "destination": "dag_run", "url_route": "firedamper-run", "href": why},
        {
            "name": REPORT,
            "destination": "dag_run",
            "url_route": "firedamper-run-report",
            "href": f"{report}&run_id={{RUN_ID}}",
        },
    ]


def _plain(url: str) -> bool:
    try:
        parts = urlsplit(url)
        # A brace would be filled in by the browser of Airflow's page, a quote has no place in an address.
        return parts.scheme in ("http", "https") and bool(parts.hostname) and not re.search(r"[\s{}\"'<>?#@]", url)
    except ValueError:
        return False


def _number(version: str) -> tuple[int, int]:
    found = re.match(r"(\d+)\.(\d+)", version)
    return (int(found[1]), int(found[2])) if found else (0, 0)
