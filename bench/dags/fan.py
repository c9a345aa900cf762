"""One DAG that always fails and twenty that read its asset; once for callbacks, once for the poll alone."""

from airflow.sdk import DAG, Asset, task

READERS = 20

for name in ("on", "off"):
    asset = Asset(f"bench://fan_{name}")
    with DAG(f"fan_{name}", schedule=None, catchup=False) as source:

        @task(outlets=[asset])
        def make():
            raise RuntimeError("always")

        make()
    globals()[f"fan_{name}"] = source
    for number in range(READERS):
        with DAG(f"fan_{name}_reader_{number:02}", schedule=[asset], catchup=False) as reader:

            @task
            def read():
                return None

            read()
        globals()[f"reader_{name}_{number}"] = reader
