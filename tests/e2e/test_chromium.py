"""A browser's own EventSource against the server."""

import http.server
import json
import threading

import pytest

from harness.proxy import CuttableProxy
from harness.waiting import wait_until

LISTEN = """url => {
  window.events = [];
  window.source = new EventSource(url);
  const note = event => window.events.push({type: event.type, data: event.data, id: event.lastEventId});
  for (const type of ['open', 'error', 'message', 'greeting', 'stream-open', 'stream-gap', 'stream-close']) {
    window.source.addEventListener(type, note);
  }
}"""


class Source:
    """An EventSource in a page, and what it has received so far."""

    def __init__(self, page, url):
        self._page = page
        page.evaluate(LISTEN, url)

    def events(self, *types):
        return [event for event in self._page.evaluate("window.events") if not types or event["type"] in types]

    def wait_for(self, count, *types):
        """The first `count` events of these types."""
        wait_until(lambda: len(self.events(*types)) >= count, f"{count} of {types} in the browser")
        return self.events(*types)[:count]

    def data(self, count, kind="message"):
        return [event["data"] for event in self.wait_for(count, kind)]

    def is_open(self):
        return self._page.evaluate("window.source.readyState") == 1


@pytest.fixture
def listen(page):
    """Opens an EventSource in a page of the server's own origin (what the page is does not matter)."""

    def open_source(port, path):
        page.goto(f"http://127.0.0.1:{port}/healthz")
        return Source(page, path)

    return open_source


def test_v1_greets_a_browser(start_server, listen):
    server = start_server({"v1.period": "300ms", "v1.keepalive": "100ms"})
    source = listen(server.port, "/v1/sse?username=demo")
    assert source.data(3) == ["hi!"] * 3
    assert [event["type"] for event in source.events()][0] == "open"


def test_v2_reaches_a_browser_with_types_lines_and_ids(server, listen, user):
    source = listen(server.port, f"/v2/sse?username={user}")
    opened = source.wait_for(1, "stream-open")[0]
    assert opened["data"] == "" and opened["id"]
    ids = [
        server.publish(user, "Howdy 🤠 from version 2️⃣")["id"],
        server.publish(user, "a\nb\r\nc\rd")["id"],
        server.publish(user, "")["id"],
        server.publish(user, "to you", event="greeting")["id"],
        server.publish(user, "x" * 60000)["id"],
    ]
    got = source.wait_for(5, "message", "greeting")
    assert [event["data"] for event in got] == ["Howdy 🤠 from version 2️⃣", "a\nb\nc\nd", "", "to you", "x" * 60000]
    assert [event["type"] for event in got] == ["message", "message", "message", "greeting", "message"]
    assert [event["id"] for event in got] == ids


def test_onopen_fires_before_any_event_and_stream_open_does_not_reach_onmessage(server, listen, user):
    source = listen(server.port, f"/v2/sse?username={user}")
    source.wait_for(1, "stream-open")
    assert [event["type"] for event in source.events()] == ["open", "stream-open"]


@pytest.fixture
def cuttable(start_server):
    server = start_server({"stream.retry": "200ms"})
    proxy = CuttableProxy(server.port)
    yield server, proxy
    proxy.close()


def test_a_browser_cut_before_its_first_event_resumes_from_stream_open(cuttable, listen):
    server, proxy = cuttable
    source = listen(proxy.port, "/v2/sse?username=demo")
    opened = source.wait_for(1, "stream-open")[0]
    proxy.cut()
    for number in range(3):
        server.publish("demo", f"while away {number}")
    proxy.let_through()
    assert source.data(3) == [f"while away {number}" for number in range(3)]
    assert [event["id"] for event in source.wait_for(2, "stream-open")] == [opened["id"]] * 2


def test_a_browser_cut_again_and_again_gets_each_message_once(cuttable, listen):
    server, proxy = cuttable
    source = listen(proxy.port, "/v2/sse?username=demo")
    source.wait_for(1, "stream-open")
    for round_ in range(3):
        server.publish("demo", f"{round_} open")
        source.data(2 * round_ + 1)
        proxy.cut()
        server.publish("demo", f"{round_} away")
        proxy.let_through()
        source.data(2 * round_ + 2)
    assert source.data(6) == [f"{round_} {where}" for round_ in range(3) for where in ("open", "away")]


def test_a_browser_is_told_of_a_restart_by_a_gap(start_server, listen):
    server = start_server({"stream.retry": "200ms"})
    source = listen(server.port, "/v2/sse?username=demo")
    opened = source.wait_for(1, "stream-open")[0]
    assert server.stop() == 0
    assert source.wait_for(1, "stream-close")
    server.start()
    gap = source.wait_for(1, "stream-gap")[0]
    assert json.loads(gap["data"]) == {"requested": opened["id"], "oldest": None}
    server.publish("demo", "after")
    assert source.data(1) == ["after"]


def test_a_refused_browser_comes_back_by_itself(start_server, listen):
    server = start_server({"limits.streams": 1, "stream.retry": "200ms"})
    with server.stream("other") as other:
        other.next_event()
        source = listen(server.port, "/v2/sse?username=demo")
        source.wait_for(3, "stream-close")
    assert source.wait_for(1, "stream-open")
    server.publish("demo", "to you")
    assert source.data(1) == ["to you"]


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.send_header("Content-Type", "text/html")
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def elsewhere():
    """The address of a page of another origin."""
    one = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=one.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{one.server_port}"
    one.shutdown()
    one.server_close()


def test_a_page_of_a_listed_origin_may_listen_and_post(start_server, page, elsewhere):
    server = start_server({"cors.origins": elsewhere})
    page.goto(elsewhere)
    source = Source(page, f"http://127.0.0.1:{server.port}/v2/sse?username=demo")
    source.wait_for(1, "stream-open")
    post = """url => fetch(url, {method: 'POST', body: 'from a page', headers: {'Content-Type': 'text/x-howdy'}})
        .then(response => response.json())"""
    assert page.evaluate(post, f"http://127.0.0.1:{server.port}/v2/message?username=demo")["streams"] == 1
    assert source.data(1) == ["from a page"]


def test_a_page_of_another_origin_may_not(start_server, page, elsewhere):
    server = start_server()
    page.goto(elsewhere)
    source = Source(page, f"http://127.0.0.1:{server.port}/v2/sse?username=demo")
    source.wait_for(1, "error")
    assert not source.events("open", "stream-open") and not source.is_open()
    post = """url => fetch(url, {method: 'POST', body: 'from a page', mode: 'no-cors'}).then(() => 'sent')"""
    page.evaluate(post, f"http://127.0.0.1:{server.port}/v2/message?username=demo")
    assert server.stream("demo", last_event_id="earliest").next_event().type == "stream-open"
    server.publish("demo", "the only one")
    assert server.stream("demo", last_event_id="earliest").take_data(2) == ["", "the only one"]
