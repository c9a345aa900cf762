"""The factories. Each makes one DAG that is never scheduled, runs once at a time, tries nothing twice, and is never held by Firedamper."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any, Mapping, Optional, Sequence

from firedamper_airflow.ops import conf as schemas
from firedamper_airflow.ops.allow import AllowedTables, AllowedTopics, TableName
from firedamper_airflow.ops.operator import Act, FiredamperOpsOperator

try:
    from airflow.sdk import DAG, Param
except ImportError:  # 2.9-2.11
    from airflow import DAG
    from airflow.models.param import Param

TAGS = ("firedamper:ops", "firedamper:never")
STATE_TABLE = "firedamper.table_locks"


def lock_table_dag(
    conn_id: str,
    tables: Sequence[str],
    *,
    dag_id: str = "firedamper_lock_table",
    keep_roles: Sequence[str] = (),
    state_table: str = STATE_TABLE,
    **dag_options: Any,
) -> Any:
    """Takes from every role but ``keep_roles`` the right to write to a table, and remembers exactly what it took.

    Of one mind with ``unlock_table_dag`` about ``state_table``, where it is remembered: in the same database and, on PostgreSQL, the same
    transaction.
    """
    allowed, state = AllowedTables(tables), TableName.parse(state_table, "state_table")
    keep = tuple(keep_roles) if not isinstance(keep_roles, str) else (keep_roles,)

    def act(asked: Mapping[str, Any], context: Any) -> dict[str, Any]:
        from firedamper_airflow.ops import locks

        return locks.lock(conn_id, allowed, state, keep, asked, context)

    return _dag(dag_id, "lock", act, schemas.LOCK, dag_options, "Locks writes to a table.")


def unlock_table_dag(
    conn_id: str,
    tables: Sequence[str],
    *,
    dag_id: str = "firedamper_unlock_table",
    state_table: str = STATE_TABLE,
    **dag_options: Any,
) -> Any:
    """Gives back exactly what the locks of a table took, once the last of them is gone."""
    allowed, state = AllowedTables(tables), TableName.parse(state_table, "state_table")

    def act(asked: Mapping[str, Any], context: Any) -> dict[str, Any]:
        from firedamper_airflow.ops import locks

        return locks.unlock(conn_id, allowed, state, asked, context)

    return _dag(dag_id, "unlock", act, schemas.UNLOCK, dag_options, "Unlocks writes to a table.")


def check_dag(
    conn_id: str,
    tables: Sequence[str],
    *,
    dag_id: str = "firedamper_check",
    queries: Optional[Mapping[str, str]] = None,
    report: bool = True,
    **dag_options: Any,
) -> Any:
    """Measures a table and compares; what did not pass is reported, and the run fails.

    ``queries``: SQL of the author's own by name, one row with one number each; ``:interval_start`` and ``:interval_end`` are bound.
    Conf can only name one: SQL in conf would be run with this connection's rights by whoever may trigger the DAG.
    """
    allowed, named = AllowedTables(tables), dict(queries or {})

    def act(asked: Mapping[str, Any], context: Any) -> dict[str, Any]:
        from firedamper_airflow.ops import checks

        return checks.check(conn_id, allowed, named, report, asked, context)

    return _dag(dag_id, "check", act, schemas.CHECK, dag_options, "Checks a table and reports the result.")


def restore_table_dag(
    conn_id: str,
    tables: Sequence[str],
    backups: Sequence[str],
    *,
    dag_id: str = "firedamper_restore_table",
    keep_in: Optional[str] = None,
    **dag_options: Any,
) -> Any:
    """Puts the rows of a backup table in the place of a table's own, in one transaction.

    ``backups``: globs; ``{table}`` and ``{schema}`` stand for those of the table. ``keep_in``: a schema where the replaced rows are kept.
    """
    allowed, sources = AllowedTables(tables), AllowedTables(backups, "backups")

    def act(asked: Mapping[str, Any], context: Any) -> dict[str, Any]:
        from firedamper_airflow.ops import restore

        return restore.restore(conn_id, allowed, sources, keep_in, asked)

    return _dag(dag_id, "restore", act, schemas.RESTORE, dag_options, "Restores a table from a backup table.")


def replay_kafka_dag(
    conn_id: str,
    topics: Mapping[str, Sequence[str]],
    *,
    dag_id: str = "firedamper_replay_kafka",
    max_messages: int = 1_000_000,
    **dag_options: Any,
) -> Any:
    """Sends a range of a topic again, to another topic. ``topics``: which may go where, globs to lists of globs."""
    allowed = AllowedTopics(topics)

    def act(asked: Mapping[str, Any], context: Any) -> dict[str, Any]:
        from firedamper_airflow.ops import replay
        from firedamper_airflow.ops.kafka import KafkaCluster

        run = f"{context['dag_run'].dag_id}.{context['dag_run'].run_id}"
        return replay.replay(lambda: KafkaCluster(conn_id, run), allowed, max_messages, asked)

    return _dag(dag_id, "replay", act, schemas.REPLAY, dag_options, "Replays a range of a Kafka topic.")


def ops_dags(
    conn_id: Optional[str] = None,
    *,
    tables: Sequence[str] = (),
    lock: bool = True,
    keep_roles: Sequence[str] = (),
    check: bool = True,
    queries: Optional[Mapping[str, str]] = None,
    backups: Sequence[str] = (),
    keep_in: Optional[str] = None,
    kafka_conn_id: Optional[str] = None,
    topics: Optional[Mapping[str, Sequence[str]]] = None,
    prefix: str = "firedamper_",
    **dag_options: Any,
) -> dict[str, Any]:
    """All that is switched on, by DAG id: lock, unlock and check with ``tables``, restore with ``backups``, replay with ``topics``."""
    made = []
    if conn_id:
        if lock:
            made.append(lock_table_dag(conn_id, tables, keep_roles=keep_roles, dag_id=f"{prefix}lock_table", **dag_options))
            made.append(unlock_table_dag(conn_id, tables, dag_id=f"{prefix}unlock_table", **dag_options))
        if check:
            made.append(check_dag(conn_id, tables, queries=queries, dag_id=f"{prefix}check", **dag_options))
        if backups:
            made.append(
                restore_table_dag(conn_id, tables, backups, keep_in=keep_in, dag_id=f"{prefix}restore_table", **dag_options)
            )
    elif tables or backups:
        raise ValueError("ops_dags: tables and backups need a conn_id")
    if topics:
        if not kafka_conn_id:
            raise ValueError("ops_dags: topics need a kafka_conn_id")
        made.append(replay_kafka_dag(kafka_conn_id, topics, dag_id=f"{prefix}replay_kafka", **dag_options))
    if not made:
        raise ValueError("ops_dags: nothing is switched on: name a conn_id with tables, or a kafka_conn_id with topics")
    return {dag.dag_id: dag for dag in made}


def _dag(dag_id: str, task_id: str, act: Act, schema: schemas.Schema, options: Mapping[str, Any], title: str) -> Any:
    own = dict(options)
    fixed = {"schedule", "max_active_runs", "catchup", "params"} & own.keys()
    if fixed:
        raise ValueError(f"{dag_id}: {', '.join(sorted(fixed))} cannot be changed")
    tags = [*TAGS, *(tag for tag in own.pop("tags", []) if tag not in TAGS)]
    timeout = own.pop("execution_timeout", timedelta(hours=1))
    # As a context manager: so it registers itself with the DAG file that called (2.9-3.3), assigned or not.
    with DAG(
        dag_id,
        **{
            "description": f"{title} Triggered by Firedamper or by hand.",
            "start_date": datetime(2024, 1, 1, tzinfo=timezone.utc),
            "is_paused_upon_creation": False,  # a paused DAG would take the trigger and never run
            **own,
        },
        schedule=None,
        catchup=False,
        max_active_runs=1,
        tags=tags,
        params={name: _param(one) for name, one in schema.items()},
    ) as dag:
        FiredamperOpsOperator(task_id=task_id, act=act, conf_schema=schema, retries=0, execution_timeout=timeout, do_xcom_push=True)
    return dag


def _param(schema: Mapping[str, Any]) -> Any:
    rest = {name: value for name, value in schema.items() if name not in ("default", "description")}
    if "default" in schema:
        return Param(schema["default"], description=schema.get("description"), **rest)
    return Param(description=schema.get("description"), **rest)  # no default: Airflow refuses a trigger without it
