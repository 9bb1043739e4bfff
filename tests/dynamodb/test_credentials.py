"""How requests to DynamoDB are signed, and where the keys come from."""

import contextlib
import datetime
import http.server
import json
import threading

import pytest

from harness.dynamodb import FORWARD, refusal
from harness.reports import ReportUser
from harness.stores import dynamodb_settings
from harness.waiting import wait_until
from signatures import FIRST, LOCAL, NOTHING, PROFILES, SECOND, THIRD, check_signature, environment, key_id_of

def use(server):
    """Requests of every kind, small and large."""
    user = ReportUser(server)
    reports = [user.create(key="é key" if number else None)["reportId"] for number in range(2)]
    user.change(reports[0], "queued")
    user.get("reports")
    user.history(reports[0])
    user.opened(resume="earliest").take(2)


@pytest.fixture
def start_with(dynamodb, proxy, start_server):
    """start_with(variables): a server with these variables for the SDKs, and no others."""

    def start(variables, settings=None, **options):
        env = NOTHING | variables
        return start_server(dynamodb_settings(dynamodb, proxy.endpoint) | (settings or {}), env=env, **options)

    return start


@pytest.mark.parametrize("credentials", [FIRST, SECOND], ids=["a key pair", "a session"])
@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1"])
def test_every_request_is_signed_as_aws_asks(proxy, start_with, credentials, region):
    use(start_with(environment(credentials), {"dynamodb.region": region}))
    assert {request.operation for request in proxy.requests} >= {
        *("GetItem", "PutItem", "BatchGetItem", "Query", "TransactWriteItems")
    }
    for request in proxy.requests:
        check_signature(request, proxy.endpoint, credentials, region)


def test_without_credentials_an_endpoint_of_ones_own_gets_the_local_pair(proxy, start_with):
    use(start_with({}))
    for request in proxy.requests:
        check_signature(request, proxy.endpoint, LOCAL)


@pytest.mark.parametrize(
    ("profile", "expected"), [(None, FIRST), ("default", FIRST), ("worker", SECOND), ("empty", LOCAL), ("none", LOCAL)]
)
@pytest.mark.parametrize("place", ["home", "variable"])
def test_a_profile_comes_from_the_credentials_file(proxy, start_with, tmp_path, place, profile, expected):
    file = tmp_path / ".aws" / "credentials"
    file.parent.mkdir()
    file.write_text(PROFILES)
    variables = {"HOME": str(tmp_path)} if place == "home" else {"AWS_SHARED_CREDENTIALS_FILE": str(file)}
    use(start_with(variables | ({"AWS_PROFILE": profile} if profile else {})))
    for request in proxy.requests:
        check_signature(request, proxy.endpoint, expected)


def test_the_environment_comes_before_the_file(proxy, start_with, tmp_path):
    file = tmp_path / "credentials"
    file.write_text(PROFILES)
    use(start_with(environment(THIRD) | {"AWS_SHARED_CREDENTIALS_FILE": str(file)}))
    check_signature(proxy.requests[-1], proxy.endpoint, THIRD)


class ContainerEndpoint:
    """What a container's agent serves: a key pair for who has the token, for `lives` seconds each."""

    def __init__(self):
        self.credentials, self.lives, self.token = SECOND, 3600, None
        self.fails = 0  # so many answers to come are 500
        self.asked = 0
        endpoint = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                endpoint.asked += 1
                if endpoint.fails:
                    endpoint.fails -= 1
                    return self.send_error(500)
                if self.path != "/pair?x=1" or self.headers["Authorization"] != endpoint.token:
                    return self.send_error(403)
                self.send_response(200)
                self.end_headers()
                self.wfile.write(json.dumps(endpoint.answer()).encode())

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.variables = {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"http://127.0.0.1:{self._server.server_address[1]}/pair?x=1"
        }
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def answer(self):
        expires = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=self.lives)
        return {
            "AccessKeyId": self.credentials.access_key,
            "SecretAccessKey": self.credentials.secret_key,
            "Token": self.credentials.token,
            "Expiration": expires.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }

    def close(self):
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def container():
    with contextlib.closing(ContainerEndpoint()) as one:
        yield one


def test_a_containers_endpoint_gives_a_session(proxy, start_with, container):
    container.fails = 2
    use(start_with(container.variables))
    for request in proxy.requests:
        check_signature(request, proxy.endpoint, SECOND)
    assert container.asked == 3, "they hold for an hour"


@pytest.mark.parametrize("place", ["variable", "file"])
def test_a_containers_endpoint_is_asked_with_its_token(proxy, start_with, container, tmp_path, place):
    container.token = "Basic a+b/c="
    (tmp_path / "token").write_text(container.token + "\n")
    if place == "file":
        variables = {"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(tmp_path / "token")}
    else:
        variables = {"AWS_CONTAINER_AUTHORIZATION_TOKEN": container.token}
    use(start_with(container.variables | variables))
    check_signature(proxy.requests[-1], proxy.endpoint, SECOND)


def test_a_containers_pair_is_renewed_before_it_expires(proxy, start_with, container):
    container.lives = 6
    server = start_with(container.variables)
    user = ReportUser(server)
    user.create()
    container.credentials = THIRD
    renewed_by = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=6)

    def is_renewed():
        user.get("reports")
        return key_id_of(proxy.requests[-1]) == THIRD.access_key

    wait_until(is_renewed, "the new pair to be used")
    assert datetime.datetime.now(datetime.UTC) < renewed_by
    check_signature(proxy.requests[-1], proxy.endpoint, THIRD)


def test_while_a_containers_endpoint_fails_the_pair_that_still_holds_is_used(proxy, start_with, container):
    container.lives = 4
    server = start_with(container.variables)
    user = ReportUser(server)
    report = user.create()["reportId"]
    container.fails = 10**9

    def is_refused():
        response = user.get("report", report_id=report)
        if response.status == 200:
            assert key_id_of(proxy.requests[-1]) == SECOND.access_key
            return False
        assert response.status == 503
        return "container's endpoint gives no credentials" in response.json()["detail"]

    asked = container.asked
    wait_until(is_refused, "the pair to expire")
    assert container.asked > asked
    container.fails = 0
    wait_until(lambda: server.get("/readyz").status == 200, "the pair to be there again")
    assert user.change(report, "queued")["version"] == 2


@pytest.mark.parametrize(
    "variables",
    [
        {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://192.0.2.1/pair"},
        {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1.example.org/pair"},
        {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "pair"},
    ],
    ids=lambda variables: "".join(variables.values()),
)
def test_an_endpoint_that_would_give_the_token_away_is_not_asked(start_with, variables):
    server = start_with(variables, until="/healthz")
    detail = ReportUser(server).post().json()["detail"]
    assert "AWS_CONTAINER_CREDENTIALS" in detail


def test_without_an_endpoint_and_without_credentials_nothing_is_asked_of_aws(start_server):
    server = start_server({"store": "dynamodb"}, env=NOTHING, until="/healthz")
    response = ReportUser(server).post()
    assert response.status == 503 and "no AWS credentials are found" in response.json()["detail"]


def test_an_expired_session_is_looked_up_again_at_once(proxy, start_with, tmp_path):
    file = tmp_path / "credentials"
    file.write_text(PROFILES)
    server = start_with({"AWS_SHARED_CREDENTIALS_FILE": str(file)})
    user = ReportUser(server)
    user.create()
    file.write_text(PROFILES.replace(FIRST.access_key, THIRD.access_key).replace(FIRST.secret_key, THIRD.secret_key))

    def spoil(request):
        is_old = key_id_of(request) == FIRST.access_key
        return refusal("ExpiredTokenException", prefix="com.amazon.coral.service#", message="old") if is_old else FORWARD

    proxy.spoil = spoil
    assert user.get("reports").status == 200
    check_signature(proxy.requests[-1], proxy.endpoint, THIRD)
