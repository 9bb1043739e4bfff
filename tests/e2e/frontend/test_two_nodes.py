"""The page on two nodes behind HAProxy, with DynamoDB and Kafka behind them: what it does on one server it does here, and
the node under it may be killed.

HAProxy has the configuration that operators get, deploy/haproxy.cfg.
"""

import itertools
import signal

import pytest

# Each is run here as well, on this file's `site`.
from test_reports import (  # noqa: F401
    test_a_change_from_a_terminal_shows_without_a_reload,
    test_a_click_in_the_picture_moves_the_report,
    test_a_lost_answer_does_not_make_two_reports,
    test_a_refusal_is_shown_with_the_reason_of_the_server,
    test_all_pages_of_a_long_list_can_be_had,
)

from harness.haproxy import Haproxy
from harness.stores import dynamodb_settings
from harness.waiting import wait_until
from harness.worker import Worker

BROWSER = {"Accept": "text/event-stream"}
_names = (f"two-nodes-{number}" for number in itertools.count(1))


@pytest.fixture
def worker(kafka):
    return Worker(kafka, next(_names))


@pytest.fixture
def nodes(start_site, dynamodb, broker, worker):
    topic = {"kafka": broker.address, "kafka.v3-topic": f"{worker.group}-v3"}
    settings = dynamodb_settings(dynamodb) | topic | worker.settings()
    return [start_site(settings) for _ in range(2)]


@pytest.fixture
def site(nodes, tmp_path):
    """As the browser sees it: one server."""
    one = Haproxy(tmp_path, nodes).start()
    yield one
    one.stop()


def under_the_page(nodes):
    """The node that has the page's stream, and the other one."""

    def found():
        for one, other in itertools.permutations(node for node in nodes if node.process.poll() is None):
            if one.metric("rillgate_streams", version="v4") == 1:
                return one, other
        return None

    return wait_until(found, "the page to have a stream")


@pytest.mark.timeout(300)
def test_a_person_sees_every_change_while_the_node_under_the_page_is_killed(site, nodes, worker, make_user, open_tab):
    tab = open_tab(site)
    tab.button("Make a new ID").click()
    user = make_user(site, tab.page.get_by_label("User ID").input_value())
    tab.button("Log in").click()
    tab.wait_until_live()
    tab.button("Create New Report").click()
    wait_until(lambda: len(tab.shown()) == 1, "the report on the page")
    report = user.reports()[0]["reportId"]
    tab.page.evaluate("window.untouched = true")
    for _ in range(2):
        under, other = under_the_page(nodes)
        done = user.change_from_terminal(report, "queued")
        assert done.returncode == 0, done.stderr
        tab.row(report).get_by_text("queued").wait_for()
        make_user(other, user.id).change(report, "processing")
        tab.row(report).get_by_text("processing").wait_for()

        under.stop(signal.SIGKILL)
        make_user(other, user.id).change(report, "failed")
        tab.row(report).get_by_text("failed").wait_for()
        worker.ask(user, report, "pending")
        tab.row(report).get_by_text("pending").wait_for()
        tab.wait_until_live()
        under.start()
    tab.button("Create New Report").click()
    wait_until(lambda: len(user.reports()) == 2, "the second report")
    tab.wait_until_shows(user)
    assert tab.page.evaluate("window.untouched"), "without a reload"


def test_while_no_node_runs_an_event_source_is_told_to_come_again_and_it_does(site, nodes, make_user, open_tab):
    user = make_user(site)
    report = user.create()
    tab = open_tab(site, user)
    for node in nodes:
        node.stop(signal.SIGKILL)

    def answer():
        return site.request("GET", f"/v4/sse?user_id={user.id}", BROWSER)

    wait_until(lambda: answer().status == 200, "HAProxy to know that both are gone")
    told = answer()
    assert told.header("Content-Type") == "text/event-stream; charset=utf-8"
    kind, retry, data = told.body.decode().splitlines()[:3]
    assert (kind, data) == ("event: stream-close", "data:") and 1000 <= int(retry.removeprefix("retry: ")) < 3000
    assert told.body.endswith(b"\n\n")
    assert site.get(f"/v4/reports?user_id={user.id}").status == 503
    for node in nodes:
        node.start()
    make_user(nodes[0], user.id).change(report, "queued")
    tab.row(report).get_by_text("queued").wait_for()


def test_operations_are_not_for_the_public(site):
    for path in "/metrics", "/metrics/", "/readyz", "/healthz":
        assert site.get(path).status == 404
