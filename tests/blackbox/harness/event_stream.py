"""The client's side of server-sent events, written from the HTML Living Standard, section 9.2, and from nothing else.

Being independent of the server's encoder, it checks it: what it makes of the bytes is what a browser makes of them.
"""

import codecs
import collections
import re
import time
from dataclasses import dataclass, field

from .waiting import PATIENCE
from .wire import ChunkDecoder, Closed, UntilClose, request_bytes

_LINE_END = re.compile("\r\n|\n|\r")


@dataclass
class Event:
    """A dispatched event. `block` holds the field lines that made it, `retry` what they set, `at` when it was read."""

    type: str
    data: str
    last_event_id: str
    block: list = field(repr=False)
    at: float = field(default=0.0, repr=False, compare=False)

    @property
    def retry(self):
        values = [value for name, value in self.block if name == "retry"]
        return int(values[-1]) if values and re.fullmatch("[0-9]+", values[-1]) else None

    @property
    def has_id(self):
        return any(name == "id" for name, _ in self.block)


@dataclass
class Comment:
    text: str
    at: float = field(default=0.0, repr=False, compare=False)


class EventStreamParser:
    """Section 9.2.6: bytes in, events and comments out, in the order of the stream."""

    def __init__(self):
        self._decode = codecs.getincrementaldecoder("utf-8")(errors="replace").decode
        self._text = ""
        self._at_start = True
        self._after_cr = False
        self._last_event_id = ""
        self._event_type = ""
        self._data = []
        self._block = []

    def feed(self, data):
        text = self._decode(data)
        if self._at_start and text:
            self._at_start = False
            text = text.removeprefix("\ufeff")
        if self._after_cr and text:  # a LF right after a CR that ended a line belongs to that line's end
            text = text.removeprefix("\n")
        if text:
            self._after_cr = text.endswith("\r")
        *lines, self._text = _LINE_END.split(self._text + text)
        items = [item for line in lines if (item := self._line(line))]
        now = time.monotonic()
        for item in items:
            item.at = now
        return items

    def _line(self, line):
        return self._field(line) if line else self._dispatch()

    def _field(self, line):
        name, _, value = line.partition(":")
        if name == "" and line.startswith(":"):
            return Comment(line[1:])
        value = value.removeprefix(" ")
        self._block.append((name, value))
        if name == "event":
            self._event_type = value
        elif name == "data":
            self._data.append(value + "\n")
        elif name == "id" and "\0" not in value:
            self._last_event_id = value
        return None

    def _dispatch(self):
        data, kind, block = "".join(self._data), self._event_type, self._block
        self._data, self._event_type, self._block = [], "", []
        if data == "":
            return None
        return Event(kind or "message", data.removesuffix("\n"), self._last_event_id, block)


class Stream:
    """One open event stream, read only when a test asks: a stream that nobody asks is a reader that stalls.

    It also holds the server to what the contract says of every stream's bytes: UTF-8, no byte order mark, no CR.
    """

    def __init__(self, connection, target, headers=(), version="1.1", within=PATIENCE):
        self.connection = connection
        connection.send(request_bytes("GET", target, headers, version=version))
        self.response = connection.read_head(within)
        assert self.response.status == 200, f"{self.response.head!r} {connection.received!r}"
        assert self.response.header("Content-Type") == "text/event-stream; charset=utf-8"
        chunked = self.response.header("Transfer-Encoding") == "chunked"
        self._body = ChunkDecoder() if chunked else UntilClose()
        self._check = codecs.getincrementaldecoder("utf-8")().decode
        self._parser = EventStreamParser()
        self._unread = collections.deque()
        self.raw = bytearray()  # all of the body so far, without the chunk framing
        self.last_event_id = ""
        self.ended = (
            None  # None while open; then "whole" (last chunk, or close where that is the end), "cut" or "reset"
        )
        self._absorb(connection.received)
        connection.received.clear()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.connection.close()

    def reset(self):
        self.connection.reset()

    def _absorb(self, data):
        payload = self._body.feed(bytes(data))
        assert b"\r" not in payload and not (not self.raw and payload.startswith(b"\xef\xbb\xbf")), f"{payload!r}"
        self._check(payload)
        self.raw += payload
        self._unread += self._parser.feed(payload)
        if self._body.finished:
            assert not self._body.rest, f"after the last chunk: {self._body.rest!r}"
            self.ended = "whole"

    def _read_more(self, within):
        """Reads once; False at the end of the stream."""
        if self.ended:
            return False
        try:
            data = self.connection.receive(within)
        except Closed as end:
            whole = isinstance(self._body, UntilClose) and not end.reset
            self.ended = "whole" if whole else "reset" if end.reset else "cut"
            return False
        self.connection.received.clear()
        self._absorb(data)
        return True

    def next(self, within=PATIENCE):
        """The next event or comment; None at the end of the stream; TimeoutError when nothing comes in time."""
        deadline = time.monotonic() + within
        while not self._unread:
            if not self._read_more(deadline - time.monotonic()):
                return None
        item = self._unread.popleft()
        if isinstance(item, Event):
            self.last_event_id = item.last_event_id
        return item

    def next_event(self, within=PATIENCE):
        """The next event; comments are passed over."""
        deadline = time.monotonic() + within
        while isinstance(item := self.next(deadline - time.monotonic()), Comment):
            pass
        return item

    def take(self, count, within=PATIENCE):
        """The next events, exactly so many; fails when the stream ends before."""
        deadline = time.monotonic() + within
        events = []
        while len(events) < count:
            event = self.next_event(deadline - time.monotonic())
            assert event is not None, f"the stream ended ({self.ended}) after {len(events)} of {count} events"
            events.append(event)
        return events

    def take_data(self, count, within=PATIENCE):
        return [event.data for event in self.take(count, within)]

    def next_of_type(self, kind, within=PATIENCE):
        """The next event of a type; others before it are passed over."""
        deadline = time.monotonic() + within
        while (event := self.next_event(deadline - time.monotonic())) is not None and event.type != kind:
            pass
        assert event is not None, f"the stream ended ({self.ended}) without a {kind}"
        return event

    def rest(self, within=PATIENCE):
        """All events up to the end of the stream."""
        deadline = time.monotonic() + within
        events = []
        while (event := self.next_event(deadline - time.monotonic())) is not None:
            events.append(event)
        return events
