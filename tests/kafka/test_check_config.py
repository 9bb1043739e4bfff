"""`rillgate check-config` and the start, on the settings of Kafka: each mistake is named with its line."""

import re

import pytest

from harness.server import run

GOOD = """
[kafka]
brokers = "localhost:9092"
v3-topic = "messages"
group = "web"
dead-letter-suffix = ".dlq"
create-topics = false

[kafka.properties]
"client.id" = "web"
security.protocol = "sasl_ssl"
"sasl.mechanism" = "SCRAM-SHA-512"
sasl.username = "web"
sasl.password = "secret"
"socket.timeout.ms" = 30000
fetch.wait.max.ms = "250"
socket.keepalive.enable = true

[[kafka.feed]]
topic = "orders"
user = "/customer/id"
data = "value"
event = "order"
namespace = "orders"

[[kafka.feed]]
topic = "prices"
user = "key"
data = "/price"
event = "/kind"
namespace = "prices"

[[kafka.feed]]
topic = "chat"
user = "prefix"
data = "value"
namespace = "chat"
"""


def check(tmp_path, text):
    path = tmp_path / "rillgate.toml"
    path.write_text(text)
    return run("check-config", "--config", str(path))


def named_lines(result):
    return {int(line) for line in re.findall(r"rillgate\.toml:(\d+)", result.stderr)}


def test_a_sound_file_is_accepted(tmp_path):
    result = check(tmp_path, GOOD)
    assert result.returncode == 0, result.stderr
    assert not result.stderr


KAFKA = '[kafka]\nbrokers = "localhost:9092"\n'
FEED = {"topic": '"t"', "user": '"key"', "data": '"value"', "namespace": '"n"'}


def feed(**changes):
    """A feed's table: its keys stand on the lines 2 to 5 (6 for one that is added)."""
    lines = [f"{name} = {value}" for name, value in (FEED | changes).items() if value is not None]
    return "\n".join(["[[kafka.feed]]", *lines]) + "\n"


def test_the_smallest_feed_is_sound(tmp_path):
    result = check(tmp_path, feed() + KAFKA)
    assert result.returncode == 0, result.stderr


def test_feeds_without_brokers_are_a_mistake(tmp_path):
    result = check(tmp_path, feed())
    assert result.returncode == 1 and "kafka.brokers" in result.stderr


MISTAKES = {
    "a property that librdkafka does not know": ('[kafka.properties]\nfetch.colour = "red"\n', {2}, "fetch.colour"),
    "the same in quotes": ('[kafka.properties]\n\n"fetch.colour" = "red"\n', {3}, "fetch.colour"),
    "a value that it does not take": ('[kafka.properties]\nsocket.timeout.ms = "soon"\n', {2}, "socket.timeout.ms"),
    "a number out of its bounds": ('[kafka.properties]\n"socket.timeout.ms" = -5\n', {2}, "socket.timeout.ms"),
    "a property that is a list": ("[kafka.properties]\nclient.id = [1]\n", {2}, "client.id"),
    "properties twice": ('[kafka.properties]\nclient.id = "a"\n"client.id" = "b"\n', {2, 3}, "client.id"),
    "no topic": (feed(topic=None), {1}, "topic"),
    "no user": (feed(user=None), {1}, "user"),
    "no namespace": (feed(namespace=None), {1}, "namespace"),
    "an empty topic": (feed(topic='""'), {2}, "topic"),
    "a topic that Kafka does not allow": (feed(topic='"a b"'), {2}, "a b"),
    "a user that is neither": (feed(user='"header"'), {3}, "header"),
    "a pointer with a bad escape": (feed(user='"/a~2b"'), {3}, "/a~2b"),
    "data that is neither": (feed(data='"body"'), {4}, "body"),
    "a namespace with a slash": (feed(namespace='"a/b"'), {5}, "a/b"),
    "an empty namespace": (feed(namespace='""'), {5}, "namespace"),
    "a reserved event type": (feed(event='"stream-open"'), {6}, "stream-open"),
    "an event with a bad escape": (feed(event='"/a~"'), {6}, "/a~"),
    "a key that no feed has": (feed(colour='"red"'), {6}, "colour"),
    "a number for a text": (feed(topic="5"), {2}, "topic"),
    "a namespace twice": (feed() + feed(topic='"other"'), {6, 10}, "n"),
    "a feed that is one table": ('[kafka.feed]\ntopic = "t"\n', {1}, "kafka.feed"),
    "an unknown setting of kafka": ('[kafka]\ntopik = "t"\n', {2}, "topik"),
    "a topic of V3 that Kafka does not allow": ('[kafka]\nv3-topic = "a/b"\n', {2}, "a/b"),
}


@pytest.mark.parametrize("text, lines, said", MISTAKES.values(), ids=MISTAKES)
def test_each_mistake_is_named_with_its_line_and_stops_the_start(tmp_path, text, lines, said):
    result = check(tmp_path, text)
    assert result.returncode == 1, result.stderr
    assert lines & named_lines(result), result.stderr
    assert said in result.stderr
    started = run("serve", "--config", str(tmp_path / "rillgate.toml"))
    assert started.returncode > 0 and said in started.stderr


def test_several_mistakes_are_all_named(tmp_path):
    text = '[kafka.properties]\nfetch.colour = "red"\nsocket.timeout.ms = "soon"\n' + feed(user='"header"', data='"body"')
    assert {2, 3, 6, 7} <= named_lines(check(tmp_path, text))


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["--kafka.v3-topic", "a b"], "kafka.v3-topic"),
        (["--kafka.group", ""], "kafka.group"),
        (["--kafka.create-topics=perhaps"], "kafka.create-topics"),
        (["--kafka.dead-letter-suffix", "/x"], "kafka.dead-letter-suffix"),
    ],
)
def test_a_bad_flag_is_named(arguments, said):
    result = run("serve", *arguments)
    assert result.returncode > 0 and said in result.stderr
