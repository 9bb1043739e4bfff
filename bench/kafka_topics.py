"""What reading Kafka costs: records to nobody beside a bare consumer of the same client library, and records to a
thousand users beside the same by POST."""

import json
import re
import socket
import statistics
import subprocess
import time
import urllib.request

from servers.kafka import Broker, tool
from streams.ways import PROGRAMS

RECORDS = 2_000_000  # to nobody
PARTITIONS = 4
USERS = 1_000
EVENTS = 300_000  # to the users
FLOOR = 200_000  # records a second on one core
SHARE = 0.7  # of the bare consumer's
COST = 0.5  # of an event's by POST


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def program(name, what, **arguments):
    flags = [part for key, value in arguments.items() for part in (f"--{key.replace('_', '-')}", str(value))]
    done = subprocess.run([PROGRAMS / name, what, *flags], stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


def metric(port, name):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        found = re.search(rf"^{re.escape(name)} (\S+)$", answer.read().decode(), re.MULTILINE)
    return float(found[1]) if found else 0.0


def to_nobody(serving, directory, broker, topic):
    """A node that finds the records in the topic and reads them all."""
    flags = ["--kafka", broker.address, "--kafka.v3-topic", topic, "--history.ttl", "1d"]
    with serving("memory", directory, *flags, until="/healthz") as (port, _):
        events, cpu = 'rillgate_events_in_total{version="v3"}', "process_cpu_seconds_total"
        while not (first := metric(port, events)):
            time.sleep(0.005)
        begun, cpu_before = time.monotonic(), metric(port, cpu)
        while metric(port, events) < RECORDS:
            time.sleep(0.02)
        read = RECORDS - first
        return {
            "per_second": read / (time.monotonic() - begun),
            "cpu_us": (metric(port, cpu) - cpu_before) * 1e6 / read,
        }


def to_users(serving, directory, broker, topic):
    flags = ["--kafka", broker.address, "--kafka.v3-topic", topic, "--threads", "1"]
    with serving("memory", directory, *flags) as (port, server):
        place = {"brokers": broker.address, "topic": topic, "port": port, "pid": server.pid}
        return program("kafka_bench", "streams", users=USERS, records=EVENTS, **place)


def by_post(serving, directory):
    with serving("memory", directory, "--threads", "1") as (port, server):
        said = program("stream_load", "unicast", port=port, pid=server.pid, streams=USERS)
        return {"per_second": said["delivered_per_s"], "cpu_us": said["cpu_us_per_event"]}


def make_topic(broker, topic):
    create = ["--bootstrap-server", broker.address, "--create", "--topic", topic, "--partitions", PARTITIONS]
    subprocess.run(tool("kafka-topics", *create), stdout=subprocess.DEVNULL, check=True)


def measure(options, serving, directory):
    """Prints the table; `serving` is bench/run's."""
    rows = {
        "nobody": "records to nobody",
        "bare": "a bare consumer",
        "users": f"records to {USERS:,} users",
        "post": f"POSTs to {USERS:,} users (V2)",
    }
    turns = {name: [] for name in rows}
    broker = Broker(directory / "kafka", {1: (free_port(), free_port())}, heap="1g")
    broker.start()
    try:
        make_topic(broker, "full")
        program("kafka_bench", "fill", brokers=broker.address, topic="full", records=RECORDS, users=100_000)
        ways = [
            ("nobody", lambda _: to_nobody(serving, directory, broker, "full")),
            ("bare", lambda _: program("kafka_bench", "bare", brokers=broker.address, topic="full", records=RECORDS)),
            ("users", lambda turn: to_users(serving, directory, broker, turn)),
            ("post", lambda _: by_post(serving, directory)),
        ]
        for number in range(options.rounds):
            topic = f"users-{number}"
            make_topic(broker, topic)
            for name, way in ways:
                turns[name].append(way(topic))
            ways.reverse()
    finally:
        broker.stop()

    medians = {name: {key: statistics.median(turn[key] for turn in turns[name]) for key in turns[name][0]} for name in rows}
    print(f"\nKafka, records of 100 bytes\n\n{'':34} {'a second':>10} {'CPU µs':>8}")
    for name, title in rows.items():
        print(f"{title:34} {medians[name]['per_second']:>10,.0f} {medians[name]['cpu_us']:>8.2f}")

    def ratio(a, b, key):
        return statistics.median(x[key] / y[key] for x, y in zip(turns[a], turns[b], strict=True))

    print(f"\nOn one core, to nobody: {1e6 / medians['nobody']['cpu_us']:,.0f} a second (to be at least {FLOOR:,}).")
    print(f"{ratio('nobody', 'bare', 'per_second'):.2f} times as many as the bare consumer (to be at least {SHARE}).")
    print(f"An event costs {ratio('users', 'post', 'cpu_us'):.2f} of one by POST (to be at most {COST}).")
