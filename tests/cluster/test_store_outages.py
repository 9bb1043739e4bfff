"""DynamoDB goes away and comes back under nodes that have Kafka: nothing is refused for it that can wait."""

import contextlib
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness.event_stream import Comment
from harness.reports import ReportUser, told
from harness.stores import dynamodb_settings
from harness.waiting import wait_until
from harness.worker import update

STOPS_WITHIN = 15  # seconds, beside the two settings of a drain
ROUND = ["queued", "processing", "failed", "pending"]
# DynamoDB Local commits a transaction a moment after its answer, so a kill would take back what was answered; in good
# order it keeps all. Frozen, it takes connections and does not answer, as behind a network that swallows packets.
STOPPED, FROZEN = signal.SIGTERM, signal.SIGSTOP


@pytest.fixture
def nodes(private_dynamodb, start_node, make_worker):
    """The worker, and two nodes on a DynamoDB that the test may stop."""
    worker, store = make_worker(3), dynamodb_settings(private_dynamodb)
    settings = {"keepalive.interval": "100ms", "reports.recheck": "500ms"}
    return worker, [start_node(worker, store, settings) for _ in range(2)]


def assert_is_refused(response):
    assert response.status == 503, response.body
    assert int(response.header("Retry-After")) >= 1


@contextlib.contextmanager
def away(dynamodb, how):
    """DynamoDB stopped or frozen, then back with what it had."""
    if how == FROZEN:
        dynamodb.process.send_signal(how)
    else:
        dynamodb.stop(how)
    try:
        yield
    finally:
        if how == FROZEN:
            dynamodb.process.send_signal(signal.SIGCONT)
        else:
            dynamodb.start()


@pytest.mark.parametrize(
    ("how", "seconds"),
    [
        pytest.param(STOPPED, 0, id="stopped"),
        pytest.param(STOPPED, 20, marks=pytest.mark.prove, id="stopped for 20 s"),
        pytest.param(FROZEN, 20, marks=pytest.mark.prove, id="frozen for 20 s"),
    ],
)
def test_updates_wait_while_dynamodb_is_away_and_are_applied_after_in_order(nodes, private_dynamodb, how, seconds):
    worker, (here, there) = nodes
    users = [ReportUser(here) for _ in range(6)]
    reports = [user.create()["reportId"] for user in users]
    streams = [ReportUser(node, user.id).opened() for user in users for node in (here, there)]
    untouched = [user.create()["reportId"] for user in users]
    for stream in streams:
        stream.take(1)

    def ask():
        for user, report in zip(users, reports, strict=True):
            worker.ask(user, report, *ROUND)

    ask()
    began = time.monotonic()
    with away(private_dynamodb, how):
        ask()
        with ThreadPoolExecutor(len(users)) as pool:
            for answer in pool.map(lambda user, report: user.put(report, "completed"), users, untouched):
                assert_is_refused(answer)
        assert not worker.is_settled()
        wait_until(lambda: there.get("/readyz").status == 503, "the other node to notice")
        while time.monotonic() - began < seconds:
            assert_is_refused(users[0].put(untouched[0], "completed"))
        for node in here, there:
            assert node.metric("rillgate_streams", version="v4") == len(users)
    ask()
    worker.wait_until_settled(60)
    for user, report in zip(users, reports, strict=True):
        assert [entry["to"] for entry in user.history(report)] == ["pending", *ROUND * 3]
    for stream, (user, report) in zip(
        streams, [pair for pair in zip(users, reports, strict=True) for _ in (here, there)], strict=True
    ):
        assert stream.ended is None
        assert [told(event) for event in stream.take(12)] == [
            (report, version, status) for version, status in enumerate(ROUND * 3, start=2)
        ], "each change once, on the stream that stayed open"
    assert worker.letters() == {}, "none is set aside for it"
    for node in here, there:
        wait_until(lambda node=node: node.get("/readyz").status == 200, "the node to be ready")


def test_a_partition_goes_on_past_a_refused_update_when_the_store_is_back(nodes, private_dynamodb):
    worker, (here, _) = nodes
    user = ReportUser(here)
    report = user.create()["reportId"]
    with away(private_dynamodb, STOPPED):
        places = worker.ask(user, report, "queued", "completed", "processing")
        assert_is_refused(user.put(report, "queued"))
    worker.wait_until_settled(60)
    assert [entry["to"] for entry in user.history(report)] == ["pending", "queued", "processing"]
    assert set(worker.letters()) == {places[1]}


def test_a_node_stops_in_time_while_updates_wait_in_many_partitions_and_the_next_applies_them(
    private_dynamodb, start_node, make_worker
):
    worker, store = make_worker(24), dynamodb_settings(private_dynamodb)
    node = start_node(worker, store)
    users = [ReportUser(node) for _ in range(24)]
    reports = [user.create()["reportId"] for user in users]
    for status in ROUND:
        for partition, (user, report) in enumerate(zip(users, reports, strict=True)):
            if (status, partition) == (ROUND[1], 0):
                worker.wait_until_settled()  # all partitions are this node's
                private_dynamodb.process.send_signal(FROZEN)
            worker.kafka.send(worker.updates, update(user, report, status), partition=partition)
    try:
        wait_until(lambda: node.get("/readyz").status == 503, "the node to notice")
        assert node.stop(within=STOPS_WITHIN) == 0
    finally:
        private_dynamodb.process.send_signal(signal.SIGCONT)
    node.start()
    worker.wait_until_settled(60)
    for user, report in zip(users, reports, strict=True):
        assert [entry["to"] for entry in user.history(report)] == ["pending", *ROUND]
    assert worker.letters() == {}


def test_streams_stay_open_and_get_keep_alives_while_dynamodb_is_away(nodes, private_dynamodb):
    _, (here, there) = nodes
    user = ReportUser(here)
    streams = [user.opened(), ReportUser(there, user.id).opened()]
    with away(private_dynamodb, STOPPED):
        for stream in streams:
            for _ in range(3):
                assert isinstance(stream.next(), Comment)
    report = wait_until(lambda: (answer := user.post()).status == 201 and answer.json(), "the store to be back")
    for stream in streams:
        assert told(stream.next_event()) == (report["reportId"], 1, "pending")
