"""Runs inside an Airflow's Python: what the package costs there. One JSON object on standard output.

    package.py import REPEATS        imports, each in a child that has Airflow but has never seen the package, as a DAG file is parsed
    package.py callback REPEATS      task callbacks, each in a child of its own, as a task process makes one and ends

Each child is forked from one process that has imported Airflow: the DAG processor and the executors do the same.
"""

import json
import os
import sys
import time


def in_child(act):
    """What ``act`` answers in a forked child."""
    readable, writable = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(readable)
        try:
            answer = act()
        except BaseException as error:
            answer = {"error": repr(error)}
        os.write(writable, json.dumps(answer).encode())
        os._exit(0)
    os.close(writable)
    with os.fdopen(readable, "rb") as told:
        answer = json.loads(told.read())
    os.waitpid(pid, 0)
    return answer


def names(*wanted):
    def act():
        # Airflow 3 has asked the package for its provider metadata by now; a DAG file shall find it new.
        for name in [name for name in sys.modules if name.partition(".")[0] == "firedamper_airflow"]:
            del sys.modules[name]
        before = set(sys.modules)
        began, worked = time.perf_counter(), time.process_time()
        package = __import__("firedamper_airflow", fromlist=list(wanted))
        for name in wanted:
            getattr(package, name)
        took, worked = time.perf_counter() - began, time.process_time() - worked
        added = sorted({name.partition(".")[0] for name in set(sys.modules) - before})
        own = {"firedamper_airflow", "airflow"}
        return {"ms": took * 1000, "cpu": worked * 1000, "foreign": [name for name in added if name not in own and name not in sys.stdlib_module_names]}

    return act


def imports(repeats):
    found = {}
    for title, wanted in {
        "callbacks and report": ("on_failure_callback", "on_retry_callback", "report"),
        "the notifier too": ("on_failure_callback", "FiredamperNotifier"),
        "the gate too": ("on_failure_callback", "FiredamperGate"),
    }.items():
        in_child(names(*wanted))  # writes the byte code
        found[title] = [in_child(names(*wanted)) for _ in range(repeats)]
    return found


def context(number):
    from types import SimpleNamespace as Thing

    run = Thing(dag_id="cost", run_id=f"run{number}", run_type="manual", state="running", logical_date=None, start_date=None)
    dag = Thing(dag_id="cost", tags=["bench"])
    facts = {"dag_id": "cost", "run_id": run.run_id, "task_id": "work", "map_index": -1, "try_number": 1, "max_tries": 0, "state": "failed"}
    task = Thing(task_id="work", task_type="PythonOperator", dag=dag)
    return {"dag": dag, "dag_run": run, "run_id": run.run_id, "ti": Thing(**facts, task=task, dag_run=run), "exception": ValueError("x" * 2000)}


def callbacks(repeats):
    import firedamper_airflow  # parsing the DAG file has done this before any task runs

    def one(number):
        def act():
            given = context(number)
            began, worked = time.perf_counter(), time.process_time()
            firedamper_airflow.on_failure_callback(given)
            return {"ms": (time.perf_counter() - began) * 1000, "cpu": (time.process_time() - worked) * 1000}

        return act

    return {"callback": [in_child(one(number)) for number in range(repeats)]}


try:
    import airflow.sdk  # noqa: F401
except ImportError:
    from airflow import DAG  # noqa: F401
import airflow.configuration  # noqa: F401

print(json.dumps({"import": imports, "callback": callbacks}[sys.argv[1]](int(sys.argv[2]))))
