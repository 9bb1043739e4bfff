"""The real servers themselves, as ./dev and the other tests use them."""

import signal
import subprocess

import pytest

from harness.kafka import Kafka
from harness.server import free_port
from harness.waiting import wait_until
from servers import java
from servers.kafka import TOOLS, Broker, main, tool

COLON = "demo:🦋 howdy from kafka!".encode()


def test_a_record_written_is_read_whole(kafka, topic):
    kafka.create_topic(topic, 12)
    place = kafka.send(topic, COLON, key="k", partition=7, headers={"event": "e"})
    assert place == (7, 0)
    [record] = kafka.read(topic)
    assert (record.place, record.key, record.value, record.headers) == (place, b"k", COLON, {"event": "e"})


def test_records_that_are_deleted_are_gone(kafka, topic):
    kafka.create_topic(topic)
    kafka.send_all(topic, [str(number) for number in range(10)])
    kafka.delete_records(topic, before=7)
    assert [record.offset for record in kafka.read(topic)] == [7, 8, 9]


def test_a_missing_topic_stays_missing_unless_somebody_makes_it(kafka, topic):
    assert topic not in kafka.topics()
    kafka.create_topic(topic)
    kafka.add_partitions(topic, 3)
    assert set(kafka.leaders(topic)) == {0, 1, 2}
    kafka.delete_topic(topic)
    assert topic not in kafka.topics()


def test_a_broker_keeps_its_records_when_it_is_killed_or_stopped(private_broker):
    kafka = Kafka(private_broker.address)
    kafka.create_topic("t")
    kafka.send("t", COLON)
    private_broker.stop(signal.SIGKILL)
    private_broker.start()
    kafka.send("t", b"after the kill")
    private_broker.stop()
    private_broker.start()
    assert [record.value for record in kafka.read("t")] == [COLON, b"after the kill"]


def test_a_folder_that_holds_a_broker_is_that_broker_again(private_broker, tmp_path):
    kafka = Kafka(private_broker.address)
    kafka.create_topic("t")
    private_broker.stop()
    again = Broker(tmp_path / "broker", {1: (private_broker.port, free_port())}).start()
    assert "t" in kafka.topics()
    again.stop()


def test_a_cluster_goes_on_without_the_leader_of_a_partition(three_brokers):
    kafka = Kafka(",".join(one.address for one in three_brokers))
    kafka.create_topic("t")
    kafka.send("t", b"before")
    leader = three_brokers[kafka.leaders("t")[0] - 1]
    leader.stop(signal.SIGKILL)
    kafka.send("t", b"after", within=60)
    assert [record.value for record in kafka.read("t")] == [b"before", b"after"]
    leader.start()
    wait_until(lambda: kafka.replicas_in_sync("t") == [3], "the broker to catch up", 60)


def test_each_tool_is_there():
    running = [
        subprocess.Popen(tool(name, "--help"), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for name in TOOLS
    ]
    for one in running:
        assert "--bootstrap-server" in one.communicate(timeout=60)[0]


def test_an_unknown_tool_is_named():
    with pytest.raises(SystemExit, match="kafka-nonsense.*kafka-console-producer"):
        main(["kafka-nonsense"])


def test_a_server_that_ends_at_its_start_says_why(broker, tmp_path):
    second = Broker(tmp_path, {1: (broker.port, free_port())})
    with pytest.raises(RuntimeError, match=r"(?s)Broker ended with 1 at start.*Address already in use"):
        second.start()


def test_jars_are_fetched_once_and_anew_when_the_pom_has_changed(tmp_path, monkeypatch):
    fetched = []

    def fetch(pom, folder):
        fetched.append(folder.name)
        folder.mkdir(exist_ok=True)
        (folder / "pom.xml").write_bytes(pom.read_bytes())

    monkeypatch.setattr(java, "REPOSITORY", tmp_path)
    monkeypatch.setattr(java, "_fetch", fetch)
    assert java.jars("kafka") == java.jars("kafka") == tmp_path / "build/jars/kafka"
    (tmp_path / "build/jars/kafka/pom.xml").write_text("an older one")
    java.jars("kafka")
    assert fetched == ["kafka", "kafka"]
