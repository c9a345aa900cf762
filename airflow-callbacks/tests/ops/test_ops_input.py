# ruff: noqa: E501  a table of cases
"""What conf may say, and what it may touch."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from firedamper_airflow.ops import conf
from firedamper_airflow.ops.allow import AllowedTables, AllowedTopics, TableName
from firedamper_airflow.ops.database import P, Session
from firedamper_airflow.ops.refusal import Refused
from firedamper_airflow.ops.times import instant

EVIL = [
    'x"; DROP TABLE y; --',
    "x`; DROP TABLE y; --",
    "x'; DROP TABLE y; --",
    "a%s",
    "a%(x)s",
    "a?b",
    ":interval_start",
    '"',
    '""',
    "\\",
]


class Cursor:
    def __init__(self) -> None:
        self.seen: list[Any] = []
        self.rowcount = 0

    def execute(self, *call: Any) -> None:
        self.seen.append(call)

    def fetchall(self) -> list[Any]:
        return []

    def close(self) -> None: ...


class Connection:
    def __init__(self) -> None:
        self.made = Cursor()

    def cursor(self) -> Cursor:
        return self.made


@pytest.mark.parametrize("name", EVIL)
def test_a_quoted_name_is_one_name_whatever_is_in_it(name: str) -> None:
    for dialect, quote in (("postgres", '"'), ("mysql", "`"), ("snowflake", '"')):
        quoted = Session(None, dialect).name(name)
        assert quoted[0] == quoted[-1] == quote
        assert quoted[1:-1].replace(quote * 2, "").count(quote) == 0


def test_names_with_percent_signs_do_not_become_placeholders() -> None:
    connection = Connection()
    session = Session(connection, "postgres")
    session.rows(f"SELECT 1 FROM {session.name('a%sb')} WHERE x = {P}", ("v",))
    session.rows(f"SELECT 1 FROM {session.name('a%sb')}")
    assert connection.made.seen == [('SELECT 1 FROM "a%%sb" WHERE x = %s', ("v",)), ('SELECT 1 FROM "a%sb"',)]
    with pytest.raises(Refused):
        session.name("a\0b")


def test_unknown_databases_are_refused() -> None:
    with pytest.raises(Refused, match="mssql"):
        Session(None, "mssql")


@pytest.mark.parametrize(
    "text", ["orders", "a.b.c", ".orders", "sales.", "", None, 3, ["a", "b"], "a.b\n", "a.b\0", "a.\u202eb", "a." + "x" * 256]
)
def test_no_table_name(text: Any) -> None:
    with pytest.raises(Refused):
        TableName.parse(text)


def test_table_globs_match_each_part_alone() -> None:
    allowed = AllowedTables(["sales.*", "stag?.ord_[ab]"])
    for good in ("sales.orders", "sales.we ird", "stage.ord_a"):
        allowed.check(TableName.parse(good))
    for bad in ("Sales.orders", "sales2.orders", "xsales.orders", "stage.ord_c"):
        with pytest.raises(Refused, match="not among"):
            allowed.check(TableName.parse(bad))


def test_a_backup_serves_its_own_table() -> None:
    backups = AllowedTables(["backup.{table}_*", "{schema}_old.{table}"], "backups")
    orders = TableName.parse("sales.orders")
    backups.check(TableName.parse("backup.orders_1"), orders)
    backups.check(TableName.parse("sales_old.orders"), orders)
    for bad in ("backup.orders", "backup.people_1", "other_old.orders"):
        with pytest.raises(Refused):
            backups.check(TableName.parse(bad), orders)
    # a table named like a glob is taken by its letters
    with pytest.raises(Refused):
        backups.check(TableName.parse("backup.people_1"), TableName.parse("sales.*"))


@pytest.mark.parametrize("patterns", [[], "sales.*", ["orders"], ["a.b.c"], [""], ["*"], [None]])
def test_lists_that_an_author_cannot_mean(patterns: Any) -> None:
    with pytest.raises(ValueError, match=r"tables|list"):
        AllowedTables(patterns)


def test_topics() -> None:
    allowed = AllowedTopics({"orders": ["orders.replay"], "click*": ["replay.*", "x"]})
    allowed.check("orders", "orders.replay")
    allowed.check("clicks_eu", "replay.clicks_eu")
    for source, target in (
        ("orders", "x"),
        ("payments", "x"),
        ("orders", "orders"),
        ("a b", "x"),
        ("orders", "../x"),
        ("", "x"),
        ("clicks", "é"),
    ):
        with pytest.raises(Refused):
            allowed.check(source, target)
    for bad in ({}, [], {"a": "b"}, {"a": []}):
        with pytest.raises(ValueError, match="topics"):
            AllowedTopics(bad)  # type: ignore[arg-type]


LOCK = {"table": "a.b"}


@pytest.mark.parametrize(
    ("schema", "given", "why"),
    [
        (conf.LOCK, None, "'table' is a required property"),
        (conf.LOCK, {**LOCK, "dryrun": False}, "dryrun"),
        (conf.LOCK, {**LOCK, "dry_run": "false"}, "dry_run: 'false' is not of type 'boolean'"),
        (conf.LOCK, {**LOCK, "dry_run": 0}, "dry_run"),
        (conf.LOCK, {**LOCK, "dry_run": None}, "dry_run"),
        (conf.LOCK, {"table": {"schema": "a"}}, "table"),
        (conf.RESTORE, {"table": "a.b"}, "backup"),
        (conf.CHECK, {"table": "a.b", "checks": []}, "checks"),
        (conf.CHECK, {"table": "a.b", "checks": [{"check": "sql", "sql": "DROP TABLE a"}]}, "checks.0"),
        (conf.REPLAY, {"topic": "a", "target": "b", "partitions": [{"partition": 0, "start_offset": -1}]}, "start_offset"),
        (conf.REPLAY, {"topic": "a", "target": "b", "partitions": [{"partition": 0, "offset": 1}]}, "partitions.0"),
    ],
)
def test_conf_that_does_not_fit(schema: Any, given: Any, why: str) -> None:
    with pytest.raises(Refused, match=why):
        conf.checked(schema, given)


def test_what_is_not_said_is_not_done() -> None:
    for schema, given in (
        (conf.LOCK, LOCK),
        (conf.RESTORE, {"table": "a.b", "backup": "a.c"}),
        (conf.REPLAY, {"topic": "a", "target": "b"}),
    ):
        assert conf.checked(schema, given)["dry_run"] is True
    assert conf.checked(conf.CHECK, {"table": "a.b", "checks": [{"check": "row_count", "min": 1}]})["dry_run"] is False


@pytest.mark.parametrize("text", ["yesterday", "2026-01-31", "2026-01-31T12:00:00", "", 5])
def test_times_without_an_offset(text: Any) -> None:
    with pytest.raises(Refused):
        instant(text, "start_time")


def test_times() -> None:
    assert instant(None, "x") is None
    assert instant("2026-01-31T12:00:00Z", "x") == instant("2026-01-31T14:00:00+02:00", "x")


def test_importing_the_package_imports_no_airflow() -> None:
    code = "import sys; import firedamper_airflow.ops; print([m for m in sys.modules if m.split('.')[0] in ('airflow', 'jsonschema', 'confluent_kafka')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONPATH": "src"})
    assert done.stdout == "[]\n"
