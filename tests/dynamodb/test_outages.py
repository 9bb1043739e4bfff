"""V4 while DynamoDB is away: at start, in between, and when it comes back with what it had or without.

What is to come back with its data ends by SIGTERM: DynamoDB Local answers before its file has the change, so a SIGKILL
can take back what boto3 was told was made."""

import json
import signal
from concurrent.futures import ThreadPoolExecutor

import boto3
import pytest

from harness.event_stream import Comment
from harness.reports import ReportUser, told
from harness.server import free_port
from harness.stores import dynamodb_settings, init_script
from harness.waiting import wait_until
from servers.dynamodb import DynamoDbLocal

BROWSER = {"Accept": "text/event-stream"}


def store_line(server):
    """The store's line on /readyz."""
    return next(one for one in server.get("/readyz").json()["dependencies"] if one["name"] == "store")


def refused(response):
    assert response.status == 503, response.body
    assert int(response.header("Retry-After")) >= 1
    return response.json()["detail"]


def is_ready(server):
    return server.get("/readyz").status == 200


def test_a_node_starts_without_dynamodb_says_what_to_do_and_goes_on_when_it_is_there(start_server, tmp_path):
    dynamodb = DynamoDbLocal(tmp_path / "dynamodb", free_port())
    settings = {"store": "dynamodb", "dynamodb.endpoint": dynamodb.endpoint}
    server = start_server(settings, until="/healthz")
    user = ReportUser(server)
    wait_until(lambda: "cannot be reached" in store_line(server).get("reason", ""), "/readyz to say that it is away")
    assert "dynamodb.endpoint" in store_line(server)["reason"]
    assert server.get("/readyz").status == 503
    for response in user.post(), user.get("reports"), user.put(user.id, "queued"), user.get("report", report_id=user.id):
        assert "cannot be reached" in refused(response)
    for resume in None, "earliest", "abcd1234-5":
        assert user.stream(resume=resume, headers=BROWSER).rest()[-1].type == "stream-close"
        assert server.get(user.path("sse", last_event_id=resume)).status == 503
    assert server.publish("demo", "V2 goes on")["streams"] == 0

    dynamodb.start()
    try:
        wait_until(lambda: "tables are missing" in store_line(server).get("reason", ""), "/readyz to miss the tables")
        assert "dynamodb_local_init.sh" in store_line(server)["reason"]
        assert "dynamodb_local_init.sh" in refused(user.post())
        assert init_script(dynamodb.endpoint).returncode == 0
        wait_until(lambda: is_ready(server), "the store to be found")
        stream = user.opened()
        report = user.create()["reportId"]
        assert told(stream.next_event()) == (report, 1, "pending")
        assert user.stream(last_event_id="abcd1234-5").next_event().type == "stream-gap", "no id of this store"
        assert server.stop() == 0
    finally:
        dynamodb.stop(signal.SIGKILL)
    assert server.log().count("the report store is down") == 1
    assert server.log().count("the report store is back") == 1


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGSTOP], ids=["ended", "frozen"])
def test_while_dynamodb_is_away_changes_are_503_and_streams_stay_open(private_dynamodb, start_server, how):
    """Frozen, it takes connections and does not answer, as behind a network that swallows packets."""
    settings = dynamodb_settings(private_dynamodb) | {"keepalive.interval": "50ms", "reports.recheck": "100ms"}
    server = start_server(settings)
    user = ReportUser(server)
    report = user.create()["reportId"]
    streams = [user.opened() for _ in range(3)]
    private_dynamodb.process.send_signal(how)
    with ThreadPoolExecutor(8) as pool:
        for response in pool.map(lambda _: user.put(report, "queued"), range(8)):
            assert "cannot be reached" in refused(response)
    assert store_line(server)["status"] == "down"
    for stream in streams:
        assert isinstance(stream.next(), Comment)

    if how == signal.SIGSTOP:
        private_dynamodb.process.send_signal(signal.SIGCONT)
    else:
        private_dynamodb.process.wait()
        private_dynamodb.start()
    wait_until(lambda: is_ready(server), "the store to be found back")
    # Of what was refused one change may have been made, for DynamoDB had it when it froze.
    version = user.report(report)["version"]
    assert version == 1 or how == signal.SIGSTOP
    user.change(report, "processing" if version == 2 else "queued")
    history = [(report, entry["version"], entry["to"]) for entry in user.history(report)]
    for stream in streams:
        assert [told(stream.next_event()) for _ in history[1:]] == history[1:], "each change once"
    resumed = user.stream(resume="earliest")
    assert [told(event) for event in resumed.take(1 + len(history))[1:]] == history


def test_what_was_answered_before_dynamodb_went_away_is_there_after_it(private_dynamodb, start_server):
    server = start_server(dynamodb_settings(private_dynamodb))
    users = [ReportUser(server) for _ in range(4)]
    reports = [(user, user.create()["reportId"]) for user in users for _ in range(2)]
    watchers = [(user, user.opened()) for user in users]

    def change_until_refused(user, report):
        made = ["pending"]
        with server.connect() as connection:
            while True:
                status = "canceled" if made[-1] == "pending" else "pending"
                response = user.put(report, status, connection=connection)
                if response.status != 200:
                    refused(response)
                    return made
                made.append(status)

    with ThreadPoolExecutor(len(reports)) as pool:
        changing = [pool.submit(change_until_refused, *each) for each in reports]
        wait_until(lambda: server.metric("rillgate_events_in_total", version="v4") > 100, "100 changes")
        private_dynamodb.stop()
        made = [one.result() for one in changing]
    private_dynamodb.start()
    wait_until(lambda: is_ready(server), "the store to be found back")
    histories = {}
    for (user, report), answered in zip(reports, made, strict=True):
        last = user.report(report)
        user.change(report, "canceled" if last["reportStatus"] == "pending" else "pending")
        walk = [entry["to"] for entry in user.history(report)]
        assert walk[: len(answered)] == answered and len(walk) - len(answered) in (1, 2)
        histories[report] = walk
    for user, stream in watchers:
        mine = [report for owner, report in reports if owner is user]
        seen = [told(event) for event in stream.take(sum(len(histories[report]) - 1 for report in mine))]
        for report in mine:
            assert [status for one, _, status in seen if one == report] == histories[report][1:]


def test_a_dynamodb_that_forgot_everything_is_another_store_and_open_streams_are_told_so(start_server, tmp_path):
    """DynamoDB Local in memory, started anew under a running node."""
    dynamodb = DynamoDbLocal(tmp_path / "dynamodb").start()
    try:
        settings = dynamodb_settings(dynamodb) | {"reports.recheck": "100ms"}
        server = start_server(settings)
        user, other = ReportUser(server), ReportUser(server)
        report = user.create()["reportId"]
        user.change(report, "queued", "processing")
        stream, quiet = user.opened(), other.opened()
        before = stream.last_event_id
        dynamodb.stop(signal.SIGKILL)
        dynamodb.start()
        assert init_script(dynamodb.endpoint, settings["dynamodb.table-prefix"]).returncode == 0
        wait_until(lambda: user.post().status == 201, "the store to be there again")
        events = stream.take(2)
        while events[-1].type != "report_created":
            events += stream.take(1)  # it may take two looks to see that it is another one
        assert events[0].type == "stream-gap" and json.loads(events[0].data)["requested"] == before
        report = user.get("reports").json()[0]["reportId"]
        assert told(events[-1])[0] == report
        user.change(report, "canceled")
        assert told(stream.next_event()) == (report, 2, "canceled")
        assert stream.last_event_id.partition("-")[0] != before.partition("-")[0]
        assert user.stream(last_event_id=before).next_event().type == "stream-gap"
        report = other.create()["reportId"]
        while (event := quiet.next_event()).type == "stream-gap":
            pass
        assert told(event) == (report, 1, "pending")
        assert server.stop() == 0
    finally:
        dynamodb.stop(signal.SIGKILL)


def test_tables_of_a_newer_layout_are_left_alone(dynamodb, start_server):
    settings = dynamodb_settings(dynamodb)
    options = {"endpoint_url": dynamodb.endpoint, "region_name": "us-east-1"}
    keys = {"aws_access_key_id": "rillgate", "aws_secret_access_key": "rillgate"}
    table = boto3.resource("dynamodb", **options, **keys).Table(settings["dynamodb.table-prefix"] + "report_events")
    table.put_item(Item={"user": "store", "sequence": 0, "id": "abcd1234", "layout": 2})
    server = start_server(settings, until="/healthz")
    assert "newer Rillgate" in refused(ReportUser(server).post())
