"""V1 to V3, tried by hand on the page that is made for it."""

import pytest


@pytest.fixture
def playground(site, open_tab):
    tab = open_tab(site)
    tab.go("playground")
    return tab


def open_stream(tab, version, name):
    form = tab.page.get_by_role("form", name="Open a stream")
    form.get_by_label(version).check()
    form.get_by_label("Name").fill(name)
    form.get_by_role("button", name="Open stream").click()
    return tab.page.get_by_role("region", name=f"Stream {version} {name}")


def send(tab, version, name, text, event=""):
    form = tab.page.get_by_role("form", name="Send a message")
    form.get_by_label(version).check()
    form.get_by_label("To").fill(name)
    form.get_by_label("Event type").fill(event)
    form.get_by_label("Message").fill(text)
    form.get_by_role("button", name="Send").click()


def data(stream, kind):
    """What came of this type, newest first."""
    rows = stream.locator("tbody tr").filter(has=stream.page.get_by_role("cell", name=kind, exact=True))
    return rows.locator("td.data").all_text_contents()


@pytest.mark.parametrize("version", ["V2", "V3"])
def test_an_emoji_makes_the_round_trip(playground, version):
    stream = open_stream(playground, version, "Zoë 🦋")
    stream.get_by_text("stream-open").wait_for()
    for text in ("Howdy 🤠 from version 2️⃣", "two\nlines 👩‍👩‍👧‍👦"):
        send(playground, version, "Zoë 🦋", text)
        stream.get_by_role("cell", name=text.split("\n")[-1]).wait_for()
    assert data(stream, "message") == ["two\nlines 👩‍👩‍👧‍👦", "Howdy 🤠 from version 2️⃣"]
    playground.page.get_by_text('"streams":1').wait_for()


def test_v1_greets(playground):
    stream = open_stream(playground, "V1", "demo")
    stream.get_by_role("cell", name="hi!").wait_for()
    stream.get_by_text("Live").wait_for()


def test_what_was_sent_while_a_stream_was_cut_arrives_when_it_resumes(playground):
    stream = open_stream(playground, "V2", "demo")
    send(playground, "V2", "demo", "before")
    stream.get_by_role("cell", name="before").wait_for()
    stream.get_by_role("button", name="Cut").click()
    stream.get_by_text("Closed").wait_for()
    for text in ("first", "second"):
        send(playground, "V2", "demo", text, event="greeting")
        playground.page.get_by_text('"streams":0').wait_for()
    stream.get_by_role("button", name="Resume").click()
    stream.get_by_role("cell", name="second").wait_for()
    assert data(stream, "greeting") == ["second", "first"]
    assert data(stream, "message") == ["before"]


def test_a_refused_stream_says_why(playground):
    stream = open_stream(playground, "V2", "*")
    reason = stream.get_by_role("alert")
    reason.wait_for()
    assert "'*'" in reason.inner_text()


def test_a_refused_message_says_why(playground):
    send(playground, "V2", "demo", "x", event="stream-open")
    reason = playground.page.get_by_role("form", name="Send a message").get_by_role("alert")
    reason.wait_for()
    assert "stream-" in reason.inner_text()
