"""Takes the pictures in docs/images: run it after a change of looks, look at them, and commit those that changed.

Usage, from tests/: PYTHONPATH=blackbox python e2e/frontend/take_screenshots.py
"""

import pathlib
import sys
import tempfile

from playwright.sync_api import sync_playwright

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from conftest import REPOSITORY, SOURCES, Tab, User  # noqa: E402
from harness.server import Server  # noqa: E402

IMAGES = REPOSITORY / "docs" / "images"
WIDE = {"width": 1280, "height": 860}
NARROW = {"width": 375, "height": 812}


def prepare(user):
    """Six reports, one in each state; returns them by their state."""
    ways = [["queued", "canceled"], ["queued", "processing", "failed"], ["queued", "processing", "completed"]]
    ways += [["queued", "processing"], ["queued"], []]
    for way in ways:
        user.change(user.create(), *way)
    return {report["reportStatus"]: report["reportId"] for report in user.reports()}


def play(tab):
    """A stream that was cut and resumed, and a greeting."""
    tab.go("playground")
    tab.button("Open stream").click()
    stream = tab.page.get_by_role("region", name="Stream V2 demo")
    stream.get_by_text("stream-open").wait_for()
    tab.button("Send").click()
    stream.get_by_role("cell", name="Howdy").wait_for()
    stream.get_by_role("button", name="Cut").click()
    tab.page.get_by_label("Event type").fill("greeting")
    tab.page.get_by_role("textbox", name="Message").fill("sent while the stream was cut 🦋")
    tab.button("Send").click()
    tab.page.get_by_text('"streams":0').wait_for()
    stream.get_by_role("button", name="Resume").click()
    stream.get_by_role("cell", name="🦋").wait_for()


def take(browser, server, scheme, size, name):
    user = User(server)
    context = browser.new_context(color_scheme=scheme, viewport=size, reduced_motion="reduce")
    tab = Tab(context.new_page(), f"http://127.0.0.1:{server.port}")
    tab.page.get_by_label("User ID").fill("6f1d2c3b-4a59-4e68-9f70-8192a3b4c5d6")
    save(tab, f"login-{name}")
    tab.page.get_by_label("User ID").fill(user.id)
    tab.button("Log in").click()
    reports = prepare(user)
    tab.wait_until_shows(user)
    if size == NARROW:
        save(tab, f"reports-{name}")
    tab.go(f"reports/{reports['failed']}")
    tab.page.get_by_role("region", name="History").get_by_text("v4", exact=True).wait_for()
    save(tab, f"report-{name}")
    play(tab)
    tab.page.evaluate("scrollTo(0, 0)")
    save(tab, f"playground-{name}")
    context.close()


def save(tab, name):
    tab.page.evaluate("document.activeElement?.blur()")
    tab.page.evaluate("document.fonts.ready")
    tab.page.screenshot(path=IMAGES / f"{name}.png")


def main():
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as directory, sync_playwright() as playwright:
        server = Server(directory, {"web.root": SOURCES / "dist"}).start()
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        take(browser, server, "light", WIDE, "light")
        take(browser, server, "dark", WIDE, "dark")
        take(browser, server, "light", NARROW, "narrow")
        browser.close()
        failure = server.stop_and_find_faults()
        assert not failure, failure


if __name__ == "__main__":
    main()
