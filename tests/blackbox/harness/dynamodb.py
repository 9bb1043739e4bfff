"""What stands between the server and DynamoDB Local: an HTTP proxy that notes each request and can spoil its answer."""

import contextlib
import http.client
import http.server
import json
import socket
import threading
from dataclasses import dataclass

FORWARD = object()


@dataclass
class Captured:
    """A request as it came from the server."""

    headers: list  # (name, value), in order
    body: bytes

    def header(self, name):
        return next((value for one, value in self.headers if one.lower() == name.lower()), None)

    @property
    def operation(self):
        return self.header("X-Amz-Target").partition(".")[2]

    @property
    def json(self):
        return json.loads(self.body)


def refusal(name, status=400, prefix="com.amazonaws.dynamodb.v20120810#", **members):
    """An answer of DynamoDB's that refuses a request."""
    return status, json.dumps({"__type": prefix + name, **members}).encode()


class DynamoDbProxy:
    """Forwards to a DynamoDB Local.

    `spoil(request)` says what becomes of each request: FORWARD; "lose" forwards it and cuts the connection in place of
    the answer; "stall" never answers; (status, body) answers without forwarding; bytes are forwarded in place of its
    body.
    """

    def __init__(self, dynamodb):
        self._port = dynamodb.port
        self.spoil = lambda request: FORWARD
        self.requests = []
        self._is_over = threading.Event()
        proxy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self):
                super().setup()
                self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.upstream = http.client.HTTPConnection("127.0.0.1", proxy._port, timeout=30)

            def finish(self):
                self.upstream.close()
                with contextlib.suppress(OSError):
                    super().finish()

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                request = Captured(list(self.headers.items()), body)
                proxy.requests.append(request)
                with contextlib.suppress(OSError):
                    self._answer(request, proxy.spoil(request))

            def _answer(self, request, outcome):
                if outcome == "stall":
                    proxy._is_over.wait()
                    self.close_connection = True
                elif isinstance(outcome, tuple):
                    self._send(*outcome)
                else:
                    answer = self._forward(request, outcome if isinstance(outcome, bytes) else request.body)
                    if outcome == "lose":
                        self.close_connection = True
                    else:
                        self._send(*answer)

            def _forward(self, request, body):
                headers = {name: value for name, value in request.headers if name.lower() != "content-length"}
                self.upstream.request("POST", "/", body, headers)
                response = self.upstream.getresponse()
                return response.status, response.read()

            def _send(self, status, body):
                head = f"HTTP/1.1 {status} x\r\nContent-Type: application/x-amz-json-1.0\r\n"
                self.wfile.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def of(self, operation):
        return [request for request in self.requests if request.operation == operation]

    def changes(self):
        """The transactions that make changes; a probe has no token."""
        return [request for request in self.of("TransactWriteItems") if "ClientRequestToken" in request.json]

    def close(self):
        self._is_over.set()
        self._server.shutdown()
        self._server.server_close()


class Times:
    """A spoiler that does `outcome` to the first `count` requests of `operation`, then forwards."""

    def __init__(self, operation, count, outcome):
        self._operation, self.left, self._outcome = operation, count, outcome
        self._lock = threading.Lock()

    def __call__(self, request):
        if request.operation != self._operation:
            return FORWARD
        with self._lock:
            if self.left == 0:
                return FORWARD
            self.left -= 1
        return self._outcome(request) if callable(self._outcome) else self._outcome
