"""The page of a run, docs/performance.md, with a plot for each scenario."""

import html
import os
import pathlib
import platform

from .scenarios import median, ratio

BAR, GAP, LABEL, WIDTH = 18, 8, 270, 760


def number(value, digits):
    return "–" if value is None else f"{value:,.{digits}f}"


def plot(title, figure, rows):
    """Horizontal bars as SVG, readable on light and dark pages. `rows` are (label, value, is ours)."""
    most = max((value for _, value, _ in rows if value is not None), default=0) or 1
    height = 40 + len(rows) * (BAR + GAP)
    better = "more is better" if figure.more_is_better else "less is better"
    caption = html.escape(f"{figure.title} ({better})")
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="{html.escape(title)}" font-family="system-ui, sans-serif" font-size="13">',
        "<style>text{fill:#24292f}.ours{fill:#0969da}.other{fill:#8c959f}.limit{fill:#d0d7de}"
        "@media(prefers-color-scheme:dark){text{fill:#e6edf3}.ours{fill:#4493f8}.other{fill:#6e7681}"
        ".limit{fill:#30363d}}</style>",
        f'<text x="0" y="16" font-weight="600">{caption}</text>',
    ]
    for index, (label, value, kind) in enumerate(rows):
        y = 32 + index * (BAR + GAP)
        length = 0 if value is None else value / most * (WIDTH - LABEL - 90)
        parts.append(f'<text x="{LABEL - 8}" y="{y + 13}" text-anchor="end">{html.escape(label)}</text>')
        parts.append(f'<rect class="{kind}" x="{LABEL}" y="{y}" width="{length:.1f}" height="{BAR}" rx="2"/>')
        parts.append(f'<text x="{LABEL + length + 6:.1f}" y="{y + 13}">{number(value, figure.digits)}</text>')
    return "\n".join([*parts, "</svg>", ""])


def table(scenario, ways, turns):
    lines = ["| | " + " | ".join(figure.title for figure in scenario.figures) + " | of the limit's |"]
    lines.append("|---|" + "---:|" * (len(scenario.figures) + 1))
    failures = []
    first = scenario.figures[0].name
    for way in ways:
        rounds = turns[scenario.name][way.name]
        cells = [number(median(rounds, figure.name), figure.digits) for figure in scenario.figures]
        times = None if way.name == "limit" else ratio(rounds, turns[scenario.name].get("limit", []), first)
        lines.append(f"| {way.label} | " + " | ".join(cells) + f" | {'' if times is None else f'× {times:.2f}'} |")
        failures += [f"{way.label}: {one['failed']}" for one in rounds if "failed" in one][:1]
        for figure, what in (("lost", "events lost"), ("refused", "messages refused"), ("ended_streams", "streams ended")):
            count = sum(one.get(figure, 0) for one in rounds)
            if count:
                failures.append(f"{way.label}: {count:,} {what}")
    return "\n".join(lines) + "".join(f"\n\n{failure}." for failure in failures) + "\n"


def machine():
    model = "unknown processor"
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    return f"{os.cpu_count()} cores ({model}), {memory:.0f} GiB, Linux {platform.release()}"


def write(ways, left_out, scenarios, turns, options, directory):
    """Writes the page and its plots; returns the page's path."""
    images = directory / "images"
    images.mkdir(parents=True, exist_ok=True)
    lines = [
        "# Performance",
        "",
        f"Measured by `./dev bench streams` on {machine()}; client and server share the cores, over loopback. Medians of",
        f"{options.rounds} rounds of {options.round_ms / 1000:g} s each, in which all ways take turns, in one order and then in the other.",
        "Figures of other machines differ; what carries over are the ratios within a run: the last column compares the",
        "first figure with that of a program which does nothing but accept and send (`bench/stream_limit.cc`), in the same round.",
        "",
        "CPU is that of the server's processes alone, as the scheduler counts it. A message has 100 bytes. `bench/peers` has",
        "the servers that Rillgate is compared with, as somebody would set them up.",
        "",
    ]
    lines += [way.remark for way in ways if way.remark]
    lines += [f"Left out here: {label} ({reason})." for label, reason in left_out]
    for scenario in scenarios:
        figure = scenario.figures[0]
        rows = [
            (
                way.label.split(":")[0],
                median(turns[scenario.name][way.name], figure.name),
                "limit" if way.name == "limit" else "ours" if way.name.startswith("rillgate") else "other",
            )
            for way in ways
        ]
        image = f"performance-{scenario.name.replace('_', '-')}.svg"
        (images / image).write_text(plot(scenario.title, figure, rows))
        lines += ["", f"## {scenario.title}", "", f"![{figure.title}](images/{image})", ""]
        lines.append(table(scenario, ways, turns).rstrip())
    page = directory / "performance.md"
    page.write_text("\n".join(lines) + "\n")
    return page
