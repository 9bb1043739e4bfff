"""The simulation of the hub can fail: it finds each of these mistakes, put into a copy of the hub."""

import os
import pathlib
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]

NUMBERING = """    Channel& channel = stripe.channel_of(user);
    result.seq = stripe.newest = number(stripe);
"""

# name -> (file, the right text, the mistake)
MUTATIONS = {
    "the number is taken before the lock under which the event is queued": (
        "hub.cc",
        NUMBERING,
        """    result.seq = stripe.newest = number(stripe);
    lock.unlock();
    static_cast<void>(options_.clock());
    lock.lock();
    Channel& channel = stripe.channel_of(user);
""",
    ),
    "each channel counts for itself": (
        "hub.cc",
        NUMBERING,
        """    Channel& channel = stripe.channel_of(user);
    const Seq before = std::exchange(stripe.newest, channel.events.empty() ? Seq{} : channel.events.back()->seq());
    result.seq = number(stripe);
    stripe.newest = std::max(before, result.seq);
""",
    ),
    "a replay joins the live events one event late": (
        "history.cc",
        "const bool own_left = own < channel.events.size();",
        "const bool own_left = own + 1 < channel.events.size();",
    ),
    "streams of a log share their ids while they replay": (
        "log_streams.cc",
        "if (!is_shared) return",
        "if (false) return",
    ),
    "a stream forgets what it came with as soon as it is live": (
        "log_streams.cc",
        "if (log_->is_implied(*stream.own_, here)) {",
        "if (true) {",
    ),
    "records from before a partition's beginning are lost in silence": (
        "log_streams.cc",
        "if (next < begin.first) tell",
        "if (false) tell",
    ),
}


def build_simulation(sources: pathlib.Path, program: pathlib.Path) -> None:
    hub = sorted((sources / "hub").glob("*.cc"))
    others = [ROOT / "src/sse/encode.cc", ROOT / "src/base/text.cc"]
    tests = [ROOT / "tests/unit/hub" / name for name in ("simulation.cc", "log_simulation.cc", "simulation_test.cc")]
    compiler = ["ccache", "g++"] if shutil.which("ccache") else ["g++"]
    objects = []
    for source in [*hub, *others, *tests]:
        objects.append(program.parent / f"{source.stem}.o")
        include = [f"-I{sources}", f"-I{ROOT / 'src'}", f"-I{ROOT / 'tests'}"]
        subprocess.run([*compiler, "-std=c++23", "-O1", *include, "-c", source, "-o", objects[-1]], check=True)
    libraries = ["-lfmt", "-lsimdjson", "-lgtest", "-lgtest_main", "-pthread"]
    subprocess.run(["g++", *objects, "-o", program, *libraries], check=True)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", MUTATIONS)
def test_the_simulation_finds_that(name, tmp_path):
    file, right, wrong = MUTATIONS[name]
    shutil.copytree(ROOT / "src/hub", tmp_path / "src/hub")
    mutant = tmp_path / "src/hub" / file
    text = mutant.read_text()
    assert text.count(right) == 1, f"the mutation no longer fits {file}: write it anew"
    mutant.write_text(text.replace(right, wrong))
    build_simulation(tmp_path / "src", tmp_path / "simulation")
    ran = subprocess.run(
        [tmp_path / "simulation"],
        env={**os.environ, "RILLGATE_SEEDS": "1000"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ran.returncode != 0, "the simulation did not notice"
    assert "replay with RILLGATE_SEED=" in ran.stdout
