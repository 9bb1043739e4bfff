"""The count at the end of ./dev test is believed, so what it makes of each runner's output is tested."""

import count_tests
import pytest

GTEST = """<testsuites tests="4" failures="1" disabled="1"><testsuite name="Encoder">
  <testcase name="splits_lines" status="run" result="completed"/>
  <testcase name="keeps_bytes" status="run" result="completed"><failure message="a"/><failure message="b"/></testcase>
  <testcase name="old" status="notrun" result="suppressed"/>
  <testcase name="as_root" status="run" result="skipped"><skipped message="not root"/></testcase>
</testsuite></testsuites>"""
PYTEST = """<testsuites><testsuite name="pytest" errors="1" failures="0" skipped="0" tests="2">
  <testcase name="test_a"/><testcase name="test_b"><error message="failed on teardown"/></testcase>
</testsuite></testsuites>"""
PASSED = '<testsuite><testcase name="a"/></testsuite>'


@pytest.mark.parametrize(
    ("status", "results", "passed", "failed", "skipped"),
    [
        pytest.param(1, [GTEST], 1, 1, 2, id="a test fails once, however often it complains"),
        pytest.param(1, [PYTEST], 1, 1, 0, id="an error in a fixture is a failure"),
        pytest.param(1, [GTEST, PYTEST], 2, 2, 2, id="all runners of a step count"),
        pytest.param(0, [PASSED], 1, 0, 0, id="a runner that passes"),
        pytest.param(1, [PASSED], 1, 1, 0, id="a runner that died besides is a failure"),
        pytest.param(0, [], 1, 0, 0, id="a check without results is one test"),
        pytest.param(1, [], 0, 1, 0, id="a check that fails is one failure"),
        pytest.param(0, ["<testsuites/>"], 0, 0, 0, id="no tests are not a pass"),
    ],
)
def test_results_are_counted(status, results, passed, failed, skipped, tmp_path):
    for number, text in enumerate(results):
        (tmp_path / f"{number}.xml").write_text(text)
    counts = count_tests.count(status, tmp_path)
    assert (counts["passed"], counts["failed"], counts["skipped"]) == (passed, failed, skipped)
