"""Hostile requests, as one table: a name, the bytes, and the statuses that come back before the connection ends.

Where two statuses are right, as for another version of HTTP, they stand in a tuple. An empty list: no answer is due,
since what was sent is no whole request. The client half-closes after the bytes, so that everything comes to an end.
"""

import contextlib
import json
from dataclasses import dataclass

from .wire import Closed

BODY_MAX = 65_536
HEAD_MAX = 16_384
USER = "0190a6b2-7e1c-7c3a-9d2b-5f8e4a1c6d70"
REPORT = "0190a6b2-7e1c-7c3a-9d2b-5f8e4a1c6d71"
CHANGE = json.dumps({"id": REPORT, "status": "queued"}).encode()


@dataclass(frozen=True)
class Route:
    method: str
    path: str
    status: int  # of a sound request
    name: str = ""  # its parameter
    others: str = ""  # the rest of its query
    body: bytes | None = None
    content_type: str = ""

    def __str__(self):
        return f"{self.method} {self.path}"

    @property
    def value(self):
        return USER if self.name == "user_id" else "hostile"

    def line(self, query=None, method=None):
        """The request line; `query` in place of the sound one."""
        sound = "&".join(part for part in (f"{self.name}={self.value}" if self.name else "", self.others) if part)
        query = sound.encode() if query is None else query
        return f"{method or self.method} {self.path}".encode() + (b"?" + query if query else b"") + b" HTTP/1.1\r\n"

    def with_value(self, value):
        others = f"&{self.others}".encode() if self.others else b""
        return self.request(self.line(self.name.encode() + b"=" + value + others))

    def request(self, line=None, fields=b"", body=None, host=b"Host: a\r\n"):
        body = self.body if body is None else body
        if self.content_type:
            fields += f"Content-Type: {self.content_type}\r\n".encode()
        if body is not None:
            fields += b"Content-Length: %d\r\n" % len(body)
        return (line or self.line()) + host + fields + b"\r\n" + (body or b"")

    def framed(self, framing, rest):
        """With framing fields and all that follows the head written by hand."""
        fields = f"Content-Type: {self.content_type}\r\n".encode() if self.content_type else b""
        return self.line() + b"Host: a\r\n" + fields + framing + b"\r\n" + rest


ROUTES = [
    Route("GET", "/v1/sse", 200, "username"),
    *(
        route
        for version in ("v2", "v3")
        for route in (
            Route("GET", f"/{version}/sse", 200, "username"),
            Route("POST", f"/{version}/message", 202, "username", body=b"x"),
            Route("POST", f"/{version}/messages", 202, body=b"", content_type="application/x-ndjson"),
        )
    ),
    Route("GET", "/v4/sse", 200, "user_id"),
    Route("POST", "/v4/new/report", 201, "user_id", body=b""),
    Route("GET", "/v4/reports", 200, "user_id"),
    Route("GET", "/v4/report", 404, "user_id", f"report_id={REPORT}"),
    Route("PUT", "/v4/report", 404, "user_id", body=CHANGE, content_type="application/json"),
    Route("GET", "/v4/report/history", 404, "user_id", f"report_id={REPORT}"),
    Route("GET", "/healthz", 200),
    Route("GET", "/readyz", 200),
    Route("GET", "/metrics", 200),
    Route("GET", "/nowhere", 404),
]
STREAMS = [route for route in ROUTES if route.path.endswith("/sse")]
READERS_OF_BODIES = [route for route in ROUTES if route.body]

BAD_VALUES = {
    "an empty name": b"",
    "a lone percent sign": b"%",
    "half an escape": b"%4",
    "an escape that is none": b"%zz",
    "a signed escape": b"%+1",
    "NUL in a name": b"a%00b",
    "a line break in a name": b"a%0d%0aX:%20y",
    "DEL in a name": b"%7f",
    "an overlong form in a name": b"%C0%AF",
    "a surrogate in a name": b"%ED%A0%80",
    "a code point past the last in a name": b"%F4%90%80%80",
    "half a character in a name": b"%F0%9F%A6",
    "raw bytes in a name": b"\xff\xfe",
    "a name of 257 bytes": b"a" * 257,
    "a name of 15 KB": b"a" * 15_000,
    "a name of 5,000 escapes": b"%41" * 5000,
    "a colon in a name": b"a%3Ab",
}


def of_parameters(route):
    yield "no parameter", route.request(route.line(b"")), [400]
    for name, value in BAD_VALUES.items():
        yield name, route.with_value(value), [400]
    sound = route.value.encode()
    yield "the parameter twice", route.with_value(sound + f"&{route.name}=b".encode()), [400]
    yield "the parameter as a list", route.request(route.line(f"{route.name}[]=a".encode())), [400]
    yield "a bad escape in another parameter", route.with_value(sound + b"&x=%"), [400]
    yield "5,000 other parameters", route.with_value(sound + b"&x" * 5000), [route.status]
    yield "ampersands only besides", route.with_value(sound + b"&" * 10_000), [route.status]
    yield "equals signs only besides", route.with_value(sound + b"&" + b"=" * 10_000), [route.status]


def of_every_route(route):
    line = route.line()
    long_head = route.request(fields=b"X: " + b"y" * HEAD_MAX + b"\r\n")
    yield "a method that is none", route.request(route.line(method="BREW")), [404 if route.path == "/nowhere" else 405]
    yield "a head that is too large", long_head, [431]
    yield "a flood of headers", line + b"Host: a\r\n" + b"a: b\r\n" * 100_000 + b"\r\n", [431]
    yield "no Host", route.request(host=b""), [400]
    yield "two Hosts", route.request(host=b"Host: a\r\nHost: b\r\n"), [400]
    yield "a folded header", route.request(fields=b"X: a\r\n b\r\n"), [400]
    yield "NUL in a header", route.request(fields=b"X: a\0b\r\n"), [400]
    both = b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n"
    yield "both framings", route.framed(both, b"0\r\n\r\nGET /metrics HTTP/1.1\r\nHost: a\r\n\r\n"), [400]
    yield "two lengths", route.framed(b"Content-Length: 1\r\nContent-Length: 2\r\n", b"xx"), [400]
    yield "a body that is too large, as declared", route.framed(b"Content-Length: %d\r\n" % (BODY_MAX + 1), b""), [413]
    too_much = b"%x\r\n" % (BODY_MAX + 1) + b"x" * 1000
    yield "a chunk that is too large", route.framed(b"Transfer-Encoding: chunked\r\n", too_much), [413]
    small_chunks = b"400\r\n" + b"x" * 1024 + b"\r\n"
    yield "chunks that are too large together", route.framed(b"Transfer-Encoding: chunked\r\n", small_chunks * 65), [413]
    yield "a bad chunk size", route.framed(b"Transfer-Encoding: chunked\r\n", b"x\r\n"), [400]
    yield "a body that ends early", route.framed(b"Content-Length: 10\r\n", b"x"), []
    yield "chunks that end early", route.framed(b"Transfer-Encoding: chunked\r\n", b"5\r\nx"), []
    if route not in STREAMS:
        yield "nonsense behind it", route.request() + b"\0\1\2", [route.status, 400]
    else:
        yield "nonsense behind it", route.request() + b"\0\1\2", [200]
    if route.method != "GET":
        yield "a foreign origin", route.request(fields=b"Origin: http://evil.example\r\n"), [403]
        yield "an origin that is none", route.request(fields=b"Origin: \xff://\r\n"), [403]


def of_streams(route):
    yield "an Accept that excludes it", route.request(fields=b"Accept: text/html\r\n"), [406]
    yield "an Accept of commas", route.request(fields=b"Accept: " + b"," * 15_000 + b"\r\n"), [(200, 406)]
    yield "an Accept of weights", route.request(fields=b"Accept: */*" + b";q=1" * 3000 + b"\r\n"), [200]
    if route.path == "/v1/sse":
        return
    for name, id in {
        "an id of raw bytes": b"\xff\xfe\x80",
        "an id of quotes": b'"\\"\\\\</script>',
        "an id past 64 bits": b"0-99999999999999999999999999",
        "a negative id": b"0--1",
        "an id of 1,024 bytes": b"a" * 1024,
    }.items():
        yield name, route.request(fields=b"Last-Event-ID: " + id + b"\r\n"), [200]
    yield "an id of 1,025 bytes", route.request(fields=b"Last-Event-ID: " + b"a" * 1025 + b"\r\n"), [400]
    yield "two ids", route.request(fields=b"Last-Event-ID: a\r\nLast-Event-ID: b\r\n"), [400]
    yield "two ids in the query", route.with_value(route.value.encode() + b"&last_event_id=a&last_event_id=b"), [400]


JSON_BODIES = {
    "no JSON": b"{",
    "a lone value": b"1",
    "brackets without end": b"[" * 60_000,
    "objects within each other": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    "a number of 60,000 digits": b'{"id":' + b"9" * 60_000 + b"}",
    "bytes that are not UTF-8": b'{"username":"\xff","data":"\xff","id":"\xff","status":"\xff"}',
    "half a surrogate pair": b'{"username":"\\ud800","data":"x","id":"\\ud800","status":"queued"}',
    "NUL in a string": b'{"username":"a\\u0000b","data":"x","id":"a\\u0000b","status":"queued"}',
    "other types": b'{"username":[],"data":{},"id":7,"status":null}',
    "a byte order mark": b'\xef\xbb\xbf{"username":"a","data":"x"}',
}


def of_bodies():
    for route in ROUTES:
        if route.path.endswith("/messages"):
            for name, body in JSON_BODIES.items():
                yield f"{name} in {route}", route.request(body=body), [202]
            yield f"30,000 bad lines in {route}", route.request(body=b"x\n" * 30_000), [202]
            form = Route(route.method, route.path, 415, body=b"a=b", content_type="text/plain")
            yield f"another type in {route}", form.request(), [415]
        elif route.method == "PUT":
            for name, body in JSON_BODIES.items():
                yield f"{name} in {route}", route.request(body=body), [400]
            body = CHANGE.replace(b"queued", b"q" * 50_000)
            yield f"an unknown status of 50 KB in {route}", route.request(body=body), [422]
            yield f"two versions in {route}", route.request(fields=b"If-Match: 1\r\nIf-Match: 2\r\n"), [400]
            yield f"a version past 64 bits in {route}", route.request(fields=b"If-Match: " + b"9" * 30 + b"\r\n"), [400]
        elif route.path.endswith("/message"):
            for name, body in {"raw bytes": b"\xff", "half a character": b"\xf0\x9f", "a surrogate": b"\xed\xa0\x80"}.items():
                yield f"{name} in {route}", route.request(body=body), [400]
            for name, event in {"a line break": b"a%0Ab", "a reserved name": b"stream-open", "257 bytes": b"e" * 257}.items():
                query = b"username=hostile&event=" + event
                yield f"{name} as the type in {route}", route.request(route.line(query)), [400]
            yield f"line breaks only in {route}", route.request(body=b"\r\n" * 30_000), [202]
        elif route.path == "/v4/reports":
            for limit in (b"0", b"-1", b"1001", b"1e2", b"9" * 40, b"%00"):
                yield f"{limit[:6]!r} as the limit", route.with_value(USER.encode() + b"&limit=" + limit), [400]
            yield "a bad cursor", route.with_value(USER.encode() + b"&cursor=%27%20OR%201=1--"), [400]
        elif route.path == "/v4/new/report":
            yield "a key of 129 bytes", route.request(fields=b"Idempotency-Key: " + b"k" * 129 + b"\r\n"), [400]
            yield "two keys", route.request(fields=b"Idempotency-Key: a\r\nIdempotency-Key: b\r\n"), [400]


GET = b"GET /healthz HTTP/1.1\r\nHost: a\r\n"
POST = b"POST /v2/message?username=hostile HTTP/1.1\r\nHost: a\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
SMUGGLED = b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n"
AFTER_LINE = b"Host: a\r\n\r\n"

# Of no route: the request line, the framing, what is smuggled, and the tongues of other protocols.
LINES = {
    "a method alone": (b"GET\r\n\r\n", [400]),
    "four words": (b"GET /healthz HTTP/1.1 x\r\n" + AFTER_LINE, [400]),
    "tabs for blanks": (b"GET\t/healthz\tHTTP/1.1\r\n" + AFTER_LINE, [400]),
    "a form feed": (b"GET\x0c/healthz HTTP/1.1\r\n" + AFTER_LINE, [400]),
    "a blank behind the version": (b"GET /healthz HTTP/1.1 \r\n" + AFTER_LINE, [400]),
    "a method in lower case": (b"get /healthz HTTP/1.1\r\n" + AFTER_LINE, [405]),
    "a method of 15 KB": (b"A" * 15_000 + b" /healthz HTTP/1.1\r\n" + AFTER_LINE, [405]),
    "a method with a quote": (b'G"T /healthz HTTP/1.1\r\n' + AFTER_LINE, [400]),
    "a method of raw bytes": (b"\xc3\x9c /healthz HTTP/1.1\r\n" + AFTER_LINE, [400]),
    "a path of 15 KB": (b"GET /" + b"a" * 15_000 + b" HTTP/1.1\r\n" + AFTER_LINE, [404]),
    "a path of raw bytes": (b"GET /\xff\xfe HTTP/1.1\r\n" + AFTER_LINE, [404]),
    "HTTP/0.9": (b"GET /healthz\r\n", []),
    "HTTP/1.2": (b"GET /healthz HTTP/1.2\r\n" + AFTER_LINE, [(400, 505)]),
    "HTTP/1.10": (b"GET /healthz HTTP/1.10\r\n" + AFTER_LINE, [400]),
    "HTTP/01.1": (b"GET /healthz HTTP/01.1\r\n" + AFTER_LINE, [400]),
    "HTTP/2.0 in an HTTP/1 request": (b"GET /healthz HTTP/2.0\r\n" + AFTER_LINE, [(400, 505)]),
    "a signed version": (b"GET /healthz HTTP/+1.1\r\n" + AFTER_LINE, [400]),
    "HTTPS for a version": (b"GET /healthz HTTPS/1.1\r\n" + AFTER_LINE, [400]),
    "the way up": (b"GET /../../../etc/passwd HTTP/1.1\r\n" + AFTER_LINE, [404]),
    "the way up, escaped": (b"GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\n" + AFTER_LINE, [404]),
    "the way up, escaped twice": (b"GET /%252e%252e/etc/passwd HTTP/1.1\r\n" + AFTER_LINE, [404]),
    "the way up with backslashes": (b"GET /..\\..\\etc\\passwd HTTP/1.1\r\n" + AFTER_LINE, [404]),
    "NUL in the path": (b"GET /healthz%00 HTTP/1.1\r\n" + AFTER_LINE, [404]),
    "a bad escape in the path": (b"GET /%zz HTTP/1.1\r\n" + AFTER_LINE, [400]),
    "half an escape in the path": (b"GET /healthz% HTTP/1.1\r\n" + AFTER_LINE, [400]),
    "a fragment": (b"GET /healthz#x HTTP/1.1\r\n" + AFTER_LINE, [404]),
    "two slashes": (b"GET //healthz HTTP/1.1\r\n" + AFTER_LINE, [404]),
    "two slashes at the end": (b"GET /healthz// HTTP/1.1\r\n" + AFTER_LINE, [404]),
    "a star with GET": (b"GET * HTTP/1.1\r\n" + AFTER_LINE, [400]),
    "CONNECT": (b"CONNECT a:443 HTTP/1.1\r\n" + AFTER_LINE, [400]),
    "an authority": (b"GET a:80 HTTP/1.1\r\n" + AFTER_LINE, [400]),
    "a query alone": (b"GET ?x HTTP/1.1\r\n" + AFTER_LINE, [400]),
    "a scheme alone": (b"GET http:// HTTP/1.1\r\n" + AFTER_LINE, [400]),
    "a target without a host": (b"GET http:///healthz HTTP/1.1\r\n" + AFTER_LINE, [400]),
    "a target with a user": (b"GET http://u:p@a/healthz HTTP/1.1\r\n" + AFTER_LINE, [400]),
    "another scheme": (b"GET ftp://a/healthz HTTP/1.1\r\n" + AFTER_LINE, [400]),
    "a file": (b"GET file:///etc/passwd HTTP/1.1\r\n" + AFTER_LINE, [400]),
}
HEADS = {
    "4,000 headers within the limit": (GET + b"a:\r\n" * 4000 + b"\r\n", [200]),
    "a cookie of 100 KB": (GET + b"Cookie: " + b"a=b; " * 20_000 + b"\r\n\r\n", [431]),
    "a header's name of 16 KiB": (GET + b"a" * HEAD_MAX + b": b\r\n\r\n", [431]),
    "a head of a megabyte without end": (GET + b"a" * 1_000_000, [431]),
    "a request line of a megabyte": (b"GET /" + b"a" * 1_000_000, [431]),
    "empty lines only": (b"\r\n" * 20_000, []),
    "line feeds only": (b"\n" * 20_000, [400]),
    "carriage returns only": (b"\r" * 20_000, [400]),
    "an expectation that is none": (POST + b"Expect: 200-ok\r\nContent-Length: 1\r\n\r\nx", [417]),
    "two expectations": (POST + b"Expect: 100-continue, x\r\nContent-Length: 1\r\n\r\nx", [417]),
    "an expectation of nothing": (GET + b"Expect: 100-continue\r\n\r\n", [200]),
    "a connection of nonsense": (GET + b"Connection: ,,;=keep-alive,close,\xff\r\n\r\n", [400]),
    "an upgrade to a web socket": (GET + b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n", [200]),
    "a range": (GET + b"Range: bytes=0-0,-1,9-1" + b",1-2" * 3000 + b"\r\n\r\n", [200]),
    "a request id of nonsense": (GET + b"X-Request-Id: a b\"<>\r\n\r\n", [200]),
    "a request id of 10 KB": (GET + b"X-Request-Id: " + b"a" * 10_000 + b"\r\n\r\n", [200]),
    "forwarded addresses of nonsense": (GET + b"X-Forwarded-For: " + b"::1,x," * 2000 + b"\r\n\r\n", [200]),
}
FRAMING = {
    "the same length twice": (POST + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\nx", [400]),
    "a list of one length": (POST + b"Content-Length: 1, 1\r\n\r\nx", [400]),
    "a length past 64 bits": (POST + b"Content-Length: 18446744073709551616\r\n\r\n", [400]),
    "the largest length": (POST + b"Content-Length: 18446744073709551615\r\n\r\n", [(400, 413)]),
    "a length of 5,000 digits": (POST + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n", [400]),
    "a length in other digits": (POST + "Content-Length: ١\r\n\r\nx".encode(), [400]),
    "a fraction for a length": (POST + b"Content-Length: 1.0\r\n\r\nx", [400]),
    "a length with an exponent": (POST + b"Content-Length: 1e0\r\n\r\nx", [400]),
    "a length behind a blank name": (POST + b"Content-Length : 1\r\n\r\nx", [400]),
    "a length's name with a low line": (POST + b"Content_Length: 50\r\n\r\n", [202]),
    "a coding behind a tab": (POST + b"Transfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n", [400]),
    "a coding after a vertical tab": (POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", [400]),
    "a coding before NUL": (POST + b"Transfer-Encoding: chunked\0\r\n\r\n0\r\n\r\n", [400]),
    "a coding in quotes": (POST + b'Transfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n', [400]),
    "a coding before a comma": (POST + b"Transfer-Encoding: chunked,\r\n\r\n0\r\n\r\n", [400]),
    "a coding after a comma": (POST + b"Transfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n", [400]),
    "a coding behind a bare CR": (POST + b"X: y\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", [400]),
    "a coding behind a bare LF": (POST + b"X: y\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", [400]),
    "a coding that is folded": (POST + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", [400]),
    "chunks with HTTP/1.0": (b"POST /healthz HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED, [400]),
    "a request in the body of a GET": (GET + b"Content-Length: %d\r\n\r\n" % len(SMUGGLED) + SMUGGLED, [200]),
    "a request in the chunk of a GET": (
        GET + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % len(SMUGGLED) + SMUGGLED + b"\r\n0\r\n\r\n",
        [200],
    ),
    "a request behind both framings": (POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED, [400]),
    "a request behind an end of chunks in a length": (POST + b"Content-Length: 5\r\n\r\n0\r\n\r\n" + SMUGGLED, [202, 200]),
    "a request behind a bad one": (GET + b"X : y\r\n\r\n" + SMUGGLED * 100, [400]),
    "the second of two requests without a Host": (GET + b"\r\nGET /metrics HTTP/1.1\r\n\r\n" + SMUGGLED, [200, 400]),
}
CHUNK_SIZES = {
    "an empty size": b"\r\n",
    "an extension without a size": b";x\r\n",
    "a size behind a blank": b" 1\r\nx\r\n",
    "a size before a blank": b"1 \r\nx\r\n",
    "a size with a low line": b"1_0\r\n",
    "a size with 0X": b"0X1\r\nx\r\n",
    "a size of 17 digits": b"10000000000000000\r\n",
    "a size past a line's limit": b"0" * 5000 + b"1\r\nx\r\n",
    "an extension past a line's limit": b"1;" + b"x" * 5000 + b"\r\nx\r\n",
    "100 trailers": b"0\r\n" + b"a: b\r\n" * 100 + b"\r\n",
    "a trailer past a line's limit": b"0\r\na: " + b"b" * 5000 + b"\r\n\r\n",
    "a trailer without a name": b"0\r\n: b\r\n\r\n",
    "a chunk without its end": b"1\r\nxy\r\n0\r\n\r\n",
    "a size that ends in CR CR LF": b"1\r\r\nx\r\n0\r\n\r\n",
    "a size of raw bytes": b"\xff\r\n",
}
CHUNKS = {name: (CHUNKED + sent, [400]) for name, sent in CHUNK_SIZES.items()} | {
    "the largest size": (CHUNKED + b"ffffffffffffffff\r\n", [413]),
    "the largest signed size": (CHUNKED + b"7fffffffffffffff\r\n", [413]),
    "a size that wraps the sum": (CHUNKED + b"1\r\nx\r\nffffffffffffffff\r\n", [413]),
    "a trailer that gives a length": (CHUNKED + b"1\r\nx\r\n0\r\nContent-Length: 9\r\n\r\n" + SMUGGLED, [202, 200]),
    "60,000 chunks of a byte": (CHUNKED + b"1\r\nx\r\n" * 60_000 + b"0\r\n\r\n", [202]),
    "no end of the last chunk": (CHUNKED + b"1\r\nx\r\n0\r\n", []),
}
TONGUES = {
    "TLS": (bytes.fromhex("16030102000100 01fc0303") + bytes(range(200)), [400]),
    "SSL 2": (bytes.fromhex("802e0100020015000000 10010080"), [400]),
    "SSH": (b"SSH-2.0-OpenSSH_9.2\r\n", []),
    "SMTP": (b"EHLO a\r\nMAIL FROM:<a@b>\r\n", []),
    "Redis": (b"*1\r\n$4\r\nPING\r\n", []),
    "memcached": (b"stats items\r\n", []),
    "SOCKS 5": (b"\x05\x01\x00", [400]),
    "RDP": (bytes.fromhex("0300001300e00000000000000100080003000000"), [400]),
    "the PROXY protocol": (b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n" + GET + b"\r\n", [400]),
    "the PROXY protocol in binary": (b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + bytes(12), [400]),
    "FastCGI": (bytes.fromhex("0101000100080000"), [400]),
    "MQTT": (b"\x10\x10\0\4MQTT\4\2\0\x3c\0\4demo", [400]),
    "Kafka": (bytes.fromhex("0000002300120003000000010007"), [400]),
    "zeros": (b"\0" * 100_000, [400]),
    "ones": (b"\xff" * 100_000, [431]),
}


def _table():
    table = {}

    def add(name, data, statuses):
        assert name not in table, name
        table[name] = (data, statuses)

    for group in (LINES, HEADS, FRAMING, CHUNKS, TONGUES):
        for name, (data, statuses) in group.items():
            add(name, data, statuses)
    for route in ROUTES:
        for name, data, statuses in of_every_route(route):
            add(f"{name} at {route}", data, statuses)
        for name, data, statuses in of_parameters(route) if route.name else ():
            add(f"{name} at {route}", data, statuses)
        for name, data, statuses in of_streams(route) if route in STREAMS else ():
            add(f"{name} at {route}", data, statuses)
    for name, data, statuses in of_bodies():
        add(name, data, statuses)
    return table


TABLE = _table()


def send(connection, pieces):
    """Sends all and half-closes; a server that has heard enough may have ended the connection before."""
    with contextlib.suppress(BrokenPipeError, ConnectionResetError, OSError):
        connection.send_in_pieces(pieces)
        connection.finish_sending()


def statuses(connection):
    """Of all the answers up to the end of the connection; each must be whole and well-formed."""
    found = []
    with contextlib.suppress(Closed):
        while True:
            response = connection.read_head()
            if response.status >= 200:
                found.append(response.status)
            if (response.header("Content-Type") or "").startswith("text/event-stream"):
                connection.read_to_end()
            else:
                connection.read_exactly(int(response.header("Content-Length") or 0))
    assert not connection.received, "something that is no answer came last"
    return found
