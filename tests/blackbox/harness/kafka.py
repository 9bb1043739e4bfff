"""The tests' own side of Kafka: topics made and changed, records written and read, by another client than the server's
build of librdkafka."""

import contextlib
from dataclasses import dataclass, field

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    ConsumerGroupTopicPartitions,
    KafkaError,
    KafkaException,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic, OffsetSpec

from .waiting import PATIENCE, wait_until


@dataclass
class Record:
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: dict = field(default_factory=dict)

    @property
    def place(self):
        return self.partition, self.offset

    @property
    def source(self):
        """Where a dead letter says that it comes from."""
        return int(self.headers["partition"]), int(self.headers["offset"])


class Kafka:
    """A client of the brokers at `addresses`."""

    def __init__(self, addresses):
        # Quick to return to a broker that was away, for the tests' own sake.
        self._brokers = {
            "bootstrap.servers": addresses,
            "log_level": 0,
            "reconnect.backoff.ms": 50,
            "reconnect.backoff.max.ms": 500,
        }
        self._admin = AdminClient(self._brokers)
        self._refused = []
        self._producer = Producer(
            self._brokers | {"enable.idempotence": True, "linger.ms": 0, "message.max.bytes": 4_000_000}
        )

    # Topics

    def topics(self):
        return set(self._metadata().topics)

    def leaders(self, topic):
        """The broker that leads each partition, -1 where none does."""
        partitions = self._metadata(topic).topics[topic].partitions
        return {number: partition.leader for number, partition in partitions.items()}

    def replicas_in_sync(self, topic):
        partitions = self._metadata(topic).topics[topic].partitions
        return [len(partition.isrs) for partition in partitions.values()]

    def _metadata(self, topic=None):
        """As the first broker that can be asked has it."""
        return wait_until(lambda: _asked(lambda: self._admin.list_topics(topic, timeout=5)), "a broker to answer")

    def create_topic(self, topic, partitions=1, replication=-1, **config):
        config = {name.replace("_", "."): str(value) for name, value in config.items()}
        made = NewTopic(topic, partitions, replication, config=config)

        def is_made():
            _asked(lambda: self._admin.create_topics([made])[topic].result(PATIENCE))
            return topic in self.topics()

        assert topic not in self.topics()
        wait_until(is_made, f"{topic} to be made")
        self._wait_for_leaders(topic, partitions)

    def add_partitions(self, topic, total):
        self._admin.create_partitions([NewPartitions(topic, total)])[topic].result(PATIENCE)
        self._wait_for_leaders(topic, total)
        self._producer.list_topics(topic, timeout=PATIENCE)  # else it knows the old number for minutes

    def delete_topic(self, topic):
        self._admin.delete_topics([topic])[topic].result(PATIENCE)
        wait_until(lambda: topic not in self.topics(), f"{topic} to be gone")

    def delete_records(self, topic, before, partition=0):
        """What retention does, at once: the records of a partition before an offset are gone."""
        place = TopicPartition(topic, partition, before)
        self._admin.delete_records([place])[place].result(PATIENCE)

    def _wait_for_leaders(self, topic, partitions):
        def all_led():
            leaders = self.leaders(topic)
            return len(leaders) == partitions and -1 not in leaders.values()

        wait_until(all_led, f"the {partitions} partitions of {topic} to have leaders")

    # Groups

    def committed(self, group, topic):
        """How far the group has come in each partition; a partition in which it has come nowhere is left out."""
        asked = ConsumerGroupTopicPartitions(group)
        found = self._admin.list_consumer_group_offsets([asked])[group].result(PATIENCE).topic_partitions
        return {one.partition: one.offset for one in found if one.topic == topic and one.offset >= 0}

    def ends(self, topic):
        """The offset that each partition's next record will have."""
        asked = {TopicPartition(topic, partition): OffsetSpec.latest() for partition in self.leaders(topic)}
        return {place.partition: done.result(PATIENCE).offset for place, done in self._admin.list_offsets(asked).items()}

    def rewind(self, group, topic):
        """Sets the group back to the topic's beginning; no member of it may run."""
        places = [TopicPartition(topic, partition, 0) for partition in self.leaders(topic)]
        asked = ConsumerGroupTopicPartitions(group, places)
        for place in self._admin.alter_consumer_group_offsets([asked])[group].result(PATIENCE).topic_partitions:
            assert place.error is None, place.error

    # Records

    def send_all(self, topic, values, within=PATIENCE, **options):
        """Writes records; returns the (partition, offset) of each, which the broker has acknowledged. Options: key,
        partition, headers, timestamp (milliseconds)."""
        places = [None] * len(values)

        def keep(number):
            def acknowledged(error, message):
                assert error is None, error
                places[number] = (message.partition(), message.offset())

            return acknowledged

        for number, value in enumerate(values):
            while not self._try_to_produce(topic, value, keep(number), options):
                self._producer.poll(0.1)
        assert self._producer.flush(within) == 0, "not all records were acknowledged"
        return places

    def send(self, topic, value, **options):
        return self.send_all(topic, [value], **options)[0]

    def send_soon(self, topic, value, **options):
        """Writes a record without waiting for the broker; a record that it does not take fails the flush()."""

        def acknowledged(error, _):
            if error is not None:
                self._refused.append(error)

        while not self._try_to_produce(topic, value, acknowledged, options):
            self._producer.poll(0.1)

    def flush(self, within=60):
        left = self._producer.flush(within)
        assert left == 0 and not self._refused, f"{left} records were not acknowledged; {self._refused[:3]}"

    def _try_to_produce(self, topic, value, acknowledged, options):
        try:
            self._producer.produce(topic, value, on_delivery=acknowledged, **options)
        except BufferError:
            return False
        self._producer.poll(0)
        return True

    def read(self, topic):
        """All records that a topic has, in the order of their partitions."""
        quick = {"fetch.wait.max.ms": 10, "enable.partition.eof": True}
        consumer = Consumer(self._brokers | quick | {"group.id": "tests", "enable.auto.commit": False})
        try:
            left = set(self.leaders(topic))
            consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in left])
            records = []
            while left:
                for message in consumer.consume(1000, 0.02):
                    if message.error() is None:
                        records.append(_record(message))
                    else:
                        assert message.error().code() == KafkaError._PARTITION_EOF, message.error()
                        left.discard(message.partition())
        finally:
            consumer.close()
        return sorted(records, key=lambda record: record.place)

    def wait_for(self, topic, count, within=PATIENCE):
        """All records of a topic, as soon as there are so many."""
        return wait_until(
            lambda: topic in self.topics() and len(records := self.read(topic)) >= count and records,
            f"{count} records in {topic}",
            within,
        )


def _asked(question):
    """The answer, or nothing: for questions to brokers that come and go, which are asked until they are answered."""
    with contextlib.suppress(KafkaException):
        return question()


def _record(message):
    headers = {name: (value or b"").decode(errors="replace") for name, value in message.headers() or []}
    return Record(message.partition(), message.offset(), message.key(), message.value(), headers)
