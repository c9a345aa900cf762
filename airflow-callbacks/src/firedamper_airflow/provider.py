"""What ``airflow providers list`` shows."""

from __future__ import annotations

from typing import Any


def get_provider_info() -> dict[str, Any]:
    # The plugin is not among them: 2.11's form for this does not know "plugins" (3.x's does), its entry point works on all.
    return {
        "package-name": "airflow-provider-firedamper",
        "name": "Firedamper",
        "description": "Reports failed tasks and runs to Firedamper, which holds the DAGs that would read the bad data.",
        "connection-types": [
            {"connection-type": "firedamper", "hook-class-name": "firedamper_airflow.hook.FiredamperHook"},
        ],
        "notifications": ["firedamper_airflow.notifier.FiredamperNotifier"],
    }
