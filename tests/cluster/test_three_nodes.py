"""Three nodes, one Kafka, one DynamoDB: any of them serves anyone, and each watcher sees each report's walk once, while
nodes come and go."""

import contextlib
import itertools
import os
import random
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness.dynamodb import DynamoDbProxy
from harness.reports import STATUSES, ReportUser, is_legal_walk, told
from harness.waiting import wait_until
from harness.watchers import Watcher
from harness.wire import Closed

USERS = 4
WATCHERS = 3  # of each user
AHEAD = 10  # rounds that workers ask for before the first of them was made
NEVER = {"reports.recheck": "1d"}
OFTEN = {"reports.recheck": "300ms"}
ROUND = ["queued", "processing", "failed", "pending"]
# All but the final one: a report that is completed would take no more part.
RANDOM = [status for status in STATUSES if status != "completed"]


def seats(nodes, id=None):
    """One user, on each node."""
    first = ReportUser(nodes[0], id)
    return [ReportUser(node, first.id) for node in nodes]


def store_of(node):
    """The settings by which another node shares its store."""
    return {name: value for name, value in node.settings.items() if name.startswith(("store", "dynamodb"))}


def test_a_change_on_any_node_is_told_on_all_at_once(start_nodes):
    worker, nodes = start_nodes(3, NEVER)
    user = seats(nodes)
    streams = [seat.opened() for seat in user]
    report = user[0].create()["reportId"]
    for at, status in enumerate(ROUND[:3]):
        user[at].change(report, status)
    worker.ask(user[0], report, "pending")
    for stream in streams:
        walk = [told(event) for event in stream.take(5)]
        assert walk == [(report, version, status) for version, status in enumerate(["pending", *ROUND], start=1)]


def test_an_id_of_any_node_is_good_on_all(start_nodes):
    _, nodes = start_nodes(2, NEVER)
    here, there = seats(nodes)
    stream = here.opened()
    report = here.create()["reportId"]
    here.change(report, *ROUND)
    events = stream.take(5)
    for at, event in enumerate(events):
        resumed = there.opened(last_event_id=event.last_event_id)
        assert [told(one) for one in resumed.take(4 - at)] == [told(one) for one in events[at + 1 :]]
    here.change(report, "queued")
    assert told(resumed.next_event()) == (report, 6, "queued"), "and goes on"


def test_a_node_that_hears_no_notices_delivers_by_its_recheck(start_node, start_nodes, make_worker):
    worker, [node] = start_nodes(1, NEVER)
    deaf = start_node(worker, store_of(node), OFTEN | {"kafka.v4-events-topic": make_worker().events})
    here, there = seats([node, deaf])
    streams = [there.opened() for _ in range(3)]
    report = here.create()["reportId"]
    for status in ROUND:
        here.change(report, status)
    worker.ask(here, report, *ROUND)
    walk = [(report, version, status) for version, status in enumerate(["pending", *ROUND * 2], start=1)]
    for stream in streams:
        assert [told(event) for event in stream.take(len(walk))] == walk


def test_a_notice_that_is_repeated_false_or_no_notice_changes_nothing(start_node, start_nodes, dynamodb):
    worker, [node] = start_nodes(1, NEVER)
    proxy = DynamoDbProxy(dynamodb)
    store = store_of(node) | {"dynamodb.endpoint": proxy.endpoint}
    here, there = seats([node, start_node(worker, store, NEVER)])
    stream = there.opened()
    report = here.create()["reportId"]
    assert told(stream.next_event()) == (report, 1, "pending")
    [notice] = wait_until(lambda: worker.kafka.read(worker.events), "the notice")
    text = notice.value.decode()
    false = [
        text,
        text.replace(here.id, "0192e4a0-7b1c-7def-8123-456789abcdef"),
        text.replace('"store":"', '"store":"x'),
        text.replace('"sequence":1', '"sequence":0'),
        text.replace('"sequence":1', '"sequence":9223372036854775807'),
        text.replace("pending", "unknown"),
        text[:-1],
        "",
        "no notice",
        "[]",
    ]
    worker.kafka.send_all(worker.events, false, key=here.id)
    here.change(report, "queued")
    assert told(stream.next_event()) == (report, 2, "queued")
    for status in ("canceled", "pending") * 50:
        here.change(report, status)
    assert len(stream.take(100)) == 100
    assert len(proxy.of("Query")) < 50, "no stream asks again and again for what there is not"
    assert there.server.stop() == 0
    proxy.close()


# Whose updates, when a node goes


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=["drained", "killed"])
def test_a_node_that_goes_hands_its_updates_over(start_nodes, how):
    worker, nodes = start_nodes(2)
    users = [ReportUser(nodes[1]) for _ in range(12)]
    reports = [user.create()["reportId"] for user in users]

    def ask(rounds):
        for user, report in zip(users, reports, strict=True):
            worker.ask(user, report, *ROUND * rounds)

    ask(1)
    worker.wait_until_settled()
    ask(10)
    wait_until(lambda: users[0].report(reports[0])["version"] > 5, "updates to be under way")
    status = nodes[0].stop(how)
    assert status == (0 if how == signal.SIGTERM else -signal.SIGKILL)
    ask(1)
    worker.wait_until_settled(60)
    for user, report in zip(users, reports, strict=True):
        assert [entry["to"] for entry in user.history(report)] == ["pending", *ROUND * 12]
    assert worker.letters() == {}


# All at once


class HttpWriter:
    """Asks nodes at random for changes at random, one request after the other; keeps what was answered."""

    def __init__(self, user, reports, chance):
        self.made, self.unanswered = [], 0
        self._user, self._reports, self._chance = user, reports, chance

    def write(self, is_over):
        while not is_over.wait(0.005):
            report, status = self._chance.choice(self._reports), self._chance.choice(RANDOM)
            try:
                answer = self._chance.choice(self._user).put(report, status)
            except (OSError, Closed):
                self.unanswered += 1
                continue
            assert answer.status in (200, 409, 503), answer.body
            if answer.status == 200:
                self.made.append((report, answer.json()["version"], answer.json()["reportStatus"]))


class KafkaWriter:
    """Asks for rounds of one report, which nobody else changes, and for changes of the others at random; a few rounds
    ahead of the nodes and no more, so that what is left at the end is little."""

    def __init__(self, worker, user, own, others, chance):
        self.rounds, self.random = 0, []
        self._worker, self._user, self._own, self._others, self._chance = worker, user, own, others, chance

    def _is_far_ahead(self):
        with contextlib.suppress(OSError, Closed):
            answer = self._chance.choice(self._user).get("report", report_id=self._own)
            return answer.status != 200 or answer.json()["version"] < (self.rounds - AHEAD) * len(ROUND)
        return True

    def write(self, is_over):
        while not is_over.wait(0.02):
            if self._is_far_ahead():
                continue
            changes = [(self._own, status) for status in ROUND]
            for _ in range(2):
                changes.insert(self._chance.randrange(5), (self._chance.choice(self._others), self._chance.choice(RANDOM)))
            places = self._worker.ask_in_turn(self._user[0], changes)
            self.rounds += 1
            self.random += [place for place, (report, _) in zip(places, changes, strict=True) if report != self._own]


class Everything:
    """A user of all nodes: two reports that HTTP and Kafka change at random, one that only Kafka changes, in rounds."""

    def __init__(self, nodes, worker, pool, chance):
        self.user = seats(nodes)
        self.watchers = [
            Watcher(self.user, pool, random.Random(chance.random()).choice, self._leaver(chance)) for _ in range(WATCHERS)
        ]
        self.shared = [self.user[0].create()["reportId"] for _ in range(2)]
        self.own = self.user[0].create()["reportId"]
        self.by_http = HttpWriter(self.user, self.shared, random.Random(chance.random()))
        self.by_kafka = KafkaWriter(worker, self.user, self.own, self.shared, random.Random(chance.random()))

    @staticmethod
    def _leaver(chance):
        its_own = random.Random(chance.random())
        return lambda: its_own.random() < 0.01

    def check(self, letters):
        """Returns how many events there were."""
        last = (self.user[0].create()["reportId"], 1, "pending")
        stream = self.user[1].opened(resume="earliest")
        events = []
        while last not in events[-1:]:
            events.append(told(stream.take(1)[0]))
        walks = {report: [event[1:] for event in events if event[0] == report] for report in [*self.shared, self.own]}
        for report, walk in walks.items():
            history = self.user[2].history(report)
            assert is_legal_walk(history)
            assert walk == [(entry["version"], entry["to"]) for entry in history]
        expected = ["pending", *ROUND * self.by_kafka.rounds]
        assert [status for _, status in walks[self.own]] == expected, "each update once and in order"
        assert all((version, status) in walks[report] for report, version, status in self.by_http.made)
        changes = sum(len(walks[report]) - 1 for report in self.shared)
        applied = sum(place not in letters for place in self.by_kafka.random)
        least = len(self.by_http.made) + applied
        # A request without an answer may have been served, and so may an update that is set aside when it comes again.
        assert least <= changes <= least + self.by_http.unanswered + len(self.by_kafka.random) - applied
        for watcher in self.watchers:
            watcher.finish(last)
            assert watcher.seen == events, "each event once and in order, on whatever node"
        return len(events)


def kill_at_random(nodes, chance, is_enough):
    """Kills a node and starts it again, one after the other, until is_enough(kills)."""
    for kills in itertools.count(1):
        victim = chance.choice(nodes)
        told_before = sum(node.metric("rillgate_events_out_total", version="v4") for node in nodes if node is not victim)
        victim.stop(signal.SIGKILL)
        others = [node for node in nodes if node is not victim]
        wanted = told_before + chance.randrange(1, 200)
        wait_until(
            lambda: sum(node.metric("rillgate_events_out_total", version="v4") for node in others) >= wanted,
            "the other nodes to go on",
            60,
        )
        victim.start("/healthz" if chance.random() < 0.5 else "/readyz")
        if is_enough(kills):
            return kills


def run_through_kills(start_nodes, seed, is_enough):
    chance = random.Random(seed)
    worker, nodes = start_nodes(3, OFTEN | {"stream.buffer": "64MiB"})
    is_over = threading.Event()
    everything = []
    with ThreadPoolExecutor(USERS * (WATCHERS + 2)) as pool:
        try:
            everything += [Everything(nodes, worker, pool, chance) for _ in range(USERS)]
            writing = [
                pool.submit(writer.write, is_over) for one in everything for writer in (one.by_http, one.by_kafka)
            ]
            kills = kill_at_random(nodes, chance, is_enough)
            is_over.set()
            for one in writing:
                one.result()
            for node in nodes:
                wait_until(lambda node=node: node.get("/readyz").status == 200, "the node to be ready")
            worker.wait_until_settled(120)
            letters = worker.letters()
            events = sum(one.check(letters) for one in everything)
        finally:
            is_over.set()
            for watcher in itertools.chain.from_iterable(one.watchers for one in everything):
                watcher.stop()
    updates = sum(one.by_kafka.rounds * (len(ROUND) + 2) for one in everything)
    changes = sum(len(one.by_http.made) for one in everything)
    print(f"{kills} kills, {changes} changes by HTTP, {updates} updates by Kafka, {events} events, each told once to each")


@pytest.mark.timeout(300)
def test_watchers_see_each_walk_once_while_nodes_are_killed(start_nodes, seed):
    run_through_kills(start_nodes, seed, lambda kills: kills == 3)


@pytest.mark.prove
@pytest.mark.timeout(7200)
def test_watchers_see_each_walk_once_while_nodes_are_killed_for_minutes(start_nodes, seed):
    until = time.monotonic() + 60 * float(os.environ.get("PROVE_MINUTES", "5"))
    run_through_kills(start_nodes, seed, lambda _: time.monotonic() > until)
