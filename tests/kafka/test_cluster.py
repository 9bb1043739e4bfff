"""Three brokers, of which one may be lost at any time."""

import random
import re
import signal

import pytest

from harness.kafka import Kafka
from harness.outages import (
    DRAINED_WITHIN,
    LONG,
    assert_each_202_once_and_each_503_at_most_once,
    publish_when_it_is_taken,
    wait_for_more,
    wait_until_ready,
    writing,
)
from harness.v3 import messages_until, node_settings, opened, publish
from harness.waiting import wait_until


@pytest.fixture
def kafka(three_brokers):
    return Kafka(",".join(one.address for one in three_brokers))


@pytest.fixture
def start_node(three_brokers, start_server, topic):
    def start(settings=None, **options):
        return start_server(node_settings(three_brokers, topic, settings), **options)

    return start


def wait_until_whole(kafka, topic, copies=3):
    """Until every partition has a leader and all its copies."""

    def is_whole():
        return set(kafka.replicas_in_sync(topic)) == {copies} and -1 not in kafka.leaders(topic).values()

    wait_until(is_whole, "the cluster to be whole", LONG)


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("kills", [1, pytest.param(15, marks=pytest.mark.prove)])
def test_when_leaders_are_killed_each_202_arrives_once_and_each_503_at_most_once(
    start_node, three_brokers, topic, kafka, seed, kills
):
    chance = random.Random(seed)
    kafka.create_topic(topic, 6)
    settings = {"stream.buffer": "64MiB", "history.bytes": "256MiB", "history.size": 1_000_000}
    node, other = start_node(settings), start_node(settings)
    streams = [opened(one, "a") for one in (node, other)]
    partition, _ = publish(node, "a", "first")
    with writing(node) as writers:
        for number in range(kills):
            wait_for_more(writers, "taken", 20)
            leader = kafka.leaders(topic)[partition] if number == 0 else chance.randrange(1, 4)
            three_brokers[leader - 1].stop(signal.SIGKILL)
            wait_for_more(writers, "taken", 20)
            three_brokers[leader - 1].start()
            wait_until_whole(kafka, topic)
    wait_until_ready(node)
    _, last = publish_when_it_is_taken(node, "a", "last")
    for stream in streams:
        assert_each_202_once_and_each_503_at_most_once(messages_until(stream, last, LONG), writers)
    taken, refused = (sum(len(getattr(one, what)) for one in writers) for what in ("taken", "refused"))
    print(f"{kills} kills, {taken} posts taken, {refused} refused")


def test_a_partition_without_a_leader_holds_up_no_other_and_readyz_names_it(start_node, three_brokers, topic, kafka):
    kafka.create_topic(topic, 3, replication=1, min_insync_replicas=1)
    lost = 2
    leader = wait_until(lambda: max(kafka.leaders(topic).get(lost, 0), 0), "the partition to have a leader", LONG)
    three_brokers[leader - 1].stop(signal.SIGKILL)
    wait_until(lambda: kafka.leaders(topic).get(lost, -1) == -1, "the partition to be without a leader", LONG)
    for number, node in enumerate((start_node(until="/healthz"), start_node(until="/healthz"))):
        wait_until(lambda node=node: unread_partitions(node, topic) == {lost}, "/readyz to name the partition", LONG)
        stream = wait_until(lambda node=node: opens(node, "a"), "the node to serve what it can read", LONG)
        kafka.send(topic, f"a:for node {number}", partition=0)
        messages_until(stream, f"for node {number}", LONG)  # the second may still be reading what the first was sent
    three_brokers[leader - 1].start()
    wait_until_whole(kafka, topic, copies=1)
    kafka.send(topic, "a:it is back", partition=lost)
    assert stream.next_of_type("message", within=LONG).data == "it is back"


def test_a_node_can_be_stopped_while_all_brokers_are_away(start_node, three_brokers, topic, kafka):
    kafka.create_topic(topic, 6)
    node = start_node()
    publish(node, "a", "x")
    for one in three_brokers:
        one.stop(signal.SIGKILL)
    assert node.stop(within=DRAINED_WITHIN) == 0


def unread_partitions(node, topic):
    """The partitions of the topic that /readyz names, which it does when all is not well with them."""
    lines = [line.replace(topic, "") for line in node.get("/readyz").body.decode().splitlines() if topic in line]
    return {int(number) for line in lines for number in re.findall(r"\b\d+\b", line)}


def opens(node, user):
    stream = node.stream(user, version="v3", headers={"Accept": "text/event-stream"})
    return stream if stream.next_event().type == "stream-open" else None
