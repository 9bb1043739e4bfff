"""V4: reports over HTTP, on each store: making, listing, reading and changing them."""

import json
import pathlib
import re
import uuid

import pytest

from harness.reports import STATUSES, TRANSITIONS, WAY_TO, ReportUser, is_legal_walk, table_of
from harness.server import Server, target
from harness.stores import STORES

pytestmark = pytest.mark.sanitizer

FRONTEND_TABLE = (
    pathlib.Path(__file__).resolve().parents[2] / "server_sent_events_frontend" / "src" / "transitions.json"
)
TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z")
LIMIT = 65536


@pytest.fixture(scope="module", params=STORES)
def server(request, tmp_path_factory, store_settings):
    one = Server(tmp_path_factory.mktemp(request.param), store_settings(request.param)).start()
    yield one
    assert not (fault := one.stop_and_find_faults()), fault


@pytest.fixture
def user(server):
    return ReportUser(server)


def refusal(response, status):
    """The problem of a refused request."""
    assert response.status == status, f"{response.head!r} {response.body!r}"
    assert response.header("Content-Type") == "application/problem+json"
    problem = response.json()
    assert problem["status"] == status and problem["title"] and problem["detail"]
    assert "\n" not in problem["detail"]
    return problem


# Making


@pytest.mark.smoke
def test_a_new_report_is_pending_and_its_location_leads_to_it(server, user):
    response = user.post()
    assert response.status == 201
    assert response.header("Content-Type") == "application/json"
    report = response.json()
    assert set(report) == {"userId", "reportId", "reportStatus", "version", "createdAt", "updatedAt"}
    assert (report["userId"], report["reportStatus"], report["version"]) == (user.id, "pending", 1)
    assert TIME.fullmatch(report["createdAt"]) and report["updatedAt"] == report["createdAt"]
    assert str(uuid.UUID(report["reportId"])) == report["reportId"]
    found = server.get(response.header("Location"))
    assert (found.status, found.json()) == (200, report)


@pytest.mark.parametrize("path", ["/v4/new/report", "/v4/new/report/"])
def test_both_forms_of_the_path_are_one_route(server, path):
    assert server.post(target(path, user_id=str(uuid.uuid4()))).status == 201


def test_a_user_in_capital_letters_is_the_same_user(server, user):
    report = user.create()
    assert ReportUser(server, user.id.upper()).report(report["reportId"].upper()) == report


NO_UUIDS = [
    "",
    "demo",
    "0198c0de00007000800000000000001a",
    "{0198c0de-0000-7000-8000-00000000001a}",
    "urn:uuid:0198c0de-0000-7000-8000-00000000001a",
    "0198c0de-0000-7000-8000-00000000001",
    "0198c0de-0000-7000-8000-00000000001ab",
    "0198c0de-0000-7000-8000-00000000001g",
    "0198c0de-0000-7000-80000-0000000001a",
    " 0198c0de-0000-7000-8000-00000000001a",
    "0198c0de-0000-7000-8000-00000000001\0",
    b"\xff\xfe",
]


@pytest.mark.parametrize("name", NO_UUIDS, ids=repr)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v4/new/report"),
        ("GET", "/v4/reports"),
        ("GET", "/v4/report"),
        ("GET", "/v4/report/history"),
        ("PUT", "/v4/report"),
        ("GET", "/v4/sse"),
    ],
)
def test_a_user_that_is_no_uuid_is_400(server, method, path, name):
    query = {"report_id": str(uuid.uuid4())} if "history" in path or (method, path) == ("GET", "/v4/report") else {}
    body = None if method == "GET" else b'{"id":"%s","status":"queued"}' % str(uuid.uuid4()).encode()
    assert "user_id" in refusal(server.request(method, target(path, user_id=name, **query), (), body), 400)["detail"]
    assert "user_id" in refusal(server.request(method, target(path, **query), (), body), 400)["detail"]
    twice = target(path, user_id=str(uuid.uuid4()), **query) + f"&user_id={uuid.uuid4()}"
    assert "more than once" in refusal(server.request(method, twice, (), body), 400)["detail"]


def test_a_repeat_with_the_same_key_is_the_same_report_as_it_is_now(server, user):
    report = user.create(key="once")
    again = user.post({"Idempotency-Key": "once"})
    assert (again.status, again.json()) == (200, report)
    assert again.header("Location").endswith(report["reportId"])
    changed = user.change(report["reportId"], "queued")
    again = user.post({"Idempotency-Key": "once"})
    assert (again.status, again.json()) == (200, changed)
    assert ReportUser(server).create(key="once")["reportId"] != report["reportId"], "keys belong to their user"
    assert len(user.get("reports").json()) == 1


@pytest.mark.parametrize("key", ["k", "x" * 128, 'a b,"c"', "é".encode(), b"\xff"], ids=repr)
def test_a_key_may_be_anything_of_1_to_128_bytes(user, key):
    assert [user.post({"Idempotency-Key": key}).status for _ in range(2)] == [201, 200]


@pytest.mark.parametrize("key", ["", "x" * 129], ids=["empty", "129 bytes"])
def test_a_key_of_another_length_is_400_and_makes_nothing(user, key):
    assert "Idempotency-Key" in refusal(user.post({"Idempotency-Key": key}), 400)["detail"]
    assert user.get("reports").json() == []


# Reading


def test_a_list_shows_the_newest_report_first_and_no_one_elses(server, user):
    assert (user.get("reports").status, user.get("reports").json()) == (200, [])
    ReportUser(server).create()
    reports = [user.create() for _ in range(5)]
    reports[2] = user.change(reports[2]["reportId"], "canceled")
    response = user.get("reports")
    assert response.json() == reports[::-1]
    assert response.header("Link") is None


def test_pages_follow_their_links(server, user):
    made = [user.create() for _ in range(7)]
    pages, path = [], user.path("reports", limit="3")
    while path:
        response = server.get(path)
        pages.append(response.json())
        link = response.header("Link")
        path = re.fullmatch('<(/v4/reports[^>]+)>; rel="next"', link)[1] if link else None
    assert [len(page) for page in pages] == [3, 3, 1]
    assert sum(pages, []) == made[::-1]
    assert user.get("reports", limit="7").header("Link") is None


@pytest.mark.parametrize("limit", ["0", "1001", "-1", "+1", "1.0", "x", "", "99999999999999999999"])
def test_a_limit_outside_1_to_1000_is_400(user, limit):
    assert "limit" in refusal(user.get("reports", limit=limit), 400)["detail"]


@pytest.mark.parametrize("limit", ["1", "1000"])
def test_the_ends_of_the_limit_are_accepted(user, limit):
    assert user.get("reports", limit=limit).status == 200


@pytest.mark.parametrize("cursor", ["", "x", "1", "0198c0de00007000800000000000001a"])
def test_a_cursor_that_no_page_gave_out_is_400(user, cursor):
    assert "cursor" in refusal(user.get("reports", cursor=cursor), 400)["detail"]


@pytest.mark.parametrize("path", ["report", "report/history"])
def test_an_unknown_report_is_404_and_so_is_anothers(server, user, path):
    report = user.create()["reportId"]
    assert user.get(path, report_id=report).status == 200
    unknown = refusal(user.get(path, report_id=str(uuid.uuid4())), 404)["detail"]
    anothers = refusal(ReportUser(server).get(path, report_id=report), 404)["detail"]
    shape = re.compile("[0-9a-f-]{36}")
    assert shape.sub("ID", unknown) == shape.sub("ID", anothers), "that it is another's is not told"


@pytest.mark.parametrize("path", ["report", "report/history"])
@pytest.mark.parametrize("report", ["", "x", None])
def test_a_report_that_is_no_uuid_is_400(user, path, report):
    assert "report_id" in refusal(user.get(path, report_id=report), 400)["detail"]


def test_a_history_tells_each_transition_oldest_first(user):
    report = user.create()
    after = user.change(report["reportId"], "queued", "processing", "failed", "pending")
    history = user.history(report["reportId"])
    assert is_legal_walk(history)
    assert [entry["to"] for entry in history] == ["pending", "queued", "processing", "failed", "pending"]
    assert all(set(entry) == {"version", "from", "to", "at"} and TIME.fullmatch(entry["at"]) for entry in history)
    times = [entry["at"] for entry in history]
    assert times == sorted(times)
    assert (times[0], times[-1]) == (after["createdAt"], after["updatedAt"])


@pytest.mark.parametrize("path", ["reports", "report", "report/history"])
def test_head_answers_as_get_does_without_the_body(server, user, path):
    query = {} if path == "reports" else {"report_id": user.create()["reportId"]}
    head, got = (server.request(method, user.path(path, **query)) for method in ("HEAD", "GET"))
    assert (head.status, head.body) == (200, b"")
    assert head.header("Content-Length") == got.header("Content-Length")
    assert head.header("Last-Event-ID") == got.header("Last-Event-ID")


def test_another_method_is_405_with_those_that_are_taken(server, user):
    for path, methods in {
        "report": {"GET", "HEAD", "PUT"},
        "new/report": {"POST"},
        "reports": {"GET", "HEAD"},
        "report/history": {"GET", "HEAD"},
        "sse": {"GET", "HEAD"},
    }.items():
        for method in {"GET", "POST", "PUT", "DELETE", "PATCH"} - methods:
            response = server.request(method, user.path(path), (), b"")
            refusal(response, 405)
            assert set(response.header("Allow").split(", ")) == methods | {"OPTIONS"}


# Changing


@pytest.mark.parametrize("to", STATUSES)
@pytest.mark.parametrize("from_", STATUSES)
def test_of_the_36_pairs_the_tables_eight_pass_and_the_others_are_409(user, from_, to):
    report = user.create_at(from_)
    stream = user.opened()
    response = user.put(report["reportId"], to)
    if to in TRANSITIONS[from_]:
        assert response.status == 200, response.body
        after = response.json()
        assert after == user.report(report["reportId"])
        assert after["updatedAt"] >= report["updatedAt"]
        assert after == report | {
            "reportStatus": to,
            "version": report["version"] + 1,
            "updatedAt": after["updatedAt"],
        }
        told = stream.next_event()
        assert told.type == "report_status_update"
        assert json.loads(told.data) == {
            "id": report["reportId"],
            "status": to,
            "version": report["version"] + 1,
            "updatedAt": after["updatedAt"],
        }
    else:
        problem = refusal(response, 409)
        assert {name: problem[name] for name in ("from", "to", "allowed")} == {
            "from": from_,
            "to": to,
            "allowed": TRANSITIONS[from_],
        }
        assert user.report(report["reportId"]) == report
        assert len(user.history(report["reportId"])) == len(WAY_TO[from_]) + 1
        marker = user.create()
        assert json.loads(stream.next_event().data) == marker, "nobody is told of what was refused"


def test_the_front_ends_table_is_the_servers(server):
    assert json.loads(FRONTEND_TABLE.read_text()) == table_of(server)


def test_a_change_of_an_unknown_report_is_404_and_of_anothers_too(server, user):
    report = user.create()["reportId"]
    refusal(user.put(str(uuid.uuid4()), "queued"), 404)
    refusal(ReportUser(server).put(report, "queued"), 404)
    assert user.report(report)["reportStatus"] == "pending"


@pytest.mark.parametrize("status", ["", "Queued", "queued ", "cancelled", "stream-open", "x" * 1000, "né\0"], ids=repr)
def test_an_unknown_status_is_422_and_says_those_that_are_known(user, status):
    detail = refusal(user.put(user.create()["reportId"], status), 422)["detail"]
    assert all(known in detail for known in STATUSES)


@pytest.mark.parametrize("if_match", ['"1"', "1"])
def test_if_match_lets_a_change_pass_only_while_the_version_is_that(user, if_match):
    report = user.create()["reportId"]
    assert user.put(report, "queued", if_match).json()["version"] == 2
    problem = refusal(user.put(report, "processing", if_match), 412)
    assert "version 2" in problem["detail"]
    assert user.report(report)["version"] == 2
    assert user.put(report, "processing", '"2"').status == 200


def test_if_match_is_judged_before_the_table(user):
    report = user.create()["reportId"]
    refusal(user.put(report, "completed", "2"), 412)
    refusal(user.put(report, "completed", "1"), 409)


def test_a_header_that_may_stand_once_and_stands_twice_is_400(server, user):
    report = user.create()["reportId"]
    body = json.dumps({"id": report, "status": "queued"}).encode()
    response = server.request("PUT", user.path("report"), [("If-Match", "1"), ("If-Match", "2")], body)
    assert "If-Match is given more than once" in refusal(response, 400)["detail"]
    assert user.report(report)["version"] == 1
    response = server.request("POST", user.path("new/report"), [("Idempotency-Key", "a"), ("Idempotency-Key", "b")])
    assert "Idempotency-Key is given more than once" in refusal(response, 400)["detail"]
    assert len(user.get("reports").json()) == 1


@pytest.mark.parametrize("if_match", ["", "0", "x", "-1", '"', '""', 'W/"1"', '"1', "1, 2", "1.0", "9" * 30])
def test_an_if_match_that_is_no_version_is_400(user, if_match):
    report = user.create()["reportId"]
    assert "If-Match" in refusal(user.put(report, "queued", if_match), 400)["detail"]
    assert user.report(report)["version"] == 1


@pytest.mark.parametrize(
    "body",
    [
        "",
        "x",
        "{",
        "[]",
        "null",
        '"queued"',
        "{}",
        '{"id":"%s"}',
        '{"status":"queued"}',
        '{"id":"%s","status":1}',
        '{"id":"%s","status":null}',
        '{"id":"%s","status":["queued"]}',
        '{"id":1,"status":"queued"}',
        '{"id":"x","status":"queued"}',
        '{"id":"%s","status":"queued"} x',
        '{"id":"%s","status":"queued",}',
        b'{"id":"%s","status":"\xff"}',
        b'\xff\xfe{"id":"%s","status":"queued"}',
        "[" * 10_000,
        '{"id":' * 5_000,
    ],
    ids=lambda body: repr(body[:30]),
)
def test_a_body_that_is_not_a_change_is_400_and_changes_nothing(user, body):
    report = user.create()["reportId"]
    placed = body.replace(b"%s", report.encode()) if isinstance(body, bytes) else body.replace("%s", report)
    refusal(user.put_body(placed), 400)
    assert user.report(report)["version"] == 1


def test_unknown_members_are_ignored_and_names_may_be_escaped(user):
    report = user.create()["reportId"]
    body = r'{"x":[{"y":1}],"\u0069d":"%s","status":"queu\u0065d","note":"é"}' % report
    assert user.put_body(body).json()["reportStatus"] == "queued"


@pytest.mark.parametrize(
    "content_type",
    [None, "application/json", "Application/JSON; charset=utf-8", "application/x-www-form-urlencoded"],
)
def test_a_change_may_come_as_json_or_as_curl_sends_it(user, content_type):
    report = user.create()["reportId"]
    body = json.dumps({"id": report, "status": "queued"})
    assert user.put_body(body, content_type=content_type).status == 200


@pytest.mark.parametrize("content_type", ["text/plain", "application/xml", "application/jsonp", "multipart/form-data"])
def test_a_change_of_another_content_type_is_415(user, content_type):
    report = user.create()["reportId"]
    problem = refusal(user.put_body(json.dumps({"id": report, "status": "queued"}), content_type=content_type), 415)
    assert "application/json" in problem["detail"]
    assert user.report(report)["version"] == 1


def test_a_body_over_the_limit_is_413(user):
    report = user.create()["reportId"]
    body = json.dumps({"id": report, "status": "queued"})
    refusal(user.put_body(body + " " * (LIMIT + 1 - len(body))), 413)
    assert user.report(report)["version"] == 1
    assert user.put_body(body + " " * (LIMIT - len(body))).status == 200
