from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from firedamper_airflow.spool import Spool


def event(number: int, size: int = 0) -> dict[str, Any]:
    return {"event_id": f"fd_{number:04d}", "kind": "task_failed", "note": "x" * size}


def kept(folder: Path) -> list[str]:
    return [json.loads(path.read_bytes())["event_id"] for path in sorted(folder.glob("*.json"))]


def test_events_come_back_oldest_first(spool_dir: Path) -> None:
    spool = Spool(str(spool_dir))
    for number in (3, 1, 2):
        spool.keep(event(number))
    assert [spool.read(name) for name in spool.oldest(2)] == [event(3), event(1)]
    assert stat.S_IMODE(os.stat(spool_dir).st_mode) == 0o700


def test_the_same_event_is_kept_once(spool_dir: Path) -> None:
    spool = Spool(str(spool_dir))
    spool.keep(event(1))
    spool.keep({**event(1), "note": "again"})
    assert kept(spool_dir) == ["fd_0001"]


def test_said_again_with_more_words_it_keeps_its_place_and_the_newer_words(spool_dir: Path) -> None:
    spool = Spool(str(spool_dir))
    for number in (1, 2):
        spool.keep(event(number))
    spool.keep({**event(1), "note": "again, and longer"})
    assert kept(spool_dir) == ["fd_0001", "fd_0002"]
    assert [waiting.size for waiting in spool.waiting()] == [path.stat().st_size for path in sorted(spool_dir.glob("*.json"))]
    first = spool.read(spool.oldest(1)[0])
    assert first is not None
    assert first["note"] == "again, and longer"


@pytest.mark.parametrize(("mine", "theirs"), [("", "and a note"), ("and a note", ""), ("same", "size")])
def test_two_processes_that_say_the_same_at_once_leave_the_one_with_more_words(
    spool_dir: Path, monkeypatch: pytest.MonkeyPatch, mine: str, theirs: str
) -> None:
    rename = os.rename

    def the_other_comes_between(source: str, target: str) -> None:
        monkeypatch.setattr(os, "rename", rename)
        Spool(str(spool_dir)).keep({**event(1), "note": theirs})
        rename(source, target)

    monkeypatch.setattr(os, "rename", the_other_comes_between)
    Spool(str(spool_dir)).keep({**event(1), "note": mine})
    (left,) = [json.loads(path.read_bytes()) for path in spool_dir.glob("*.json")]
    assert left["note"] == max(mine, theirs, key=len)


def test_a_full_folder_costs_no_look_at_each_file(spool_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = Spool(str(spool_dir), max_files=50)
    for number in range(50):
        spool.keep(event(number))
    looked: list[str] = []
    stat_of = os.stat
    monkeypatch.setattr(os, "stat", lambda path, *a, **k: looked.append(str(path)) or stat_of(path, *a, **k))  # type: ignore[func-returns-value]
    spool.keep(event(99))
    assert [path for path in looked if path.endswith(".json")] == []
    (spool_dir / "00000000000000000001-fd_by_hand.json").write_bytes(b"{}")
    Spool(str(spool_dir), max_bytes=4000).keep(event(100))
    assert sum(path.stat().st_size for path in spool_dir.glob("*.json")) <= 4000


def test_in_a_full_folder_the_same_event_again_costs_nobody_his_place(spool_dir: Path) -> None:
    spool = Spool(str(spool_dir), max_files=3)
    for number in (1, 2, 3):
        spool.keep(event(number))
    spool.keep({**event(3), "note": "again, and longer"})
    assert [spool.read(name) for name in spool.oldest(9)] == [event(1), event(2), {**event(3), "note": "again, and longer"}]
    assert spool.dropped() == 0


def test_caps_by_count_and_bytes_drop_the_oldest_and_count_them(spool_dir: Path) -> None:
    spool = Spool(str(spool_dir), max_files=3)
    for number in range(5):
        spool.keep(event(number))
    assert (kept(spool_dir), spool.dropped()) == (["fd_0002", "fd_0003", "fd_0004"], 2)
    small = Spool(str(spool_dir), max_bytes=2500)
    small.keep(event(9, size=2000))
    assert (kept(spool_dir)[-1], spool.dropped()) == ("fd_0009", 2)
    small.keep(event(10, size=2000))
    assert kept(spool_dir) == ["fd_0010"]
    assert spool.dropped() == 6


def test_the_newest_stays_even_when_it_alone_is_over_the_cap(spool_dir: Path) -> None:
    spool = Spool(str(spool_dir), max_bytes=10)
    spool.keep(event(1))
    assert kept(spool_dir) == ["fd_0001"]


def test_dropped_are_told_once(spool_dir: Path) -> None:
    spool = Spool(str(spool_dir))
    assert spool.dropped() == 0
    spool.count_dropped(3)
    told = spool.dropped()
    spool.count_dropped(2)
    spool.forget_dropped(told)
    assert spool.dropped() == 2


@pytest.mark.parametrize("content", [b"", b'{"event_id": "fd_1"', b"[]", b'{"event_id": 7}', b"\xff\xfe", b'"' + b"x" * 300_000])
def test_a_broken_file_is_dropped_and_counted(spool_dir: Path, content: bytes) -> None:
    spool = Spool(str(spool_dir))
    spool.keep(event(1))
    (spool_dir / "00000000000000000001-fd_x.json").write_bytes(content)
    assert spool.read(spool.oldest(1)[0]) is None
    assert (kept(spool_dir), spool.dropped()) == (["fd_0001"], 1)


def test_half_written_files_are_never_seen(spool_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = Spool(str(spool_dir))

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            spool.keep(event(1))
    assert (spool.oldest(5), list(spool_dir.iterdir())) == ([], [])


def test_one_flusher_at_a_time_across_processes_and_after_a_kill(spool_dir: Path) -> None:
    spool = Spool(str(spool_dir))
    with spool.turn() as mine:
        assert not mine, "there is no folder, so there is nothing to flush"
    spool.keep(event(1))
    script = (
        "import sys; from firedamper_airflow.spool import Spool\n"
        "with Spool(sys.argv[1]).turn() as mine:\n"
        "    print(mine, flush=True); sys.stdin.read()"
    )
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1] / "src")}
    other = subprocess.Popen(
        [sys.executable, "-c", script, str(spool_dir)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environ
    )
    assert other.stdout is not None
    assert other.stdin is not None
    assert other.stdout.readline() == b"True\n"
    with spool.turn() as mine:
        assert not mine
    other.kill()
    other.wait()
    other.stdin.close()
    other.stdout.close()
    with spool.turn() as mine:
        assert mine


def test_many_processes_keep_within_the_cap(spool_dir: Path) -> None:
    script = (
        "import sys; from firedamper_airflow.spool import Spool\n"
        "spool = Spool(sys.argv[1], max_files=20)\n"
        "for n in range(40): spool.keep({'event_id': f'fd_{sys.argv[2]}_{n}', 'kind': 'task_failed'})"
    )
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1] / "src")}
    writers = [subprocess.Popen([sys.executable, "-c", script, str(spool_dir), str(number)], env=environ) for number in range(4)]
    assert [writer.wait(30) for writer in writers] == [0, 0, 0, 0]
    spool = Spool(str(spool_dir))
    left = len(kept(spool_dir))
    assert 19 <= left <= 20
    assert left + spool.dropped() == 160


def test_somebody_elses_folder_below_a_shared_one_is_refused(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    (tmp_path / "mine").mkdir()
    (shared / "spool").symlink_to(tmp_path / "mine")
    with pytest.raises(OSError, match="is no folder"):
        Spool(str(shared / "spool")).keep(event(1))
    if os.geteuid() == 0:
        (shared / "theirs").mkdir()
        os.chown(shared / "theirs", 12345, 12345)
        with pytest.raises(PermissionError, match="somebody else"):
            Spool(str(shared / "theirs")).keep(event(1))
