"""The ready DAGs of firedamper_airflow.ops, as a team would write them down. Without their connections (the lab of the other stories) they only stand there."""

from firedamper_airflow.ops import ops_dags

ops_dags(
    "warehouse",
    tables=["sales.*"],
    backups=["backup.{table}_*"],
    keep_in="backup",
    queries={"balance": "SELECT COALESCE(SUM(amount), 0) FROM sales.orders"},
    kafka_conn_id="stream",
    topics={"orders": ["orders.again"]},
    prefix="ops_",
    tags=["team:orders"],
)
