"""Several nodes on one topic: any of them reaches any user, and a client that loses one goes on at another."""

import contextlib
import itertools
import random
import signal
import threading
import time

import pytest

from harness.event_stream import Stream
from harness.server import target
from harness.v3 import messages_until, opened, publish
from harness.waiting import wait_until
from harness.wire import Closed

PARTITIONS = 12
RATE = 1000  # records a second
AMPLE = {"history.size": 1_000_000, "history.bytes": "256MiB", "history.memory": "1GiB", "stream.buffer": "64MiB"}


@pytest.fixture
def two_nodes(start_node, kafka, topic):
    kafka.create_topic(topic, PARTITIONS)
    return start_node(AMPLE), start_node(AMPLE)


def test_a_post_to_one_node_arrives_at_the_other(two_nodes):
    for here, there in itertools.permutations(two_nodes):
        stream = opened(there, "a")
        publish(here, "a", "from the other", event="greeting")
        event = stream.next_event()
        assert (event.type, event.data) == ("greeting", "from the other")


def test_a_post_to_everyone_arrives_at_streams_of_all_nodes(two_nodes):
    streams = [opened(node, f"user-{number}") for node in two_nodes for number in range(3)]
    publish(two_nodes[0], "*", "to all")
    for stream in streams:
        assert stream.next_event().data == "to all"


def test_an_id_of_one_node_is_good_at_the_other(two_nodes, kafka, topic):
    here, there = two_nodes
    stream = opened(here, "a")
    sent = [str(number) for number in range(120)]
    for number in sent:
        kafka.send(topic, f"a:{number}", partition=int(number) % PARTITIONS)
    events = stream.take(len(sent))
    assert sorted(event.data for event in events) == sorted(sent)
    for at in 0, 50, 118:
        again = opened(there, "a", last_event_id=events[at].last_event_id)
        assert sorted(again.take_data(119 - at)) == sorted(event.data for event in events[at + 1 :])


def test_a_node_that_lags_leaves_out_what_an_id_of_another_covers(two_nodes, kafka, topic):
    ahead, behind = two_nodes
    stream = opened(ahead, "a")
    behind.process.send_signal(signal.SIGSTOP)
    try:
        for partition in range(PARTITIONS):
            kafka.send_all(topic, [f"a:{partition} {number}" for number in range(500)], partition=partition)
        had = stream.take(4000)
    finally:
        behind.process.send_signal(signal.SIGCONT)
    again = opened(behind, "a", last_event_id=had[-1].last_event_id)
    assert_each_once_and_in_order([event.data for event in had] + again.take_data(2000), [500] * PARTITIONS)
    publish(ahead, "a", "live")
    assert again.next_event().data == "live"


# A client that loses its node again and again


class Producer(threading.Thread):
    """Writes records for one user with null keys to partitions at random, at the rate, until told to stop. The records
    of each partition are numbered: `written` says how many each has."""

    def __init__(self, kafka, topic, user, chance):
        super().__init__()
        self.written = [0] * PARTITIONS
        self._kafka, self._topic, self._user, self._chance = kafka, topic, user, chance
        self._told_to_stop = threading.Event()

    def run(self):
        began, count = time.monotonic(), 0
        while not self._told_to_stop.is_set():
            due = int((time.monotonic() - began) * RATE) - count
            for _ in range(due):
                partition = self._chance.randrange(PARTITIONS)
                value = f"{self._user}:{partition} {self.written[partition]}"
                self._kafka.send_soon(self._topic, value, partition=partition)
                self.written[partition] += 1
            count += due
            self._told_to_stop.wait(0.002)

    def stop(self):
        self._told_to_stop.set()
        self.join()
        self._kafka.flush()


def assert_each_once_and_in_order(data, written):
    """Of each partition all records, each once and in order."""
    seen = [[] for _ in written]
    for one in data:
        partition, number = map(int, one.split())
        seen[partition].append(number)
    for partition, count in enumerate(written):
        wrong = [(at, number) for at, number in enumerate(seen[partition]) if number != at]
        assert not wrong, f"of partition {partition} came, at place and number, {wrong[:5]}"
        assert len(seen[partition]) == count, f"of partition {partition} came {len(seen[partition])} of {count}"


class Client:
    """Reads a user's stream at whatever node it is sent to, and keeps the messages that it read and the last id."""

    def __init__(self, node, user):
        self.data, self._user = [], user
        self._stream = opened(node, user)

    def read(self, count):
        """Reads so many events, or fewer when the stream ends."""
        for _ in range(count):
            event = self._stream.next_event()
            if event is None:
                return
            self._keep(event)

    def read_up(self, count):
        while len(self.data) < count:
            event = self._stream.next_event()
            assert event is not None, f"the stream ended ({self._stream.ended})"
            self._keep(event)

    def _keep(self, event):
        assert event.type in ("message", "stream-position"), f"{event} {event.block}"
        if event.type == "message":
            self.data.append(event.data)

    def go_to(self, node):
        """Resumes there as an EventSource does, as soon as the node takes it."""
        position = self._stream.last_event_id
        self._stream.close()
        self._stream = wait_until(lambda: self._resume(node, position), "the node to take the stream")

    def _resume(self, node, position):
        with contextlib.suppress(ConnectionRefusedError, Closed):
            stream = Stream(
                node.connect(),
                target("/v3/sse", username=self._user),
                {"Accept": "text/event-stream", "Last-Event-ID": position},
            )
            event = stream.next_event()
            if event.type == "stream-open":
                return stream
            assert event.type == "stream-close", f"{event} {event.block}"
            stream.close()
        return None


def read_through_kills(nodes, kafka, topic, seed, kills):
    """The client's node is killed `kills` times while records come; it goes on at the next node, and the killed one
    comes back. Returns (the messages, how many records each partition got)."""
    chance = random.Random(seed)
    producer = Producer(kafka, topic, "a", random.Random(chance.random()))
    client = Client(nodes[0], "a")
    turns = itertools.cycle(nodes)
    node = next(turns)
    producer.start()
    try:
        for _ in range(kills):
            client.read(chance.randrange(1, 2 * RATE))
            node.stop(signal.SIGKILL)
            client.read(chance.randrange(200))  # some of what had been sent; the rest is lost with the connection
            node.spawn()
            node = next(turns)
            client.go_to(node)
    finally:
        producer.stop()
    client.read_up(sum(producer.written))
    for each in nodes:
        each.wait_until_up("/healthz")  # one that is only just starting could not be ended in good order
    return client.data, producer.written


KILLS = [5, pytest.param(50, marks=pytest.mark.prove)]


@pytest.mark.timeout(900)
@pytest.mark.parametrize("kills", KILLS)
def test_a_client_that_loses_its_node_goes_on_at_the_other(two_nodes, kafka, topic, seed, kills):
    data, written = read_through_kills(two_nodes, kafka, topic, seed, kills)
    assert_each_once_and_in_order(data, written)
    print(f"{kills} kills, {len(data)} records in {PARTITIONS} partitions, each once and in order")


@pytest.mark.timeout(900)
@pytest.mark.parametrize("kills", KILLS)
def test_a_client_goes_on_at_its_only_node_when_that_is_back(start_node, kafka, topic, seed, kills):
    kafka.create_topic(topic, PARTITIONS)
    data, written = read_through_kills([start_node(AMPLE)], kafka, topic, seed, kills)
    assert_each_once_and_in_order(data, written)
    print(f"{kills} kills, {len(data)} records in {PARTITIONS} partitions, each once and in order")


def test_posts_that_were_answered_before_a_kill_arrive_after_it(two_nodes):
    killed, other = two_nodes
    stream = opened(other, "a")
    with killed.connect() as connection:
        for number in range(200):
            publish(killed, "a", str(number), connection=connection)
    killed.stop(signal.SIGKILL)
    assert messages_until(stream, "199") == [str(number) for number in range(200)]
