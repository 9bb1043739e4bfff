"""A client cut again and again at random, over real sockets, against a publisher at 1,000 messages a second."""

import json
import random
import threading
import time

import pytest

from harness.waiting import wait_until

RATE = 1000  # messages a second


class Publisher(threading.Thread):
    """Posts 0, 1, 2, … to one user at the rate, until told to stop; `published` is how many were answered."""

    def __init__(self, server, user):
        super().__init__()
        self.published = 0
        self._server, self._user, self._told_to_stop = server, user, threading.Event()

    def run(self):
        began = time.monotonic()
        with self._server.connect() as connection:
            while not self._told_to_stop.is_set():
                self._server.publish(self._user, str(self.published), connection=connection)
                self.published += 1
                self._told_to_stop.wait(max(0.0, began + self.published / RATE - time.monotonic()))

    def wait_for(self, count):
        wait_until(lambda: self.published >= count or not self.is_alive(), "the publisher to go on")

    def stop(self):
        self._told_to_stop.set()
        self.join()


def read_through_cuts(server, user, seed, cuts, most_away):
    """Reads a user's stream through the cuts and to the end of what is published; returns (all events, messages).

    Each cut comes after a random number of bytes, by RST or by FIN, with more under way; then the client stays away for
    up to `most_away` messages and returns with the last id it has.
    """
    chance = random.Random(seed)
    publisher = Publisher(server, user)
    stream = server.stream(user)
    events = [stream.next_event()]
    publisher.start()
    try:
        for _ in range(cuts):
            until = len(stream.raw) + chance.randrange(1, 5000)
            while len(stream.raw) < until:
                events.append(stream.next_event())
                assert events[-1] is not None, f"the stream ended ({stream.ended})"
            chance.choice((stream.reset, stream.close))()
            publisher.wait_for(publisher.published + chance.randrange(most_away))
            stream = server.stream(user, last_event_id=stream.last_event_id)
    finally:
        publisher.stop()
    while not (events[-1].type == "message" and int(events[-1].data) == publisher.published - 1):
        events.append(stream.next_event())
        assert events[-1] is not None, f"the stream ended ({stream.ended})"
    return events, publisher.published


def assert_each_once_and_in_order(events, published, cuts):
    assert [event.data for event in events if event.type == "message"] == [str(number) for number in range(published)]
    own = [event.type for event in events if event.type not in ("message", "stream-position")]
    assert own == ["stream-open"] * (cuts + 1)


def assert_only_missing_after_gaps(events, published):
    """Returns the number of gaps."""
    expected, told, gaps = 0, False, 0
    for event in events:
        if event.type == "stream-gap":
            assert set(json.loads(event.data)) == {"requested", "oldest"}
            told, gaps = True, gaps + 1
        elif event.type == "message":
            number = int(event.data)
            assert number == expected or told, f"after {expected - 1} came {number}, and no gap was told"
            expected, told = number + 1, False
    assert expected == published
    return gaps


@pytest.fixture
def ample(start_server):
    return start_server({"threads": 4, "history.size": 1000000, "history.bytes": "64MiB"})


@pytest.fixture
def scant(start_server):
    return start_server({"threads": 4, "history.size": 30})


@pytest.mark.sanitizer
def test_a_client_cut_a_hundred_times_gets_every_message_once_and_in_order(ample, seed):
    assert_each_once_and_in_order(*read_through_cuts(ample, "a", seed, cuts=100, most_away=100), cuts=100)


@pytest.mark.sanitizer
def test_with_too_little_history_gaps_are_announced_and_nothing_else_is_missing(scant, seed):
    events, published = read_through_cuts(scant, "a", seed, cuts=100, most_away=100)
    assert assert_only_missing_after_gaps(events, published) > 0
    # How many there are is the machine's: a slow reader may be told of several between two cuts.
    assert sum(event.type == "stream-open" for event in events) > 1, "some returns were without a gap"


@pytest.mark.prove
@pytest.mark.timeout(900)
def test_two_thousand_cuts_with_ample_history_lose_nothing(ample, seed):
    events, published = read_through_cuts(ample, "a", seed, cuts=2000, most_away=100)
    assert_each_once_and_in_order(events, published, cuts=2000)
    print(f"2000 cuts, {published} messages, each once and in order")


@pytest.mark.prove
@pytest.mark.timeout(900)
def test_two_thousand_cuts_with_scant_history_lose_nothing_in_silence(scant, seed):
    events, published = read_through_cuts(scant, "a", seed, cuts=2000, most_away=100)
    gaps = assert_only_missing_after_gaps(events, published)
    received = sum(event.type == "message" for event in events)
    print(f"2000 cuts, {published} messages, {received} received, {gaps} gaps told")
