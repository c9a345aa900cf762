# ruff: noqa: E501  a table of cases
"""Which messages a replay takes: decided without a broker."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Optional

import pytest

from firedamper_airflow.ops import conf
from firedamper_airflow.ops.allow import AllowedTopics
from firedamper_airflow.ops.refusal import Refused
from firedamper_airflow.ops.replay import Copied, Range, replay

ALLOWED = AllowedTopics({"orders": ["again", "small"]})
BASE = datetime.fromisoformat("2026-01-01T00:00:00+00:00")


class Cluster:
    """A topic of three partitions with offsets 10 to 20, one message a second since BASE."""

    def __init__(self) -> None:
        self.copied: Optional[list[Range]] = None
        self.closed = False

    def partitions(self, topic: str) -> Optional[list[int]]:
        return {"orders": [0, 1, 2], "again": [0, 1, 2], "small": [0]}.get(topic)

    def bounds(self, topic: str, partition: int) -> tuple[int, int]:
        return 10, 20

    def offset_at(self, topic: str, partition: int, at: datetime) -> int:
        return min(max(10, int((at - BASE).total_seconds())), 20)

    def copy(self, source: str, target: str, ranges: Any, keep: Any) -> dict[int, Copied]:
        self.copied = list(ranges)
        return {one.partition: Copied(one.end - one.start, 0) for one in ranges}

    def close(self) -> None:
        self.closed = True


def act(cluster: Cluster, **asked: Any) -> dict[str, Any]:
    whole = conf.checked(conf.REPLAY, {"topic": "orders", "target": "again", "dry_run": False, **asked})
    return replay(lambda: cluster, ALLOWED, 25, whole)


@pytest.mark.parametrize(
    ("asked", "ranges"),
    [
        ({"partitions": [{"partition": 1, "start_offset": 12, "end_offset": 15}]}, [Range(1, 12, 15)]),
        ({"partitions": [{"partition": 1, "start_offset": 12}]}, [Range(1, 12, 20)]),
        ({"start_time": "2026-01-01T00:00:15Z"}, [Range(0, 15, 20), Range(1, 15, 20), Range(2, 15, 20)]),
        (
            {"partitions": [{"partition": 0}, {"partition": 2, "start_offset": 18}], "start_time": "2026-01-01T00:00:11Z", "end_time": "2026-01-01T00:00:19Z"},
            [Range(0, 11, 19), Range(2, 18, 19)],
        ),
        ({"partitions": [{"partition": 0, "start_time": "2026-01-01T00:00:12Z", "end_offset": 13}]}, [Range(0, 12, 13)]),
    ],
)  # fmt: skip
def test_ranges(asked: Any, ranges: list[Range]) -> None:
    cluster = Cluster()
    assert act(cluster, **asked)["messages"] == sum(one.end - one.start for one in ranges)
    assert cluster.copied == ranges
    assert cluster.closed


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({}, "say where to begin"),
        ({"end_time": "2026-01-01T00:00:15Z"}, "say where to begin"),
        ({"partitions": [{"partition": 0, "end_offset": 12}]}, "say where to begin"),
        ({"partitions": [{"partition": 0, "start_offset": 12, "end_offset": 12}]}, "must be below"),
        ({"partitions": [{"partition": 0, "start_offset": 12, "start_time": "2026-01-01T00:00:15Z"}]}, "not both"),
        ({"partitions": [{"partition": 0, "start_offset": 12}, {"partition": 0, "start_offset": 15}]}, "named twice"),
        ({"start_time": "2026-01-01T00:00:15Z", "end_time": "2026-01-01T00:00:15Z"}, "must be before"),
        ({"start_time": "2026-01-01T00:00:15"}, "no offset|date-time"),
        ({"partitions": [{"partition": 3, "start_offset": 12}]}, "no partition 3; it has 3"),
        ({"partitions": [{"partition": 0, "start_offset": 9}]}, "offset 9 is gone"),
        ({"partitions": [{"partition": 0, "start_offset": 12, "end_offset": 21}]}, "not there yet"),
        ({"start_time": "2026-01-01T00:00:00Z"}, "up to 30 messages; this DAG replays at most 25"),
        ({"target": "small", "start_time": "2026-01-01T00:00:15Z"}, "has no partition 1, 2"),
        ({"target": "orders", "start_time": "2026-01-01T00:00:15Z"}, "may not be replayed"),
    ],
)
def test_refused(asked: Any, why: str) -> None:
    cluster = Cluster()
    with pytest.raises(Refused, match=why):
        act(cluster, **asked)
    assert cluster.copied is None


def test_a_start_that_may_be_lost_is_told() -> None:
    (note,) = act(Cluster(), partitions=[{"partition": 0}], start_time="2025-12-31T00:00:00Z")["notes"]
    assert "older ones of the range may be gone" in note
