"""dynamodb_local_init.sh: what it makes, that it may run again, and what it says when it cannot."""

import subprocess

import boto3
import pytest

from harness.dynamodb import refusal
from harness.server import REPOSITORY, free_port
from harness.stores import init_script
from signatures import LOCAL, NOTHING, PROFILES, SECOND, check_signature, environment


@pytest.fixture
def client(dynamodb):
    options = {"endpoint_url": dynamodb.endpoint, "region_name": "us-east-1"}
    return boto3.client("dynamodb", **options, aws_access_key_id="rillgate", aws_secret_access_key="rillgate")


def described(client, prefix):
    tables = [client.describe_table(TableName=prefix + name)["Table"] for name in ("reports", "report_events")]
    return [{name: one for name, one in table.items() if name != "TableSizeBytes"} for table in tables]


def test_it_makes_both_tables_and_a_second_run_changes_nothing(dynamodb, client):
    first = init_script(dynamodb.endpoint, "twice-")
    assert (first.returncode, first.stderr) == (0, "")
    reports, events = described(client, "twice-")
    for table, key in (reports, "report"), (events, "sequence"):
        assert table["TableStatus"] == "ACTIVE"
        assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
        assert [(one["AttributeName"], one["KeyType"]) for one in table["KeySchema"]] == [
            ("user", "HASH"),
            (key, "RANGE"),
        ]
    expiry = client.describe_time_to_live(TableName="twice-report_events")["TimeToLiveDescription"]
    assert (expiry["TimeToLiveStatus"], expiry["AttributeName"]) == ("ENABLED", "expires")

    client.put_item(TableName="twice-reports", Item={"user": {"S": "u"}, "report": {"S": "r"}})
    before = described(client, "twice-")
    second = init_script(dynamodb.endpoint, "twice-")
    assert (second.returncode, second.stdout, second.stderr) == (0, first.stdout, "")
    assert described(client, "twice-") == before
    assert client.scan(TableName="twice-reports")["Count"] == 1


def test_half_of_it_is_completed(dynamodb, client):
    assert init_script(dynamodb.endpoint, "half-").returncode == 0
    client.delete_table(TableName="half-reports")
    assert init_script(dynamodb.endpoint, "half-").returncode == 0
    assert len(described(client, "half-")) == 2


def test_a_table_of_another_program_is_left_alone(dynamodb, client):
    client.create_table(
        TableName="other-reports",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    )
    done = init_script(dynamodb.endpoint, "other-")
    assert done.returncode == 1 and "of another program" in done.stderr
    assert "RILLGATE_DYNAMODB_TABLE_PREFIX" in done.stderr


def test_the_default_is_dynamodb_local_on_port_8000():
    said = (REPOSITORY / "dynamodb_local_init.sh").read_text()
    assert 'endpoint="${DYNAMODB_ENDPOINT:-http://localhost:8000}"' in said


def test_a_dynamodb_that_is_not_there_is_named():
    endpoint = f"http://127.0.0.1:{free_port()}"
    done = init_script(endpoint)
    assert done.returncode == 1 and f"no answer from {endpoint}" in done.stderr and "DYNAMODB_ENDPOINT" in done.stderr


def test_dynamodbs_own_words_are_passed_on(proxy):
    proxy.spoil = lambda request: refusal("AccessDeniedException", message="not you")
    done = init_script(proxy.endpoint, "refused-")
    assert done.returncode == 1 and "answers 400: not you" in done.stderr


@pytest.mark.parametrize(("arguments", "prefix"), [(["x"], ""), ([], "a b"), ([], 'a"')])
def test_what_it_does_not_take_is_refused(arguments, prefix):
    command = [REPOSITORY / "dynamodb_local_init.sh", *arguments]
    done = subprocess.run(
        command, env={"PATH": "/usr/bin:/bin", "RILLGATE_DYNAMODB_TABLE_PREFIX": prefix}, capture_output=True, timeout=60
    )
    assert done.returncode == 1


@pytest.mark.parametrize(
    ("variables", "expected"),
    [({}, LOCAL), (environment(SECOND), SECOND), ({"AWS_PROFILE": "worker"}, SECOND)],
    ids=["nothing", "environment", "profile"],
)
def test_it_signs_with_the_same_keys_as_the_server(proxy, tmp_path, variables, expected):
    (tmp_path / ".aws").mkdir()
    if "AWS_PROFILE" in variables:
        (tmp_path / ".aws" / "credentials").write_text(PROFILES)
    env = NOTHING | {"HOME": str(tmp_path)} | variables
    assert init_script(proxy.endpoint, f"signed{len(variables)}-", env).returncode == 0
    for request in proxy.requests:
        check_signature(request, proxy.endpoint, expected)
