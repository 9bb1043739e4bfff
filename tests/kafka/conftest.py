"""Nodes for the tests of this folder, each test with a topic of its own on the broker that all share (tests/conftest.py),
and a cluster for tests that break one."""

import itertools
import signal

import pytest

from harness.server import Server, free_port
from harness.v3 import node_settings
from servers.kafka import STRICT, cluster


@pytest.fixture
def three_brokers(tmp_path):
    """A cluster for one test to break: every topic has three copies, two of which must have a record."""
    brokers = cluster(tmp_path, [(free_port(), free_port()) for _ in range(3)], heap="192m", settings=STRICT)
    for one in brokers:
        one.spawn()
    for one in brokers:
        one.wait_until_ready()
    yield brokers
    for one in brokers:
        one.stop(signal.SIGKILL)


_topic_numbers = itertools.count(1)


@pytest.fixture
def topic():
    """The name of a topic that no other test uses. It is not made yet."""
    return f"topic-{next(_topic_numbers)}"


@pytest.fixture
def start_node(start_server, broker, topic):
    """Starts nodes of the shared broker on the test's topic: start_node({"history.size": 3})."""

    def start(settings=None, **options):
        return start_server(node_settings([broker], topic, settings), **options)

    return start


@pytest.fixture(scope="module")
def node_topic(kafka):
    """The topic of `node`: 12 partitions."""
    name = f"topic-{next(_topic_numbers)}"
    kafka.create_topic(name, 12)
    return name


@pytest.fixture(scope="module")
def node(tmp_path_factory, broker, node_topic):
    """One node with default settings for all tests of a file; tests keep apart by their user names."""
    one = Server(tmp_path_factory.mktemp("node"), node_settings([broker], node_topic)).start()
    yield one
    failure = one.stop_and_find_faults()
    assert not failure, failure
