"""Two nodes on one DynamoDB, with nothing else between them: each finds the other's changes by its re-check."""

import itertools
import random
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness.reports import ReportUser, is_legal_walk, told
from harness.stores import dynamodb_settings

WRITERS = 32
# All but the final one: a report that is completed would end the race.
STATUSES = ("pending", "queued", "processing", "failed", "canceled")


@pytest.fixture
def nodes(dynamodb, start_server):
    settings = dynamodb_settings(dynamodb) | {"reports.recheck": "100ms", "stream.buffer": "64MiB"}
    return [start_server(settings) for _ in range(2)]


@pytest.fixture
def users(nodes):
    """One user, on each node."""
    first = ReportUser(nodes[0])
    return [first, ReportUser(nodes[1], first.id)]


def test_a_change_on_one_node_is_seen_and_told_on_the_other(users):
    here, there = users
    streams = [there.opened() for _ in range(3)]
    report = here.create()
    for stream in streams:
        assert told(stream.next_event()) == (report["reportId"], 1, "pending")
    assert there.report(report["reportId"]) == report
    after = there.change(report["reportId"], "queued", "processing")
    assert here.get("reports").json() == [after]
    assert here.history(report["reportId"]) == there.history(report["reportId"])
    for stream in streams:
        assert [told(event)[1:] for event in stream.take(2)] == [(2, "queued"), (3, "processing")]


def test_an_id_of_one_node_is_resumed_from_on_the_other(users):
    here, there = users
    stream = here.opened()
    report = here.create()["reportId"]
    stream.take(1)
    there.change(report, "queued")
    resumed = there.stream(last_event_id=stream.last_event_id)
    assert resumed.next_event().type == "stream-open"
    here.change(report, "processing")
    for one in stream, resumed:
        assert [told(event) for event in one.take(2)] == [(report, 2, "queued"), (report, 3, "processing")]


def test_an_idempotency_key_is_known_on_every_node(users):
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda number: users[number % 2].post({"Idempotency-Key": "same"}), range(32)))
    assert sorted(answer.status for answer in answers) == [200] * 31 + [201]
    assert len({answer.json()["reportId"] for answer in answers}) == 1
    assert len(users[0].get("reports").json()) == 1


def test_of_two_nodes_that_expect_one_version_one_wins(users):
    report = users[0].create()["reportId"]
    with ThreadPoolExecutor(8) as pool:
        for version in range(1, 20):
            status = "canceled" if version % 2 else "pending"
            put = lambda number: users[number % 2].put(report, status, str(version)).status  # noqa: E731
            assert sorted(pool.map(put, range(8))) == [200] + [412] * 7


def write_at_random(user, report, attempts, chance):
    """Asks for changes at random; returns (version, status) of those made."""
    made = []
    with user.server.connect() as connection:
        for _ in range(attempts):
            response = user.put(report, chance.choice(STATUSES), None, connection)
            assert response.status in (200, 409), response.body
            if response.status == 200:
                made.append((response.json()["version"], response.json()["reportStatus"]))
    return made


@pytest.mark.timeout(900)
@pytest.mark.parametrize("attempts", [500, pytest.param(10_000, marks=pytest.mark.prove)])
def test_writers_race_on_both_nodes_and_watchers_of_both_see_exactly_the_walk(users, seed, attempts):
    report = users[0].create()["reportId"]
    streams = [user.opened() for user in users for _ in range(2)]
    with ThreadPoolExecutor(WRITERS) as pool:
        writing = [
            pool.submit(write_at_random, users[number % 2], report, attempts // WRITERS, random.Random(seed + number))
            for number in range(WRITERS)
        ]
        made = sorted(itertools.chain.from_iterable(one.result() for one in writing))
    history = users[1].history(report)
    assert is_legal_walk(history)
    walk = [(entry["version"], entry["to"]) for entry in history[1:]]
    assert made == walk, "what was answered 200 is what happened, each version once"
    for stream in streams:
        assert [told(event) for event in stream.take(len(walk))] == [(report, *step) for step in walk]


def test_new_reports_of_two_nodes_are_listed_newest_first(users):
    made = [users[number % 2].create()["reportId"] for number in range(20)]
    times = [report["createdAt"] for report in users[0].get("reports").json()]
    assert times == sorted(times, reverse=True)
    assert {report["reportId"] for report in users[1].get("reports").json()} == set(made)
