"""V2: messages over HTTP to the streams of their users."""

import pathlib
import random
import re
import subprocess
import threading

import pytest

from harness.server import clean_environment, target
from harness.wire import request_bytes

pytestmark = pytest.mark.sanitizer

DATA = pathlib.Path(__file__).parent / "data"
HOWDY = (DATA / "howdy.txt").read_bytes()
HOWDY_AS_WINDOWS_1252 = (DATA / "howdy_as_windows_1252.txt").read_bytes()
HOWDY_AS_CP855 = (DATA / "howdy_as_cp855.txt").read_bytes()


def opened(server, user, **options):
    """A stream of the user, its first block read."""
    stream = server.stream(user, **options)
    assert stream.next_event().type == "stream-open"
    return stream


# The message


@pytest.mark.smoke
def test_a_message_reaches_its_user_and_the_answer_says_id_and_streams(server, user):
    stream = opened(server, user)
    response = server.post(target("/v2/message", username=user), "Howdy")
    assert response.status == 202
    assert response.header("Content-Type") == "application/json"
    answer = response.json()
    assert set(answer) == {"id", "streams"} and answer["streams"] == 1
    event = stream.next_event()
    assert (event.type, event.data, event.last_event_id) == ("message", "Howdy", answer["id"])


@pytest.mark.parametrize("path", ["/v2/message", "/v2/message/"])
def test_both_forms_of_the_path_are_one_route(server, user, path):
    stream = opened(server, user)
    assert server.post(target(path, username=user), "x").status == 202
    assert stream.next_event().data == "x"


def test_the_two_old_copies_hold_the_bytes_of_the_howdy_with_one_lost_each():
    """Each copy is the UTF-8 of the text misread as a one-byte code page, and lost the byte that has no printable
    character there: 0x8F is not assigned in Windows-1252, 0xF0 is the soft hyphen of code page 855."""
    assert HOWDY.decode() == "Howdy 🤠 from version 2️⃣"
    assert HOWDY_AS_WINDOWS_1252.decode().encode("cp1252") == HOWDY.replace(b"\x8f", b"")
    assert HOWDY_AS_CP855.decode().encode("cp855") == HOWDY.replace(b"\xf0", b"")


MESSAGES = {
    "the howdy": HOWDY,
    "the howdy misread as Windows-1252": HOWDY_AS_WINDOWS_1252,
    "the howdy misread as code page 855": HOWDY_AS_CP855,
    "a family of four joined by ZWJ": "👨‍👩‍👧‍👦".encode(),
    "the ends of each length of UTF-8": "\x01\x7f\u0080\u07ff\u0800\ud7ff\ue000\uffff\U00010000\U0010ffff".encode(),
    "a byte order mark": "\ufeffx\ufeff".encode(),
    "U+0000": b"a\0b",
    "other line separators of Unicode": "a\u0085b\u2028c\u2029d\x0be\x0cf".encode(),
    "leading and trailing blanks": b"  x \t ",
    "what looks like fields": b"data: x\nid: 1\nevent: y\nretry: 5\n: z",
    "what looks like the end of a chunk": b"x\n0\n\nHTTP/1.1 200 OK",
    "60 KiB": b"0123456789abcdef" * (60 * 64),
    "60 KiB of one-byte lines": b"x\n" * (30 * 1024 - 1) + b"x",
    "60 KiB of empty lines": b"\n" * (60 * 1024),
    "as much as the limit allows": b"x" * 65536,
}


@pytest.mark.parametrize("name", MESSAGES)
def test_text_passes_unchanged(server, user, name):
    stream = opened(server, user)
    server.publish(user, MESSAGES[name])
    assert stream.next_event().data.encode() == MESSAGES[name]


LINE_BREAKS = ["a\nb", "a\rb", "a\r\nb", "a\n\nb", "a\r\rb", "a\r\n\r\nb", "a\n\rb", "a\r\nb\rc\nd"]
LINE_BREAKS += ["\n", "\r", "\r\n", "\n\n", "\r\r\n\n", "\na", "a\n", "\r\na\r\n"]


@pytest.mark.parametrize("text", LINE_BREAKS, ids=repr)
def test_lines_come_back_joined_by_lf(server, user, text):
    stream = opened(server, user)
    server.publish(user, text)
    assert stream.next_event().data == "\n".join(re.split("\r\n|\r|\n", text))


def test_an_empty_message_is_an_event_with_empty_data(server, user):
    stream = opened(server, user)
    with server.connect() as connection:
        connection.send(f"POST /v2/message?username={user} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        assert connection.read_response().status == 202
        server.publish(user, b"")
    for event in stream.take(2):
        assert (event.type, event.data) == ("message", "")
        assert ("data", "") in event.block


@pytest.mark.parametrize(
    "body",
    [
        b"\xff",
        b"a\x80",
        b"\xc0\xaf",
        b"\xe0\x80\xaf",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
        b"\xf8\x88\x80\x80\x80",
        b"caf\xe9",
        b"cut \xf0\x9f\xa4",
        b"\x00\xfe",
    ],  # fmt: skip
    ids=repr,
)
def test_a_body_that_is_not_utf_8_is_400_and_reaches_nobody(server, user, body):
    stream = opened(server, user)
    response = server.post(target("/v2/message", username=user), body)
    assert response.status == 400
    assert "UTF-8" in response.json()["detail"]
    server.publish(user, "next")
    assert stream.next_event().data == "next"


def test_a_body_over_the_limit_is_413_and_reaches_nobody(server, user):
    stream = opened(server, user)
    response = server.post(target("/v2/message", username=user), b"x" * 65537)
    assert response.status == 413
    assert "limits.body" in response.json()["detail"] or "65536" in response.json()["detail"]
    server.publish(user, "next")
    assert stream.next_event().data == "next"


@pytest.mark.parametrize(
    "content_type",
    [None, "application/x-www-form-urlencoded", "application/json", "text/plain; charset=iso-8859-1", "x"],
)
def test_any_content_type_is_taken_as_the_message(server, user, content_type):
    stream = opened(server, user)
    headers = {"Content-Type": content_type} if content_type else {}
    assert server.post(target("/v2/message", username=user), "a=1&b=%41+ü", headers).status == 202
    assert stream.next_event().data == "a=1&b=%41+ü"


def test_a_chunked_body_is_one_message(server, user):
    stream = opened(server, user)
    with server.connect() as connection:
        head = request_bytes("POST", f"/v2/message?username={user}", {"Transfer-Encoding": "chunked"})
        connection.send(head + b'3\r\nHow\r\n2;a="b"\r\ndy\r\n0\r\nTrailer: x\r\n\r\n')
        assert connection.read_response().status == 202
        assert connection.request("GET", "/healthz").status == 200
    assert stream.next_event().data == "Howdy"


def test_texts_made_at_random_pass_unchanged(server, user, seed):
    chance = random.Random(seed)
    alphabet = [
        "\n",
        "\r",
        "\r\n",
        " ",
        ":",
        "data: ",
        "id: 1",
        "event: x",
        "retry: 1",
        "\0",
        "\ufeff",
        "x",
        "é",
        "🤠",
        "\u2028",
        "\t",
    ]
    stream = opened(server, user)
    with server.connect() as connection:
        for _ in range(1000):
            text = "".join(chance.choices(alphabet, k=chance.randrange(20)))
            server.publish(user, text, connection=connection)
            assert stream.next_event().data == "\n".join(re.split("\r\n|\r|\n", text))


# Event types


@pytest.mark.parametrize(
    "event", ["greeting", "message", "stream", "Stream-open", "a b", " x", "é🤠", "a:b", "x" * 256, "%"]
)
def test_an_event_type_reaches_the_client(server, user, event):
    stream = opened(server, user)
    server.publish(user, "x", event=event)
    assert (stream.next_event().type) == event


@pytest.mark.parametrize(
    "event",
    ["", "x" * 257, "é" * 129, "a\nb", "a\rb", "\0", "a\x1f", "\x7f", b"\xff", "stream-", "stream-open", "stream-mine"],
    ids=repr,
)
def test_a_bad_or_reserved_event_type_is_400(server, user, event):
    response = server.post(target("/v2/message", username=user, event=event), "x")
    assert response.status == 400
    assert "event" in response.json()["detail"]


def test_a_repeated_event_type_is_400(server, user):
    assert server.post(f"/v2/message?username={user}&event=a&event=a", "x").status == 400


# Who gets it


def test_a_user_without_a_stream_is_no_error(server, user):
    answer = server.publish(user, "waits")
    assert answer["streams"] == 0
    stream = server.stream(user, last_event_id="earliest")
    assert [event.data for event in stream.take(2)] == ["", "waits"]


def test_ten_streams_of_one_user_get_every_message(server, user):
    streams = [opened(server, user) for _ in range(10)]
    for number in range(20):
        assert server.publish(user, str(number))["streams"] == 10
    for stream in streams:
        assert stream.take_data(20) == [str(number) for number in range(20)]


def test_users_are_apart(server, user):
    names = [user, user + "x", user[:-1], user.upper(), user + " ", " " + user]
    streams = {name: opened(server, name) for name in names}
    for round_ in range(3):
        for name in names:
            assert server.publish(name, f"{round_} to {name}")["streams"] == 1
    for name, stream in streams.items():
        assert stream.take_data(3) == [f"{round_} to {name}" for round_ in range(3)]


def test_a_message_to_star_reaches_every_stream_of_v2(start_server):
    server = start_server()
    greeting = server.stream("a", version="v1")
    greeting.next()
    streams = [opened(server, user) for user in ("a", "a", "b", "c")]
    answer = server.publish("*", "all of you", event="news")
    assert answer["streams"] == 4
    for stream in streams:
        event = stream.next_event()
        assert (event.type, event.data, event.last_event_id) == ("news", "all of you", answer["id"])
    assert b"all of you" not in greeting.raw and greeting.next().text == " keep-alive-text"


def test_whoever_resumes_gets_what_went_to_star(start_server):
    server = start_server()
    stream = opened(server, "a")
    stream.close()
    server.publish("a", "1")
    server.publish("*", "2")
    server.publish("b", "not for a")
    server.publish("a", "3")
    server.publish("*", "4")
    assert server.stream("a", last_event_id=stream.last_event_id).take_data(5) == ["", "1", "2", "3", "4"]
    assert server.stream("a", last_event_id="earliest").take_data(5) == ["", "1", "2", "3", "4"]
    assert server.stream("never seen before", last_event_id="earliest").take_data(3) == ["", "2", "4"]


def test_five_thousand_messages_of_one_publisher_arrive_in_order(server, user):
    stream = opened(server, user)
    with server.connect() as connection:
        answers = [server.publish(user, str(number), connection=connection) for number in range(5000)]
        assert {answer["streams"] for answer in answers} == {1}
        events = stream.take(5000)
    assert [event.data for event in events] == [str(number) for number in range(5000)]
    assert [event.last_event_id for event in events] == [answer["id"] for answer in answers]


def test_pipelined_messages_arrive_in_order(server, user):
    stream = opened(server, user)
    with server.connect() as connection:
        for hundred in range(0, 1000, 100):
            posts = [
                request_bytes("POST", f"/v2/message?username={user}", body=b"%d" % (hundred + n)) for n in range(100)
            ]
            connection.send(b"".join(posts))
            assert {connection.read_response().status for _ in posts} == {202}
    assert stream.take_data(1000) == [str(number) for number in range(1000)]


def test_all_streams_of_a_user_see_one_order_whoever_publishes(start_server):
    server = start_server({"threads": 4})
    streams = [opened(server, "a") for _ in range(5)]

    def publish(publisher):
        with server.connect() as connection:
            for number in range(300):
                server.publish("a" if number % 10 else "*", f"{publisher} {number}", connection=connection)

    publishers = [threading.Thread(target=publish, args=(publisher,)) for publisher in range(6)]
    for publisher in publishers:
        publisher.start()
    first, *others = [[(event.last_event_id, event.data) for event in stream.take(6 * 300)] for stream in streams]
    for publisher in publishers:
        publisher.join()
    assert all(other == first for other in others)
    for publisher in range(6):
        mine = [data for _, data in first if data.startswith(f"{publisher} ")]
        assert mine == [f"{publisher} {number}" for number in range(300)]
    replayed = server.stream("a", last_event_id="earliest").take(1 + 6 * 300)[1:]
    assert [(event.last_event_id, event.data) for event in replayed] == first


# The map of users


def test_a_user_without_history_leaves_the_map_with_the_last_stream(start_server):
    server = start_server()
    streams = [server.stream(user) for user in ("a", "a", "b")]
    server.wait_for_metric("rillgate_users", 2)
    streams[0].close()
    server.wait_for_metric("rillgate_streams", 2, version="v2")
    assert server.metric("rillgate_users") == 2
    streams[1].close()
    streams[2].reset()
    server.wait_for_metric("rillgate_users", 0)


def test_history_keeps_a_user_in_the_map_for_its_time_to_live(start_server):
    server = start_server({"history.ttl": "2s"})
    with opened(server, "a") as stream:
        server.publish("a", "kept")
        assert stream.next_event().data == "kept"
    server.wait_for_metric("rillgate_streams", 0, version="v2")
    assert server.metric("rillgate_users") == 1
    server.wait_for_metric("rillgate_users", 0)
    assert server.metric("rillgate_history_bytes") == 0


# The seeds' commands, as they stand


def shell(server, command):
    """Runs a seed's command by itself; a .curlrc leads localhost:3000 to this test's port."""
    (server.directory / ".curlrc").write_text(
        f'connect-to = "localhost:3000:127.0.0.1:{server.port}"\nno-buffer\nsilent\n'
    )
    environment = clean_environment({"CURL_HOME": str(server.directory)})
    return subprocess.Popen(["bash", "-c", "exec " + command], env=environment, stdout=subprocess.PIPE)


@pytest.mark.smoke
def test_the_seeds_command_for_v1_shows_the_greetings(server):
    curl = shell(server, 'curl "http://localhost:3000/v1/sse?username=demo"')
    try:
        assert curl.stdout.read(11) == b"data: hi!\n\n"
        assert curl.stdout.read(19) == b": keep-alive-text\n\n"
    finally:
        curl.kill()
        curl.communicate()


@pytest.mark.parametrize("message", [HOWDY, HOWDY_AS_WINDOWS_1252, HOWDY_AS_CP855])
def test_the_seeds_commands_for_v2_pass_the_message_unchanged(start_server, message):
    server = start_server()
    listener = shell(server, 'curl "http://localhost:3000/v2/sse?username=demo"')
    try:
        server.wait_for_metric("rillgate_streams", 1, version="v2")
        command = b'curl -X POST "http://localhost:3000/v2/message?username=demo" -d "%s"' % message
        poster = shell(server, command.decode())
        assert b'"streams":1' in poster.communicate()[0]
        lines = iter(listener.stdout.readline, b"")
        assert next(line for line in lines if b"Howdy" in line) == b"data: " + message + b"\n"
    finally:
        listener.kill()
        listener.communicate()
