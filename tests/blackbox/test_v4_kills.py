"""V4 on each store that outlives its process: the process is killed at random moments under load, and nothing that was answered is lost."""

import contextlib
import random
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness.reports import STATUSES, TRANSITIONS, ReportUser, is_legal_walk, told
from harness.stores import ON_DYNAMODB
from harness.waiting import wait_until
from harness.watchers import Watcher
from harness.wire import Closed

USERS = 4
WRITERS = 24
WATCHERS = 8


class Writer:
    """Makes reports and changes them at random, one request after the other, so that of each report at most one change
    has no answer when the server dies."""

    def __init__(self, user, chance):
        self.user, self._chance = user, chance
        self.made = {}  # report: the statuses that were answered, from the first on
        self.unanswered = 0  # requests for a report to be made that got no answer
        self.answers = 0

    def write(self):
        """Returns when the server has died."""
        with contextlib.suppress(OSError, Closed), self.user.server.connect() as connection:
            while True:
                report = self._create(connection)
                while self._chance.random() > 0.04:
                    self._change(report, connection)

    def _create(self, connection):
        self.unanswered += 1
        report = self.user.create(connection=connection)["reportId"]
        self.unanswered -= 1
        self.answers += 1
        self.made[report] = ["pending"]
        return report

    def _change(self, report, connection):
        made = self.made[report]
        status = self._chance.choice(STATUSES)
        is_stale = self._chance.random() < 0.1
        response = self.user.put(report, status, str(len(made) + 1) if is_stale else None, connection)
        self.answers += 1
        if status in TRANSITIONS[made[-1]] and not is_stale:
            assert response.status == 200 and response.json()["version"] == len(made) + 1, response.body
            made.append(status)
        else:
            assert response.status == (412 if is_stale else 409), response.body


def kill_under_load(server, writers, pool, chance):
    """Starts the writers and kills the server after a random number of answers, and a little."""
    before = sum(writer.answers for writer in writers)
    writing = [pool.submit(writer.write) for writer in writers]
    wanted = before + chance.randrange(1, 2000)
    try:
        wait_until(lambda: sum(writer.answers for writer in writers) >= wanted, f"{wanted} answers", 60)
        time.sleep(chance.random() * 0.01)  # else the kill would always follow an answer
    finally:
        server.stop(signal.SIGKILL)  # also the end of the writers
    for one in writing:
        one.result()


def check(user, writers, watchers):
    """All that was answered is there, nothing that was refused is, and every watcher was told exactly what is there."""
    stream = user.opened(resume="earliest")
    last = (user.create()["reportId"], 1, "pending")
    events = []
    while last not in events[-1:]:
        events += [told(event) for event in stream.take(1)]
    stored = {}
    for report, version, status in events[:-1]:
        stored.setdefault(report, []).append(status)
        assert version == len(stored[report]), "each version once, in order"

    for writer in writers:
        for report, made in writer.made.items():
            walk = stored.pop(report)
            assert walk[: len(made)] == made, "what was answered is there"
            assert len(walk) <= len(made) + 1, "what was refused is not; one request had no answer"
            assert all(after in TRANSITIONS[before] for before, after in zip(walk, walk[1:], strict=False))
    assert len(stored) <= sum(writer.unanswered for writer in writers), "the others are reports that got no answer"
    assert all(walk == ["pending"] for walk in stored.values())

    for watcher in watchers:
        watcher.finish(last)
        assert watcher.seen == events, "each event once and in order, across all kills"
    for report in {report for report, _, _ in events[-20:]}:
        history = user.history(report)
        assert is_legal_walk(history)
        assert [(report, entry["version"], entry["to"]) for entry in history] == [
            event for event in events if event[0] == report
        ]


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kills", [5, pytest.param(50, marks=pytest.mark.prove)])
@pytest.mark.parametrize("store", ["sqlite", ON_DYNAMODB])
def test_killed_at_random_moments_nothing_that_was_answered_is_lost(start_server, store_settings, seed, store, kills):
    chance = random.Random(seed)
    server = start_server(store_settings(store) | {"stream.buffer": "64MiB"})
    users = [ReportUser(server) for _ in range(USERS)]
    writers = [Writer(users[number % USERS], random.Random(chance.random())) for number in range(WRITERS)]
    watchers = []
    with ThreadPoolExecutor(WATCHERS + WRITERS) as pool:
        try:
            watchers += [Watcher([users[number % USERS]], pool) for number in range(WATCHERS)]
            for _ in range(kills):
                kill_under_load(server, writers, pool, chance)
                server.start()
            for user in users:
                check(
                    user,
                    [writer for writer in writers if writer.user is user],
                    [watcher for watcher in watchers if user in watcher.seats],
                )
        finally:
            for watcher in watchers:
                watcher.stop()
