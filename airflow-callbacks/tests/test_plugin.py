from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any, Optional

import pytest

from firedamper_airflow import links, settings
from receiver import SECRET

BASE = "https://firedamper.example/prefix"


def test_2x_gets_two_menu_entries_and_nothing_else() -> None:
    items = links.menu_items(BASE, "prod eu", "2.11.2")
    assert [(item["category"], item["href"]) for item in items] == [
        ("Firedamper", f"{BASE}/incidents"),
        ("Firedamper", f"{BASE}/report?airflow=prod%20eu"),
    ]
    assert links.external_views(BASE, "prod", "2.11.2") == []


@pytest.mark.parametrize("version", ["3.1.8", "3.2.2", "3.3.2", "3.10.0"])
def test_3_1_and_later_get_views_on_the_pages_of_dag_and_run(version: str) -> None:
    views = links.external_views(BASE, "prod", version)
    assert links.menu_items(BASE, "prod", version) == [], "they would be shown twice"
    assert {(view["destination"], view["name"], view["href"]) for view in views} == {
        ("nav", "Firedamper", f"{BASE}/incidents"),
        ("dag", "Why is this DAG paused?", f"{BASE}/dags/prod/{{DAG_ID}}"),
        ("dag", "Report an issue with this data", f"{BASE}/report?airflow=prod&dag_id={{DAG_ID}}"),
        ("dag_run", "Why is this DAG paused?", f"{BASE}/dags/prod/{{DAG_ID}}"),
        ("dag_run", "Report an issue with this data", f"{BASE}/report?airflow=prod&dag_id={{DAG_ID}}&run_id={{RUN_ID}}"),
    }
    routes = [view["url_route"] for view in views if view["destination"] != "nav"]
    assert len(set(routes)) == 4, "without a route of its own a view is not shown"


@pytest.mark.parametrize("version", ["3.0.6", "1.10.15", "", "main"])
def test_no_link_where_the_version_has_none(version: str) -> None:
    assert links.external_views(BASE, "prod", version) == links.menu_items(BASE, "prod", version) == []


@pytest.mark.parametrize(
    "base", ["", "firedamper:8470", "javascript:alert(1)", "ftp://x", "http://", "http://a b", "http://u:p@h", "http://h/{DAG_ID}"]
)
def test_no_link_without_an_address_that_is_one(base: str) -> None:
    found = links.address({"FIREDAMPER_PUBLIC_URL": base}, {}.get)
    assert found == ""
    assert links.external_views(found, "prod", "3.3.2") == links.menu_items(found, "prod", "2.11.2") == []


@pytest.mark.parametrize(
    ("environ", "config", "found"),
    [
        ({}, {}, "http://in:8470/base"),
        ({"FIREDAMPER_PUBLIC_URL": "https://out/"}, {}, "https://out"),
        ({}, {"public_url": "https://cfg"}, "https://cfg"),
        ({"FIREDAMPER_PUBLIC_URL": "https://out"}, {"public_url": "https://cfg"}, "https://out"),
    ],
)
def test_people_may_reach_it_by_another_address_than_airflow(environ: dict[str, str], config: dict[str, str], found: str) -> None:
    endpoint = settings.load({"FIREDAMPER_URL": "http://in:8470/base/"}, {}.get).endpoint
    assert links.address(environ, config.get, endpoint) == found


def load(monkeypatch: pytest.MonkeyPatch, version: str, listeners: Optional[Any] = None) -> Any:
    for name in ("airflow", "airflow.plugins_manager", "airflow.listeners", "airflow.configuration"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    sys.modules["airflow"].__version__ = version  # type: ignore[attr-defined]
    sys.modules["airflow.plugins_manager"].AirflowPlugin = object  # type: ignore[attr-defined]
    sys.modules["airflow.listeners"].hookimpl = lambda hook: hook  # type: ignore[attr-defined]
    for name in ("plugin", "listener"):
        monkeypatch.delitem(sys.modules, f"firedamper_airflow.{name}", raising=False)
    settings.forget()
    return importlib.import_module("firedamper_airflow.plugin").FiredamperPlugin


def test_the_plugin_of_an_installation_without_settings_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for version in ("2.11.2", "3.3.2"):
        plugin = load(monkeypatch, version)
        assert (plugin.listeners, plugin.appbuilder_menu_items, plugin.external_views) == ([], [], [])


def test_the_plugin_has_its_listener_and_the_links_of_its_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIREDAMPER_URL", "http://firedamper:8470")
    monkeypatch.setenv("FIREDAMPER_SECRET", SECRET)
    two, three = load(monkeypatch, "2.11.2"), load(monkeypatch, "3.3.2")
    assert [len(part) for part in (two.listeners, two.appbuilder_menu_items, two.external_views)] == [1, 2, 0]
    assert [len(part) for part in (three.listeners, three.appbuilder_menu_items, three.external_views)] == [1, 0, 5]


def test_a_web_server_without_the_secret_has_the_links_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIREDAMPER_PUBLIC_URL", BASE)
    plugin = load(monkeypatch, "3.3.2")
    assert (len(plugin.listeners), len(plugin.external_views)) == (0, 5)


def test_a_broken_airflow_does_not_keep_the_plugin_from_loading(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIREDAMPER_URL", "http://firedamper:8470")
    monkeypatch.setattr(links, "of_process", lambda: 1 / 0)
    assert load(monkeypatch, "3.3.2").external_views == []
