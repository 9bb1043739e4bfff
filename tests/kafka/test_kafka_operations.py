"""What an operator of V3 sees and sets: topics, partitions, metrics, memory, clusters that ask who comes."""

import json
import re
import subprocess
import time

import pytest

from harness.server import free_port
from harness.v3 import messages_until, node_settings, opened, post, publish
from harness.waiting import wait_until
from servers.kafka import Broker

FOUND_WITHIN = 30  # seconds, for a new partition
READY_WITHIN = 10  # seconds, for a node whose topic is small; it takes less than one


# Topics


def test_missing_topics_are_made_at_start(start_node, kafka, topic):
    node = start_node()
    assert {topic, f"{topic}.dead"} <= kafka.topics()
    stream = opened(node, "a")
    publish(node, "a", "x")
    assert stream.next_event().data == "x"


def test_topics_are_not_made_where_a_setting_says_so_and_found_when_somebody_makes_them(start_node, kafka, topic):
    node = start_node({"kafka.create-topics": "off"}, until="/healthz")
    wait_until(lambda: topic.encode() in node.get("/readyz").body, "/readyz to name the topic")
    assert node.get("/readyz").status == 503
    assert post(node, "a", "x").status == 503
    assert topic not in kafka.topics()
    kafka.create_topic(topic)
    kafka.create_topic(f"{topic}.dead")
    wait_until(lambda: node.get("/readyz").status == 200, "the node to be ready", 40)
    stream = opened(node, "a")
    publish(node, "a", "y")
    assert stream.next_event().data == "y"


def test_a_topic_that_is_there_is_left_as_it_is(start_node, kafka, topic):
    kafka.create_topic(topic, 5)
    start_node()
    assert len(kafka.leaders(topic)) == 5


def test_the_number_of_partitions_does_not_slow_the_start(start_node, kafka, topic):
    kafka.create_topic(topic, 50)
    began = time.monotonic()
    node = start_node()
    assert time.monotonic() - began < READY_WITHIN
    stream = opened(node, "a")
    kafka.send(topic, "a:x", partition=49)
    assert stream.next_event().data == "x"


@pytest.mark.timeout(120)
def test_a_partition_added_while_running_is_read_from_its_beginning(start_node, kafka, topic):
    kafka.create_topic(topic)
    nodes = [start_node(), start_node()]
    streams = [opened(node, "a") for node in nodes]
    kafka.send(topic, "a:old", partition=0)
    kafka.add_partitions(topic, 3)
    kafka.send_all(topic, ["a:1", "a:2"], partition=2)
    deadline = time.monotonic() + FOUND_WITHIN
    for stream in streams:
        assert messages_until(stream, "2", deadline - time.monotonic()) == ["old", "1", "2"]
        with nodes[0].stream("a", "v3", last_event_id=stream.last_event_id) as again:
            assert again.next_event().type == "stream-open"
    kafka.send(topic, "a:3", partition=1)
    assert streams[0].next_event().data == "3"


# Metrics and health


def test_lag_is_told_for_each_partition(start_node, kafka, topic):
    kafka.create_topic(topic, 3)
    node = start_node()
    kafka.send_all(topic, ["a:x"] * 10, partition=1)

    def lag():
        samples = node.metrics().samples("rillgate_kafka_lag")
        return {labels["partition"]: value for labels, value in samples if labels["topic"] == topic}

    wait_until(lambda: lag() == {"0": 0, "1": 0, "2": 0}, "each partition's lag to be none")
    assert node.metrics().types["rillgate_kafka_lag"] == "gauge"


def test_the_time_from_a_records_timestamp_to_the_socket_is_measured(start_node, kafka, topic):
    kafka.create_topic(topic)
    node = start_node()
    stream = opened(node, "a")
    kafka.send(topic, "a:late", timestamp=int((time.time() - 30) * 1000))
    assert stream.next_event().data == "late"
    node.wait_for_metric("rillgate_delivery_seconds_count", 1, version="v3")
    metrics = node.metrics()
    assert metrics.types["rillgate_delivery_seconds"] == "histogram"
    assert 30 <= metrics.value("rillgate_delivery_seconds_sum", version="v3") < 60


def test_records_are_counted_as_any_other_event(start_node, kafka, topic):
    kafka.create_topic(topic)
    node = start_node()
    stream = opened(node, "a")
    kafka.send_all(topic, ["a:x"] * 5 + ["nobody:x"] * 5)
    stream.take(5)
    node.wait_for_metric("rillgate_events_in_total", 10, version="v3")
    node.wait_for_metric("rillgate_events_out_total", 5, version="v3")
    assert node.metric("rillgate_streams", version="v3") == 1


def test_readyz_has_a_line_for_kafka(node):
    response = node.get("/readyz")
    assert response.status == 200
    assert "kafka" in json.dumps(response.json())


# Streams that do not read


def test_a_stream_that_does_not_read_stops_nobody_and_resumes(start_node, kafka, topic):
    kafka.create_topic(topic)
    settings = {"stream.buffer": "64KiB", "history.bytes": "64MiB", "history.size": 100_000, "keepalive.interval": "1s"}
    node = start_node(settings)
    stalled, reading = opened(node, "a", receive_buffer=4096), opened(node, "b")
    block = "x" * 4000
    for number in range(2000):
        kafka.send_soon(topic, f"a:{number} {block}")
        kafka.send_soon(topic, f"b:{number}")
    kafka.flush()
    assert reading.take_data(2000) == [str(number) for number in range(2000)]
    node.wait_for_metric("rillgate_stream_ends_total", 1, reason="slow_consumer")
    had = [event.data.split()[0] for event in stalled.rest() if event.type == "message"]
    again = opened(node, "a", last_event_id=stalled.last_event_id)
    rest = [data.split()[0] for data in again.take_data(2000 - len(had), within=60)]
    assert had + rest == [str(number) for number in range(2000)]


def test_memory_is_bounded_when_the_topic_is_far_ahead(start_node, kafka, topic):
    kafka.create_topic(topic, 4)
    node = start_node({"history.memory": "16MiB"})
    before = node.resident_bytes()
    assert node.stop() == 0
    block = b"x" * 1000
    for number in range(200):
        kafka.send_all(topic, [b"user-%d:" % number + block] * 1000, within=60)
    node.start()
    node.wait_for_metric("rillgate_events_in_total", lambda value: value >= 200_000, within=60, version="v3")
    assert node.metric("rillgate_history_bytes") <= 16 << 20
    assert node.resident_bytes() - before < 160 << 20, "of the 200 MB in the topic"


# Clusters that ask who comes

_PASSWORD = "kafka-password"


def make_certificate(folder):
    """A key and a certificate for 127.0.0.1 that is its own authority; returns the certificate and both in one file."""
    key, certificate, both = folder / "key.pem", folder / "certificate.pem", folder / "both.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate]
    subprocess.run(command, check=True, capture_output=True)
    both.write_text(key.read_text() + certificate.read_text())
    return certificate, both


@pytest.fixture
def guarded_broker(tmp_path):
    """A broker whose clients come by TLS and tell a password; returns its address and the certificate to trust."""
    certificate, both = make_certificate(tmp_path)
    port, controller, guarded = free_port(), free_port(), free_port()
    login = "org.apache.kafka.common.security.plain.PlainLoginModule required"
    settings = {
        "listeners": f"PLAINTEXT://127.0.0.1:{port},GUARDED://127.0.0.1:{guarded},CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port},GUARDED://127.0.0.1:{guarded}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,GUARDED:SASL_SSL,CONTROLLER:PLAINTEXT",
        "sasl.enabled.mechanisms": "PLAIN",
        "listener.name.guarded.plain.sasl.jaas.config": f'{login} user_rillgate="{_PASSWORD}";',
        "listener.name.guarded.ssl.keystore.type": "PEM",
        "listener.name.guarded.ssl.keystore.location": both,
    }
    one = Broker(tmp_path / "broker", {1: (port, controller)}, settings=settings).start()
    yield f"127.0.0.1:{guarded}", certificate
    one.stop()


def properties_file(folder, certificate, password):
    path = folder / "guarded.toml"
    path.write_text(f"""
[kafka.properties]
security.protocol = "SASL_SSL"
"ssl.ca.location" = "{certificate}"
sasl.mechanism = "PLAIN"
"sasl.username" = "rillgate"
sasl.password = "{password}"
""")
    return ["--config", str(path)]


def test_a_cluster_with_tls_and_passwords_is_reached_by_librdkafkas_properties(
    guarded_broker, start_server, tmp_path, topic
):
    address, certificate = guarded_broker
    settings = {"kafka": address, "kafka.v3-topic": topic}
    node = start_server(settings, arguments=properties_file(tmp_path, certificate, _PASSWORD))
    stream = opened(node, "a")
    publish(node, "a", "x")
    assert stream.next_event().data == "x"
    assert _PASSWORD not in node.log()


def test_a_wrong_password_is_told_on_readyz_and_never_shown(guarded_broker, start_server, tmp_path, topic):
    address, certificate = guarded_broker
    settings = {"kafka": address, "kafka.v3-topic": topic}
    arguments = properties_file(tmp_path, certificate, "wrong-password")
    node = start_server(settings, until="/healthz", arguments=arguments)
    wait_until(lambda: re.search("(?i)authentication", node.log()), "the log to say why")
    response = node.get("/readyz")
    assert response.status == 503 and b"kafka" in response.body
    assert post(node, "a", "x").status == 503
    assert "wrong-password" not in node.log() + response.body.decode()


# Logs


def test_logs_hold_no_message_of_a_record_and_one_line_an_event(start_server, broker, kafka, topic):
    kafka.create_topic(topic)
    settings = node_settings([broker], topic, {"log.level": "trace", "log.format": "json"})
    node = start_server(settings)
    stream = opened(node, "a")
    kafka.send(topic, b"a:a-secret", key="a-secret-key")
    kafka.send(topic, b"\xffa-secret")
    publish(node, "a", "a-secret by post")
    stream.take(2)
    node.wait_for_metric("rillgate_dead_letters_total", 1)
    assert "a-secret" not in node.log()
    for line in node.log().splitlines():
        assert isinstance(json.loads(line), dict), line


def test_a_setting_of_brokers_without_any_that_answers_does_not_stop_the_start(start_server, topic):
    node = start_server({"kafka": f"127.0.0.1:{free_port()}", "kafka.v3-topic": topic}, until="/healthz")
    assert node.publish("a", "v2")["streams"] == 0
    assert node.get("/readyz").status == 503


def test_a_cluster_by_several_addresses_is_reached_by_the_one_that_answers(start_server, broker, topic):
    settings = node_settings([broker], topic) | {"kafka": f"127.0.0.1:{free_port()},{broker.address}"}
    node = start_server(settings)
    stream = opened(node, "a")
    publish(node, "a", "x")
    assert stream.next_event().data == "x"


def test_the_flag_kafka_is_short_for_kafka_brokers(start_server, broker, topic):
    settings = node_settings([broker], topic)
    settings["kafka.brokers"] = settings.pop("kafka")
    assert publish(start_server(settings), "a", "x") == (0, 0)
