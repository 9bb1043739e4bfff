"""Streams of V2: their first block, what an idle one says, and what is freed when one ends."""

import pathlib
import re
import time

import pytest

from harness.event_stream import Comment, Stream
from harness.waiting import wait_until
from harness.wire import request_bytes

pytestmark = pytest.mark.sanitizer

ID = re.compile(r"[A-Za-z0-9_.:~-]{1,128}")


def test_the_head_comes_at_once(server, user):
    with server.connect() as connection:
        connection.send(request_bytes("GET", f"/v2/sse?username={user}"))
        assert connection.read_head().status == 200


def test_the_first_block_is_stream_open_with_id_retry_and_empty_data(server, user):
    stream = server.stream(user)
    event = stream.next_event()
    fields = dict(event.block)
    assert sorted(name for name, _ in event.block) == ["data", "event", "id", "retry"]
    assert fields["event"] == "stream-open" and fields["data"] == ""
    assert ID.fullmatch(fields["id"])
    assert re.fullmatch(r"[0-9]+", fields["retry"])
    assert re.search(rb"(?m)^data:$", stream.raw), "empty data is `data:`"


def test_http_1_0_gets_the_same_events_in_a_close_delimited_body(server, user):
    stream = Stream(server.connect(), f"/v2/sse?username={user}", version="1.0")
    assert stream.response.header("Transfer-Encoding") is None
    assert stream.next_event().type == "stream-open"
    server.publish(user, "x")
    assert stream.next_event().data == "x"


def test_retry_is_jittered_by_half_around_two_seconds(server, user):
    retries = [server.stream(user).next_event().retry for _ in range(60)]
    assert all(1000 <= retry <= 3000 for retry in retries)
    assert len(set(retries)) > 20
    assert min(retries) < 1700 and max(retries) > 2300


def test_stream_retry_is_a_setting(start_server):
    server = start_server({"stream.retry": "100ms"})
    assert all(50 <= server.stream("a").next_event().retry <= 150 for _ in range(20))


def test_every_event_has_an_id_and_all_ids_differ(server, user):
    stream = server.stream(user)
    for number in range(50):
        server.publish(user, str(number), event="odd" if number % 2 else None)
    events = stream.take(51)
    assert all(event.has_id and ID.fullmatch(event.last_event_id) for event in events)
    assert len({event.last_event_id for event in events[1:]}) == 50
    assert all(event.retry is None for event in events[1:])


# Idle streams


def test_an_idle_stream_gets_a_comment_and_a_blank_line(start_server):
    server = start_server({"keepalive.interval": "200ms"})
    stream = server.stream("a")
    opened = stream.next_event()
    comments = [stream.next() for _ in range(5)]
    assert {comment.text for comment in comments} == {" keep-alive-text"}
    assert stream.raw.endswith(b"\n\n" + b": keep-alive-text\n\n" * 5)
    assert 0.7 < comments[-1].at - opened.at < 3


def test_the_comments_text_is_a_setting(start_server):
    server = start_server({"keepalive.interval": "100ms", "keepalive.text": "still here"})
    stream = server.stream("a")
    stream.next_event()
    assert stream.next().text == " still here"


def test_a_busy_stream_gets_no_comment(start_server):
    server = start_server({"keepalive.interval": "1s"})
    stream = server.stream("a")
    stream.next_event()
    with server.connect() as connection:
        until = time.monotonic() + 2  # two intervals
        while time.monotonic() < until:
            server.publish("a", "x", connection=connection)
            assert not isinstance(stream.next(), Comment)


def move_the_position(server, but=""):
    """Publishes to so many users that the position of every stream moves, whatever it is kept by."""
    server.publish_all((f"{but}other-{number}", "x") for number in range(3000))


def test_an_idle_stream_whose_position_moved_is_told_in_place_of_the_comment(start_server):
    server = start_server({"keepalive.interval": "300ms"})
    stream = server.stream("a")
    opened = stream.next_event()
    move_the_position(server)
    event = stream.next_of_type("stream-position")
    assert sorted(event.block) == sorted([("event", "stream-position"), ("id", event.last_event_id), ("data", "")])
    assert ID.fullmatch(event.last_event_id) and event.last_event_id != opened.last_event_id
    assert stream.next().text == " keep-alive-text", "a position that has not moved is not said again"


def test_an_idle_streams_cursor_never_ages_out(start_server):
    # The total is so small that other users' messages evict whatever is older than the position.
    server = start_server({"keepalive.interval": "200ms", "history.memory": "64KiB", "history.bytes": "32KiB"})
    stream = server.stream("a")
    first = stream.next_event().last_event_id
    for round_ in range(3):
        move_the_position(server, but=str(round_))
        told = stream.next_of_type("stream-position").last_event_id
    stream.close()
    again = server.stream("a", last_event_id=told)
    assert again.next_event().type == "stream-open"
    server.publish("a", "to you")
    assert again.next_event().data == "to you"
    assert first != told


# Ends


@pytest.mark.parametrize("how", ["close", "reset"])
def test_a_client_that_leaves_frees_what_it_held_at_once(start_server, how):
    server = start_server()
    before = server.descriptors()
    streams = [server.stream(f"user-{number % 10}") for number in range(50)]
    for stream in streams:
        stream.next_event()
    assert server.metric("rillgate_streams", version="v2") == 50
    for stream in streams:
        getattr(stream, how)()
    server.wait_for_metric("rillgate_streams", 0, version="v2", within=5)
    server.wait_for_metric("rillgate_users", 0, within=5)
    server.wait_for_metric("rillgate_connections", lambda count: count <= 1, within=5)
    assert server.descriptors() <= before + 1
    assert server.metric("rillgate_stream_ends_total") == 50


def test_tcp_keep_alive_looks_after_half_open_clients(server, user):
    """The kernel's table shows the timer of each connection; 2 is the keep-alive timer."""
    stream = server.stream(user)
    stream.next_event()
    own, peer = (f"0100007F:{port:04X}" for port in (server.port, stream.connection.socket.getsockname()[1]))

    def timer():
        for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[1:3] == [own, peer]:
                return fields[5].partition(":")[0]
        return None

    wait_until(lambda: timer() == "02", "the keep-alive timer of the server's side")


def test_a_client_that_leaves_while_it_is_written_to_harms_nobody(start_server):
    server = start_server()
    staying = server.stream("a")
    with server.connect() as connection:
        for number in range(200):
            leaving = [server.stream("a") for _ in range(3)]
            leaving[0].reset()
            leaving[1].close()
            server.publish("a", str(number), connection=connection)
            leaving[2].reset()
    assert staying.take_data(201) == ["", *map(str, range(200))]
    server.wait_for_metric("rillgate_streams", 1, version="v2")


def test_what_a_client_sends_after_its_request_does_not_disturb_its_stream(server, user):
    stream = server.stream(user)
    stream.next_event()
    stream.connection.send(request_bytes("GET", "/healthz"))
    server.publish(user, "x")
    assert stream.next_event().data == "x"


def test_a_client_cannot_fill_the_server_by_sending_on_a_stream(start_server):
    server = start_server()
    stream = server.stream("a")
    stream.next_event()
    before = server.resident_bytes()
    stream.connection.socket.settimeout(0.5)
    try:
        for _ in range(64):
            stream.connection.send(b"x" * (1 << 20))
    except (TimeoutError, ConnectionResetError, BrokenPipeError):
        pass  # it may stop reading, or end the stream
    assert server.resident_bytes() - before < 16 << 20
    assert server.get("/healthz").status == 200
