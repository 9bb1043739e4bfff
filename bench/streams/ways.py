"""The servers that are compared: how each is built, started, and spoken to."""

import contextlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
PEERS = ROOT / "bench" / "peers"
PROGRAMS = ROOT / "build" / "bench"
BUILT = PROGRAMS / "peers"
NGINX_MODULES = pathlib.Path("/usr/lib/nginx/modules")
EVERYONE = "*"


class LeftOut(Exception):
    """This machine cannot run the way; the reason goes into the report."""


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def wait_for_port(port, process, log):
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.02)
    raise LeftOut(f"it did not start: {log.read_text(errors='replace').strip()[-300:]}")


def need(program):
    if shutil.which(program) is None:
        raise LeftOut(f"there is no {program}")


def build(command, directory):
    done = subprocess.run(command, cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        raise LeftOut(f"it does not build: {done.stdout.strip().splitlines()[-1]}")


class Way:
    """One server. `start` yields its process id and what stream_load must know to speak to it."""

    name = label = ""
    remark = ""  # what a reader of its figures must know

    def prepare(self):
        """Builds what is to be built, once; raises LeftOut where that cannot be."""

    def command(self, port, directory, scenario):
        raise NotImplementedError

    def speech(self, port, scenario):
        return {"publish-path": f"/v2/message?username={EVERYONE}" if scenario.to_all else "/v2/message?username=u{i}"}

    def helpers(self, port, directory):
        """Commands that must run beside it, each with the port that it listens on, if it has one."""
        return []

    def wait_until_ready(self, port):
        """For what listens before it can serve."""

    @contextlib.contextmanager
    def start(self, scenario, directory):
        port, log = free_port(), directory / "log"
        environment = {name: value for name, value in os.environ.items() if not name.startswith("RILLGATE_")}
        processes = []

        def spawn(command):
            with open(log, "ab") as output:
                process = subprocess.Popen(command, cwd=directory, env=environment, stdout=output, stderr=output)
            processes.append(process)
            return process

        try:
            for command, its_port in self.helpers(port, directory):
                helper = spawn(command)
                if its_port:
                    wait_for_port(its_port, helper, log)
            server = spawn(self.command(port, directory, scenario))
            wait_for_port(port, server, log)
            self.wait_until_ready(port)
            yield server.pid, {"port": port} | self.speech(port, scenario)
        finally:
            for process in reversed(processes):
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


class Limit(Way):
    name, label = "limit", "the limit: a program that only accepts and sends"

    def command(self, port, directory, scenario):
        return [PROGRAMS / "stream_limit", str(port), *(["join"] if scenario.joins else [])]


class Rillgate(Way):
    def __init__(self, threads, name, label):
        self.threads, self.name, self.label = threads, name, label

    def command(self, port, directory, scenario):
        listen = ["--listen", f"127.0.0.1:{port}", "--store", "memory", "--log.level", "error"]
        return [PROGRAMS / "rillgate", "serve", *listen, "--threads", str(self.threads)]


class Nchan(Way):
    name, label = "nchan", "nginx with Nchan, one worker"

    def prepare(self):
        if not (NGINX_MODULES / "ngx_nchan_module.so").exists():
            raise LeftOut("libnginx-mod-nchan is not installed")

    def command(self, port, directory, scenario):
        settings = (PEERS / "nchan.conf").read_text()
        for name, value in {"MODULES": NGINX_MODULES, "DIRECTORY": directory, "PORT": port}.items():
            settings = settings.replace(name, str(value))
        if os.geteuid() == 0:
            settings = "user root;\n" + settings  # its worker must reach the directory
        (directory / "nginx.conf").write_text(settings)
        return ["/usr/sbin/nginx", "-e", "stderr", "-c", directory / "nginx.conf"]

    def speech(self, port, scenario):
        if not scenario.to_all:
            return super().speech(port, scenario)
        return {"stream-path": "/v2/sse?username=all", "publish-path": "/v2/message?username=all"}


class Pushpin(Way):
    """What its origin and zurl use is not counted: they are asked once for each stream, and never for an event."""

    name, label = "pushpin", "Pushpin"
    remark = (
        "Pushpin answers a POST before it delivers, and delivers in the pauses between POSTs: to publishers that make none "
        "it delivers nothing in time. With 16 messages under way it was seen to deliver 580 a second, with 64 1,980."
    )

    def prepare(self):
        need("pushpin")
        need("zurl")
        need("node")

    def helpers(self, port, directory):
        self.origin, self.control = free_port(), free_port()
        # It asks the origin by zurl, which Debian runs as a service; here both have a directory of their own.
        specs = ["in_spec", "in_stream_spec", "out_spec", "in_req_spec"]
        lines = [f"{spec}=ipc://{directory}/zurl-{spec.removesuffix('_spec').replace('_', '-')}" for spec in specs]
        (directory / "zurl.conf").write_text("\n".join(["[General]", "max_open_requests=2000", "defpolicy=allow", *lines, ""]))
        return [
            (["node", PEERS / "pushpin_origin.mjs", str(self.origin)], self.origin),
            (["zurl", "--loglevel=0", f"--config={directory / 'zurl.conf'}"], None),
        ]

    def command(self, port, directory, scenario):
        (directory / "routes").write_text(f"* 127.0.0.1:{self.origin}\n")
        internal = pathlib.Path("/usr/lib/pushpin/internal.conf").read_text()
        (directory / "internal.conf").write_text(internal.replace("/var/run/zurl/", f"{directory}/"))
        (directory / "pushpin.conf").write_text(f"""[global]
include={directory}/internal.conf
rundir={directory}
ipc_prefix=bench-
[runner]
services=condure,pushpin-proxy,pushpin-handler
http_port=127.0.0.1:{port}
logdir={directory}
log_level=0
client_maxconn=50000
[proxy]
routesfile=routes
[handler]
push_in_spec=ipc://{{rundir}}/push
push_in_sub_specs=ipc://{{rundir}}/sub
command_spec=ipc://{{rundir}}/command
push_in_http_addr=127.0.0.1
push_in_http_port={self.control}
message_rate=1000000
message_hwm=1000000
""")
        return ["pushpin", "--config", directory / "pushpin.conf"]

    def wait_until_ready(self, port):
        request = b"GET /v2/sse?username=probe HTTP/1.1\r\nHost: bench\r\n\r\n"
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with contextlib.suppress(TimeoutError), socket.create_connection(("127.0.0.1", port), 1) as probe:
                probe.send(request)
                if b" 200 " in probe.recv(100):
                    return
        raise LeftOut("its parts did not find each other")

    def speech(self, port, scenario):
        channel = "all" if scenario.to_all else "u{i}"
        item = f'{{"channel":"{channel}","formats":{{"http-stream":{{"content":"data: {{m}}\\n\\n"}}}}}}'
        return {
            "publish-port": self.control,
            "connecting": 8,  # its origin's connections are few
            "stream-path": "/v2/sse?username=" + channel,
            "publish-path": "/publish/",
            "publish-field": "Content-Type: application/json",
            "publish-body": f'{{"items":[{item}]}}',
        }


class Axum(Way):
    name, label = "axum", "axum, by hand"

    def prepare(self):
        need("cargo")
        # Beside the other builds, with the lock that cargo writes.
        shutil.copytree(PEERS / "axum", BUILT / "axum", dirs_exist_ok=True)
        build(["cargo", "build", "--quiet", "--release"], BUILT / "axum")

    def command(self, port, directory, scenario):
        return [BUILT / "axum" / "target" / "release" / "axum_peer", str(port)]


class GoStandardLibrary(Way):
    name, label = "go", "Go's standard library, by hand"

    def prepare(self):
        need("go")
        BUILT.mkdir(parents=True, exist_ok=True)
        build(["go", "build", "-o", BUILT / "go_stdlib", "."], PEERS / "go_stdlib")

    def command(self, port, directory, scenario):
        return [BUILT / "go_stdlib", str(port)]


class NodeStandardLibrary(Way):
    name, label = "node", "Node's standard library, by hand"

    def prepare(self):
        need("node")

    def command(self, port, directory, scenario):
        return ["node", PEERS / "node_stdlib.mjs", str(port)]


def all_ways():
    cores = os.cpu_count() or 1
    return [
        Limit(),
        Rillgate(1, "rillgate", "Rillgate, one thread"),
        Rillgate(cores, "rillgate_cores", f"Rillgate, {cores} threads (one per core)"),
        Nchan(),
        Pushpin(),
        Axum(),
        GoStandardLibrary(),
        NodeStandardLibrary(),
    ]
