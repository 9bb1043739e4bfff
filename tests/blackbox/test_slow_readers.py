"""A reader that does not read delays nobody, costs no more than its limit, and can return for what it missed."""

import threading

import pytest

from harness.crowd import Crowd
from harness.waiting import wait_until

BLOCK = 4000  # bytes of each message's data here; about 4 KiB on the wire
SMALL = {"receive_buffer": 4096}  # so that little more than the server's own limit can wait for a stalled reader


def text(number):
    return f"{number} ".ljust(BLOCK, "x")


def number_of(event):
    return int(event.data.split()[0])


def publish_until(server, user, condition, most=20000):
    """Publishes numbered messages until the condition holds; returns how many."""
    with server.connect() as connection:
        for number in range(most):
            server.publish(user, text(number), connection=connection)
            if number % 20 == 19 and condition():
                return number + 1
    raise AssertionError(f"{most} messages and still not what was waited for")


def slow_consumers(server):
    return server.metric("rillgate_stream_ends_total", reason="slow_consumer")


@pytest.mark.sanitizer
def test_a_stalled_reader_is_closed_at_stream_buffer_counted_and_resumes(start_server):
    settings = {"stream.buffer": "128KiB", "history.bytes": "64MiB", "history.size": 100000}
    server = start_server(settings)
    stalled, reading = server.stream("a", **SMALL), server.stream("a")
    stalled.next_event(), reading.next_event()
    received = []

    def read_along():
        received.extend(map(number_of, reading.take(20)))
        return slow_consumers(server) == 1

    count = publish_until(server, "a", read_along)
    assert received == list(range(count)), "the other stream of the user got everything"
    assert server.metric("rillgate_streams") == 1
    assert server.metric("rillgate_queued_bytes") == 0

    had = [event for event in stalled.rest() if event.type == "message"]
    assert stalled.ended, "the stalled stream is closed"
    again = server.stream("a", last_event_id=stalled.last_event_id)
    assert again.next_event().type == "stream-open"
    missed = again.take(count - len(had))
    assert [number_of(event) for event in had + missed] == list(range(count))


@pytest.mark.sanitizer
def test_a_replay_far_over_stream_buffer_is_paced_by_its_reader(start_server):
    server = start_server({"stream.buffer": "32KiB", "history.bytes": "32MiB", "history.size": 100000})
    count = 4000  # 16 MB
    server.publish_all(("a", text(number)) for number in range(count))
    stream = server.stream("a", last_event_id="earliest", **SMALL)
    assert stream.next_event().type == "stream-open"
    assert server.metric("rillgate_queued_bytes") <= 2 * 32 * 1024
    server.publish("a", text(count))  # comes while the replay is under way
    assert [number_of(event) for event in stream.take(count + 1)] == list(range(count + 1))
    assert slow_consumers(server) == 0


@pytest.mark.sanitizer
def test_a_replay_that_eviction_overtakes_says_so_in_the_middle(start_server):
    settings = {"history.size": 2000, "history.bytes": "64MiB", "stream.buffer": "32KiB"}
    server = start_server(settings)
    server.publish_all(("a", text(number)) for number in range(2000))
    stream = server.stream("a", last_event_id="earliest", **SMALL)
    assert stream.next_event().type == "stream-open"
    server.publish_all(("a", text(number)) for number in range(2000, 5000))
    expected, gaps, told = 0, 0, False
    while expected < 5000:
        event = stream.next_event()
        assert event is not None, f"the stream ended ({stream.ended}) before {expected}"
        if event.type == "stream-gap":
            gaps, told = gaps + 1, True
        elif event.type == "message":
            assert told or number_of(event) == expected
            expected, told = number_of(event) + 1, False
    assert gaps >= 1
    assert server.metric("rillgate_stream_gaps_total") == gaps


@pytest.mark.sanitizer
def test_queued_bytes_never_pass_their_limit(start_server):
    limit = 1 << 20
    settings = {"stream.buffer": "256KiB", "limits.queued-bytes": "1MiB", "history.bytes": "8MiB"}
    server = start_server(settings)
    stalled = [server.stream("a", **SMALL) for _ in range(40)]
    reading = server.stream("b")
    for stream in [*stalled, reading]:
        stream.next_event()
    seen, stop = [], threading.Event()

    def watch():
        while not stop.is_set():
            seen.append(server.metric("rillgate_queued_bytes"))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        publish_until(server, "a", lambda: slow_consumers(server) >= 36)
    finally:
        stop.set()
        watcher.join()
    assert max(seen) <= limit
    assert max(seen) > limit / 4, "the limit was approached"
    server.publish("b", "unharmed")
    assert reading.next_event().data == "unharmed"
    for stream in stalled:
        stream.close()
    server.wait_for_metric("rillgate_queued_bytes", 0)


@pytest.mark.sanitizer
def test_of_the_whole_the_stream_with_most_waiting_is_closed(start_server):
    settings = {"stream.buffer": "4MiB", "limits.queued-bytes": "4MiB", "history.bytes": "16MiB"}
    server = start_server(settings)
    hoarder, modest = server.stream("hoarder", **SMALL), server.stream("modest", **SMALL)
    hoarder.next_event(), modest.next_event()
    publish_until(server, "modest", lambda: server.metric("rillgate_queued_bytes") > 100_000)
    publish_until(server, "hoarder", lambda: slow_consumers(server) == 1)
    hoarder.rest()
    assert hoarder.ended
    server.publish("modest", "last")
    wait_until(lambda: modest.next_event().data == "last", "the modest reader to reach the last message")


@pytest.mark.sanitizer
def test_one_message_of_any_allowed_size_and_form_is_no_reason_to_close(start_server):
    server = start_server({"stream.buffer": "64KiB", "history.bytes": "1MiB"})
    stream = server.stream("a")
    stream.next_event()
    for body in "x" * 65536, "\n" * 65536, "x\r\n" * 20000:
        server.publish("a", body)
        assert stream.next_event().data == body.replace("\r\n", "\n")
    assert slow_consumers(server) == 0


def test_a_thousand_readers_get_everything_beside_one_that_never_reads(start_server):
    """All are streams of one user, so that each message's fan-out meets the stalled one too."""
    limit = 8 << 20
    settings = {"limits.queued-bytes": "8MiB", "limits.streams-per-user": 2000, "history.bytes": "64MiB"}
    server = start_server(settings)
    stalled = server.stream("a", **SMALL)
    stalled.next_event()
    count, queued = 0, []
    with Crowd(server.port, ["a"] * 1000) as crowd, server.connect() as connection:
        crowd.read_until(lambda: crowd.opened == 1000, "all streams to open")
        while slow_consumers(server) == 0:
            server.publish("a", text(count).ljust(16000, "x"), connection=connection)
            count += 1
            queued.append(server.metric("rillgate_queued_bytes"))
            crowd.read_until(lambda: crowd.messages == 1000 * count, f"message {count} to reach all")
        assert max(queued) <= limit
        assert all([number_of(event) for event in member.messages] == list(range(count)) for member in crowd.members)
        assert not any(member.ended for member in crowd.members)
    had = [number_of(event) for event in stalled.rest() if event.type == "message"]
    again = server.stream("a", last_event_id=stalled.last_event_id)
    assert again.next_event().type == "stream-open"
    assert had + [number_of(event) for event in again.take(count - len(had))] == list(range(count))
