"""One event out of the door, or onto the disk; and a few that waited, behind it."""

from __future__ import annotations

import json
import os
import time
from collections import deque
from typing import Any, Callable

from firedamper_airflow import signing, transport
from firedamper_airflow.guard import complain, describe, settle, take_lost
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
        self._known: deque[tuple[str, tuple[object, ...]]] = deque(maxlen=REMEMBERED_IDS)
        #: Lost in this process while the disk took nothing, not even their number.
        self._lost = 0

    def deliver(self, event: dict[str, Any]) -> str:
        """``sent``, ``spooled``, ``dropped`` or ``known`` (this process has dealt with the same event before). Takes at most the
        time-out, plus one write to the disk. Raises only what is no ``Exception``, and then the event is on the disk."""
        event = self.named(event)
        # Listener and callback report the same failure one after the other. The second goes out only if it says more.
        words = tuple(event.get(name) for name in signing.WORDS)
        # What is no failure of a task or a run is told apart by its own id: a broken file that was changed has no other name for it.
        own = event["kind"] in ("report", "import_error", "asset_event", "test")
        subject = event["event_id"] if own else signing.subject_id(self._settings.airflow, event)
        for known, said in self._known:
            if known == subject and all(word in (None, before) for word, before in zip(words, said)):
                return "known"
        self._known.append((subject, words))
        if self._clock() < self._quiet_until:
            return self._keep(event, "the last one did not get through")
        try:
            outcome = transport.within(self._settings.timeout, lambda: self._send(event))
        except BaseException as error:
            # A signal of Airflow's, such as the time-out of a task, broke the wait.
            self._keep(event, "interrupted")
            settle(error)
            raise
        return self._settle(event, outcome or Outcome("later", f"no answer in {self._settings.timeout:g} s"))

    def put_aside(self, event: dict[str, Any]) -> str:
        """Straight to the disk: the process ends and there is no time to send."""
        return self._keep(self.named(event), "the process ends")

    def count_lost(self, count: int) -> None:
        """Events that never reached ``deliver``; the next one that gets through says how many."""
        try:
            self._spool.count_dropped(count)
        except OSError as error:
            self._lost += count
            complain(f"{count} events were lost", error)

    def try_once(self, event: dict[str, Any]) -> Outcome:
        """Sends, and says what came back; nothing is kept, nothing else is sent. For people who ask whether the way is open."""
        event = self.named({**event, "event_id": event.get("event_id") or f"fd_test_{os.urandom(8).hex()}"})
        timeout = self._settings.timeout
        outcome = transport.within(timeout, lambda: self._post(event, time.monotonic() + timeout))
        return outcome or Outcome("later", f"no answer in {timeout:g} s")

    def named(self, event: dict[str, Any]) -> dict[str, Any]:
        found = {**event, "event_id": event.get("event_id") or signing.webhook_id(self._settings.airflow, event)}
        found.pop("event_id_of", None)
        return found

    def _settle(self, event: dict[str, Any], outcome: Outcome) -> str:
        if outcome.result == "sent":
            return "sent"
        if outcome.result == "hopeless":
            complain(f"{event['kind']} was refused for good: {outcome.detail}")
            self.count_lost(1)
            return "dropped"
        self._quiet_until = self._clock() + COOL_DOWN_SECONDS
        return self._keep(event, outcome.detail)

    def _keep(self, event: dict[str, Any], why: str) -> str:
        try:
            self._spool.keep(event)
        except Exception as error:
            complain(f"{event['kind']} was lost: {why}, and the spool takes nothing", error)
            self._lost += 1
            return "dropped"
        complain(f"{event['kind']} waits in {self._settings.spool_dir}: {why}")
        return "spooled"

    def _send(self, event: dict[str, Any]) -> Outcome:
        deadline = time.monotonic() + self._settings.timeout
        try:
            with self._spool.turn() as mine:
                self._lost += take_lost()
                here, dropped = self._lost, self._spool.dropped() if mine else 0
                outcome = self._post({**event, "dropped_events": dropped + here}, deadline)
                if outcome.result == "sent":
                    self._lost -= here
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
        headers = transport.signed_headers(self._settings.key, event["event_id"], body)
        return transport.post(self._settings.endpoint, headers, body, deadline, self._settings.proxy)


_senders: dict[int, Sender] = {}


def of_process(settings: Settings) -> Sender:
    """This process's sender. By process id: a fork must not inherit the parent's cool-down, or what the parent has dealt with."""
    pid = os.getpid()
    if pid not in _senders:
        _senders.clear()
        _senders[pid] = Sender(settings)
    return _senders[pid]
