"""Signatures of captured requests. DynamoDB Local takes any, so each one is computed again from the request by botocore,
AWS's own implementation."""

import datetime

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

LOCAL = Credentials("rillgate", "rillgate")
# DynamoDB Local takes key ids of letters and digits; a secret may have any of base64's characters.
FIRST = Credentials("AKIAFIRST", "s3cret/with+all=of")
SECOND = Credentials("AKIASECOND", "another/secret+", "token//of+a==session")
THIRD = Credentials("AKIATHIRD", "third")

# For a process that is to find no credentials but the test's.
NOTHING = {
    "HOME": "/nonexistent",
    "AWS_SHARED_CREDENTIALS_FILE": "",
    "AWS_PROFILE": "",
    "AWS_ACCESS_KEY_ID": "",
    "AWS_SECRET_ACCESS_KEY": "",
    "AWS_SESSION_TOKEN": "",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI": "",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN": "",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "",
}


def environment(credentials):
    variables = {"AWS_ACCESS_KEY_ID": credentials.access_key, "AWS_SECRET_ACCESS_KEY": credentials.secret_key}
    return variables | ({"AWS_SESSION_TOKEN": credentials.token} if credentials.token else {})


def key_id_of(request):
    return request.header("Authorization").partition("Credential=")[2].partition("/")[0]


def check_signature(request, endpoint, credentials, region="us-east-1"):
    """Whether AWS would take the request for one of who has these credentials."""
    authorization = request.header("Authorization")
    algorithm, _, rest = authorization.partition(" ")
    assert algorithm == "AWS4-HMAC-SHA256"
    parts = dict(part.strip().split("=", 1) for part in rest.split(","))
    stamp = request.header("X-Amz-Date")
    assert parts["Credential"] == f"{credentials.access_key}/{stamp[:8]}/{region}/dynamodb/aws4_request"
    signed = parts["SignedHeaders"].split(";")
    names = [name.lower() for name, _ in request.headers]
    assert len(names) == len(set(names)), "none is repeated"
    assert {"host", "x-amz-date"} <= set(signed)
    assert {name for name in names if name.startswith("x-amz-")} <= set(signed), "AWS refuses what leaves one out"
    assert request.header("X-Amz-Security-Token") == credentials.token
    age = datetime.datetime.now(datetime.UTC).replace(tzinfo=None) - datetime.datetime.strptime(stamp, "%Y%m%dT%H%M%SZ")
    assert abs(age) < datetime.timedelta(minutes=5)

    again = AWSRequest("POST", endpoint + "/", data=request.body)
    for name in signed:
        again.headers[name] = request.header(name)
    again.context["timestamp"] = stamp
    auth = SigV4Auth(credentials, "dynamodb", region)
    assert parts["Signature"] == auth.signature(auth.string_to_sign(again, auth.canonical_request(again)), again)

PROFILES = f"""# people write these by hand
[default]
aws_access_key_id={FIRST.access_key}
aws_secret_access_key = {FIRST.secret_key}

[ worker ]
region = eu-west-1
  aws_access_key_id = {SECOND.access_key}\r
aws_secret_access_key={SECOND.secret_key}
aws_session_token = {SECOND.token}
[empty]
"""
