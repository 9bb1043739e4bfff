"""Writers that go on while brokers come and go, and what must hold of what they wrote."""

import contextlib
import threading
import time

from .v3 import post
from .waiting import wait_until
from .wire import Closed

ANSWERED_WITHIN = 10  # seconds, that a post gets its 503
DRAINED_WITHIN = 15  # seconds, that a stopped node takes beside drain.delay and drain.period
LONG = 60  # seconds; Java processes come and go beside the rest of the machine's work


def wait_until_not_ready(node):
    """Until /readyz says that it is Kafka that this node lacks."""

    def says_so():
        response = node.get("/readyz")
        return response.status == 503 and b"kafka" in response.body

    wait_until(says_so, "/readyz to name kafka")


def wait_until_ready(node):
    wait_until(lambda: node.get("/readyz").status == 200, "the node to be ready", LONG)


def publish_when_it_is_taken(node, user, data):
    """Posts messages, each another one, until one is taken; returns all that were refused and the one taken."""
    refused = []

    def is_taken():
        one = f"{data} {len(refused)}"
        response = post(node, user, one)
        if response.status == 202:
            return one
        assert response.status == 503, response.head
        refused.append(one)
        return None

    return refused, wait_until(is_taken, "a post to be taken", LONG)


class Writer(threading.Thread):
    """Posts messages of its own, one after the other, until told to stop; keeps what each was answered."""

    def __init__(self, node, name):
        super().__init__()
        self.taken, self.refused, self.failures = [], [], []
        self._node, self._name, self._told_to_stop = node, name, threading.Event()

    def run(self):
        with self._node.connect() as connection:
            for number in range(1_000_000):
                if self._told_to_stop.is_set():
                    return
                self._post(f"{self._name} {number}", connection)

    def _post(self, data, connection):
        began = time.monotonic()
        try:
            status = post(self._node, "a", data, connection=connection).status
        except (OSError, Closed) as failure:
            self.failures.append(failure)
            self._told_to_stop.set()
            return
        if status not in (202, 503) or time.monotonic() - began > ANSWERED_WITHIN + 2:
            self.failures.append(f"{status} after {time.monotonic() - began:.1f} s")
        (self.taken if status == 202 else self.refused).append(data)

    def stop(self):
        self._told_to_stop.set()
        self.join()


@contextlib.contextmanager
def writing(node, count=4):
    writers = [Writer(node, f"writer-{number}") for number in range(count)]
    for writer in writers:
        writer.start()
    try:
        yield writers
    finally:
        for writer in writers:
            writer.stop()
    assert not [failure for writer in writers for failure in writer.failures]


def wait_for_more(writers, what, more=5):
    """Until so many more posts were "taken" or "refused"."""

    def count():
        return sum(len(getattr(writer, what)) for writer in writers)

    wanted = count() + more
    wait_until(lambda: count() >= wanted, f"more posts to be {what}", LONG)


def assert_each_202_once_and_each_503_at_most_once(seen, writers):
    assert len(seen) == len(set(seen)), "none came twice"
    for writer in writers:
        taken = set(writer.taken)
        assert [data for data in seen if data in taken] == writer.taken, "all that were taken, in the order of the answers"
