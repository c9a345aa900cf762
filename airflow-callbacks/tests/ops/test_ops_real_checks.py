# ruff: noqa: E501  SQL
"""Checks on a real PostgreSQL: types of its own, both drivers, names that look like placeholders."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from firedamper_airflow.ops import checks, conf
from firedamper_airflow.ops.allow import AllowedTables
from firedamper_airflow.ops.refusal import Refused

QUERIES = {
    "sum": 'SELECT SUM("am%sount") FROM sales.orders WHERE at >= :interval_start::timestamptz AND at < :interval_end',
    "writes": "DELETE FROM sales.orders RETURNING 1",
}


@pytest.fixture
def orders(database: Any) -> Any:
    database.run(
        """
        SET ROLE owner;
        CREATE TABLE sales.orders (id int, "am%sount" numeric, at timestamptz, day date);
        INSERT INTO sales.orders SELECT n, CASE WHEN n % 2 = 0 THEN n END, now() - n * interval '1 hour', current_date FROM generate_series(1, 10) n;
        """
    )
    return database


def act(*asked: Any, **more: Any) -> dict[str, Any]:
    whole = conf.checked(conf.CHECK, {"table": "sales.orders", "checks": list(asked), **more})
    return checks.check("warehouse", AllowedTables(["sales.*"]), QUERIES, False, whole, {})


def test_every_kind_with_an_interval(orders: Any) -> None:
    now = datetime.now(timezone.utc)
    interval = {
        "interval_column": "at",
        "interval_start": (now - timedelta(hours=4, minutes=30)).isoformat(),
        "interval_end": now.isoformat(),
    }
    done = act(
        {"check": "null_rate", "column": "am%sount", "max": 0.4},
        {"check": "duplicates", "columns": ["id", "am%sount"]},
        {"check": "freshness", "column": "at", "max_age_seconds": 7200},
        {"check": "freshness", "column": "day", "max_age_seconds": 2 * 86_400},
        {"check": "row_count", "min": 4, "max": 4},
        {"check": "query", "query": "sum", "operator": "==", "value": 6},
        **interval,
    )
    assert [one["measured"] for one in done["checks"]] == [0.5, 0, pytest.approx(3600, abs=60), done["checks"][3]["measured"], 4, 6]
    assert [one["passed"] for one in done["checks"]] == [False, True, True, True, True, True]


def test_a_check_cannot_write(orders: Any) -> None:
    with pytest.raises(Exception, match="read-only transaction"):
        act({"check": "query", "query": "writes", "operator": "==", "value": 1})
    assert orders.run("SELECT count(*) FROM sales.orders") == [(10,)]


@pytest.mark.parametrize("table", ['sales.orders"; DELETE FROM sales_orders; --', "sales.orders; DELETE", "sales.%s", "sales.'"])
def test_a_table_name_is_only_a_name(orders: Any, table: str) -> None:
    with pytest.raises(Exception, match="does not exist"):
        act({"check": "row_count", "min": 0}, table=table)
    with pytest.raises(Exception, match="does not exist"):
        act({"check": "null_rate", "column": 'id") FROM sales.orders; DELETE FROM sales.orders; --', "max": 1})
    assert orders.run("SELECT count(*) FROM sales.orders") == [(10,)]


def test_what_an_author_wrote_wrongly_is_told(orders: Any) -> None:
    with pytest.raises(Refused, match="holds int"):
        act({"check": "freshness", "column": "id", "max_age_seconds": 1})
