"""DynamoDB Local, for people (`./dev dynamodb`) and for tests.

    python -m servers.dynamodb              on localhost:8000, until Ctrl-C; its data stays in build/dynamodb
    python -m servers.dynamodb COMMAND …    on a free port and in memory, while COMMAND runs, which finds its address in
                                            RILLGATE_TEST_DYNAMODB; exits with its status
"""

import os
import signal
import socket
import subprocess
import sys
import tempfile

from .java import REPOSITORY, JavaServer, java, port_is_free, serve

_PORT = 8000
_MAIN = "com.amazonaws.services.dynamodbv2.local.main.ServerRunner"


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


class DynamoDbLocal(JavaServer):
    """A DynamoDB of one process. With `is_kept` its data survives it, in its directory."""

    def __init__(self, directory, port=None, is_kept=False):
        super().__init__(directory)
        self.port = port or free_port()
        self._is_kept = is_kept

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self.port}"

    def command(self):
        data = ["-dbPath", self.directory] if self._is_kept else ["-inMemory"]
        options = [*self.OPTIONS, "-Xmx512m"]
        return java("dynamodb", _MAIN, "-sharedDb", "-disableTelemetry", "-port", self.port, *data, options=options)

    def is_ready(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
                connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
                return connection.recv(64).startswith(b"HTTP/1.1 400")
        except OSError:
            return False


def run_beside(command):
    """The exit status of a command that runs beside a DynamoDB Local."""
    with tempfile.TemporaryDirectory() as directory:
        server = DynamoDbLocal(directory).start()
        try:
            return subprocess.run(command, env=os.environ | {"RILLGATE_TEST_DYNAMODB": server.endpoint}).returncode
        finally:
            server.stop(signal.SIGKILL)


def main(arguments):
    if arguments:
        return run_beside(arguments)
    if not port_is_free(_PORT):
        raise SystemExit(f"port {_PORT} is taken; is another DynamoDB Local running?")
    directory = REPOSITORY / "build/dynamodb"
    greeting = f"""DynamoDB Local is on localhost:{_PORT}, its data in {directory.relative_to(REPOSITORY)}; Ctrl-C ends it.

Make the tables and point the server at it:
    ./dynamodb_local_init.sh
    ./dev run --store dynamodb --dynamodb.endpoint http://localhost:{_PORT}"""
    return serve(DynamoDbLocal(directory, _PORT, is_kept=True), greeting)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
