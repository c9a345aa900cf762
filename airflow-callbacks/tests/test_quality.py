"""Check operators in the shapes of common.sql 1.14.2, 1.33.0 and 2.1.1 (their attributes, their words), and what people hand over."""

from __future__ import annotations

import datetime
import json
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

import things
from firedamper_airflow import events, quality
from test_events import from_context, valid


class Airflow(Exception):
    """Stands in for AirflowException."""


def columns(**over: Any) -> SimpleNamespace:
    mapping = {
        "customer": {"null_check": {"equal_to": 0, "result": 31, "success": False}, "unique_check": {"equal_to": 0}},
        "amount": {
            "min": {"geq_to": 0, "less_than": 10, "tolerance": 0.1, "result": Decimal("-4.5"), "success": False},
            "max": {"leq_to": 99, "result": 7, "success": True},
        },
    }
    return SimpleNamespace(**{"table": "orders", "sql": "SELECT ...", "column_mapping": mapping, **over})


def tables(**over: Any) -> SimpleNamespace:
    checks = {
        "some": {"check_statement": "COUNT(*) > 0", "result": "1", "success": True},
        "many": {"check_statement": "COUNT(*) > 100", "result": "0", "success": False},
    }
    return SimpleNamespace(**{"table": "orders", "sql": "SELECT ...", "checks": checks, **over})


TOLD = Airflow("Test failed.\nResults:\n[...]")


def checks_of(task: Any, error: Any) -> list[tuple[Any, ...]]:
    found = quality.of_operator(task, error)
    assert found is not None
    return [tuple(check[name] for name in ("check", "column", "measured", "threshold", "passed")) for check in found["checks"]]


def test_columns_failed_ones_first_and_what_was_not_looked_at_left_out() -> None:
    assert checks_of(columns(), TOLD) == [
        ("null_check", "customer", 31, "= 0", False),
        ("min", "amount", -4.5, ">= 0 and < 10 (tolerance 0.1)", False),
        ("max", "amount", 7, "<= 99", True),
    ]


def test_tables() -> None:
    assert checks_of(tables(), TOLD) == [("many", None, 0, "COUNT(*) > 100", False), ("some", None, 1, "COUNT(*) > 0", True)]
    old = tables(checks={"many": {"check_statement": "COUNT(*) > 100", "success": False}})
    assert checks_of(old, TOLD) == [("many", None, None, "COUNT(*) > 100", False)]
    told = Airflow("Test failed.\nQuery:\nq\nResults:\n[('some', 1), ('many', 0)]\nThe following tests have failed: ...")
    assert checks_of(old, told) == [("many", None, 0, "COUNT(*) > 100", False)]


@pytest.mark.parametrize("make", [columns, tables])
def test_an_empty_table_is_a_finding(make: Any) -> None:
    error = Airflow("The following query returned zero rows: SELECT ...")
    empty = make(column_mapping={"id": {"min": {"geq_to": 0}}}) if make is columns else make(checks={"a": {"check_statement": "x"}})
    assert checks_of(empty, error) == [("row_count", None, 0, "> 0", False)]


def value(**over: Any) -> SimpleNamespace:
    return SimpleNamespace(**{"sql": "SELECT COUNT(*) FROM dwh.orders", "pass_value": "42", "tol": None, **over})


@pytest.mark.parametrize(
    ("task", "words", "expected"),
    [
        (value(), "Test failed.\nPass value:42.0\nTolerance:None\nQuery:\nq\nResults:\n(41,)", (41, "= 42")),
        (
            value(tol=0.1),
            "Test failed.\nPass value:42.0\nTolerance:10.0%\nQuery:\nq\nResults:\n(3.5,)",
            (3.5, ">= 37.8 and <= 46.2"),
        ),
        (value(pass_value="yes", tol=0.1), "Test failed.\nResults:\n('no',)", ("'no'", "= yes")),
        (value(), "Converting a result to float failed.\nTest failed.\nResults:\n(None,)", ("None", "= 42")),
        (value(), "The following query returned zero rows: q", ("no rows", "= 42")),
        (value(), "Test failed.\nResults:\n(1, 2)", ("(1, 2)", "= 42")),
    ],
)
def test_values(task: Any, words: str, expected: tuple[Any, Any]) -> None:
    assert checks_of(task, Airflow(words)) == [("value_check", None, *expected, False)]
    found = quality.of_operator(task, Airflow(words))
    assert found is not None
    assert found["table"] == "dwh.orders"


def test_thresholds() -> None:
    task = SimpleNamespace(sql="SELECT 7", min_threshold="SELECT 10", max_threshold=20)
    words = 'Threshold Check: "t" failed.\nDAG: d\nTask_id: t\nSQL: q\nResult: 7.0 is not within thresholds 10 and 20.0'
    assert checks_of(task, Airflow(words)) == [("threshold_check", None, 7.0, ">= 10 and <= 20.0", False)]
    words = words.replace("7.0", "<None>")
    assert checks_of(task, Airflow(words))[0][2] == "<None>"


METRICS = {"COUNT(*)": 1.1, "SUM(amount)": 1.2, "MIN(id)": 3}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (
            "The following tests have failed:\n COUNT(*), SUM(amount)",  # 1.14.2
            [("COUNT(*)", None, None, "ratio < 1.1", False), ("SUM(amount)", None, None, "ratio < 1.2", False)],
        ),
        (
            "The following tests have failed:\n COUNT(*): {'metric': 'COUNT(*)', 'current_metric': 1, 'past_metric': Decimal('3'), "
            "'threshold': 1.1, 'ignore_zero': False, 'ratio': 3.0, 'success': False}",  # 1.33.0
            [("COUNT(*)", None, 3.0, "ratio < 1.1", False)],
        ),
    ],
)
def test_intervals(words: str, expected: Any) -> None:
    task = SimpleNamespace(sql=["a", "b"], table="orders", metrics_thresholds=METRICS)
    assert checks_of(task, Airflow(words)) == expected


def result(**over: Any) -> SimpleNamespace:
    facts = {"name": "interval_x", "check_type": "accepted_range", "success": False, "severity": "error", "column": None}
    return SimpleNamespace(**{**facts, "table": "orders", "expected": "< 1.1", "actual": "3.0", **over})


def test_results_that_are_kept_for_listeners_are_preferred_where_the_operator_keeps_nothing_else() -> None:
    kept = [result(success=True, name="a"), result(), result(name="w", severity="warn")]
    task = SimpleNamespace(sql=["a"], table="orders", metrics_thresholds=METRICS, check_results=kept)
    assert checks_of(task, Airflow("The following tests have failed:\n ...")) == [
        ("x", None, 3.0, "ratio < 1.1", False),
        ("a", None, 3.0, "ratio < 1.1", True),
    ]
    # An operator of somebody's that fails in words of its own.
    assert checks_of(SimpleNamespace(sql="q", check_results=[result()]), Airflow("Nope")) == [
        ("interval_x", None, 3.0, "< 1.1", False)
    ]


def test_the_plainest() -> None:
    task = SimpleNamespace(sql="SELECT COUNT(*) > 0, 1 FROM `dwh`.\"orders\" -- from elsewhere\n WHERE x = 'from here'")
    found = quality.of_operator(task, Airflow("Test failed.\nQuery:\nq\nResults:\n(0, 1)"))
    assert found is not None
    assert found["table"] == "dwh.orders"
    assert checks_of(task, Airflow("Test failed.\nQuery:\nq\nResults:\n(0,)")) == [
        ("sql_check", None, 0, "every value true", False)
    ]


@pytest.mark.parametrize(
    ("sql", "table"),
    [
        ("SELECT 1 FROM a JOIN b ON true", None),
        ("WITH x AS (SELECT 1 FROM a) SELECT * FROM x", "a"),
        ("SELECT 1", None),
        ("select 1 from a, (select 2 from a) y", "a"),
    ],
)
def test_a_table_is_named_only_where_there_is_one(sql: str, table: Any) -> None:
    found = quality.of_operator(SimpleNamespace(sql=sql), Airflow("Test failed.\nQuery:"))
    assert found is not None
    assert found["table"] == table


@pytest.mark.parametrize(
    ("task", "error"),
    [
        (columns(column_mapping={"id": {"min": {"geq_to": 0}}}), Airflow("connection refused")),
        (tables(checks={"a": {"check_statement": "x"}}), None),
        (SimpleNamespace(sql="SELECT 1"), ValueError("no such table")),
        (SimpleNamespace(sql="q", follow_task_ids_if_true=["a"]), Airflow("Test failed.")),
        (things.task(), Airflow("Test failed.")),
        (None, TOLD),
        (SimpleNamespace(sql="SELECT 1"), things.Unprintable()),
    ],
)
def test_what_is_no_statement_about_the_data_is_a_plain_failure(task: Any, error: Any) -> None:
    assert quality.of_operator(task, error) is None


class Hostile:
    sql = None

    def __init__(self) -> None:
        odd = things.Unprintable()
        self.column_mapping = {1: {odd: {"success": False, "result": odd, "equal_to": odd}}}

    @property
    def table(self) -> str:
        raise RuntimeError


def test_an_operator_that_cannot_be_read_makes_an_event_all_the_same() -> None:
    ti = things.ti(task=Hostile())
    event = valid(events.from_task_instance(ti, TOLD, careful=False))
    assert event["quality"]["checks"][0]["measured"] == "<unprintable Unprintable>"


def test_listener_and_callback_say_quality_and_the_author_has_the_last_word() -> None:
    ti = things.ti(task=columns())
    for event in (events.from_task_instance(ti, TOLD, careful=False), from_context(ti=ti, exception=TOLD)):
        assert (event["incident_type"], event["quality"]["table"]) == ("quality_degradation", "orders")
    told = events.from_context("task_failed", things.context(ti=ti, exception=TOLD), {"incident_type": "data_loss"})
    assert told is not None
    assert told["incident_type"] == "data_loss"
    assert from_context()["quality"] is None


def test_many_checks_and_many_columns_are_cut_to_what_the_schema_allows() -> None:
    many = {f"c{number}": {"min": {"geq_to": 0, "result": number, "success": number < 150}} for number in range(400)}
    event = valid(events.from_task_instance(things.ti(task=columns(column_mapping=many)), TOLD, careful=False))
    assert len(event["quality"]["checks"]) == 100
    assert not any(check["passed"] for check in event["quality"]["checks"])
    change = quality.schema_change_of(
        "t" * 9000, [f"c{n}" for n in range(500)], [], {f"c{n}": ("a" * 9000, "b") for n in range(500)}
    )
    assert (len(change["added"]), len(change["changed"])) == (200, 200)
    valid({**from_context(), "schema_change": change})


@pytest.mark.parametrize(
    ("measured", "told"),
    [
        (0.4, 0.4),
        (7, 7),
        (True, "True"),
        (float("nan"), "nan"),
        (float("inf"), "inf"),
        (Decimal("0.25"), 0.25),
        (Decimal("NaN"), "NaN"),
        (10**30, str(10**30)),
        (datetime.datetime(2026, 11, 21, tzinfo=datetime.timezone.utc), "2026-11-21T00:00:00.000000+00:00"),
        (datetime.date(2026, 11, 21), "2026-11-21"),
        (datetime.timedelta(hours=30), "1 day, 6:00:00"),
        (None, None),
        ("x" * 5000, "x" * 1024),
        ("half \ud83d", "half ?"),
        (things.Unprintable(), "<unprintable Unprintable>"),
    ],
)
def test_any_measured_value_is_json(measured: Any, told: Any) -> None:
    check = quality.check_of("c", measured=measured)
    assert check["measured"] == told
    json.dumps(check, allow_nan=False)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"a": ("int", "text")}, {"column": "a", "before": "int", "after": "text"}),
        ({"a": "text"}, {"column": "a", "before": None, "after": "text"}),
        ([("a", "int", "text")], {"column": "a", "before": "int", "after": "text"}),
        ([{"column": "a", "after": "text"}], {"column": "a", "before": None, "after": "text"}),
        (["a"], {"column": "a", "before": None, "after": None}),
        ("a", {"column": "a", "before": None, "after": None}),
    ],
)
def test_changes_in_the_forms_that_people_write(changed: Any, told: Any) -> None:
    assert quality.schema_change_of("t", "one", None, changed) == {"table": "t", "added": ["one"], "removed": [], "changed": [told]}
