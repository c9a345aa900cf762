"""The hooks that Airflow calls, for every DAG. Imported only by Airflow's plugin manager.

pluggy refuses a hook that names a parameter which this version lacks, and on 2.9.3 that keeps scheduler and triggerer from starting; a
parameter with a default is never filled. So each hook whose form differs between versions is chosen when the listener is made, by
looking at Airflow's own specification, and one that this version does not have is left out.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from typing import Any

from airflow.listeners import hookimpl

from firedamper_airflow import reporter, settings
from firedamper_airflow.guard import quietly

# Where the specifications stand: 2.9-3.1, then 3.2 and later for those that the task SDK knows too.
ROOMS = ("airflow.listeners.spec", "airflow._shared.listeners.spec")


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


class FailureWithError:
    """2.10 and later: the hook is given the exception."""

    @hookimpl
    def on_task_instance_failed(self, previous_state: Any, task_instance: Any, error: Any) -> None:
        quietly(reporter.report_task, task_instance, error)


class FailureWithoutError:
    """2.9 does not hand the exception over, but it calls the hook while it handles it (2.9.3)."""

    @hookimpl
    def on_task_instance_failed(self, previous_state: Any, task_instance: Any) -> None:
        quietly(reporter.report_task, task_instance, sys.exc_info()[1])


class ImportErrors:
    """2.10 and later."""

    @hookimpl
    def on_new_dag_import_error(self, filename: Any, stacktrace: Any) -> None:
        quietly(reporter.report_import_error, filename, stacktrace)

    @hookimpl
    def on_existing_dag_import_error(self, filename: Any, stacktrace: Any) -> None:
        quietly(reporter.report_import_error, filename, stacktrace)


class Datasets:
    """2.9-2.11."""

    @hookimpl
    def on_dataset_changed(self, dataset: Any) -> None:
        quietly(reporter.report_asset, dataset)


class Assets:
    """3.0, 3.1: which run did it is not told."""

    @hookimpl
    def on_asset_changed(self, asset: Any) -> None:
        quietly(reporter.report_asset, asset)


class AssetEvents:
    """3.2 and later. Instead of ``on_asset_changed``, which is called for the same event."""

    @hookimpl
    def on_asset_event_emitted(self, asset_event: Any) -> None:
        quietly(reporter.report_asset, None, asset_event)


def takes(module: str, hook: str, parameter: str) -> bool:
    """Whether this Airflow has that hook with that parameter. No where it cannot be found out: that loads everywhere."""
    for room in ROOMS:
        try:
            specification = getattr(importlib.import_module(f"{room}.{module}"), hook)
            return parameter in inspect.signature(specification).parameters
        except (ImportError, AttributeError, ValueError, TypeError):
            continue
    return False


def make() -> Listener:
    """The listener for this Airflow and these settings."""
    parts: list[type] = [
        FailureWithError if takes("taskinstance", "on_task_instance_failed", "error") else FailureWithoutError,
    ]
    if all(takes("importerrors", "on_new_dag_import_error", name) for name in ("filename", "stacktrace")):
        parts.append(ImportErrors)
    if settings.current().send_assets:
        parts.extend(_asset_hooks())
    made: Listener = type("FiredamperListener", (Listener, *parts), {"__module__": __name__})()
    return made


def _asset_hooks() -> list[type]:
    if takes("asset", "on_asset_event_emitted", "asset_event"):
        return [AssetEvents]
    if takes("asset", "on_asset_changed", "asset"):
        return [Assets]
    return [Datasets] if takes("dataset", "on_dataset_changed", "dataset") else []
