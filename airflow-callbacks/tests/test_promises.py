"""R14: a callback returns within its time, raises nothing, and what could not be said is said later. Each promise has a control: the same
judge on a sender without it must find fault. Counts only: time is counted by the server that keeps a request waiting."""

from __future__ import annotations

import functools
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import things
from firedamper_airflow import events, guard, on_failure_callback, sender, settings, transport
from firedamper_airflow.spool import Spool
from receiver import Receiver
from test_sender import free_port

#: The promise is 3 s, and the server counts in tenths; the time-out is a fifth of it here.
MOST_TICKS = 30
TIMEOUT = "0.6"
MOODS: tuple[str | int, ...] = (500, 503, 401, "cut", "garbage", "hang", "drip")
EACH = 2
#: Smaller than what is told while nobody takes it.
FULL = 12


class AirflowTaskTimeout(BaseException):
    pass


class Judge:
    def __init__(self, receiver: Receiver, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.receiver, self.folder, self.patch = receiver, folder, patch
        self.told: list[str] = []
        self.counts = Counter({"told": 0, "raised": 0, "late": 0, "lost": 0, "twice": 0, "dropped_and_told": 0})

    def judge(self) -> dict[str, int]:
        """A Firedamper in every bad mood, and Airflow's own signals; then all is well, and a few more tasks fail."""
        for mood in MOODS:
            self.receiver.mode = mood
            self._fail(EACH)
        with self.patch.context() as patch:
            patch.setenv("FIREDAMPER_URL", f"http://127.0.0.1:{free_port()}")
            self._fail(EACH)
        with self.patch.context() as patch:
            patch.setattr(transport, "within", _raising(AirflowTaskTimeout))
            self._fail(EACH)
        self.receiver.mode = "ok"
        before = len(self.receiver.requests)
        with self.patch.context() as patch:
            # Nothing can be said about it; but that there was something.
            patch.setattr(events, "from_context", _raising(RuntimeError))
            self._fail(1)
        for _ in range(10):
            self._fail(1)
            if not list(self.folder.glob("*.json")):
                break
        return self._counted(self.receiver.events[before:])

    def _counted(self, taken: list[dict[str, Any]]) -> dict[str, int]:
        times = Counter(event["task_id"] for event in taken)
        dropped = sum(event["dropped_events"] for event in taken if "dropped_events" in event)
        missing = [name for name in self.told if name not in times]
        self.counts.update(told=len(self.told), twice=sum(n - 1 for n in times.values()), dropped_and_told=dropped)
        self.counts["lost"] = len(missing) - dropped
        return dict(self.counts)

    def _fail(self, times: int) -> None:
        """Each in a process of its own, as far as the sender can tell."""
        for _ in range(times):
            sender._senders.clear()
            settings.forget()
            self.told.append(f"t{len(self.told)}")
            self._callback(things.context(ti=things.ti(task_id=self.told[-1])))

    def _callback(self, context: dict[str, Any]) -> None:
        self.receiver.ticks = 0
        raised: list[BaseException] = []

        def call() -> None:
            try:
                on_failure_callback(context)
            except BaseException as error:
                raised.append(error)

        thread = threading.Thread(target=call, daemon=True)
        thread.start()
        while thread.is_alive() and self.receiver.ticks <= MOST_TICKS:
            thread.join(0.02)
        self.counts["late"] += thread.is_alive()
        self.receiver.let_go()
        thread.join(30)
        assert not thread.is_alive(), "it waits for something else than this server"
        self.counts["raised"] += len(raised)


def _raising(error: type[BaseException]) -> Callable[..., Any]:
    def broken(*_: object, **__: object) -> None:
        raise error("inside")

    return broken


@pytest.fixture
def judge(configured: Receiver, spool_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Judge:
    monkeypatch.setenv("FIREDAMPER_TIMEOUT", TIMEOUT)
    monkeypatch.setattr(sender, "Spool", functools.partial(Spool, max_files=FULL))
    return Judge(configured, spool_dir, monkeypatch)


def say(capsys: pytest.CaptureFixture[str], words: str) -> None:
    with capsys.disabled():
        print(f"\nfigure: R14 {words}")


def fails_as_it_must(capsys: pytest.CaptureFixture[str], control: str, seen: str) -> None:
    say(capsys, f'control="{control}" result="fails as it must" seen="{seen}"')


def test_in_time_without_a_sound_and_nothing_lost(judge: Judge, capsys: pytest.CaptureFixture[str]) -> None:
    found = judge.judge()
    say(capsys, " ".join(f"{name}={count}" for name, count in found.items()))
    assert (found["raised"], found["late"], found["lost"], found["twice"]) == (0, 0, 0, 0)
    told_while_away = (len(MOODS) + 2) * EACH
    assert found["dropped_and_told"] == told_while_away - FULL + 1, "the full spool let the oldest go, and one could not be read"


def test_control_without_the_spool_what_was_said_is_lost(
    judge: Judge, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Spool, "keep", lambda *_: None)
    found = judge.judge()
    assert found["lost"] == (len(MOODS) + 2) * EACH
    fails_as_it_must(capsys, "no spool", f"{found['lost']} of {found['told']} lost")


def test_control_without_the_overall_limit_it_is_late(
    judge: Judge, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(transport, "within", lambda _, act: act())
    found = judge.judge()
    assert found["late"] >= EACH, "an answer byte by byte ends no time-out of a socket"
    fails_as_it_must(capsys, "no limit over all", f"{found['late']} of {found['told']} later than {MOST_TICKS / 10:g} s")


def test_control_without_the_guard_it_raises(
    judge: Judge, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(guard, "quietly", lambda act, *args, **words: act(*args, **words))
    found = judge.judge()
    assert found["raised"] == EACH + 1
    fails_as_it_must(capsys, "nothing is caught", f"{found['raised']} exceptions in the task")
