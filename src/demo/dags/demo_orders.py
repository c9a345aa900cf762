"""The demo: orders_raw -> asset -> orders_clean -> asset -> revenue_report, and a bystander that reads nothing of theirs.

orders_raw fails while the file "source_is_broken" lies in the folder that FIREDAMPER_LAB_FLAGS names. Every DAG writes a line per
run into the folder FIREDAMPER_LAB_RECORDS, so that the demo can show what really ran.
"""

import os
import pathlib
import time

from airflow.sdk import DAG, Asset, task

RAW = Asset("demo://warehouse/orders_raw")
CLEAN = Asset("demo://warehouse/orders_clean")


def record(dag_id: str) -> None:
    folder = os.environ.get("FIREDAMPER_LAB_RECORDS")
    if folder:
        with open(pathlib.Path(folder) / f"{dag_id}.txt", "a", encoding="utf-8") as lines:
            lines.write(f"{time.time():.3f}\n")


with DAG("orders_raw", schedule=None, catchup=False, tags=["demo"], doc_md="Loads the orders of the day."):

    @task(outlets=[RAW])
    def load_orders():
        if os.path.exists(os.path.join(os.environ.get("FIREDAMPER_LAB_FLAGS", "/nonexistent"), "source_is_broken")):
            raise RuntimeError("the source answered with 0 of 48,211 orders")
        record("orders_raw")

    load_orders()


with DAG("orders_clean", schedule=[RAW], catchup=False, tags=["demo"], doc_md="Removes duplicates and test orders."):

    @task(outlets=[CLEAN])
    def clean_orders():
        record("orders_clean")

    clean_orders()


with DAG("revenue_report", schedule=[CLEAN], catchup=False, tags=["demo", "tier:1"], doc_md="What the board reads at eight."):

    @task
    def build_report():
        record("revenue_report")

    build_report()


with DAG("weather_import", schedule=None, catchup=False, tags=["demo"], doc_md="Has nothing to do with the orders."):

    @task
    def load_weather():
        record("weather_import")

    load_weather()
