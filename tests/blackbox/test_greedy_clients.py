"""What one client may cost the others: it sends faster than it is served, and reads slower than it is answered."""

import contextlib
import select
import threading

import pytest

from harness.hostile import TABLE, send, statuses
from harness.waiting import PATIENCE, wait_until
from harness.wire import request_bytes

PAGE_BYTES = 100_000
MIB = 1 << 20


@pytest.fixture
def paged(start_server, tmp_path):
    """A server of one thread with a page at /, so that a short request has a long answer."""
    (tmp_path / "web").mkdir()
    (tmp_path / "web/index.html").write_bytes(b"x" * PAGE_BYTES)
    server = start_server({"web.root": str(tmp_path / "web"), "threads": 1})
    assert len(server.get("/").body) == PAGE_BYTES
    return server


def send_what_fits(connection, requests, sent):
    """Sends on from a pipeline without end; returns how much of it is sent now."""
    with contextlib.suppress(BlockingIOError):
        while True:
            sent += connection.socket.send(requests[sent % len(requests) :])
    return sent


def test_answers_that_nobody_reads_wait_within_a_limit(paged):
    requests = request_bytes("GET", "/", host="a") * 2000
    before = paged.resident_bytes()
    with contextlib.ExitStack() as stack:
        greedy = [stack.enter_context(paged.connect(receive_buffer=4096)) for _ in range(4)]
        for connection in greedy:
            connection.socket.setblocking(False)
        sent = [0] * len(greedy)

        def all_are_stuck():
            was = list(sent)
            for number, connection in enumerate(greedy):
                sent[number] = send_what_fits(connection, requests, sent[number])
            assert paged.get("/healthz").status == 200  # all that came before has been read
            return was == sent

        wait_until(all_are_stuck, "the server to read no further")
        assert paged.resident_bytes() - before < 16 * MIB, "2,000 answers of each connection would be 800 MB"


def test_answers_to_a_reader_that_is_never_done_wait_within_a_limit(paged):
    """It always has some answers still to read, so that the server has never sent all."""
    requests = request_bytes("GET", "/", host="a") * 2000
    before = paged.resident_bytes()
    with paged.connect(receive_buffer=4096) as connection:
        connection.socket.setblocking(False)
        sent = received = 0
        while received < 100 * MIB:
            sent = send_what_fits(connection, requests, sent)
            assert select.select([connection.socket], [], [], PATIENCE)[0], "the next answer to come"
            received += len(connection.socket.recv(PAGE_BYTES // 2))
        assert paged.resident_bytes() - before < 16 * MIB, "what is sent is kept"


FLOODS = {
    "empty lines before a request": (b"", b"\r\n" * 500_000),
    "chunk extensions": (
        b"POST /v2/message?username=b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
        (b"1;" + b"x" * 4000 + b"\r\nx\r\n") * 250,
    ),
}


@pytest.mark.sanitizer
@pytest.mark.parametrize("name", FLOODS)
def test_bytes_without_end_keep_nobody_waiting(start_server, name):
    """The server's only thread never finds that connection empty, yet serves the others in between, and ends it."""
    server = start_server({"threads": 1, "limits.body": "1MiB", "timeouts.head": "5s", "timeouts.body": "5s"})
    first, rest = FLOODS[name]
    flooding, flooder_ended = threading.Event(), threading.Event()

    def flood():
        with contextlib.suppress(OSError):
            connection.send(first)
            while True:
                connection.send(rest)
                flooding.set()
        flooder_ended.set()

    with server.stream("a") as stream, server.connect() as connection:
        stream.next_event()
        thread = threading.Thread(target=flood)
        thread.start()
        try:
            assert flooding.wait(PATIENCE)
            for number in range(10):
                server.publish("a", str(number))
                assert stream.next_event().data == str(number)
            assert not flooder_ended.is_set(), "the flood was over before it was tried"
            assert flooder_ended.wait(PATIENCE), "the flood's time was up"
        finally:
            connection.reset()
            thread.join()


def test_hostile_requests_over_and_over_take_no_memory(start_server):
    """Those that make reports are left out: a report stays."""
    server = start_server({"history.ttl": "1ms", "threads": 1})

    def play():
        for data, _ in TABLE.values():
            if b"/v4/new/report" in data:
                continue
            with server.connect() as connection:
                send(connection, [data])
                statuses(connection)
        server.wait_for_metric("rillgate_history_bytes", 0)
        server.wait_for_metric("rillgate_connections", 1)
        return server.resident_bytes()

    for _ in range(2):
        after = play()
    for _ in range(5):
        later = play()
    assert later - after < 2 * MIB, f"{later - after} bytes for five rounds of {len(TABLE)} requests"
