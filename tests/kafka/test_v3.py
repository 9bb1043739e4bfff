"""V3: messages in over Kafka and over HTTP, out to the streams of their users."""

import json
import re
import subprocess

import pytest

from harness.server import clean_environment, target
from harness.v3 import messages_until, opened, post, publish
from servers.kafka import release, tool

HOWDY = "🦋 howdy from kafka!"
# 4.x has dropped the name that its console producer shared with the older tools.
BROKERS_OPTION = "--broker-list" if release() == "kafka" else "--bootstrap-server"


def type_into_the_console_producer(broker, topic, *lines):
    command = tool("kafka-console-producer", "--topic", topic, BROKERS_OPTION, broker.address)
    typed = "".join(f"{line}\n" for line in lines).encode()
    done = subprocess.run(command, input=typed, env=clean_environment({"LC_ALL": "C"}), capture_output=True, timeout=60)
    assert done.returncode == 0 and not done.stderr, done.stderr


# As the seeds tell it


def test_what_is_typed_into_the_console_producer_shows_up_byte_for_byte(node, broker, node_topic):
    stream = opened(node, "demo")
    type_into_the_console_producer(broker, node_topic, f"demo:{HOWDY}")
    event = stream.next_event()
    assert (event.type, event.data) == ("message", HOWDY)
    assert HOWDY.encode() in bytes(stream.raw)


def test_a_post_shows_up(node):
    stream = opened(node, "demo")
    response = node.post("/v3/message?username=demo", "Howdy 🤠 from version 3️⃣")
    assert response.status == 202
    assert stream.next_event().data == "Howdy 🤠 from version 3️⃣"


def test_lines_typed_one_after_the_other_are_records_of_their_own(start_node, broker, topic, kafka):
    kafka.create_topic(topic)
    stream = opened(start_node(), "demo")
    lines = ["demo:one", "no colon here", "demo: a leading blank", "demo:a:b:c", "демо:not yours", "demo:", "demo:last"]
    type_into_the_console_producer(broker, topic, *lines)
    assert messages_until(stream, "last") == ["one", " a leading blank", "a:b:c", "", "last"]


# The record that a post makes


def test_the_answer_says_where_the_record_is(node, node_topic, kafka, user):
    stream = opened(node, user)
    response = post(node, user, "a:b", event="greeting")
    assert response.status == 202
    assert response.header("Content-Type") == "application/json"
    answer = response.json()
    assert set(answer) == {"partition", "offset"}
    event = stream.next_event()
    assert (event.type, event.data) == ("greeting", "a:b")
    place = answer["partition"], answer["offset"]
    [record] = [record for record in kafka.read(node_topic) if record.place == place]
    assert record.value == f"{user}:a:b".encode()
    assert record.key == user.encode(), "keyed by user"
    assert record.headers["event"] == "greeting"


def test_a_message_without_a_type_has_no_header_for_it(node, node_topic, kafka, user):
    place = publish(node, user, "x")
    [record] = [record for record in kafka.read(node_topic) if record.place == place]
    assert "event" not in record.headers


def test_all_messages_to_one_user_are_in_one_partition_and_arrive_in_order(node, user):
    stream = opened(node, user)
    with node.connect() as connection:
        places = [publish(node, user, str(number), connection=connection) for number in range(200)]
    assert {partition for partition, _ in places} == {places[0][0]}
    assert [offset for _, offset in places] == sorted(offset for _, offset in places)
    assert stream.take_data(200) == [str(number) for number in range(200)]


def test_users_are_spread_over_the_partitions(node):
    with node.connect() as connection:
        partitions = {publish(node, f"spread-{number}", "x", connection=connection)[0] for number in range(200)}
    assert len(partitions) >= 9


TEXTS = {
    "control characters and U+0000": "a\x01b\0c\x7f".encode(),
    "a byte order mark": "\ufeffx".encode(),
    "what looks like fields": b"id: 1\nevent: y\n\ndata: z",
    "as much as the limit allows": b"x" * 65536,
    "nothing": b"",
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_text_passes_unchanged_by_record_and_by_post(node, node_topic, kafka, user, text):
    stream = opened(node, user)
    publish(node, user, text)
    assert stream.next_event().data.encode() == text
    kafka.send(node_topic, user.encode() + b":" + text)
    assert stream.next_event().data.encode() == text


def test_lines_of_a_record_come_back_joined_by_lf(node, node_topic, kafka, user):
    stream = opened(node, user)
    kafka.send(node_topic, f"{user}:a\r\nb\rc\n\nd")
    assert stream.next_event().data == "a\nb\nc\n\nd"


def test_a_record_with_the_header_event_has_that_type(node, node_topic, kafka, user):
    stream = opened(node, user)
    kafka.send(node_topic, f"{user}:x", headers={"event": "дело", "other": "y"})
    assert stream.next_event().type == "дело"


def test_the_key_of_a_record_is_ignored(node, node_topic, kafka, user):
    stream = opened(node, user)
    for number, key in enumerate([None, b"", b"another user", b"\xff"]):
        kafka.send(node_topic, f"{user}:{number}", key=key)
        assert stream.next_event().data == str(number)


@pytest.mark.parametrize("name", ["демо", "🤠", "a b", "a+b=c&d", "**", "x" * 256, "é" * 128])
def test_a_name_is_the_same_user_in_a_record_and_in_a_query(node, node_topic, kafka, name):
    stream = opened(node, name)
    kafka.send(node_topic, f"{name}:by record")
    assert stream.next_event().data == "by record"
    publish(node, name, "by post")
    assert stream.next_event().data == "by post"


# To everyone


def test_star_reaches_every_stream_of_v3_by_record_and_by_post(node, node_topic, kafka, user):
    streams = [opened(node, user), opened(node, user), opened(node, f"{user} too")]
    v2 = node.stream(user)
    kafka.send(node_topic, b"*:by record")
    for stream in streams:
        assert stream.next_event().data == "by record"
    publish(node, "*", "by post", event="news")
    for stream in streams:
        event = stream.next_event()
        assert (event.type, event.data) == ("news", "by post")
    node.publish(user, "by v2")
    assert v2.take_data(2) == ["", "by v2"]


def test_whoever_resumes_gets_what_was_sent_to_everyone_meanwhile(node, node_topic, kafka, user):
    with opened(node, user) as stream:
        position = stream.last_event_id
    watching = opened(node, "another")
    kafka.send(node_topic, b"*:to all")
    assert watching.next_event().data == "to all"
    assert opened(node, user, last_event_id=position).next_event().data == "to all"


# The namespace, and what is refused


def test_v2_and_v3_are_apart(node, user):
    v2, v3 = node.stream(user), opened(node, user)
    publish(node, user, "by v3")
    node.publish(user, "by v2")
    assert v2.take_data(2) == ["", "by v2"]
    assert v3.next_event().data == "by v3"


@pytest.mark.parametrize("path", ["/v3/message", "/v3/message/"])
def test_both_forms_of_the_path_are_one_route(node, user, path):
    stream = opened(node, user)
    assert node.post(target(path, username=user), "x").status == 202
    assert stream.next_event().data == "x"


def test_what_is_refused_makes_no_record(node, node_topic, kafka):
    before = len(kafka.read(node_topic))
    to_refused = "/v3/message?username=refused"
    for path, body, status in [
        (target("/v3/message", username="a:b"), b"x", 400),
        ("/v3/message", b"x", 400),
        ("/v3/message?username=%FF", b"x", 400),
        (f"{to_refused}&event=stream-open", b"x", 400),
        (f"{to_refused}&event=a%0Ab", b"x", 400),
        (to_refused, b"caf\xe9", 400),
        (to_refused, b"x" * 65537, 413),
    ]:
        assert node.post(path, body).status == status
    publish(node, "refused", "next")
    assert len(kafka.read(node_topic)) == before + 1


# Batches


def post_lines(node, *lines):
    body = b"\n".join(line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines)
    return node.post("/v3/messages", body, {"Content-Type": "application/x-ndjson"})


def test_a_batch_is_a_record_a_line_in_order(node, user):
    streams = {name: opened(node, name) for name in (user, f"{user} ü")}
    lines = [{"username": name, "data": str(number), "event": "e"} for number in range(100) for name in streams]
    response = post_lines(node, *lines)
    assert response.status == 202
    assert response.json() == {"accepted": 200, "rejected": []}
    for stream in streams.values():
        assert [(event.type, event.data) for event in stream.take(100)] == [("e", str(n)) for n in range(100)]


def test_bad_lines_of_a_batch_are_named_and_the_others_arrive(node, user):
    stream = opened(node, user)
    response = post_lines(
        node,
        {"username": user, "data": "one"},
        b"nonsense",
        {"username": "a:b", "data": "x"},
        {"username": user, "data": "two", "event": "stream-gap"},
        {"username": user, "data": "two", "unknown": [1]},
    )
    assert response.status == 202
    answer = response.json()
    assert answer["accepted"] == 2
    assert [rejected["line"] for rejected in answer["rejected"]] == [2, 3, 4]
    assert all(rejected["detail"] for rejected in answer["rejected"])
    assert stream.take_data(2) == ["one", "two"]


def test_a_batch_to_everyone_reaches_everyone(node, user):
    stream = opened(node, user)
    assert post_lines(node, {"username": "*", "data": "to all"}).json()["accepted"] == 1
    assert stream.next_event().data == "to all"


# Ids


def test_every_event_has_an_id_of_few_characters_that_fits_a_header(node, node_topic, kafka, user):
    stream = opened(node, user)
    ids = [stream.last_event_id]
    for partition in range(12):
        kafka.send(node_topic, f"{user}:{partition}", partition=partition)
        event = stream.next_event()
        assert event.has_id
        ids.append(event.last_event_id)
    assert len(set(ids)) == 13
    for one in ids:
        assert re.fullmatch(r"[A-Za-z0-9_.:~-]{1,128}", one)


def test_an_idle_stream_whose_position_has_moved_is_told_it(start_node, topic):
    node = start_node({"keepalive.interval": "200ms"})
    idle = opened(node, "idle")
    before = idle.last_event_id
    publish(node, "busy", "x")
    event = idle.next_of_type("stream-position")
    assert event.data == "" and event.last_event_id not in ("", before)
    publish(node, "idle", "after")
    again = opened(node, "idle", last_event_id=event.last_event_id)
    assert again.next_event().data == "after"
