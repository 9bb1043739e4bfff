"""Clients that people use, not ours: each keeps the id of stream-open and resumes from it by itself.

clients/ holds one listener for each: npm's eventsource, Python's httpx-sse, and a Go module. A listener prints each
event as a line of JSON.
"""

import json
import pathlib
import queue
import shutil
import subprocess
import sys
import threading

import pytest

from harness.proxy import CuttableProxy
from harness.server import clean_environment
from harness.waiting import PATIENCE

CLIENTS = pathlib.Path(__file__).parent / "clients"


def build(*command, cwd):
    result = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=170)
    assert result.returncode == 0, f"{' '.join(command)} failed:\n{result.stdout}{result.stderr}"


@pytest.fixture(scope="module")
def npm(tmp_path_factory):
    folder = shutil.copytree(CLIENTS / "npm", tmp_path_factory.mktemp("npm") / "client")
    build("npm", "ci", "--no-audit", "--no-fund", cwd=folder)
    return ["node", str(folder / "listen.js")]


@pytest.fixture(scope="module")
def httpx_sse():
    return [sys.executable, str(CLIENTS / "listen_httpx_sse.py")]


@pytest.fixture(scope="module")
def go(tmp_path_factory):
    program = tmp_path_factory.mktemp("go") / "listen"
    build("go", "build", "-o", str(program), ".", cwd=CLIENTS / "go")
    return [str(program)]


class Listener:
    """A client's process; next() is the next event that it printed, stream-position aside."""

    def __init__(self, command, url):
        self.process = subprocess.Popen([*command, url], stdout=subprocess.PIPE, env=clean_environment())
        self._lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self._lines.put(json.loads(line))

    def next(self):
        while (event := self._lines.get(timeout=PATIENCE))["type"] == "stream-position":
            pass
        return event

    def close(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture(params=["npm", "httpx_sse", "go"])
def client(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def listening(start_server, client):
    """(server, proxy, listener) of a client that listens as `demo` through the proxy, its stream-open read."""
    server = start_server({"stream.retry": "200ms"})
    proxy = CuttableProxy(server.port)
    listener = Listener(client, f"http://127.0.0.1:{proxy.port}/v2/sse?username=demo")
    opened = listener.next()
    assert opened["type"] == "stream-open" and opened["data"] == "" and opened["id"]
    yield server, proxy, listener, opened
    listener.close()
    proxy.close()


def test_a_client_cut_before_its_first_event_resumes_from_stream_open(listening):
    server, proxy, listener, opened = listening
    proxy.cut()
    ids = [server.publish("demo", f"while away\n{number}")["id"] for number in range(3)]
    proxy.let_through()
    assert listener.next() == opened
    for number in range(3):
        assert listener.next() == {"type": "message", "data": f"while away\n{number}", "id": ids[number]}


def test_a_client_cut_again_and_again_gets_each_message_once(listening):
    server, proxy, listener, _ = listening
    number = 0
    for _ in range(5):
        for where in "open", "away":
            if where == "away":
                proxy.cut()
            for _ in range(3):
                server.publish("demo", f"{number} 🤠")
                number += 1
            if where == "open":
                assert [listener.next()["data"] for _ in range(3)] == [f"{n} 🤠" for n in range(number - 3, number)]
        proxy.let_through()
        assert listener.next()["type"] == "stream-open"
        assert [listener.next()["data"] for _ in range(3)] == [f"{n} 🤠" for n in range(number - 3, number)]


def test_a_client_is_told_of_a_restart_by_a_gap(listening):
    server, proxy, listener, _ = listening
    last = server.publish("demo", "before")["id"]
    assert listener.next()["data"] == "before"
    proxy.cut()
    server.process.kill()  # not even a good-bye
    server.process.wait()
    server.start()
    server.publish("demo", "after")
    proxy.let_through()
    gap = listener.next()
    assert gap["type"] == "stream-gap" and json.loads(gap["data"])["requested"] == last
    assert listener.next()["data"] == "after"


def test_a_client_survives_a_drain_and_comes_back(listening):
    server, _, listener, _ = listening
    assert server.stop() == 0
    assert listener.next()["type"] == "stream-close"
    server.start()
    while (event := listener.next())["type"] == "stream-close":
        pass
    assert event["type"] == "stream-gap"
    server.publish("demo", "after")
    assert listener.next()["data"] == "after"
