"""For processes that must not wait: the scheduler (one second in a listener stops all scheduling, 2.11.2 and 3.3.2) and the API server.

One daemon thread and a bounded queue. Handing over never blocks and never raises; what does not fit is counted and told with the next
event. The thread ends when it has nothing to do, so that the scheduler is seldom forked (its workers are, on 2.x and 3.x) while a
second thread runs. A forked child starts with an empty courier of its own.
"""

from __future__ import annotations

import atexit
import os
import queue
import threading
import time
from typing import Any, Optional

from firedamper_airflow.guard import quietly
from firedamper_airflow.sender import Sender
from firedamper_airflow.settings import Settings

QUEUE_EVENTS = 1000
IDLE_SECONDS = 2.0
DRAIN_SECONDS = 1.0


class Courier:
    def __init__(self, sender: Sender, limit: int = QUEUE_EVENTS, idle: float = IDLE_SECONDS) -> None:
        self._sender = sender
        self._queue: queue.Queue[dict[str, Any]] = queue.Queue(maxsize=limit)
        self._idle = idle
        self._lock = threading.Lock()
        self._thread: Optional[threading.Thread] = None
        self._overflow = 0

    def hand_over(self, event: dict[str, Any]) -> bool:
        """False where the queue was full: the event is gone, and counted."""
        with self._lock:
            try:
                self._queue.put_nowait(event)
            except queue.Full:
                self._overflow += 1
                return False
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="firedamper-courier", daemon=True)
                try:
                    self._thread.start()
                except RuntimeError:
                    # No more threads, or the interpreter is going down: the next event tries again, the end of the process spools.
                    self._thread = None
            return True

    def drain(self, seconds: float = DRAIN_SECONDS) -> None:
        """At the end of the process: waits a little, then puts what is left on the disk."""
        until = time.monotonic() + seconds
        while self._thread is not None and not self._queue.empty() and time.monotonic() < until:
            time.sleep(0.01)
        while True:
            try:
                event = self._queue.get_nowait()
            except queue.Empty:
                return
            quietly(self._sender.put_aside, event)

    def _work(self) -> None:
        while True:
            try:
                event = self._queue.get(timeout=self._idle)
            except queue.Empty:
                with self._lock:
                    if not self._queue.empty():
                        continue
                    self._thread = None
                    return
            quietly(self._deliver, event)

    def _deliver(self, event: dict[str, Any]) -> None:
        with self._lock:
            lost, self._overflow = self._overflow, 0
        if lost:
            self._sender.count_lost(lost)
        self._sender.deliver(event)


_courier: Optional[Courier] = None


def of_process(settings: Settings) -> Courier:
    global _courier
    if _courier is None:
        _courier = Courier(Sender(settings))
        atexit.register(_courier.drain)
    return _courier


def _forget() -> None:
    # The parent's thread does not exist in the child, and its locks may be held for ever.
    global _courier
    if _courier is not None:
        atexit.unregister(_courier.drain)
    _courier = None


os.register_at_fork(after_in_child=_forget)
