"""Thousands of streams read by one thread.

As a program (`python -m harness.crowd PORT COUNT`) it opens the streams user-0 to user-(COUNT-1), says on its standard
output how many are open and how many messages have come, and reads on until it is killed.
"""

import errno
import resource
import select
import socket
import sys
import time

from .event_stream import EventStreamParser
from .waiting import PATIENCE
from .wire import ChunkDecoder, parse_head, request_bytes

_IP_BIND_ADDRESS_NO_PORT = 24
_CONNECTING_MOST = 500  # at once: below any listen backlog, so that no connection is delayed by a lost SYN


def raise_descriptor_limit():
    """Lets this process, and what it starts, hold as many descriptors as the system allows; returns the number."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


class Member:
    """One stream of a crowd."""

    def __init__(self, user, descriptor):
        self.user = user
        self.socket = descriptor
        self.messages = []  # events but the server's own
        self.opened = False
        self.position = None  # the last event id
        self.closed_kindly = False  # by a stream-close block
        self.ended = None  # None, "whole", "cut" or "reset"
        self.ended_at = None
        self._head = b""
        self._decoder = None
        self._parser = EventStreamParser()

    def feed(self, data):
        """Returns the events in what was received."""
        if self._decoder is None:
            self._head += data
            head, found, data = self._head.partition(b"\r\n\r\n")
            if not found:
                return []
            response = parse_head(head)
            assert response.status == 200 and response.header("Content-Type") == "text/event-stream; charset=utf-8", (
                head
            )
            self._decoder = ChunkDecoder()
        events = [item for item in self._parser.feed(self._decoder.feed(data)) if hasattr(item, "type")]
        if events:
            self.position = events[-1].last_event_id
        if self._decoder.finished:
            self.end("whole")
        return events

    def end(self, how):
        if self.ended is None:
            self.ended, self.ended_at = how, time.monotonic()


class Crowd:
    """A stream for each user named. Over all of them `opened` counts those that had a first event, `messages` the
    events but the server's own, `ended` the ends."""

    def __init__(self, port, users, version="v2"):
        raise_descriptor_limit()
        self.members = []
        self.opened = self.messages = self.ended = 0
        self._port, self._version, self._waiting, self._connecting = port, version, list(reversed(users)), 0
        self._poll, self._by_descriptor = select.epoll(), {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for member in self.members:
            member.socket.close()
        self._poll.close()

    def read_until(self, condition, what, within=PATIENCE):
        """Opens what is still to be opened and reads all streams until the condition holds."""
        deadline = time.monotonic() + within
        while not condition():
            assert time.monotonic() < deadline, (
                f"waited {within:g} s in vain: {what}; {self.opened} open, {self.messages} messages, {self.ended} ended"
            )
            while self._waiting and self._connecting < _CONNECTING_MOST:
                self._connect(self._waiting.pop())
            for descriptor, happened in self._poll.poll(0.02):
                self._advance(self._by_descriptor[descriptor], happened)

    def _connect(self, user):
        descriptor = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        # Several addresses of our own, so that the ports of one are not used up by runs in close succession.
        descriptor.setsockopt(socket.IPPROTO_IP, _IP_BIND_ADDRESS_NO_PORT, 1)
        descriptor.bind((f"127.0.0.{2 + len(self.members) % 4}", 0))
        error = descriptor.connect_ex(("127.0.0.1", self._port))
        assert error in (0, errno.EINPROGRESS), f"connect: {errno.errorcode[error]}"
        member = Member(user, descriptor)
        self.members.append(member)
        self._by_descriptor[descriptor.fileno()] = member
        self._poll.register(descriptor, select.EPOLLOUT)
        self._connecting += 1

    def _advance(self, member, happened):
        if happened & select.EPOLLOUT:
            member.socket.send(request_bytes("GET", f"/{self._version}/sse?username={member.user}"))
            self._poll.modify(member.socket, select.EPOLLIN)
            self._connecting -= 1
            return
        try:
            data = member.socket.recv(1 << 18)
        except ConnectionResetError:
            data, how = b"", "reset"
        else:
            how = "cut"
        for event in member.feed(data) if data else ():
            if not member.opened:
                member.opened = True
                self.opened += 1
            if event.type == "stream-close":
                member.closed_kindly = True
            elif not event.type.startswith("stream-"):
                member.messages.append(event)
                self.messages += 1
        if not data:
            member.end(how)
        if member.ended:
            self._poll.unregister(member.socket)
            self.ended += 1


def main():
    port, count = int(sys.argv[1]), int(sys.argv[2])
    with Crowd(port, [f"user-{number}" for number in range(count)]) as crowd:
        crowd.read_until(lambda: crowd.opened == count, "all streams to open", within=120)
        while True:
            print(crowd.opened, crowd.messages, flush=True)
            said = crowd.messages
            crowd.read_until(lambda: crowd.messages != said, "another message", within=3600)


if __name__ == "__main__":
    main()
