"""HTTP is strict where laxness is dangerous: a table of raw requests, each cut at every byte.

A request that two programs in a row may read differently is how a proxy is led to pass one request for another; so
each is 400 and the end of its connection, never a guess.
"""

import random

import pytest

from harness.server import Server
from harness.wire import Closed, Connection, request_bytes

pytestmark = pytest.mark.sanitizer

GET = b"GET /healthz HTTP/1.1\r\nHost: a\r\n"
POST = b"POST /v2/message?username=strict HTTP/1.1\r\nHost: a\r\n"

GOOD = {
    "a plain GET": (GET + b"\r\n", 200),
    "blanks around a value": (GET + b"X: \t y \t\r\n\r\n", 200),
    "an empty value": (GET + b"X:\r\n\r\n", 200),
    "a name of all token characters": (GET + b"!#$%&'*+-.^_`|~09azAZ: x\r\n\r\n", 200),
    "bytes above 127 in a value": (GET + b"X: caf\xe9 \xf0\x9f\xa4\xa0\r\n\r\n", 200),
    "an IPv6 host with a port": (b"GET /healthz HTTP/1.1\r\nHost: [::1]:3000\r\n\r\n", 200),
    "an empty port": (b"GET /healthz HTTP/1.1\r\nHost: a:\r\n\r\n", 200),
    "HTTP/1.0 without a Host": (b"GET /healthz HTTP/1.0\r\n\r\n", 200),
    "an absolute target": (b"GET http://a/healthz HTTP/1.1\r\nHost: a\r\n\r\n", 200),
    "an empty line before the request": (b"\r\n" + GET + b"\r\n", 200),
    "a body of a declared length": (POST + b"Content-Length: 3\r\n\r\nabc", 202),
    "an empty chunked body": (POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 202),
    "chunks": (POST + b"Transfer-Encoding: Chunked\r\n\r\n1\r\na\r\n00A\r\n0123456789\r\n0\r\n\r\n", 202),
    "chunk extensions": (POST + b'Transfer-Encoding: chunked\r\n\r\n1;a=b;c="d;e"\r\na\r\n0;x\r\n\r\n', 202),
    "trailers": (POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nA: b\r\nC: d\r\n\r\n", 202),
}

CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
BAD = {
    "no Host": b"GET /healthz HTTP/1.1\r\n\r\n",
    "two Hosts": GET + b"Host: b\r\n\r\n",
    "the same Host twice": GET + b"Host: a\r\n\r\n",
    "an empty Host": b"GET /healthz HTTP/1.1\r\nHost:\r\n\r\n",
    "a Host with a blank": b"GET /healthz HTTP/1.1\r\nHost: a b\r\n\r\n",
    "a Host with a path": b"GET /healthz HTTP/1.1\r\nHost: a/b\r\n\r\n",
    "a Host with user information": b"GET /healthz HTTP/1.1\r\nHost: u@a\r\n\r\n",
    "a Host with a list": b"GET /healthz HTTP/1.1\r\nHost: a, b\r\n\r\n",
    "a Host with a bad port": b"GET /healthz HTTP/1.1\r\nHost: a:8x\r\n\r\n",
    "a Host with a huge port": b"GET /healthz HTTP/1.1\r\nHost: a:65536\r\n\r\n",
    "a Host with an open bracket": b"GET /healthz HTTP/1.1\r\nHost: [::1\r\n\r\n",
    "both framings": POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "both framings the other way": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "two lengths": POST + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    "a list of lengths": POST + b"Content-Length: 3, 4\r\n\r\nabcd",
    "a signed length": POST + b"Content-Length: +3\r\n\r\nabc",
    "a negative length": POST + b"Content-Length: -3\r\n\r\nabc",
    "a hexadecimal length": POST + b"Content-Length: 0x3\r\n\r\nabc",
    "an empty length": POST + b"Content-Length:\r\n\r\n",
    "a length with a blank": POST + b"Content-Length: 1 1\r\n\r\n",
    "another transfer coding": POST + b"Transfer-Encoding: gzip\r\n\r\n",
    "two transfer codings": POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "chunked twice": POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "chunked in two lines": POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked before identity": POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "identity": POST + b"Transfer-Encoding: identity\r\n\r\n",
    "what is almost chunked": POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunked with a parameter": POST + b"Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n",
    "an empty transfer coding": POST + b"Transfer-Encoding:\r\n\r\n",
    "chunks in HTTP/1.0": b"POST /v2/message?username=a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a folded line": GET + b"X: a\r\n b\r\n\r\n",
    "a folded line with a tab": GET + b"X: a\r\n\tb\r\n\r\n",
    "a first header that is folded": b"GET /healthz HTTP/1.1\r\n Host: a\r\n\r\n",
    "a bare CR in a value": GET + b"X: a\rb\r\n\r\n",
    "a bare CR in the target": b"GET /healthz\r HTTP/1.1\r\nHost: a\r\n\r\n",
    "a bare LF after a header": GET + b"X: a\n\r\n",
    "a bare LF after the request line": b"GET /healthz HTTP/1.1\nHost: a\r\n\r\n",
    "a bare LF at the end": GET + b"\n",
    "NUL in a value": GET + b"X: a\0b\r\n\r\n",
    "NUL in a name": GET + b"X\0: a\r\n\r\n",
    "NUL in the target": b"GET /health\0z HTTP/1.1\r\nHost: a\r\n\r\n",
    "another control character in a value": GET + b"X: a\x01b\r\n\r\n",
    "a blank before the colon": GET + b"X : a\r\n\r\n",
    "a header without a colon": GET + b"X\r\n\r\n",
    "a header without a name": GET + b": x\r\n\r\n",
    "a name with a bad character": GET + b"X(: a\r\n\r\n",
    "a name above 127": GET + b"\xc3\xbc: a\r\n\r\n",
    "a bad version": b"GET /healthz HTTP/1.x\r\nHost: a\r\n\r\n",
    "no version": b"GET /healthz\r\nHost: a\r\n\r\n",
    "a lower-case version": b"GET /healthz http/1.1\r\nHost: a\r\n\r\n",
    "no method": b" /healthz HTTP/1.1\r\nHost: a\r\n\r\n",
    "a bad method": b"G(T /healthz HTTP/1.1\r\nHost: a\r\n\r\n",
    "two blanks": b"GET  /healthz HTTP/1.1\r\nHost: a\r\n\r\n",
    "a blank in the target": b"GET /health z HTTP/1.1\r\nHost: a\r\n\r\n",
    "a target that is no path": b"GET healthz HTTP/1.1\r\nHost: a\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(64)),
    "no chunk size": CHUNKED + b"\r\na\r\n0\r\n\r\n",
    "a bad chunk size": CHUNKED + b"g\r\na\r\n0\r\n\r\n",
    "a signed chunk size": CHUNKED + b"+1\r\na\r\n0\r\n\r\n",
    "a negative chunk size": CHUNKED + b"-1\r\na\r\n0\r\n\r\n",
    "a chunk size with 0x": CHUNKED + b"0x1\r\na\r\n0\r\n\r\n",
    "a chunk size past 64 bits": CHUNKED + b"10000000000000001\r\na\r\n0\r\n\r\n",
    "a chunk longer than its size": CHUNKED + b"1\r\nab\r\n0\r\n\r\n",
    "a chunk shorter than its size": CHUNKED + b"3\r\na\r\n0\r\n\r\n",
    "a chunk that ends in a bare LF": CHUNKED + b"1\r\na\n0\r\n\r\n",
    "a chunk size that ends in a bare LF": CHUNKED + b"1\na\r\n0\r\n\r\n",
    "a bare CR in a chunk extension": CHUNKED + b"1;a\rb\r\na\r\n0\r\n\r\n",
    "NUL in a chunk extension": CHUNKED + b"1;a\0b\r\na\r\n0\r\n\r\n",
    "a malformed trailer": CHUNKED + b"0\r\nX\r\n\r\n",
    "a folded trailer": CHUNKED + b"0\r\nX: a\r\n b\r\n\r\n",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """One thread, so that whoever was answered by it knows that all that came before has been read."""
    one = Server(tmp_path_factory.mktemp("server"), {"threads": 1}).start()
    yield one
    assert not (fault := one.stop_and_find_faults()), fault


@pytest.fixture(scope="module")
def pace(server):
    """A connection for a request between two pieces of another, so that the pieces are read one by one."""
    with server.connect() as connection:
        yield connection


def answer(server, pace, pieces):
    """Status of the answer to a request that the server reads in these pieces."""
    with server.connect() as connection:
        try:
            for piece in pieces:
                connection.send(piece)
                assert pace.request("GET", "/healthz").status == 200
        except (ConnectionResetError, BrokenPipeError):
            pass  # it was answered, and ended, before it was whole
        return connection.read_response().status


@pytest.mark.parametrize("name", GOOD)
def test_a_sound_request_is_served(server, name):
    request, status = GOOD[name]
    with server.connect() as connection:
        connection.send(request)
        assert connection.read_response().status == status


@pytest.mark.parametrize("name", BAD)
def test_a_dangerous_request_is_400_and_the_end_of_its_connection(server, name):
    with server.connect() as connection:
        connection.send(BAD[name] + request_bytes("GET", "/healthz"))
        response = connection.read_response()
        assert response.status == 400, f"{response.head!r} {response.body!r}"
        assert response.header("Content-Type") == "application/problem+json"
        assert response.json()["detail"] and response.header("X-Request-Id")
        assert response.header("Connection") == "close"
        connection.finish_sending()
        assert connection.read_to_end() == b"", "nothing after it may be answered"


def test_another_major_version_is_refused(server):
    with server.connect() as connection:
        connection.send(b"GET /healthz HTTP/3.0\r\nHost: a\r\n\r\n")
        assert connection.read_response().status in (400, 505)


@pytest.mark.parametrize("name", [*GOOD, *BAD])
def test_the_answer_does_not_depend_on_where_a_request_is_cut(server, pace, name):
    request, status = GOOD[name] if name in GOOD else (BAD[name], 400)
    for cut in range(1, len(request)):
        assert answer(server, pace, [request[:cut], request[cut:]]) == status, f"cut after {request[:cut]!r}"


@pytest.mark.parametrize("name", GOOD)
def test_one_byte_at_a_time_is_served(server, pace, name):
    request, status = GOOD[name]
    assert answer(server, pace, [request[at : at + 1] for at in range(len(request))]) == status


def test_a_stream_requested_one_byte_at_a_time_is_served(server):
    with server.connect() as connection:
        request = request_bytes(
            "GET", "/v2/sse?username=дема", {"Last-Event-ID": "earliest", "Accept": "text/event-stream"}
        )
        connection.send_in_pieces(request[at : at + 1] for at in range(len(request)))
        assert connection.read_head().status == 200
        connection.read_until(b"\n\n")


def test_bytes_of_no_protocol_end_no_more_than_their_connection(server):
    for junk in (
        b"\0" * 100,
        b"\xff" * 5000,
        b"\r\n" * 3000,
        b"GET " + b"/" * 20000,
        bytes(range(256)) * 80,
        b"\r" * 20000,
    ):
        connection = Connection(server.port)
        try:
            connection.send(junk)
            connection.finish_sending()
            received = connection.read_to_end()
            assert received == b"" or received.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 431 ")), received
        finally:
            connection.close()
    assert server.get("/healthz").status == 200


def test_requests_damaged_at_random_end_no_more_than_their_connection(server, seed):
    chance = random.Random(seed)
    sound = [request for request, _ in GOOD.values()] + list(BAD.values())
    pieces = [
        b"\r\n",
        b"\r",
        b"\n",
        b"\0",
        b" ",
        b":",
        b"0",
        b"-",
        b"\xff",
        b"chunked",
        b"Content-Length: 9",
        b"HTTP/1.1",
    ]
    for _ in range(3000):
        request = bytearray(chance.choice(sound))
        for _ in range(chance.randrange(1, 5)):
            at = chance.randrange(len(request))
            request[at : at + chance.randrange(3)] = chance.choice(pieces)
        with server.connect() as connection:
            connection.send(request)
            connection.finish_sending()
            try:
                received = connection.read_to_end()
            except Closed as end:  # a reset, since the server has not read all
                received = end.received
            assert received == b"" or received.startswith(b"HTTP/1.1 "), bytes(request)
    assert server.get("/healthz").status == 200
