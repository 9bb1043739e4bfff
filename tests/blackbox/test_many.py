"""Ten thousand streams at once, and an end that they survive."""

import os
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections import defaultdict

import pytest

from harness.crowd import Crowd, raise_descriptor_limit
from harness.server import target
from harness.waiting import wait_until
from harness.wire import Closed

MANY = 10000


class CrowdProcess:
    """A crowd that can be killed."""

    def __init__(self, server, count):
        command = [sys.executable, "-m", "harness.crowd", str(server.port), str(count)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=os.path.dirname(__file__))

    def wait_for(self, opened, messages):
        for line in self.process.stdout:
            if tuple(map(int, line.split())) >= (opened, messages):
                return
        raise AssertionError("the crowd's process ended")

    def kill(self):
        self.process.kill()
        self.process.communicate()


def test_ten_thousand_streams_each_get_their_message_and_leave_nothing_when_killed(start_server):
    assert raise_descriptor_limit() > MANY + 200, "this machine lets no process hold 10,000 connections (ulimit -Hn)"
    server = start_server({"history.ttl": "1s"})
    descriptors, resident = server.descriptors(), server.resident_bytes()
    for _ in range(2):
        crowd = CrowdProcess(server, MANY)
        try:
            crowd.wait_for(MANY, 0)
            assert server.metric("rillgate_streams", version="v2") == MANY
            assert server.metric("rillgate_users") == MANY
            idle = server.resident_bytes()
            server.publish_all((f"user-{number}", f"to {number}") for number in range(MANY))
            assert server.publish("*", "to all")["streams"] == MANY
            crowd.wait_for(MANY, 2 * MANY)
            peak = server.resident_bytes()
        finally:
            crowd.kill()
        server.wait_for_metric("rillgate_streams", 0)
        server.wait_for_metric("rillgate_users", 0)
        server.wait_for_metric("rillgate_history_bytes", 0)
        wait_until(lambda: server.descriptors() <= descriptors + 1, "the descriptors to come back")
        wait_until(lambda: server.resident_bytes() - resident < (peak - resident) / 2, "the memory to come back")
        left = server.resident_bytes() - resident
        each = [round(size / MANY) for size in (idle - resident, peak - resident, left)]
        print(f"{MANY} streams: {each[0]} B each when idle, {each[1]} B with messages, {each[2]} B when all are gone")


def test_a_drain_under_load_spreads_the_ends_and_loses_nothing_in_silence(start_server):
    count, period = 5000, 3.0
    server = start_server({"drain.period": "3s"})
    users = [f"user-{number}" for number in range(count)]
    accepted, statuses, stop = defaultdict(list), set(), threading.Event()

    def publish():
        """Posts in turn to all users until the server is gone, and remembers what it accepted."""
        number = 0
        connection = server.connect()
        try:
            while not stop.is_set():
                user, number = users[number % count], number + 1
                response = connection.request("POST", target("/v2/message", username=user), body=b"%d" % number)
                statuses.add(response.status)
                if response.status == 202:
                    accepted[user].append(str(number))
                if response.header("Connection") == "close":
                    connection = server.connect()
        except (OSError, Closed):
            pass  # the server is gone

    with Crowd(server.port, users) as crowd:
        crowd.read_until(lambda: crowd.opened == count, "all streams to open")
        publisher = threading.Thread(target=publish)
        publisher.start()
        crowd.read_until(lambda: crowd.messages > count / 2, "the load to run")
        began = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        crowd.read_until(lambda: crowd.ended == count, "all streams to end", within=period + 15)
        status, _ = server.wait_for_exit(within=15)
        stop.set()
        publisher.join()

        assert status == 0
        assert time.monotonic() - began < period + 15
        assert all(member.closed_kindly and member.ended == "whole" for member in crowd.members)
        times = sorted(member.ended_at - began for member in crowd.members)
        assert times[-1] < period + 2
        fifths = [sum(period * fifth / 5 <= at < period * (fifth + 1) / 5 for at in times) for fifth in range(5)]
        assert min(fifths) > count / 5 / 3 and max(fifths) < count / 5 * 2, (
            f"ends in each fifth of the period: {fifths}"
        )
        assert statuses <= {202, 503}

        server.start()
        unlucky = []
        for member in crowd.members:
            delivered = [event.data for event in member.messages]
            assert delivered == accepted[member.user][: len(delivered)]
            if delivered != accepted[member.user]:
                unlucky.append(member)
        assert unlucky, "the load went on after the first streams had ended"
        for member in unlucky[:: len(unlucky) // 100 + 1]:
            with server.stream(member.user, last_event_id=member.position) as stream:
                assert stream.next_event().type == "stream-gap"


@pytest.mark.prove
def test_ten_thousand_streams_come_and_go_for_many_rounds_and_memory_does_not_grow(start_server):
    server = start_server({"history.ttl": "1s"})
    after = []
    for _ in range(10):
        crowd = CrowdProcess(server, MANY)
        try:
            crowd.wait_for(MANY, 0)
            server.publish_all((f"user-{number}", "x" * 500) for number in range(MANY))
            crowd.wait_for(MANY, MANY)
        finally:
            crowd.kill()
        server.wait_for_metric("rillgate_history_bytes", 0)
        after.append(server.resident_bytes())
    print("resident MiB after each round:", [size >> 20 for size in after])
    assert statistics.median(after[5:]) < statistics.median(after[:5]) + (4 << 20)
