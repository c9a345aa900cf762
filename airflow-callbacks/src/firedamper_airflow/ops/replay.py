"""Which messages of a topic are sent again. What talks to a broker is behind ``Cluster``."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Callable, Mapping, Optional, Protocol, Sequence

from firedamper_airflow.ops.allow import AllowedTopics
from firedamper_airflow.ops.refusal import Refused
from firedamper_airflow.ops.times import instant


@dataclass(frozen=True)
class Range:
    """Offsets of one partition, the end left out."""

    partition: int
    start: int
    end: int


@dataclass(frozen=True)
class Copied:
    messages: int
    #: Already done by an earlier try of the same run
    skipped: int


@dataclass(frozen=True)
class Keep:
    """What a message sent again has in common with itself, besides key, value and headers."""

    partitions: bool
    timestamps: bool


class Cluster(Protocol):
    """The seam: what a replay needs of a Kafka client."""

    def partitions(self, topic: str) -> Optional[list[int]]:
        """None: there is no such topic. Never makes one."""

    def bounds(self, topic: str, partition: int) -> tuple[int, int]:
        """The first offset that is still there, and the one that the next message will have."""

    def offset_at(self, topic: str, partition: int, at: datetime) -> int:
        """Of the first message that is not older; the end where all are."""

    def copy(self, source: str, target: str, ranges: Sequence[Range], keep: Keep) -> dict[int, Copied]:
        """Sends them again, in order within a partition."""

    def close(self) -> None: ...


def replay(connect: Callable[[], Cluster], allowed: AllowedTopics, max_messages: int, asked: Mapping[str, Any]) -> dict[str, Any]:
    source, target, dry = str(asked["topic"]), str(asked["target"]), bool(asked["dry_run"])
    allowed.check(source, target)
    if source == target:
        raise Refused("a topic is not replayed into itself: its readers would get again what they will replay again")
    wanted = _wanted(asked)
    with closing(connect()) as cluster:
        ranges, notes = _ranges(cluster, source, wanted)
        _fits(cluster, ranges, target, bool(asked["keep_partitions"]))
        total = sum(one.end - one.start for one in ranges)
        if not total:
            raise Refused(f"there is no message of {source} in this range")
        if total > max_messages:
            raise Refused(f"the range has up to {total} messages; this DAG replays at most {max_messages} (max_messages)")
        said = {"op": "replay", "topic": source, "target": target, "dry_run": dry, "offsets": total, "notes": notes}
        if dry:
            return {**said, "would_replay": [one.__dict__ for one in ranges]}
        keep = Keep(partitions=bool(asked["keep_partitions"]), timestamps=bool(asked["keep_timestamps"]))
        copied = cluster.copy(source, target, ranges, keep)
    done = [{**one.__dict__, **copied[one.partition].__dict__} for one in ranges if one.partition in copied]
    return {**said, "replayed": done, "messages": sum(one.messages for one in copied.values())}


@dataclass(frozen=True)
class _Wanted:
    start_offset: Optional[int]
    end_offset: Optional[int]
    start_time: Optional[datetime]
    end_time: Optional[datetime]


def _wanted(asked: Mapping[str, Any]) -> dict[Optional[int], _Wanted]:
    """By partition; None stands for every one. Everything that can be refused without a broker is refused here."""
    start, end = instant(asked["start_time"], "start_time"), instant(asked["end_time"], "end_time")
    if asked["partitions"] is None:
        _ordered(start, end, "the range")
        if start is None:
            raise Refused("say where to begin: partitions with offsets, or start_time")
        return {None: _Wanted(None, None, start, end)}
    found: dict[Optional[int], _Wanted] = {}
    for one in asked["partitions"]:
        number = int(one["partition"])
        what = f"partition {number}"
        if number in found:
            raise Refused(f"{what} is named twice")
        own_start, own_end = instant(one.get("start_time"), what), instant(one.get("end_time"), what)
        low, high = one.get("start_offset"), one.get("end_offset")
        for offset, at in ((low, own_start), (high, own_end)):
            if offset is not None and at is not None:
                raise Refused(f"{what}: an offset or a time, not both")
        begin = own_start or (start if low is None else None)
        until = own_end or (end if high is None else None)
        if low is None and begin is None:
            raise Refused(f"{what}: say where to begin: start_offset or start_time")
        if low is not None and high is not None and low >= high:
            raise Refused(f"{what}: start_offset must be below end_offset")
        _ordered(begin, until, what)
        found[number] = _Wanted(low, high, begin, until)
    return found


def _ordered(start: Optional[datetime], end: Optional[datetime], what: str) -> None:
    if start and end and start >= end:
        raise Refused(f"{what}: start_time must be before end_time")


def _ranges(cluster: Cluster, topic: str, wanted: Mapping[Optional[int], _Wanted]) -> tuple[list[Range], list[str]]:
    there = cluster.partitions(topic)
    if there is None:
        raise Refused(f"there is no topic {topic}")
    named = (
        dict.fromkeys(there, wanted[None])
        if None in wanted
        else {number: one for number, one in wanted.items() if number is not None}
    )
    unknown = sorted(named.keys() - set(there))
    if unknown:
        raise Refused(f"{topic} has no partition {', '.join(map(str, unknown))}; it has {len(there)}")
    ranges, notes = [], []
    for number, one in sorted(named.items()):
        low, high = cluster.bounds(topic, number)
        start = one.start_offset if one.start_offset is not None else _at(cluster, topic, number, one.start_time, low)
        end = one.end_offset if one.end_offset is not None else _at(cluster, topic, number, one.end_time, high)
        if start < low:
            raise Refused(f"partition {number}: offset {start} is gone; the first that is still there is {low}")
        if end > high:
            raise Refused(f"partition {number}: offset {end} is not there yet; the end is {high}")
        if start < end:
            ranges.append(Range(number, start, end))
        if one.start_offset is None and start == low and low > 0:
            notes.append(
                f"partition {number}: begins at the oldest message that is still there; older ones of the range may be gone"
            )
    return ranges, notes


def _at(cluster: Cluster, topic: str, partition: int, at: Optional[datetime], otherwise: int) -> int:
    return otherwise if at is None else cluster.offset_at(topic, partition, at)


def _fits(cluster: Cluster, ranges: Sequence[Range], target: str, keep_partitions: bool) -> None:
    there = cluster.partitions(target)
    if there is None:
        raise Refused(f"there is no topic {target}: make it first, a replay makes none")
    lacking = sorted({one.partition for one in ranges} - set(there)) if keep_partitions else []
    if lacking:
        raise Refused(f"{target} has no partition {', '.join(map(str, lacking))}; keep_partitions false sends by the key instead")
