"""The DAGs of the story about a restarted API server, for Airflow 2.11 and 3.3."""

import os
import sys

sys.path.insert(0, os.path.dirname(__file__))

from fd_lab import DAG, START, asset, days, single, step  # noqa: E402

# 22: two days that fail, one reader by its asset, and nineteen that only the configuration knows
with DAG(
    "s22_a",
    schedule="@daily",
    start_date=START,
    end_date=days(1),
    catchup=True,
    max_active_runs=2,
    is_paused_upon_creation=True,
) as s22_a:
    step("s22_a", "load", [asset("s22_1")])
s22_b = single("s22_b", schedule=[asset("s22_1")])
for number in range(1, 20):
    name = f"s22_r{number:02}"
    globals()[name] = single(name)
