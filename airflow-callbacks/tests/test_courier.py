from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from firedamper_airflow import courier as courier_module
from firedamper_airflow import settings
from firedamper_airflow.courier import Courier
from firedamper_airflow.sender import Sender
from receiver import Receiver
from test_sender import event, make, waiting


def until(condition: Any, seconds: float = 3.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.01)
    return False


def couriers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "firedamper-courier"]


def test_handing_over_does_not_wait_for_a_service_that_hangs(receiver: Receiver, spool_dir: Path) -> None:
    receiver.mode = "hang"
    courier = Courier(make(receiver.url, spool_dir, FIREDAMPER_TIMEOUT="0.3"), idle=0.1)
    slowest = 0.0
    for number in range(200):
        began = time.perf_counter()
        assert courier.hand_over(event(number))
        slowest = max(slowest, time.perf_counter() - began)
    assert slowest < 0.05
    assert until(lambda: len(waiting(spool_dir)) == 200, 10)


def test_events_keep_their_order_and_the_thread_ends_when_idle(receiver: Receiver, spool_dir: Path) -> None:
    courier = Courier(make(receiver.url, spool_dir), idle=0.05)
    for number in range(20):
        courier.hand_over(event(number))
    assert until(lambda: len(receiver.requests) == 20)
    assert [sent["task_id"] for sent in receiver.events] == [f"t{number}" for number in range(20)]
    assert until(lambda: not couriers())
    courier.hand_over(event(99))
    assert until(lambda: len(receiver.requests) == 21), "it starts again"


class Stuck(Sender):
    """Holds the thread until told."""

    def __init__(self, inner: Sender) -> None:
        super().__init__(inner._settings)
        self.go = threading.Event()

    def deliver(self, event: dict[str, Any]) -> str:
        self.go.wait(5)
        return super().deliver(event)


def test_what_does_not_fit_is_counted_and_told(receiver: Receiver, spool_dir: Path) -> None:
    stuck = Stuck(make(receiver.url, spool_dir))
    courier = Courier(stuck, limit=3, idle=0.05)
    courier.hand_over(event(0))
    assert until(lambda: courier._queue.empty())
    taken = [courier.hand_over(event(number)) for number in range(1, 9)]
    assert taken == [True] * 3 + [False] * 5
    stuck.go.set()
    assert until(lambda: len(receiver.requests) == 4)
    assert sum(sent["dropped_events"] for sent in receiver.events) == 5


def test_an_error_in_one_event_does_not_end_the_thread(receiver: Receiver, spool_dir: Path) -> None:
    courier = Courier(make(receiver.url, spool_dir), idle=0.5)
    courier.hand_over({})  # no kind: KeyError in the sender
    courier.hand_over(event(1))
    assert until(lambda: len(receiver.requests) == 1)


def test_no_thread_to_be_had_raises_nothing(receiver: Receiver, spool_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    courier = Courier(make(receiver.url, spool_dir), idle=0.05)

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        assert courier.hand_over(event(1))
    assert courier.hand_over(event(2))
    assert until(lambda: len(receiver.requests) == 2)


def test_the_end_of_the_process_puts_the_rest_on_the_disk(receiver: Receiver, spool_dir: Path) -> None:
    receiver.mode = "hang"
    courier = Courier(make(receiver.url, spool_dir, FIREDAMPER_TIMEOUT="3"), idle=0.05)
    for number in range(4):
        courier.hand_over(event(number))
    began = time.monotonic()
    courier.drain(0.3)
    assert time.monotonic() - began < 1
    assert waiting(spool_dir) == ["t1", "t2", "t3"]


def test_a_forked_child_starts_empty_even_when_the_lock_is_held(configured: Receiver) -> None:
    parent = courier_module.of_process(settings.current())
    with parent._lock:
        pid = os.fork()
        if pid == 0:
            child = courier_module.of_process(settings.current())
            os._exit(0 if child is not parent and child.hand_over(event(1)) and until(lambda: child._thread is None, 5) else 1)
        assert os.waitpid(pid, 0)[1] == 0
    assert until(lambda: len(configured.requests) == 1)
