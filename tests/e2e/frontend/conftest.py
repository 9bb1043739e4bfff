"""The built front end, served by the server under test, and a user who looks at it."""

import dataclasses
import json
import pathlib
import subprocess
import uuid

import pytest

from harness.server import clean_environment, target
from harness.waiting import PATIENCE, wait_until

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
SOURCES = REPOSITORY / "server_sent_events_frontend"


@pytest.fixture(scope="session")
def built():
    """The directory of the production build, made anew when a source is newer."""
    page = SOURCES / "dist" / "index.html"
    inputs = [path for path in SOURCES.glob("*") if path.is_file()] + [path for path in (SOURCES / "src").rglob("*")]
    if not page.exists() or page.stat().st_mtime < max(path.stat().st_mtime for path in inputs):
        if not (SOURCES / "node_modules").exists():
            subprocess.run(["npm", "ci"], cwd=SOURCES, check=True)
        subprocess.run(["npm", "run", "build"], cwd=SOURCES, check=True)
    return page.parent


@dataclasses.dataclass
class User:
    """A user of one server, seen from the server's side."""

    server: object
    id: str = dataclasses.field(default_factory=lambda: str(uuid.uuid4()))

    def create(self):
        response = self.server.post(target("/v4/new/report", user_id=self.id))
        assert response.status == 201, response.body
        return response.json()["reportId"]

    def change(self, report, *statuses):
        for status in statuses:
            body = json.dumps({"id": report, "status": status}).encode()
            path = target("/v4/report", user_id=self.id)
            response = self.server.request("PUT", path, {"Content-Type": "application/json"}, body)
            assert response.status == 200, response.body

    def reports(self):
        response = self.server.get(target("/v4/reports", user_id=self.id))
        assert response.status == 200, response.body
        return response.json()

    def change_from_terminal(self, report, status):
        """Runs update_report_status.sh, as a person would."""
        return subprocess.run(
            ["./update_report_status.sh", self.id, report, status],
            cwd=REPOSITORY,
            env=clean_environment({"RILLGATE_URL": f"http://127.0.0.1:{self.server.port}"}),
            capture_output=True,
            text=True,
        )


class Tab:
    """A tab that shows the front end."""

    def __init__(self, page, url):
        self.page = page
        self.url = url
        self.complaints = []
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.goto(url)

    def go(self, fragment):
        self.page.goto(f"{self.url}/#/{fragment}")

    def button(self, name):
        return self.page.get_by_role("button", name=name, exact=True)

    def row(self, report):
        """The report's line in the list."""
        return self.page.get_by_role("row").filter(has_text=report[-8:])

    def shown(self):
        """{report: (status, version)}, as the list shows them."""
        rows = self.page.locator("table.reports tbody tr")
        cells = rows.evaluate_all("rows => rows.map(row => [...row.cells].map(cell => cell.innerText.trim()))")
        return {report: (status, int(version)) for report, status, _, version in cells}

    def mark(self, word=""):
        """The mark of the connection, while it says this word."""
        return self.page.get_by_role("status").filter(has_text=f"Connection: {word}")

    def wait_until_live(self):
        self.mark("Live").wait_for()

    def wait_until_shows(self, user):
        """Waits until the list says what the server says."""
        wanted = {one["reportId"][-8:]: (one["reportStatus"], one["version"]) for one in user.reports()}
        wait_until(lambda: self.shown() == wanted, f"the page to show {wanted}; it shows {self.shown()}")


@pytest.fixture
def make_user():
    """Users of a server: with a new id, or with the one that a page made."""
    return User


@pytest.fixture
def start_site(start_server, built):
    """Starts servers that serve the front end."""

    def start(settings=None, **options):
        return start_server({"web.root": built, "stream.retry": "200ms"} | (settings or {}), **options)

    return start


@pytest.fixture
def site(start_site):
    return start_site()


@pytest.fixture
def context(browser):
    """A browser profile of its own: its tabs share what a browser's tabs share."""
    one = browser.new_context(viewport={"width": 1280, "height": 860})
    one.set_default_timeout(PATIENCE * 1000)
    yield one
    one.close()


@pytest.fixture
def open_tab(context):
    """Opens tabs of one profile, logged in when a user is given; none may throw an error."""
    tabs = []

    def open_(server, user=None, path=""):
        page = context.new_page()
        if user:
            page.add_init_script(f"localStorage.getItem('rillgate.user') ?? localStorage.setItem('rillgate.user', '{user.id}')")
        tabs.append(Tab(page, f"http://127.0.0.1:{server.port}{path}"))
        if user:
            tabs[-1].wait_until_live()
        return tabs[-1]

    yield open_
    assert [complaint for tab in tabs for complaint in tab.complaints] == []
