"""V4 under load: racing writers, watchers that come and go, and lists that are read meanwhile."""

import contextlib
import itertools
import json
import random
import re
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness.reports import ReportUser, is_legal_walk, told
from harness.server import Server
from harness.stores import STORES
from harness.wire import request_bytes

pytestmark = pytest.mark.sanitizer

WRITERS = 64
ATTEMPTS = 10_000
# All but the final one: a report that is completed would end the race.
STATUSES = ("pending", "queued", "processing", "failed", "canceled")


@pytest.fixture(scope="module", params=STORES)
def server(request, tmp_path_factory, store_settings):
    # The watchers here share a processor with the writers; none is to be ended for being slow.
    one = Server(tmp_path_factory.mktemp(request.param), store_settings(request.param) | {"stream.buffer": "64MiB"}).start()
    yield one
    assert not (fault := one.stop_and_find_faults()), fault


@pytest.fixture
def user(server):
    return ReportUser(server)


@contextlib.contextmanager
def in_background(work):
    """Runs work(is_over) in a thread for the time of the block; is_over() says when to return."""
    over = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(work, over.is_set)
        try:
            yield
        finally:
            over.set()
        future.result()


def create_many(user, count):
    """Makes reports by pipelined requests and returns their ids, in the order of making."""
    with user.server.connect() as connection:
        connection.send(request_bytes("POST", user.path("new/report"), body=b"") * count)
        return [connection.read_response().json()["reportId"] for _ in range(count)]


# Racing writers


def write_at_random(user, report, attempts, chance):
    """Asks for changes at random, some of them for one version only; returns (version, status) of those made."""
    made, version = [], 1
    with user.server.connect() as connection:
        for _ in range(attempts):
            if_match = f'"{version}"' if chance.random() < 0.1 else None
            response = user.put(report, chance.choice(STATUSES), if_match, connection)
            answer = response.json()
            if response.status == 200:
                version = answer["version"]
                made.append((version, answer["reportStatus"]))
            else:
                assert response.status in ((409, 412) if if_match else (409,)), answer
    return made


def watch(user, stream, end, chance=None):
    """What a watcher is told until `end`. With `chance` it leaves again and again, kindly or not, and comes back with
    its last id."""
    seen = []
    while not seen or seen[-1] != end:
        if chance and chance.random() < 0.02:
            stream.reset() if chance.random() < 0.5 else stream.close()
            stream = user.stream(last_event_id=stream.last_event_id)
            assert stream.next_event().type == "stream-open"
        seen += [told(event) for event in stream.take(1)]
    return seen[:-1]


def test_64_writers_race_on_one_report_and_watchers_see_exactly_the_walk(user, seed):
    report, marker = create_many(user, 2)
    chances = [random.Random(seed + number) for number in range(WRITERS + 1)]
    shares = [ATTEMPTS // WRITERS + (number < ATTEMPTS % WRITERS) for number in range(WRITERS)]
    with ThreadPoolExecutor(WRITERS + 3) as pool:
        watchers = [
            pool.submit(watch, user, user.opened(), (marker, 2, "canceled"), chance)
            for chance in (None, None, chances.pop())
        ]
        writers = [pool.submit(write_at_random, user, report, *each) for each in zip(shares, chances, strict=True)]
        made = sorted(itertools.chain.from_iterable(writer.result() for writer in writers))
        user.change(marker, "canceled")
        seen = [watcher.result() for watcher in watchers]

    history = user.history(report)
    assert is_legal_walk(history)
    walk = [(entry["version"], entry["to"]) for entry in history[1:]]
    assert made == walk, "what was answered 200 is what happened, each version once"
    assert len(made) > WRITERS
    for one in seen:
        assert one == [(report, *step) for step in walk]
    assert user.report(report)["version"] == len(history)


def test_of_many_that_expect_one_version_one_wins_and_the_others_are_412(user):
    report = user.create()["reportId"]
    with ThreadPoolExecutor(16) as pool:
        for version in range(1, 20):
            status = "canceled" if version % 2 else "pending"
            answers = list(pool.map(lambda _: user.put(report, status, str(version)).status, range(16)))
            assert sorted(answers) == [200] + [412] * 15


def test_of_many_that_create_with_one_key_one_makes_the_report(user):
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: user.post({"Idempotency-Key": "same"}), range(32)))
    assert sorted(answer.status for answer in answers) == [200] * 31 + [201]
    assert len({answer.json()["reportId"] for answer in answers}) == 1
    assert len(user.get("reports").json()) == 1


# One connection


def test_pipelined_changes_are_made_and_answered_in_order(server, user):
    report = user.create()["reportId"]
    statuses = ["queued", "processing", "completed", "failed", "pending"] * 40
    with server.connect() as connection:
        for status in statuses:
            body = json.dumps({"id": report, "status": status}).encode()
            connection.send(request_bytes("PUT", user.path("report"), body=body))
            connection.send(request_bytes("GET", user.path("report", report_id=report)))
        versions = []
        for _ in statuses:
            change, after = connection.read_response(), connection.read_response()
            assert change.status in (200, 409) and after.status == 200
            if change.status == 200:
                assert change.body == after.body, "a read after a change sees it"
                versions.append(change.json()["version"])
    assert versions == [2, 3, 4], "completed is final"


def test_a_half_closed_client_is_answered(server, user):
    report = user.create()["reportId"]
    with server.connect() as connection:
        body = json.dumps({"id": report, "status": "queued"}).encode()
        connection.send(request_bytes("PUT", user.path("report"), body=body))
        connection.finish_sending()
        response = connection.read_response()
        assert response.status == 200 and response.json()["reportStatus"] == "queued"
        assert connection.read_to_end() == b""


def test_clients_that_vanish_before_the_answer_do_no_harm(server, user):
    report = user.create()["reportId"]
    bodies = [json.dumps({"id": report, "status": status}).encode() for status in ("canceled", "pending")]
    for number in range(200):
        connection = server.connect()
        connection.send(request_bytes("PUT", user.path("report"), body=bodies[number % 2]))
        connection.send(request_bytes("GET", user.path("sse", last_event_id="earliest")))
        connection.reset()
    server.wait_for_metric("rillgate_streams", 0, version="v4")
    assert is_legal_walk(user.history(report))


# Lists under load


def test_pages_show_every_report_once_while_new_ones_come_in(server, user):
    with ThreadPoolExecutor(50) as pool:  # many at once are one transaction
        kept = sorted(itertools.chain.from_iterable(pool.map(lambda _: create_many(user, 100), range(50))))
    added = []

    def add(is_over):
        with server.connect() as connection:
            while not is_over():
                added.append(user.create(connection=connection)["reportId"])

    def pages(limit):
        path = user.path("reports", limit=str(limit))
        with server.connect() as connection:
            while path:
                response = connection.request("GET", path)
                yield [report["reportId"] for report in response.json()]
                link = response.header("Link")
                path = link and re.fullmatch('<(/[^>]+)>; rel="next"', link)[1]

    with in_background(add):
        for limit in (100, 333, 1000):
            before = len(added)
            listed = list(itertools.chain.from_iterable(pages(limit)))
            assert listed == sorted(set(listed), reverse=True), "newest first, none twice"
            assert set(kept + added[:before]) <= set(listed)
    assert len(added) > 3
    assert list(itertools.chain.from_iterable(pages(1000))) == (kept + added)[::-1]


def test_a_stream_from_a_lists_position_has_no_hole_under_load(server, user, seed):
    reports = create_many(user, 20)
    chance = random.Random(seed)

    def change(is_over):
        statuses = dict.fromkeys(reports, "pending")
        with server.connect() as connection:
            while not is_over():
                report = chance.choice(reports)
                statuses[report] = "canceled" if statuses[report] == "pending" else "pending"
                user.change(report, statuses[report], connection=connection)

    states = []
    with in_background(change):
        for _ in range(40):
            answer = user.get("reports", limit="1000")
            state = {one["reportId"]: (one["version"], one["reportStatus"]) for one in answer.json()}
            stream = user.stream(last_event_id=answer.header("Last-Event-ID"))
            assert stream.next_event().type == "stream-open"
            states.append((state, stream))
            for event in stream.take(5):
                apply(state, event)

    marker = user.create()["reportId"]
    final = {one["reportId"]: (one["version"], one["reportStatus"]) for one in user.get("reports").json()}
    for state, stream in states:
        while marker not in state:
            apply(state, *stream.take(1))
        assert state == final


def apply(state, event):
    """Brings a list up to date, as a page would: what the list had already is passed over."""
    report, version, status = told(event)
    before, _ = state.get(report, (0, None))
    assert version <= before + 1, f"version {version} of {report} came after {before}"
    if version > before:
        state[report] = (version, status)
