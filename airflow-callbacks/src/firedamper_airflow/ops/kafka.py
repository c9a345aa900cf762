"""The seam of a replay, with the client of apache-airflow-providers-apache-kafka (confluent-kafka, librdkafka).

Messages and progress are one Kafka transaction per batch: readers of committed messages get each message of a range once, also when
the task was killed in the middle and the run is cleared. The progress is what the consumer group of this run has committed.
"""

from __future__ import annotations

import re
import time
from datetime import datetime
from typing import Any, Mapping, Optional, Sequence

from firedamper_airflow.ops.refusal import Refused
from firedamper_airflow.ops.replay import Copied, Keep, Range

_BATCH = 5_000
_ANSWER_S = 20.0
_STALL_S = 60.0


class KafkaCluster:
    """``run`` names this run of the DAG: a second try of it goes on where the first one stopped, and shuts the first one out."""

    def __init__(self, conn_id: str, run: str, config: Optional[Mapping[str, Any]] = None) -> None:
        self._config = dict(config) if config is not None else _config_of(conn_id)
        self._id = "firedamper-replay." + re.sub(r"[^A-Za-z0-9._-]", "_", run)[:200]
        self._reader: Any = None

    def partitions(self, topic: str) -> Optional[list[int]]:
        found = self._consumer().list_topics(topic, timeout=_ANSWER_S).topics.get(topic)
        return None if found is None or found.error is not None else sorted(found.partitions)

    def bounds(self, topic: str, partition: int) -> tuple[int, int]:
        low, high = self._consumer().get_watermark_offsets(_partition(topic, partition), timeout=_ANSWER_S)
        return int(low), int(high)

    def offset_at(self, topic: str, partition: int, at: datetime) -> int:
        asked = _partition(topic, partition, int(at.timestamp() * 1000))
        (found,) = self._consumer().offsets_for_times([asked], timeout=_ANSWER_S)
        if found.error is not None:
            raise RuntimeError(f"offsets of {topic}: {found.error}")
        return int(found.offset) if found.offset >= 0 else self.bounds(topic, partition)[1]  # negative: all messages are older

    def copy(self, source: str, target: str, ranges: Sequence[Range], keep: Keep) -> dict[int, Copied]:
        from confluent_kafka import Producer  # type: ignore[import-not-found,unused-ignore]

        producer = Producer({**self._config, "transactional.id": self._id, "enable.idempotence": True, "linger.ms": 20})
        producer.init_transactions(
            _ANSWER_S
        )  # shuts out an earlier process of the same run, and waits for its last transaction to end
        copy = _Copy(self._consumer(), producer, source, target, ranges, keep)
        return copy.run()

    def close(self) -> None:
        if self._reader is not None:
            self._reader.close()

    def _consumer(self) -> Any:
        if self._reader is None:
            from confluent_kafka import Consumer

            own = {
                "group.id": self._id,
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "isolation.level": "read_committed",  # what was rolled back was never said
                "enable.partition.eof": True,
                "auto.offset.reset": "error",
                "allow.auto.create.topics": False,  # else asking for a topic makes it, where the broker has Kafka's default
            }
            self._reader = Consumer({**self._config, **own})
        return self._reader


class _Copy:
    """One replay under way."""

    def __init__(self, consumer: Any, producer: Any, source: str, target: str, ranges: Sequence[Range], keep: Keep) -> None:
        self._consumer, self._producer = consumer, producer
        self._source, self._target, self._keep = source, target, keep
        self._ranges = {one.partition: one for one in ranges}
        self._next = self._resumed()
        self._sent = dict.fromkeys(self._ranges, 0)
        self._pending = {number for number, at in self._next.items() if at < self._ranges[number].end}
        self._failed: list[str] = []

    def run(self) -> dict[int, Copied]:
        begun = {number: at - self._ranges[number].start for number, at in self._next.items()}
        self._consumer.assign([_partition(self._source, number, self._next[number]) for number in sorted(self._pending)])
        while self._pending:
            self._producer.begin_transaction()
            try:
                self._fill()
                positions = [_partition(self._source, number, at) for number, at in self._next.items()]
                self._producer.send_offsets_to_transaction(positions, self._consumer.consumer_group_metadata(), _ANSWER_S)
                self._producer.commit_transaction(_STALL_S)
            except BaseException:
                self._abort()
                raise
            if self._failed:
                raise RuntimeError(f"not delivered: {self._failed[0]}")
        return {number: Copied(self._sent[number], begun[number]) for number in self._ranges}

    def _resumed(self) -> dict[int, int]:
        asked = [_partition(self._source, number) for number in self._ranges]
        committed = {one.partition: int(one.offset) for one in self._consumer.committed(asked, timeout=_ANSWER_S)}
        return {number: min(max(one.start, committed.get(number, -1)), one.end) for number, one in self._ranges.items()}

    def _fill(self) -> None:
        """One transaction's worth of messages."""
        taken, heard = 0, time.monotonic()
        while self._pending and taken < _BATCH:
            messages = self._consumer.consume(num_messages=500, timeout=1.0)
            if messages:
                heard = time.monotonic()
            elif time.monotonic() - heard > _STALL_S:
                raise RuntimeError(f"no message of {self._source} for {_STALL_S:.0f} s")
            for message in messages:
                taken += self._take(message)

    def _take(self, message: Any) -> int:
        from confluent_kafka import KafkaError

        number, error = message.partition(), message.error()
        if error is not None:
            if error.code() != KafkaError._PARTITION_EOF:
                raise RuntimeError(f"reading {self._source}: {error}")
            self._finish(number)  # what is left of the range are the marks of transactions, or messages that were compacted away
            return 0
        if number not in self._pending:
            return 0
        if message.offset() >= self._ranges[number].end:
            self._finish(number)
            return 0
        self._send(message)
        self._next[number] = message.offset() + 1
        self._sent[number] += 1
        if self._next[number] >= self._ranges[number].end:
            self._finish(number)
        return 1

    def _finish(self, number: int) -> None:
        if number in self._pending:
            self._pending.discard(number)
            self._next[number] = self._ranges[number].end
            self._consumer.pause([_partition(self._source, number)])

    def _send(self, message: Any) -> None:
        kind, at = message.timestamp()
        where = f"{self._source}/{message.partition()}/{message.offset()}"
        headers = [*(message.headers() or []), ("firedamper-replay-of", where.encode())]
        more: dict[str, Any] = {"timestamp": at} if kind != 0 and self._keep.timestamps else {}  # 0: the message has none
        if self._keep.partitions:
            more["partition"] = message.partition()
        while True:
            try:
                self._producer.produce(
                    self._target, value=message.value(), key=message.key(), headers=headers, on_delivery=self._delivered, **more
                )
                break
            except BufferError:
                self._producer.poll(0.5)  # the queue is full
        self._producer.poll(0)

    def _delivered(self, error: Any, _message: Any) -> None:
        if error is not None:
            self._failed.append(str(error))

    def _abort(self) -> None:
        try:
            self._producer.abort_transaction(_ANSWER_S)
        except Exception:
            pass  # the broker ends it after transaction.timeout.ms; the error that led here is the one to tell


def _partition(topic: str, partition: int, offset: Optional[int] = None) -> Any:
    from confluent_kafka import TopicPartition

    return TopicPartition(topic, partition) if offset is None else TopicPartition(topic, partition, offset)


def _config_of(conn_id: str) -> dict[str, Any]:
    """The connection's own configuration, with what the provider's hook adds to it (tokens of managed services)."""
    try:
        from airflow.providers.apache.kafka.hooks.base import KafkaBaseHook
    except ImportError:
        raise Refused(
            "apache-airflow-providers-apache-kafka is not installed: pip install 'airflow-provider-firedamper[kafka]'"
        ) from None

    class Configuration(KafkaBaseHook):  # type: ignore[misc,unused-ignore]
        def _get_client(self, config: dict[str, Any]) -> dict[str, Any]:
            return config

    found: dict[str, Any] = dict(Configuration(kafka_config_id=conn_id).get_conn)
    return found
