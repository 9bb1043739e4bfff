"""V2: the names of users, as they are written in a query and in NDJSON, and batches."""

import json
import re

import pytest

from harness.event_stream import Stream
from harness.server import target

pytestmark = pytest.mark.sanitizer


def stream_at(server, path):
    stream = Stream(server.connect(), path)
    assert stream.next_event().type == "stream-open"
    return stream


@pytest.mark.parametrize(
    "one, other",
    [
        ("демо", "%D0%B4%D0%B5%D0%BC%D0%BE"),
        ("🤠", "%f0%9f%a4%a0"),
        ("a+b", "a%20b"),
        ("a%2Bb", "%61%2b%62"),
        ("a%26b%3Dc", "%61%26%62%3D%63"),
        ("a=b", "a%3Db"),
        ("a%23b", "%61%23%62"),
        ('a|b"c', "a%7Cb%22c"),
        ("a/b?c", "a%2Fb%3Fc"),
        ("100%25", "%31%30%30%25"),
        ("**", "%2A%2a"),
        ("*a", "%2Aa"),
        ("~.-_!$'(),;@", "%7E%2E%2D%5F%21%24%27%28%29%2C%3B%40"),
        ("x" * 256, "%78" * 256),
        ("é" * 128, "%C3%A9" * 128),
    ],
)
def test_two_spellings_of_a_name_are_one_user(server, one, other):
    stream = stream_at(server, f"/v2/sse?username={one}")
    response = server.post(f"/v2/message?username={other}", "to you")
    assert response.status == 202 and response.json()["streams"] == 1
    assert stream.next_event().data == "to you"


def test_names_are_compared_byte_for_byte(server):
    composed = stream_at(server, target("/v2/sse", username="\u00e9"))
    decomposed = stream_at(server, target("/v2/sse", username="e\u0301"))
    assert server.publish("\u00e9", "composed")["streams"] == 1
    assert server.publish("e\u0301", "decomposed")["streams"] == 1
    assert composed.next_event().data == "composed"
    assert decomposed.next_event().data == "decomposed"


def test_a_parameters_name_may_be_escaped_and_others_are_let_be(server, user):
    stream = stream_at(server, f"/v2/sse?cache=1&user%6eame={user}&&x")
    server.publish(user, "to you")
    assert stream.next_event().data == "to you"


BAD_NAMES = [
    "", "x" * 257, "%C3%A9" * 129, "%00", "a%0Ab", "a%0D", "%1F", "%7F", "a:b", "a%3Ab", "%FF", "%C0%AF",
    "%ED%A0%80", "%F4%90%80%80",
]  # fmt: skip


@pytest.mark.parametrize("name", BAD_NAMES, ids=lambda name: name[:12])
def test_a_bad_name_is_400_to_read_and_to_write(server, name):
    for response in server.get(f"/v2/sse?username={name}"), server.post(f"/v2/message?username={name}", "x"):
        assert response.status == 400
        assert re.search("user ?name", response.json()["detail"])


def test_raw_bytes_that_are_not_utf_8_in_a_name_are_400(server):
    assert server.get(b"/v2/sse?username=caf\xe9").status == 400


def test_star_alone_is_no_user_to_listen_as(server):
    for name in "*", "%2A":
        assert server.get(f"/v2/sse?username={name}").status == 400
        assert server.get(f"/v1/sse?username={name}").status == 400


@pytest.mark.parametrize("query", ["username=%", "username=a%4", "username=%zz", "username=a&x=%", "username=a&%g0=x"])
def test_a_bad_percent_escape_anywhere_in_the_query_is_400(server, query):
    assert server.get(f"/v2/sse?{query}").status == 400
    assert server.post(f"/v2/message?{query}", "x").status == 400


@pytest.mark.parametrize("query", ["", "?", "?name=a", "?username=a&username=a", "?username=a&user%6Eame=b"])
def test_a_missing_or_repeated_username_is_400(server, query):
    for response in server.get(f"/v2/sse{query}"), server.post(f"/v2/message{query}", "x"):
        assert response.status == 400
        assert re.search("user ?name", response.json()["detail"])


# Batches


def post_lines(server, *lines, content_type="application/x-ndjson"):
    body = b"\n".join(line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines)
    return server.post("/v2/messages", body, {"Content-Type": content_type})


def test_a_batch_reaches_its_users_in_order(server, user):
    one, other = stream_at(server, f"/v2/sse?username={user}"), stream_at(server, f"/v2/sse?username={user}%20ü")
    lines = [{"username": name, "data": f"{n}", "event": "e"} for n in range(50) for name in (user, f"{user} ü")]
    response = post_lines(server, *lines, b"")
    assert response.status == 202
    assert response.header("Content-Type") == "application/json"
    assert response.json() == {"accepted": 100, "rejected": []}
    for stream in one, other:
        events = stream.take(50)
        assert [(event.type, event.data) for event in events] == [("e", str(n)) for n in range(50)]


BAD_LINES = {
    "not JSON": b"nonsense",
    "cut JSON": b'{"username":"a","data":"x"',
    "two values": b'{"username":"a","data":"x"} {}',
    "no object": b'["a","x"]',
    "no username": {"data": "x"},
    "no data": {"username": "a"},
    "data that is no string": {"username": "a", "data": {"x": 1}},
    "data that is a number": {"username": "a", "data": 1},
    "data that is null": {"username": "a", "data": None},
    "a username that is no string": {"username": 1, "data": "x"},
    "a bad username": {"username": "a:b", "data": "x"},
    "an empty username": {"username": "", "data": "x"},
    "a control character in the username": {"username": "a\n", "data": "x"},
    "a reserved event": {"username": "a", "data": "x", "event": "stream-open"},
    "an event that is no string": {"username": "a", "data": "x", "event": 1},
    "an event with a line break": {"username": "a", "data": "x", "event": "a\nb"},
    "bytes that are not UTF-8": b'{"username":"a","data":"\xff"}',
    "half a surrogate pair": b'{"username":"a","data":"\\ud83e"}',
}


def test_bad_lines_are_named_and_the_rest_is_accepted(server, user):
    stream = stream_at(server, f"/v2/sse?username={user}")
    lines, bad = [], {}
    for name, line in BAD_LINES.items():
        lines += [{"username": user, "data": name}, line]
        bad[len(lines)] = name
    response = post_lines(server, *lines)
    assert response.status == 202
    answer = response.json()
    assert answer["accepted"] == len(BAD_LINES)
    rejected = {rejection["line"]: rejection["detail"] for rejection in answer["rejected"]}
    missing = {line: name for line, name in bad.items() if line not in rejected}
    assert list(rejected) == list(bad), f"not rejected: {missing}"
    assert all(isinstance(detail, str) and detail for detail in rejected.values())
    assert stream.take_data(len(BAD_LINES)) == list(BAD_LINES)


def test_escapes_line_breaks_and_unknown_members_in_a_batch(server, user):
    stream = stream_at(server, f"/v2/sse?username={user}")
    lines = [
        b'{"data":"a\\nb\\u0041\\ud83e\\udd20","username":"%s","x":{"y":[1,2.5e3,null,true]}}' % user.encode(),
        b'  {"username" : "%s" , "data" : "\xf0\x9f\xa4\xa0 \\" \\\\ \\/"}\t\r' % user.encode(),
        b'{"username":"%s","data":""}' % user.encode(),
    ]
    assert post_lines(server, *lines).json() == {"accepted": 3, "rejected": []}
    assert stream.take_data(3) == ["a\nbA🤠", '🤠 " \\ /', ""]


def test_an_empty_batch_is_accepted(server):
    assert post_lines(server).json() == {"accepted": 0, "rejected": []}


@pytest.mark.parametrize(
    "content_type", ["application/x-ndjson", "application/x-ndjson; charset=utf-8", "Application/X-NDJSON"]
)
def test_a_batch_is_ndjson(server, user, content_type):
    assert post_lines(server, {"username": user, "data": "x"}, content_type=content_type).status == 202


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "application/x-www-form-urlencoded"])
def test_a_batch_of_another_type_is_415(server, user, content_type):
    response = post_lines(server, {"username": user, "data": "x"}, content_type=content_type)
    assert response.status == 415
    assert "application/x-ndjson" in response.json()["detail"]


def test_a_batch_over_the_limit_is_413_and_reaches_nobody(server, user):
    stream = stream_at(server, f"/v2/sse?username={user}")
    assert post_lines(server, *[{"username": user, "data": "x" * 1000}] * 70).status == 413
    server.publish(user, "next")
    assert stream.next_event().data == "next"
