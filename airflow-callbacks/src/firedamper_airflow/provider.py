"""What ``airflow providers list`` shows."""

from __future__ import annotations

from typing import Any


def get_provider_info() -> dict[str, Any]:
    return {
        "package-name": "airflow-provider-firedamper",
        "name": "Firedamper",
        "description": "Reports failed tasks and runs to Firedamper, which holds the DAGs that would read the bad data.",
        "notifications": ["firedamper_airflow.notifier.FiredamperNotifier"],
    }
