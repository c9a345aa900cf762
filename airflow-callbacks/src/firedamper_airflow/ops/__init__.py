"""Ready DAGs for the steps of a response that need credentials: the team's own DAGs, in the team's own Airflow.

Firedamper triggers them with conf and never sees a credential. Nothing is there until a DAG file asks for it::

    from firedamper_airflow.ops import ops_dags

    ops_dags(conn_id="warehouse", tables=["sales.*"], backups=["backup.{table}_*"])

What conf may touch is what the DAG's author listed, and nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from firedamper_airflow.ops.dags import (
        check_dag,
        lock_table_dag,
        ops_dags,
        replay_kafka_dag,
        restore_table_dag,
        unlock_table_dag,
    )

__all__ = ["check_dag", "lock_table_dag", "ops_dags", "replay_kafka_dag", "restore_table_dag", "unlock_table_dag"]


def __getattr__(name: str) -> Any:
    # The factories need Airflow's own classes; `import firedamper_airflow.ops` alone does not pay for them.
    if name in __all__:
        from firedamper_airflow.ops import dags

        return getattr(dags, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
