"""The DAGs of the stories about an Airflow that dies and comes back, for Airflow 2.11 and 3.3."""

import os
import sys

sys.path.insert(0, os.path.dirname(__file__))

from fd_lab import DAG, START, asset, days, single, step  # noqa: E402

# 22 and 24: two days that fail and one reader by its asset, once for each story
for prefix in ("s22h", "s22x", "s22y", "s22k", "s24e", "s24p"):
    with DAG(
        f"{prefix}_a",
        schedule="@daily",
        start_date=START,
        end_date=days(1),
        catchup=True,
        max_active_runs=2,
        is_paused_upon_creation=True,
    ) as globals()[f"{prefix}_a"]:
        step(f"{prefix}_a", "load", [asset(f"{prefix}_1")])
    globals()[f"{prefix}_b"] = single(f"{prefix}_b", schedule=[asset(f"{prefix}_1")])
# and nineteen readers that only the configuration knows
for number in range(1, 20):
    name = f"s22h_r{number:02}"
    globals()[name] = single(name)
