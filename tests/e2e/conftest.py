"""Debian's Chromium under Playwright, kept from talking to anyone but the servers of the test."""

import pytest
from playwright.sync_api import sync_playwright

_ARGUMENTS = [
    "--no-sandbox",  # tests run as root in containers, where the sandbox can't be set up
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--no-first-run",
]


@pytest.fixture(scope="session")
def browser():
    with sync_playwright() as playwright:
        one = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=_ARGUMENTS)
        yield one
        one.close()


@pytest.fixture
def page(browser):
    context = browser.new_context()
    yield context.new_page()
    context.close()
