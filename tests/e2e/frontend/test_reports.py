"""What a person sees of reports: everything that happens to them, at once and without a reload."""

import re
import signal

from harness.waiting import wait_until


def test_a_change_from_a_terminal_shows_without_a_reload(site, make_user, open_tab):
    tab = open_tab(site)
    tab.button("Make a new ID").click()
    user = make_user(site, tab.page.get_by_label("User ID").input_value())
    tab.button("Log in").click()
    tab.wait_until_live()
    tab.page.get_by_text("No reports yet.").wait_for()
    for count in (1, 2, 3):
        tab.button("Create New Report").click()
        wait_until(lambda: len(tab.shown()) == count, f"{count} reports on the page")
    tab.page.evaluate("window.untouched = true")

    second = user.reports()[1]["reportId"]
    done = user.change_from_terminal(second, "queued")
    assert done.returncode == 0, done.stderr
    tab.row(second).get_by_text("queued").wait_for()
    tab.wait_until_shows(user)
    assert [status for status, _ in tab.shown().values()] == ["pending", "queued", "pending"]
    assert tab.page.evaluate("window.untouched")

    refused = user.change_from_terminal(second, "completed")
    assert refused.returncode == 1 and "processing" in refused.stdout + refused.stderr


def test_a_click_in_the_picture_moves_the_report(site, make_user, open_tab):
    user = make_user(site)
    report = user.create()
    tab = open_tab(site, user)
    picture = tab.page.get_by_role("group", name=re.compile("^States of a report"))
    picture.get_by_role("button", name="Move to queued").click()
    tab.row(report).get_by_text("queued").wait_for()
    picture.get_by_role("button", name="Move to processing").press("Enter")
    tab.row(report).get_by_text("processing").wait_for()
    assert picture.get_attribute("aria-label") == "States of a report. Now: processing."
    assert picture.locator("[aria-current]").all_text_contents() == ["processing"]
    assert sorted(picture.get_by_role("button").all_text_contents()) == ["completed", "failed"]
    tab.button("failed").click()
    history = tab.page.get_by_role("region", name="History").get_by_role("listitem")
    wait_until(lambda: history.count() == 4, "four lines of history")
    assert [" ".join(text.split()) for text in history.locator(".step").all_text_contents()] == [
        "created pending",
        "pending → to queued",
        "queued → to processing",
        "processing → to failed",
    ]


def test_a_refusal_is_shown_with_the_reason_of_the_server(site, make_user, open_tab):
    user = make_user(site)
    report = user.create()
    tab = open_tab(site, user)
    held = []
    tab.page.route(re.compile("/v4/report\\?"), lambda route: held.append(route))
    tab.button("queued").click()
    wait_until(lambda: tab.page.title() and held, "the page to send the change")
    user.change(report, "canceled")  # somebody else was faster
    held[0].continue_()
    refusal = tab.page.get_by_role("alert")
    refusal.wait_for()
    assert refusal.inner_text().startswith("Not moved to queued. ")
    tab.wait_until_shows(user)
    assert user.reports()[0]["reportStatus"] == "canceled"


def test_a_lost_answer_does_not_make_two_reports(site, make_user, open_tab):
    user = make_user(site)
    tab = open_tab(site, user)
    keys = []

    def lose_the_first_answer(route):
        keys.append(route.request.headers["idempotency-key"])
        if len(keys) == 1:
            route.fetch()
            route.abort()
        else:
            route.continue_()

    tab.page.route(re.compile("/v4/new/report"), lose_the_first_answer)
    tab.button("Create New Report").click()
    wait_until(lambda: tab.page.title() and len(keys) == 2, "the page to try again")
    assert keys[0] == keys[1]
    tab.page.get_by_text("Creating a report…").wait_for(state="hidden")
    assert len(user.reports()) == 1
    tab.wait_until_shows(user)


def test_nothing_is_missing_after_the_server_was_killed(start_site, make_user, open_tab):
    site = start_site({"store": "sqlite:reports.db"})
    user = make_user(site)
    reports = [user.create() for _ in range(3)]
    tab = open_tab(site, user)
    for round_ in range(2):
        site.stop(signal.SIGKILL)
        tab.mark("Reconnecting").wait_for()
        tab.button("Create New Report").click()
        site.start()
        for report in reports:
            user.change(report, *(["queued", "canceled"] if round_ == 0 else ["pending", "queued"]))
        tab.wait_until_live()
        tab.page.get_by_text("Creating a report…").wait_for(state="hidden")
        tab.wait_until_shows(user)
    assert len(tab.shown()) == 5


def test_a_store_that_forgot_everything_is_noticed(site, make_user, open_tab):
    user = make_user(site)
    user.create()
    tab = open_tab(site, user)
    assert site.stop() == 0
    site.start()
    tab.page.get_by_text("No reports yet.").wait_for()
    user.create()
    tab.wait_until_shows(user)


def test_all_pages_of_a_long_list_can_be_had(site, make_user, open_tab):
    user = make_user(site)
    reports = [user.create() for _ in range(130)]
    tab = open_tab(site, user)
    assert len(tab.shown()) == 100
    tab.button("Show older reports").click()
    wait_until(lambda: len(tab.shown()) == 130, "all reports")
    assert list(tab.shown()) == [report[-8:] for report in reversed(reports)]
    user.change(reports[0], "queued")
    tab.row(reports[0]).get_by_text("queued").wait_for()


def test_a_user_is_remembered_until_log_out_in_any_tab(site, make_user, open_tab):
    user = make_user(site)
    first, second = open_tab(site, user), open_tab(site, user)
    first.page.reload()
    first.wait_until_live()
    second.button("Log out").click()
    for tab in (first, second):
        tab.page.get_by_label("User ID").wait_for()
    site.wait_for_metric("rillgate_streams", 0, version="v4")
