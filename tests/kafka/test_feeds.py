"""Feeds: topics that exist already, read as they are and served below a path of their own."""

import json

import pytest

from harness.event_stream import Stream
from harness.server import target
from harness.v3 import messages_until
from harness.waiting import wait_until


class Feed:
    """One feed of a node, on a topic of its own."""

    def __init__(self, kafka, topic, node):
        self.kafka, self.topic, self.node = kafka, topic, node

    def send(self, value, **options):
        value = value if isinstance(value, bytes | None) else json.dumps(value, ensure_ascii=False).encode()
        return self.kafka.send(self.topic, value, **options)

    def opened(self, user, **headers):
        path = target(f"/feeds/{self.topic}/sse", username=user)
        stream = Stream(self.node.connect(), path, headers)
        assert stream.next_event().type == "stream-open"
        return stream


@pytest.fixture
def start_feed(start_node, kafka, topic, tmp_path):
    """Starts a node with one feed: start_feed(user="/user/id", partitions=3)."""

    def start(user, data="value", event=None, partitions=1):
        name = f"{topic}-feed"
        kafka.create_topic(name, partitions)
        lines = ["[[kafka.feed]]", f'topic = "{name}"', f'user = "{user}"', f'data = "{data}"', f'namespace = "{name}"']
        if event:
            lines.append(f'event = "{event}"')
        path = tmp_path / "feeds.toml"
        path.write_text("\n".join(lines) + "\n")
        return Feed(kafka, name, start_node(arguments=["--config", str(path)]))

    return start


# What is read, and for whom


def test_the_user_by_pointer_and_the_whole_value_as_data(start_feed):
    feed = start_feed(user="/customer/id")
    stream = feed.opened("demo")
    text = b' {"customer" : {"id":"demo"}, "n": 1.50, "what": "\xd0\x94\xd0\xb5\xd0\xbb\xd0\xbe"}\t'
    feed.send({"customer": {"id": "another"}})
    feed.send(text)
    event = stream.next_event()
    assert (event.type, event.data.encode()) == ("message", text)


def test_the_user_by_key_and_the_value_as_it_is(start_feed):
    feed = start_feed(user="key")
    stream = feed.opened("демо")
    feed.send(b"not JSON: \xf0\x9f\xa6\x8b", key="демо")
    feed.send(b"", key="демо")
    assert stream.take_data(2) == ["not JSON: 🦋", ""]


def test_the_user_by_prefix_as_in_v3(start_feed):
    feed = start_feed(user="prefix")
    stream = feed.opened("demo")
    feed.send(b"demo: a:b", key="another")
    assert stream.next_event().data == " a:b"


def test_data_by_pointer_is_a_strings_text_and_anything_else_as_json(start_feed):
    feed = start_feed(user="/user", data="/body")
    stream = feed.opened("demo")
    feed.send({"user": "demo", "body": 'two\nlines "and" 🦋'})
    assert stream.next_event().data == 'two\nlines "and" 🦋'
    for body in {"a": [1, "b", None]}, [], 42, True, None:
        feed.send({"user": "demo", "body": body})
        assert json.loads(stream.next_event().data) == body


def test_a_fixed_event_type(start_feed):
    feed = start_feed(user="key", event="order changed")
    stream = feed.opened("demo")
    feed.send(b"x", key="demo")
    assert stream.next_event().type == "order changed"


def test_an_event_type_by_pointer(start_feed):
    feed = start_feed(user="/user", data="/body", event="/kind")
    stream = feed.opened("demo")
    for kind in "created", "дело":
        feed.send({"user": "demo", "body": "x", "kind": kind})
        assert stream.next_event().type == kind


def test_pointers_reach_into_arrays_and_names_with_escapes(start_feed):
    feed = start_feed(user="/a~1b/1/~0c//x y", data="/")
    stream = feed.opened("demo")
    feed.send({"a/b": [None, {"~c": {"": {"x y": "demo"}}}], "": "found"})
    assert stream.next_event().data == "found"


# What can't be read


UNREADABLE = {
    "not JSON": b"nonsense",
    "cut JSON": b'{"user":"demo"',
    "JSON and more": b'{"user":"demo","body":"x"} x',
    "not UTF-8": b'{"user":"demo","body":"\xff"}',
    "nothing": b"",
    "no value": None,
    "no user": {"body": "x"},
    "a user that is null": {"user": None, "body": "x"},
    "a user that is an object": {"user": {}, "body": "x"},
    "an empty name": {"user": "", "body": "x"},
    "a name with a colon": {"user": "a:b", "body": "x"},
    "a name with a control character": {"user": "a\n", "body": "x"},
    "a name of 257 bytes": {"user": "x" * 257, "body": "x"},
    "no data": {"user": "demo"},
    "data over the limit": {"user": "demo", "body": "x" * 65537},
    "a reserved event type": {"user": "demo", "body": "x", "kind": "stream-open"},
}


def test_records_that_cannot_be_read_are_set_aside_and_the_others_arrive(start_feed):
    feed = start_feed(user="/user", data="/body", event="/kind")
    stream = feed.opened("demo")
    places = {}
    for name, value in UNREADABLE.items():
        places[name] = feed.send(value, key=name)
        feed.send({"user": "demo", "body": f"after {name}", "kind": "k"})
    expected = [f"after {name}" for name in UNREADABLE]
    assert messages_until(stream, expected[-1]) == expected
    dead = f"{feed.topic}.dead"
    last = places["a reserved event type"]
    letters = wait_until(
        lambda: (letters := feed.kafka.wait_for(dead, 1))[-1].source == last and letters, "the last to be set aside"
    )
    assert {letter.key.decode(): letter.source for letter in letters} == places
    for letter in letters:
        assert letter.headers["topic"] == feed.topic and letter.headers["reason"].strip()
    feed.node.wait_for_metric("rillgate_dead_letters_total", len(UNREADABLE))


def test_without_a_key_there_is_no_user_by_key(start_feed):
    feed = start_feed(user="key")
    stream = feed.opened("demo")
    bad = [feed.send(b"x", key=key) for key in (None, b"", b"a:b", b"\xff")]
    feed.send(b"good", key="demo")
    assert stream.next_event().data == "good"
    letters = feed.kafka.wait_for(f"{feed.topic}.dead", len(bad))
    assert sorted(letter.source for letter in letters) == bad


# As any other stream


def test_a_feed_resumes_over_a_restart(start_feed):
    feed = start_feed(user="key", partitions=4)
    stream = feed.opened("demo")
    for number in range(40):
        feed.send(str(number).encode(), key="demo", partition=number % 4)
    had = stream.take(40)[19]
    assert feed.node.stop() == 0
    for number in range(40, 60):
        feed.send(str(number).encode(), key="demo", partition=number % 4)
    feed.node.start()
    again = feed.opened("demo", **{"Last-Event-ID": had.last_event_id})
    assert len(set(again.take_data(40))) == 40


def test_feeds_and_v3_are_apart(start_feed, kafka, topic):
    feed = start_feed(user="key")
    v3, v2, own = feed.node.stream("demo", "v3"), feed.node.stream("demo"), feed.opened("demo")
    feed.send(b"by the feed", key="demo")
    assert own.next_event().data == "by the feed"
    kafka.send(topic, b"demo:by v3")
    feed.node.publish("demo", "by v2")
    assert v3.take_data(2) == ["", "by v3"] and v2.take_data(2) == ["", "by v2"]


def test_a_namespace_that_no_feed_has_is_not_there_and_a_feed_takes_no_posts(start_feed):
    feed = start_feed(user="key")
    assert feed.node.get("/feeds/nowhere/sse?username=demo").status == 404
    assert feed.node.get(f"/feeds/{feed.topic}/sse").status == 400
    assert feed.node.get(f"/feeds/{feed.topic}/sse?username=a:b").status == 400
    response = feed.node.post(f"/feeds/{feed.topic}/sse?username=demo", "x")
    assert response.status == 405 and "GET" in response.header("Allow")
    assert feed.node.get(f"/feeds/{feed.topic}/sse/?username=demo", {"Accept": "text/html"}).status == 406


def test_two_feeds_of_one_node_each_on_its_path(start_node, kafka, topic, tmp_path):
    names = [f"{topic}-orders", f"{topic}-prices"]
    path = tmp_path / "feeds.toml"
    table = '[[kafka.feed]]\ntopic = "{0}"\nuser = "key"\ndata = "value"\nnamespace = "{0}"\n'
    path.write_text("".join(table.format(name) for name in names))
    for name in names:
        kafka.create_topic(name)
    node = start_node(arguments=["--config", str(path)])
    feeds = [Feed(kafka, name, node) for name in names]
    streams = [feed.opened("demo") for feed in feeds]
    for feed in feeds:
        feed.send(feed.topic.encode(), key="demo")
    assert [stream.next_event().data for stream in streams] == names


def test_the_lag_of_a_feed_is_told_by_its_topic(start_feed):
    feed = start_feed(user="key", partitions=2)
    feed.send(b"x", key="demo", partition=1)

    def lag():
        samples = feed.node.metrics().samples("rillgate_kafka_lag")
        return {labels["partition"]: value for labels, value in samples if labels["topic"] == feed.topic}

    wait_until(lambda: lag() == {"0": 0, "1": 0}, "the feed's lag to be none")
