"""The server under test as a process: started with its settings, watched, stopped, and its log searched for faults."""

import json
import os
import pathlib
import random
import re
import resource
import signal
import socket
import subprocess
import time
from urllib.parse import quote

from .event_stream import Stream
from .metrics import Metrics
from .waiting import PATIENCE, wait_until
from .wire import Closed, Connection

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
_FAULT = re.compile(
    r"^.*(?:ERROR: \w+Sanitizer|WARNING: \w+Sanitizer|SUMMARY: \w+Sanitizer|runtime error:|[Aa]ssertion .*failed|"
    r"terminate called|libc\+\+abi:).*$",
    re.MULTILINE,
)


def binary():
    """The program under test: RILLGATE_BIN, or the release build."""
    return str(pathlib.Path(os.environ.get("RILLGATE_BIN", REPOSITORY / "build/release/rillgate")).absolute())


def clean_environment(extra=None):
    """This process's environment without Rillgate's own variables, so that a developer's settings change no test."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RILLGATE_")}
    return kept | (extra or {})


def free_port():
    """A port below the range from which the system picks ports for outgoing connections, so that none takes it."""
    while True:
        port = random.randrange(10000, 30000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port


def flags(settings):
    """{"history.size": 3} as command-line arguments; a list repeats the flag."""
    arguments = []
    for name, value in settings.items():
        for one in value if isinstance(value, list) else [value]:
            arguments += [f"--{name}", str(one)]
    return arguments


def run(*arguments, env=None, cwd=None, within=PATIENCE):
    """The program run to its end; output as text."""
    return subprocess.run(
        [binary(), *arguments], env=clean_environment(env), cwd=cwd, capture_output=True, text=True, timeout=within
    )


def target(path, **query):
    """Path and query; each value is percent-encoded as UTF-8 (bytes: byte by byte)."""
    pairs = "&".join(f"{name}={quote(value, safe='')}" for name, value in query.items() if value is not None)
    return f"{path}?{pairs}" if pairs else path


class Origin:
    """Whatever speaks HTTP on `port` of 127.0.0.1."""

    port: int

    def connect(self, **options):
        return Connection(self.port, **options)

    def request(self, method, path, headers=(), body=None, within=PATIENCE):
        """One request on a connection of its own."""
        with self.connect() as connection:
            return connection.request(method, path, headers, body, within)

    def get(self, path, headers=()):
        return self.request("GET", path, headers)

    def post(self, path, body=b"", headers=()):
        return self.request("POST", path, headers, body.encode() if isinstance(body, str) else body)


class Server(Origin):
    """One server process on 127.0.0.1. Settings given here come before the few that keep tests quick and apart."""

    def __init__(
        self,
        directory,
        settings=None,
        env=None,
        arguments=(),
        command=("serve",),
        port=None,
        ready_port=None,
        descriptors=None,
    ):
        self.directory = pathlib.Path(directory)
        self.port = port or free_port()
        self._ready_port = ready_port or self.port  # differs where admin.listen moves /readyz away
        self.settings = {"listen": f"127.0.0.1:{self.port}", "store": "memory", "drain.period": "100ms"}
        self.settings |= settings or {}
        self._command, self._arguments = command, arguments
        self._env, self._descriptors = clean_environment(env), descriptors
        self._log_path = self.directory / "log"
        self.process = None
        self.allowed_exits = {0, -signal.SIGKILL}  # SIGKILL comes only from a test that means it

    def spawn(self):
        """Starts the process and returns without waiting for it."""
        given = [
            argument for name, value in self.settings.items() if value is not None for argument in flags({name: value})
        ]
        with open(self._log_path, "ab") as log:
            self.process = subprocess.Popen(
                [binary(), *self._command, *given, *self._arguments],
                cwd=self.directory,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=self._limit_descriptors if self._descriptors else None,
            )
        return self

    def start(self, path="/readyz"):
        """Starts the process and waits until it is ready, or, by /healthz, until it answers at all."""
        self.spawn()
        self.wait_until_up(path)
        return self

    def wait_until_up(self, path="/readyz"):
        wait_until(lambda: self._says_ok(path), f"the server to answer {path} with 200")

    def _limit_descriptors(self):
        resource.setrlimit(resource.RLIMIT_NOFILE, (self._descriptors, self._descriptors))

    def _says_ok(self, path):
        assert self.process.poll() is None, f"the server exited with {self.process.returncode} at start:\n{self.log()}"
        try:
            with Connection(self._ready_port) as connection:
                return connection.request("GET", path).status == 200
        except (ConnectionRefusedError, Closed):
            return False

    def stop(self, how=signal.SIGTERM, within=PATIENCE):
        """Signals and waits; returns the exit status (negative: killed by that signal)."""
        self.process.send_signal(how)
        return self.process.wait(within)

    def stop_and_find_faults(self):
        """For the end of a test: stops the server if it still runs; returns what is wrong with its end, or None."""
        if self.process is None:
            return None
        if self.process.poll() is None:
            try:
                self.stop()
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                return f"the server did not stop on SIGTERM; its log:\n{self.log()}"
        fault = _FAULT.search(self.log())
        if fault:
            return f"fault in the server's log: {fault[0]}\n{self.log()}"
        if self.process.returncode not in self.allowed_exits:
            return f"the server exited with {self.process.returncode}; its log:\n{self.log()}"
        return None

    def log(self):
        return self._log_path.read_text(errors="replace") if self._log_path.exists() else ""

    # Talking to it

    def publish(self, user, data, event=None, connection=None, version="v2"):
        """Posts a message and returns the answer's JSON."""
        body = data.encode() if isinstance(data, str) else data
        path = target(f"/{version}/message", username=user, event=event)
        response = (connection or self).request("POST", path, (), body)
        assert response.status == 202, f"{response.head!r} {response.body!r}"
        return response.json()

    def publish_all(self, entries):
        """Posts (user, data) pairs as NDJSON, in as many requests as the limit of a body asks for."""
        lines = [json.dumps({"username": user, "data": data}).encode() + b"\n" for user, data in entries]
        with self.connect() as connection:
            while lines:
                batch = b""
                while lines and len(batch) + len(lines[0]) <= 60_000:
                    batch += lines.pop(0)
                response = connection.request("POST", "/v2/messages", {"Content-Type": "application/x-ndjson"}, batch)
                assert response.status == 202 and response.json()["rejected"] == [], response.body

    def stream(self, user, version="v2", last_event_id=None, resume=None, headers=(), **options):
        """Opens a stream; `last_event_id` goes into the header, `resume` into the query."""
        pairs = list(headers.items()) if isinstance(headers, dict) else list(headers)
        if last_event_id is not None:
            pairs.append(("Last-Event-ID", last_event_id))
        path = target(f"/{version}/sse", username=user, last_event_id=resume)
        return Stream(self.connect(**options), path, pairs)

    # Watching it

    def metrics(self):
        response = self.get("/metrics")
        assert response.status == 200
        return Metrics(response.body.decode())

    def metric(self, name, **labels):
        return self.metrics().value(name, **labels)

    def wait_for_metric(self, name, wanted, within=PATIENCE, **labels):
        """Waits until the metric has this value, or, for a callable, until it says yes."""
        accepts = wanted if callable(wanted) else lambda value: value == wanted
        what = f"{name}{labels or ''} to be {'as wanted' if callable(wanted) else wanted}"
        wait_until(lambda: accepts(self.metric(name, **labels)), what, within)

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def resident_bytes(self):
        pages = int(pathlib.Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * resource.getpagesize()

    def wait_for_exit(self, within=PATIENCE):
        """The exit status, and the seconds that it took to come."""
        began = time.monotonic()
        return self.process.wait(within), time.monotonic() - began
