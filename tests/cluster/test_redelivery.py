"""Updates that are delivered again, because a node died or gave its partitions back: known by where they stood in the
topic, and skipped."""

import random
import signal

import pytest

from harness.kafka import Kafka
from harness.reports import ReportUser, told
from harness.waiting import wait_until
from harness.worker import Worker

ROUND = ["queued", "processing", "failed", "pending"]  # any of its steps could be made once more, a round later
STORES = ["sqlite", "dynamodb"]


@pytest.mark.parametrize("store", STORES)
def test_updates_delivered_again_are_neither_applied_twice_nor_refused(start_node, make_worker, store_settings, store):
    worker = make_worker(3)
    node = start_node(worker, store_settings(store))
    users = [ReportUser(node) for _ in range(6)]
    reports = [user.create()["reportId"] for user in users]
    for user, report in zip(users, reports, strict=True):
        worker.ask(user, report, *ROUND, *ROUND[:2], "pending")
    worker.wait_until_settled()
    histories = [user.history(report) for user, report in zip(users, reports, strict=True)]
    assert all([entry["to"] for entry in one[1:]] == ROUND + ROUND[:2] for one in histories)
    refused = worker.letters()
    assert len(refused) == len(users)
    # All are at `processing`: the steps to `failed` and what follows are allowed now, which were made long ago.
    assert node.stop() == 0
    worker.kafka.rewind(worker.group, worker.updates)
    node.start()
    worker.ask(users[0], reports[0], "completed")
    worker.wait_until_settled()
    assert [user.history(report) for user, report in zip(users, reports, strict=True)][1:] == histories[1:]
    assert [entry["to"] for entry in users[0].history(reports[0])[-2:]] == ["processing", "completed"]
    assert set(worker.letters()) == set(refused), "only what was refused before is refused again"


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kills", [2, pytest.param(50, marks=pytest.mark.prove)])
@pytest.mark.parametrize("store", STORES)
def test_killed_between_applying_and_committing_a_node_applies_each_update_once(
    start_node, make_worker, store_settings, seed, store, kills
):
    chance = random.Random(seed)
    worker = make_worker(3)
    node = start_node(worker, store_settings(store))
    users = [ReportUser(node) for _ in range(8)]
    reports = [user.create()["reportId"] for user in users]
    rounds = 0
    for _ in range(kills):
        made = sum(user.report(report)["version"] for user, report in zip(users, reports, strict=True))
        for user, report in zip(users, reports, strict=True):
            worker.ask(user, report, *ROUND * 8)
        rounds += 8
        before = node.metric("rillgate_events_in_total", version="v4")
        some = chance.randrange(1, len(users) * 8)
        node.wait_for_metric("rillgate_events_in_total", lambda now, enough=before + some: now >= enough, version="v4")
        node.stop(signal.SIGKILL)
        node.start()
        after = sum(user.report(report)["version"] for user, report in zip(users, reports, strict=True))
        assert after >= made + some, "what was told of is kept"
    worker.wait_until_settled(120)
    for user, report in zip(users, reports, strict=True):
        assert [entry["to"] for entry in user.history(report)] == ["pending", *ROUND * rounds]
    assert worker.letters() == {}
    print(f"{kills} kills, {len(users) * rounds * len(ROUND)} updates, each applied once and in order")


def test_updates_that_came_while_no_node_ran_are_applied_by_the_next(start_node, make_worker, store_settings):
    worker = make_worker()
    node = start_node(worker, store_settings("sqlite"))
    user = ReportUser(node)
    report = user.create()["reportId"]
    assert node.stop() == 0
    worker.ask(user, report, *ROUND)
    node.start()
    worker.wait_until_settled()
    assert [entry["to"] for entry in user.history(report)] == ["pending", *ROUND]


def test_updates_written_before_the_broker_was_killed_are_applied_once_and_in_order(
    start_server, private_broker, store_settings
):
    worker = Worker(Kafka(private_broker.address), "cluster")
    node = start_server({"kafka": private_broker.address} | worker.settings() | store_settings("sqlite"))
    user = ReportUser(node)
    stream = user.opened()
    report, other = user.create()["reportId"], user.create()["reportId"]
    worker.ask(user, report, *ROUND * 10)
    private_broker.stop(signal.SIGKILL)
    user.change(other, *ROUND)  # which needs no broker
    private_broker.start()
    worker.wait_until_settled(60)
    walks = {report: ["pending", *ROUND * 10], other: ["pending", *ROUND]}
    seen = [told(event) for event in stream.take(sum(map(len, walks.values())))]
    for one, walk in walks.items():
        assert [entry["to"] for entry in user.history(one)] == walk
        assert [(version, status) for told_of, version, status in seen if told_of == one] == [
            *enumerate(walk, start=1)
        ]
    assert worker.letters() == {}
    wait_until(lambda: node.get("/readyz").status == 200, "the node to be ready")
