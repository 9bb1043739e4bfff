"""Cross-origin requests: off by default, allowed for listed origins, and unsafe methods guarded."""

import pytest

from harness.server import Server

pytestmark = pytest.mark.sanitizer

LISTED = "https://app.example"
OTHER = "https://evil.example"
PREFLIGHT = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type, last-event-id"}


@pytest.fixture(scope="module")
def listing(tmp_path_factory):
    one = Server(tmp_path_factory.mktemp("listing"), {"cors.origins": [LISTED, "http://localhost:5173"]}).start()
    yield one
    assert not (fault := one.stop_and_find_faults()), fault


def words(value):
    return {word.strip().lower() for word in (value or "").split(",")}


def test_cors_is_off_by_default(server):
    with server.stream("a", headers={"Origin": OTHER}) as stream:
        assert stream.response.header("Access-Control-Allow-Origin") is None
    assert server.get("/v2/sse", {"Origin": OTHER}).header("Access-Control-Allow-Origin") is None
    response = server.request("OPTIONS", "/v2/message", {"Origin": OTHER} | PREFLIGHT)
    assert response.header("Access-Control-Allow-Origin") is None


@pytest.mark.parametrize("origin", [LISTED, "http://localhost:5173"])
def test_a_listed_origin_may_read_streams_answers_and_errors(listing, origin):
    with listing.stream("a", headers={"Origin": origin}) as stream:
        assert stream.response.header("Access-Control-Allow-Origin") == origin
        assert "origin" in words(stream.response.header("Vary"))
    for response in (
        listing.post("/v2/message?username=a", "x", {"Origin": origin}),
        listing.get("/v2/sse", {"Origin": origin}),
        listing.get("/nowhere", {"Origin": origin}),
    ):
        assert response.header("Access-Control-Allow-Origin") == origin
        assert "origin" in words(response.header("Vary"))


@pytest.mark.parametrize("origin", [OTHER, LISTED + ":8443", "http://app.example", LISTED + ".evil.example", "null"])
def test_another_origin_may_not(listing, origin):
    response = listing.get("/v2/sse", {"Origin": origin})
    assert response.header("Access-Control-Allow-Origin") is None
    assert "origin" in words(response.header("Vary")), "a cache must not hand this answer to a listed origin"


@pytest.mark.parametrize("path", ["/v2/message?username=a", "/v2/messages", "/v2/sse", "/v1/sse/"])
def test_a_preflight_is_answered(listing, path):
    response = listing.request("OPTIONS", path, {"Origin": LISTED} | PREFLIGHT)
    assert response.status in (200, 204)
    assert response.header("Access-Control-Allow-Origin") == LISTED
    allowed = words(response.header("Access-Control-Allow-Headers"))
    assert {"last-event-id", "authorization", "content-type", "idempotency-key", "if-match"} <= allowed
    assert words(response.header("Access-Control-Allow-Methods")) & {"post", "get"}


def test_a_preflight_of_another_origin_allows_nothing(listing):
    response = listing.request("OPTIONS", "/v2/message", {"Origin": OTHER} | PREFLIGHT)
    assert response.header("Access-Control-Allow-Origin") is None


def test_star_allows_every_origin(start_server):
    server = start_server({"cors.origins": "*"})
    with server.stream("a", headers={"Origin": OTHER}) as stream:
        assert stream.response.header("Access-Control-Allow-Origin") in ("*", OTHER)
    assert server.post("/v2/message?username=a", "x", {"Origin": OTHER}).status == 202
    assert server.request("OPTIONS", "/v2/message", {"Origin": OTHER} | PREFLIGHT).header("Access-Control-Allow-Origin")


@pytest.mark.parametrize("path", ["/v2/message?username=guarded", "/v2/messages"])
@pytest.mark.parametrize("origin", [OTHER, "null", "http://rillgate.test.evil.example", "https://rillgate.test:1"])
def test_an_unsafe_method_of_a_foreign_origin_is_403_and_changes_nothing(server, path, origin):
    with server.stream("guarded") as stream:
        stream.next_event()
        response = server.post(path, "x", {"Origin": origin, "Content-Type": "application/x-ndjson"})
        assert response.status == 403
        assert response.header("Content-Type") == "application/problem+json"
        assert "cors.origins" in response.json()["detail"]
        server.publish("guarded", "next")
        assert stream.next_event().data == "next"


def test_an_unsafe_method_of_the_servers_own_origin_is_allowed(server):
    for host in f"localhost:{server.port}", f"127.0.0.1:{server.port}", "rillgate.test":
        response = server.post("/v2/message?username=a", "x", {"Host": host, "Origin": f"http://{host}"})
        assert response.status == 202


def test_a_listed_origin_may_post(listing):
    assert listing.post("/v2/message?username=a", "x", {"Origin": LISTED}).status == 202
    assert listing.post("/v2/message?username=a", "x", {"Origin": OTHER}).status == 403


def test_a_safe_method_of_a_foreign_origin_is_served(server):
    assert server.get("/healthz", {"Origin": OTHER}).status == 200
