"""update_report_status.sh: what it prints and how it exits, whatever the server says or whether there is one."""

import pathlib
import re
import socket
import subprocess
import threading
import uuid

import pytest

from harness.reports import STATUSES, ReportUser
from harness.server import Server, clean_environment, free_port
from harness.waiting import PATIENCE

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "update_report_status.sh"


@pytest.fixture(scope="module", params=["memory", "sqlite"])
def server(request, tmp_path_factory):
    store = "memory" if request.param == "memory" else "sqlite:reports.db"
    one = Server(tmp_path_factory.mktemp(request.param), {"store": store}).start()
    yield one
    assert not (fault := one.stop_and_find_faults()), fault


@pytest.fixture
def user(server):
    return ReportUser(server)


def update(url, *arguments, **environment):
    """Runs the script; returns its exit status, standard output and standard error."""
    variables = {"RILLGATE_URL": url} | environment
    done = subprocess.run(
        [SCRIPT, *arguments],
        env=clean_environment({name: value for name, value in variables.items() if value is not None}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def refusal(server):
    """Runs the script, which must fail: nothing on standard output, and one sentence, which is returned."""

    def run(*arguments, url=f"http://127.0.0.1:{server.port}", **environment):
        status, out, error = update(url, *arguments, **environment)
        assert (status, out) == (1, ""), error
        assert error.count("\n") == 1 and error.endswith("\n"), error
        return error

    return run


class OneAnswer:
    """A server that gives one answer to one request, and keeps the request."""

    def __init__(self, answer):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.request = b""
        self._thread = threading.Thread(target=self._serve, args=(answer,), daemon=True)
        self._thread.start()

    def _serve(self, answer):
        client, _ = self._listener.accept()
        with self._listener, client:
            client.settimeout(PATIENCE)
            while b"\r\n\r\n" not in self.request or not self.request.endswith(b"}"):
                self.request += client.recv(65536)
            client.sendall(answer)

    def finish(self):
        self._thread.join(PATIENCE)
        return self.request.decode()


def answer(status, body, content_type="application/problem+json"):
    head = f"HTTP/1.1 {status} X\r\nContent-Type: {content_type}\r\nContent-Length: {len(body.encode())}\r\n"
    return (head + "Connection: close\r\n\r\n" + body).encode()


def test_it_is_a_script_that_can_be_run():
    first = SCRIPT.read_text().splitlines()[0]
    assert first == "#!/usr/bin/env bash"
    assert SCRIPT.stat().st_mode & 0o111


def test_a_change_prints_the_new_state(server, user):
    report = user.create()["reportId"]
    url = f"http://127.0.0.1:{server.port}"
    assert update(url, user.id, report, "queued") == (0, f"report {report} is now queued\n", "")
    assert update(url + "/", user.id.upper(), report.upper(), "processing") == (
        0,
        f"report {report} is now processing\n",
        "",
    )
    assert user.report(report)["version"] == 3


def test_without_a_url_the_server_is_on_port_3000_of_localhost(server, user, tmp_path):
    (tmp_path / ".curlrc").write_text(f'connect-to = "localhost:3000:127.0.0.1:{server.port}"\n')
    report = user.create()["reportId"]
    status, out, _ = update(None, user.id, report, "queued", CURL_HOME=str(tmp_path))
    assert (status, out) == (0, f"report {report} is now queued\n")


def test_a_change_that_the_table_has_not_prints_what_is_allowed(user, refusal):
    report = user.create()["reportId"]
    assert "a report that is pending cannot become completed; allowed: queued, canceled" in refusal(
        user.id, report, "completed"
    )
    user.change(report, "queued", "processing", "completed")
    assert "final" in refusal(user.id, report, "pending")


def test_an_unknown_report_is_said_so(server, user, refusal):
    report = user.create()["reportId"]
    other = ReportUser(server)
    assert f"user {other.id} has no report {report}" in refusal(other.id, report, "queued")
    unknown = str(uuid.uuid4())
    assert f"user {user.id} has no report {unknown}" in refusal(user.id, unknown, "queued")


def test_an_unknown_status_prints_those_that_are_known(user, refusal):
    said = refusal(user.id, user.create()["reportId"], "done")
    assert '"done" is not a status' in said and all(status in said for status in STATUSES)


@pytest.mark.parametrize(
    "name", ["", "demo", "a&user_id=b", "é 🤠", 'quote"d', "back\\slash", "%41", "a+b", "*", "#?", "$(id)"]
)
def test_what_is_no_uuid_is_shown_as_it_was_given(user, refusal, name):
    shown = name.replace("\\", "\\\\").replace('"', '\\"')
    assert f"the parameter 'user_id': \"{shown}\" is not a UUID" in refusal(name, str(uuid.uuid4()), "queued")
    assert f"the member 'id': \"{shown}\" is not a UUID" in refusal(user.id, name, "queued")
    assert f'"{shown}" is not a status' in refusal(user.id, str(uuid.uuid4()), name)


def test_a_server_that_cannot_serve_now_is_said_so_in_its_own_words():
    body = '{"title":"Service Unavailable","status":503,"detail":"the node is draining; ask \\"another\\" one"}\n'
    server = OneAnswer(answer(503, body))
    status, out, error = update(server.url, "u", "r", "queued")
    assert (status, out) == (1, "")
    assert error == 'refused (503): the node is draining; ask "another" one\n'


@pytest.mark.parametrize("arguments", [[], ["u"], ["u", "r"], ["u", "r", "queued", "x"], ["--help"]])
def test_another_number_of_arguments_prints_the_usage(arguments):
    status, out, error = update("http://127.0.0.1:9", *arguments)
    assert (status, out) == (1, "")
    assert error.startswith("usage: update_report_status.sh <userID> <reportID> <new-status>\n")
    assert "RILLGATE_URL" in error and "RILLGATE_TOKEN" in error


@pytest.mark.parametrize("url", ["http://127.0.0.1:FREE", "http://no.such.host.invalid:3000", "http://"])
def test_a_server_that_does_not_answer_is_said_so(url):
    url = url.replace("FREE", str(free_port()))
    status, out, error = update(url, "u", "r", "queued")
    assert (status, out) == (1, "")
    assert re.search("^no answer from .*RILLGATE_URL", error, re.MULTILINE), error


@pytest.mark.parametrize(
    ("status", "body"),
    [(200, "<html>hello</html>"), (200, "{}"), (200, ""), (404, "<html>not here</html>"), (502, ""), (301, "moved")],
)
def test_another_kind_of_server_is_said_so(status, body):
    server = OneAnswer(answer(status, body, "text/html"))
    exit_status, out, error = update(server.url, "u", "r", "queued")
    assert (exit_status, out) == (1, "")
    assert f"answered {status}" in error and "RILLGATE_URL" in error


def test_what_a_server_says_cannot_steer_the_terminal():
    server = OneAnswer(answer(400, '{"detail":"a\x1b[31mb\x07c\nd"}'))
    assert update(server.url, "u", "r", "queued")[2] == "refused (400): a [31mb c d\n"


def test_a_token_is_sent_as_a_header_and_never_shown_to_other_users(tmp_path):
    """curl's arguments stand in the process list; a curl before the real one in PATH writes down what they were."""
    seen = tmp_path / "arguments"
    (tmp_path / "curl").write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >{seen}\nPATH="${{PATH#*:}}" exec curl "$@"\n')
    (tmp_path / "curl").chmod(0o755)
    path = f"{tmp_path}:{clean_environment()['PATH']}"
    server = OneAnswer(answer(401, '{"detail":"the token has expired"}'))
    assert update(server.url, "u", "r", "queued", RILLGATE_TOKEN="s3cr3t.t0k3n", PATH=path)[0] == 1
    assert "Authorization: Bearer s3cr3t.t0k3n\r\n" in server.finish()
    assert "/v4/report?user_id=u" in seen.read_text() and "s3cr3t" not in seen.read_text()


@pytest.mark.parametrize("token", [None, ""])
def test_without_a_token_no_authorization_is_sent(token):
    server = OneAnswer(answer(401, '{"detail":"no"}'))
    assert update(server.url, "u", "r", "queued", RILLGATE_TOKEN=token)[0] == 1
    assert "authorization" not in server.finish().lower()


def test_a_token_of_two_lines_cannot_add_a_header(refusal):
    assert "RILLGATE_TOKEN" in refusal("u", "r", "queued", url="http://127.0.0.1:9", RILLGATE_TOKEN="a\r\nHost: evil")


def test_a_machine_without_curl_is_told_so(tmp_path):
    for name in "bash", "env":
        (tmp_path / name).symlink_to(f"/usr/bin/{name}")
    assert update("http://127.0.0.1:9", "u", "r", "queued", PATH=str(tmp_path))[2] == "curl is missing; install it\n"
