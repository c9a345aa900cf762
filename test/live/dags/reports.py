"""The DAGs of the stories about reports and the gate, for Airflow 2.11 and 3.3."""

import os
import sys

sys.path.insert(0, os.path.dirname(__file__))

from fd_lab import DAG, FLAGS, START, asset, single, step, task, work  # noqa: E402
from firedamper_airflow import report  # noqa: E402
from firedamper_airflow.gate import FiredamperGate  # noqa: E402

# 14: a check that reports and succeeds; a reader to be held, and one that must not be paused and asks at its start
with DAG("s14_a", schedule=None, start_date=START, catchup=False) as s14_a:

    @task(task_id="check", outlets=[asset("s14_1")])
    def check(**context):
        if (FLAGS / "s14_a.bad").exists():
            report.quality("orders", "null_rate", column="customer_id", measured=0.4, threshold=0.01, severity="P1")
        work("s14_a", "check", context)

    step("s14_a", "load") >> check()
s14_b = single("s14_b", schedule=[asset("s14_1")])
with DAG("s14_g", schedule=[asset("s14_1")], start_date=START, catchup=False, max_active_runs=2) as s14_g:
    FiredamperGate(task_id="gate", poke_interval=2, deferrable=False) >> step("s14_g", "work")
