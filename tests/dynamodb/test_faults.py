"""V4 on a DynamoDB that fails in part: answers that get lost, throttling, faults, tables that do not answer."""

import json
import random
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness.dynamodb import FORWARD, Times, refusal
from harness.event_stream import Comment
from harness.reports import ReportUser, is_legal_walk, told
from harness.stores import dynamodb_settings
from harness.waiting import wait_until

THROTTLED = refusal("ProvisionedThroughputExceededException", message="slow down")


def unavailable(response):
    """Why a request was refused for the time being."""
    assert response.status == 503, response.body
    assert response.header("Content-Type") == "application/problem+json"
    assert int(response.header("Retry-After")) >= 1
    return response.json()["detail"]


# Answers that get lost


@pytest.mark.parametrize("lost", [1, 3])
def test_a_change_whose_answer_is_lost_is_made_once_and_answered_as_made(proxy, user, lost):
    report = user.create()["reportId"]
    proxy.requests.clear()
    proxy.spoil = Times("TransactWriteItems", lost, "lose")
    assert user.put(report, "queued").json()["version"] == 2
    tokens = [request.json["ClientRequestToken"] for request in proxy.changes()]
    assert len(tokens) == lost + 1 and len(set(tokens)) == 1, "the same transaction is sent again"
    assert [entry["to"] for entry in user.history(report)] == ["pending", "queued"]


def test_a_report_whose_answer_is_lost_is_made_once(proxy, user):
    proxy.spoil = Times("TransactWriteItems", 2, "lose")
    report = user.create(key="k")
    assert user.get("reports").json() == [report]


def test_a_dynamodb_that_forgot_the_token_is_still_known_to_have_made_the_change(proxy, user):
    """As one does that was started anew, or after ten minutes."""
    report = user.create()["reportId"]
    stream = user.opened()

    def spoil(request):
        if request.operation != "TransactWriteItems":
            return FORWARD
        first, *more = proxy.changes()
        if not more:
            return "lose"
        return request.body.replace(first.json["ClientRequestToken"].encode(), b"another", 1)

    proxy.requests.clear()
    proxy.spoil = spoil
    response = user.put(report, "queued")
    assert response.status == 200, response.body
    assert response.json()["version"] == 2, "not judged against its own outcome"
    assert [entry["to"] for entry in user.history(report)] == ["pending", "queued"]
    proxy.spoil = lambda request: FORWARD
    user.change(report, "processing")
    assert [told(event) for event in stream.take(2)] == [(report, 2, "queued"), (report, 3, "processing")]


def test_when_answers_are_lost_at_random_every_answer_is_the_truth(proxy, user, seed):
    chance = random.Random(seed)
    reports = [user.create()["reportId"] for _ in range(8)]
    stream = user.opened()
    proxy.spoil = lambda request: "lose" if chance.random() < 0.2 else FORWARD

    def toggle(report):
        made = ["pending"]
        for _ in range(15):
            response = user.put(report, "canceled" if made[-1] == "pending" else "pending")
            assert response.status == 200, response.body
            made.append(response.json()["reportStatus"])
        return made

    with ThreadPoolExecutor(len(reports)) as pool:
        made = dict(zip(reports, pool.map(toggle, reports), strict=True))
    proxy.spoil = lambda request: FORWARD
    for report in reports:
        assert [entry["to"] for entry in user.history(report)] == made[report]
    seen = [told(event) for event in stream.take(8 * 15)]
    for report in reports:
        assert [version for one, version, _ in seen if one == report] == list(range(2, 17))


# Throttling and faults that pass


@pytest.mark.parametrize("operation", ["GetItem", "BatchGetItem", "TransactWriteItems", "Query"])
@pytest.mark.parametrize(
    "answer",
    [
        THROTTLED,
        refusal("ThrottlingException", prefix="com.amazon.coral.availability#", message="Rate exceeded"),
        refusal("InternalServerError", 500, message="oops"),
        (503, b"<html>no</html>"),
        refusal("TransactionInProgressException", Message="wait"),
    ],
    ids=["capacity", "rate", "fault", "not DynamoDB", "in progress"],
)
def test_what_passes_by_itself_is_not_noticed(proxy, user, operation, answer):
    report = user.create()["reportId"]
    proxy.spoil = Times(operation, 2, answer)
    user.change(report, "queued")
    assert user.report(report)["version"] == 2
    assert len(user.history(report)) == 2
    assert len(user.get("reports").json()) == 1
    if operation != "Query":
        assert proxy.spoil.left == 0


def test_throttling_that_goes_on_is_503_until_it_ends(proxy, behind_proxy, user):
    report = user.create()["reportId"]
    stream = user.opened()
    proxy.spoil = lambda request: THROTTLED
    for response in user.put(report, "queued"), user.post(), user.get("reports"), user.get("report", report_id=report):
        assert "throttles" in unavailable(response)
    assert isinstance(stream.next(), Comment)
    proxy.spoil = lambda request: FORWARD
    wait_until(lambda: behind_proxy.get("/readyz").status == 200, "the store to be found back")
    user.change(report, "queued")
    assert told(stream.next_event()) == (report, 2, "queued")


def test_keys_that_dynamodb_had_no_capacity_for_are_asked_for_again(proxy, user):
    report = user.create()["reportId"]

    def unread(request):
        return 200, json.dumps({"Responses": {}, "UnprocessedKeys": request.json["RequestItems"]}).encode()

    proxy.spoil = Times("BatchGetItem", 3, unread)
    assert user.change(report, "queued")["version"] == 2
    assert proxy.spoil.left == 0


@pytest.mark.parametrize("code", ["ConditionalCheckFailed", "TransactionConflict"])
def test_a_change_that_another_node_was_faster_than_is_decided_anew(proxy, user, code):
    report = user.create()["reportId"]
    refused = refusal("TransactionCanceledException", CancellationReasons=[{"Code": code}, {"Code": "None"}])
    proxy.spoil = Times("TransactWriteItems", 3, refused)
    proxy.requests.clear()
    assert user.change(report, "queued")["version"] == 2
    assert len({request.json["ClientRequestToken"] for request in proxy.changes()}) == 4


# What does not pass


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (refusal("ResourceNotFoundException", message="no table"), "dynamodb_local_init.sh"),
        (
            refusal(
                "UnrecognizedClientException", prefix="com.amazon.coral.service#", message="The token is invalid."
            ),
            "The token is invalid.",
        ),
        (refusal("AccessDeniedException", prefix="", Message="not\nyou"), "not you"),
        (refusal("ValidationException", message="x" * 5000), "xxx"),
    ],
    ids=["no table", "credentials", "rights", "rejected"],
)
def test_what_an_operator_must_mend_is_said_at_once(proxy, behind_proxy, user, answer, said):
    report = user.create()["reportId"]
    proxy.requests.clear()
    proxy.spoil = lambda request: answer
    detail = unavailable(user.put(report, "queued"))
    assert said in detail and "\n" not in detail and len(detail) < 500
    store = next(one for one in behind_proxy.get("/readyz").json()["dependencies"] if one["name"] == "store")
    assert store["status"] == "down" and said in store["reason"]
    assert behind_proxy.log().count("the report store is down") == 1


def test_a_dynamodb_that_does_not_answer_holds_nobody_up_but_those_who_ask_for_it(proxy, behind_proxy, user):
    report = user.create()["reportId"]
    stream = user.opened()
    proxy.spoil = lambda request: "stall"
    with ThreadPoolExecutor(32) as pool:
        asked = [pool.submit(user.put, report, "queued") for _ in range(16)]
        asked += [pool.submit(ReportUser(behind_proxy).get, "reports") for _ in range(16)]
        began = time.monotonic()
        listener = behind_proxy.stream("someone")
        while not all(one.done() for one in asked):
            assert behind_proxy.publish("someone", "still here")["streams"] == 1
            assert listener.next_event().type in ("stream-open", "message")
            assert behind_proxy.get("/healthz").status == 200
        assert time.monotonic() - began < 20
        assert all("cannot be reached" in unavailable(one.result()) for one in asked)
    assert isinstance(stream.next(), Comment)
    proxy.spoil = lambda request: FORWARD
    wait_until(lambda: behind_proxy.get("/readyz").status == 200, "the store to be found back")
    after = user.report(report)
    assert is_legal_walk(user.history(report)) and after["version"] == 1


def test_the_process_ends_in_time_while_dynamodb_does_not_answer(dynamodb, proxy, start_server):
    server = start_server(dynamodb_settings(dynamodb, proxy.endpoint))
    user = ReportUser(server)
    report = user.create()["reportId"]
    proxy.spoil = lambda request: "stall"
    with ThreadPoolExecutor(1) as pool:
        change = pool.submit(user.put, report, "queued")
        wait_until(lambda: len(proxy.requests) and proxy.requests[-1].operation == "BatchGetItem", "the change to begin")
        assert server.stop() == 0
        unavailable(change.result())
