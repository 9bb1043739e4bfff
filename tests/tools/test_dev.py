"""./dev as its users meet it: copied into a small project, with apt-get and its like replaced by ones that only note
how they were called."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
ABSENT = "shellcheck"


class Project:
    def __init__(self, root: Path):
        self.root = root
        self.calls = root.parent / "apt-calls"
        self.programs = root.parent / "programs"
        self.path = os.environ["PATH"]
        self.programs.mkdir()
        (root / "tests/tools").mkdir(parents=True)
        shutil.copy(PROJECT / "dev", root)
        shutil.copy(PROJECT / "tests/tools/count_tests.py", root / "tests/tools")
        subprocess.run(["git", "init", "--quiet", root], check=True)
        self.program("apt-get", f'echo "$@" >>"{self.calls}"')
        self.program("sudo", '"$@"')
        self.program("dpkg-query", r'shift 3; printf "installed %s\n" "$@"')

    def program(self, name: str, body: str):
        (self.programs / name).write_text(f"#!/bin/sh\n{body}\n")
        (self.programs / name).chmod(0o755)

    def hide(self, *names: str):
        """Takes programs that the machine has off the path."""
        rest = self.root.parent / "rest"
        rest.mkdir()
        for folder in os.environ["PATH"].split(":"):
            for program in Path(folder).glob("*"):
                if program.name not in names and not (rest / program.name).exists():
                    (rest / program.name).symlink_to(program)
        self.path = str(rest)

    def dev(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {"PATH": f"{self.programs}:{self.path}"}
        # From elsewhere: ./dev finds its project by itself.
        return subprocess.run(
            [self.root / "dev", *arguments], cwd=self.root.parent, env=environment, text=True, capture_output=True, timeout=60
        )

    def apt_calls(self) -> list[str]:
        return self.calls.read_text().splitlines() if self.calls.exists() else []


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path / "project")


def test_help_lists_every_command_and_step(project):
    said = project.dev("help").stdout
    for command in ("run", "test", "prove", "bench", "kafka", "dynamodb", "format", "lint"):
        assert f"./dev {command}" in said
    assert "unit-asan" in said
    assert project.dev().stdout == said


def test_an_unknown_command_is_named(project):
    result = project.dev("tset")
    assert result.returncode == 1
    assert "there is no command tset" in result.stderr


def test_an_unknown_step_is_a_failure(project):
    result = project.dev("test", "untis")
    assert result.returncode == 1
    assert "there is no step untis" in result.stdout
    assert result.stdout.splitlines()[-1] == "0 passed, 1 failed"


def test_a_failed_step_is_shown_and_the_others_still_run(project):
    (project.root / "bad.sh").write_text("#!/bin/sh\necho $1\n")
    result = project.dev("test", "shell", "format")
    assert result.returncode == 1
    assert "SC2086" in result.stdout
    assert result.stdout.splitlines()[-1] == "1 passed, 1 failed"


def test_success_is_counted_and_its_output_kept_in_the_log_only(project):
    (project.root / "good.sh").write_text("#!/bin/sh\necho \"$1\"\n")
    result = project.dev("test", "shell", "format")
    assert result.returncode == 0
    assert result.stdout.splitlines()[-1] == "2 passed, 0 failed"
    assert (project.root / "build/test/shell.log").exists()


def test_scripts_without_a_suffix_are_checked_too(project):
    (project.root / "tool").write_text("#!/usr/bin/env bash\necho $1\n")
    assert "In tool line 2" in project.dev("test", "shell").stdout


def test_a_badly_formatted_file_is_named_with_its_remedy(project):
    (project.root / "a.cc").write_text("int   x;\n")
    result = project.dev("test", "format")
    assert "a.cc:1" in result.stdout
    assert "./dev format mends this" in result.stdout
    assert project.dev("format").returncode == 0
    assert project.dev("test", "format").returncode == 0


def test_nothing_is_installed_where_nothing_is_missing(project):
    project.dev("test", "format")
    assert project.apt_calls() == []


def test_only_what_is_missing_is_installed(project):
    project.program("dpkg-query", rf'shift 3; printf "installed %s\n" "$@" | grep -v {ABSENT}; echo "config-files {ABSENT}"')
    assert project.dev("test", "format").returncode == 0
    update, install = project.apt_calls()
    assert update.endswith("update")
    assert install.endswith(f"install --yes --no-install-recommends {ABSENT}")


@pytest.mark.parametrize(
    ("missing", "packages"), [(["java", "mvn"], ["default-jre-headless", "maven"]), (["mvn"], ["maven"]), ([], [])]
)
def test_kafka_needs_java_and_maven_from_wherever_they_come(project, missing, packages):
    project.hide(*missing)
    project.program("dpkg-query", "exit 1")
    project.dev("kafka")
    installed = [call.split(" --no-install-recommends ")[1].split() for call in project.apt_calls() if " install " in call]
    assert installed == ([packages] if packages else [])


def test_packages_that_cannot_be_installed_are_named_and_counted_as_a_failure(project):
    project.program("dpkg-query", "exit 1")
    project.program("apt-get", f'echo "$@" >>"{project.calls}"; exit 100')
    project.program("sleep", "exit 0")
    result = project.dev("test", "format")
    assert result.returncode == 1
    assert "could not install g++ cmake" in result.stderr
    assert result.stdout == "0 passed, 1 failed\n"
    assert sum(" install " in call for call in project.apt_calls()) == 3
