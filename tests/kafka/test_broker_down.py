"""The broker goes away and comes back: the node stays, says so, and nothing is lost or told twice."""

import signal
import time

import pytest

from harness.kafka import Kafka
from harness.outages import (
    ANSWERED_WITHIN,
    DRAINED_WITHIN,
    assert_each_202_once_and_each_503_at_most_once,
    publish_when_it_is_taken,
    wait_for_more,
    wait_until_not_ready,
    wait_until_ready,
    writing,
)
from harness.v3 import messages_until, node_settings, opened, post, publish


@pytest.fixture
def kafka(private_broker):
    return Kafka(private_broker.address)


@pytest.fixture
def start_node(private_broker, start_server, topic):
    def start(settings=None, **options):
        return start_server(node_settings([private_broker], topic, settings), **options)

    return start


def assert_is_refused_in_time(node, user, data):
    began = time.monotonic()
    response = post(node, user, data)
    assert response.status == 503
    assert response.header("Retry-After") and "afka" in response.json()["detail"]
    assert time.monotonic() - began < ANSWERED_WITHIN + 0.5


@pytest.mark.parametrize("how", [signal.SIGKILL, pytest.param(signal.SIGTERM, marks=pytest.mark.prove)])
def test_streams_stay_open_and_posts_are_refused_in_time_until_the_broker_is_back(start_node, private_broker, how):
    node = start_node({"keepalive.interval": "300ms"})
    stream, v2 = opened(node, "a"), node.stream("a")
    publish(node, "a", "before")
    assert stream.next_event().data == "before"
    private_broker.stop(how)
    assert_is_refused_in_time(node, "a", "refused")
    wait_until_not_ready(node)
    assert_is_refused_in_time(node, "a", "refused too")
    assert stream.next().text.strip() == "keep-alive-text", "the stream is open"
    node.publish("a", "v2 needs no broker")
    assert v2.take_data(2) == ["", "v2 needs no broker"]
    private_broker.start()
    wait_until_ready(node)
    refused, taken = publish_when_it_is_taken(node, "a", "after")
    seen = messages_until(stream, taken)
    assert len(seen) == len(set(seen)) and set(seen) <= {"refused", "refused too", *refused, taken}


def test_a_node_started_before_the_broker_serves_as_soon_as_that_is_there(start_node, private_broker, topic, kafka):
    kafka.create_topic(topic, 3)
    kafka.send_all(topic, [b"a:kept"] * 3)
    private_broker.stop()
    node = start_node(until="/healthz")
    wait_until_not_ready(node)
    assert_is_refused_in_time(node, "a", "refused")
    node.publish("a", "v2 needs no broker")
    private_broker.start()
    wait_until_ready(node)
    assert opened(node, "a", resume="earliest").take_data(3) == ["kept"] * 3
    stream = opened(node, "a")
    _, taken = publish_when_it_is_taken(node, "a", "after")
    assert messages_until(stream, taken)[-1] == taken


def test_topics_are_made_as_soon_as_a_broker_that_was_away_is_there(start_node, private_broker, topic, kafka):
    private_broker.stop()
    node = start_node(until="/healthz")
    wait_until_not_ready(node)
    private_broker.start()
    wait_until_ready(node)
    assert {topic, f"{topic}.dead"} <= kafka.topics()


@pytest.mark.parametrize("is_noticed", [True, False])
def test_a_node_can_be_stopped_while_the_broker_is_away(start_node, private_broker, topic, kafka, is_noticed):
    kafka.create_topic(topic, 12)
    node = start_node({"drain.period": "1s"})
    stream = opened(node, "a")
    publish(node, "a", "x")
    assert stream.next_event().data == "x"
    private_broker.stop(signal.SIGKILL)
    if is_noticed:
        wait_until_not_ready(node)
    assert node.stop(within=1 + DRAINED_WITHIN) == 0
    assert [event.type for event in stream.rest()] == ["stream-close"]


@pytest.mark.timeout(900)
@pytest.mark.parametrize("outages", [1, pytest.param(10, marks=pytest.mark.prove)])
def test_over_outages_each_202_arrives_once_and_each_503_at_most_once(
    start_node, private_broker, topic, kafka, outages
):
    kafka.create_topic(topic, 3)
    node = start_node({"stream.buffer": "64MiB", "history.bytes": "256MiB", "history.size": 1_000_000})
    stream = opened(node, "a")
    with writing(node) as writers:
        for _ in range(outages):
            wait_for_more(writers, "taken")
            private_broker.stop(signal.SIGKILL)
            wait_for_more(writers, "refused")
            private_broker.start()
            wait_for_more(writers, "taken")
    wait_until_ready(node)
    _, last = publish_when_it_is_taken(node, "a", "last")
    assert_each_202_once_and_each_503_at_most_once(messages_until(stream, last), writers)
