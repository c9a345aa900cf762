from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from firedamper_airflow import spool_cli
from firedamper_airflow.spool import Spool
from receiver import Receiver, check_signature


def fill(folder: Path, count: int, **over: Any) -> Spool:
    spool = Spool(str(folder))
    for number in range(count):
        spool.keep(
            {
                "event_id": f"fd_{number:03d}",
                "kind": "task_failed",
                "dag_id": "orders_etl",
                "run_id": "r",
                "task_id": "load",
                **over,
            }
        )
    return spool


def ids(receiver: Receiver) -> list[str]:
    return [event["event_id"] for event in receiver.events]


def test_flush_sends_all_oldest_first_signed_and_says_how_many(
    configured: Receiver, spool_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spool = fill(spool_dir, 12)
    spool.count_dropped(3)
    assert spool_cli.main(["flush"]) == 0
    assert ids(configured) == [f"fd_{number:03d}" for number in range(12)]
    for request in configured.requests:
        check_signature(request)
    assert [event["dropped_events"] for event in configured.events] == [3, *[0] * 11]
    assert (spool.waiting(), spool.dropped()) == ([], 0)
    assert capsys.readouterr().out == "sent 12, refused for good 0, still waiting 0\n"
    assert spool_cli.main(["flush"]) == 0
    assert len(configured.requests) == 12


@pytest.mark.parametrize("mode", ["hang", "garbage", "cut", 500, 401, 404])
def test_what_is_not_taken_stays_and_the_exit_says_so(
    configured: Receiver, spool_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], mode: Any
) -> None:
    monkeypatch.setenv("FIREDAMPER_TIMEOUT", "0.3")
    spool = fill(spool_dir, 4)
    configured.plan, configured.mode = ["ok"], mode
    assert spool_cli.main(["flush", "--seconds", "5"]) == 1
    told = capsys.readouterr()
    assert told.out == "sent 1, refused for good 0, still waiting 3\n"
    assert told.err.startswith("stopped: ")
    assert len(spool.waiting()) == 3
    assert len(configured.requests) == 2, "one refusal is enough: the rest would be refused the same"


def test_one_bad_event_does_not_hold_up_the_others(
    configured: Receiver, spool_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spool = fill(spool_dir, 3)
    (spool_dir / f"{0:020d}-fd_x.json").write_bytes(b"{broken")
    configured.plan = ["ok", 400, "ok"]
    assert spool_cli.main(["flush"]) == 0
    assert capsys.readouterr().out == "sent 2, refused for good 2 (1 answered 400), still waiting 0\n"
    assert spool.dropped() == 2


def test_a_service_that_asks_for_a_pause_gets_it(configured: Receiver, spool_dir: Path) -> None:
    fill(spool_dir, 3)
    configured.headers = {"Retry-After": "0.3"}
    configured.plan = ["ok", 429, 503, "ok", "ok"]
    began = time.monotonic()
    assert spool_cli.main(["flush"]) == 0
    assert 0.6 <= time.monotonic() - began < 3
    assert ids(configured) == ["fd_000", "fd_001", "fd_001", "fd_001", "fd_002"]


@pytest.mark.parametrize("retry_after", ["3600", "soon", ""])
def test_the_bound_on_time_holds_against_a_service_that_asks_for_more(
    configured: Receiver, spool_dir: Path, retry_after: str
) -> None:
    spool = fill(spool_dir, 2)
    configured.headers, configured.mode = {"Retry-After": retry_after}, 429
    began = time.monotonic()
    assert spool_cli.main(["flush", "--seconds", "1"]) == 1
    assert time.monotonic() - began < 2
    assert len(spool.waiting()) == 2


def test_the_bound_on_time_ends_a_long_flush_between_two_events(configured: Receiver, spool_dir: Path) -> None:
    spool = fill(spool_dir, 5)
    assert spool_cli.main(["flush", "--seconds", "0"]) == 1
    assert (len(spool.waiting()), configured.requests) == (5, [])


def test_it_takes_turns_with_a_task_that_sends(configured: Receiver, spool_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spool = fill(spool_dir, 1)
    with spool.turn() as mine:
        assert mine
        assert spool_cli.main(["flush", "--seconds", "0.3"]) == 1
    assert "another process" in capsys.readouterr().err
    assert spool_cli.main(["flush"]) == 0


def test_without_settings_it_says_what_to_set(spool_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(spool_dir, 1)
    assert spool_cli.main(["flush", "--folder", str(spool_dir)]) == 2
    assert "set FIREDAMPER_URL" in capsys.readouterr().err


def test_list_shows_what_waits_and_changes_nothing(
    configured: Receiver, spool_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert spool_cli.main(["list"]) == 0
    assert "nothing waits" in capsys.readouterr().out
    fill(spool_dir, 3, task_id="lädt")
    (spool_dir / f"{0:020d}-fd_x.json").write_bytes(b"{broken")
    before = sorted(path.name for path in spool_dir.iterdir())
    assert spool_cli.main(["list", "--limit", "2"]) == 0
    told = capsys.readouterr().out
    assert "4 events waiting" in told
    assert "not readable" in told
    assert "task_failed  orders_etl  r  lädt" in told
    assert "... and 2 more" in told
    assert spool_cli.main(["list", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["event_id"] for row in rows] == [None, "fd_000", "fd_001", "fd_002"]
    assert sorted(path.name for path in spool_dir.iterdir()) == before
    assert configured.requests == []


def test_a_folder_that_cannot_be_looked_at_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("x")
    assert spool_cli.main(["list", "--folder", str(tmp_path / "file")]) == 2
    assert str(tmp_path / "file") in capsys.readouterr().err
