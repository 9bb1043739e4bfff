"""Fixtures that every test against the running server shares.

A server started here has a port and a directory of its own, and must end well: at the end of its scope it gets SIGTERM,
must exit 0, and its log must hold no report of a sanitizer and no failed assertion.
"""

import itertools
import os
import random
import signal

import pytest

from harness.kafka import Kafka
from harness.server import Server, free_port
from harness.stores import dynamodb_settings
from servers.dynamodb import DynamoDbLocal
from servers.kafka import STRICT, Broker

# The shared broker is never killed, so it needs not be given up soon, however busy the machine is. Members of a group
# may be: a test that kills nodes says so to them.
_CALM = {
    "broker.session.timeout.ms": 18000,
    "broker.heartbeat.interval.ms": 2000,
    "group.min.session.timeout.ms": 1000,
}


@pytest.fixture
def start_server(tmp_path):
    """Starts servers: start_server({"history.size": 3}) is ready when the call returns."""
    servers = []
    numbers = itertools.count(1)

    def start(settings=None, until="/readyz", **options):
        directory = tmp_path / f"server-{next(numbers)}"
        directory.mkdir()
        servers.append(Server(directory, settings, **options))
        return servers[-1].start(until)

    yield start
    failures = [failure for server in servers if (failure := server.stop_and_find_faults())]
    assert not failures, "\n".join(failures)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """One server with default settings for all tests of a file; tests keep apart by their user names."""
    one = Server(tmp_path_factory.mktemp("server")).start()
    yield one
    failure = one.stop_and_find_faults()
    assert not failure, failure


@pytest.fixture(scope="session")
def dynamodb(tmp_path_factory):
    """A DynamoDB Local for all tests; each has tables of its own there."""
    one = DynamoDbLocal(tmp_path_factory.mktemp("dynamodb")).start()
    yield one
    one.stop(signal.SIGKILL)


@pytest.fixture(scope="session")
def store_settings(request):
    """store_settings(NAME): the settings of a new store of that kind (harness/stores.py)."""

    def settings(name):
        if name == "dynamodb":
            return dynamodb_settings(request.getfixturevalue("dynamodb"))
        return {"store": "memory" if name == "memory" else "sqlite:reports.db"}

    return settings


@pytest.fixture
def private_dynamodb(tmp_path):
    """A DynamoDB Local for one test to stop and start; it runs at first, and what it has outlives its process."""
    one = DynamoDbLocal(tmp_path / "dynamodb", is_kept=True).start()
    yield one
    one.stop(signal.SIGKILL)


@pytest.fixture(scope="session")
def broker(tmp_path_factory):
    """The Kafka broker that tests share; none of them stops it."""
    nodes = {1: (free_port(), free_port())}
    one = Broker(tmp_path_factory.mktemp("broker"), nodes, settings=STRICT | _CALM).start()
    yield one
    one.stop(signal.SIGKILL)


@pytest.fixture(scope="session")
def kafka(broker):
    return Kafka(broker.address)


@pytest.fixture
def private_broker(tmp_path):
    """A broker for one test to stop, kill and start; it runs at first."""
    one = Broker(tmp_path / "broker", {1: (free_port(), free_port())}, settings=STRICT).start()
    yield one
    one.stop(signal.SIGKILL)


_user_numbers = itertools.count(1)


@pytest.fixture
def user():
    """A user name that no other test uses."""
    return f"user-{next(_user_numbers)}"


@pytest.fixture
def seed():
    """For tests with chance in them. pytest shows it when the test fails; PROVE_SEED makes a run again."""
    number = int(os.environ.get("PROVE_SEED", random.randrange(1 << 30)))
    print(f"seed {number}")
    return number
