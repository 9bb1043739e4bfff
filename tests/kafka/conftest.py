"""Real brokers for the tests of this folder: one that all share, each test with a topic of its own, and for tests that
break things, brokers of their own."""

import itertools
import signal

import pytest

from harness.kafka import Kafka
from harness.server import Server, free_port
from harness.v3 import node_settings
from servers.kafka import Broker, cluster

# A topic that the server did not make is missing, as on clusters that are run with care.
_STRICT = {"auto.create.topics.enable": "false"}
# The shared broker is never killed, so it needs not be given up soon, however busy the machine is.
_CALM = {"broker.session.timeout.ms": 18000, "broker.heartbeat.interval.ms": 2000}


@pytest.fixture(scope="session")
def broker(tmp_path_factory):
    """The broker that tests share; none of them stops it."""
    nodes = {1: (free_port(), free_port())}
    one = Broker(tmp_path_factory.mktemp("broker"), nodes, settings=_STRICT | _CALM).start()
    yield one
    one.stop(signal.SIGKILL)


@pytest.fixture(scope="session")
def kafka(broker):
    return Kafka(broker.address)


@pytest.fixture
def private_broker(tmp_path):
    """A broker for one test to stop, kill and start; it runs at first."""
    one = Broker(tmp_path / "broker", {1: (free_port(), free_port())}, settings=_STRICT).start()
    yield one
    one.stop(signal.SIGKILL)


@pytest.fixture
def three_brokers(tmp_path):
    """A cluster for one test to break: every topic has three copies, two of which must have a record."""
    brokers = cluster(tmp_path, [(free_port(), free_port()) for _ in range(3)], heap="192m", settings=_STRICT)
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
