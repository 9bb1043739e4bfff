"""docker-compose.yml and the Dockerfile, as far as a machine without a container engine can tell: the file is read by
docker-compose itself, and the Kafka that it describes is started from jars."""

import re
import subprocess

import pytest
import yaml

from harness.kafka import Kafka
from harness.server import clean_environment, free_port
from harness.waiting import wait_until
from servers.java import REPOSITORY, JavaServer, java
from servers.kafka import Broker, release, tool

DOCKERFILE = (REPOSITORY / "deploy/Dockerfile").read_text()


@pytest.fixture(scope="module")
def services():
    """What docker-compose makes of the file."""
    done = subprocess.run(["docker-compose", "config"], cwd=REPOSITORY, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return yaml.safe_load(done.stdout)["services"]


@pytest.fixture(scope="module")
def kafka_settings(services):
    """The broker's settings as the image makes them from its environment."""
    environment = services["kafka"]["environment"]
    return {
        name.removeprefix("KAFKA_").lower().replace("_", "."): str(value)
        for name, value in environment.items()
        if name.startswith("KAFKA_")
    }


def host_ports(service):
    return [port.removesuffix("/tcp") for port in service["ports"]]


def test_kafka_and_dynamodb_start_by_themselves_and_the_server_only_in_its_profile(services):
    assert set(services) == {"kafka", "dynamodb", "server"}
    assert services["server"]["profiles"] == ["server"]
    assert not services["kafka"].get("profiles") and not services["dynamodb"].get("profiles")


def test_everything_is_published_on_this_machine_only(services):
    assert host_ports(services["kafka"]) == ["127.0.0.1:9092:9092"]
    assert host_ports(services["dynamodb"]) == ["127.0.0.1:8000:8000"]
    assert host_ports(services["server"]) == ["127.0.0.1:3000:3000"]


def test_every_service_has_a_health_check_and_an_image_of_one_version(services):
    for name, service in services.items():
        assert service["healthcheck"]["test"], name
        if name != "server":
            assert re.fullmatch(r"[a-z0-9/-]+:\d+\.\d+\.\d+", service["image"]), service["image"]
    assert services["kafka"]["image"].startswith("confluentinc/cp-kafka:7.9.")
    assert "-sharedDb" in services["dynamodb"]["command"]


def test_the_server_waits_for_kafka_and_finds_it_where_containers_do(services):
    server = services["server"]
    assert server["depends_on"]["kafka"]["condition"] == "service_healthy"
    assert server["command"][server["command"].index("--kafka") + 1] == "kafka:29092"


def test_whoever_comes_to_9092_is_told_to_go_on_at_localhost(kafka_settings):
    assert kafka_settings["listeners"].startswith("HOST://0.0.0.0:9092,")
    assert kafka_settings["advertised.listeners"] == "HOST://localhost:9092,CONTAINERS://kafka:29092"


class ComposedBroker(JavaServer):
    """The broker of docker-compose.yml with its hosts and ports put where a test may have them."""

    is_ready = Broker.is_ready

    def __init__(self, directory, settings, cluster_id):
        super().__init__(directory)
        self.port = free_port()
        ports = {"9092": self.port, "29092": free_port(), "29093": free_port()}
        lines = [f"log.dirs={self.directory}/data", "log.cleaner.dedupe.buffer.size=4194304"]
        for name, value in settings.items():
            value = re.sub(r"(?<=:)\d{4,5}\b", lambda match: str(ports[match[0]]), value)
            value = re.sub(r"\b(kafka|localhost|0\.0\.0\.0)(?=:)", "127.0.0.1", value)
            lines.append(f"{name}={value}")
        self._file = self.directory / "server.properties"
        self._file.write_text("\n".join(lines))
        format_storage = java(release(), "kafka.tools.StorageTool", "format", "-t", cluster_id, "-c", self._file)
        subprocess.run(format_storage, check=True, capture_output=True)

    def command(self):
        logging = "-Dorg.slf4j.simpleLogger.defaultLogLevel=info"
        return java(release(), "kafka.Kafka", self._file, options=[*self.OPTIONS, "-Xmx256m", logging])


def test_the_kafka_that_the_file_describes_starts_and_takes_what_is_typed(services, kafka_settings, tmp_path):
    broker = ComposedBroker(tmp_path, kafka_settings, services["kafka"]["environment"]["CLUSTER_ID"]).start()
    address = f"127.0.0.1:{broker.port}"
    option = "--broker-list" if release() == "kafka" else "--bootstrap-server"
    # As in the container, where nobody has made the topic: the broker does, on the first try or the second.
    typed = subprocess.run(
        tool("kafka-console-producer", "--topic", "v3_messages", option, address),
        input="demo:🦋 howdy from kafka!\n".encode(),
        env=clean_environment({"LC_ALL": "C"}),
        capture_output=True,
        timeout=60,
    )
    assert typed.returncode == 0
    kafka = Kafka(address)
    [record] = wait_until(lambda: kafka.read("v3_messages"), "the record to be there")
    assert record.value == "demo:🦋 howdy from kafka!".encode()
    health = services["kafka"]["healthcheck"]["test"][-1].split(" >")[0]
    command = health.replace("localhost:9092", address).split()
    listed = subprocess.run(tool(*command), capture_output=True, text=True, timeout=60)
    assert listed.returncode == 0 and "v3_messages" in listed.stdout
    broker.stop()


def test_the_image_is_built_with_the_packages_that_dev_builds_with():
    dev = (REPOSITORY / "dev").read_text()
    wanted = set(" ".join(re.findall(r"build_packages\+?=\(([^)]*)\)", dev)).split())
    installed = re.search(r"FROM \S+ AS build.*?--no-install-recommends((?:[^\n]*\\\n)*[^\n]*)\n", DOCKERFILE, re.DOTALL)[1]
    assert set(installed.replace("\\", "").split()) == wanted


def test_the_image_runs_what_its_libraries_came_from_and_not_as_root():
    final = DOCKERFILE.rpartition("\nFROM ")[2]
    assert re.search(r"^USER (?!root)", final, re.MULTILINE)
    for source in re.findall(r"^COPY (?!--from)([^\n\\]+)", DOCKERFILE, re.MULTILINE):
        for path in source.split()[:-1]:
            assert (REPOSITORY / path).exists(), path
