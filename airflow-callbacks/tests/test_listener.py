"""The hooks, with real pluggy and specifications written as the versions have them. (Live Airflows are another test.)"""

from __future__ import annotations

import importlib
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pluggy
import pytest

import things
from firedamper_airflow import sender, settings
from receiver import Receiver
from test_courier import until
from test_events import valid
from test_sender import waiting

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


class SpecImportErrors:
    @hookspec
    def on_new_dag_import_error(self, filename: Any, stacktrace: Any) -> None: ...
    @hookspec
    def on_existing_dag_import_error(self, filename: Any, stacktrace: Any) -> None: ...


class SpecDatasets:
    @hookspec
    def on_dataset_changed(self, dataset: Any) -> None: ...


class SpecAssets:
    @hookspec
    def on_asset_changed(self, asset: Any) -> None: ...


class SpecAssetEvents(SpecAssets):
    @hookspec
    def on_asset_event_emitted(self, asset_event: Any) -> None: ...


OLD, NEW = "airflow.listeners.spec", "airflow._shared.listeners.spec"
WHY = {"error": ValueError("why")}
# version -> where its specifications stand, and what else its failure hook is given; as read in 2.9.3, 2.10.5, 2.11.2, 3.0.6, 3.1.8,
# 3.2.2 and 3.3.2
VERSIONS: dict[str, tuple[dict[str, type], dict[str, Any]]] = {
    "2.9.3": ({f"{OLD}.taskinstance": Spec29, f"{OLD}.dataset": SpecDatasets}, {"session": None}),
    "2.11.2": (
        {f"{OLD}.taskinstance": Spec210, f"{OLD}.importerrors": SpecImportErrors, f"{OLD}.dataset": SpecDatasets},
        {"session": None, **WHY},
    ),
    "3.1.8": ({f"{OLD}.taskinstance": Spec3, f"{OLD}.importerrors": SpecImportErrors, f"{OLD}.asset": SpecAssets}, WHY),
    "3.3.2": ({f"{NEW}.taskinstance": Spec3, f"{OLD}.importerrors": SpecImportErrors, f"{OLD}.asset": SpecAssetEvents}, WHY),
}


class Airflow:
    """As much of an installed Airflow as the plugin touches."""

    def __init__(self, version: str) -> None:
        self.version = version
        self.specs, self.extra = VERSIONS[version]
        self.manager = pluggy.PluginManager("airflow")
        for spec in (*self.specs.values(), SpecOther):
            self.manager.add_hookspecs(spec)

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        listeners, plugins = ModuleType("airflow.listeners"), ModuleType("airflow.plugins_manager")
        listeners.hookimpl = pluggy.HookimplMarker("airflow")  # type: ignore[attr-defined]
        listeners.__path__ = []
        plugins.AirflowPlugin = type("AirflowPlugin", (), {})  # type: ignore[attr-defined]
        root = ModuleType("airflow")
        root.__path__ = []
        root.__version__ = self.version  # type: ignore[attr-defined]
        modules = [root, listeners, plugins]
        for name, spec in self.specs.items():
            module = ModuleType(name)
            for hook in [hook for hook in dir(spec) if hook.startswith("on_")]:
                setattr(module, hook, getattr(spec, hook))
            modules.append(module)
        for module in modules:
            monkeypatch.setitem(sys.modules, module.__name__, module)

    def load(self) -> list[Any]:
        """As Airflow's plugin manager does it, which refuses what its specifications do not know; answers the listeners."""
        for name in ("firedamper_airflow.listener", "firedamper_airflow.plugin"):
            sys.modules.pop(name, None)
        listeners: list[Any] = importlib.import_module("firedamper_airflow.plugin").FiredamperPlugin.listeners
        for listener in listeners:
            self.manager.register(listener)
        self.manager.check_pending()
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


class AirflowFailException(Exception):
    """Its name is all that is looked at."""


@pytest.mark.parametrize(("error", "kind"), [(ValueError("why"), "task_retry"), (AirflowFailException("why"), "task_failed")])
def test_in_2_9_the_exception_is_the_one_being_handled(
    configured: Receiver, monkeypatch: pytest.MonkeyPatch, error: Exception, kind: str
) -> None:
    airflow = Airflow("2.9.3")
    airflow.install(monkeypatch)
    airflow.load()
    try:
        raise error
    except Exception:
        # The state is still "running", and there is a retry left.
        task = things.ti(state="running", try_number=1, max_tries=2)
        airflow.manager.hook.on_task_instance_failed(previous_state="running", task_instance=task, session=None)
    assert until(lambda: len(configured.events) == 1)
    (event,) = configured.events
    assert (event["kind"], event["exception"]["message"]) == (kind, "why")


def test_no_hook_raises_whatever_it_is_given(configured: Receiver, airflow: Airflow) -> None:
    airflow.load()
    for thing in (None, 7, object(), things.Unprintable()):
        airflow.manager.hook.on_task_instance_failed(previous_state=thing, task_instance=thing, **airflow.extra)
        airflow.manager.hook.on_dag_run_failed(dag_run=thing, msg=thing)
        airflow.manager.hook.on_dag_run_success(dag_run=thing, msg=thing)
        airflow.manager.hook.on_starting(component=thing)
    assert configured.requests == []


def hooks(listener: Any) -> set[str]:
    return {name for name in dir(listener) if name.startswith("on_")}


ALWAYS = {"on_starting", "on_dag_run_failed", "on_dag_run_success", "on_task_instance_failed"}
IMPORTS = {"on_new_dag_import_error", "on_existing_dag_import_error"}


@pytest.mark.parametrize(
    ("version", "plain", "assets"),
    [
        ("2.9.3", ALWAYS, {"on_dataset_changed"}),
        ("2.11.2", ALWAYS | IMPORTS, {"on_dataset_changed"}),
        ("3.1.8", ALWAYS | IMPORTS, {"on_asset_changed"}),
        ("3.3.2", ALWAYS | IMPORTS, {"on_asset_event_emitted"}),
    ],
)
def test_only_hooks_that_the_version_has_and_assets_only_when_asked_for(
    configured: Receiver, monkeypatch: pytest.MonkeyPatch, version: str, plain: set[str], assets: set[str]
) -> None:
    airflow = Airflow(version)
    airflow.install(monkeypatch)
    assert hooks(airflow.load()[0]) == plain
    monkeypatch.setenv("FIREDAMPER_SEND_ASSETS", "on")
    settings.forget()
    again = Airflow(version)
    again.install(monkeypatch)
    assert hooks(again.load()[0]) == plain | assets


BROKEN = (
    "Traceback (most recent call last):\n" + '  File "x.py", line 1\n' * 2000 + "ModuleNotFoundError: No module named 'größe'\n"
)


@pytest.mark.parametrize("version", ["2.11.2", "3.3.2"])
def test_an_import_error_is_told_once_however_often_airflow_parses_the_file(
    configured: Receiver, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, version: str
) -> None:
    airflow = Airflow(version)
    airflow.install(monkeypatch)
    airflow.load()
    file = tmp_path / "größe.py"
    file.write_text("import größe")
    threads: list[str] = []
    start = threading.Thread.start
    monkeypatch.setattr(threading.Thread, "start", lambda thread: (threads.append(thread.name), start(thread)))
    airflow.manager.hook.on_new_dag_import_error(filename=str(file), stacktrace=BROKEN)
    for _ in range(3):
        if version == "2.11.2":
            sender._senders.clear()  # each parse is another process there
        airflow.manager.hook.on_existing_dag_import_error(filename=str(file), stacktrace=BROKEN)
    assert until(lambda: len(configured.events) == 1)
    assert threads.count("firedamper-courier") == (0 if version == "2.11.2" else 1), "nothing is started for what is known"
    (event,) = [valid(event) for event in configured.events]
    assert (event["kind"], event["file"], event["dag_id"]) == ("import_error", str(file), None)
    assert event["exception"]["message"].endswith("No module named 'größe'\n")
    assert len(event["exception"]["message"].encode()) <= 8 * 1024
    # Somebody changed the file, and it is as broken as before.
    os.utime(file, (1, 1))
    sender._senders.clear()
    airflow.manager.hook.on_existing_dag_import_error(filename=str(file), stacktrace=BROKEN)
    assert until(lambda: len(configured.events) == 2)
    assert configured.events[0]["event_id"] != configured.events[1]["event_id"]
    assert "event_id_of" not in configured.events[0]


def test_an_import_error_that_could_not_be_sent_is_not_tried_at_each_parse(
    configured: Receiver, monkeypatch: pytest.MonkeyPatch, spool_dir: Path
) -> None:
    airflow = Airflow("2.11.2")
    airflow.install(monkeypatch)
    airflow.load()
    configured.mode = 503
    for _ in range(3):
        sender._senders.clear()
        airflow.manager.hook.on_existing_dag_import_error(filename="gone.py", stacktrace="x")
    assert (len(configured.requests), len(waiting(spool_dir))) == (1, 1)


def test_datasets_and_assets_name_the_run_where_it_is_known(configured: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIREDAMPER_SEND_ASSETS", "on")
    named = SimpleNamespace(name="orders", uri="s3://orders")
    event = SimpleNamespace(asset=named, source_dag_id="d", source_run_id="r", source_task_id="t", source_map_index=2)
    told = []
    for version, hook, given in (
        ("2.11.2", "on_dataset_changed", {"dataset": SimpleNamespace(uri="s3://orders")}),
        ("3.1.8", "on_asset_changed", {"asset": named}),
        ("3.3.2", "on_asset_event_emitted", {"asset_event": event}),
    ):
        settings.forget()
        airflow = Airflow(version)
        airflow.install(monkeypatch)
        airflow.load()
        with monkeypatch.context() as patch:
            if version == "2.11.2":
                patch.setenv("AIRFLOW_CTX_DAG_ID", "d")
                patch.setenv("AIRFLOW_CTX_DAG_RUN_ID", "r")
                patch.setenv("AIRFLOW_CTX_TASK_ID", "t")
            getattr(airflow.manager.hook, hook)(**given)
        told.append(len(configured.events))
        assert until(lambda: len(configured.events) == len(told))
    assert told[0] == 1, "in a task the sending is done when the hook returns"
    assert [(one["dag_id"], one["run_id"], one["map_index"], one["asset"]) for one in map(valid, configured.events)] == [
        ("d", "r", -1, {"name": None, "uri": "s3://orders"}),
        (None, None, -1, {"name": "orders", "uri": "s3://orders"}),
        ("d", "r", 2, {"name": "orders", "uri": "s3://orders"}),
    ]


def test_new_hooks_raise_nothing_either(configured: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIREDAMPER_SEND_ASSETS", "on")
    for version in VERSIONS:
        airflow = Airflow(version)
        airflow.install(monkeypatch)
        airflow.load()
        for thing in (None, 7, object(), things.Unprintable(), things.Hostile()):
            for name, arguments in (
                ("on_new_dag_import_error", ("filename", "stacktrace")),
                ("on_existing_dag_import_error", ("filename", "stacktrace")),
                ("on_dataset_changed", ("dataset",)),
                ("on_asset_changed", ("asset",)),
                ("on_asset_event_emitted", ("asset_event",)),
            ):
                getattr(airflow.manager.hook, name, lambda **_: None)(**dict.fromkeys(arguments, thing))


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
