"""V4's reports in a file: what outlives the process, and what happens when file or disk are not as they should be."""

import contextlib
import os
import resource
import sqlite3
import subprocess
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness.event_stream import Comment
from harness.reports import ReportUser, told
from harness.server import binary, clean_environment, free_port
from harness.waiting import PATIENCE, wait_until

pytestmark = pytest.mark.sanitizer

STORE = "sqlite:reports.db"


def refused_start(directory, store, *before):
    """Starts a server that must refuse its store: exit 1 and one line on why, which is returned."""
    arguments = ["serve", "--listen", f"127.0.0.1:{free_port()}", "--store", store]
    done = subprocess.run(
        [*before, binary(), *arguments],
        cwd=directory,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 1, done.stderr
    assert done.stdout == ""
    said = [line for line in done.stderr.splitlines() if "ERROR" in line]
    assert len(said) == 1 and f"store {store} cannot be opened: " in said[0], done.stderr
    return said[0]


# What outlives the process


def test_without_a_setting_reports_are_kept_in_rillgate_db(start_server):
    server = start_server({"store": None})
    ReportUser(server).create()
    assert (server.directory / "rillgate.db").stat().st_size > 0


def test_a_restart_changes_nothing_that_a_client_sees(start_server):
    server = start_server({"store": STORE})
    user = ReportUser(server)
    report = user.create(key="first")["reportId"]
    user.change(report, "queued", "processing")
    user.create()

    def seen():
        answer = user.get("reports")
        events = user.opened(resume="earliest").take(4)
        return answer.json(), answer.header("Last-Event-ID"), user.history(report), events

    before = seen()
    assert server.stop() == 0
    server.start()
    assert seen() == before
    assert user.change(report, "failed")["version"] == 4


def test_an_idempotency_key_is_known_after_a_restart(start_server):
    server = start_server({"store": STORE})
    user = ReportUser(server)
    report = user.create(key="k")
    assert server.stop() == 0
    server.start()
    again = user.post({"Idempotency-Key": "k"})
    assert (again.status, again.json()) == (200, report)
    assert user.create(key="l")["reportId"] > report["reportId"], "new reports are still the newest"


# What no notice tells of


def put_event_behind_the_servers_back(server, report, version, status):
    """Makes a change as another node would: the store has it, and this process is not told."""
    with contextlib.closing(sqlite3.connect(server.directory / "reports.db", timeout=PATIENCE)) as database, database:
        id = uuid.UUID(report).bytes
        database.execute("UPDATE reports SET version = ?, status = ? WHERE report = ?", (version, status, id))
        database.execute(
            "INSERT INTO changes (user, seq, report, version, status, at)"
            " SELECT user, (SELECT max(seq) FROM changes WHERE user = reports.user) + 1,"
            " report, version, status, updated_at FROM reports WHERE report = ?",
            (id,),
        )


def test_an_event_that_no_notice_told_of_is_found_by_the_recheck(start_server):
    server = start_server({"store": STORE, "reports.recheck": "100ms"})
    user = ReportUser(server)
    report = user.create()["reportId"]
    streams = [user.opened() for _ in range(5)]
    put_event_behind_the_servers_back(server, report, 2, "queued")
    for stream in streams:
        assert told(stream.next_event()) == (report, 2, "queued")


def test_an_event_that_no_notice_told_of_comes_before_the_next_one(start_server):
    server = start_server({"store": STORE, "reports.recheck": "1d"})
    user = ReportUser(server)
    report = user.create()["reportId"]
    streams = [user.opened() for _ in range(5)]
    put_event_behind_the_servers_back(server, report, 2, "queued")
    user.change(report, "processing")
    for stream in streams:
        assert [told(event) for event in stream.take(2)] == [(report, 2, "queued"), (report, 3, "processing")]


# A file that is not as it should be


@pytest.mark.parametrize("path", ["reports.db", "./reports.db", "link.db"])
def test_a_second_process_on_the_same_file_is_refused_and_the_first_goes_on(start_server, path):
    server = start_server({"store": STORE})
    user = ReportUser(server)
    report = user.create()["reportId"]
    (server.directory / "link.db").symlink_to("reports.db")
    assert f"process {server.process.pid} uses it" in refused_start(server.directory, f"sqlite:{path}")
    assert user.change(report, "queued")["version"] == 2


def test_a_file_of_a_newer_version_is_refused_and_left_as_it_is(start_server):
    server = start_server({"store": STORE})
    ReportUser(server).create()
    assert server.stop() == 0
    file = server.directory / "reports.db"
    with contextlib.closing(sqlite3.connect(file)) as database:
        database.execute("PRAGMA user_version = 99")
    before = file.read_bytes()
    assert "newer Rillgate" in refused_start(server.directory, STORE)
    assert file.read_bytes() == before


def test_what_is_no_store_is_refused(tmp_path):
    (tmp_path / "text.db").write_text("not a database, but long enough to be one " * 50)
    assert "not an SQLite database" in refused_start(tmp_path, "sqlite:text.db")
    with contextlib.closing(sqlite3.connect(tmp_path / "other.db")) as other:
        other.execute("CREATE TABLE x (y)")
    assert "another program" in refused_start(tmp_path, "sqlite:other.db")
    assert "directory" in refused_start(tmp_path, "sqlite:nowhere/reports.db")
    (tmp_path / "folder.db").mkdir()
    assert "cannot be opened" in refused_start(tmp_path, "sqlite:folder.db")


def test_a_file_that_may_only_be_read_is_refused(start_server):
    server = start_server({"store": STORE})
    ReportUser(server).create()
    assert server.stop() == 0
    (server.directory / "reports.db").chmod(0o444)
    # Root may write anything, unless it gives up its capabilities.
    as_anybody = ["setpriv", "--bounding-set", "-all", "--inh-caps", "-all"] if os.geteuid() == 0 else []
    assert "may only be read" in refused_start(server.directory, STORE, *as_anybody)


# A full disk


class SmallFileSystem:
    """A file system of 1 MiB, filled by a file beside the store's."""

    def __init__(self, path):
        self._path = path
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", path], check=True)

    def fill(self, _):
        with contextlib.suppress(OSError), open(self._path / "ballast", "wb", buffering=0) as ballast:
            while True:
                ballast.write(bytes(1024))

    def make_room(self, _):
        subprocess.run(["mount", "-o", "remount,size=64m", self._path], check=True)

    def remove(self):
        subprocess.run(["umount", self._path], check=True)


class FileSizeLimit:
    """A limit on the size of each file that the server writes: what a quota looks like, and needs no rights."""

    def __init__(self, path):
        self._path = path

    def fill(self, server):
        self._limit(server, (self._path / "reports.db-wal").stat().st_size)

    def make_room(self, server):
        self._limit(server, resource.RLIM_INFINITY)

    @staticmethod
    def _limit(server, size):
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    def remove(self):
        pass


def kinds_of_disk():
    """Who may mount sees both; the limit alone proves the same where no one may."""
    done = subprocess.run(["unshare", "--mount", "true"], capture_output=True)
    return [FileSizeLimit] + [SmallFileSystem] * (done.returncode == 0)


@pytest.fixture(params=kinds_of_disk(), ids=lambda kind: kind.__name__)
def disk(request, tmp_path):
    (tmp_path / "disk").mkdir()
    one = request.param(tmp_path / "disk")
    yield one
    one.remove()


@pytest.fixture
def server_on_disk(disk, start_server, tmp_path):
    """Depends on the disk, and so ends before it."""
    return start_server({"store": f"sqlite:{tmp_path}/disk/reports.db", "keepalive.interval": "50ms"})


def refusal_of(user, report, status):
    response = user.put(report, status)
    assert response.status == 503, response.body
    assert response.header("Content-Type") == "application/problem+json"
    assert int(response.header("Retry-After")) >= 1
    return response.json()["detail"]


def test_a_full_disk_refuses_changes_with_the_reason_and_nothing_else(disk, server_on_disk):
    server = server_on_disk
    user = ReportUser(server)
    stream = user.opened()
    report = user.create()["reportId"]
    assert told(stream.next_event()) == (report, 1, "pending")
    disk.fill(server)
    for status in ["queued", "canceled"] * 10:
        assert "disk is full" in refusal_of(user, report, status)
    assert "disk is full" in user.post({"Idempotency-Key": "k"}).json()["detail"]

    assert [(one["reportId"], one["version"]) for one in user.get("reports").json()] == [(report, 1)]
    assert isinstance(stream.next(), Comment), "the stream is open and was told nothing"
    assert user.stream(resume="earliest").take(2)[1].type == "report_created", "new ones open"
    assert server.get("/healthz").status == 200

    disk.make_room(server)
    assert user.change(report, "canceled")["version"] == 2
    assert user.post({"Idempotency-Key": "k"}).status == 201, "what was refused had not used the key up"
    assert [told(event)[1:] for event in stream.take(2)] == [(2, "canceled"), (1, "pending")]


def test_while_the_disk_is_full_readyz_says_so(disk, server_on_disk):
    """Reading still works; that must not count as being back, else a load balancer sends changes here again."""
    server = server_on_disk
    user = ReportUser(server)
    report = user.create()["reportId"]
    disk.fill(server)
    refusal_of(user, report, "queued")
    asked_for = time.monotonic() + 2  # longer than the server takes to look whether the store is back
    while time.monotonic() < asked_for:
        user.report(report)
        response = server.get("/readyz")
        assert response.status == 503
        store = next(one for one in response.json()["dependencies"] if one["name"] == "store")
        assert store == {"name": "store", "status": "down", "reason": "its disk is full"}
    assert server.log().count("the report store is down") == 1

    disk.make_room(server)
    wait_until(lambda: server.get("/readyz").status == 200, "the store to be found back")
    assert user.change(report, "queued")["version"] == 2


def test_when_the_disk_fills_under_load_every_answer_is_the_truth(disk, server_on_disk):
    server = server_on_disk
    users = [ReportUser(server) for _ in range(4)]
    reports = {user.create()["reportId"]: user for user in users for _ in range(4)}
    streams = [(user, user.opened(resume="earliest")) for user in users]

    def change_until_refused(report, user):
        statuses = ["pending"]
        with server.connect() as connection:
            while True:
                status = "canceled" if statuses[-1] == "pending" else "pending"
                response = user.put(report, status, connection=connection)
                if response.status != 200:
                    assert response.status == 503 and "disk is full" in response.json()["detail"]
                    return statuses
                statuses.append(status)

    with ThreadPoolExecutor(len(reports)) as pool:
        made = {report: pool.submit(change_until_refused, report, user) for report, user in reports.items()}
        disk.fill(server)
        made = {report: statuses.result() for report, statuses in made.items()}
    disk.make_room(server)
    for report, user in reports.items():
        made[report].append("canceled" if made[report][-1] == "pending" else "pending")
        user.change(report, made[report][-1])
        assert [entry["to"] for entry in user.history(report)] == made[report]
    for user, stream in streams:
        mine = [report for report in reports if reports[report] is user]
        events = [told(event) for event in stream.take(sum(len(made[report]) for report in mine))]
        for report in mine:
            expected = [(report, number, status) for number, status in enumerate(made[report], 1)]
            assert [event for event in events if event[0] == report] == expected
