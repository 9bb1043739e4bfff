"""Reads the Prometheus text format, strictly enough that a malformed line fails the test that met it."""

import re

_SAMPLE = re.compile(r"^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)(?: -?\d+)?$")
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)",?')


class Metrics:
    """The samples of one page."""

    def __init__(self, text):
        self.types = {}
        self._samples = []
        for line in text.splitlines():
            if line.startswith("# TYPE "):
                _, _, name, kind = line.split(" ")
                self.types[name] = kind
            elif line and not line.startswith("#"):
                match = _SAMPLE.match(line)
                assert match, f"not a sample of the Prometheus text format: {line!r}"
                name, labels, value = match.groups()
                assert not _LABEL.sub("", labels or ""), f"malformed labels: {line!r}"
                self._samples.append((name, dict(_LABEL.findall(labels or "")), float(value)))

    def samples(self, name):
        """All (labels, value) of a name."""
        return [(labels, value) for sample, labels, value in self._samples if sample == name]

    def value(self, name, **labels):
        """The sum of the samples that have these labels; 0 when there is none, as for a counter never counted."""
        return sum(value for have, value in self.samples(name) if labels.items() <= have.items())
