"""What every route answers: errors that say what to change, methods, limits, connections, request ids."""

import pathlib
import re
import socket

import pytest

from harness.server import free_port, run, target
from harness.waiting import wait_until
from harness.wire import Closed, Connection, request_bytes

pytestmark = pytest.mark.sanitizer

ROUTES = {
    "/v1/sse": {"GET", "HEAD"},
    "/v2/sse": {"GET", "HEAD"},
    "/v2/message": {"POST"},
    "/v2/messages": {"POST"},
    "/healthz": {"GET", "HEAD"},
    "/readyz": {"GET", "HEAD"},
    "/metrics": {"GET", "HEAD"},
}


def assert_problem(response, status):
    assert response.status == status, f"{response.head!r} {response.body!r}"
    assert response.header("Content-Type") == "application/problem+json"
    problem = response.json()
    assert problem["status"] == status
    assert isinstance(problem["title"], str) and problem["title"]
    assert isinstance(problem["detail"], str) and problem["detail"] and "\n" not in problem["detail"]
    assert response.header("X-Request-Id")
    return problem


# Errors


@pytest.mark.parametrize(
    "path", ["/v2", "/v2/", "/v2/sses", "/v1/message", "/v2/sse/x", "/V2/sse", "//v2/sse", "/v9/sse"]
)
def test_an_unknown_route_is_404(server, path):
    assert_problem(server.get(path + "?username=demo"), 404)
    assert_problem(server.post(path + "?username=demo", "x"), 404)


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "PATCH", "TRACE", "BREW"])
def test_a_method_that_a_route_does_not_have_is_405_with_allow(server, route, method):
    if method in ROUTES[route]:
        return
    for path in route, route + "/":
        response = server.request(method, path + "?username=demo", body=b"x" if method in ("POST", "PUT") else None)
        assert_problem(response, 405)
        allowed = set(re.split(r"\s*,\s*", response.header("Allow")))
        assert ROUTES[route] <= allowed and method not in allowed


def test_the_detail_names_what_to_change(server):
    for path, name in [("/v2/sse", "username"), ("/v2/sse?username=%zz", "%zz"), ("/v2/sse?username=a:b", "colon")]:
        assert name in assert_problem(server.get(path), 400)["detail"]


def test_what_a_caller_sent_comes_back_in_an_error_as_valid_json_on_one_line(server):
    response = server.get(target("/v2/sse", username='a"b\\c\n<d>\u2028🤠'))
    assert_problem(response, 400)
    assert b"\n" not in response.body.strip()


def test_an_error_to_head_has_no_body(server):
    with server.connect() as connection:
        connection.send(request_bytes("HEAD", "/nowhere"))
        assert connection.read_response("HEAD").status == 404
        assert connection.request("GET", "/healthz").status == 200


# Bodies


def test_a_declared_length_over_the_limit_is_413_before_the_body_is_read(server, user):
    with server.connect() as connection:
        connection.send(request_bytes("POST", f"/v2/message?username={user}", {"Content-Length": "65537"}))
        assert_problem(connection.read_response(), 413)


def test_a_413_is_not_lost_while_the_client_sends_on(server, user):
    with server.connect() as connection:
        connection.send(request_bytes("POST", f"/v2/message?username={user}", {"Content-Length": str(1 << 20)}))
        for _ in range(16):  # the server must take what comes, or its answer is lost to a reset
            connection.send(b"x" * (1 << 16))
        assert_problem(connection.read_response(), 413)
        connection.finish_sending()
        connection.read_to_end()


def test_a_chunked_body_over_the_limit_is_413_when_it_passes_it(server, user):
    with server.connect() as connection:
        connection.send(request_bytes("POST", f"/v2/message?username={user}", {"Transfer-Encoding": "chunked"}))
        connection.send(b"8000\r\n" + b"x" * 0x8000 + b"\r\n8000\r\n" + b"x" * 0x8000 + b"\r\n1\r\n")
        connection.send(b"x\r\n")
        assert_problem(connection.read_response(), 413)


@pytest.mark.parametrize("size", ["10001", "7fffffffffffffff", "ffffffffffffffff"])
def test_a_chunk_that_declares_more_than_the_limit_is_413_at_once(server, user, size):
    with server.connect() as connection:
        connection.send(request_bytes("POST", f"/v2/message?username={user}", {"Transfer-Encoding": "chunked"}))
        connection.send(size.encode() + b"\r\n")
        assert_problem(connection.read_response(), 413)


def test_limits_body_is_a_setting(start_server):
    server = start_server({"limits.body": "1KiB"})
    assert server.post("/v2/message?username=a", "x" * 1024).status == 202
    assert_problem(server.post("/v2/message?username=a", "x" * 1025), 413)


@pytest.mark.parametrize("content_length", [None, "0"])
def test_a_post_without_a_body_is_an_empty_body(server, user, content_length):
    with server.connect() as connection:
        headers = {"Content-Length": content_length} if content_length else {}
        for _ in range(2):
            connection.send(request_bytes("POST", f"/v2/message?username={user}", headers))
            assert connection.read_response().status == 202


def test_a_get_with_a_body_leaves_the_connection_in_step(server):
    with server.connect() as connection:
        assert connection.request("GET", "/healthz", body=b"GET /nowhere HTTP/1.1\r\n").status == 200
        assert connection.request("GET", "/healthz").status == 200


# Heads


def test_a_head_over_16_kib_is_431(server):
    assert server.get("/healthz", {"X": "y" * 15000}).status == 200
    assert_problem(server.get("/healthz", {"X": "y" * 17000}), 431)
    assert_problem(server.get("/healthz", [(f"X-{n}", "y" * 100) for n in range(170)]), 431)
    assert_problem(server.get(target("/v1/sse", username="y" * 17000)), 431)


def test_a_431_is_not_lost_while_the_client_sends_on(server):
    with server.connect() as connection:
        connection.send(b"GET /healthz HTTP/1.1\r\nHost: a\r\n")
        for _ in range(200):
            connection.send(b"X: " + b"y" * 1000 + b"\r\n")
        assert_problem(connection.read_response(), 431)


# Connections


def test_a_connection_serves_one_request_after_another(server, user):
    with server.connect() as connection:
        for number in range(100):
            assert connection.request("GET", "/healthz").status == 200
            assert server.publish(user, str(number), connection=connection)["streams"] == 0
            assert connection.request("GET", "/nowhere").status == 404


def test_connection_close_is_honoured(server):
    with server.connect() as connection:
        response = connection.request("GET", "/healthz", {"Connection": "close"})
        assert response.status == 200 and response.header("Connection").lower() == "close"
        assert connection.read_to_end() == b""


def test_http_1_0_is_answered_and_closed_unless_it_asks_to_stay(server):
    with server.connect() as connection:
        connection.send(b"GET /healthz HTTP/1.0\r\n\r\n")
        assert connection.read_response().status == 200
        assert connection.read_to_end() == b""
    with server.connect() as connection:
        connection.send(b"GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        response = connection.read_response()
        assert response.status == 200
        if (response.header("Connection") or "").lower() == "keep-alive":
            assert connection.request("GET", "/healthz").status == 200
        else:
            assert connection.read_to_end() == b""


def test_pipelined_requests_are_answered_in_order(server, user):
    requests = [("GET", "/healthz", 200), ("POST", f"/v2/message?username={user}", 202), ("GET", "/nowhere", 404),
                ("HEAD", "/healthz", 200), ("PUT", "/v2/message", 405), ("GET", "/v2/sse", 400)]  # fmt: skip
    with server.connect() as connection:
        connection.send(b"".join(request_bytes(method, path) for method, path, _ in requests * 20))
        for method, _, status in requests * 20:
            assert connection.read_response(method).status == status


def test_a_stream_may_follow_pipelined_requests(server, user):
    with server.connect() as connection:
        connection.send(request_bytes("GET", "/healthz") * 3 + request_bytes("GET", f"/v2/sse?username={user}"))
        for _ in range(3):
            assert connection.read_response().status == 200
        assert connection.read_head().header("Content-Type").startswith("text/event-stream")
        connection.read_until(b"event: stream-open\n")


def test_a_half_closed_client_is_answered(server, user):
    with server.connect() as connection:
        connection.send(
            request_bytes("POST", f"/v2/message?username={user}", body=b"x") + request_bytes("GET", "/healthz")
        )
        connection.finish_sending()
        assert connection.read_response().status == 202
        assert connection.read_response().status == 200
        assert connection.read_to_end() == b""


def test_a_body_that_ends_too_early_reaches_nobody(server, user):
    stream = server.stream(user)
    stream.next_event()
    for framing in b"Content-Length: 10\r\n\r\nshort", b"Transfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n":
        with server.connect() as connection:
            connection.send(f"POST /v2/message?username={user} HTTP/1.1\r\nHost: a\r\n".encode() + framing)
            connection.finish_sending()
            answer = connection.read_to_end()
            assert answer == b"" or answer.startswith(b"HTTP/1.1 400 ")
    server.publish(user, "next")
    assert stream.next_event().data == "next"


def test_expect_100_continue_is_answered(server, user):
    for value in "100-continue", "100-Continue":
        with server.connect() as connection:
            headers = {"Expect": value, "Content-Length": "5"}
            connection.send(request_bytes("POST", f"/v2/message?username={user}", headers))
            assert connection.read_response().status == 100
            connection.send(b"Howdy")
            assert connection.read_response().status == 202


def test_a_refused_expectation_gets_its_error_instead_of_the_100(server, user):
    for path, length, status in [
        (f"/v2/message?username={user}", "65537", 413),
        ("/v2/message", "5", 400),
        ("/nowhere", "5", 404),
    ]:
        with server.connect() as connection:
            connection.send(request_bytes("POST", path, {"Expect": "100-continue", "Content-Length": length}))
            response = connection.read_response()
            if response.status == 100 and status != 413:  # allowed, if needless
                connection.send(b"Howdy")
                response = connection.read_response()
            assert_problem(response, status)


# Request ids


@pytest.mark.parametrize("given", ["abc", "7b1f2c3d-0000-4000-8000-00000000000a", "A.b_c-9", "x" * 64])
def test_a_sane_request_id_comes_back(server, given):
    assert server.get("/healthz", {"X-Request-Id": given}).header("X-Request-Id") == given
    assert server.get("/nowhere", {"X-Request-Id": given}).header("X-Request-Id") == given


@pytest.mark.parametrize("given", ["", "x" * 1000, "a b", "ü", "a\tb"])
def test_another_request_id_is_replaced(server, given):
    returned = server.get("/healthz", {"X-Request-Id": given}).header("X-Request-Id")
    assert returned and returned != given
    assert re.fullmatch(r"[A-Za-z0-9._:-]{1,128}", returned)


def test_request_ids_differ(server):
    assert len({server.get("/healthz").header("X-Request-Id") for _ in range(50)}) == 50


# Listening


def test_a_port_that_another_server_holds_is_a_clear_error(server):
    result = run("serve", "--listen", f"127.0.0.1:{server.port}", "--store", "memory")
    assert result.returncode > 0
    assert f"127.0.0.1:{server.port}" in result.stderr + result.stdout
    assert server.get("/healthz").status == 200


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])
@pytest.mark.parametrize("option", [None, socket.SO_REUSEADDR, socket.SO_REUSEPORT])
def test_a_port_that_any_program_holds_is_a_clear_error_whatever_its_socket_options(address, option):
    port = free_port()
    with socket.socket() as holder:
        if option:
            holder.setsockopt(socket.SOL_SOCKET, option, 1)
        holder.bind((address, port))
        holder.listen()
        result = run("serve", "--listen", f"127.0.0.1:{port}", "--store", "memory", within=5)
        assert result.returncode > 0
        assert f"127.0.0.1:{port}" in result.stderr


def test_without_a_listen_setting_it_serves_port_3000_of_both_loopbacks_or_says_that_it_is_taken(start_server):
    with socket.socket() as probe:
        taken = probe.connect_ex(("127.0.0.1", 3000)) == 0
    if taken:  # by another program on this machine: the other half of the promise
        result = run("serve", "--store", "memory")
        assert result.returncode > 0 and ":3000" in result.stderr + result.stdout
        return
    server = start_server({"listen": None}, port=3000)
    assert server.get("/healthz").status == 200
    if pathlib.Path("/proc/net/if_inet6").exists():
        with server.connect(address="::1") as connection:
            assert connection.request("GET", "/healthz").status == 200


def test_listen_may_be_repeated_and_be_ipv6(start_server):
    one, other = free_port(), free_port()
    server = start_server({"listen": [f"127.0.0.1:{one}", f"127.0.0.1:{other}", f"[::1]:{one}"]}, port=one)
    with server.connect() as first, Connection(other) as second, server.connect(address="::1") as third:
        for connection in first, second, third:
            assert connection.request("GET", "/healthz").status == 200


def test_the_server_lives_on_whatever_a_client_aborts(server, user):
    for cut in range(1, 120, 7):
        connection = server.connect()
        connection.send(request_bytes("POST", f"/v2/message?username={user}", body=b"x" * 50)[:cut])
        connection.reset()
    wait_until(lambda: server.get("/healthz").status == 200, "the server to answer")
    with pytest.raises(Closed):
        connection = server.connect()
        connection.finish_sending()
        connection.receive()
