"""One connection for all tabs of a user: over HTTP/1.1 a browser has six, and the seventh tab would hang."""

import pytest
from playwright.sync_api import Error

from conftest import Tab
from harness.waiting import wait_until


@pytest.fixture
def eight(site, make_user, open_tab):
    """A user with three reports, and eight tabs that show them."""
    user = make_user(site)
    reports = [user.create() for _ in range(3)]
    return user, reports, [open_tab(site, user) for _ in range(8)]


def leaders(tabs):
    """Those that say that they hold the connection."""
    return [tab for tab in tabs if tab.mark().get_attribute("title").startswith("This tab holds")]


def test_eight_tabs_are_all_live_on_one_connection(site, eight):
    user, reports, tabs = eight
    assert site.metric("rillgate_streams", version="v4") == 1
    user.change(reports[0], "queued", "processing", "completed")
    user.create()
    for tab in tabs:
        tab.wait_until_shows(user)
    tabs[7].button("Create New Report").click()
    wait_until(lambda: len(user.reports()) == 5, "the fifth report")
    for tab in tabs:
        tab.wait_until_shows(user)
    assert leaders(tabs) == tabs[:1]


def test_another_tab_takes_over_without_a_loss(site, eight):
    user, reports, tabs = eight
    while len(tabs) > 1:
        (leader,) = leaders(tabs)
        leader.page.close()
        tabs.remove(leader)
        user.change(reports[len(tabs) % 3], "queued", "canceled", "pending")
        for tab in tabs:
            tab.wait_until_live()
            tab.wait_until_shows(user)
        wait_until(lambda: len(leaders(tabs)) == 1, "one of the tabs to lead")
        site.wait_for_metric("rillgate_streams", 1, version="v4")


def test_a_crashed_leader_is_replaced(site, eight):
    user, reports, tabs = eight
    crashed = tabs.pop(0)
    with crashed.page.expect_event("crash"), pytest.raises(Error):
        crashed.page.goto("chrome://crash")
    user.change(reports[0], "canceled")
    for tab in tabs:
        tab.wait_until_shows(user)


def test_two_users_have_two_connections(site, make_user, open_tab, browser):
    first, second = make_user(site), make_user(site)
    open_tab(site, first)
    other = browser.new_context()
    tab = Tab(other.new_page(), f"http://127.0.0.1:{site.port}")
    tab.page.get_by_label("User ID").fill(second.id.upper())
    tab.page.get_by_label("User ID").press("Enter")
    tab.wait_until_live()
    assert site.metric("rillgate_streams", version="v4") == 2
    second.create()
    tab.wait_until_shows(second)
    other.close()
    site.wait_for_metric("rillgate_streams", 1, version="v4")
