"""HTTP/1.1 on a bare socket: what is sent is exactly what the test wrote, what is received is kept byte for byte.

The reader is strict where a server has no freedom (status line, header lines, chunk framing), so that a malformed
answer fails the test that received it instead of being repaired.
"""

import json
import re
import socket
import struct
import time
from dataclasses import dataclass, field

from .waiting import PATIENCE

_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) (\d{3}) ([^\r\n]*)")
_HEADER_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n]*?)[ \t]*")


class Closed(Exception):
    """The server ended the connection before what was waited for; `reset` tells a reset from an orderly end."""

    def __init__(self, received, reset):
        super().__init__(f"connection {'reset' if reset else 'ended'} after {bytes(received)!r}")
        self.received = bytes(received)
        self.reset = reset


@dataclass
class Response:
    status: int
    reason: str
    fields: list
    body: bytes = b""
    head: bytes = field(default=b"", repr=False)

    def header(self, name):
        """The value of a header that may stand once at most; None without it."""
        values = [value for key, value in self.fields if key.lower() == name.lower()]
        assert len(values) <= 1, f"{name} stands {len(values)} times in {self.head!r}"
        return values[0] if values else None

    def json(self):
        return json.loads(self.body.decode("utf-8"))


def parse_head(head):
    """Status line and header lines, without the empty line that ends them."""
    first, *lines = head.split(b"\r\n")
    status = _STATUS_LINE.fullmatch(first)
    assert status, f"malformed status line: {first!r}"
    fields = []
    for line in lines:
        match = _HEADER_LINE.fullmatch(line)
        assert match, f"malformed header line: {line!r}"
        fields.append((match[1].decode("ascii"), match[2].decode("latin-1")))
    return Response(int(status[2]), status[3].decode("latin-1"), fields, head=head)


class ChunkDecoder:
    """Takes the chunked coding off, piece by piece; anything that RFC 9112, 7.1 does not allow fails."""

    def __init__(self):
        self._pending = b""
        self._left = None  # of the present chunk; None between chunks
        self.finished = False

    def feed(self, data):
        data, at, out = self._pending + data, 0, bytearray()
        while not self.finished:
            if self._left is None:
                end = data.find(b"\r\n", at)
                if end < 0:
                    break
                size = data[at:end]
                assert re.fullmatch(rb"[0-9A-Fa-f]{1,16}", size), f"malformed chunk size: {size!r}"
                self._left, at = int(size, 16), end + 2
            end = at + self._left
            if len(data) < end + 2:
                break
            assert data[end : end + 2] == b"\r\n", f"a chunk ends in {data[end : end + 2]!r}"
            out += data[at:end]
            self.finished = self._left == 0
            self._left, at = None, end + 2
        self._pending = data[at:]
        return bytes(out)

    @property
    def rest(self):
        """What followed the last chunk."""
        return self._pending


class UntilClose:
    """The body of an HTTP/1.0 answer, and of one without a length."""

    finished = False

    def feed(self, data):
        return data


def request_bytes(method, target, headers=(), body=None, host="rillgate.test", version="1.1"):
    """A well-formed request; `target` may be text (sent as UTF-8) or bytes; headers is a dict or a list of pairs."""
    target = target.encode() if isinstance(target, str) else target
    pairs = list(headers.items()) if isinstance(headers, dict) else list(headers)
    names = {name.lower() for name, _ in pairs}
    if version == "1.1" and "host" not in names:
        pairs.insert(0, ("Host", host))
    if body is not None and not names & {"content-length", "transfer-encoding"}:
        pairs.append(("Content-Length", str(len(body))))
    lines = [method.encode() + b" " + target + b" HTTP/" + version.encode()]
    lines += [name.encode() + b": " + (value.encode() if isinstance(value, str) else value) for name, value in pairs]
    return b"\r\n".join(lines) + b"\r\n\r\n" + (body or b"")


class Connection:
    """One TCP connection to the server."""

    def __init__(self, port, source=None, receive_buffer=None, within=PATIENCE, address="127.0.0.1"):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        if receive_buffer:  # must be set before the handshake to bound the window
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        if source:
            self.socket.bind((source, 0))
        self.socket.settimeout(within)
        self.socket.connect((address, port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = bytearray()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def send(self, data):
        self.socket.sendall(data)

    def send_in_pieces(self, pieces):
        """Each piece leaves in a segment of its own (TCP_NODELAY), though the server may read several at once."""
        for piece in pieces:
            self.socket.sendall(piece)

    def finish_sending(self):
        """Half-closes: the server sees the end of what is sent, and can still answer."""
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self):
        """Ends the connection by RST, whatever is still under way."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def close(self):
        self.socket.close()

    def receive(self, within=PATIENCE):
        """What the next read returns, also appended to `received`. Raises Closed at the end, TimeoutError in vain."""
        self.socket.settimeout(max(within, 0.001))
        try:
            data = self.socket.recv(1 << 16)
        except (ConnectionResetError, BrokenPipeError):
            raise Closed(self.received, reset=True) from None
        if not data:
            raise Closed(self.received, reset=False)
        self.received += data
        return data

    def _take(self, count):
        taken = bytes(self.received[:count])
        del self.received[:count]
        return taken

    def read_until(self, marker, within=PATIENCE):
        deadline = time.monotonic() + within
        while (found := self.received.find(marker)) < 0:
            self.receive(deadline - time.monotonic())
        return self._take(found + len(marker))

    def read_exactly(self, count, within=PATIENCE):
        deadline = time.monotonic() + within
        while len(self.received) < count:
            self.receive(deadline - time.monotonic())
        return self._take(count)

    def read_to_end(self, within=PATIENCE):
        """Everything up to the orderly end of the connection; a reset raises Closed."""
        deadline = time.monotonic() + within
        try:
            while True:
                self.receive(deadline - time.monotonic())
        except Closed as end:
            if end.reset:
                raise
            return self._take(len(self.received))

    def read_head(self, within=PATIENCE):
        return parse_head(self.read_until(b"\r\n\r\n", within)[:-4])

    def read_response(self, method="GET", within=PATIENCE):
        """The next answer with its body; interim answers (1xx) are returned as answers of their own."""
        response = self.read_head(within)
        if method == "HEAD" or response.status < 200 or response.status in (204, 304):
            return response
        coding, length = response.header("Transfer-Encoding"), response.header("Content-Length")
        assert not (coding and length), f"both framings in {response.head!r}"
        if coding:
            assert coding == "chunked"
            decoder, body = ChunkDecoder(), b""
            while True:
                body += decoder.feed(self._take(len(self.received)))
                if decoder.finished:
                    break
                self.receive(within)
            self.received[:0] = decoder.rest
            response.body = body
        elif length is not None:
            response.body = self.read_exactly(int(length), within)
        else:
            response.body = self.read_to_end(within)
        return response

    def request(self, method, target, headers=(), body=None, within=PATIENCE):
        self.send(request_bytes(method, target, headers, body))
        return self.read_response(method, within)
