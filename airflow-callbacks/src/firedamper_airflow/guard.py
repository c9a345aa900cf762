"""The promise that nothing in here disturbs Airflow, in one place."""

from __future__ import annotations

import logging
import os
from typing import Any, Callable

log = logging.getLogger("firedamper_airflow")

_lost = 0
_settled: BaseException | None = None


def quietly(act: Callable[..., object], *args: Any, **kwargs: Any) -> None:
    """Runs ``act`` and lets no exception out, ``BaseException`` included.

    A listener that raises in ``on_dag_run_failed`` ends the scheduler of Airflow 2, and again at each restart (2.11.2); one that
    raises in a task keeps the user's own callbacks from running. Airflow's time-outs are not ``Exception``s. Only a wish to
    leave the interpreter passes: the scheduler's signal handler ends it that way.
    """
    answer(act, *args, **kwargs)


def answer(act: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """As ``quietly``, and what ``act`` answered; None where it broke."""
    global _lost, _settled
    try:
        return act(*args, **kwargs)
    except (SystemExit, KeyboardInterrupt):
        raise
    except BaseException as error:
        if error is _settled:
            complain("interrupted", error)
        else:
            _lost += 1
            complain("an event was lost", error)
        return None
    finally:
        _settled = None


def settle(error: BaseException) -> None:
    """It broke off the sending of an event that waits on the disk or is counted by now: told as lost, it would be told twice."""
    global _settled
    _settled = error


def take_lost() -> int:
    """How many events broke in here, in this process, since the last call: the next one that gets through tells it."""
    global _lost
    lost, _lost = _lost, 0
    return lost


def complain(what: str, error: BaseException | None = None) -> None:
    """One line in the log, without a stack: it stands in the log of somebody's task. Never raises, whatever the exception is made of."""
    try:
        log.warning("firedamper: %s%s", what, f" ({describe(error)})" if error is not None else "")
    except Exception:
        pass


def describe(error: BaseException) -> str:
    try:
        name = str(type(error).__name__)
    except Exception:
        name = "exception"
    try:
        return f"{name}: {error}"[:300]
    except Exception:
        return name


# A task must not tell once more what the scheduler that it was forked from has lost.
os.register_at_fork(after_in_child=take_lost)
