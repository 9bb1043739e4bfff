"""Reports as a client of V4 sees them: one user of one server, and the contract's table of transitions."""

import json
import uuid

from .event_stream import Stream
from .server import target

STATUSES = ("pending", "queued", "processing", "completed", "failed", "canceled")

# Written from the contract, independently of the server's table.
TRANSITIONS = {
    "pending": ["queued", "canceled"],
    "queued": ["processing", "canceled"],
    "processing": ["completed", "failed"],
    "completed": [],
    "failed": ["pending"],
    "canceled": ["pending"],
}

# From a new report to each status.
WAY_TO = {
    "pending": [],
    "queued": ["queued"],
    "processing": ["queued", "processing"],
    "completed": ["queued", "processing", "completed"],
    "failed": ["queued", "processing", "failed"],
    "canceled": ["canceled"],
}


class ReportUser:
    """A user. Every method takes `connection`, for many requests on one."""

    def __init__(self, server, id=None):
        self.server = server
        self.id = id or str(uuid.uuid4())

    def post(self, headers=(), connection=None):
        return (connection or self.server).request("POST", self.path("new/report"), headers, b"")

    def create(self, key=None, connection=None):
        """Makes a report and returns it."""
        response = self.post({"Idempotency-Key": key} if key else (), connection)
        assert response.status == 201, f"{response.head!r} {response.body!r}"
        return response.json()

    def create_at(self, status):
        """Makes a report, brings it to a status and returns it."""
        report = self.create()
        return self.change(report["reportId"], *WAY_TO[status]) or report

    def put(self, report, status, if_match=None, connection=None):
        return self.put_body(json.dumps({"id": report, "status": status}), if_match, connection)

    def put_body(self, body, if_match=None, connection=None, content_type="application/json"):
        headers = {} if content_type is None else {"Content-Type": content_type}
        if if_match is not None:
            headers["If-Match"] = if_match
        body = body.encode() if isinstance(body, str) else body
        return (connection or self.server).request("PUT", self.path("report"), headers, body)

    def change(self, report, *statuses, connection=None):
        """Makes the changes one after the other and returns the report after the last."""
        after = None
        for status in statuses:
            response = self.put(report, status, connection=connection)
            assert response.status == 200, f"{response.head!r} {response.body!r}"
            after = response.json()
        return after

    def get(self, path, connection=None, **query):
        return (connection or self.server).request("GET", self.path(path, **query))

    def report(self, report):
        response = self.get("report", report_id=report)
        assert response.status == 200, f"{response.head!r} {response.body!r}"
        return response.json()

    def history(self, report):
        response = self.get("report/history", report_id=report)
        assert response.status == 200, f"{response.head!r} {response.body!r}"
        return response.json()

    def stream(self, last_event_id=None, resume=None, headers=(), **options):
        """Opens a stream; `last_event_id` goes into the header, `resume` into the query."""
        pairs = list(headers.items()) if isinstance(headers, dict) else list(headers)
        if last_event_id is not None:
            pairs.append(("Last-Event-ID", last_event_id))
        return Stream(self.server.connect(**options), self.path("sse", last_event_id=resume), pairs)

    def opened(self, **options):
        """A stream, its first block read."""
        stream = self.stream(**options)
        assert stream.next_event().type == "stream-open"
        return stream

    def path(self, name, **query):
        return target(f"/v4/{name}", user_id=self.id, **query)


def table_of(server):
    """The server's own table: a repeat of the present status is refused, and the refusal says what is allowed."""
    user, table = ReportUser(server), {}
    for status in STATUSES:
        response = user.put(user.create_at(status)["reportId"], status)
        assert response.status == 409, response.body
        table[status] = response.json()["allowed"]
    return table


def told(event):
    """(report, version, status) of a stream's event."""
    data = json.loads(event.data)
    if event.type == "report_created":
        return data["reportId"], data["version"], data["reportStatus"]
    assert event.type == "report_status_update", event
    return data["id"], data["version"], data["status"]


def is_legal_walk(history):
    """Whether a report's history begins as it must, has each version once and takes only the table's steps."""
    return (
        [entry["version"] for entry in history] == list(range(1, len(history) + 1))
        and (history[0]["from"], history[0]["to"]) == (None, "pending")
        and all(step["from"] == before["to"] for before, step in zip(history, history[1:], strict=False))
        and all(step["to"] in TRANSITIONS[step["from"]] for step in history[1:])
    )
