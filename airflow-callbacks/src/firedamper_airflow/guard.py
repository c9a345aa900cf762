"""The promise that nothing in here disturbs Airflow, in one place."""

from __future__ import annotations

import logging
from typing import Any, Callable

log = logging.getLogger("firedamper_airflow")


def quietly(act: Callable[..., object], *args: Any, **kwargs: Any) -> None:
    """Runs ``act`` and lets no exception out, ``BaseException`` included.

    A listener that raises in ``on_dag_run_failed`` ends the scheduler of Airflow 2, and again at each restart (2.11.2); one that
    raises in a task keeps the user's own callbacks from running. Airflow's time-outs are not ``Exception``s. Only a wish to
    leave the interpreter passes: the scheduler's signal handler ends it that way.
    """
    try:
        act(*args, **kwargs)
    except (SystemExit, KeyboardInterrupt):
        raise
    except BaseException as error:
        complain("an event was lost", error)


def complain(what: str, error: BaseException | None = None) -> None:
    """One line in the log, without a stack: it stands in the log of somebody's task. Never raises, whatever the exception is made of."""
    try:
        log.warning("firedamper: %s%s", what, f" ({describe(error)})" if error is not None else "")
    except Exception:
        pass


def describe(error: BaseException) -> str:
    name = type(error).__name__
    try:
        return f"{name}: {error}"[:300]
    except Exception:
        return name
