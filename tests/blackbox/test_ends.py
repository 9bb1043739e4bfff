"""The end of the server and the end of its means: drain, a second signal, descriptors that run out."""

import signal
import time

import pytest

from harness.crowd import Crowd
from harness.server import target
from harness.waiting import wait_until
from harness.wire import Closed, request_bytes

pytestmark = pytest.mark.sanitizer

BROWSER = {"Accept": "text/event-stream"}


# Drain


@pytest.mark.parametrize("signal_", [signal.SIGTERM, signal.SIGINT])
def test_a_server_without_streams_ends_at_once(start_server, signal_):
    server = start_server({"drain.period": "10s"})
    began = time.monotonic()
    assert server.stop(signal_) == 0
    assert time.monotonic() - began < 5


@pytest.mark.smoke
@pytest.mark.parametrize("version", ["v1", "v2"])
def test_streams_end_each_with_a_stream_close_block(start_server, version):
    server = start_server({"drain.period": "1s"})
    streams = [server.stream(f"user-{number}", version=version) for number in range(10)]
    for stream in streams:
        stream.next_event()
    server.process.send_signal(signal.SIGTERM)
    for stream in streams:
        last = stream.rest()[-1]
        assert last.type == "stream-close"
        assert sorted(name for name, _ in last.block) == ["data", "event", "retry"]
        assert last.data == "" and 1000 <= last.retry <= 3000
        assert stream.ended == "whole"
    assert server.wait_for_exit()[0] == 0


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_the_ends_of_streams_are_spread_over_the_period(start_server, version):
    server = start_server({"drain.period": "2s"})
    with Crowd(server.port, [f"user-{number}" for number in range(60)], version) as crowd:
        crowd.read_until(lambda: crowd.opened == 60, "all streams to open")
        began = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        crowd.read_until(lambda: crowd.ended == 60, "all streams to end")
        assert server.wait_for_exit()[0] == 0
        assert time.monotonic() - began < 2 + 15
        halves = [sum(half <= member.ended_at - began < half + 1 for member in crowd.members) for half in range(2)]
        assert min(halves) > 15, f"ends in each second: {halves}"


def test_drain_goes_in_its_order(start_server):
    server = start_server({"drain.delay": "2s", "drain.period": "3s"})
    stream, kept = server.stream("a"), server.connect()
    stream.next_event()
    assert kept.request("GET", "/healthz").status == 200
    server.process.send_signal(signal.SIGTERM)
    began = time.monotonic()

    wait_until(lambda: server.get("/readyz").status == 503, "/readyz to turn 503", within=1)
    late = server.stream("b", headers=BROWSER)
    assert late.next_event().type == "stream-open", "until drain.delay is over, all is served"
    server.publish("a", "during the delay")
    assert stream.next_event().data == "during the delay"

    def refused():
        with server.connect() as connection:
            connection.send(request_bytes("GET", "/v2/sse?username=c", BROWSER))
            connection.read_head()
            return b"event: stream-close\n" in connection.read_until(b"\n\n")

    wait_until(refused, "new streams to be refused")
    assert time.monotonic() - began >= 1.8
    response = server.get("/v2/sse?username=c")
    assert response.status == 503 and int(response.header("Retry-After")) >= 1
    assert server.get("/healthz").status == 200, "the operations routes answer until the end"
    assert server.get("/metrics").status == 200
    response = kept.request("POST", target("/v2/message", username="a"), body=b"x")
    assert response.header("Connection") == "close"

    assert stream.rest()[-1].type == "stream-close"
    assert late.rest()[-1].type == "stream-close"
    status, _ = server.wait_for_exit()
    assert status == 0
    assert time.monotonic() - began < 2 + 3 + 15


def test_a_post_that_was_accepted_while_draining_reaches_the_streams_that_its_answer_counts(start_server):
    server = start_server({"drain.period": "2s"})
    accepted = []

    def post_until_refused():
        try:
            response = server.post("/v2/message?username=a", str(len(accepted)))
        except (OSError, Closed):
            return True
        if response.status == 202:
            accepted.append(response.json()["streams"])
        return response.status == 503

    with Crowd(server.port, ["a"] * 20) as crowd:
        crowd.read_until(lambda: crowd.opened == 20, "all streams to open")
        server.process.send_signal(signal.SIGTERM)
        crowd.read_until(post_until_refused, "posts to be refused")
        crowd.read_until(lambda: crowd.ended == 20, "all streams to end")
        assert server.wait_for_exit()[0] == 0
        for member in crowd.members:
            data = [event.data for event in member.messages]
            assert data == [str(number) for number in range(len(data))]
            assert member.closed_kindly and member.ended == "whole"
        assert crowd.messages == sum(accepted)


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_at_once(start_server, second):
    server = start_server({"drain.delay": "30s", "drain.period": "30s"})
    stream = server.stream("a")
    stream.next_event()
    server.process.send_signal(signal.SIGTERM)
    wait_until(lambda: server.get("/readyz").status == 503, "the drain to begin")
    server.process.send_signal(second)
    status, took = server.wait_for_exit(within=5)
    assert took < 2
    server.allowed_exits.add(status)  # nothing is promised of the status of an end in haste


def test_a_reader_that_does_not_read_does_not_hold_up_the_end(start_server):
    server = start_server({"drain.period": "500ms"})
    stalled = server.stream("a", receive_buffer=4096)
    stalled.next_event()
    for _ in range(100):
        server.publish("a", "x" * 60000)
        if server.metric("rillgate_queued_bytes") > 60000:
            break
    server.process.send_signal(signal.SIGTERM)
    assert server.wait_for_exit(within=0.5 + 15)[0] == 0


# Descriptors


def opens(server):
    """Tries to open a stream as a browser would: the stream, or None where it is refused in any way."""
    connection = server.connect()
    connection.send(request_bytes("GET", "/v2/sse?username=a", BROWSER))
    try:
        connection.read_head(within=0.5)
        first = connection.read_until(b"\n\n", within=0.5)
    except (TimeoutError, Closed):
        connection.close()
        return None
    if b"event: stream-open\n" in first:
        return connection
    assert b"event: stream-close\n" in first
    connection.close()
    return None


def test_running_out_of_descriptors_ends_no_stream_and_all_goes_on_when_there_is_room(start_server):
    server = start_server(descriptors=80)
    stream = server.stream("a")
    stream.next_event()
    publisher = server.connect()
    server.publish("a", "before", connection=publisher)
    held, refused = [], 0
    while refused < 3:
        connection = opens(server)
        if connection:
            held.append(connection)
            assert len(held) < 80
        else:
            refused += 1
    assert len(held) > 20
    assert "limits.streams" in server.log(), "a limit that the descriptors do not reach is warned of"
    server.publish("a", "at the limit", connection=publisher)
    assert stream.take_data(2) == ["before", "at the limit"]
    for connection in held:
        connection.read_until(b"data: at the limit\n")
    for connection in held[:10]:
        connection.close()
    wait_until(lambda: opens(server), "new streams to be served again")
    server.publish("a", "after", connection=publisher)
    assert stream.next_event().data == "after"
    for connection in held[10:]:
        connection.read_until(b"data: after\n")
    assert server.process.poll() is None


def test_the_server_raises_its_own_soft_limit_of_descriptors(server):
    assert server.metric("process_max_fds") >= 4096
