"""The topics of V4, made by a node or by somebody else, before it or under it."""

import pytest

from harness.reports import ReportUser
from harness.waiting import wait_until
from harness.worker import update

FOUND_WITHIN = 30  # seconds, for a new topic or partition


def wait_until_changed(user, report, status):
    wait_until(lambda: user.report(report)["reportStatus"] == status, f"the report to be {status}", FOUND_WITHIN)


@pytest.mark.timeout(120)
def test_a_node_that_made_the_topics_takes_updates_from_them(start_node, make_worker, store_settings, kafka):
    for _ in range(3):
        worker = make_worker(partitions=None)
        node = start_node(worker, store_settings("memory"))
        wait_until(lambda: {worker.updates, worker.dead, worker.events} <= kafka.topics(), "the topics to be made")
        user = ReportUser(node)
        report = user.create()["reportId"]
        worker.ask(user, report, "queued")
        wait_until_changed(user, report, "queued")


@pytest.mark.timeout(120)
def test_updates_are_taken_from_a_topic_that_somebody_makes_later(start_node, make_worker, store_settings, kafka):
    worker = make_worker(partitions=None)
    for topic in f"{worker.group}-v3", f"{worker.group}-v3.dead", worker.events:
        kafka.create_topic(topic)
    node = start_node(worker, store_settings("memory"), {"kafka.create-topics": "off"})
    user = ReportUser(node)
    report = user.create()["reportId"]
    kafka.create_topic(worker.dead)
    kafka.create_topic(worker.updates)
    worker.ask(user, report, "queued")
    wait_until_changed(user, report, "queued")


@pytest.mark.timeout(120)
def test_updates_are_taken_from_a_partition_that_is_added_while_nodes_run(
    start_node, make_worker, store_settings, kafka
):
    worker = make_worker(1)
    node = start_node(worker, store_settings("memory"))
    user = ReportUser(node)
    report = user.create()["reportId"]
    worker.ask(user, report, "queued")
    wait_until_changed(user, report, "queued")
    kafka.add_partitions(worker.updates, 3)
    worker.kafka.send(worker.updates, update(user, report, "processing"), partition=2)
    wait_until_changed(user, report, "processing")
