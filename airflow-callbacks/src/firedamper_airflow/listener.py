"""The hooks that Airflow calls, for every DAG. Imported only by Airflow's plugin manager.

pluggy refuses a hook that names a parameter which this version lacks, and on 2.9.3 that keeps scheduler and triggerer from starting; a
parameter with a default is never filled. So the hook is chosen at import, by looking at Airflow's own specification.
"""

from __future__ import annotations

import importlib
import inspect
from typing import Any

from airflow.listeners import hookimpl

from firedamper_airflow import reporter
from firedamper_airflow.guard import quietly


class Listener:
    """Never raises, never waits where waiting would stop Airflow (see ``courier``)."""

    @hookimpl
    def on_starting(self, component: Any) -> None:
        quietly(reporter.component_starts, component)

    @hookimpl
    def on_dag_run_failed(self, dag_run: Any, msg: Any) -> None:
        quietly(reporter.report_run, "run_failed", dag_run, msg)

    @hookimpl
    def on_dag_run_success(self, dag_run: Any, msg: Any) -> None:
        quietly(reporter.report_run, "run_succeeded", dag_run, msg)


class ListenerWithError(Listener):
    """Airflow 2.10 and later: the hook is given the exception."""

    @hookimpl
    def on_task_instance_failed(self, previous_state: Any, task_instance: Any, error: Any) -> None:
        quietly(reporter.report_task, task_instance, error)


class ListenerWithoutError(Listener):
    """Airflow 2.9."""

    @hookimpl
    def on_task_instance_failed(self, previous_state: Any, task_instance: Any) -> None:
        quietly(reporter.report_task, task_instance, None)


# Where the specification stands: 2.9-3.1, then 3.2 and later.
SPECIFICATIONS = ("airflow.listeners.spec.taskinstance", "airflow._shared.listeners.spec.taskinstance")


def hook_has_error() -> bool:
    """Whether this Airflow hands over the exception. No where it cannot be found out: that loads everywhere."""
    for name in SPECIFICATIONS:
        try:
            specification = importlib.import_module(name)
            return "error" in inspect.signature(specification.on_task_instance_failed).parameters
        except (ImportError, AttributeError, ValueError):
            continue
    return False


def make() -> Listener:
    return ListenerWithError() if hook_has_error() else ListenerWithoutError()
