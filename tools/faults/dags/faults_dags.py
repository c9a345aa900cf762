"""What fails while Firedamper misbehaves, and what goes on beside it. Read with the package and without it."""

import datetime
import os

try:
    from airflow.sdk import DAG, task
except ImportError:  # 2.x
    from airflow import DAG
    from airflow.decorators import task

try:
    from firedamper_airflow import on_failure_callback

    callbacks = {"on_failure_callback": on_failure_callback}
except ImportError:  # measured without the package
    callbacks = {}

MANY = int(os.environ.get("FIREDAMPER_FAULTS_MANY", "20"))
COMMON = {"schedule": None, "start_date": datetime.datetime(2024, 1, 1), "catchup": False, "max_active_runs": 50}

with DAG("ff_fail", **COMMON, **callbacks) as ff_fail:

    @task(task_id="work", **callbacks)
    def fails():
        raise ValueError("fails on purpose")

    fails()

# A run of this one beside the failing ones tells how long the scheduler's loop takes: nothing else happens in it.
with DAG("ff_beat", **COMMON) as ff_beat:

    @task(task_id="work")
    def works():
        return None

    works()

with DAG("ff_many", **COMMON) as ff_many:

    @task(task_id="work")
    def fails_too(number):
        raise ValueError(f"{number} fails on purpose")

    fails_too.expand(number=list(range(MANY)))

# A thousand of these run at once, and no task of theirs ever starts: the pool has no room. Then all of them have been running for too long, and the
# scheduler says so of each. (With tasks that start, 3.3.2's LocalExecutor held up the scheduler for minutes by itself, without any package.)
with DAG(
    "ff_storm",
    schedule=None,
    start_date=datetime.datetime(2024, 1, 1),
    catchup=False,
    max_active_runs=2000,
    dagrun_timeout=datetime.timedelta(seconds=20),
) as ff_storm:

    @task(task_id="work", pool="no_room")
    def never_starts():
        return None

    never_starts()
