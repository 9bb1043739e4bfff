"""V1: a greeting stream, byte for byte as the seed shows it."""

import re
import time

import pytest

from harness.event_stream import Stream
from harness.wire import request_bytes

pytestmark = pytest.mark.sanitizer

HI = b"data: hi!\n\n"
COMMENT = b": keep-alive-text\n\n"


def read_blocks(stream, count):
    """Reads so many blocks; returns the seconds between the first and the last."""
    blocks = [stream.next() for _ in range(count)]
    assert None not in blocks, f"the stream ended ({stream.ended})"
    return blocks[-1].at - blocks[0].at


def test_eleven_seconds_of_a_stream_are_byte_for_byte_the_seeds(server):
    streams = [
        server.stream("demo", version="v1"),
        Stream(server.connect(), "/v1/sse?username=demo", version="1.0"),
        Stream(server.connect(), "/v1/sse/?username=%64emo", {"Accept": "text/event-stream"}),
    ]
    began = time.monotonic()
    for second in range(12):
        for stream in streams:
            assert stream.next() is not None, f"the stream ended ({stream.ended})"
            assert abs(time.monotonic() - began - second) < 0.5
    for stream in streams:
        assert stream.raw == (HI + COMMENT * 4) * 2 + HI + COMMENT


@pytest.mark.smoke
def test_both_periods_are_settings(start_server):
    server = start_server({"v1.period": "600ms", "v1.keepalive": "200ms"})
    stream = server.stream("demo", version="v1")
    assert 2.3 < read_blocks(stream, 13) < 4
    assert stream.raw == (HI + COMMENT * 2) * 4 + HI


def test_no_comment_comes_when_greetings_are_more_frequent(start_server):
    server = start_server({"v1.period": "100ms", "v1.keepalive": "1s"})
    stream = server.stream("demo", version="v1")
    read_blocks(stream, 10)
    assert stream.raw == HI * 10


def test_http_1_0_gets_a_body_that_ends_with_the_connection(server):
    stream = Stream(server.connect(), "/v1/sse?username=demo", version="1.0")
    assert stream.response.header("Transfer-Encoding") is None
    assert stream.response.header("Content-Length") is None
    assert stream.next().data == "hi!"
    assert stream.raw == HI


def test_http_1_1_gets_chunks(server):
    stream = server.stream("demo", version="v1")
    assert stream.response.header("Transfer-Encoding") == "chunked"
    assert stream.next().data == "hi!"


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_the_response_has_the_headers_of_a_stream(server, version):
    response = server.stream("demo", version=version).response
    assert response.status == 200
    assert response.header("Content-Type") == "text/event-stream; charset=utf-8"
    assert response.header("Cache-Control") == "no-store"
    assert response.header("X-Accel-Buffering") == "no"
    assert response.header("X-Request-Id")
    assert response.header("Content-Length") is None


@pytest.mark.parametrize("path", ["/v1/sse", "/v1/sse/", "/v2/sse", "/v2/sse/"])
def test_head_answers_headers_only(server, path):
    with server.connect() as connection:
        connection.send(request_bytes("HEAD", f"{path}?username=demo"))
        response = connection.read_response("HEAD")
        assert response.header("Content-Length") is None, "a stream has no length"
        assert response.status == 200
        assert response.header("Content-Type") == "text/event-stream; charset=utf-8"
        assert response.header("Cache-Control") == "no-store"
        if response.header("Connection") == "close":
            assert connection.read_to_end() == b""
        else:
            assert connection.request("GET", "/healthz").status == 200


@pytest.mark.parametrize("path", ["/v1/sse", "/v1/sse/"])
def test_both_forms_of_the_path_are_one_route(server, path):
    assert Stream(server.connect(), f"{path}?username=demo").next().data == "hi!"


@pytest.mark.parametrize("accept", ["text/event-stream", "text/*", "*/*", "text/html, */*;q=0.1", "TEXT/Event-Stream"])
def test_an_accept_that_allows_streams_gets_one(server, accept):
    assert server.stream("demo", version="v1", headers={"Accept": accept}).next().data == "hi!"


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize(
    "accept", ["application/json", "text/event-stream;q=0", "text/event-stream;q=0, */*", "text/html, image/*"]
)
def test_an_accept_that_excludes_streams_gets_406(server, version, accept):
    response = server.get(f"/{version}/sse?username=demo", {"Accept": accept})
    assert response.status == 406
    assert response.header("Content-Type") == "application/problem+json"


@pytest.mark.parametrize("query", ["", "?", "?username=", "?username=a&username=b", "?user=demo"])
def test_a_missing_empty_or_repeated_username_is_400(server, query):
    response = server.get(f"/v1/sse{query}")
    assert response.status == 400
    assert re.search("user ?name", response.json()["detail"])


def test_streams_are_counted_and_leave_the_count_when_their_client_leaves(start_server):
    server = start_server()
    streams = [server.stream(f"user-{number}", version="v1") for number in range(3)]
    server.wait_for_metric("rillgate_streams", 3, version="v1")
    streams[0].close()
    streams[1].reset()
    server.wait_for_metric("rillgate_streams", 1, version="v1")
