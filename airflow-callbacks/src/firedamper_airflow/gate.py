"""A task for the start of a DAG that must not be paused, and must not read bad data either."""

from __future__ import annotations

import datetime
import time
from typing import TYPE_CHECKING, Any, Optional, Union

if TYPE_CHECKING:
    from firedamper_airflow.asking import Question

# What asks, and what reads the settings, is imported by the task when it runs: a DAG file that names the gate is parsed every 30 s.

try:  # 3.x
    from airflow.sdk.bases.sensor import BaseSensorOperator
except ImportError:  # 2.9-2.11
    from airflow.sensors.base import BaseSensorOperator

try:  # 3.2 and later; where they moved from says so with a warning for each name
    from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSensorTimeout, AirflowSkipException
except ImportError:  # 2.9-3.1
    from airflow.exceptions import AirflowException, AirflowFailException, AirflowSensorTimeout, AirflowSkipException

WHEN_BLOCKED = ("wait", "skip", "fail")
ON_UNREACHABLE = ("pass", "wait", "fail")
DAY_SECONDS = 24 * 60 * 60

#: The first stay with the triggerer is short: no task can see whether one runs (3.x), and without one the task would sleep for ever.
FIRST_LAP_SECONDS = 120.0
LAP_SECONDS = 3600.0
#: What the triggerer may be late by before it counts as absent. The scheduler looks every 15 s (2.9-3.3).
GRACE_SECONDS = 60.0

#: A task that is rescheduled for a moment less than the scheduler's loop takes is failed by Airflow itself ("finished with state
#: success, but the task instance's state attribute is queued"; seen with 5 s on 3.3.2).
LEAST_RESCHEDULE_SECONDS = 30.0

# What Airflow calls instead of the method when a trigger broke or did not answer in time (2.9-3.3).
TRIGGER_FAILED = "__fail__"


class GateClosed(AirflowFailException):  # type: ignore[misc,unused-ignore]
    """``when_blocked="fail"``: an open incident covers what this DAG reads. Not tried again."""


class FiredamperGate(BaseSensorOperator):  # type: ignore[misc,unused-ignore]
    """Passes when no open incident covers what this DAG reads.

    :param when_blocked: ``wait`` (up to ``timeout``, then fail, or skip with ``soft_fail=True``), ``skip`` this task and what follows
        it, or ``fail`` at once.
    :param on_unreachable: what to do without a usable answer: ``pass`` with a warning, ``wait``, or ``fail`` (retries apply).
    :param timeout: how long to wait at most, from the first question on. A day.
    :param poke_interval: seconds, or a timedelta, from one question to the next while waiting; by short task runs at least 30.
    :param deferrable: wait in the triggerer instead of asking by short task runs. Default: ``[operators] default_deferrable``. Where
        no triggerer runs, or it cannot run the trigger, the gate notices and asks by itself.
    """

    ui_color = "#ffe4c4"
    poke_interval: float

    def __init__(
        self,
        *,
        when_blocked: str = "wait",
        on_unreachable: str = "pass",
        timeout: Union[float, datetime.timedelta] = DAY_SECONDS,
        poke_interval: Union[float, datetime.timedelta] = 60,
        mode: str = "reschedule",
        deferrable: Optional[bool] = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(timeout=timeout, poke_interval=poke_interval, mode=mode, **kwargs)
        self.when_blocked = _one_of("when_blocked", when_blocked, WHEN_BLOCKED)
        self.on_unreachable = _one_of("on_unreachable", on_unreachable, ON_UNREACHABLE)
        self.deferrable = _deferrable_by_default() if deferrable is None else deferrable
        self._heard: Optional[str] = None

    def execute(self, context: Any) -> None:
        if not self.deferrable:
            self._by_task_runs(context)
        elif not self._goes_through(context):
            self._defer(context, _started_at(context) + self.timeout, FIRST_LAP_SECONDS)

    def poke(self, context: Any) -> bool:
        """One question. True: go on. Raises what ends this task."""
        from firedamper_airflow import asking, settings

        answer = asking.ask(settings.in_task(asked_for=True), _question(context))
        self._heard = answer.decision
        if answer.decision == asking.UNKNOWN:
            return self._without_answer(answer.reason)
        told = asking.describe(answer.incidents)
        if answer.decision == asking.PASS:
            self.log.info("Firedamper lets this run pass: %s%s", answer.reason or "nothing open", told)
            return True
        if self.when_blocked == "skip":
            raise AirflowSkipException(f"Firedamper: {answer.reason}{told}")
        if self.when_blocked == "fail":
            raise GateClosed(f"Firedamper: {answer.reason}{told}")
        self.log.warning("Firedamper says wait: %s%s", answer.reason, told)
        return False

    def resumed(self, context: Any, event: Optional[dict[str, Any]] = None, deadline: float = 0.0) -> None:
        """Called when the trigger has something to say. What it says is only a hint: the question is asked again, here."""
        from firedamper_airflow import asking

        if self._goes_through(context):
            return
        if (event or {}).get("why") == "unreachable" and self._heard == asking.WAIT:
            self.log.warning("the triggerer gets no answer from Firedamper, and this task does: does it have the same settings?")
            self._by_task_runs(context)
            return
        if time.time() >= deadline:
            message = f"an open incident still covers what this DAG reads, {self.timeout:g} s after the first question"
            raise AirflowSkipException(message) if self.soft_fail else AirflowSensorTimeout(message)
        self._defer(context, deadline, LAP_SECONDS)

    def resume_execution(self, next_method: str, next_kwargs: Optional[dict[str, Any]], context: Any) -> Any:
        if next_method == TRIGGER_FAILED:
            self.log.warning(
                "no triggerer took this over (%s); asking by short task runs instead. Without a triggerer set deferrable=False.",
                (next_kwargs or {}).get("error", "no reason given"),
            )
            return self._by_task_runs(context)
        return super().resume_execution(next_method, next_kwargs, context)

    def _by_task_runs(self, context: Any) -> None:
        if self.mode == "reschedule":
            self.poke_interval = max(self.poke_interval, LEAST_RESCHEDULE_SECONDS)
        super().execute(context)

    def _goes_through(self, context: Any) -> bool:
        """``poke``, with what Airflow's own loop does about ``soft_fail``."""
        try:
            return self.poke(context)
        except AirflowFailException as error:
            if self.soft_fail:
                raise AirflowSkipException(str(error)) from error
            raise

    def _without_answer(self, why: str) -> bool:
        if self.on_unreachable == "fail":
            raise AirflowException(f"Firedamper gave no usable answer: {why}")
        if self.on_unreachable == "wait":
            self.log.warning("Firedamper gave no usable answer, waiting: %s", why)
            return False
        self.log.warning("Firedamper gave no usable answer, this run passes UNCHECKED (on_unreachable=pass): %s", why)
        return True

    def _defer(self, context: Any, deadline: float, longest: float) -> None:
        from firedamper_airflow.gate_trigger import FiredamperGateTrigger

        lap = min(longest, max(1.0, deadline - time.time()))
        trigger = FiredamperGateTrigger(
            **vars(_question(context)),
            poke_interval=self.poke_interval,
            lap=lap,
            patient=self.on_unreachable == "wait",
        )
        self.defer(
            trigger=trigger,
            method_name="resumed",
            kwargs={"deadline": deadline},
            timeout=datetime.timedelta(seconds=lap + GRACE_SECONDS),
        )


def _question(context: Any) -> Question:
    from firedamper_airflow.asking import Question

    run = context.get("dag_run")
    # Absent from the context, and None at the run, where a run has none (3.x).
    moment = getattr(run, "logical_date", None) or getattr(run, "execution_date", None)
    return Question(
        dag_id=context["ti"].dag_id,
        run_id=context.get("run_id") or getattr(run, "run_id", None),
        logical_date=moment.isoformat() if moment is not None else None,
    )


def _started_at(context: Any) -> float:
    """When this gate first asked. 2.x carries it in the start of a rescheduled task; on 3.x that is the start of this process."""
    ti = context["ti"]
    first = ti.get_first_reschedule_date(context) if hasattr(ti, "get_first_reschedule_date") else None
    moment = first or getattr(ti, "start_date", None)
    return float(moment.timestamp()) if moment is not None else time.time()


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise ValueError(f"FiredamperGate: {name} is one of {', '.join(allowed)}; this is {value!r}")
    return value


def _deferrable_by_default() -> bool:
    try:
        from airflow.sdk.configuration import conf  # 3.2 and later
    except ImportError:
        from airflow.configuration import conf

    return bool(conf.getboolean("operators", "default_deferrable", fallback=False))
