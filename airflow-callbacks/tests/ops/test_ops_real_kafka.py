"""Replays on a real Apache Kafka."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any, Optional

import confluent_kafka
import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from firedamper_airflow.ops import kafka
from firedamper_airflow.ops.allow import AllowedTopics
from firedamper_airflow.ops.kafka import KafkaCluster
from firedamper_airflow.ops.refusal import Refused
from firedamper_airflow.ops.replay import replay

CONFIG = {"bootstrap.servers": os.environ.get("FIREDAMPER_OPS_KAFKA", "")}
ALLOWED = AllowedTopics({"orders-*": ["replay-*", "orders-*"]})
HOUR = 3_600_000
NOON = int(datetime(2026, 1, 31, 12, tzinfo=timezone.utc).timestamp() * 1000)


class Topics:
    def __init__(self) -> None:
        self.mark = uuid.uuid4().hex[:8]
        self.source, self.target = f"orders-{self.mark}", f"replay-{self.mark}"
        self.admin = AdminClient(CONFIG)

    def make(self, name: str, partitions: int, **config: str) -> None:
        # The messages of these tests are old: with Kafka's own 7 days the broker deletes them in the middle of a slow test.
        settings = {"retention.ms": "-1", **config}
        for future in self.admin.create_topics([NewTopic(name, partitions, 1, config=settings)]).values():
            future.result(20)

    def fill(self, count: int, partition: int, start: int = NOON, value: Optional[bytes] = None) -> None:
        """One message an hour."""
        producer = confluent_kafka.Producer(CONFIG)
        for number in range(count):
            text = f"{partition}:{number}"
            producer.produce(
                self.source,
                value=value if value is not None else text.encode(),
                key=f"k{number}".encode(),
                partition=partition,
                timestamp=start + number * HOUR,
                headers=[("trace", text.encode())],
            )
        assert producer.flush(20) == 0

    def read(self, topic: Optional[str] = None) -> list[Any]:
        """Everything that a reader of committed messages gets, by partition and offset."""
        own = {"group.id": uuid.uuid4().hex, "isolation.level": "read_committed", "enable.partition.eof": True}
        consumer = confluent_kafka.Consumer({**CONFIG, **own, "auto.offset.reset": "earliest", "enable.auto.commit": False})
        name = topic or self.target
        numbers = list(consumer.list_topics(name, timeout=20).topics[name].partitions)
        consumer.assign([confluent_kafka.TopicPartition(name, number, 0) for number in numbers])
        found, ended = [], 0
        while ended < len(numbers):
            message = consumer.poll(20)
            assert message is not None, "the broker is silent"
            if message.error() is None:
                found.append(message)
            else:
                assert message.error().code() == confluent_kafka.KafkaError._PARTITION_EOF
                ended += 1
        consumer.close()
        return sorted(found, key=lambda message: (message.partition(), message.offset()))

    def exists(self, name: str) -> bool:
        return name in self.admin.list_topics(timeout=20).topics


@pytest.fixture
def topics() -> Topics:
    made = Topics()
    made.make(made.source, 2)
    made.make(made.target, 2)
    return made


def act(topics: Topics, run: Optional[str] = None, most: int = 1_000_000, **asked: Any) -> dict[str, Any]:
    whole = {
        **{"topic": topics.source, "target": topics.target, "partitions": None, "start_time": None, "end_time": None},
        **{"keep_partitions": True, "keep_timestamps": True, "dry_run": False, **asked},
    }
    return replay(lambda: KafkaCluster("", run or uuid.uuid4().hex, CONFIG), ALLOWED, most, whole)


def values(messages: Sequence[Any]) -> list[str]:
    return [message.value().decode() for message in messages]


def test_a_range_arrives_once_with_everything_that_a_message_has(topics: Topics) -> None:
    topics.fill(10, 0)
    topics.fill(10, 1)
    done = act(topics, partitions=[{"partition": 0, "start_offset": 2, "end_offset": 5}, {"partition": 1, "start_offset": 8}])
    found = topics.read()
    assert values(found) == ["0:2", "0:3", "0:4", "1:8", "1:9"]
    assert done["messages"] == 5
    assert done["replayed"][0] == {"partition": 0, "start": 2, "end": 5, "messages": 3, "skipped": 0}
    first = found[0]
    assert (first.key(), first.partition()) == (b"k2", 0)
    assert first.timestamp()[1] == NOON + 2 * HOUR
    assert dict(first.headers()) == {"trace": b"0:2", "firedamper-replay-of": f"{topics.source}/0/2".encode()}


def test_the_time_of_the_replay_where_that_is_wanted(topics: Topics) -> None:
    topics.fill(1, 0)
    act(topics, partitions=[{"partition": 0, "start_offset": 0}], keep_timestamps=False)
    (message,) = topics.read()
    assert abs(message.timestamp()[1] / 1000 - time.time()) < 60


def test_a_range_of_time(topics: Topics) -> None:
    topics.fill(10, 0)
    topics.fill(3, 1)
    act(topics, start_time="2026-01-31T14:00:00Z", end_time="2026-01-31T18:00:00+02:00")
    assert values(topics.read()) == ["0:2", "0:3", "1:2"]


def test_a_dry_run_sends_nothing(topics: Topics) -> None:
    topics.fill(10, 0)
    said = act(topics, start_time="2026-01-31T14:00:00Z", dry_run=True)
    assert said["would_replay"] == [{"partition": 0, "start": 2, "end": 10}]
    assert said["offsets"] == 8
    assert topics.read() == []


def test_tombstones_and_what_was_rolled_back(topics: Topics) -> None:
    topics.fill(1, 0)
    producer = confluent_kafka.Producer({**CONFIG, "transactional.id": topics.mark})
    producer.init_transactions(20)
    for text, good in (("rolled back", False), ("said", True)):
        producer.begin_transaction()
        producer.produce(topics.source, value=text, partition=0)
        producer.flush(20)
        producer.commit_transaction(20) if good else producer.abort_transaction(20)
    plain = confluent_kafka.Producer(CONFIG)
    plain.produce(topics.source, key=b"gone", value=None, partition=0)
    plain.flush(20)
    done = act(topics, partitions=[{"partition": 0, "start_offset": 0}])
    assert [message.value() for message in topics.read()] == [b"0:0", b"said", None]
    assert done["messages"] == 3
    assert done["offsets"] == 6, "the marks of the two transactions count as offsets, not as messages"


def test_a_range_that_ends_with_marks_only_comes_to_its_end(topics: Topics) -> None:
    producer = confluent_kafka.Producer({**CONFIG, "transactional.id": topics.mark})
    producer.init_transactions(20)
    producer.begin_transaction()
    producer.produce(topics.source, value="one", partition=0)
    producer.commit_transaction(20)
    topics.fill(2, 0)
    assert act(topics, partitions=[{"partition": 0, "start_offset": 0, "end_offset": 2}])["messages"] == 1
    assert values(topics.read()) == ["one"]


def test_a_topic_that_ends_with_a_mark_comes_to_its_end(topics: Topics) -> None:
    topics.fill(1, 0)
    producer = confluent_kafka.Producer({**CONFIG, "transactional.id": topics.mark})
    producer.init_transactions(20)
    producer.begin_transaction()
    producer.produce(topics.source, value="last", partition=0)
    producer.commit_transaction(20)
    started = time.monotonic()
    assert act(topics, partitions=[{"partition": 0, "start_offset": 0, "end_offset": 3}])["messages"] == 2
    assert values(topics.read()) == ["0:0", "last"]
    assert time.monotonic() - started < 30


def test_by_the_key_into_another_number_of_partitions(topics: Topics) -> None:
    one = f"replay-one-{topics.mark}"
    topics.make(one, 1)
    topics.fill(2, 0)
    topics.fill(2, 1)
    where = {"target": one, "start_time": "2026-01-01T00:00:00Z"}
    with pytest.raises(Refused, match="has no partition 1"):
        act(topics, **where)
    assert act(topics, keep_partitions=False, **where)["messages"] == 4
    assert sorted(values(topics.read(one))) == ["0:0", "0:1", "1:0", "1:1"]


def test_refused_before_anything_is_sent(topics: Topics) -> None:
    topics.fill(3, 0)
    offsets = {"partition": 0, "start_offset": 0, "end_offset": 2}
    cases: list[tuple[dict[str, Any], str]] = [
        ({"partitions": [{**offsets, "end_offset": 4}]}, "offset 4 is not there yet; the end is 3"),
        ({"partitions": [{**offsets, "partition": 7}]}, "has no partition 7"),
        ({"partitions": [offsets], "target": "elsewhere"}, "may not be replayed into elsewhere"),
        ({"partitions": [offsets], "target": f"replay-none-{topics.mark}"}, "make it first"),
        ({"partitions": [offsets], "topic": f"orders-none-{topics.mark}"}, "there is no topic"),
        ({"partitions": [offsets], "target": topics.source}, "into itself"),
        ({"start_time": "2027-01-31T14:00:00Z"}, "there is no message"),
    ]
    for asked, why in cases:
        with pytest.raises(Refused, match=why):
            act(topics, **asked)
    with pytest.raises(Refused, match="at most 1 "):
        act(topics, most=1, partitions=[offsets])
    assert topics.read() == []
    assert not topics.exists(f"replay-none-{topics.mark}")
    assert not topics.exists(f"orders-none-{topics.mark}")


def test_what_retention_took_is_named(topics: Topics) -> None:
    topics.fill(5, 0)
    gone = topics.admin.delete_records([confluent_kafka.TopicPartition(topics.source, 0, 3)])
    for future in gone.values():
        future.result(20)
    with pytest.raises(Refused, match="offset 1 is gone; the first that is still there is 3"):
        act(topics, partitions=[{"partition": 0, "start_offset": 1}])
    said = act(topics, start_time="2026-01-31T12:00:00Z")
    assert said["notes"] == ["partition 0: begins at the oldest message that is still there; older ones of the range may be gone"]
    assert values(topics.read()) == ["0:3", "0:4"]


def test_a_second_try_of_a_run_goes_on_where_the_first_one_stopped(topics: Topics, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka, "_BATCH", 500)
    topics.fill(2_000, 0)
    sent: list[int] = []
    real = kafka._Copy._send

    def cut(self: Any, message: Any) -> None:
        real(self, message)
        sent.append(message.offset())
        if len(sent) == 1_234:
            raise ConnectionError("the line is cut")

    whole = [{"partition": 0, "start_offset": 0, "end_offset": 2_000}]
    monkeypatch.setattr(kafka._Copy, "_send", cut)
    with pytest.raises(ConnectionError):
        act(topics, run="r1", partitions=whole)
    monkeypatch.setattr(kafka._Copy, "_send", real)
    begun = len(topics.read())
    assert begun == 1_000, "whole batches or nothing"
    done = act(topics, run="r1", partitions=whole)
    assert done["replayed"][0]["skipped"] == begun
    assert values(topics.read()) == [f"0:{number}" for number in range(2_000)]
    assert act(topics, run="r1", partitions=whole)["messages"] == 0, "a third try has nothing left to do"
    assert len(topics.read()) == 2_000


KILLED = """
import os, sys
from firedamper_airflow.ops import kafka
from firedamper_airflow.ops.replay import Keep, Range
kafka._BATCH = 500
cluster = kafka.KafkaCluster("", "killed", {"bootstrap.servers": os.environ["FIREDAMPER_OPS_KAFKA"]})
real = kafka._Copy._send
def send(self, message):
    real(self, message)
    if message.offset() == 700:
        self._producer.flush(10)
        print("here", flush=True)
        sys.stdin.read()
kafka._Copy._send = send
cluster.copy(sys.argv[1], sys.argv[2], [Range(0, 0, 2000)], Keep(True, True))
"""


def test_a_task_that_was_killed_in_the_middle(topics: Topics) -> None:
    topics.fill(2_000, 0)
    command = [sys.executable, "-c", KILLED, topics.source, topics.target]
    env = {**os.environ, "PYTHONPATH": "src", "FIREDAMPER_OPS_KAFKA": CONFIG["bootstrap.servers"]}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env) as task:
        assert task.stdout
        assert task.stdout.readline() == b"here\n"
        task.kill()
    started = time.monotonic()
    done = act(topics, run="killed", partitions=[{"partition": 0, "start_offset": 0, "end_offset": 2_000}])
    assert done["replayed"][0]["skipped"] == 500
    assert values(topics.read()) == [f"0:{number}" for number in range(2_000)]
    assert time.monotonic() - started < 30


def test_a_broker_that_is_not_there_fails_in_bounded_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka, "_ANSWER_S", 2.0)
    asked = {
        **{"topic": "orders-1", "target": "replay-1", "partitions": [{"partition": 0, "start_offset": 0}]},
        **{"start_time": None, "end_time": None, "keep_partitions": True, "keep_timestamps": True, "dry_run": True},
    }
    started = time.monotonic()
    with pytest.raises(confluent_kafka.KafkaException):
        replay(lambda: KafkaCluster("", "x", {"bootstrap.servers": "127.0.0.1:9"}), ALLOWED, 10, asked)
    assert time.monotonic() - started < 10
