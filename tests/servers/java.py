"""Real servers that come as jars: fetched by Maven from the pom files beside this one, started, watched and ended.

Nothing here needs more than the standard library, since ./dev runs it with the system's Python.
"""

import ctypes
import fcntl
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
ATTEMPTS = 3  # a registry fails now and then
_COPY_DEPENDENCIES = "org.apache.maven.plugins:maven-dependency-plugin:2.8:copy-dependencies"
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)


def jars(name):
    """The folder with the jars that tests/servers/NAME/pom.xml asks for, fetched anew when the pom has changed."""
    pom = pathlib.Path(__file__).with_name(name) / "pom.xml"
    folder = REPOSITORY / "build/jars" / name
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(folder.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        fetched_for = folder / "pom.xml"
        if not fetched_for.exists() or fetched_for.read_bytes() != pom.read_bytes():
            _fetch(pom, folder)
    return folder


def _fetch(pom, folder):
    print(f"fetching the jars of {folder.name} into build/jars", file=sys.stderr, flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    options = ["-DincludeScope=runtime", f"-DoutputDirectory={folder}"]
    # -U, because Maven would remember a failed attempt for a day.
    command = ["mvn", "-B", "-q", "-ntp", "-U", "-Dstyle.color=never", "-f", str(pom), _COPY_DEPENDENCIES, *options]
    for attempt in range(1, ATTEMPTS + 1):
        if subprocess.run(command, stdin=subprocess.DEVNULL, stdout=sys.stderr).returncode == 0:
            shutil.copy(pom, folder / "pom.xml")
            return
        if attempt < ATTEMPTS:
            time.sleep(5 * attempt)
    raise SystemExit(f"Maven could not fetch the jars of {pom.relative_to(REPOSITORY)}; its messages above say why")


def java(name, main_class, *arguments, options=()):
    """The command line of a program in the jars of NAME."""
    return ["java", *options, "-cp", f"{jars(name)}/*", main_class, *map(str, arguments)]


def port_is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return not _fails(lambda: probe.bind(("127.0.0.1", port)))


def has_ipv6():
    """Whether `localhost` may mean ::1 here."""
    return not _fails(lambda: socket.create_server(("::1", 0), family=socket.AF_INET6).close())


def _fails(action):
    try:
        action()
    except OSError:
        return True
    return False


def _die_with_parent():
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class JavaServer:
    """A server process with a directory of its own. What it says is in the file `log` there.

    It dies with the thread that started it, so that no broken test run leaves one behind.
    """

    # Small and quick to start rather than fast for days.
    OPTIONS = ["-Xms64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData"]

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.log_path = self.directory / "log"
        self.process = None

    def command(self):
        raise NotImplementedError

    def is_ready(self):
        raise NotImplementedError

    def spawn(self):
        """Starts the process and returns without waiting for it."""
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                self.command(),
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # a Ctrl-C is for whoever started it, who then stops it
                preexec_fn=_die_with_parent,
            )
        return self

    def wait_until_ready(self, within=90):
        deadline = time.monotonic() + within
        while not self.is_ready():
            self._fail_if(self.process.poll() is not None, f"ended with {self.process.poll()} at start")
            self._fail_if(time.monotonic() > deadline, f"was not ready after {within} s")
            time.sleep(0.02)
        return self

    def start(self):
        return self.spawn().wait_until_ready()

    def stop(self, how=signal.SIGTERM, within=30):
        """Ends the process in good order, or at once with SIGKILL, also when it does not end in good order."""
        self.process.send_signal(how)
        try:
            self.process.wait(within)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def log(self):
        return self.log_path.read_text(errors="replace")

    def _fail_if(self, failed, what):
        if failed:
            raise RuntimeError(f"{type(self).__name__} {what}; the end of its log:\n{self.log()[-4000:]}")


def serve(server, greeting):
    """Runs a server in the foreground until it ends, or Ctrl-C or SIGTERM comes; returns an exit status."""
    for one in signal.SIGINT, signal.SIGTERM:
        signal.signal(one, signal.default_int_handler)
    try:
        server.start()
        print(greeting, flush=True)
        server.process.wait()
    except KeyboardInterrupt:
        server.stop()
        return 0
    except RuntimeError as failure:
        raise SystemExit(str(failure)) from None
    print(f"it ended with {server.process.returncode}; its log is {server.log_path}", file=sys.stderr)
    return 1
