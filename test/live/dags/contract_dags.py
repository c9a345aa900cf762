"""The DAGs of the contract suite (test/airflow/contract.ts), for Airflow 2.11 and 3.3; contractDags.ts builds the same ones in the fake.

A run decides by its conf what happens: {"fail_until_try": {"make": 2}} lets task make fail until its second try, so that a test needs nothing
but the API to break a run and to mend it.
"""

import datetime
import os
import sys

sys.path.insert(0, os.path.dirname(__file__))

from fd_lab import DAG, START, Asset, ExternalTaskSensor, TriggerDagRunOperator  # noqa: E402

try:
    from airflow.sdk import task
except ImportError:  # 2.x
    from airflow.decorators import task


def asset(name):
    return Asset(f"lab://contract/{name}")


def step(task_id, outlets=()):
    @task(task_id=task_id, outlets=list(outlets))
    def run(**context):
        conf = context["dag_run"].conf or {}
        if context["ti"].try_number < conf.get("fail_until_try", {}).get(task_id, 0):
            raise RuntimeError(f"{task_id} fails on this try")

    return run()


def dag(name, schedule=None, **arguments):
    return DAG(f"contract_{name}", schedule=schedule, start_date=START, catchup=False, **arguments)


with dag("a", tags=["contract", "tier:1"], dagrun_timeout=datetime.timedelta(minutes=10)) as contract_a:
    make = step("make", [asset("a1")])
    make >> step("after")
    make >> TriggerDagRunOperator(task_id="call", trigger_dag_id="contract_d", conf={})
    step("side")

for name, wanted in (("b", [asset("a1")]), ("and", [asset("a1"), asset("x1")])):
    with dag(name, schedule=wanted) as globals()[f"contract_{name}"]:
        step("work")

with dag("x") as contract_x:
    step("make", [asset("x1")])

for name in ("d", "wd", "free", "bulk_1", "bulk_2", "Ütil_日本.x-1"):
    with dag(name) as globals()[f"contract_{name}"]:
        step("work")

with dag("e") as contract_e:
    ExternalTaskSensor(
        task_id="wait_a", external_dag_id="contract_a", external_task_id="make", mode="poke", poke_interval=1, timeout=3, soft_fail=True
    )

with dag("w") as contract_w:
    TriggerDagRunOperator(task_id="call_and_wait", trigger_dag_id="contract_wd", wait_for_completion=True, poke_interval=1, conf={})

with dag("tpl") as contract_tpl:
    TriggerDagRunOperator(task_id="call_any", trigger_dag_id="{{ dag_run.conf.get('target', 'contract_d') }}", conf={})

# 9 whole days, never by itself: it is paused from the start
with dag("days", schedule="@daily", end_date=START + datetime.timedelta(days=8), is_paused_upon_creation=True, max_active_runs=4) as contract_days:
    step("load")
