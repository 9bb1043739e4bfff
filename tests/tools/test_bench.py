"""What bench/streams makes of its figures: the page is believed, so its sums are tested."""

import argparse
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))

from streams.report import plot, table, write  # noqa: E402
from streams.scenarios import SCENARIOS, median, ratio  # noqa: E402
from streams.ways import Way, all_ways  # noqa: E402

UNICAST = next(scenario for scenario in SCENARIOS if scenario.name == "unicast_1000")


def figures(cpu, **others):
    return {"cpu_us_per_event": cpu, "delivered_per_s": 1000, "p99_ms": 1.5} | others


class Named(Way):
    def __init__(self, name):
        self.name, self.label = name, name.title()


WAYS = [Named("limit"), Named("rillgate"), Named("peer")]
TURNS = {
    UNICAST.name: {
        "limit": [figures(4.0), figures(8.0)],
        "rillgate": [figures(6.0, lost=2), figures(10.0)],
        "peer": [{"failed": "it fell over"}, figures(16.0)],
    }
}


def test_a_ratio_is_one_of_the_same_round():
    rounds = TURNS[UNICAST.name]
    assert ratio(rounds["rillgate"], rounds["limit"], "cpu_us_per_event") == pytest.approx((1.5 + 1.25) / 2)
    assert ratio(rounds["peer"], rounds["limit"], "cpu_us_per_event") == 2
    assert ratio(rounds["peer"], [], "cpu_us_per_event") is None


def test_a_round_that_failed_has_no_figure():
    assert median(TURNS[UNICAST.name]["peer"], "cpu_us_per_event") == 16
    assert median([{"failed": "x"}], "cpu_us_per_event") is None


def test_a_table_tells_what_failed_and_what_was_lost():
    text = table(UNICAST, WAYS, TURNS)
    assert "| Rillgate | 8.00 | 1,000 | 1.50 | × 1.38 |" in text
    assert "Peer: it fell over." in text
    assert "Rillgate: 2 events lost." in text


def test_a_plot_is_well_formed_and_its_bars_are_in_proportion():
    text = plot("<a & b>", UNICAST.figures[0], [("a < b", 5.0, "ours"), ("c", 10.0, "other"), ("d", None, "other")])
    bars = ElementTree.fromstring(text).findall("{http://www.w3.org/2000/svg}rect")
    lengths = [float(bar.get("width")) for bar in bars]
    assert lengths[0] * 2 == pytest.approx(lengths[1], abs=0.1) and lengths[2] == 0


def test_a_page_has_a_plot_for_each_scenario(tmp_path):
    options = argparse.Namespace(rounds=2, round_ms=2000)
    page = write(WAYS, [("Other", "there is no other")], [UNICAST], TURNS, options, tmp_path)
    assert "(images/performance-unicast-1000.svg)" in page.read_text()
    assert "Left out here: Other (there is no other)." in page.read_text()
    assert (tmp_path / "images/performance-unicast-1000.svg").exists()


def test_names_of_ways_and_scenarios_are_unique():
    for things in all_ways(), SCENARIOS:
        assert len({thing.name for thing in things}) == len(things)
