"""Holds the project to tests/structure/rules.py, and shows of each rule that it finds what it is there for."""

import json
from pathlib import Path

import pytest
import rules

PROJECT = Path(__file__).resolve().parents[2]

GOOD = {
    "dev": "build_packages=(g++ libfmt-dev)\ntest_packages+=(libgtest-dev)\n",
    "tests/CMakeLists.txt": "find_package(GTest REQUIRED)\n",
    "src/CMakeLists.txt": """
        find_package(Threads REQUIRED)
        find_package(fmt REQUIRED)
        # rillgate_room(ghost ROOMS nowhere)
        rillgate_room(base LIBS Threads::Threads)
        rillgate_room(io ROOMS base)
        rillgate_room(sse ROOMS base)
        rillgate_room(hub ROOMS base sse
                      LIBS fmt::fmt)
        rillgate_room(reports ROOMS base LIBS SQLite::SQLite3)
        """,
    "src/base/error.h": "// Errors.\n#pragma once\n#include <string>\n",
    "src/io/reactor.cc": '#include "io/impl/epoll.h"\n',
    "src/io/impl/epoll.h": '// Epoll.\n#include <sys/epoll.h>\n#include "base/error.h"\n',
    "src/sse/encoder.h": '// Bytes.\n#include "base/error.h"\n',
    "src/hub/hub.h": '// Hub.\n#include <mutex>\n#include "sse/encoder.h"\n',
    "src/reports/sqlite/store.cc": "#include <sqlite3.h>\n",
    "src/app/main.cc": '#include "hub/hub.h"\n',
    "docs/notes.md": "Read /proc/self/status, ./build/x and ../home/y; see https://example.org/home/page\n",
    "web/package-lock.json": json.dumps({"packages": {"": {}, "node_modules/a": {"version": "1.0.0"}}}),
}

# Written in pieces, so that this file does not break the rules itself.
HOME = "/ho" + "me/someone/x"
REGISTRY = "https://registry.npm" + "js.org/a/-/a-1.0.0.tgz"

# rule, file, text, and what the finding says
BAD = [
    (
        "rooms_are_declared_bottom_up",
        "src/CMakeLists.txt",
        GOOD["src/CMakeLists.txt"] + "rillgate_room(early ROOMS late)\nrillgate_room(late ROOMS early)\n",
        "early includes late",
    ),
    ("rooms_are_declared_bottom_up", "src/attic/box.cc", "\n", "src/attic:1: declare"),
    ("includes_follow_the_rooms", "src/base/a.cc", '#include "hub/hub.h"\n', "base may not include hub"),
    ("includes_follow_the_rooms", "src/hub/a.cc", '\n#  include "io/impl/epoll.h"\n', "a.cc:2: hub may not include io"),
    ("includes_follow_the_rooms", "src/hub/a.cc", '#include "hub.h"\n', "there is no src/hub.h"),
    ("includes_follow_the_rooms", "src/hub/a.cc", "#include <base/error.h>\n", "included with quotes"),
    ("private_headers_stay_private", "src/app/main.cc", '#include "io/impl/epoll.h"\n', "private to io"),
    ("private_headers_stay_private", "src/sse/a.cc", '#include "reports/sqlite/impl/a.h"\n', "private to reports"),
    ("libraries_stay_enclosed", "src/hub/a.cc", "#include <sqlite3.h>\n", "belongs to reports only"),
    ("libraries_stay_enclosed", "src/hub/a.cc", "#include <librdkafka/rdkafka.h>\n", "belongs to kafka only"),
    ("libraries_stay_enclosed", "src/hub/a.cc", "#include <openssl/ssl.h>\n", "belongs to auth and http only"),
    ("libraries_stay_enclosed", "src/hub/a.cc", "#include <curl/curl.h>\n", "belongs to reports only"),
    ("libraries_stay_enclosed", "src/hub/a.cc", "#include <sys/epoll.h>\n", "belongs to io only"),
    ("libraries_stay_enclosed", "src/hub/a.cc", "#include <nghttp2/nghttp2.h>\n", "belongs to http only"),
    ("libraries_stay_enclosed", "src/io/a.cc", "#include <boost/beast/http.hpp>\n", "belongs to http only"),
    ("engines_own_no_thread_socket_or_clock", "src/hub/a.cc", "#include <thread>\n", "has no <thread>"),
    ("engines_own_no_thread_socket_or_clock", "src/sse/a.cc", "#include <sys/socket.h>\n", "has no <sys/socket.h>"),
    ("engines_own_no_thread_socket_or_clock", "src/hub/a.cc", "x = std::chrono::steady_clock::now();\n", "no clock"),
    ("every_library_is_installed_and_used", "a/CMakeLists.txt", "find_package(SQLite3 3.37)\n", "install libsqlite3-dev"),
    ("every_library_is_installed_and_used", "a/CMakeLists.txt", "find_package(Novelty)\n", "package of Novelty"),
    ("every_library_is_installed_and_used", "tests/CMakeLists.txt", "\n", "libgtest-dev is installed, but"),
    ("names_are_snake_case", "src/hub/RingBuffer.cc", "\n", "RingBuffer.cc:1"),
    ("names_are_snake_case", "tests/unit/my-room/a.cc", "\n", "my-room/a.cc:1"),
    ("headers_say_what_they_guarantee", "src/hub/a.h", "#pragma once\n", "opens with a comment"),
    ("files_are_short", "src/hub/a.cc", "\n" * 501, "501 lines"),
    ("files_are_short", "dev", "\n" * 501, "501 lines"),
    ("nothing_depends_on_one_machine", "docs/notes.md", f"see `{HOME}`\n", "one machine only"),
    ("nothing_depends_on_one_machine", "web/.npmrc", f"registry={REGISTRY}\n", "package registry"),
    (
        "lock_files_name_no_registry",
        "web/package-lock.json",
        json.dumps({"packages": {"node_modules/a": {"resolved": REGISTRY}}}),
        "node_modules/a is resolved",
    ),
    ("nothing_is_left_for_later", "src/hub/a.cc", "// TO" + "DO: later\n", "do it now"),
]


def write(root: Path, files: dict[str, str]) -> rules.Tree:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return rules.Tree.of_folder(root)


@pytest.mark.parametrize("rule", rules.RULES, ids=lambda rule: rule.__name__)
def test_the_project_keeps_the_rule(rule):
    findings = list(rule(rules.Tree.of_repository(PROJECT)))
    assert not findings, "\n".join(findings)


@pytest.mark.parametrize("rule", rules.RULES, ids=lambda rule: rule.__name__)
def test_a_good_tree_gives_no_finding(rule, tmp_path):
    assert list(rule(write(tmp_path, GOOD))) == []


@pytest.mark.parametrize(("rule", "file", "text", "said"), BAD)
def test_a_bad_file_is_found_once_and_said_where(rule, file, text, said, tmp_path):
    findings = list(getattr(rules, rule)(write(tmp_path, GOOD | {file: text})))
    assert len(findings) == 1
    assert said in findings[0]


def test_every_rule_is_shown_to_fail():
    assert {rule.__name__ for rule in rules.RULES} == {rule for rule, *_ in BAD}


def test_the_rooms_are_read_from_the_build():
    rooms = rules.Tree.of_repository(PROJECT).rooms
    assert rooms["base"] == []
    assert rooms["hub"] == ["base", "sse"]
