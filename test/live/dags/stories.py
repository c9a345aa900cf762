"""The DAGs of the live stories, for Airflow 2.11 and 3.3; the prefix names the story.

One file, because each file costs a parse every few seconds.
"""

import datetime
import os
import sys

sys.path.insert(0, os.path.dirname(__file__))

from fd_lab import DAG, START, ExternalTaskSensor, TriggerDagRunOperator, asset, berlin, chain, days, single, step  # noqa: E402

# 1, 2, 4, 8-11, 13, 15: chains A -> asset -> B -> asset -> C
CHAINS = "s00 s01 s02p s02b s04p s04t s04c s08a s08s s08e s08l s08m s08t s09 s10 s10r s11a s11b s11c s13 s15".split()
for prefix in CHAINS:
    for number, made in enumerate(chain(prefix)):
        globals()[f"{prefix}_{number}"] = made
s01_z = single("s01_z")

# 3: trigger and sensor edges, and a reader that nobody but the configuration knows
with DAG("s03_a", schedule=None, start_date=START, catchup=False) as s03_a:
    made = step("s03_a", "make")
    made >> TriggerDagRunOperator(task_id="start_d", trigger_dag_id="s03_d", conf={})
s03_d = single("s03_d")
with DAG("s03_e", schedule=None, start_date=START, catchup=False) as s03_e:
    wait = ExternalTaskSensor(
        task_id="wait_a", external_dag_id="s03_a", external_task_id="make", mode="poke", poke_interval=1, timeout=3, soft_fail=True
    )
    wait >> step("s03_e", "work", trigger_rule="all_done")
s03_f = single("s03_f", schedule="@daily")
# the same once more for a source that answers "forbidden"
s03g_a, s03g_b, s03g_c = chain("s03g")

# 5: two causes, one reader; p: the first cause is repaired first, q: the second
for order in ("s05p", "s05q"):
    x, y = asset(f"{order}_x"), asset(f"{order}_y")
    globals()[f"{order}_x"] = single(f"{order}_x", "make", outlets=[x])
    globals()[f"{order}_y"] = single(f"{order}_y", "make", outlets=[y])
    globals()[f"{order}_c"] = single(f"{order}_c", schedule=[x, y])

# 6: ranges of four days; r is repaired, f has a canary that fails again
for name in ("s06r", "s06f"):
    with DAG(
        f"{name}_a",
        schedule="@daily",
        start_date=START,
        end_date=days(3),
        catchup=True,
        max_active_runs=4,
        is_paused_upon_creation=True,
    ) as globals()[f"{name}_a"]:
        step(f"{name}_a", "load", [asset(f"{name}_1")])
    globals()[f"{name}_b"] = single(f"{name}_b", schedule=[asset(f"{name}_1")])

# 6: weekdays only, at midnight in Berlin: Thursday, Friday (whose interval ends on Monday), Monday, Tuesday
with DAG(
    "s06w_a",
    schedule="0 0 * * 1-5",
    start_date=berlin(2026, 11, 5),
    end_date=berlin(2026, 11, 10),
    catchup=True,
    max_active_runs=4,
    is_paused_upon_creation=True,
) as s06w_a:
    step("s06w_a", "load", [asset("s06w_1")])
s06w_b = single("s06w_b", schedule=[asset("s06w_1")])

# 7: a retry that helps
s07_a, s07_b, s07_c = chain("s07", retries=1, retry_delay=datetime.timedelta(seconds=2))

# 9: a run that goes on beside its failed task
with DAG("s09r_a", schedule=None, start_date=START, catchup=False) as s09r_a:
    step("s09r_a", "make", [asset("s09r_1")])
    step("s09r_a", "beside")
s09r_b = single("s09r_b", schedule=[asset("s09r_1")])

# 11: the crash between the request of a backfill (3.x) or clear (2.x) and its record
with DAG(
    "s11d_a",
    schedule="@daily",
    start_date=START,
    end_date=days(1),
    catchup=True,
    max_active_runs=2,
    is_paused_upon_creation=True,
) as s11d_a:
    step("s11d_a", "load", [asset("s11d_1")])
s11d_b = single("s11d_b", schedule=[asset("s11d_1")])

# 12: two branches and their readers; a run that succeeds by its trigger rules; what is not watched
with DAG("s12_a", schedule=None, start_date=START, catchup=False) as s12_a:
    step("s12_a", "left", [asset("s12_left")])
    step("s12_a", "right", [asset("s12_right")])
s12_left = single("s12_left", schedule=[asset("s12_left")])
s12_right = single("s12_right", schedule=[asset("s12_right")])
with DAG("s12t_a", schedule=None, start_date=START, catchup=False) as s12t_a:
    step("s12t_a", "load", [asset("s12t_1")]) >> step("s12t_a", "done", trigger_rule="all_done")
s12t_b = single("s12t_b", schedule=[asset("s12t_1")])
s12m_a, s12m_b, s12m_c = chain("s12m")
s12n_a, s12n_b, s12n_c = chain("s12n")
