"""One event out of the door, or onto the disk; and a few that waited, behind it."""

from __future__ import annotations

import json
import os
import time
from collections import deque
from typing import Any, Callable

from firedamper_airflow import signing, transport
from firedamper_airflow._version import __version__
from firedamper_airflow.guard import complain, describe
from firedamper_airflow.settings import Settings
from firedamper_airflow.spool import Spool
from firedamper_airflow.transport import Outcome

FLUSH_FILES = 5
FLUSH_SECONDS = 1.0
#: After a failure the next events of this process go straight to the disk for so long: a service that hangs costs a process one
#: time-out, not one for each event.
COOL_DOWN_SECONDS = 5.0
REMEMBERED_IDS = 256


class Sender:
    """Sends for one process. Not for several threads at once: task processes have one, the courier has its own."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._spool = Spool(settings.spool_dir)
        self._clock = clock
        self._quiet_until = float("-inf")
        self._known: deque[str] = deque(maxlen=REMEMBERED_IDS)

    def deliver(self, event: dict[str, Any]) -> str:
        """``sent``, ``spooled``, ``dropped`` or ``known`` (this process has dealt with the same event before). Takes at most the
        time-out, plus one write to the disk. Raises only what is no ``Exception``, and then the event is on the disk."""
        event = self._named(event)
        # Listener and callback report the same failure one after the other. The second goes out only if it says more.
        if event["event_id"] in self._known and not any(event.get(name) for name in ("severity", "incident_type", "note")):
            return "known"
        self._known.append(event["event_id"])
        if self._clock() < self._quiet_until:
            return self._keep(event, "the last one did not get through")
        try:
            outcome = transport.within(self._settings.timeout, lambda: self._send(event))
        except BaseException:
            # A signal of Airflow's, such as the time-out of a task, broke the wait.
            self._keep(event, "interrupted")
            raise
        return self._settle(event, outcome or Outcome("later", f"no answer in {self._settings.timeout:g} s"))

    def put_aside(self, event: dict[str, Any]) -> str:
        """Straight to the disk: the process ends and there is no time to send."""
        return self._keep(self._named(event), "the process ends")

    def count_lost(self, count: int) -> None:
        """Events that never reached ``deliver``; the next one that gets through says how many."""
        try:
            self._spool.count_dropped(count)
        except OSError as error:
            complain(f"{count} events were lost", error)

    def _named(self, event: dict[str, Any]) -> dict[str, Any]:
        return {**event, "event_id": event.get("event_id") or signing.webhook_id(self._settings.airflow, event)}

    def _settle(self, event: dict[str, Any], outcome: Outcome) -> str:
        if outcome.result == "sent":
            return "sent"
        if outcome.result == "hopeless":
            complain(f"{event['kind']} was refused for good: {outcome.detail}")
            return "dropped"
        self._quiet_until = self._clock() + COOL_DOWN_SECONDS
        return self._keep(event, outcome.detail)

    def _keep(self, event: dict[str, Any], why: str) -> str:
        try:
            self._spool.keep(event)
        except Exception as error:
            complain(f"{event['kind']} was lost: {why}, and the spool takes nothing", error)
            return "dropped"
        complain(f"{event['kind']} waits in {self._settings.spool_dir}: {why}")
        return "spooled"

    def _send(self, event: dict[str, Any]) -> Outcome:
        deadline = time.monotonic() + self._settings.timeout
        try:
            with self._spool.turn() as mine:
                dropped = self._spool.dropped() if mine else 0
                outcome = self._post({**event, "dropped_events": dropped}, deadline)
                if mine and outcome.result == "sent":
                    if dropped:
                        self._spool.forget_dropped(dropped)
                    self._flush(min(deadline, time.monotonic() + FLUSH_SECONDS))
            return outcome
        except BaseException as error:  # the end of a thread of its own: there is nobody to pass it to
            return Outcome("later", describe(error))

    def _flush(self, deadline: float) -> None:
        """A few of those that wait, oldest first. What is left is left to the next event; nothing here changes the outcome of this one."""
        for name in self._spool.oldest(FLUSH_FILES):
            if time.monotonic() >= deadline:
                return
            try:
                event = self._spool.read(name)
                outcome = self._post(event, deadline) if event is not None else None
                if outcome is not None and outcome.result == "later":
                    return
                if outcome is not None and outcome.result == "sent":
                    self._spool.remove(name)
                elif outcome is not None:
                    self._spool.drop(name)
            except Exception as error:
                complain("the spool could not be flushed", error)
                return

    def _post(self, event: dict[str, Any], deadline: float) -> Outcome:
        body = json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
        headers = signing.headers(self._settings.key, event["event_id"], int(time.time()), body)
        headers["Content-Type"] = "application/json"
        headers["User-Agent"] = f"airflow-provider-firedamper/{__version__}"
        return transport.post(self._settings.endpoint, headers, body, deadline)


_senders: dict[int, Sender] = {}


def of_process(settings: Settings) -> Sender:
    """This process's sender. By process id: a fork must not inherit the parent's cool-down, or what the parent has dealt with."""
    pid = os.getpid()
    if pid not in _senders:
        _senders.clear()
        _senders[pid] = Sender(settings)
    return _senders[pid]
