"""The stores that reports are kept in, for tests that each of them passes.

A test that is parametrized by STORES gets the settings of its store from the fixture `store_settings` (conftest.py).
Those on DynamoDB have the mark `dynamodb`, by which only the step that starts DynamoDB Local runs them.
"""

import itertools
import os
import subprocess

import pytest

from .server import REPOSITORY

ON_DYNAMODB = pytest.param("dynamodb", marks=pytest.mark.dynamodb)
STORES = ["memory", "sqlite", ON_DYNAMODB]

_numbers = itertools.count(1)


def init_script(endpoint, prefix="", env=None):
    """dynamodb_local_init.sh, run to its end; output as text."""
    variables = {"DYNAMODB_ENDPOINT": endpoint, "RILLGATE_DYNAMODB_TABLE_PREFIX": prefix} | (env or {})
    command = [REPOSITORY / "dynamodb_local_init.sh"]
    return subprocess.run(command, env=os.environ | variables, capture_output=True, text=True, timeout=60)


def dynamodb_settings(dynamodb, endpoint=None):
    """Settings for a store of its own in a DynamoDB Local; `endpoint` is the address of what stands before it."""
    prefix = f"test{next(_numbers)}-"
    done = init_script(dynamodb.endpoint, prefix)
    assert done.returncode == 0, done.stderr
    return {
        "store": "dynamodb",
        "dynamodb.endpoint": endpoint or dynamodb.endpoint,
        "dynamodb.table-prefix": prefix,
    }
