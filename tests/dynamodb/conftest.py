"""Servers on DynamoDB Local for the tests of this folder, all of which have the mark `dynamodb`."""

import pathlib

import pytest

from harness.dynamodb import DynamoDbProxy
from harness.reports import ReportUser
from harness.stores import dynamodb_settings

_FOLDER = pathlib.Path(__file__).parent


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.is_relative_to(_FOLDER):
            item.add_marker(pytest.mark.dynamodb)


@pytest.fixture
def proxy(dynamodb):
    one = DynamoDbProxy(dynamodb)
    yield one
    one.close()


@pytest.fixture
def behind_proxy(dynamodb, proxy, start_server):
    """A server whose DynamoDB is behind the proxy."""
    return start_server(dynamodb_settings(dynamodb, proxy.endpoint) | {"keepalive.interval": "50ms"})


@pytest.fixture
def user(behind_proxy):
    return ReportUser(behind_proxy)
