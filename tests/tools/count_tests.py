"""Counts the tests of one step of ./dev, from the JUnit XML that every test runner here writes.

    count_tests.py STATUS FOLDER

STATUS is the step's exit status, FOLDER what its runners wrote their XML to. Prints `passed failed skipped`.

A step that failed is never counted as free of failures, even if it ended before it could write a result (a sanitizer's
report ends a process so); a step without any result of its own, such as ShellCheck, is one test.
"""

import sys
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree


def outcome(case: ElementTree.Element) -> str:
    if case.find("failure") is not None or case.find("error") is not None:
        return "failed"
    # GoogleTest says of a disabled test only that it was not run.
    if case.find("skipped") is not None or case.get("status") == "notrun":
        return "skipped"
    return "passed"


def count(status: int, folder: Path) -> Counter[str]:
    files = sorted(folder.glob("*.xml"))
    counts: Counter[str] = Counter()
    for file in files:
        counts.update(outcome(case) for case in ElementTree.parse(file).iter("testcase"))
    if status != 0 and counts["failed"] == 0:
        counts["failed"] = 1
    if status == 0 and not files:
        counts["passed"] = 1
    return counts


if __name__ == "__main__":
    result = count(int(sys.argv[1]), Path(sys.argv[2]))
    print(result["passed"], result["failed"], result["skipped"])
