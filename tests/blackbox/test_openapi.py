"""docs/openapi.yaml is what the server does: schemathesis makes requests from it, good and bad, and judges them."""

import copy
import json
import pathlib
import uuid

import pytest
import schemathesis
import yaml
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi import checks

from harness.reports import STATUSES, ReportUser, table_of
from harness.server import Server

DOCUMENT = yaml.safe_load(
    (pathlib.Path(__file__).resolve().parents[2] / "docs" / "openapi.yaml").read_text(encoding="utf-8")
)
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)


@schemathesis.serializer("application/x-ndjson")
def lines_of(_context, value):
    return b"".join(json.dumps(line).encode() + b"\n" for line in (value if isinstance(value, list) else [value]))


def to_generate_from():
    """The document without the streams, which have no end. Lengths count bytes, but those of JSON Schema characters."""
    document = copy.deepcopy(DOCUMENT)
    for name in "UserName", "EventType":
        document["components"]["schemas"][name]["maxLength"] //= 4
    return schemathesis.openapi.from_dict(document).exclude(path_regex="/sse$")


GENERATING = to_generate_from()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    one = Server(tmp_path_factory.mktemp("server"), {"store": "sqlite:reports.db"}).start()
    yield one
    assert not (fault := one.stop_and_find_faults()), fault


def address(server):
    return f"http://127.0.0.1:{server.port}"


def check_generated(case, server):
    # A message may be any text, and a bad line is no bad request: the answer says which lines were left out.
    takes_anything = case.media_type in ("text/plain", "application/x-ndjson")
    case.call_and_validate(
        base_url=address(server), excluded_checks=[checks.negative_data_rejection] if takes_anything else []
    )


@GENERATING.parametrize()
@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_generated_requests_are_answered_as_documented(case, server):
    check_generated(case, server)


@pytest.mark.prove
@pytest.mark.timeout(1800)
@GENERATING.parametrize()
@settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
def test_many_generated_requests_are_answered_as_documented(case, server):
    check_generated(case, server)


def test_the_document_is_well_formed():
    SCHEMA.validate()


def test_the_documents_table_is_the_servers(server):
    status = DOCUMENT["components"]["schemas"]["Status"]
    assert status["x-transitions"] == table_of(server)
    assert status["enum"] == list(STATUSES)


@pytest.mark.parametrize("path", DOCUMENT["paths"])
def test_a_route_takes_the_methods_that_are_documented(server, path):
    documented = {method.upper() for method in DOCUMENT["paths"][path]}
    expected = documented | {"OPTIONS"} | ({"HEAD"} if "GET" in documented else set())
    for spelling in path, path + "/":
        response = server.request("OPTIONS", spelling)
        assert response.status == 204
        assert set(response.header("Allow").split(", ")) == expected


# Requests that call forth each answer. A 503 takes a node that drains or whose store is down: other tests have those.

U = "0198c0de-0000-7000-8000-0000000000aa"
OTHER = str(uuid.UUID(int=1))
CHANGE = {"id": "the report", "status": "queued"}
JSON, TEXT, LINES = "application/json", "text/plain", "application/x-ndjson"


def asks(method, path, answers):
    return [pytest.param(method, path, status, request, id=f"{method} {path} {status}") for status, request in answers]


def sent_to(version):
    line = {"username": "a", "data": "x"}
    return [
        *asks("GET", f"/{version}/sse", [(400, {}), (406, {"query": {"username": "a"}, "headers": {"Accept": "a/b"}})]),
        *asks(
            "POST",
            f"/{version}/message",
            [
                (202, {"query": {"username": "a", "event": "note"}, "body": "x", "media_type": TEXT}),
                (400, {"query": {"username": "a", "event": "stream-x"}, "body": "x", "media_type": TEXT}),
                (413, {"query": {"username": "a"}, "body": "x" * 70_000, "media_type": TEXT}),
            ],
        ),
        *asks(
            "POST",
            f"/{version}/messages",
            [
                (202, {"body": [line, {"username": "a"}], "media_type": LINES}),
                (413, {"body": [line] * 3000, "media_type": LINES}),
                (415, {"body": [line], "media_type": LINES, "headers": {"Content-Type": "text/html"}}),
            ],
        ),
    ]


ANSWERS = [
    *asks("GET", "/v1/sse", [(400, {}), (406, {"query": {"username": "a"}, "headers": {"Accept": "a/b"}})]),
    *sent_to("v2"),
    *sent_to("v3"),
    *asks(
        "POST",
        "/v4/new/report",
        [
            (201, {"query": {"user_id": U}}),
            (200, {"query": {"user_id": U}, "headers": {"Idempotency-Key": "used"}}),
            (400, {"query": {"user_id": "x"}}),
            (413, {"query": {"user_id": U}, "headers": {"Content-Length": "70000"}}),
        ],
    ),
    *asks(
        "GET",
        "/v4/reports",
        [(200, {"query": {"user_id": U, "limit": 1}}), (400, {"query": {"user_id": U, "limit": 0}})],
    ),
    *(
        answer
        for path in ("/v4/report", "/v4/report/history")
        for answer in asks(
            "GET",
            path,
            [
                (200, {"query": {"user_id": U, "report_id": "the report"}}),
                (400, {"query": {"user_id": U}}),
                (404, {"query": {"user_id": OTHER, "report_id": "the report"}}),
            ],
        )
    ),
    *asks(
        "PUT",
        "/v4/report",
        [
            (200, {"query": {"user_id": U}, "body": CHANGE, "headers": {"If-Match": '"1"'}}),
            (400, {"query": {"user_id": U}, "body": {}}),
            (404, {"query": {"user_id": OTHER}, "body": CHANGE}),
            (409, {"query": {"user_id": U}, "body": CHANGE | {"status": "completed"}}),
            (412, {"query": {"user_id": U}, "body": CHANGE, "headers": {"If-Match": "7"}}),
            (413, {"query": {"user_id": U}, "body": CHANGE | {"x": "x" * 70_000}}),
            (415, {"query": {"user_id": U}, "body": CHANGE, "headers": {"Content-Type": "text/plain"}}),
            (422, {"query": {"user_id": U}, "body": CHANGE | {"status": "done"}}),
        ],
    ),
    *asks("GET", "/v4/sse", [(400, {}), (406, {"query": {"user_id": U}, "headers": {"Accept": "a/b"}})]),
    *asks("GET", "/healthz", [(200, {})]),
    *asks("GET", "/readyz", [(200, {})]),
    *asks("GET", "/metrics", [(200, {})]),
]


@pytest.fixture
def report(server):
    """A new report of user U, and a used idempotency key."""
    user = ReportUser(server, U)
    user.post({"Idempotency-Key": "used"})
    return user.create()["reportId"]


@pytest.mark.parametrize(("method", "path", "status", "request_"), ANSWERS)
def test_each_documented_answer_is_given_as_documented(server, report, method, path, status, request_):
    request_ = json.loads(json.dumps(request_).replace("the report", report))
    if "body" in request_:
        request_.setdefault("media_type", JSON)
    response = (
        SCHEMA[path][method]
        .Case(**request_)
        .call_and_validate(
            base_url=address(server),
            checks=[
                checks.status_code_conformance,
                checks.content_type_conformance,
                checks.response_headers_conformance,
                checks.response_schema_conformance,
            ],
        )
    )
    assert response.status_code == status, response.text


def test_no_answer_is_documented_that_no_request_calls_forth():
    shown = {(answer.values[0], answer.values[1], str(answer.values[2])) for answer in ANSWERS}
    documented = {
        (method.upper(), path, status)
        for path, methods in DOCUMENT["paths"].items()
        for method, operation in methods.items()
        for status in operation["responses"]
        if status != "503" and not (status == "200" and path.endswith("/sse"))
    }
    assert shown == documented
