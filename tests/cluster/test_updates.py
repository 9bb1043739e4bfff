"""Changes that workers ask for by Kafka, on one node: judged as a PUT is, told on the stream, set aside when refused."""

import json

import pytest

from harness.reports import STATUSES, TRANSITIONS, ReportUser, told
from harness.server import Server
from harness.v3 import node_settings
from harness.waiting import wait_until
from harness.worker import update

KEPT = 64 * 1024  # of a value in a dead letter
SOMEBODY = "0192e4a0-7b1c-7def-8123-456789abcdef"


@pytest.fixture(scope="module", params=["memory", "sqlite"])
def store(request, store_settings):
    return store_settings(request.param)


@pytest.fixture(scope="module")
def worker(make_worker, store):
    return make_worker(3)


@pytest.fixture(scope="module")
def node(tmp_path_factory, broker, worker, store):
    """One node for all tests of a store; tests keep apart by their users."""
    settings = node_settings([broker], f"{worker.group}-v3", worker.settings() | store)
    one = Server(tmp_path_factory.mktemp("node"), settings).start()
    yield one
    failure = one.stop_and_find_faults()
    assert not failure, failure


@pytest.fixture
def user(node):
    return ReportUser(node)


def letter_from(worker, place):
    return wait_until(lambda: worker.letters().get(place), f"the update at {place} to be set aside")


def test_an_update_is_applied_and_told_on_the_stream(worker, user):
    stream = user.opened()
    report = user.create()["reportId"]
    worker.ask(user, report, "queued", "processing", "completed")
    assert [told(event) for event in stream.take(4)] == [
        (report, version, status)
        for version, status in enumerate(("pending", "queued", "processing", "completed"), start=1)
    ]
    after = user.report(report)
    assert (after["reportStatus"], after["version"]) == ("completed", 4)
    assert [entry["to"] for entry in user.history(report)] == ["pending", "queued", "processing", "completed"]


def test_every_step_is_judged_as_a_put_is(worker, user):
    ways = [(before, after) for before in STATUSES for after in STATUSES]
    asked, put = ({way: user.create_at(way[0])["reportId"] for way in ways} for _ in range(2))
    places = {way: worker.ask(user, asked[way], way[1])[0] for way in ways}
    answers = {way: user.put(put[way], way[1]) for way in ways}
    worker.wait_until_settled()
    letters = worker.letters()
    for way, place in places.items():
        before, after = way
        is_allowed = after in TRANSITIONS[before]
        assert (answers[way].status == 200) == is_allowed == (place not in letters), way
        assert user.report(asked[way])["reportStatus"] == (after if is_allowed else before), way
        if not is_allowed:
            detail = answers[way].json()["detail"]
            assert letters[place].headers["reason"] == detail.replace(put[way], asked[way])


def bad_updates(user, stranger):
    """Values that can't be applied, by what is wrong with them."""
    mine, theirs = user.create()["reportId"], stranger.create()["reportId"]
    members = {"userId": user.id, "id": mine, "status": "queued"}
    without = {f"no {name}": {one: value for one, value in members.items() if one != name} for name in members}
    numbers = {f"{name} is a number": members | {name: 7} for name in members}
    others = {
        "a repeat of the present status": members | {"status": "pending"},
        "a step that the table has not": members | {"status": "completed"},
        "an unknown status": members | {"status": "done"},
        "a status in capitals": members | {"status": "Queued"},
        "an empty status": members | {"status": ""},
        "another user's report": members | {"id": theirs},
        "a report that is nobody's": members | {"id": SOMEBODY},
        "a user without reports": members | {"userId": SOMEBODY},
        "a user id that is no UUID": members | {"userId": "demo"},
        "a user id in braces": members | {"userId": "{" + user.id + "}"},
        "a report id that is no UUID": members | {"id": "1"},
        "a list": [members],
        "a long one": members | {"status": "x" * 70_000},
    }
    raw = {
        "no JSON": b"queued",
        "nothing": b"",
        "no value": None,
        "two objects": json.dumps(members).encode() * 2,
        "an object cut short": json.dumps(members).encode()[:-1],
        "not UTF-8": json.dumps(members).encode().replace(b"queued", b"caf\xe9"),
        "a deep one": b"[" * 5000 + b"]" * 5000,
    }
    return {name: json.dumps(value).encode() for name, value in (without | numbers | others).items()} | raw


def test_each_refused_update_is_set_aside_and_the_others_around_it_are_applied(worker, node, user):
    bad = bad_updates(user, ReportUser(node))
    good = user.create()["reportId"]
    way = ["canceled", "pending"] * len(bad)
    places = {}
    before = node.metric("rillgate_dead_letters_total")
    for (name, value), status in zip(bad.items(), way, strict=False):
        worker.ask(user, good, status)
        places[name] = worker.kafka.send(worker.updates, value, key=user.id)
    worker.wait_until_settled()
    letters = worker.letters()
    for name, place in places.items():
        letter = letters[place]
        assert letter.headers["topic"] == worker.updates, name
        assert letter.headers["reason"].strip(), name
        assert letter.key == user.id.encode(), name
        assert (letter.value or b"") == (bad[name] or b"")[:KEPT], name
    assert [entry["to"] for entry in user.history(good)] == ["pending", *way[: len(bad)]]
    assert all(len(user.history(one["reportId"])) == 1 for one in user.get("reports").json() if one["reportId"] != good)
    node.wait_for_metric("rillgate_dead_letters_total", before + len(bad))
    assert "café" not in node.log() and good not in node.log(), "no record's content is logged"


def test_a_reason_tells_the_worker_what_the_answer_to_a_put_would(worker, user):
    report = user.create()["reportId"]
    for status, words in ("completed", ["pending", "queued", "canceled"]), ("done", ["done"]):
        [place] = worker.ask(user, report, status)
        letter = letter_from(worker, place)
        assert letter.headers["reason"] == user.put(report, status).json()["detail"]
        assert all(word in letter.headers["reason"] for word in words)


def test_an_update_may_have_more_members_any_key_and_ids_in_capitals(worker, user):
    report = user.create()["reportId"]
    value = {"userId": user.id.upper(), "id": report.upper(), "status": "queued", "by": {"worker": 7}}
    worker.kafka.send(worker.updates, json.dumps(value), key=None)
    worker.wait_until_settled()
    assert user.report(report)["reportStatus"] == "queued"


def test_one_users_updates_are_applied_in_their_order_among_those_of_many(worker, node):
    """More than wait in a partition at once."""
    users = [ReportUser(node) for _ in range(8)]
    streams = [user.opened() for user in users]
    reports = [user.create()["reportId"] for user in users]
    way = ["canceled", "pending"] * 100
    for status in way:
        for user, report in zip(users, reports, strict=True):
            worker.kafka.send_soon(worker.updates, update(user, report, status), key=user.id)
    worker.kafka.flush()
    for stream, report in zip(streams, reports, strict=True):
        events = [told(event) for event in stream.take(1 + len(way))]
        assert events == [(report, version, status) for version, status in enumerate(["pending", *way], start=1)]


def test_every_accepted_change_is_told_to_the_other_nodes_keyed_by_its_user(worker, user):
    report = user.create()["reportId"]
    user.change(report, "queued")
    worker.ask(user, report, "processing")
    user.put(report, "pending")
    worker.wait_until_settled()
    history = user.history(report)
    notices = wait_until(lambda: len(told := worker.notices(user)) >= 3 and told, "three notices")
    types = ["report_created", "report_status_update", "report_status_update"]
    assert [(one["type"], one["status"], one["version"], one["updatedAt"]) for one in notices] == [
        (type, entry["to"], entry["version"], entry["at"]) for type, entry in zip(types, history, strict=True)
    ]
    assert [one["sequence"] for one in notices] == [1, 2, 3]
    assert all((one["userId"], one["id"]) == (user.id, report) for one in notices)
