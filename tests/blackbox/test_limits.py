"""Limits on streams and requests: a browser that is refused comes back by itself, another client is told when to."""

import pytest

from harness.event_stream import Stream
from harness.hostile import ROUTES, STREAMS, USER
from harness.server import target
from harness.waiting import wait_until
from harness.wire import Connection, request_bytes

pytestmark = pytest.mark.sanitizer

BROWSER = {"Accept": "text/event-stream"}


def assert_refused(server, path, **options):
    """A browser gets 200 with one last block and the end, any other client 503 with Retry-After."""
    stream = Stream(server.connect(**options), path, BROWSER)
    assert stream.response.status == 200
    assert stream.response.header("Cache-Control") == "no-store"
    event = stream.next_event()
    assert event.type == "stream-close"
    assert sorted(name for name, _ in event.block) == ["data", "event", "retry"]
    assert event.data == "" and 1000 <= event.retry <= 3000
    assert stream.next() is None and stream.ended == "whole"
    with server.connect(**options) as connection:
        response = connection.request("GET", path)
        assert response.status == 503
        assert response.header("Content-Type") == "application/problem+json"
        assert int(response.header("Retry-After")) >= 1
        return response.json()["detail"]


def open_stream(server, route, user, **options):
    """A stream of user 0, 1, … that has begun."""
    stream = Stream(server.connect(**options), path_of(route, user), BROWSER)
    assert stream.next_event().type in ("stream-open", "message")
    return stream


def path_of(route, user):
    """`user` is a number, as V4 wants names of another kind."""
    name = f"{USER[:-4]}{user:04x}" if route.name == "user_id" else f"user-{user}"
    return target(route.path, **{route.name: name})


@pytest.mark.parametrize("route", STREAMS, ids=str)
def test_limits_streams_bounds_all_streams(start_server, route):
    server = start_server({"limits.streams": 3})
    streams = [open_stream(server, route, user) for user in range(3)]
    assert "limits.streams" in assert_refused(server, path_of(route, 3))
    server.publish("user-0", "others go on")
    streams.pop().close()
    path = path_of(route, 3)
    wait_until(lambda: server.get(path, {"Accept": "application/json"}).status == 406, "the server to answer")
    server.wait_for_metric("rillgate_streams", 2)
    open_stream(server, route, 3)


@pytest.mark.parametrize("route", STREAMS, ids=str)
def test_limits_streams_per_user_bounds_one_users_streams(start_server, route):
    server = start_server({"limits.streams-per-user": 2})
    streams = [open_stream(server, route, 0) for _ in range(2)]
    assert "limits.streams-per-user" in assert_refused(server, path_of(route, 0))
    open_stream(server, route, 1).close()
    server.wait_for_metric("rillgate_streams", 2)
    streams[0].reset()
    server.wait_for_metric("rillgate_streams", 1)
    open_stream(server, route, 0)


def test_a_refused_stream_disturbs_those_of_the_same_user_not(start_server):
    server = start_server({"limits.streams-per-user": 2})
    streams = [server.stream("a") for _ in range(2)]
    for stream in streams:
        stream.next_event()
    assert_refused(server, "/v2/sse?username=a")
    server.publish("a", "x")
    assert [stream.next_event().data for stream in streams] == ["x", "x"]


@pytest.mark.parametrize("route", STREAMS, ids=str)
def test_limits_streams_per_address_bounds_one_addresss_streams(start_server, route):
    server = start_server({"limits.streams-per-address": 2})
    streams = [open_stream(server, route, user) for user in range(2)]
    assert "limits.streams-per-address" in assert_refused(server, path_of(route, 2))
    streams.append(open_stream(server, route, 2, source="127.0.0.2"))
    streams.pop(0).reset()
    server.wait_for_metric("rillgate_streams", 2)
    open_stream(server, route, 3)


def test_a_trusted_proxys_word_for_the_address_counts(start_server):
    server = start_server({"limits.streams-per-address": 1, "limits.trusted-proxies": "127.0.0.1"})

    def streams_of(address, **options):
        return server.stream("a", headers={"X-Forwarded-For": address} | BROWSER, **options)

    kept = [streams_of("198.51.100.7"), streams_of("198.51.100.8")]
    assert [stream.next_event().type for stream in kept] == ["stream-open"] * 2
    assert streams_of("198.51.100.7").next_event().type == "stream-close"
    assert streams_of("203.0.113.1, 198.51.100.8").next_event().type == "stream-close", (
        "only the proxy's own entry counts"
    )
    stranger = streams_of("198.51.100.9", source="127.0.0.2")
    assert stranger.next_event().type == "stream-open"
    assert streams_of("198.51.100.10", source="127.0.0.2").next_event().type == "stream-close"


def test_limits_requests_per_address_is_429_with_retry_after(start_server):
    server = start_server({"limits.requests-per-address": 20})
    with Connection(server.port) as connection, Connection(server.port, source="127.0.0.2") as other:
        answers = [connection.request("POST", "/v2/message?username=a", body=b"x") for _ in range(100)]
        refused = [answer for answer in answers if answer.status == 429]
        assert {answer.status for answer in answers} == {202, 429}
        assert 40 <= len(refused) <= 90
        assert int(refused[0].header("Retry-After")) >= 1
        assert "limits.requests-per-address" in refused[0].json()["detail"]
        assert other.request("POST", "/v2/message?username=a", body=b"x").status == 202
        wait_until(
            lambda: connection.request("POST", "/v2/message?username=a", body=b"x").status == 202,
            "the rate to fall",
            within=5,
        )


def test_limits_requests_per_address_counts_every_route_but_the_operators(start_server):
    server = start_server({"limits.requests-per-address": 5})

    def is_limited(method, path):
        with server.connect() as connection:
            answers = {connection.request(method, path).status for _ in range(30)}
        return 429 in answers

    limited = [route for route in ROUTES if route not in STREAMS and route.path not in ("/healthz", "/readyz", "/metrics")]
    for route in limited:
        assert is_limited(route.method, route.path), route
    assert is_limited("OPTIONS", "*")
    for path in "/healthz", "/readyz", "/metrics":
        assert not is_limited("GET", path), "a probe must not be refused for what a client on its machine does"


@pytest.mark.parametrize("route", STREAMS, ids=str)
def test_a_browsers_stream_past_the_rate_is_refused_so_that_it_comes_back(start_server, route):
    server = start_server({"limits.requests-per-address": 1})
    path = path_of(route, 0)

    def browsers_first_event():
        server.get(path, {"Accept": "text/html"})  # uses up what there is
        return Stream(server.connect(), path, BROWSER).next_event().type

    wait_until(lambda: browsers_first_event() == "stream-close", "a browser's stream to be refused")
    response = wait_until(lambda: (got := server.get(path)).status == 429 and got, "another client to be refused")
    assert int(response.header("Retry-After")) >= 1


def test_a_refused_stream_leaves_nothing_behind(start_server):
    server = start_server({"limits.streams": 1})
    stream = server.stream("a")
    stream.next_event()
    before = server.descriptors()
    for _ in range(50):
        with server.connect() as connection:
            connection.send(request_bytes("GET", "/v2/sse?username=b", BROWSER))
            assert connection.read_response().body.startswith(b"event: stream-close\n")
    server.wait_for_metric("rillgate_connections", lambda count: count <= 2)
    assert server.descriptors() <= before + 1
    assert server.metric("rillgate_users") == 1
