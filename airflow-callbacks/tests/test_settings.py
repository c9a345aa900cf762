from __future__ import annotations

import logging
from pathlib import Path
from typing import Optional

import pytest

from firedamper_airflow import settings
from receiver import SECRET

GOOD = {"FIREDAMPER_URL": "https://firedamper.example/base/", "FIREDAMPER_SECRET": SECRET, "FIREDAMPER_AIRFLOW": "prod eu"}


def load(environ: dict[str, str], config: Optional[dict[str, str]] = None) -> settings.Settings:
    return settings.load(environ, (config or {}).get)


def test_endpoint_keeps_a_prefix_and_escapes_the_id() -> None:
    found = load(GOOD)
    assert found.ready
    assert found.endpoint == "https://firedamper.example/base/v1/callbacks/airflow/prod%20eu"
    assert load({**GOOD, "FIREDAMPER_AIRFLOW": "../x"}).endpoint.endswith("/airflow/..%2Fx")


def test_airflow_cfg_is_read_and_the_environment_wins() -> None:
    config = {"url": "http://from-cfg:8470", "secret": SECRET, "airflow": "cfg", "timeout": "1.5"}
    assert load({}, config).endpoint == "http://from-cfg:8470/v1/callbacks/airflow/cfg"
    assert load({}, config).timeout == 1.5
    assert load({"FIREDAMPER_URL": "http://env:1"}, config).endpoint == "http://env:1/v1/callbacks/airflow/cfg"


@pytest.mark.parametrize(
    ("over", "why"),
    [
        ({"FIREDAMPER_URL": ""}, "set FIREDAMPER_URL"),
        ({"FIREDAMPER_SECRET": ""}, "set FIREDAMPER_SECRET"),
        ({"FIREDAMPER_SECRET": "plain"}, "FIREDAMPER_SECRET cannot be used"),
        ({"FIREDAMPER_URL": "firedamper:8470"}, "no plain http or https address"),
        ({"FIREDAMPER_URL": "ftp://firedamper"}, "no plain http or https address"),
        ({"FIREDAMPER_URL": "http://user:pw@firedamper"}, "no plain http or https address"),
        ({"FIREDAMPER_URL": "http://firedamper:99999"}, "no plain http or https address"),
        ({"FIREDAMPER_URL": "http://[::1"}, "no plain http or https address"),
        ({"FIREDAMPER_PROXY": "proxy:3128"}, "FIREDAMPER_PROXY is no address of a proxy"),
        ({"FIREDAMPER_PROXY": "https://proxy:3128"}, "FIREDAMPER_PROXY is no address of a proxy"),
        ({"FIREDAMPER_PROXY": "http://user:secret@proxy:3128/path"}, "FIREDAMPER_PROXY is no address of a proxy"),
        ({"FIREDAMPER_PROXY": "http://[::1"}, "FIREDAMPER_PROXY is no address of a proxy"),
    ],
)
def test_what_is_missing_or_wrong_is_named(over: dict[str, str], why: str) -> None:
    found = load({**GOOD, **over})
    assert not found.ready
    assert why in "; ".join(found.problems)


def test_warning_comes_once_and_says_everything(caplog: pytest.LogCaptureFixture) -> None:
    found = load({})
    with caplog.at_level(logging.WARNING):
        settings.warn_once(found)
        settings.warn_once(found)
    assert len(caplog.records) == 1
    assert "FIREDAMPER_URL" in caplog.text
    assert "FIREDAMPER_SECRET" in caplog.text


@pytest.mark.parametrize(
    ("text", "seconds"), [("", 3.0), ("0.5", 0.5), ("60", 3.0), ("0", 3.0), ("soon", 3.0), ("nan", 3.0), ("-1", 3.0)]
)
def test_timeout_is_never_above_the_promise(text: str, seconds: float) -> None:
    assert load({**GOOD, "FIREDAMPER_TIMEOUT": text}).timeout == seconds


def test_patterns() -> None:
    found = load({**GOOD, "FIREDAMPER_DAGS": "orders_*, billing", "FIREDAMPER_IGNORE_DAGS": "*_sandbox"})
    assert [dag for dag in ("orders_etl", "billing", "orders_sandbox", "other", "Orders_etl") if found.watches(dag)] == [
        "orders_etl",
        "billing",
    ]
    assert load(GOOD).watches("anything")


def test_tags_exclude_only_where_they_are_known() -> None:
    found = load({**GOOD, "FIREDAMPER_TAGS": "tier:*", "FIREDAMPER_IGNORE_TAGS": "sandbox"})
    assert found.watches("a", ["tier:1", "x"])
    assert not found.watches("a", ["x"])
    assert not found.watches("a", [])
    assert not found.watches("a", ["tier:1", "sandbox"])
    assert found.watches("a", None), "a failure that was never told is worse than one too many"
    both = load({**GOOD, "FIREDAMPER_DAGS": "a*", "FIREDAMPER_TAGS": "tier:1"})
    assert [both.watches(dag, tags) for dag, tags in (("a", ["tier:1"]), ("b", ["tier:1"]), ("a", ["x"]), ("b", None))] == [
        True,
        False,
        False,
        False,
    ]
    assert both.watches(None, None), "an import error or an asset without a run is nobody's"


def test_the_account_at_the_proxy_is_not_printed() -> None:
    found = load({**GOOD, "FIREDAMPER_PROXY": "http://user:hunter2@proxy:3128/"})
    assert (found.ready, found.proxy) == (True, "http://user:hunter2@proxy:3128")
    assert "hunter2" not in repr(found)
    assert "hunter2" not in str(load({**GOOD, "FIREDAMPER_PROXY": "http://user:hunter2@proxy:3128/x"}).problems)


def test_a_connection_comes_last() -> None:
    told = {"url": "http://conn:1", "secret": SECRET, "airflow": "conn", "timeout": "1"}
    found = settings.load({"FIREDAMPER_AIRFLOW": "env"}, {"timeout": "2"}.get, told)
    assert (found.ready, found.endpoint, found.timeout) == (True, "http://conn:1/v1/callbacks/airflow/env", 2.0)


def test_the_key_is_not_printed() -> None:
    assert SECRET.split("_")[1] not in repr(load(GOOD))
    assert "thirty-two" not in repr(load(GOOD))


def test_spool_lies_below_airflow_home_where_it_can_be_written(tmp_path: Path) -> None:
    assert load({**GOOD, "AIRFLOW_HOME": str(tmp_path)}).spool_dir == str(tmp_path / "firedamper-spool")
    assert load({**GOOD, "AIRFLOW_HOME": str(tmp_path / "missing")}).spool_dir.startswith("/")
    assert load({**GOOD, "FIREDAMPER_SPOOL_DIR": "/elsewhere"}).spool_dir == "/elsewhere"
