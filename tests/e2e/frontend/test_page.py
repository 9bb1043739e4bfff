"""The page as such: for everybody, small, served well, and the same under `npm run dev`."""

import gzip
import itertools
import os
import signal
import socket
import subprocess

import pytest

from conftest import SOURCES, Tab
from harness.server import free_port
from harness.waiting import wait_until

AXE = SOURCES / "node_modules" / "axe-core" / "axe.min.js"
SCHEMES = ["light", "dark"]
SIZES = {"wide": (1280, 860), "narrow": (360, 740)}


def violations(page):
    # Reduced motion: a colour half way through a transition is nobody's contrast.
    page.emulate_media(reduced_motion="reduce")
    page.evaluate(AXE.read_text())
    found = page.evaluate("axe.run({runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']})")
    return [(one["id"], one["help"], [node["html"] for node in one["nodes"]]) for one in found["violations"]]


@pytest.fixture(params=itertools.product(SCHEMES, SIZES), ids="-".join)
def context(browser, request):
    scheme, size = request.param
    width, height = SIZES[size]
    one = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": height}, bypass_csp=True)
    yield one
    one.close()


def test_axe_finds_no_violations(site, make_user, open_tab):
    tab = open_tab(site)
    tab.page.get_by_label("User ID").fill("nobody")
    tab.button("Log in").click()
    assert violations(tab.page) == []

    user = make_user(site)
    tab.page.get_by_label("User ID").fill(user.id)
    tab.button("Log in").click()
    tab.page.get_by_text("No reports yet.").wait_for()
    assert violations(tab.page) == []

    ways = [[], ["queued"], ["queued", "processing"], ["canceled"]]
    ways += [["queued", "processing", "completed"], ["queued", "processing", "failed"]]
    for way in ways:
        user.change(user.create(), *way)
    tab.wait_until_shows(user)
    assert violations(tab.page) == []
    for report in user.reports()[::2]:
        tab.go(f"reports/{report['reportId']}")
        tab.page.get_by_role("heading", name=f"Report {report['reportId'][-8:]}").wait_for()
        tab.page.get_by_text(f"v{report['version']}", exact=True).wait_for()
        assert violations(tab.page) == []

    tab.go("playground")
    tab.button("Open stream").click()
    tab.page.get_by_text("stream-open").wait_for()
    tab.button("Send").click()
    tab.page.get_by_role("cell", name="Howdy").wait_for()
    assert violations(tab.page) == []
    assert tab.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "the page scrolls sideways"


def test_its_javascript_is_under_100_kb_compressed(built):
    assert sum(len(gzip.compress(path.read_bytes())) for path in built.rglob("*.js")) < 100_000


def test_the_server_serves_it_compressed_and_lets_browsers_keep_it(site, built):
    page = site.get("/", {"Accept-Encoding": "gzip, br"})
    assert page.status == 200 and page.header("Content-Type").startswith("text/html")
    assert "no-cache" in page.header("Cache-Control")
    (script,) = (built / "assets").glob("*.js")
    plain = site.get(f"/assets/{script.name}")
    small = site.get(f"/assets/{script.name}", {"Accept-Encoding": "gzip"})
    assert plain.body == script.read_bytes() == gzip.decompress(small.body)
    assert small.header("Content-Encoding") == "gzip" and "Accept-Encoding" in small.header("Vary")
    assert "immutable" in small.header("Cache-Control")


def accepts(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_it_works_on_the_development_server(start_site, make_user, browser):
    site = start_site({"store": "sqlite:reports.db"})
    user = make_user(site)
    port = free_port()
    environment = os.environ | {"RILLGATE_URL": f"http://127.0.0.1:{site.port}"}
    vite = subprocess.Popen(
        ["node_modules/.bin/vite", "--host", "127.0.0.1", "--port", str(port), "--strictPort"],
        cwd=SOURCES,
        env=environment,
        stdout=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: accepts(port), "the development server to listen")
        tab = Tab(browser.new_page(), f"http://127.0.0.1:{port}")
        tab.page.get_by_label("User ID").fill(user.id)
        tab.button("Log in").click()
        tab.wait_until_live()
        tab.button("Create New Report").click()
        wait_until(user.reports, "the report")
        user.change(user.reports()[0]["reportId"], "queued")
        tab.wait_until_shows(user)
        site.stop(signal.SIGKILL)
        tab.mark("Reconnecting").wait_for()
        site.start()
        user.create()
        tab.wait_until_live()
        tab.wait_until_shows(user)
        tab.page.close()
        site.wait_for_metric("rillgate_streams", 0, version="v4")
    finally:
        vite.terminate()
        vite.wait()
