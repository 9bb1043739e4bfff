"""Fixtures that every test against the running server shares.

A server started here has a port and a directory of its own, and must end well: at the end of its scope it gets SIGTERM,
must exit 0, and its log must hold no report of a sanitizer and no failed assertion.
"""

import itertools
import os
import random
import signal

import pytest

from harness.server import Server
from harness.stores import dynamodb_settings
from servers.dynamodb import DynamoDbLocal


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
