"""V4's streams: what a watcher of reports is told, and where a stream goes on after it was cut."""

import contextlib
import itertools
import json
import re
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness.reports import ReportUser, told
from harness.server import Server
from harness.stores import STORES
from harness.waiting import wait_until
from harness.wire import Closed, request_bytes

pytestmark = pytest.mark.sanitizer

BROWSER = {"Accept": "text/event-stream"}
ID = re.compile(r"[A-Za-z0-9\-_.:~]{1,128}")


@pytest.fixture(scope="module", params=STORES)
def server(request, tmp_path_factory, store_settings):
    one = Server(tmp_path_factory.mktemp(request.param), store_settings(request.param)).start()
    yield one
    assert not (fault := one.stop_and_find_faults()), fault


@pytest.fixture
def user(server):
    return ReportUser(server)


def toggle_often(user, report, times):
    """Changes a pending report so many times, to and fro, in requests that do not wait for each other's answers."""
    body = b'{"id":"%s","status":"%s"}'
    statuses = [b"canceled", b"pending"] * (times // 2)
    with user.server.connect() as connection:
        for begin in range(0, times, 100):
            batch = statuses[begin : begin + 100]
            requests = [
                request_bytes("PUT", user.path("report"), body=body % (report.encode(), status)) for status in batch
            ]
            connection.send(b"".join(requests))
            assert {connection.read_response().status for _ in batch} == {200}


def number_of(event):
    """How many events of its user the id covers."""
    return int(event.last_event_id.rpartition("-")[2])


# What a stream tells


@pytest.mark.smoke
def test_a_watcher_is_told_of_a_new_report_and_of_its_changes(user):
    with user.stream() as stream:
        assert stream.response.header("Cache-Control") == "no-store"
        assert stream.response.header("X-Accel-Buffering") == "no"
        first = stream.next_event()
        assert (first.type, first.data) == ("stream-open", "")
        assert 1000 <= first.retry <= 3000
        report = user.create()
        event = stream.next_event()
        assert (event.type, json.loads(event.data)) == ("report_created", report)
        after = user.change(report["reportId"], "queued")
        event = stream.next_event()
        assert event.type == "report_status_update"
        assert json.loads(event.data) == {
            "id": report["reportId"],
            "status": "queued",
            "version": 2,
            "updatedAt": after["updatedAt"],
        }
        assert all(ID.fullmatch(one.last_event_id) and one.has_id for one in (first, event))


def test_a_repeat_by_idempotency_key_is_told_once(user):
    stream = user.opened()
    report = user.create(key="k")
    user.post({"Idempotency-Key": "k"})
    after = user.change(report["reportId"], "queued")
    assert [told(event) for event in stream.take(2)] == [
        (report["reportId"], 1, "pending"),
        (report["reportId"], after["version"], "queued"),
    ]


def test_every_stream_of_a_user_is_told_and_no_one_elses(server, user):
    streams = [user.opened() for _ in range(20)]
    other = ReportUser(server)
    others = other.opened()
    report = user.create()["reportId"]
    user.change(report, "queued", "processing", "completed")
    expected = [(report, 1, "pending"), (report, 2, "queued"), (report, 3, "processing"), (report, 4, "completed")]
    ids = set()
    for stream in streams:
        events = stream.take(4)
        assert [told(event) for event in events] == expected
        ids.add(tuple(event.last_event_id for event in events))
    assert len(ids) == 1, "an event has one id on all streams"
    report = other.create()["reportId"]
    assert told(others.next_event()) == (report, 1, "pending")


def test_streams_are_counted_and_leave_nothing_behind(start_server):
    server = start_server()
    user = ReportUser(server)
    streams = [user.opened() for _ in range(3)]
    assert server.metric("rillgate_streams", version="v4") == 3
    report = user.create()
    for stream in streams:
        assert told(stream.next_event())[0] == report["reportId"]
    assert server.metric("rillgate_events_in_total", version="v4") == 1
    server.wait_for_metric("rillgate_events_out_total", 3, version="v4")
    streams[0].close()
    streams[1].reset()
    server.wait_for_metric("rillgate_streams", 1, version="v4")
    user.change(report["reportId"], "queued")
    assert told(streams[2].next_event()) == (report["reportId"], 2, "queued")
    streams[2].close()
    server.wait_for_metric("rillgate_streams", 0, version="v4")
    assert server.metric("rillgate_users", version="v4") == 0
    assert server.metric("rillgate_store_seconds_count") > 0


def test_a_silent_stream_is_sent_comments(start_server):
    user = ReportUser(start_server({"keepalive.interval": "100ms", "keepalive.text": "still here"}))
    stream = user.opened()
    assert [stream.next().text for _ in range(3)] == [" still here"] * 3


def test_head_answers_with_the_head_only(server, user):
    with server.connect() as connection:
        response = connection.request("HEAD", user.path("sse"))
        assert (response.status, response.body) == (200, b"")
        assert response.header("Content-Type") == "text/event-stream; charset=utf-8"
        assert connection.request("GET", "/healthz").status == 200, "the connection goes on"


def test_an_accept_that_excludes_event_streams_is_406(server, user):
    assert server.get(user.path("sse"), {"Accept": "application/json"}).status == 406


def test_a_user_with_too_many_streams_is_refused_so_that_a_browser_returns(start_server):
    server = start_server({"limits.streams-per-user": 2})
    user = ReportUser(server)
    streams = [user.opened() for _ in range(2)]
    assert server.get(user.path("sse")).status == 503
    refused = user.stream(headers=BROWSER)
    assert [event.type for event in refused.rest()] == ["stream-close"]
    streams.pop().close()
    server.wait_for_metric("rillgate_streams", 1, version="v4")
    user.opened()


# Where it goes on


@pytest.mark.parametrize("where", ["last_event_id", "resume"])
def test_a_stream_that_returns_gets_what_it_missed_then_what_is_new(user, where):
    stream = user.opened()
    report = user.create()["reportId"]
    stream.take(1)
    stream.close()
    user.change(report, "queued", "processing")
    with user.stream(**{where: stream.last_event_id}) as again:
        first = again.next_event()
        assert (first.type, first.last_event_id) == ("stream-open", stream.last_event_id)
        user.change(report, "failed")
        assert [told(event)[1:] for event in again.take(3)] == [(2, "queued"), (3, "processing"), (4, "failed")]


def test_the_header_wins_over_the_query(user):
    user.create()
    stream = user.opened()
    report = user.create()["reportId"]
    with user.stream(last_event_id=stream.last_event_id, resume="earliest") as again:
        assert again.next_event().last_event_id == stream.last_event_id
        assert told(again.next_event())[0] == report


def test_a_stream_that_was_cut_before_its_first_event_misses_nothing(user):
    user.create()
    stream = user.opened()
    stream.close()
    report = user.create()["reportId"]
    again = user.stream(last_event_id=stream.last_event_id)
    assert [event.type for event in again.take(2)] == ["stream-open", "report_created"]
    assert report.encode() in again.raw


@pytest.mark.parametrize("where", ["last_event_id", "resume"])
def test_earliest_is_everything(user, where):
    empty = user.stream(**{where: "earliest"})
    assert empty.next_event().type == "stream-open"
    made = [user.create()["reportId"] for _ in range(3)]
    user.change(made[0], "canceled")
    stream = user.stream(**{where: "earliest"})
    assert stream.next_event().type == "stream-open"
    expected = [(report, 1, "pending") for report in made] + [(made[0], 2, "canceled")]
    assert [told(event) for event in stream.take(4)] == expected
    assert [told(event) for event in empty.take(4)] == expected


def test_a_stream_without_an_id_gets_what_is_new_only(user):
    user.create()
    stream = user.opened()
    report = user.create()["reportId"]
    assert told(stream.next_event())[0] == report


def test_each_position_of_a_long_walk_goes_on_at_the_next(user):
    report = user.create()["reportId"]
    toggle_often(user, report, 300)
    events = user.stream(last_event_id="earliest").take(302)[1:]
    assert [told(event)[1] for event in events] == list(range(1, 302))
    assert len({event.last_event_id for event in events}) == 301
    for at in (0, 98, 99, 100, 101, 199, 200, 299, 300):
        with user.stream(last_event_id=events[at].last_event_id) as stream:
            rest = stream.take(1 + len(events) - at - 1)
            assert rest[0].type == "stream-open"
            assert rest[1:] == events[at + 1 :]


def test_an_id_from_before_a_restart_goes_on_after_it(start_server):
    server = start_server({"store": "sqlite:reports.db"})
    user = ReportUser(server)
    stream = user.opened()
    report = user.create()["reportId"]
    stream.take(1)
    user.change(report, "queued")
    assert server.stop() == 0
    server.start()
    again = user.stream(last_event_id=stream.last_event_id)
    assert again.next_event().type == "stream-open"
    user.change(report, "processing")
    assert [told(event) for event in again.take(2)] == [(report, 2, "queued"), (report, 3, "processing")]


@pytest.mark.parametrize("store", STORES)
def test_an_id_of_another_store_is_a_gap_then_all_that_is_kept(start_server, store_settings, store):
    other = ReportUser(start_server(store_settings(store)))
    other.create()
    foreign = other.opened().last_event_id
    user = ReportUser(start_server(store_settings(store)), other.id)
    report = user.create()["reportId"]
    user.change(report, "queued")
    check_gap(user, foreign, [(report, 1, "pending"), (report, 2, "queued")])


def check_gap(user, requested, kept):
    """A stream from `requested` begins with a gap, then tells what is kept; its own ids leave nothing out."""
    stream = user.stream(last_event_id=requested)
    gap = stream.next_event()
    assert gap.type == "stream-gap" and gap.retry is not None and gap.has_id
    events = stream.take(len(kept))
    assert [told(event) for event in events] == kept
    oldest = events[0].last_event_id if kept else None
    assert json.loads(gap.data) == {"requested": requested, "oldest": oldest}
    again = user.stream(last_event_id=gap.last_event_id)
    assert again.next_event().type == "stream-open", "a gap's own id is one to resume from"
    assert again.take(len(kept)) == events
    report = user.create()["reportId"]
    assert [told(one.next_event()) for one in (stream, again)] == [(report, 1, "pending")] * 2


@pytest.mark.parametrize("events", [0, 1, 150])
@pytest.mark.parametrize("unknown", ["x", "-", "1", "2f61-7", "é".encode(), "\\\"'<", "v" * 1024])
def test_an_unknown_id_is_a_gap_then_all_that_is_kept(user, unknown, events):
    kept = []
    if events:
        report = user.create()["reportId"]
        toggle_often(user, report, events // 2 * 2)
        kept = [(entry["version"], entry["to"]) for entry in user.history(report)]
    requested = unknown.decode() if isinstance(unknown, bytes) else unknown
    stream = user.stream(last_event_id=unknown)
    gap = stream.next_event()
    assert gap.type == "stream-gap"
    told_events = stream.take(len(kept))
    assert [told(event)[1:] for event in told_events] == kept
    oldest = told_events[0].last_event_id if kept else None
    assert json.loads(gap.data) == {"requested": requested, "oldest": oldest}


@pytest.mark.parametrize("ahead", [3, 1000, 2**63 - 1, 2**63, 2**64])
def test_an_id_that_was_never_given_out_is_a_gap_then_all_that_is_kept(user, ahead):
    """Such an id comes from a store that was put back to an older copy of itself."""
    report = user.create()["reportId"]
    user.change(report, "queued")
    position = user.opened().last_event_id
    requested = re.sub("[0-9]+$", str(ahead), position)
    check_gap(user, requested, [(report, 1, "pending"), (report, 2, "queued")])


def test_an_id_longer_than_any_is_400(server, user):
    assert server.get(user.path("sse"), {"Last-Event-ID": "x" * 1025}).status == 400


def test_a_watcher_that_does_not_read_is_ended_and_comes_back_for_the_rest(start_server):
    server = start_server({"stream.buffer": "16KiB"})
    user = ReportUser(server)
    report = user.create()["reportId"]
    stalled, reading = user.opened(receive_buffer=4096), user.opened()
    with ThreadPoolExecutor(1) as pool:
        rest = pool.submit(reading.take, 20_000)
        toggle_often(user, report, 20_000)
        assert [told(event)[1] for event in rest.result()] == list(range(2, 20_002)), "it delays nobody"
    server.wait_for_metric("rillgate_stream_ends_total", 1, version="v4", reason="slow_consumer")
    events = stalled.rest()
    again = user.stream(last_event_id=stalled.last_event_id)
    assert again.next_event().type == "stream-open"
    events += again.take(20_000 - len(events))
    assert [told(event)[1] for event in events] == list(range(2, 20_002))


# Events that are kept for a time only


@pytest.mark.parametrize("store", STORES)
def test_an_id_whose_events_are_no_longer_kept_is_a_gap(start_server, store_settings, store):
    server = start_server(store_settings(store) | {"reports.keep": "1s"})
    user = ReportUser(server)
    stream = user.opened()
    report = user.create()["reportId"]
    user.change(report, "queued")
    assert [told(event)[1] for event in stream.take(2)] == [1, 2]

    def is_trimmed():
        with user.stream(resume="earliest") as earliest:
            assert earliest.next_event().type == "stream-open", "earliest asks for what is kept, so there is no gap"
            return earliest.last_event_id == stream.last_event_id

    wait_until(is_trimmed, "the events to be too old")
    first = re.sub("[0-9]+$", "0", stream.last_event_id)
    gap = user.stream(last_event_id=first).next_event()
    assert (gap.type, json.loads(gap.data)) == ("stream-gap", {"requested": first, "oldest": None})
    assert gap.last_event_id == stream.last_event_id
    assert user.stream(last_event_id=stream.last_event_id).next_event().type == "stream-open", "it has all there was"

    user.change(report, "processing")
    again = user.stream(last_event_id=first)
    gap, event = again.take(2)
    assert told(event) == (report, 3, "processing")
    assert json.loads(gap.data) == {"requested": first, "oldest": event.last_event_id}
    assert gap.last_event_id == stream.last_event_id, "the position before what follows"
    assert [entry["version"] for entry in user.history(report)] == [1, 2, 3], "histories never expire"
    assert server.metric("rillgate_stream_gaps_total", version="v4") == 2


def test_a_reader_that_trimming_has_overtaken_is_told_so_in_mid_stream(start_server):
    user = ReportUser(start_server({"reports.keep": "3s"}))
    report = user.create()["reportId"]
    toggle_often(user, report, 20_000)
    slow = user.stream(last_event_id="earliest", receive_buffer=4096)
    before, gap = number_of(slow.next_event()), None

    def is_trimmed():
        with user.stream(resume="earliest") as earliest:
            return number_of(earliest.next_event()) == 20_001

    wait_until(is_trimmed, "the events to be too old")
    last = user.change(report, "canceled")["version"]
    while before != last:
        event = slow.next_event()
        if event.type == "stream-gap":
            gap = json.loads(event.data)
            before = number_of(event)
        else:
            assert told(event)[1] == before + 1
            before += 1
    assert gap and gap["requested"] and gap["oldest"]


# Other origins


ORIGIN = "https://app.example"


def test_a_foreign_origin_may_not_change_a_report(server, user):
    report = user.create()["reportId"]
    body = json.dumps({"id": report, "status": "queued"}).encode()
    for method, name in ("PUT", "report"), ("POST", "new/report"):
        response = server.request(method, user.path(name), {"Origin": "https://evil.example"}, body)
        assert response.status == 403 and "cors.origins" in response.json()["detail"]
    assert [one["version"] for one in user.get("reports").json()] == [1]
    own = {"Host": "rillgate.test", "Origin": "http://rillgate.test", "Content-Type": "application/json"}
    assert server.request("PUT", user.path("report"), own, body).status == 200


def test_a_listed_origin_may_change_a_report_and_read_what_it_needs_to_go_on(start_server):
    server = start_server({"cors.origins": ORIGIN})
    user = ReportUser(server)
    preflight = {
        "Origin": ORIGIN,
        "Access-Control-Request-Method": "PUT",
        "Access-Control-Request-Headers": "content-type, if-match",
    }
    response = server.request("OPTIONS", user.path("report"), preflight)
    assert response.status == 204
    assert response.header("Access-Control-Allow-Origin") == ORIGIN
    assert "PUT" in response.header("Access-Control-Allow-Methods").split(", ")
    allowed = response.header("Access-Control-Allow-Headers").lower()
    assert "if-match" in allowed and "content-type" in allowed and "idempotency-key" in allowed
    report = user.create()["reportId"]
    headers = {"Origin": ORIGIN, "Content-Type": "application/json", "If-Match": '"1"'}
    body = json.dumps({"id": report, "status": "queued"}).encode()
    response = server.request("PUT", user.path("report"), headers, body)
    assert response.status == 200 and response.header("Access-Control-Allow-Origin") == ORIGIN
    response = server.get(user.path("reports"), {"Origin": ORIGIN})
    exposed = response.header("Access-Control-Expose-Headers").lower().split(", ")
    assert {"etag", "last-event-id", "link", "location"} <= set(exposed)
    with user.stream(headers={"Origin": ORIGIN}) as stream:
        assert stream.response.header("Access-Control-Allow-Origin") == ORIGIN


# The end


@pytest.mark.parametrize("store", STORES)
def test_drain_ends_streams_kindly_and_loses_no_change_that_was_answered(start_server, store_settings, store):
    server = start_server(store_settings(store) | {"drain.period": "1s"})
    user = ReportUser(server)
    streams = [user.opened() for _ in range(10)]
    last = user.create()
    with ThreadPoolExecutor(len(streams)) as readers:
        ends = [readers.submit(stream.rest) for stream in streams]
        server.process.send_signal(signal.SIGTERM)
        wait_until(lambda: server.get("/readyz").status == 503, "/readyz to turn 503")
        try:
            while True:
                response = user.put(last["reportId"], "canceled" if last["reportStatus"] == "pending" else "pending")
                if response.status != 200:
                    assert response.status == 503 and int(response.header("Retry-After")) >= 1
                    break
                last = response.json()
        except (OSError, Closed):
            pass  # the process has ended
        seen = 0
        for stream, end in zip(streams, ends, strict=True):
            *events, close = end.result()
            assert close.type == "stream-close" and close.retry is not None
            assert stream.ended == "whole"
            versions = [told(event)[1] for event in events]
            assert versions == list(range(1, len(versions) + 1))
            seen = max(seen, len(versions))
    assert server.wait_for_exit()[0] == 0
    assert 1 < seen <= last["version"]
    if store != "memory":
        server.start()
        now = user.report(last["reportId"])
        assert now["version"] - last["version"] in (0, 1), "at most the request that got no answer came on top"


@pytest.mark.parametrize("store", STORES)
def test_a_stream_that_opens_as_the_drain_begins_is_ended_kindly_or_refused(start_server, store_settings, store):
    """The store is asked before a V4 stream opens, so the drain can begin between the two."""
    server = start_server(store_settings(store) | {"drain.period": "500ms", "limits.streams-per-user": 0})
    user = ReportUser(server)
    user.create()

    def open_until_refused(streams):
        with contextlib.suppress(OSError, Closed):
            while len(streams) < 500:
                streams.append(user.stream(headers=BROWSER))

    with ThreadPoolExecutor(8) as pool:
        opened = [[] for _ in range(8)]
        opening = [pool.submit(open_until_refused, streams) for streams in opened]
        server.wait_for_metric("rillgate_streams", lambda count: count > 100, version="v4")
        server.process.send_signal(signal.SIGTERM)
        for one in opening:
            one.result()
    began = time.monotonic()
    for stream in itertools.chain.from_iterable(opened):
        assert stream.rest()[-1].type == "stream-close"
    assert server.wait_for_exit()[0] == 0
    assert time.monotonic() - began < 4, "none was left over for the end of the grace"
