"""Nodes that keep reports and have Kafka between them and their workers: V4 as a cluster."""

import itertools

import pytest

from harness.stores import dynamodb_settings
from harness.v3 import node_settings
from harness.worker import Worker

# A node that was killed is given up by the group this soon, and not after the seconds that suit real networks.
_SESSION = """
[kafka.properties]
"session.timeout.ms" = 1500
"heartbeat.interval.ms" = 300
"""
_names = (f"cluster-{number}" for number in itertools.count(1))


@pytest.fixture(scope="session")
def quick_group(tmp_path_factory):
    """Arguments of a node whose death its group notices soon."""
    path = tmp_path_factory.mktemp("quick-group") / "rillgate.toml"
    path.write_text(_SESSION)
    return ["--config", str(path)]


@pytest.fixture(scope="session")
def make_worker(kafka):
    """make_worker(partitions) has topics that no other test uses."""
    return lambda partitions=1: Worker(kafka, next(_names), partitions)


@pytest.fixture
def start_node(start_server, broker, quick_group):
    """start_node(WORKER, STORE SETTINGS, …) starts a node that takes that worker's updates."""

    def start(worker, store, settings=None, **options):
        of_kafka = node_settings([broker], f"{worker.group}-v3", worker.settings())
        return start_server(of_kafka | store | (settings or {}), arguments=quick_group, **options)

    return start


@pytest.fixture
def start_nodes(start_node, dynamodb, make_worker):
    """start_nodes(COUNT, SETTINGS): the worker and so many nodes on one DynamoDB, with six partitions of updates."""

    def start(count, settings=None):
        worker, store = make_worker(6), dynamodb_settings(dynamodb)
        return worker, [start_node(worker, store, settings) for _ in range(count)]

    return start
