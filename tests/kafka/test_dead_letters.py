"""Records that can't be read: set aside with what is known of them, once, and never in the way of the others."""

import random
import signal

import pytest

from harness.v3 import messages_until, opened, post
from harness.waiting import wait_until

KEPT = 64 * 1024  # of a value in a dead letter


BAD = {
    "no colon": b"nonsense",
    "nothing": b"",
    "no value": None,
    "an empty name": b":message",
    "a control character in the name": b"a\x01b:message",
    "a line break in the name": b"a\nb:message",
    "U+0000 in the name": b"a\0b:message",
    "U+007F in the name": b"a\x7fb:message",
    "a name of 257 bytes": b"x" * 257 + b":message",
    "a name that is not UTF-8": b"caf\xe9:message",
    "a message that is not UTF-8": b"reader:caf\xe9",
    "a surrogate": b"reader:\xed\xa0\x80",
    "a character cut in two": b"reader:\xf0\x9f\xa4",
    "a message over the limit": b"reader:" + b"x" * 65537,
    "a message far over the limit": b"reader:" + bytes(range(0x20, 0x70)) * 11_000,
    "64 KiB and no colon": b"x" * KEPT,
}


def dead_letters(kafka, topic, count, within=20):
    return kafka.wait_for(f"{topic}.dead", count, within)


def assert_tells_all(letter, topic, place, value, key):
    assert letter.headers["topic"] == topic
    assert letter.source == place
    assert letter.headers["reason"].strip()
    assert letter.key == key
    assert (letter.value or b"") == (value or b"")[:KEPT]
    if value and len(value) > KEPT:
        assert letter.headers["original-size"] == str(len(value))
    else:
        assert "original-size" not in letter.headers


def test_each_bad_record_is_set_aside_and_the_good_ones_around_it_arrive(start_node, kafka, topic):
    kafka.create_topic(topic)
    node = start_node()
    stream = opened(node, "reader")
    places = {}
    for number, (name, value) in enumerate(BAD.items()):
        kafka.send(topic, f"reader:before {number}")
        places[name] = kafka.send(topic, value, key=name)
        kafka.send(topic, f"reader:after {number}")
    expected = [f"{which} {number}" for number in range(len(BAD)) for which in ("before", "after")]
    assert messages_until(stream, expected[-1]) == expected
    letters = {letter.key.decode(): letter for letter in dead_letters(kafka, topic, len(BAD))}
    for name, value in BAD.items():
        assert_tells_all(letters[name], topic, places[name], value, name.encode())
    node.wait_for_metric("rillgate_dead_letters_total", len(BAD))
    reasons = {labels["reason"] for labels, _ in node.metrics().samples("rillgate_dead_letters_total")}
    assert 1 < len(reasons) <= len(BAD), "a reason is a kind of mistake, not one record's"


@pytest.mark.parametrize("kind", ["stream-open", "stream-x", "a\nb", "\x01", "x" * 257, b"caf\xe9"], ids=repr)
def test_a_record_cannot_bring_an_event_type_that_a_post_may_not(node, node_topic, kafka, user, kind):
    stream = opened(node, user)
    key = f"{user} {kind!r}"
    place = kafka.send(node_topic, f"{user}:forged", key=key, partition=3, headers=[("event", kind)])
    kafka.send(node_topic, f"{user}:next", partition=3)
    assert stream.next_event().data == "next"
    dead = f"{node_topic}.dead"
    letters = wait_until(
        lambda: [one for one in kafka.wait_for(dead, 1) if one.source == place], "the record to be set aside"
    )
    assert [letter.key for letter in letters] == [key.encode()]


def test_a_larger_limit_lets_larger_messages_through(start_node, kafka, topic):
    kafka.create_topic(topic)
    node = start_node({"limits.body": "256KiB"})
    stream = opened(node, "reader")
    kafka.send(topic, b"reader:" + b"x" * 200_000)
    kafka.send(topic, b"reader:" + b"x" * 300_000)
    kafka.send(topic, b"reader:next")
    assert [len(data) for data in stream.take_data(2)] == [200_000, len("next")]
    [letter] = dead_letters(kafka, topic, 1)
    assert letter.headers["original-size"] == str(300_000 + len("reader:"))
    assert post(node, "reader", b"x" * 200_000).status == 202
    assert len(stream.next_event().data) == 200_000


def test_the_suffix_of_the_topic_is_a_setting(start_node, kafka, topic):
    start_node({"kafka.dead-letter-suffix": "-refused"})
    place = kafka.send(topic, b"nonsense")
    [letter] = kafka.wait_for(f"{topic}-refused", 1)
    assert letter.source == place
    assert f"{topic}.dead" not in kafka.topics()


def test_bad_records_by_the_thousand_are_counted_and_logged_at_a_bounded_rate(start_node, kafka, topic):
    kafka.create_topic(topic, 12)
    node = start_node()
    lines_before = len(node.log().splitlines())
    stream = opened(node, "reader")
    places = kafka.send_all(topic, [b"a-secret without a colon"] * 5000)
    for partition in range(12):
        kafka.send(topic, f"reader:{partition}", partition=partition)
    assert set(stream.take_data(12)) == {str(partition) for partition in range(12)}
    letters = dead_letters(kafka, topic, len(places))
    assert sorted(letter.source for letter in letters) == sorted(places)
    node.wait_for_metric("rillgate_dead_letters_total", len(places))
    logged = node.log().splitlines()[lines_before:]
    assert any(topic in line for line in logged), "it is logged"
    assert len(logged) < 200, "not for each record"
    assert "a-secret" not in node.log()


# Several nodes


def mixed_records(chance, count):
    """(values of bad records and good ones, the messages of the good ones); all are different."""
    values, messages = [], []
    for number in range(count):
        if chance.random() < 0.5:
            values.append(b"\xff%d" % number)
        else:
            values.append(b"reader:%d" % number)
            messages.append(str(number))
    return values, messages


def test_with_two_nodes_reading_each_is_set_aside_once_and_all_others_arrive_on_both(start_node, kafka, topic, seed):
    kafka.create_topic(topic, 12)
    nodes = [start_node(), start_node()]
    streams = [opened(node, "reader") for node in nodes]
    values, messages = mixed_records(random.Random(seed), 2000)
    bad = [
        place for place, value in zip(kafka.send_all(topic, values), values, strict=True) if value.startswith(b"\xff")
    ]
    for stream in streams:
        assert sorted(stream.take_data(len(messages))) == sorted(messages)
    dead_letters(kafka, topic, len(bad))
    for node in nodes:
        assert node.stop() == 0  # after which nothing is under way
    assert [letter.source for letter in sorted(kafka.read(f"{topic}.dead"), key=lambda one: one.source)] == sorted(bad)


def test_a_node_that_starts_later_sets_nothing_aside_again(start_node, kafka, topic):
    kafka.create_topic(topic, 3)
    first = start_node()
    kafka.send_all(topic, [b"nonsense"] * 30)
    dead_letters(kafka, topic, 30)
    assert first.stop() == 0
    second = start_node()
    kafka.send_all(topic, [b"more nonsense"] * 3)
    dead_letters(kafka, topic, 33)
    assert second.stop() == 0
    assert len(kafka.read(f"{topic}.dead")) == 33


def test_records_that_came_while_no_node_ran_are_set_aside_by_the_next(start_node, kafka, topic):
    kafka.create_topic(topic, 3)
    first = start_node()
    kafka.send(topic, b"nonsense")
    dead_letters(kafka, topic, 1)
    assert first.stop() == 0
    places = kafka.send_all(topic, [b"more nonsense"] * 20)
    start_node()
    letters = dead_letters(kafka, topic, 21)
    assert sorted(letter.source for letter in letters if letter.value == b"more nonsense") == sorted(places)


@pytest.mark.parametrize("kills", [1, pytest.param(10, marks=pytest.mark.prove)])
@pytest.mark.timeout(900)
def test_when_nodes_are_killed_each_is_set_aside_at_least_once(start_node, kafka, topic, seed, kills):
    chance = random.Random(seed)
    kafka.create_topic(topic, 12)
    nodes = [start_node(), start_node()]
    places = []
    for _ in range(kills):
        for _ in range(chance.randrange(1, 20)):
            places += kafka.send_all(topic, [b"nonsense"] * 50)
        victim = chance.choice(nodes)
        victim.stop(signal.SIGKILL)
        places += kafka.send_all(topic, [b"nonsense"] * 50)
        victim.start()
    wait_until(
        lambda: set(places) <= {letter.source for letter in dead_letters(kafka, topic, 1)},
        "each to be set aside",
        90,
    )
