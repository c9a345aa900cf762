"""What the DAGs of the live stories are made of. The same files are read by Airflow 2.11 and 3.3.

A task fails while a file named <dag>.<task> (or <dag>.<task>.<logical day>) lies in FIREDAMPER_LAB_FLAGS, so a test "fixes the cause" by
deleting it; the content "once" makes it fail a single time. It waits while <dag>.<task>.wait lies there. A task that succeeds adds a line to
<dag>.jsonl in FIREDAMPER_LAB_RECORDS: what really ran, told by neither Airflow nor Firedamper.
"""

import datetime
import json
import os
import pathlib
import time

import pendulum

try:
    from airflow.sdk import DAG, Asset, task
except ImportError:  # 2.x
    from airflow import DAG
    from airflow.datasets import Dataset as Asset
    from airflow.decorators import task

try:
    from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
    from airflow.providers.standard.sensors.external_task import ExternalTaskSensor
except ImportError:  # 2.x
    from airflow.operators.trigger_dagrun import TriggerDagRunOperator
    from airflow.sensors.external_task import ExternalTaskSensor

__all__ = [
    "DAG",
    "FLAGS",
    "START",
    "Asset",
    "ExternalTaskSensor",
    "TriggerDagRunOperator",
    "asset",
    "berlin",
    "chain",
    "days",
    "single",
    "step",
    "task",
    "work",
]

FLAGS = pathlib.Path(os.environ["FIREDAMPER_LAB_FLAGS"])
RECORDS = pathlib.Path(os.environ["FIREDAMPER_LAB_RECORDS"])
# The first interval of the time-scheduled DAGs: the same day for every parse of one lab, and past on every version.
START = datetime.datetime.fromisoformat(os.environ["FIREDAMPER_LAB_START"]).replace(tzinfo=datetime.timezone.utc)


def asset(name):
    return Asset(f"lab://stories/{name}")


def berlin(*day):
    return pendulum.datetime(*day, tz="Europe/Berlin")


def days(count):
    return START + datetime.timedelta(days=count)


def work(dag_id, task_id, context):
    logical = context.get("logical_date")
    day = logical.strftime("%Y-%m-%d") if logical else "none"
    while (FLAGS / f"{dag_id}.{task_id}.wait").exists():
        time.sleep(0.1)
    for name in (f"{dag_id}.{task_id}", f"{dag_id}.{task_id}.{day}"):
        flag = FLAGS / name
        if flag.exists():
            if flag.read_text().strip() == "once":
                flag.unlink()
            raise RuntimeError(f"{name} is broken")
    line = {"dag": dag_id, "task": task_id, "run": context["run_id"], "day": day, "at": time.time()}
    with open(RECORDS / f"{dag_id}.jsonl", "a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def step(dag_id, task_id, outlets=(), **arguments):
    """A task of the DAG whose `with` block this stands in."""

    @task(task_id=task_id, outlets=list(outlets), **arguments)
    def run(**context):
        work(dag_id, task_id, context)

    return run()


def single(dag_id, task_id="work", outlets=(), schedule=None, dag=None, **arguments):
    """A DAG with one task."""
    with DAG(dag_id, schedule=schedule, start_date=START, catchup=False, **(dag or {})) as made:
        step(dag_id, task_id, outlets, **arguments)
    return made


def chain(prefix, **arguments):
    """A -> asset -> B -> asset -> C: three DAGs <prefix>_a, _b, _c."""
    first, second = asset(f"{prefix}_1"), asset(f"{prefix}_2")
    return [
        single(f"{prefix}_a", "make", outlets=[first], **arguments),
        single(f"{prefix}_b", "refine", outlets=[second], schedule=[first]),
        single(f"{prefix}_c", "report", schedule=[second]),
    ]
