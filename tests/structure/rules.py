"""The rules of the house, as functions from a tree of files to the places that break them.

Each rule yields one finding a place, as `path:line: sentence`; the sentence says what to do instead. They read text
and no compiler's output, so they run in a second and before anything is built.
"""

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

LINES_MAX = 500

# Which rooms may include the headers of a C library or of the kernel: the fewer, the smaller what must change with it.
ENCLOSED = {
    r"sqlite3\.h": {"reports"},
    r"curl/": {"reports"},
    r"librdkafka/": {"kafka"},
    r"nghttp2/": {"http"},
    r"boost/beast": {"http"},
    r"openssl/": {"http", "auth"},
    r"sys/epoll\.h": {"io"},
}

# Engines are simulated from a seed, so they have no thread, socket or clock that the simulation does not hand in.
ENGINES = {"sse", "hub"}
ENGINE_FORBIDS = re.compile(r"(thread|stop_token|future|random|unistd\.h|(sys|netinet|arpa)/.*|boost/asio.*)$")

# What find_package finds, and the Debian package that ./dev installs for it.
LIBRARIES = {
    "Boost": "libboost1.81-dev",
    "CURL": "libcurl4-openssl-dev",
    "GTest": "libgtest-dev",
    "OpenSSL": "libssl-dev",
    "RdKafka": "librdkafka-dev",
    "SQLite3": "libsqlite3-dev",
    "fmt": "libfmt-dev",
    "prometheus-cpp": "prometheus-cpp-dev",
    "rapidcheck": "librapidcheck-dev",
    "simdjson": "libsimdjson-dev",
    "tomlplusplus": "libtomlplusplus-dev",
}
WITHOUT_PACKAGE = {"Threads"}

SOURCE_SUFFIXES = {".h", ".cc", ".cpp", ".py", ".sh", ".cmake", ".go", ".js", ".mjs", ".ts", ".tsx", ".css"}

# Folders of one machine. System paths such as those below /proc or /etc are the same everywhere and are allowed.
MACHINE_PATH = re.compile(r"(?<![\w.}~/-])/(?:work|home|root|Users)/[\w.-]+")
REGISTRY = re.compile(
    r"registry\.(?:npmjs|yarnpkg)\.|(?<![\w-])pypi\.org|files\.pythonhosted\.|proxy\.golang\.|sum\.golang\."
    r"|repo1?\.maven\.|deb\.debian\.|security\.debian\.|crates\.io"
)
LEFTOVER = re.compile(r"\b(?:TO[D]O|FIX[M]E|XX[X])\b")


@dataclass(frozen=True)
class Include:
    line: int
    quoted: bool
    path: str


class Tree:
    """The files below `root` that belong to the project, as paths relative to it."""

    def __init__(self, root: Path, files: list[str]):
        self.root = root
        self.files = sorted(files)

    @classmethod
    def of_repository(cls, root: Path) -> "Tree":
        # What git tracks or would track; safe.directory because CI's clone may belong to another user.
        listing = subprocess.run(
            ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=root, check=True, capture_output=True, text=True,
        ).stdout
        return cls(root, [file for file in listing.split("\0") if file and (root / file).is_file()])

    @classmethod
    def of_folder(cls, root: Path) -> "Tree":
        return cls(root, [str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()])

    def text(self, file: str) -> str | None:
        """None for what is not text."""
        try:
            return (self.root / file).read_bytes().decode("utf-8")
        except UnicodeDecodeError:
            return None

    def lines(self, file: str) -> Iterator[tuple[int, str]]:
        return enumerate((self.text(file) or "").splitlines(), start=1)

    @cached_property
    def cpp(self) -> list[str]:
        return [file for file in self.files if file.startswith("src/") and file.endswith((".h", ".cc"))]

    @cached_property
    def rooms(self) -> dict[str, list[str]]:
        """Each room with the rooms that it may include, in the order in which src/CMakeLists.txt declares them."""
        text = re.sub(r"#.*", "", self.text("src/CMakeLists.txt") or "")
        rooms = {}
        for name, arguments in re.findall(r"rillgate_room\(\s*(\w+)([^)]*)\)", text):
            rooms[name] = re.sub(r"\bLIBS\b.*", "", arguments, flags=re.DOTALL).replace("ROOMS", "").split()
        return rooms

    def includes(self, file: str) -> Iterator[Include]:
        for number, line in self.lines(file):
            if match := re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line):
                yield Include(number, match[1] == '"', match[2])


def room_of(file: str) -> str:
    """src/hub/impl/ring.h → hub"""
    return file.split("/")[1]


def rooms_are_declared_bottom_up(tree: Tree) -> Iterator[str]:
    declared: set[str] = set()
    for room, others in tree.rooms.items():
        for other in others:
            if other not in declared:
                yield f"src/CMakeLists.txt:1: {room} includes {other}, which is not a room declared above it"
        declared.add(room)
    for room in sorted({room_of(file) for file in tree.cpp if file.count("/") > 1} - declared - {"app"}):
        yield f"src/{room}:1: declare this folder with rillgate_room in src/CMakeLists.txt"


def includes_follow_the_rooms(tree: Tree) -> Iterator[str]:
    for file in tree.cpp:
        room = room_of(file)
        allowed = {room, *(tree.rooms if room == "app" else tree.rooms.get(room, []))}
        for include in tree.includes(file):
            where = f"{file}:{include.line}"
            if not include.quoted:
                if f"src/{include.path}" in tree.files:
                    yield f'{where}: {include.path} is ours, so it is included with quotes'
                continue
            if f"src/{include.path}" not in tree.files:
                yield f'{where}: there is no src/{include.path}; our headers are included as "ROOM/NAME.h"'
            elif (other := include.path.split("/")[0]) not in allowed:
                yield f"{where}: {room} may not include {other} (see its ROOMS in src/CMakeLists.txt)"


def private_headers_stay_private(tree: Tree) -> Iterator[str]:
    for file in tree.cpp:
        for include in tree.includes(file):
            room, *rest = include.path.split("/")
            if include.quoted and "impl" in rest and room != room_of(file):
                yield f"{file}:{include.line}: {include.path} is private to {room}; use one of its public headers"


def libraries_stay_enclosed(tree: Tree) -> Iterator[str]:
    for file in tree.cpp:
        for include in tree.includes(file):
            for header, rooms in ENCLOSED.items():
                if not include.quoted and re.match(header, include.path) and room_of(file) not in rooms:
                    yield f"{file}:{include.line}: <{include.path}> belongs to {' and '.join(sorted(rooms))} only"


def engines_own_no_thread_socket_or_clock(tree: Tree) -> Iterator[str]:
    for file in tree.cpp:
        if room_of(file) not in ENGINES:
            continue
        for include in tree.includes(file):
            if not include.quoted and ENGINE_FORBIDS.match(include.path):
                yield f"{file}:{include.line}: an engine has no <{include.path}>; have it handed in"
        for number, line in tree.lines(file):
            if "_clock::now(" in line.split("//")[0]:
                yield f"{file}:{number}: an engine has no clock; have the time handed in"


def every_library_is_installed_and_used(tree: Tree) -> Iterator[str]:
    """A library that one machine happens to have would pass every other test there."""
    if "dev" not in tree.files:
        return
    installed = set(" ".join(re.findall(r"_packages\+?=\(([^)]*)\)", tree.text("dev") or "")).split())
    used = set()
    for file in tree.files:
        if Path(file).name != "CMakeLists.txt":
            continue
        for number, line in tree.lines(file):
            if (match := re.match(r"\s*find_package\(\s*([\w+-]+)", line)) and match[1] not in WITHOUT_PACKAGE:
                package = LIBRARIES.get(match[1])
                used.add(package)
                if package is None:
                    yield f"{file}:{number}: name the Debian package of {match[1]} in LIBRARIES (tests/structure/rules.py)"
                elif package not in installed:
                    yield f"{file}:{number}: ./dev does not install {package}, which {match[1]} comes from"
    for package in sorted((installed & set(LIBRARIES.values())) - used):
        yield f"dev:1: {package} is installed, but no find_package asks for it"


def names_are_snake_case(tree: Tree) -> Iterator[str]:
    ours = [file for file in tree.files if re.match(r"(src|tests|bench)/.*\.(h|cc|cpp|py)$", file)]
    for file in ours:
        if not re.fullmatch(r"(?:[a-z0-9_]+/)*[a-z0-9_]+\.[a-z]+", file):
            yield f"{file}:1: files and folders are named in snake_case"


def headers_say_what_they_guarantee(tree: Tree) -> Iterator[str]:
    for file in tree.cpp:
        if file.endswith(".h") and not (tree.text(file) or "").startswith("//"):
            yield f"{file}:1: a header opens with a comment on what it guarantees and why it exists"


def files_are_short(tree: Tree) -> Iterator[str]:
    for file in tree.files:
        if Path(file).suffix in SOURCE_SUFFIXES or "." not in Path(file).name:
            if (count := sum(1 for _ in tree.lines(file))) > LINES_MAX:
                yield f"{file}:{LINES_MAX}: {count} lines; beyond {LINES_MAX} a file has more than one subject"


def nothing_depends_on_one_machine(tree: Tree) -> Iterator[str]:
    for file in tree.files:
        for number, line in tree.lines(file):
            if match := MACHINE_PATH.search(line):
                yield f"{file}:{number}: {match[0]} exists on one machine only"
            if match := REGISTRY.search(line):
                yield f"{file}:{number}: {match[0]} is a package registry; the machine's own settings name those"


def lock_files_name_no_registry(tree: Tree) -> Iterator[str]:
    for file in tree.files:
        if Path(file).name == "package-lock.json":
            for name, package in json.loads(tree.text(file) or "{}").get("packages", {}).items():
                if "://" in str(package.get("resolved", "")):
                    yield f"{file}:1: {name} is resolved to an address; run npm with omit-lockfile-registry-resolved"


def nothing_is_left_for_later(tree: Tree) -> Iterator[str]:
    for file in tree.files:
        for number, line in tree.lines(file):
            if match := LEFTOVER.search(line):
                yield f"{file}:{number}: {match[0]}: do it now, or open an issue"


RULES: list[Callable[[Tree], Iterator[str]]] = [
    rooms_are_declared_bottom_up,
    includes_follow_the_rooms,
    private_headers_stay_private,
    libraries_stay_enclosed,
    engines_own_no_thread_socket_or_clock,
    every_library_is_installed_and_used,
    names_are_snake_case,
    headers_say_what_they_guarantee,
    files_are_short,
    nothing_depends_on_one_machine,
    lock_files_name_no_registry,
    nothing_is_left_for_later,
]
