"""Enough of Airflow's base classes to run the gate where no Airflow is installed: the sensor's loop, deferral, exceptions.

The gate is tried on real Airflows too; here its decisions are.
"""

from __future__ import annotations

import datetime
import logging
import sys
from types import ModuleType
from typing import Any

import pytest


class AirflowException(Exception):
    pass


class AirflowFailException(AirflowException):
    pass


class AirflowSkipException(AirflowException):
    pass


class AirflowSensorTimeout(AirflowException):
    pass


class AirflowRescheduleException(AirflowException):
    pass


class TaskDeferred(BaseException):
    def __init__(self, **facts: Any) -> None:
        super().__init__()
        self.facts = facts


class BaseSensorOperator:
    def __init__(
        self, *, task_id: str, timeout: Any, poke_interval: Any, mode: str, soft_fail: bool = False, retries: int = 0
    ) -> None:
        self.task_id, self.mode, self.soft_fail, self.retries = task_id, mode, soft_fail, retries
        self.timeout = _seconds(timeout)
        self.poke_interval = _seconds(poke_interval)
        self.log = logging.getLogger("airflow.task")

    def poke(self, context: Any) -> bool:
        raise NotImplementedError

    def execute(self, context: Any) -> None:
        """What 2.11.2 and 3.3.2 do in mode reschedule."""
        try:
            done = self.poke(context)
        except AirflowFailException as error:
            if self.soft_fail:
                raise AirflowSkipException from error
            raise
        if not done:
            raise AirflowRescheduleException

    def resume_execution(self, next_method: str, next_kwargs: Any, context: Any) -> Any:
        if next_method == "__fail__":
            raise AirflowException("deferral failed")
        return getattr(self, next_method)(context, **(next_kwargs or {}))

    def defer(self, **facts: Any) -> None:
        raise TaskDeferred(**facts)


class BaseTrigger:
    def __init__(self) -> None:
        self.log = logging.getLogger("airflow.trigger")


class TriggerEvent:
    def __init__(self, payload: Any) -> None:
        self.payload = payload


def _seconds(value: Any) -> float:
    return value.total_seconds() if isinstance(value, datetime.timedelta) else float(value)


def install(patch: pytest.MonkeyPatch) -> None:
    """In the places of 2.9-2.11."""
    parts = {
        "airflow": {},
        "airflow.sensors": {},
        "airflow.sensors.base": {"BaseSensorOperator": BaseSensorOperator},
        "airflow.triggers": {},
        "airflow.triggers.base": {"BaseTrigger": BaseTrigger, "TriggerEvent": TriggerEvent},
        "airflow.exceptions": {
            found.__name__: found for found in (AirflowException, AirflowFailException, AirflowSkipException, AirflowSensorTimeout)
        },
    }
    for name, content in parts.items():
        module = ModuleType(name)
        vars(module).update(content)
        patch.setitem(sys.modules, name, module)
    for mine in ("gate", "gate_trigger"):
        patch.delitem(sys.modules, f"firedamper_airflow.{mine}", raising=False)
