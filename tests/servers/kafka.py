"""Apache Kafka, for people (`./dev kafka`) and for tests: brokers that are their own controllers (KRaft).

    python -m servers.kafka              a broker on localhost:9092, until Ctrl-C
    python -m servers.kafka TOOL ARGS    one of Kafka's own tools, such as kafka-console-producer
"""

import base64
import os
import shutil
import subprocess
import sys
import uuid

from .java import REPOSITORY, JavaServer, has_ipv6, java, port_is_free, serve

RELEASES = {"kafka": "3.9", "kafka4": "4"}  # each is a folder beside this file
TOOLS = {
    "kafka-console-producer": "org.apache.kafka.tools.ConsoleProducer",
    "kafka-console-consumer": "org.apache.kafka.tools.consumer.ConsoleConsumer",
    "kafka-consumer-groups": "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
    "kafka-delete-records": "org.apache.kafka.tools.DeleteRecordsCommand",
    "kafka-get-offsets": "org.apache.kafka.tools.GetOffsetShell",
    "kafka-topics": "org.apache.kafka.tools.TopicCommand",
}
MOVED = {("kafka", "kafka-console-producer"): "kafka.tools.ConsoleProducer"}

_PORT, _CONTROLLER_PORT = 9092, 9093
_LOGGER = "-Dorg.slf4j.simpleLogger"
_READY = "Kafka Server started"

# Small, and back at once after a kill, where the defaults are for what a large cluster may need.
_SETTINGS = {
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,PLAINTEXT6:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "offsets.topic.num.partitions": 4,
    "transaction.state.log.num.partitions": 4,
    "log.cleaner.dedupe.buffer.size": 4 << 20,
    "group.initial.rebalance.delay.ms": 0,
    "broker.session.timeout.ms": 1000,
    "broker.heartbeat.interval.ms": 200,
}

# For tests: a topic that nobody made is missing, as on clusters that are run with care.
STRICT = {"auto.create.topics.enable": "false"}


def release():
    """Which Kafka to run: RILLGATE_TEST_KAFKA, or the 3.9 line."""
    name = os.environ.get("RILLGATE_TEST_KAFKA") or "kafka"
    if name not in RELEASES:
        raise SystemExit(f"RILLGATE_TEST_KAFKA is {name}; it may be {' or '.join(RELEASES)}")
    return name


def tool(name, *arguments):
    """The command line of one of Kafka's own tools."""
    main_class = MOVED.get((release(), name), TOOLS[name])
    return java(release(), main_class, *arguments, options=["-Xmx256m", f"{_LOGGER}.defaultLogLevel=error"])


def new_cluster_id():
    # StorageTool would take an id that begins with a hyphen for an option.
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "a")


class Broker(JavaServer):
    """One node of a cluster; `nodes` holds each node's port and controller port, by node id."""

    def __init__(self, directory, nodes, node_id=1, cluster_id=None, host="127.0.0.1", heap="256m", settings=None):
        super().__init__(directory)
        self.node_id, self.port = node_id, nodes[node_id][0]
        self._heap, self._file, self._data = heap, self.directory / "server.properties", self.directory / "data"
        copies = len(nodes)
        own = {
            "process.roles": "broker,controller",
            "node.id": node_id,
            "controller.quorum.voters": ",".join(f"{one}@127.0.0.1:{port}" for one, (_, port) in nodes.items()),
            **self._listeners(host, *nodes[node_id]),
            "log.dirs": self._data,
            "default.replication.factor": copies,
            "min.insync.replicas": copies // 2 + 1,
            "offsets.topic.replication.factor": copies,
            "transaction.state.log.replication.factor": copies,
            "transaction.state.log.min.isr": copies // 2 + 1,
        }
        lines = [f"{name}={value}\n" for name, value in (_SETTINGS | own | (settings or {})).items()]
        self._file.write_text("".join(lines))
        if not (self._data / "meta.properties").exists():
            self._format(cluster_id or new_cluster_id())

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    @staticmethod
    def _listeners(host, port, controller_port):
        at, told = [f"PLAINTEXT://127.0.0.1:{port}"], [f"PLAINTEXT://{host}:{port}"]
        if host == "localhost" and has_ipv6():
            at.append(f"PLAINTEXT6://[::1]:{port}")
            told.append(f"PLAINTEXT6://{host}:{port}")
        at.append(f"CONTROLLER://127.0.0.1:{controller_port}")
        return {"listeners": ",".join(at), "advertised.listeners": ",".join(told)}

    def _format(self, cluster_id):
        shutil.rmtree(self._data, ignore_errors=True)
        command = java(
            release(), "kafka.tools.StorageTool", "format", "-t", cluster_id, "-c", self._file, options=self.OPTIONS
        )
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"Kafka's storage could not be formatted:\n{done.stdout}{done.stderr}")

    def command(self):
        logging = [f"{_LOGGER}.defaultLogLevel=warn", f"{_LOGGER}.log.kafka.server.KafkaRaftServer=info"]
        options = [*self.OPTIONS, f"-Xmx{self._heap}", *logging]
        return java(release(), "kafka.Kafka", self._file, options=options)

    def is_ready(self):
        return _READY in self.log()


def cluster(directory, ports, **options):
    """The brokers of a cluster, not yet started: one for each pair of port and controller port."""
    nodes = dict(enumerate(ports, start=1))
    cluster_id = new_cluster_id()
    return [Broker(directory / f"broker-{one}", nodes, one, cluster_id, **options) for one in nodes]


def _greeting(directory):
    return f"""Kafka {RELEASES[release()]} is on localhost:{_PORT}, its data in {directory.relative_to(REPOSITORY)}; Ctrl-C ends it.

Point the server at it:
    ./dev run --kafka localhost:{_PORT}
Type records, one `username:message` a line:
    ./dev kafka-console-producer --topic v3_messages --broker-list localhost:{_PORT}
There are also {', '.join(f'./dev {name}' for name in TOOLS if name != 'kafka-console-producer')}."""


def main(arguments):
    if arguments:
        name, *rest = arguments
        if name not in TOOLS:
            raise SystemExit(f"there is no Kafka tool {name} here; there are {', '.join(TOOLS)}")
        command = tool(name, *rest)
        os.execvp(command[0], command)
    for port in _PORT, _CONTROLLER_PORT:
        if not port_is_free(port):
            raise SystemExit(f"port {port} is taken; is another Kafka running?")
    directory = REPOSITORY / "build" / release()
    broker = Broker(directory, {1: (_PORT, _CONTROLLER_PORT)}, host="localhost", heap="512m")
    return serve(broker, _greeting(directory))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
