"""The hooks, with real pluggy and specifications written as the versions have them. (Live Airflows are another test.)"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pluggy
import pytest

import things
from firedamper_airflow import settings
from receiver import Receiver
from test_courier import until

hookspec = pluggy.HookspecMarker("airflow")


class Spec29:
    @hookspec
    def on_task_instance_failed(self, previous_state: Any, task_instance: Any, session: Any) -> None: ...


class Spec210:
    @hookspec
    def on_task_instance_failed(self, previous_state: Any, task_instance: Any, error: Any, session: Any) -> None: ...


class Spec3:
    @hookspec
    def on_task_instance_failed(self, previous_state: Any, task_instance: Any, error: Any) -> None: ...


class SpecOther:
    @hookspec
    def on_starting(self, component: Any) -> None: ...
    @hookspec
    def on_dag_run_success(self, dag_run: Any, msg: str) -> None: ...
    @hookspec
    def on_dag_run_failed(self, dag_run: Any, msg: str) -> None: ...


VERSIONS = {
    "2.9": ("airflow.listeners.spec.taskinstance", Spec29, {"session": None}),
    "2.10-2.11": ("airflow.listeners.spec.taskinstance", Spec210, {"session": None, "error": ValueError("why")}),
    "3.0-3.1": ("airflow.listeners.spec.taskinstance", Spec3, {"error": ValueError("why")}),
    "3.2-3.3": ("airflow._shared.listeners.spec.taskinstance", Spec3, {"error": ValueError("why")}),
}


class Airflow:
    """As much of an installed Airflow as the plugin touches."""

    def __init__(self, version: str) -> None:
        self.name, self.spec, self.extra = VERSIONS[version]
        self.manager = pluggy.PluginManager("airflow")
        self.manager.add_hookspecs(self.spec)
        self.manager.add_hookspecs(SpecOther)

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        listeners, plugins, spec = ModuleType("airflow.listeners"), ModuleType("airflow.plugins_manager"), ModuleType(self.name)
        listeners.hookimpl = pluggy.HookimplMarker("airflow")  # type: ignore[attr-defined]
        listeners.__path__ = []
        plugins.AirflowPlugin = type("AirflowPlugin", (), {})  # type: ignore[attr-defined]
        spec.on_task_instance_failed = self.spec.on_task_instance_failed  # type: ignore[attr-defined]
        root = ModuleType("airflow")
        root.__path__ = []
        for module in (root, listeners, plugins, spec):
            monkeypatch.setitem(sys.modules, module.__name__, module)

    def load(self) -> list[Any]:
        """As Airflow's plugin manager does it; answers the listeners."""
        for name in ("firedamper_airflow.listener", "firedamper_airflow.plugin"):
            sys.modules.pop(name, None)
        listeners: list[Any] = importlib.import_module("firedamper_airflow.plugin").FiredamperPlugin.listeners
        for listener in listeners:
            self.manager.register(listener)
        return listeners


@pytest.fixture(params=list(VERSIONS))
def airflow(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Airflow]:
    airflow = Airflow(request.param)
    airflow.install(monkeypatch)
    yield airflow
    for name in ("firedamper_airflow.listener", "firedamper_airflow.plugin"):
        sys.modules.pop(name, None)


def test_hooks_load_and_report_on_every_version(configured: Receiver, airflow: Airflow) -> None:
    assert len(airflow.load()) == 1
    airflow.manager.hook.on_task_instance_failed(previous_state="running", task_instance=things.ti(), **airflow.extra)
    airflow.manager.hook.on_dag_run_failed(dag_run=things.run(state="failed"), msg="task_failure")
    assert until(lambda: len(configured.events) == 2)
    task, run = sorted(configured.events, key=lambda event: event["task_id"] or "~")
    assert (task["kind"], run["kind"], run["reason"]) == ("task_failed", "run_failed", "task_failure")
    assert (task["exception"] is not None) == ("error" in airflow.extra)


def test_no_hook_raises_whatever_it_is_given(configured: Receiver, airflow: Airflow) -> None:
    airflow.load()
    for thing in (None, 7, object(), things.Unprintable()):
        airflow.manager.hook.on_task_instance_failed(previous_state=thing, task_instance=thing, **airflow.extra)
        airflow.manager.hook.on_dag_run_failed(dag_run=thing, msg=thing)
        airflow.manager.hook.on_dag_run_success(dag_run=thing, msg=thing)
        airflow.manager.hook.on_starting(component=thing)
    assert configured.requests == []


def test_without_settings_no_listener_is_registered(airflow: Airflow) -> None:
    assert airflow.load() == []


def test_the_listener_can_be_switched_off(configured: Receiver, airflow: Airflow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIREDAMPER_LISTENER", "off")
    settings.forget()
    assert airflow.load() == []


def test_a_broken_installation_loads_as_an_empty_plugin(
    configured: Receiver, airflow: Airflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise RuntimeError("no settings to be had")

    monkeypatch.setattr(settings, "current", broken)
    assert airflow.load() == []
