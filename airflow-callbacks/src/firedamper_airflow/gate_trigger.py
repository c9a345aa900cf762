"""The gate's waiting, in Airflow's triggerer: many gates, one process, no worker slot."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, AsyncIterator, Optional

from airflow.triggers.base import BaseTrigger, TriggerEvent

from firedamper_airflow import asking, settings

#: Of our own: a service that hangs may hold these threads, and none that other triggers use.
THREADS = 4
#: Unusable answers in a row before the task is told, where it does not want to wait for them.
PATIENCE = 3

_pool: Optional[ThreadPoolExecutor] = None


def _threads() -> ThreadPoolExecutor:
    global _pool
    if _pool is None:
        _pool = ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="firedamper-gate")
    return _pool


class FiredamperGateTrigger(BaseTrigger):  # type: ignore[misc,unused-ignore]
    """Ends when the gate should look again: it may pass, there is no usable answer, or the lap is over. Decides nothing itself.

    It is stored in Airflow's database, so it holds no secret: the triggerer has the same settings as the workers.
    """

    def __init__(
        self, dag_id: str, run_id: Optional[str], logical_date: Optional[str], poke_interval: float, lap: float, patient: bool
    ) -> None:
        super().__init__()
        self.dag_id = dag_id
        self.run_id = run_id
        self.logical_date = logical_date
        self.poke_interval = poke_interval
        self.lap = lap
        self.patient = patient

    def serialize(self) -> tuple[str, dict[str, Any]]:
        names = ("dag_id", "run_id", "logical_date", "poke_interval", "lap", "patient")
        return (
            "firedamper_airflow.gate_trigger.FiredamperGateTrigger",
            {name: getattr(self, name) for name in names},
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        yield TriggerEvent(await self.wait())

    async def wait(self) -> dict[str, str]:
        """``{"why": "open" | "unreachable" | "lap"}``"""
        question = asking.Question(self.dag_id, self.run_id, self.logical_date)
        until = time.monotonic() + self.lap
        pause, unusable, last = self.poke_interval, 0, ""
        while True:
            left = until - time.monotonic()
            await asyncio.sleep(max(0.0, min(pause, left)))
            if left <= pause:
                return {"why": "lap"}
            # Without a connection's settings: reading one belongs into a task (``settings.in_task``), and the gate notices.
            ask = partial(asking.ask, settings.current(), question, tries=1)
            answer = await asyncio.get_running_loop().run_in_executor(_threads(), ask)
            if answer.decision == asking.PASS:
                return {"why": "open"}
            unusable = unusable + 1 if answer.decision == asking.UNKNOWN else 0
            # Settled: this process lacks something (settings, the secret). The task's own may not.
            if unusable >= PATIENCE and (answer.settled or not self.patient):
                return {"why": "unreachable"}
            if answer.reason != last:
                self.log.info("Firedamper: %s%s", answer.reason, asking.describe(answer.incidents))
            last, pause = answer.reason, max(self.poke_interval, answer.retry_after)
