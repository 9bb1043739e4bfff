"""HAProxy before two nodes, with the configuration that operators get."""

import pathlib
import signal
import subprocess

from .server import REPOSITORY, Origin, clean_environment, free_port
from .waiting import PATIENCE, wait_until
from .wire import Closed

_PROGRAM = "/usr/sbin/haproxy"
_CONFIGURATION = REPOSITORY / "deploy/haproxy.cfg"


class Haproxy(Origin):
    def __init__(self, directory, nodes):
        self.port = free_port()
        self._log_path = pathlib.Path(directory) / "haproxy.log"
        addresses = {f"RILLGATE_NODE_{name}": f"127.0.0.1:{node.port}" for name, node in zip("AB", nodes, strict=True)}
        self._environment = clean_environment(addresses | {"RILLGATE_PROXY": f"127.0.0.1:{self.port}"})
        self._process = None

    def start(self):
        with open(self._log_path, "wb") as log:
            self._process = subprocess.Popen(
                [_PROGRAM, "-db", "-f", _CONFIGURATION],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        wait_until(self._answers, "HAProxy to reach a node")
        return self

    def _answers(self):
        assert self._process.poll() is None, self._log_path.read_text(errors="replace")
        try:
            return self.get("/v2/unknown").status == 404
        except (ConnectionRefusedError, Closed):
            return False

    def stop(self):
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(PATIENCE)
