"""Hostile input: each request of harness/hostile.py, however it comes, is answered as the contract says or not at all,
and harms nobody else: a stream that is open throughout still gets its event afterwards."""

import contextlib
import itertools

import pytest

from harness.hostile import REPORT, ROUTES, STREAMS, TABLE, USER, send, statuses
from harness.server import Server
from harness.waiting import wait_until
from harness.wire import Closed, parse_head

pytestmark = pytest.mark.sanitizer

SMALL = [name for name, (data, _) in TABLE.items() if len(data) <= 2000]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    one = Server(tmp_path_factory.mktemp("server")).start()
    yield one
    assert not (fault := one.stop_and_find_faults()), fault


@pytest.fixture(scope="module")
def bystander(server):
    """Fails the test after which a stream of somebody else no longer gets its events."""
    with server.stream("bystander") as stream, server.connect() as publisher:
        assert stream.next_event().type == "stream-open"
        numbers = itertools.count()

        def is_well():
            text = str(next(numbers))
            server.publish("bystander", text, connection=publisher)
            assert stream.next_event().data == text

        yield is_well


def is_as_wanted(got, wanted):
    return len(got) == len(wanted) and all(
        status in (accepted if isinstance(accepted, tuple) else (accepted,)) for status, accepted in zip(got, wanted)
    )


@pytest.mark.parametrize("name", TABLE)
def test_a_hostile_request_is_answered_as_the_contract_says(server, bystander, name):
    data, wanted = TABLE[name]
    with server.connect() as connection:
        send(connection, [data])
        got = statuses(connection)
    assert is_as_wanted(got, wanted), f"{got}, wanted {wanted}"
    bystander()


@pytest.mark.parametrize("name", SMALL)
def test_a_hostile_request_byte_by_byte_is_answered_the_same(server, bystander, name):
    data, wanted = TABLE[name]
    with server.connect() as connection:
        send(connection, (data[at : at + 1] for at in range(len(data))))
        got = statuses(connection)
    assert is_as_wanted(got, wanted), f"{got}, wanted {wanted}"
    bystander()


def test_a_request_that_ends_anywhere_harms_nobody(server, bystander):
    """Half-closed or reset in its middle, where no answer is due or a 4xx is."""
    for data, _ in TABLE.values():
        for cut in {1, len(data) // 3, len(data) // 2, len(data) - 1}:
            with server.connect() as connection:
                send(connection, [data[:cut]])
                assert all(status < 500 for status in statuses(connection)), data[:200]
            with server.connect() as connection, contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.send(data[:cut])
                connection.reset()
    bystander()
    # The two that are still open are the bystander's stream and its publisher, and this question is the third.
    server.wait_for_metric("rillgate_connections", lambda count: count <= 3)
    server.wait_for_metric("rillgate_streams", 1)


def test_a_sound_request_is_still_served_by_every_route(server, bystander):
    for route in ROUTES:
        with server.connect() as connection:
            send(connection, [route.request()])
            assert statuses(connection) == [route.status], route
    bystander()


def test_the_preface_of_http_2_is_understood_or_refused(server, bystander):
    with server.connect() as connection:
        send(connection, [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9)])
        with contextlib.suppress(Closed):
            connection.read_to_end()
        said = bytes(connection.received)
        if said.startswith(b"HTTP/1"):
            assert parse_head(said.split(b"\r\n\r\n")[0]).status in (400, 505)
    bystander()


def test_two_thousand_silent_connections_keep_nobody_out_and_are_cut(start_server):
    server = start_server({"timeouts.head": "2s"})
    with server.stream("a") as stream:
        stream.next_event()
        descriptors = server.descriptors()
        with contextlib.ExitStack() as stack:
            silent = [stack.enter_context(server.connect()) for _ in range(2000)]
            server.publish("a", "while they are silent")
            assert stream.next_event().data == "while they are silent"
            assert server.stream("b").next_event().type == "stream-open"
            for connection in silent:
                assert connection.read_to_end()[:12] in (b"", b"HTTP/1.1 408")
        wait_until(lambda: server.descriptors() <= descriptors + 2, "the descriptors to come back")
        server.publish("a", "afterwards")
        assert stream.next_event().data == "afterwards"


def assert_cut(server, connections, within):
    """Each connection is sent a byte now and then, and is ended: by 408, or by nothing."""
    waiting = dict(connections)

    def are_cut():
        for name, connection in list(waiting.items()):
            try:
                connection.send(b"x")
                connection.receive(0.001)
            except TimeoutError:
                continue
            except (Closed, ConnectionResetError, BrokenPipeError):
                del waiting[name]
                said = bytes(connection.received)
                assert said == b"" or said.startswith(b"HTTP/1.1 408 "), (name, said)
        return not waiting

    wait_until(are_cut, "slow requests to be cut", within)


@pytest.mark.parametrize("part", ["head", "body"])
def test_a_slow_request_is_cut_at_every_route(start_server, part):
    """Ten times the limit would be 10 s: no byte may start the time anew."""
    server = start_server({"timeouts.head": "1s", "timeouts.body": "1s", "timeouts.idle": "1h"})
    begun = {
        "head": lambda route: route.line() + b"Host: a\r\nX: ",
        "body": lambda route: route.framed(b"Content-Length: 60000\r\n", b""),
    }[part]
    with server.stream("a") as stream, contextlib.ExitStack() as stack:
        stream.next_event()
        slow = {str(route): stack.enter_context(server.connect()) for route in ROUTES}
        for route in ROUTES:
            slow[str(route)].send(begun(route))
        assert_cut(server, slow, within=10)
        server.publish("a", "afterwards")
        assert stream.next_event().data == "afterwards"


@pytest.mark.parametrize("route", STREAMS, ids=str)
def test_a_stream_ends_with_a_client_that_talks_on_it_without_end(server, bystander, route):
    with server.connect() as connection:
        connection.send(route.request(fields=b"Accept: text/event-stream\r\n"))
        connection.read_until(b"\n\n")
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for _ in range(10_000):
                connection.send(b"x" * 10_000)
            pytest.fail("100 MB were read on a stream")
    bystander()


def test_identifiers_that_nobody_has_leave_nothing(server, bystander):
    """A thousand unknown reports and users: asking makes no entry."""
    users = server.metric("rillgate_users")
    with server.connect() as connection:
        for number in range(1000):
            other = f"{USER[:-4]}{number:04x}"
            assert connection.request("GET", f"/v4/report?user_id={other}&report_id={REPORT}").status == 404
            assert connection.request("GET", f"/v4/reports?user_id={other}").status == 200
    assert server.metric("rillgate_users") == users
    bystander()
