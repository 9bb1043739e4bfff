"""What an operator sees: health, metrics, settings, logs."""

import json
import re
import signal

import pytest

from harness.metrics import Metrics
from harness.server import free_port, run, target
from harness.waiting import wait_until
from harness.wire import Connection

pytestmark = pytest.mark.sanitizer


# Health


@pytest.mark.smoke
@pytest.mark.parametrize("path", ["/healthz", "/healthz/"])
def test_healthz_says_that_the_process_lives(server, path):
    assert server.get(path).status == 200


def test_readyz_is_json_with_one_line_a_dependency(server):
    response = server.get("/readyz")
    assert response.status == 200
    assert response.header("Content-Type") == "application/json"
    assert isinstance(response.json(), dict)


# Metrics

NAMES = {
    "rillgate_streams": "gauge",
    "rillgate_connections": "gauge",
    "rillgate_users": "gauge",
    "rillgate_events_in_total": "counter",
    "rillgate_events_out_total": "counter",
    "rillgate_bytes_out_total": "counter",
    "rillgate_queued_bytes": "gauge",
    "rillgate_delivery_seconds": "histogram",
    "rillgate_stream_ends_total": "counter",
    "rillgate_stream_gaps_total": "counter",
    "rillgate_history_bytes": "gauge",
    "rillgate_http_requests_total": "counter",
    "process_cpu_seconds_total": "counter",
    "process_resident_memory_bytes": "gauge",
    "process_open_fds": "gauge",
    "process_max_fds": "gauge",
    "process_start_time_seconds": "gauge",
}


def test_metrics_are_prometheus_text_with_the_names_of_the_contract(server, user):
    with server.stream(user) as stream:
        server.publish(user, "x")
        stream.take(2)
    response = server.get("/metrics")
    assert response.header("Content-Type").startswith("text/plain")
    types = Metrics(response.body.decode()).types
    assert {name: types.get(name) for name in NAMES} == NAMES


def test_metrics_count_what_happened(start_server):
    server = start_server()
    streams = [server.stream("a") for _ in range(3)]
    server.publish("a", "x" * 100)
    server.publish("nobody", "x")
    for stream in streams:
        stream.take(2)
    server.get("/nowhere")
    server.get("/v2/sse")
    server.wait_for_metric("rillgate_delivery_seconds_count", 3)
    metrics = server.metrics()
    assert metrics.value("rillgate_streams", version="v2") == 3
    assert metrics.value("rillgate_connections") >= 4
    assert metrics.value("rillgate_users") >= 1
    assert metrics.value("rillgate_events_in_total", version="v2") == 2
    assert metrics.value("rillgate_events_out_total", version="v2") == 3
    assert metrics.value("rillgate_bytes_out_total") >= 300
    assert metrics.value("rillgate_delivery_seconds_bucket", le="+Inf") == 3
    assert 0 < metrics.value("rillgate_delivery_seconds_sum") < 3
    assert metrics.value("rillgate_http_requests_total", route="/v2/message", code="202") == 2
    assert metrics.value("rillgate_http_requests_total", route="/v2/sse", code="400") == 1
    assert metrics.value("rillgate_http_requests_total", code="404") == 1
    assert metrics.value("process_open_fds") == pytest.approx(server.descriptors(), abs=3)


def test_a_path_that_a_caller_makes_up_makes_no_series_of_its_own(server):
    for number in range(20):
        server.get(f"/made-up-{number}")
        server.request(f"METHOD{number}", "/v2/sse")
    assert b"made-up" not in server.get("/metrics").body and b"METHOD" not in server.get("/metrics").body


def test_admin_listen_moves_the_operations_routes(start_server):
    admin = free_port()
    server = start_server({"admin.listen": f"127.0.0.1:{admin}"}, ready_port=admin)
    with Connection(admin) as connection:
        for path in "/healthz", "/readyz", "/metrics":
            assert connection.request("GET", path).status == 200
            assert server.get(path).status == 404
        assert connection.request("POST", "/v2/message?username=a", body=b"x").status == 404
    assert server.publish("a", "x")["streams"] == 0


# Settings


def retry_range(server):
    """The bounds within which the retry of this server's streams fall; shows which value of stream.retry it took."""
    retries = [server.stream("a").next_event().retry for _ in range(5)]
    return min(retries), max(retries)


@pytest.mark.parametrize(
    "flag, environment, file, expected",
    [
        ("100s", "10s", "1s", 100_000),
        (None, "10s", "1s", 10_000),
        (None, None, "1s", 1_000),
        ("100s", None, "1s", 100_000),
        (None, None, None, 2_000),
    ],
)
def test_a_flag_beats_the_environment_beats_the_file(start_server, tmp_path, flag, environment, file, expected):
    settings, env, arguments = {}, {}, []
    if flag:
        settings["stream.retry"] = flag
    if environment:
        env["RILLGATE_STREAM_RETRY"] = environment
    if file:
        (tmp_path / "rillgate.toml").write_text(f'[stream]\nretry = "{file}"\n')
        arguments = ["--config", str(tmp_path / "rillgate.toml")]
    low, high = retry_range(start_server(settings, env=env, arguments=arguments))
    assert expected / 2 <= low <= high <= expected * 3 / 2


def test_a_hyphen_in_a_name_is_an_underscore_in_the_environment(start_server):
    server = start_server(env={"RILLGATE_LIMITS_STREAMS_PER_USER": "1"})
    stream = server.stream("a")
    assert stream.next_event().type == "stream-open"
    assert server.get("/v2/sse?username=a").status == 503


def test_serve_may_be_left_out(start_server):
    server = start_server(command=())
    assert server.publish("a", "x")["streams"] == 0


GOOD_FILE = """
threads = 2
listen = ["127.0.0.1:3000", "[::1]:3000"]
store = "memory"
[keepalive]
interval = "15s"
text = "still here"
[history]
size = 5000
bytes = "2MiB"
ttl = "5m"
[limits]
body = "128KiB"
streams-per-user = 7
[cors]
origins = ["https://app.example"]
[log]
level = "debug"
format = "json"
"""


def test_check_config_accepts_a_sound_file(tmp_path):
    (tmp_path / "good.toml").write_text(GOOD_FILE)
    result = run("check-config", "--config", str(tmp_path / "good.toml"))
    assert result.returncode == 0, result.stderr


BAD_LINES = {
    3: 'size = "many"',
    4: 'ttl = "5 parsecs"',
    5: "sise = 5",
    7: 'level = "loud"',
    9: "body = -1",
    10: 'streams = "1KiB of them"',
    12: "x = 1",
}
BAD_FILE = "\n".join(
    [
        "# settings",
        "[history]",
        BAD_LINES[3],
        BAD_LINES[4],
        BAD_LINES[5],
        "[log]",
        BAD_LINES[7],
        "[limits]",
        BAD_LINES[9],
        BAD_LINES[10],
        "[nonsense]",
        BAD_LINES[12],
    ]  # fmt: skip
)


def test_check_config_names_each_mistake_with_its_line(tmp_path):
    path = tmp_path / "bad.toml"
    path.write_text(BAD_FILE)
    result = run("check-config", "--config", str(path))
    assert result.returncode == 1
    named = {int(line) for line in re.findall(r"bad\.toml:(\d+)", result.stderr)}
    assert {3, 4, 5, 7, 9, 10} <= named and named & {11, 12}, result.stderr
    for value in "many", "5 parsecs", "loud", "sise":
        assert value in result.stderr, "a message says the value given"
    for name in "history.size", "history.ttl", "log.level", "limits.body":
        assert name in result.stderr, "a message says the setting's name"


def test_check_config_names_a_syntax_error_and_a_missing_file(tmp_path):
    path = tmp_path / "broken.toml"
    path.write_text("[history]\nsize = = 3\n")
    result = run("check-config", "--config", str(path))
    assert result.returncode == 1 and "broken.toml:2" in result.stderr
    result = run("check-config", "--config", str(tmp_path / "nowhere.toml"))
    assert result.returncode == 1 and "nowhere.toml" in result.stderr


def test_check_config_warns_of_a_history_below_twice_the_streams_buffer(tmp_path):
    path = tmp_path / "small.toml"
    path.write_text('[history]\nbytes = "256KiB"\n[stream]\nbuffer = "200KiB"\n')
    result = run("check-config", "--config", str(path))
    assert result.returncode == 0
    assert "history.bytes" in result.stderr and "stream.buffer" in result.stderr


@pytest.mark.parametrize(
    "arguments, named",
    [
        (["--history.size", "many"], ["history.size", "many"]),
        (["--history.sise", "3"], ["history.sise", "history.size"]),
        (["--keepalive.interval", "15"], ["keepalive.interval", "15"]),
        (["--limits.body", "64 kilo"], ["limits.body", "64 kilo"]),
        (["--log.level", "loud"], ["log.level", "loud", "debug"]),
        (["--listen", "nowhere"], ["listen", "nowhere"]),
        (["--listen", "0.0.0.0:3000"], ["insecure-no-auth", "0.0.0.0"]),
        (["--keepalive.text", "a\ndata: forged"], ["keepalive.text"]),
        (["--store", "paper"], ["store", "paper"]),
    ],
)
def test_a_bad_setting_stops_the_start_and_is_named_with_its_value(arguments, named):
    result = run("serve", *arguments)
    assert result.returncode > 0
    for word in named:
        assert word in result.stderr


DEFAULTS = {
    "admin.listen": "none",
    "v1.period": "5s",
    "v1.keepalive": "1s",
    "keepalive.interval": "15s",
    "keepalive.text": "keep-alive-text",
    "stream.retry": "2s",
    "stream.buffer": "256KiB",
    "history.size": "10000",
    "history.bytes": "1MiB",
    "history.ttl": "5m",
    "history.memory": "256MiB",
    "drain.delay": "0s",
    "drain.period": "5s",
    "cors.origins": "none",
    "limits.body": "64KiB",
    "limits.streams": "100000",
    "limits.streams-per-user": "1000",
    "limits.streams-per-address": "0",
    "limits.requests-per-address": "0",
    "limits.queued-bytes": "1GiB",
    "limits.trusted-proxies": "none",
    "timeouts.head": "10s",
    "timeouts.body": "30s",
    "timeouts.idle": "75s",
    "log.level": "info",
    "log.format": "text",
    "store": "sqlite:rillgate.db",
}


def test_help_lists_all_settings_with_their_defaults():
    result = run("serve", "--help")
    assert result.returncode == 0
    paragraphs = re.split(r"(?m)^ *--(?=[a-z])", result.stdout)[1:]
    said = {paragraph.split()[0]: paragraph.rstrip().rpartition("default ")[2] for paragraph in paragraphs}
    assert {name: said.get(name) for name in DEFAULTS} == DEFAULTS
    assert "127.0.0.1:3000" in said["listen"] and "[::1]:3000" in said["listen"]
    assert {"threads", "config"} <= set(said)


def test_version_is_said():
    result = run("--version")
    assert result.returncode == 0 and re.search(r"\d+\.\d+\.\d+", result.stdout)


# Logs


def test_sighup_re_reads_the_log_level(start_server, tmp_path):
    path = tmp_path / "rillgate.toml"
    path.write_text('[log]\nlevel = "error"\n')
    server = start_server(arguments=["--config", str(path)])
    quiet = server.log()

    def log_after_requests():
        for number in range(5):
            server.get(f"/nowhere-{number}")
        return server.log()

    assert log_after_requests() == quiet
    path.write_text('[log]\nlevel = "debug"\n')
    server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: len(log_after_requests()) > len(quiet) + 100, "the log to grow")
    path.write_text('[log]\nlevel = "nonsense"\n')
    server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: "nonsense" in server.log(), "the mistake to be logged")
    assert server.get("/healthz").status == 200


def test_logs_hold_no_message_and_one_line_an_event_whatever_is_sent(start_server):
    server = start_server({"log.level": "trace", "log.format": "json"})
    stream = server.stream("a")
    server.publish("a", "a secret message")
    server.publish_all([("a", "a secret batch")])
    server.post("/v2/message?username=a", b"\xffa secret that is not UTF-8")
    server.get("/v2/sse?username=a:b&access_token=a-secret-token", {"Authorization": "Bearer a-secret-bearer"})
    server.get(target("/v2/sse", username='x"\n{"level":"forged"}\u2028'), {"X-Request-Id": 'y"\t{'})
    server.get("/nowhere", {"X-Request-Id": "given-by-the-caller"})
    stream.take(3)
    wait_until(lambda: "given-by-the-caller" in server.log(), "the request id to be logged")
    log = server.log()
    assert "secret" not in log
    for line in log.splitlines():
        assert isinstance(json.loads(line), dict), line


def test_logs_as_text_are_one_line_an_event(start_server):
    server = start_server({"log.level": "trace"})
    server.get(target("/v2/sse", username="x\nforged\r\x1b[31m"))
    server.publish("a", "a secret message")
    server.get("/nowhere", {"X-Request-Id": "given-by-the-caller"})
    wait_until(lambda: "given-by-the-caller" in server.log(), "the request id to be logged")
    assert "secret" not in server.log() and "\x1b" not in server.log()
    for line in server.log().splitlines():
        assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\S*Z? +\S*[A-Za-z]+", line), line
