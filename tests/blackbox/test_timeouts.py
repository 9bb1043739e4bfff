"""Slow clients: a head, a body and an idle connection each have their time, and no more."""

import socket
import time

import pytest

from harness.waiting import wait_until
from harness.wire import Closed, request_bytes

pytestmark = pytest.mark.sanitizer


@pytest.fixture
def server(start_server):
    return start_server({"timeouts.head": "600ms", "timeouts.body": "900ms", "timeouts.idle": "1500ms"})


def drip_until_the_end(connection, data, began):
    """Sends a byte every 50 ms until the server ends the connection; returns (all that came back, seconds taken)."""
    sent = iter(data)

    def ended():
        try:
            connection.send(bytes([next(sent)]))
            connection.receive(0.05)
        except TimeoutError:
            return False
        except (Closed, ConnectionResetError, BrokenPipeError):
            return True

    wait_until(ended, "the server to end the connection", within=10)
    return bytes(connection.received), time.monotonic() - began


def assert_timed_out(received, took, limit):
    assert received == b"" or received.startswith(b"HTTP/1.1 408 "), received
    assert limit * 0.9 < took < limit + 2


def test_a_head_that_is_not_whole_in_time_ends(server):
    with server.connect() as connection:
        received, took = drip_until_the_end(
            connection, b"GET /healthz HTTP/1.1\r\nX: " + b"y" * 10000, time.monotonic()
        )
        assert_timed_out(received, took, 0.6)


def test_a_second_head_that_is_not_whole_in_time_ends(server):
    with server.connect() as connection:
        assert connection.request("GET", "/healthz").status == 200
        received, took = drip_until_the_end(
            connection, b"GET /healthz HTTP/1.1\r\nX: " + b"y" * 10000, time.monotonic()
        )
        assert_timed_out(received, took, 0.6)


@pytest.mark.parametrize(
    "framing, body",
    [("Content-Length: 60000", b"x" * 60000), ("Transfer-Encoding: chunked", b"1\r\nx\r\n" * 10000)],
)
def test_a_body_that_is_not_whole_in_time_ends_and_reaches_nobody(server, framing, body):
    with server.stream("a") as stream, server.connect() as connection:
        stream.next_event()
        connection.send(f"POST /v2/message?username=a HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n".encode())
        received, took = drip_until_the_end(connection, body, time.monotonic())
        assert_timed_out(received, took, 0.9)
        server.publish("a", "next")
        assert stream.next_event().data == "next"


def test_a_connection_that_sends_nothing_ends(server):
    began = time.monotonic()
    with server.connect() as connection:
        received = connection.read_to_end()
        assert_timed_out(received, time.monotonic() - began, 0.6)


def test_an_idle_connection_between_requests_ends_after_its_time(server):
    with server.connect() as connection:
        assert connection.request("GET", "/healthz").status == 200
        began = time.monotonic()
        assert connection.read_to_end() == b""
        assert 1.3 < time.monotonic() - began < 3.5


def test_a_stream_outlives_all_of_these_times(start_server):
    limits = {
        "timeouts.head": "200ms",
        "timeouts.body": "200ms",
        "timeouts.idle": "200ms",
        "keepalive.interval": "500ms",
    }
    server = start_server(limits)
    with server.stream("a") as stream:
        stream.next_event()
        for _ in range(3):
            assert stream.next().text == " keep-alive-text"


def test_a_slow_reader_of_an_answer_does_not_keep_its_connection_for_ever(start_server):
    server = start_server({"timeouts.idle": "1s", "timeouts.body": "1s", "timeouts.head": "1s"})
    before = server.metric("rillgate_connections")
    connection = server.connect(receive_buffer=4096)
    requests = request_bytes("GET", "/metrics") * 100
    connection.socket.setblocking(False)
    sent = 0

    def stuck():
        nonlocal sent
        try:
            sent += connection.socket.send(requests[sent % len(requests) :])
            return False
        except BlockingIOError:
            return True
        except (ConnectionResetError, BrokenPipeError):
            return True

    wait_until(stuck, "the pipeline to fill")
    wait_until(lambda: server.metric("rillgate_connections") <= before, "the server to give the reader up")
    connection.close()


def test_many_slow_heads_keep_nobody_out(server):
    slow = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(300)]
    for one in slow:
        one.send(b"GET / HTTP/1.1\r\n")
    assert server.get("/healthz").status == 200
    for one in slow:
        one.close()
