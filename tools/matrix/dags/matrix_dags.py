"""Every way a run can fail, one DAG each, read by Airflow 2.9 to 3.3. A task notes the moment of its failure in FIREDAMPER_MATRIX_MOMENTS."""

import datetime
import functools
import os
import pathlib
import signal
import sqlite3
import time

try:
    from airflow.sdk import DAG, BaseSensorOperator, task
except ImportError:  # 2.x
    from airflow import DAG
    from airflow.decorators import task
    from airflow.sensors.base import BaseSensorOperator

from airflow.exceptions import AirflowFailException
from airflow.providers.common.sql.operators.sql import SQLColumnCheckOperator

from firedamper_airflow import FiredamperNotifier, on_failure_callback, on_retry_callback

MOMENTS = pathlib.Path(os.environ["FIREDAMPER_MATRIX_MOMENTS"])
SECOND = datetime.timedelta(seconds=1)


def note(dag_id):
    with open(MOMENTS / dag_id, "a", encoding="utf-8") as file:
        file.write(f"{time.time()}\n")


def fails(dag_id):
    note(dag_id)
    raise ValueError(f"{dag_id} fails on purpose")


def killed(dag_id):
    note(dag_id)
    os.kill(os.getpid(), signal.SIGKILL)


def loses_worker(dag_id):
    # The process above the task is the one that tells Airflow that the task lives: without it only the missing heartbeat is left.
    note(dag_id)
    os.kill(os.getppid(), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


def refuses(dag_id):
    note(dag_id)
    raise AirflowFailException(f"{dag_id} does not want to be tried again")


def waits(dag_id):
    time.sleep(90)


def waits_in_vain(dag_id):
    try:
        time.sleep(90)
    except BaseException:
        note(dag_id)
        raise


def single(dag_id, what=fails, dag=None, **arguments):
    """A DAG with one task, and what it gives back is the task."""
    with DAG(dag_id, schedule=None, start_date=datetime.datetime(2024, 1, 1), catchup=False, tags=["matrix"], **(dag or {})) as made:

        @task(task_id="work", **arguments)
        def work():
            what(dag_id)

        begun = work()
    globals()[dag_id] = made
    return made, begun


class NeverThere(BaseSensorOperator):
    def poke(self, context):
        return False

    def execute(self, context):
        try:
            return super().execute(context)
        finally:
            note(self.dag_id)


class Rows:
    """As much of a hook as the check operators ask for; no connection, no other provider."""

    def __init__(self):
        self.database = sqlite3.connect(":memory:")
        self.database.execute("create table orders (id integer, amount integer)")
        self.database.executemany("insert into orders values (?, ?)", [(1, 10), (2, None), (2, None)])

    def get_records(self, sql, *_, **__):
        return self.database.execute(sql).fetchall()

    def get_first(self, sql, *_, **__):
        return self.database.execute(sql).fetchone()


class ColumnCheck(SQLColumnCheckOperator):
    def get_db_hook(self):
        return Rows()

    def execute(self, context):
        note(self.dag_id)
        return super().execute(context)


single("mx_exception")
single("mx_retries", retries=1, retry_delay=SECOND)
single("mx_fail_now", refuses, retries=2, retry_delay=SECOND)
single("mx_sigkill", killed)
single("mx_sigkill_retry", killed, retries=1, retry_delay=SECOND)
single("mx_worker_lost", loses_worker)
single("mx_run_timeout", waits, dag={"dagrun_timeout": 6 * SECOND})
single("mx_execution_timeout", waits_in_vain, execution_timeout=2 * SECOND)
single("mx_task_marked", waits)
single("mx_run_marked", waits)
callbacks = {
    "on_failure_callback": on_failure_callback,
    "on_retry_callback": on_retry_callback,
    "dag": {"on_failure_callback": on_failure_callback},
}
single("mx_both", retries=1, retry_delay=SECOND, **callbacks)
single("mx_sigkill_both", killed, retries=1, retry_delay=SECOND, **callbacks)
single("mx_worker_lost_both", loses_worker, **callbacks)
single("mx_words", on_failure_callback=functools.partial(on_failure_callback, severity="P1", note="ask the orders team"))
single("mx_notifier", on_failure_callback=FiredamperNotifier(note="{{ dag.dag_id }}"))

upstream, first = single("mx_upstream")
with upstream:

    @task(task_id="after")
    def after():
        raise AssertionError("never runs")

    first >> after()

with DAG("mx_sensor", schedule=None, start_date=datetime.datetime(2024, 1, 1), catchup=False, tags=["matrix"]) as mx_sensor:
    NeverThere(task_id="work", mode="poke", poke_interval=1, timeout=2)

with DAG("mx_sql_check", schedule=None, start_date=datetime.datetime(2024, 1, 1), catchup=False, tags=["matrix"]) as mx_sql_check:
    ColumnCheck(
        task_id="work",
        table="orders",
        column_mapping={"amount": {"null_check": {"equal_to": 0}}, "id": {"unique_check": {"equal_to": 0}}},
    )
