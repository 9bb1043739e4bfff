"""Resuming in V3: ids name places in Kafka, so they outlive connections and processes, and what is gone is told."""

import json
import signal
import time

import pytest

from harness.event_stream import Stream
from harness.server import target
from harness.v3 import gap, messages_until, opened, publish
from harness.waiting import wait_until
from harness.wire import Closed

HOUR = 3_600_000  # milliseconds


def numbers(*which):
    return [str(number) for number in range(*which)]


def send_numbers(kafka, topic, user, which, **options):
    return kafka.send_all(topic, [f"{user}:{number}" for number in which], **options)


def first_id(stream, count):
    """The id of the first of so many events, all of which are read."""
    return stream.take(count)[0].last_event_id


# Without a hole


@pytest.mark.parametrize("how", ["last_event_id", "resume"])
def test_a_client_that_returns_gets_everything_after_its_id_then_live_events(node, node_topic, kafka, user, how):
    stream = opened(node, user)
    send_numbers(kafka, node_topic, user, range(5), partition=1)
    events = stream.take(5)
    send_numbers(kafka, node_topic, user, range(5, 10), partition=1)
    again = opened(node, user, **{how: events[1].last_event_id})
    assert again.take_data(8) == numbers(2, 10)
    send_numbers(kafka, node_topic, user, range(10, 12), partition=1)
    assert again.take_data(2) == numbers(10, 12)


def test_a_client_cut_before_its_first_event_resumes_from_stream_open(node, user):
    with opened(node, user) as stream:
        position = stream.last_event_id
    publish(node, user, "missed")
    assert opened(node, user, last_event_id=position).next_event().data == "missed"


def test_the_id_covers_all_partitions_as_the_stream_received_them(node, node_topic, kafka, user):
    stream = opened(node, user)
    sent = [f"{number} {partition}" for number in range(20) for partition in range(12)]
    for one in sent:
        kafka.send(node_topic, f"{user}:{one}", partition=int(one.split()[1]))
    events = stream.take(len(sent))
    assert sorted(event.data for event in events) == sorted(sent)
    for at in range(0, len(sent), 23):
        again = opened(node, user, last_event_id=events[at].last_event_id)
        rest = again.take_data(len(sent) - at - 1)
        assert sorted(rest) == sorted(event.data for event in events[at + 1 :])


def test_earliest_is_all_that_is_kept(node, node_topic, kafka, user):
    send_numbers(kafka, node_topic, user, range(20), partition=2)
    assert messages_until(opened(node, user, resume="earliest"), "19") == numbers(20)


def test_a_stream_opened_without_an_id_gets_live_events_only(node, node_topic, kafka, user):
    watching = opened(node, user)
    send_numbers(kafka, node_topic, user, range(3), partition=4)
    watching.take(3)
    stream = opened(node, user)
    send_numbers(kafka, node_topic, user, [3], partition=4)
    assert stream.next_event().data == "3"


# Over the end of a node


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_restarted_node_goes_on_from_an_id_of_before(start_node, kafka, topic, how):
    kafka.create_topic(topic, 12)
    node = start_node()
    stream = opened(node, "a")
    positions = [stream.last_event_id]
    for number in range(24):
        kafka.send(topic, f"a:{number}", partition=number % 12)
        positions.append(stream.next_event().last_event_id)
    node.stop(how)
    for number in range(24, 36):
        kafka.send(topic, f"a:{number}", partition=number % 12)
    node.start()
    for had in 0, 1, 11, 24:
        again = opened(node, "a", last_event_id=positions[had])
        assert sorted(again.take_data(36 - had)) == sorted(numbers(had, 36))
        kafka.send(topic, f"b:{had}")
    kafka.send(topic, "a:live")
    assert again.next_event().data == "live"


def test_a_started_node_keeps_what_is_younger_than_history_ttl(start_node, kafka, topic):
    kafka.create_topic(topic, 2)
    now = int(time.time() * 1000)
    for partition in range(2):
        send_numbers(kafka, topic, "a", range(5), partition=partition, timestamp=now - HOUR)
        send_numbers(kafka, topic, "a", range(5, 10), partition=partition)
    node = start_node({"history.ttl": "10m"})
    assert sorted(opened(node, "a", resume="earliest").take_data(10)) == sorted(numbers(5, 10) * 2)
    assert opened(start_node({"history.ttl": "2h"}), "a", resume="earliest").take_data(20)


def test_what_history_ttl_has_outlived_is_a_gap_after_a_restart_too(start_node, kafka, topic):
    kafka.create_topic(topic)
    node = start_node({"history.ttl": "1s"})
    stream = opened(node, "a")
    send_numbers(kafka, topic, "a", range(3))
    had = first_id(stream, 3)
    node.wait_for_metric("rillgate_history_bytes", 0)
    assert node.stop() == 0
    node.start()
    _, told = gap(node, "a", last_event_id=had)
    assert told["requested"] == had


def open_when_it_may(node, user):
    """A stream opened without an id on a node that has only just started; None as long as it refuses."""
    try:
        stream = Stream(node.connect(), target("/v3/sse", username=user), {"Accept": "text/event-stream"})
    except (ConnectionRefusedError, Closed):
        return None
    return stream if stream.next_event().type == "stream-open" else None


def test_streams_opened_while_a_node_refills_get_no_old_records(start_node, kafka, topic):
    kafka.create_topic(topic, 4)
    old = [f"a:{number} ".ljust(1000, "x") for number in range(10_000)]
    for partition in range(4):
        kafka.send_all(topic, old, partition=partition, within=60)
    node = start_node({"history.size": 100_000, "history.bytes": "256MiB"}, until="/healthz")
    streams = []

    def refilled():
        if stream := open_when_it_may(node, "a"):
            streams.append(stream)
        return node.get("/readyz").status == 200

    wait_until(refilled, "the node to be ready")
    streams.append(opened(node, "a"))
    for partition in range(4):
        kafka.send(topic, f"a:new {partition}", partition=partition)
    for stream in streams:
        assert sorted(stream.take_data(4)) == [f"new {partition}" for partition in range(4)]
    earliest = opened(node, "a", resume="earliest")
    assert len(earliest.take(40_004, within=60)) == 40_004, "and history has them all"


# With a gap


UNKNOWN = ["nonsense", "0", "1-1", "x" * 128, "~", "AAAA.AAAA", "a.b:c_d~e"]


@pytest.mark.parametrize("unknown", UNKNOWN)
def test_an_unknown_id_is_answered_by_a_gap_and_what_is_kept(node, node_topic, kafka, user, unknown):
    send_numbers(kafka, node_topic, user, range(3), partition=5)
    messages_until(opened(node, user, resume="earliest"), "2")
    stream, told = gap(node, user, last_event_id=unknown)
    assert told["requested"] == unknown and told["oldest"]
    assert stream.take_data(3) == numbers(3)
    send_numbers(kafka, node_topic, user, [3], partition=5)
    assert stream.next_event().data == "3"


def test_an_id_of_v2_is_unknown_to_v3(node, user):
    had = node.publish(user, "by v2")["id"]
    _, told = gap(node, user, last_event_id=had)
    assert told["requested"] == had


def test_an_id_of_another_topic_is_unknown(node, start_node, kafka, topic):
    kafka.create_topic(topic, 12)
    elsewhere = start_node()
    stream = opened(elsewhere, "a")
    publish(elsewhere, "a", "x")
    for had in stream.last_event_id, stream.next_event().last_event_id:
        _, told = gap(node, "a", last_event_id=had)
        assert told["requested"] == had


def test_an_id_of_another_cluster_is_unknown(node, node_topic, private_broker, start_server):
    elsewhere = start_server({"kafka": private_broker.address, "kafka.v3-topic": node_topic})
    stream = opened(elsewhere, "a")
    publish(elsewhere, "a", "x")
    had = stream.next_event().last_event_id
    _, told = gap(node, "a", last_event_id=had)
    assert told["requested"] == had


@pytest.mark.parametrize("damage", [lambda id: id[:-1], lambda id: id + "A", lambda id: id + "9" * 40, lambda id: id[::-1]])
def test_a_damaged_id_costs_no_event_that_comes_afterwards(node, node_topic, kafka, user, damage):
    stream = opened(node, user)
    send_numbers(kafka, node_topic, user, range(3), partition=6)
    newest = stream.take(3)[-1].last_event_id
    again = node.stream(user, version="v3", last_event_id=damage(newest))
    assert again.next_event().type in ("stream-open", "stream-gap")
    send_numbers(kafka, node_topic, user, range(3, 6), partition=6)
    assert messages_until(again, "5")[-3:] == numbers(3, 6)


def test_an_id_beyond_the_end_of_a_topic_that_was_made_anew_is_a_gap(start_node, kafka, topic):
    kafka.create_topic(topic)
    node = start_node()
    stream = opened(node, "a")
    send_numbers(kafka, topic, "a", range(10))
    had = stream.take(10)[-1].last_event_id
    assert node.stop() == 0
    kafka.delete_topic(topic)
    kafka.create_topic(topic)
    node.start()
    stream = node.stream("a", version="v3", last_event_id=had)
    # The cluster has to be asked, so the gap may come after the first block.
    assert json.loads(stream.next_of_type("stream-gap").data)["requested"] == had
    send_numbers(kafka, topic, "a", range(3))
    assert stream.take_data(3) == numbers(3)


def test_history_size_limits_what_is_kept_and_the_rest_is_a_gap(start_node, kafka, topic):
    kafka.create_topic(topic)
    node = start_node({"history.size": 5})
    stream = opened(node, "a")
    send_numbers(kafka, topic, "a", range(12))
    events = stream.take(12)
    again, told = gap(node, "a", last_event_id=events[3].last_event_id)
    assert told["requested"] == events[3].last_event_id
    assert again.take_data(5) == numbers(7, 12)
    assert opened(node, "a", last_event_id=events[6].last_event_id).take_data(5) == numbers(7, 12)


# Overtaken by retention


def test_retention_that_overtakes_a_stopped_node_is_a_gap_and_what_is_kept(start_node, kafka, topic):
    kafka.create_topic(topic)
    node = start_node()
    stream = opened(node, "a")
    send_numbers(kafka, topic, "a", range(5))
    had = stream.take(5)[-1].last_event_id
    assert node.stop() == 0
    send_numbers(kafka, topic, "a", range(5, 20))
    kafka.delete_records(topic, before=12)
    node.start()
    stream, told = gap(node, "a", last_event_id=had)
    assert told["requested"] == had and told["oldest"]
    assert stream.take_data(8) == numbers(12, 20)
    send_numbers(kafka, topic, "a", [20])
    assert stream.next_event().data == "20"


def test_retention_that_took_only_what_the_id_covers_is_no_gap(start_node, kafka, topic):
    kafka.create_topic(topic)
    node = start_node()
    stream = opened(node, "a")
    send_numbers(kafka, topic, "a", range(5))
    had = stream.take(5)[-1].last_event_id
    assert node.stop() == 0
    send_numbers(kafka, topic, "a", range(5, 10))
    kafka.delete_records(topic, before=5)
    node.start()
    assert opened(node, "a", last_event_id=had).take_data(5) == numbers(5, 10)


def test_retention_that_overtakes_a_node_while_it_lags_is_a_gap_on_every_stream(start_node, kafka, topic):
    kafka.create_topic(topic)
    node = start_node()
    reading, other = opened(node, "a"), opened(node, "b")
    send_numbers(kafka, topic, "a", range(5))
    assert reading.take_data(5) == numbers(5)
    node.process.send_signal(signal.SIGSTOP)
    try:
        send_numbers(kafka, topic, "a", [5])  # the answer to a request that is under way may hold this one
        send_numbers(kafka, topic, "a", range(6, 1000))
        kafka.delete_records(topic, before=900)
    finally:
        node.process.send_signal(signal.SIGCONT)
    for stream in reading, other:
        event = stream.next_of_type("stream-gap")
        assert set(json.loads(event.data)) == {"requested", "oldest"} and event.has_id
    assert messages_until(reading, "999") == numbers(900, 1000)
    send_numbers(kafka, topic, "b", ["live"])
    assert other.next_of_type("message").data == "live"
