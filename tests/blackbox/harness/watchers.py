"""Clients of V4's streams that go on from their last id, whatever happens to their node."""

import contextlib
import threading

from .reports import told
from .waiting import wait_until
from .wire import Closed

_BROWSER = {"Accept": "text/event-stream"}


class Watcher:
    """Keeps what a user is told. `seats` are the user on each node that may be asked, `choose` picks one of them: at
    first, and whenever the stream ends or `leaves()` says that the client has had enough of this node."""

    def __init__(self, seats, pool, choose=lambda seats: seats[0], leaves=lambda: False):
        self.seen = []
        self.seats, self._choose, self._leaves = seats, choose, leaves
        self._position = choose(seats).opened().last_event_id
        self._is_over = threading.Event()
        self._watching = pool.submit(self._watch)

    def finish(self, last, within=60):
        """Waits until the event `last` was told."""
        wait_until(lambda: last in self.seen[-1:] or self._watching.done(), f"the watcher to be told {last}", within)
        self.stop()
        self._watching.result()

    def stop(self):
        self._is_over.set()

    def _watch(self):
        while not self._is_over.wait(0.01):
            with contextlib.suppress(OSError, Closed):
                seat = self._choose(self.seats)
                with seat.stream(last_event_id=self._position, headers=_BROWSER) as stream:
                    self._read(stream)

    def _read(self, stream):
        first = stream.next_event()
        if first is None or first.type == "stream-close":
            return  # a node that comes or goes
        assert first.type == "stream-open", f"{first} {first.block}"
        while not self._is_over.is_set():
            with contextlib.suppress(TimeoutError):
                event = stream.next_event(within=0.2)
                if event is None or event.type == "stream-close":
                    return
                self._position = event.last_event_id
                if event.type != "stream-position":
                    self.seen.append(told(event))
                    if self._leaves():
                        return
