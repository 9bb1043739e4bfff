"""Resuming: whoever returns with an id gets everything after it, once and in order, or is told of the gap."""

import json
import re

import pytest

from harness.event_stream import Stream
from harness.server import target
from harness.waiting import wait_until
from harness.wire import request_bytes

pytestmark = pytest.mark.sanitizer


def publish_numbers(server, user, numbers):
    with server.connect() as connection:
        return [server.publish(user, str(number), connection=connection)["id"] for number in numbers]


def opened(stream):
    event = stream.next_event()
    assert event.type == "stream-open", f"{event} {event.block}"
    return event


def gap(stream):
    """The stream's first event, which must be a gap in its whole form."""
    event = stream.next_event()
    assert event.type == "stream-gap", f"{event} {event.block}"
    assert sorted(name for name, _ in event.block) == ["data", "event", "id", "retry"]
    assert 1000 <= event.retry <= 3000
    assert re.fullmatch(r"[A-Za-z0-9_.:~-]{1,128}", event.last_event_id)
    told = json.loads(event.data)
    assert set(told) == {"requested", "oldest"}
    return event, told


def numbers(*which):
    return [str(number) for number in range(*which)]


# Without a hole


@pytest.mark.smoke
@pytest.mark.parametrize("how", ["last_event_id", "resume"])
def test_a_client_that_returns_gets_everything_after_its_id_then_live_events(server, user, how):
    stream = server.stream(user)
    ids = publish_numbers(server, user, range(5))
    stream.take(3)
    stream.close()
    publish_numbers(server, user, range(5, 10))
    again = server.stream(user, **{how: ids[1]})
    assert opened(again).last_event_id == ids[1], "POSITION is the one asked for"
    assert again.take_data(8) == numbers(2, 10)
    publish_numbers(server, user, range(10, 12))
    assert again.take_data(2) == numbers(10, 12)


def test_the_header_wins_over_the_query(server, user):
    ids = publish_numbers(server, user, range(6))
    stream = server.stream(user, last_event_id=ids[3], resume=ids[0])
    assert opened(stream).last_event_id == ids[3]
    assert stream.take_data(2) == numbers(4, 6)


def test_a_client_cut_before_its_first_event_resumes_from_stream_open(server, user):
    first = server.stream(user)
    position = opened(first).last_event_id
    first.reset()
    publish_numbers(server, user, range(3))
    again = server.stream(user, last_event_id=position)
    assert opened(again).last_event_id == position
    assert again.take_data(3) == numbers(3)


def test_the_position_of_stream_open_is_never_ahead_of_what_is_still_to_be_sent(server, user):
    ids = publish_numbers(server, user, range(10))
    stream = server.stream(user, last_event_id=ids[4])
    position = opened(stream).last_event_id
    stream.reset()  # cut right after the first block
    assert opened(server.stream(user, last_event_id=position)).last_event_id == position
    assert server.stream(user, last_event_id=position).take_data(6) == ["", *numbers(5, 10)]


def test_a_resume_from_the_newest_id_gets_live_events_only(server, user):
    ids = publish_numbers(server, user, range(4))
    stream = server.stream(user, last_event_id=ids[-1])
    opened(stream)
    publish_numbers(server, user, [4])
    assert stream.next_event().data == "4"


def test_a_stream_opened_without_an_id_gets_live_events_only(server, user):
    ids = publish_numbers(server, user, range(3))
    stream = server.stream(user)
    position = opened(stream).last_event_id
    publish_numbers(server, user, [3])
    assert stream.next_event().data == "3"
    assert position != ids[0]
    assert server.stream(user, last_event_id=position).take_data(2) == ["", "3"], "the position is the newest then"


@pytest.mark.parametrize("how", ["last_event_id", "resume"])
def test_earliest_is_all_that_is_kept(server, user, how):
    publish_numbers(server, user, range(20))
    stream = server.stream(user, **{how: "earliest"})
    opened(stream)
    assert stream.take_data(20) == numbers(20)


def test_earliest_of_a_user_never_written_to_is_an_open_stream(server, user):
    stream = server.stream(user, last_event_id="earliest")
    opened(stream)
    publish_numbers(server, user, [0])
    assert stream.next_event().data == "0"


def test_events_keep_type_data_and_id_in_history(start_server):
    server = start_server()
    live = server.stream("a")
    opened(live)
    server.publish("a", "a\nb\r\n\r\nc", event="odd one")
    server.publish("a", "")
    server.publish("*", "to all", event="news")
    again = server.stream("a", last_event_id="earliest")
    opened(again)
    assert again.take(3) == live.take(3)


def test_many_resume_at_once_while_messages_come(server, user):
    ids = publish_numbers(server, user, range(300))
    streams = []
    with server.connect() as connection:
        for number in range(300, 400):
            streams.append(server.stream(user, last_event_id=ids[number - 300]))
            server.publish(user, str(number), connection=connection)
    for skipped, stream in enumerate(streams):
        opened(stream)
        assert stream.take_data(399 - skipped) == numbers(skipped + 1, 400)


# With a gap


UNKNOWN = ["nonsense", "0", "1-1", "x" * 128, "~", "99999999999999999999-1", "-", "0-0", "a.b:c_d~e"]


@pytest.mark.parametrize("unknown", UNKNOWN)
@pytest.mark.parametrize("how", ["last_event_id", "resume"])
def test_an_unknown_id_is_answered_by_a_gap_and_what_is_kept(server, user, how, unknown):
    publish_numbers(server, user, range(3))
    stream = server.stream(user, **{how: unknown})
    _, told = gap(stream)
    assert told["requested"] == unknown
    assert stream.take_data(3) == numbers(3)
    publish_numbers(server, user, [3])
    assert stream.next_event().data == "3"


STRANGE = ['a"b\\c', "</script>", "x" * 5000, "дема", "a b"]


@pytest.mark.parametrize("strange", STRANGE, ids=lambda text: text[:8])
def test_an_id_that_no_server_made_is_answered_by_a_gap_in_valid_json_or_by_400(server, user, strange):
    path = target("/v2/sse", username=user, last_event_id=strange)
    with server.connect() as connection:
        connection.send(request_bytes("GET", path))
        if connection.read_head().status == 400:
            return
    _, told = gap(Stream(server.connect(), path))
    assert told["requested"] and strange.startswith(told["requested"])


@pytest.mark.parametrize(
    "damage", [lambda id: id + "9", lambda id: id + "99999999999999999", lambda id: id[:-1], lambda id: "0" + id]
)
def test_a_damaged_id_costs_no_event_that_comes_afterwards(server, user, damage):
    publish_numbers(server, user, range(15))
    newest = publish_numbers(server, user, [15])[0]
    stream = server.stream(user, last_event_id=damage(newest))
    first = stream.next_event()
    assert first.type in ("stream-open", "stream-gap")
    publish_numbers(server, user, [16])
    events = [stream.next_event()]
    while events[-1].data != "16":
        events.append(stream.next_event())
    assert [event.data for event in events] == numbers(17 - len(events), 17)


def test_an_empty_last_event_id_is_as_none(server, user):
    publish_numbers(server, user, range(3))
    stream = server.stream(user, last_event_id="")
    opened(stream)
    publish_numbers(server, user, [3])
    assert stream.next_event().data == "3"


def test_the_oldest_of_a_gap_is_null_when_nothing_is_kept(server, user):
    _, told = gap(server.stream(user, last_event_id="nonsense"))
    assert told == {"requested": "nonsense", "oldest": None}


def test_history_size_limits_what_is_kept_and_the_rest_is_a_gap(start_server):
    server = start_server({"history.size": 5})
    before = opened(server.stream("a")).last_event_id
    ids = publish_numbers(server, "a", range(12))
    for requested in before, ids[0], ids[5]:
        stream = server.stream("a", last_event_id=requested)
        event, told = gap(stream)
        assert told == {"requested": requested, "oldest": ids[7]}
        assert stream.take_data(5) == numbers(7, 12)
        resumed = server.stream("a", last_event_id=event.last_event_id)
        opened(resumed)
        assert resumed.take_data(5) == numbers(7, 12), "the gap's id skips nothing of what follows"
    for number in 6, 7, 10:  # nothing after these was dropped
        stream = server.stream("a", last_event_id=ids[number])
        opened(stream)
        assert stream.take_data(11 - number) == numbers(number + 1, 12)
    earliest = server.stream("a", last_event_id="earliest")
    opened(earliest)
    assert earliest.take_data(5) == numbers(7, 12), "earliest asks for what is kept, so it is no gap"


def test_a_message_to_all_that_is_no_longer_kept_is_a_gap_for_whoever_missed_it(start_server):
    server = start_server({"history.size": 5})
    missed, had = server.stream("a"), server.stream("b")
    before = opened(missed).last_event_id
    missed.close()
    for number in range(20):
        server.publish("*", str(number))
    opened(had)
    newest = had.take(20)[-1].last_event_id
    stream = server.stream("a", last_event_id=before)
    gap(stream)
    kept = stream.next_event()
    assert kept.last_event_id and int(kept.data) > 0
    opened(server.stream("b", last_event_id=newest))


def test_nothing_is_kept_with_a_history_of_no_size(start_server):
    server = start_server({"history.size": 0})
    stream = server.stream("a")
    position = opened(stream).last_event_id
    newest = publish_numbers(server, "a", range(3))[-1]
    assert stream.take_data(3) == numbers(3)
    _, told = gap(server.stream("a", last_event_id=position))
    assert told["oldest"] is None
    opened(server.stream("a", last_event_id=newest))


def test_gaps_are_counted(start_server):
    server = start_server()
    gap(server.stream("a", last_event_id="nonsense"))
    opened(server.stream("a"))
    assert server.metric("rillgate_stream_gaps_total") == 1


def test_history_bytes_limits_what_is_kept(start_server):
    server = start_server({"history.bytes": "64KiB", "stream.buffer": "32KiB"})
    before = opened(server.stream("a")).last_event_id
    publish_numbers(server, "b", [0])
    with server.connect() as connection:
        for number in range(100):
            server.publish("a", f"{number} ".ljust(4000, "x"), connection=connection)
    stream = server.stream("a", last_event_id=before)
    gap(stream)
    first = int(stream.next_event().data.split()[0])
    assert 100 - 64 * 1024 // 4000 <= first <= 90
    assert [int(data.split()[0]) for data in stream.take_data(99 - first)] == list(range(first + 1, 100))
    assert 0 < server.metric("rillgate_history_bytes") <= 80 * 1024
    kept = server.stream("b", last_event_id="earliest")
    assert kept.take_data(2) == ["", "0"], "one user's limit does not touch another's history"


def test_history_ttl_limits_how_long_an_event_is_kept(start_server):
    server = start_server({"history.ttl": "1s"})
    holder = server.stream("a")  # keeps the user in the map
    before = opened(holder).last_event_id
    publish_numbers(server, "a", range(3))
    stream = server.stream("a", last_event_id=before)
    opened(stream)
    assert stream.take_data(3) == numbers(3)
    wait_until(
        lambda: server.stream("a", last_event_id=before).next_event().type == "stream-gap", "the events to expire"
    )
    _, told = gap(server.stream("a", last_event_id=before))
    assert told == {"requested": before, "oldest": None}
    server.wait_for_metric("rillgate_history_bytes", 0)


def test_a_user_that_expired_whole_is_remembered_as_a_gap(start_server):
    server = start_server({"history.ttl": "500ms"})
    stream = server.stream("a")
    before = opened(stream).last_event_id
    stream.close()
    publish_numbers(server, "a", range(3))
    server.wait_for_metric("rillgate_history_bytes", 0)
    gap(server.stream("a", last_event_id=before))


def test_history_memory_limits_what_all_users_keep(start_server):
    limit = 512 * 1024
    server = start_server({"history.memory": "512KiB", "history.bytes": "64KiB", "stream.buffer": "32KiB"})
    first = opened(server.stream("user-0")).last_event_id
    for round_ in range(4):
        server.publish_all((f"user-{number}", f"{round_} ".ljust(1000, "x")) for number in range(300))
        assert 0 < server.metric("rillgate_history_bytes") <= limit
    gap(server.stream("user-0", last_event_id=first))
    newest = server.stream("user-299", last_event_id="earliest")
    opened(newest)
    assert newest.next_event().data.split()[0] in "0123", "what is newest is kept longest"


def test_a_restart_is_answered_by_a_gap(start_server):
    server = start_server()
    stream = server.stream("a")
    positions = [opened(stream).last_event_id, *publish_numbers(server, "a", range(3))]
    stream.close()
    assert server.stop() == 0
    server.start()
    publish_numbers(server, "a", range(3, 5))
    for position in positions:
        stream = server.stream("a", last_event_id=position)
        _, told = gap(stream)
        assert told["requested"] == position
        assert stream.take_data(2) == numbers(3, 5)
