"""What is measured, and the runs: the ways take turns, in one order and then in the other, so that what disturbs the
machine strikes all alike. A ratio is one of figures of the same round."""

import json
import pathlib
import resource
import statistics
import subprocess
import tempfile
from dataclasses import dataclass, field

from .ways import PROGRAMS, LeftOut

PATIENCE = 45  # seconds for a scenario of one way; past that it has failed


@dataclass(frozen=True)
class Figure:
    """A column of the report."""

    name: str  # in what stream_load prints
    title: str
    digits: int
    more_is_better: bool = False


CPU = Figure("cpu_us_per_event", "CPU µs per delivered event", 2)
RATE = Figure("delivered_per_s", "events a second", 0, more_is_better=True)
P99 = Figure("p99_ms", "p99 ms", 2)


@dataclass(frozen=True)
class Scenario:
    name: str
    title: str
    program: str  # the scenario of stream_load
    figures: list  # the first one is plotted
    arguments: dict = field(default_factory=dict)
    to_all: bool = False
    joins: bool = False  # the limit joins what waits


def _scenarios():
    for streams in 10_000, 19_000:
        yield Scenario(
            f"idle_{streams}", f"{streams:,} idle streams", "idle",
            [Figure("kib_per_stream", "resident KiB per stream", 2), Figure("cpu_us_per_connect", "CPU µs per connect", 1)],
            {"streams": streams},
        )
    for streams in 1_000, 10_000:
        yield Scenario(
            f"unicast_{streams}", f"Messages to one of {streams:,} streams each, 16 publishers in a closed loop",
            "unicast", [CPU, RATE, P99], {"streams": streams},
        )
    yield Scenario(
        "rate", "5,000 messages a second to 1,000 streams", "unicast",
        [P99, Figure("p50_ms", "p50 ms", 2), CPU], {"per-second": 5000},
    )
    for streams in 1_000, 10_000:
        yield Scenario(
            f"broadcast_{streams}", f"Messages to all of {streams:,} streams, one at a time", "broadcast",
            [CPU, RATE, P99], {"streams": streams, "under-way": 1}, to_all=True,
        )
        yield Scenario(
            f"waiting_{streams}", f"Messages to all of {streams:,} streams, about eight under way", "broadcast",
            [CPU, RATE, P99], {"streams": streams, "under-way": 8}, to_all=True, joins=True,
        )
    yield Scenario(
        "storm", "10,000 streams cut at once and back at once", "storm",
        [Figure("cpu_us_per_reconnect", "CPU µs per reconnect", 1), Figure("seconds", "seconds until all are back", 2)],
        {"streams": 10_000},
    )
    yield Scenario(
        "slow", "1,000 streams, and one reader that never reads: what the others notice", "slow",
        [
            P99,
            Figure("p99_ms_without", "p99 ms without it", 2),
            Figure("stuck_publishers", "of 16 publishers stuck", 0),
        ],
        {"measured-ms": 1500},
    )


SCENARIOS = list(_scenarios())


def raise_descriptor_limit():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def one_line(text):
    return " ".join(text.split())[-200:]


def turn(way, scenario, options):
    """The figures of one way in one scenario, or why there are none."""
    arguments = {"warm-up-ms": 500, "measured-ms": options.round_ms} | scenario.arguments
    with tempfile.TemporaryDirectory(prefix="run-", dir=options.directory) as directory:
        try:
            with way.start(scenario, pathlib.Path(directory)) as (process, speech):
                words = [f"--{name}={value}" for name, value in (arguments | speech | {"pid": process}).items()]
                command = [PROGRAMS / "stream_load", scenario.program]
                for word in words:
                    command += word.split("=", 1)
                done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            return {"failed": f"not done after {PATIENCE} s"}
        except LeftOut as reason:
            return {"failed": one_line(str(reason))}
    if done.returncode != 0:
        return {"failed": one_line(done.stderr)}
    figures = json.loads(done.stdout)
    return {"failed": "nothing was delivered in time"} if figures.get("delivered_per_s") == 0 else figures


def measure(ways, scenarios, options):
    """{scenario: {way: [the figures of each round]}}"""
    raise_descriptor_limit()
    turns = {scenario.name: {way.name: [] for way in ways} for scenario in scenarios}
    for number in range(options.rounds):
        for scenario in scenarios:
            for way in ways if number % 2 == 0 else reversed(ways):
                figures = turn(way, scenario, options)
                turns[scenario.name][way.name].append(figures)
                said = figures.get("failed") or f"{figures[scenario.figures[0].name]:g} {scenario.figures[0].title}"
                print(f"round {number + 1}, {scenario.name}, {way.name}: {said}", flush=True)
    return turns


def median(rounds, figure):
    """Of the rounds that gave it; None without any."""
    values = [figures[figure] for figures in rounds if "failed" not in figures]
    return statistics.median(values) if values else None


def ratio(rounds, others, figure):
    """The median of the ratios within the rounds."""
    pairs = [
        (mine[figure], other[figure])
        for mine, other in zip(rounds, others)
        if "failed" not in mine and "failed" not in other
    ]
    ratios = [mine / other for mine, other in pairs if other]
    return statistics.median(ratios) if ratios else None
