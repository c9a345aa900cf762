# ruff: noqa: S608  every name in the SQL goes through Session.name or Session.table, every value through the driver
"""Measures a table and compares. Reads only, and only aggregates: no row leaves the database."""

from __future__ import annotations

import math
import operator
import re
from datetime import date, datetime, timezone
from decimal import Decimal
from typing import Any, Mapping, Optional, Union

from firedamper_airflow.ops.allow import AllowedTables, TableName, check_name
from firedamper_airflow.ops.database import P, Session, transaction
from firedamper_airflow.ops.refusal import Refused
from firedamper_airflow.ops.times import instant

Number = Union[int, float]

_COMPARE = {"==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
_NEEDS = {
    "null_rate": {"column", "max"},
    "duplicates": {"columns", "max"},
    "freshness": {"column", "max_age_seconds"},
    "row_count": {"min", "max"},
    "query": {"query", "operator", "value"},
}
_OPTIONAL = {"duplicates": {"max"}, "row_count": {"min", "max"}}
# Not after a colon or a word: `::interval_start` is a cast of PostgreSQL's, 'x:interval_start' somebody's text
_BOUND = re.compile(r"(?<![:\w]):(interval_start|interval_end)\b")


class Plan:
    """One check: its query and what its one number is held against."""

    def __init__(
        self, session: Session, table: TableName, asked: Mapping[str, Any], where: Where, queries: Mapping[str, str]
    ) -> None:
        self.kind = str(asked["check"])
        self.asked = asked
        _complete(asked)
        self.column: Optional[str] = asked.get("column")
        self.values: tuple[Any, ...] = where.values
        source = session.table(table)
        if self.kind == "null_rate":
            self.sql = f"SELECT COUNT(*), COUNT({session.name(check_name(self.column, 'column'))}) FROM {source}{where.sql}"
        elif self.kind == "duplicates":
            names = ", ".join(session.name(check_name(column, "columns")) for column in asked["columns"])
            self.column = ", ".join(asked["columns"])[:255]
            inner = f"SELECT COUNT(*) AS n FROM {source}{where.sql} GROUP BY {names} HAVING COUNT(*) > 1"
            self.sql = f"SELECT COALESCE(SUM(n - 1), 0) FROM ({inner}) d"
        elif self.kind == "freshness":
            self.sql = f"SELECT MAX({session.name(check_name(self.column, 'column'))}) FROM {source}{where.sql}"
        elif self.kind == "row_count":
            self.sql = f"SELECT COUNT(*) FROM {source}{where.sql}"
        else:
            self.sql, self.values = _named(queries, str(asked["query"]), where)

    def result(self, session: Session, now: datetime) -> dict[str, Any]:
        rows = session.rows(self.sql, self.values)
        measured, threshold, passed = self._judge(rows, now)
        name = f"query {self.asked['query']}" if self.kind == "query" else self.kind
        return {"check": name, "column": self.column, "measured": measured, "threshold": threshold, "passed": passed}

    def _judge(self, rows: list[tuple[Any, ...]], now: datetime) -> tuple[Optional[Number], Union[Number, str], bool]:
        asked = self.asked
        if self.kind == "null_rate":
            total, filled = int(rows[0][0]), int(rows[0][1])
            # Of no rows none is null; that none are there is for row_count to say
            rate = (total - filled) / total if total else 0.0
            return rate, asked["max"], rate <= asked["max"]
        if self.kind == "duplicates":
            surplus, limit = int(rows[0][0]), asked.get("max", 0)
            return surplus, limit, surplus <= limit
        if self.kind == "freshness":
            age = _age(rows[0][0], now)
            return age, asked["max_age_seconds"], age is not None and age <= asked["max_age_seconds"]
        if self.kind == "row_count":
            count = int(rows[0][0])
            low, high = asked.get("min"), asked.get("max")
            words = " and ".join([*([f">= {low}"] if low is not None else []), *([f"<= {high}"] if high is not None else [])])
            return count, words, (low is None or count >= low) and (high is None or count <= high)
        value = _number(rows, str(asked["query"]))
        return (
            value,
            f"{asked['operator']} {asked['value']}",
            value is not None and bool(_COMPARE[asked["operator"]](value, asked["value"])),
        )


class Where:
    """The interval, if one was asked for: `start <= column < end`, values bound by the driver."""

    def __init__(self, session: Session, asked: Mapping[str, Any]) -> None:
        self.start, self.end = (instant(asked[name], name) for name in ("interval_start", "interval_end"))
        if self.start and self.end and self.start >= self.end:
            raise Refused("interval_start must be before interval_end")
        self.sql = ""
        self.values: tuple[Any, ...] = ()
        if asked["interval_column"] is None:
            return
        if not self.start and not self.end:
            raise Refused("interval_column needs interval_start, interval_end or both")
        column = session.name(check_name(asked["interval_column"], "interval_column"))
        parts = [*([f"{column} >= {P}"] if self.start else []), *([f"{column} < {P}"] if self.end else [])]
        self.sql = f" WHERE {' AND '.join(parts)}"
        self.values = tuple(_bindable(session, at) for at in (self.start, self.end) if at)


def check(
    conn_id: str, allowed: AllowedTables, queries: Mapping[str, str], report: bool, asked: Mapping[str, Any], context: Any
) -> dict[str, Any]:
    table, dry = TableName.parse(asked["table"]), bool(asked["dry_run"])
    allowed.check(table)
    with transaction(conn_id, read_only=True) as session:
        where = Where(session, asked)
        plans = [Plan(session, table, one, where, queries) for one in asked["checks"]]  # all of them before the first is run
        said = {"op": "check", "table": str(table), "dry_run": dry}
        if dry:
            return {**said, "would_run": [plan.sql.replace(P, "?") for plan in plans]}
        now = datetime.now(timezone.utc)
        results = [plan.result(session, now) for plan in plans]
    failed = [result for result in results if not result["passed"]]
    said = {**said, "checks": results, "passed": not failed}
    if not failed:
        return said
    if report:
        said["reported"] = _report(context, table, asked, [*failed, *(result for result in results if result["passed"])])
    words = "; ".join(f"{one['check']} {one['column'] or ''}: {one['measured']} (wanted {one['threshold']})" for one in failed)
    return {**said, "failed_because": f"{table}: {len(failed)} of {len(results)} checks failed: {words}"}


def _report(context: Any, table: TableName, asked: Mapping[str, Any], results: list[dict[str, Any]]) -> bool:
    """The run fails all the same, so that a report which does not get through is not the only word about it."""
    from firedamper_airflow.report import report

    return report(table=str(table), quality=results, interval=(asked["interval_start"], asked["interval_end"]), context=context)


def _complete(asked: Mapping[str, Any]) -> None:
    kind = str(asked["check"])
    given = asked.keys() - {"check"}
    strange, missing = given - _NEEDS[kind], _NEEDS[kind] - _OPTIONAL.get(kind, set()) - given
    if strange or missing:
        raise Refused(
            f"check {kind} takes {', '.join(sorted(_NEEDS[kind]))}; missing: {sorted(missing)}, not known: {sorted(strange)}"
        )
    if kind == "row_count" and not given:
        raise Refused("check row_count needs min, max or both")


def _named(queries: Mapping[str, str], name: str, where: Where) -> tuple[str, tuple[Any, ...]]:
    if name not in queries:
        raise Refused(f"there is no query {name!r}; the author of this DAG named: {', '.join(sorted(queries)) or 'none'}")
    values: list[Any] = []

    def bind(match: re.Match[str]) -> str:
        value = where.start if match.group(1) == "interval_start" else where.end
        if value is None:
            raise Refused(f"the query {name!r} needs {match.group(1)}")
        values.append(value)
        return P

    return _BOUND.sub(bind, queries[name]), tuple(values)


def _number(rows: list[tuple[Any, ...]], name: str) -> Optional[Number]:
    if len(rows) != 1 or len(rows[0]) != 1:
        raise Refused(f"the query {name!r} must answer one row with one number")
    value = rows[0][0]
    if value is None:
        return None
    if isinstance(value, Decimal):
        value = int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, bool):
        value = int(value)
    if not isinstance(value, (int, float)) or not math.isfinite(value):
        raise Refused(f"the query {name!r} must answer a number, not {type(value).__name__}")
    return value


def _age(newest: Any, now: datetime) -> Optional[float]:
    """Seconds since then; a time without an offset counts as UTC. None where there is no row."""
    if newest is None:
        return None
    if isinstance(newest, str):  # SQLite has no type for times
        try:
            newest = datetime.fromisoformat(newest.replace("Z", "+00:00"))
        except ValueError:
            raise Refused(f"freshness: {newest[:40]!r} is no time") from None
    elif isinstance(newest, date) and not isinstance(newest, datetime):
        newest = datetime(newest.year, newest.month, newest.day)
    if not isinstance(newest, datetime):
        raise Refused(f"freshness: the column holds {type(newest).__name__}, not times")
    if newest.tzinfo is None:
        newest = newest.replace(tzinfo=timezone.utc)
    return float(round((now - newest).total_seconds(), 3))


def _bindable(session: Session, at: datetime) -> Any:
    return at.strftime("%Y-%m-%d %H:%M:%S") if session.dialect == "sqlite" else at
