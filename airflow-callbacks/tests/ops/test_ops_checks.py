"""Checks, on the SQLite that Python has."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from firedamper_airflow.ops import checks, conf, database
from firedamper_airflow.ops.allow import AllowedTables
from firedamper_airflow.ops.refusal import Refused

ALLOWED = AllowedTables(["main.*"])
QUERIES = {
    "sum": "SELECT SUM(amount) FROM orders WHERE at >= :interval_start AND at < :interval_end",
    "none": "SELECT NULL",
    "two": "SELECT 1, 2",
    "text": "SELECT 'x'",
    "colon": "SELECT COUNT(*) FROM orders WHERE note <> 'x:interval_start'",
}


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    seen: list[Any] = []

    def tell(context: Any, table: Any, asked: Any, results: Any) -> bool:
        seen.append((str(table), results))
        return True

    monkeypatch.setattr(checks, "_report", tell)
    return seen


@pytest.fixture(autouse=True)
def orders(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Iterator[sqlite3.Connection]:
    path = tmp_path / "db"
    made = sqlite3.connect(path)
    made.execute("CREATE TABLE orders (id int, amount int, note text, at text)")
    now = datetime.now(timezone.utc)
    rows = [
        (1, 10, "a", now - timedelta(days=1)),
        (2, None, "a", now - timedelta(hours=2)),
        (2, 30, None, now - timedelta(hours=1)),
    ]
    made.executemany("INSERT INTO orders VALUES (?, ?, ?, ?)", [(*row[:3], row[3].strftime("%Y-%m-%d %H:%M:%S")) for row in rows])
    made.commit()
    monkeypatch.setattr(database, "connect", lambda _: database.Session(sqlite3.connect(path), "sqlite", "?"))
    yield made
    made.close()


def act(*asked: Any, **more: Any) -> dict[str, Any]:
    whole = conf.checked(conf.CHECK, {"table": "main.orders", "checks": list(asked), **more})
    return checks.check("warehouse", ALLOWED, QUERIES, True, whole, {})


def test_all_pass(told: list[Any]) -> None:
    done = act(
        {"check": "null_rate", "column": "amount", "max": 0.34},
        {"check": "duplicates", "columns": ["id", "amount"]},
        {"check": "freshness", "column": "at", "max_age_seconds": 7200},
        {"check": "row_count", "min": 3, "max": 3},
        {"check": "query", "query": "colon", "operator": "==", "value": 2},
    )
    assert done["passed"]
    assert "failed_because" not in done
    assert [one["measured"] for one in done["checks"][:2]] == [pytest.approx(1 / 3), 0]
    assert 3600 <= done["checks"][2]["measured"] < 3700
    assert told == []


def test_what_fails_is_reported_first_and_fails_the_run(told: list[Any]) -> None:
    done = act(
        {"check": "row_count", "min": 1},
        {"check": "duplicates", "columns": ["id"]},
        {"check": "null_rate", "column": "note", "max": 0},
    )
    assert not done["passed"]
    assert "2 of 3 checks failed" in done["failed_because"]
    ((table, results),) = told
    assert table == "main.orders"
    assert [(one["check"], one["passed"]) for one in results] == [("duplicates", False), ("null_rate", False), ("row_count", True)]
    assert results[0] == {"check": "duplicates", "column": "id", "measured": 1, "threshold": 0, "passed": False}


def test_an_interval_bounds_what_is_looked_at(told: list[Any]) -> None:
    now = datetime.now(timezone.utc)
    interval = {"interval_column": "at", "interval_start": (now - timedelta(hours=3)).isoformat(), "interval_end": now.isoformat()}
    done = act(
        {"check": "row_count", "min": 2, "max": 2}, {"check": "query", "query": "sum", "operator": ">=", "value": 30}, **interval
    )
    assert done["passed"]


def test_an_empty_table(orders: sqlite3.Connection, told: list[Any]) -> None:
    orders.execute("DELETE FROM orders")
    orders.commit()
    done = act(
        {"check": "null_rate", "column": "amount", "max": 0},
        {"check": "duplicates", "columns": ["id"]},
        {"check": "freshness", "column": "at", "max_age_seconds": 1},
        {"check": "query", "query": "none", "operator": "!=", "value": 0},
    )
    assert [one["passed"] for one in done["checks"]] == [True, True, False, False], "no row is not fresh, and no number is no pass"


def test_a_dry_run_shows_the_queries(told: list[Any]) -> None:
    said = act({"check": "null_rate", "column": 'a"b', "max": 0}, dry_run=True)
    assert said["would_run"] == ['SELECT COUNT(*), COUNT("a""b") FROM "main"."orders"']


@pytest.mark.parametrize(
    ("asked", "more", "why"),
    [
        ({"check": "null_rate", "max": 0}, {}, r"missing: \['column'\]"),
        ({"check": "row_count"}, {}, "needs min, max"),
        ({"check": "row_count", "min": 1, "column": "id"}, {}, r"not known: \['column'\]"),
        ({"check": "query", "query": "SELECT 1", "operator": "==", "value": 1}, {}, "there is no query"),
        ({"check": "query", "query": "sum", "operator": "==", "value": 1}, {}, "needs interval_start"),
        ({"check": "query", "query": "two", "operator": "==", "value": 1}, {}, "one row with one number"),
        ({"check": "query", "query": "text", "operator": "==", "value": 1}, {}, "a number, not str"),
        ({"check": "row_count", "min": 1}, {"table": "other.orders"}, "not among the tables"),
        ({"check": "row_count", "min": 1}, {"interval_column": "at"}, "needs interval_start"),
        ({"check": "row_count", "min": 1}, {"interval_column": "at", "interval_start": "2026-01-01"}, "no offset|date-time"),
        ({"check": "freshness", "column": "note", "max_age_seconds": 1}, {}, "is no time"),
    ],
)
def test_refused(told: list[Any], asked: Any, more: Any, why: str) -> None:
    with pytest.raises(Refused, match=why):
        act(asked, **more)
    assert told == []
