"""What Airflow hands over, in the shapes seen on 2.9-3.3: enough of them to be read, wrong in the ways that were seen."""

from __future__ import annotations

import datetime
import enum
from types import SimpleNamespace
from typing import Any

START = datetime.datetime(2026, 11, 21, 3, 20, 1, 4210, tzinfo=datetime.timezone.utc)


class State(str, enum.Enum):
    FAILED = "failed"
    RETRY = "up_for_retry"
    RUNNING = "running"
    SUCCESS = "success"


def dag(**over: Any) -> SimpleNamespace:
    return SimpleNamespace(**{"dag_id": "orders_etl", "tags": {"tier:1", "orders"}, **over})


def run(**over: Any) -> SimpleNamespace:
    facts = {
        "dag_id": "orders_etl",
        "run_id": "scheduled__2026-11-20T00:00:00+00:00",
        "run_type": SimpleNamespace(value="scheduled"),
        "state": "running",
        "logical_date": datetime.datetime(2026, 11, 20, tzinfo=datetime.timezone.utc),
        "start_date": START,
        "conf": {"password": "never-to-be-sent"},
    }
    return SimpleNamespace(**{**facts, **over})


def task(**over: Any) -> SimpleNamespace:
    return SimpleNamespace(**{"task_id": "load", "task_type": "PythonOperator", "dag": dag(), **over})


def ti(**over: Any) -> SimpleNamespace:
    """A task instance as a task process of Airflow 3 has it."""
    facts = {
        "dag_id": "orders_etl",
        "run_id": "scheduled__2026-11-20T00:00:00+00:00",
        "task_id": "load",
        "map_index": -1,
        "try_number": 1,
        "max_tries": 0,
        "state": State.FAILED,
        "log_url": "http://localhost:8080/dags/orders_etl/runs/r/tasks/load?try_number=1",
        "task": task(),
        "_ti_context_from_server": SimpleNamespace(dag_run=run()),
    }
    return SimpleNamespace(**{**facts, **over})


def context(**over: Any) -> dict[str, Any]:
    """What a task's callback is given."""
    facts: dict[str, Any] = {
        "ti": ti(),
        "dag_run": run(),
        "dag": dag(),
        "task": task(),
        "run_id": "scheduled__2026-11-20T00:00:00+00:00",
        "exception": ValueError("null rate 0.31"),
        "conf": {"password": "never-to-be-sent"},
        "params": {"token": "never-to-be-sent"},
        "var": SimpleNamespace(value="never-to-be-sent"),
    }
    return {name: value for name, value in {**facts, **over}.items() if value is not ...}


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")

    __repr__ = __str__


class Hostile:
    """Raises whatever it is asked, its class included."""

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(name)


class _LyingType(type):
    @property
    def __name__(cls) -> str:  # type: ignore[override]
        raise RuntimeError("no name")

    @property
    def __module__(cls) -> str:  # type: ignore[override]
        return "of.somebody.else"


class Liar(Exception, metaclass=_LyingType):
    """Says that it is something else, and cannot be printed."""

    @property
    def __class__(self) -> Any:
        return int

    def __str__(self) -> str:
        raise RuntimeError("no words")


#: What was asked of the database, inside the transaction that Airflow called us in.
queries: list[str] = []


class Row:
    """A database row: what is loaded, and attributes that query."""

    def __init__(self, **loaded: Any) -> None:
        self.__dict__.update(loaded, _sa_instance_state=object())


class Instrumented:
    """Stands in for SQLAlchemy's attribute: on the class it is itself, on an instance it queries."""

    def __set_name__(self, owner: Any, name: str) -> None:
        self.name = name

    def __get__(self, instance: Any, owner: Any) -> Any:
        if instance is None:  # also what a hybrid property answers there
            return self
        queries.append(self.name)
        return SimpleNamespace(run_id="from the database")


Instrumented.__module__ = "sqlalchemy.orm.attributes"
