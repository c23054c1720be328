"""Figures of a server in the text format of Prometheus.

Source: https://prometheus.io/docs/instrumenting/exposition_formats/ (version 0.0.4).
"""

import bisect
import collections
from collections.abc import Iterable

BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Upper bounds of the bins of durations, in seconds."""

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
Sample = tuple[dict[str, str], float]


class Histogram:
    """Durations in bins."""

    def __init__(self) -> None:
        self.bins = [0] * (len(BOUNDS) + 1)
        self.total = 0.0

    def add(self, seconds: float) -> None:
        """Count one."""
        self.bins[bisect.bisect_left(BOUNDS, seconds)] += 1
        self.total += seconds


class Figures:
    """What is counted while the server runs."""

    def __init__(self) -> None:
        self._answers: collections.Counter[tuple[str, str, int]] = collections.Counter()
        self._seconds: dict[str, Histogram] = {}
        self._first: dict[str, Histogram] = {}
        self._tokens: collections.Counter[tuple[str, str]] = collections.Counter()
        self._images: collections.Counter[str] = collections.Counter()
        self._cancelled = 0

    def answered(self, path: str, method: str, status: int, seconds: float) -> None:
        """Count an answer; status 499 is a client that has gone."""
        self._answers[path, method, status] += 1
        self._seconds.setdefault(path, Histogram()).add(seconds)

    def first_token(self, model: str, seconds: float) -> None:
        """Count how long a text took to begin."""
        self._first.setdefault(model, Histogram()).add(seconds)

    def tokens(self, model: str, *, asked: int, made: int) -> None:
        """Count tokens that were read and written."""
        self._tokens[model, "prompt"] += asked
        self._tokens[model, "completion"] += made

    def images(self, model: str, count: int) -> None:
        """Count images that were made."""
        self._images[model] += count

    def cancelled(self) -> None:
        """Count work that nobody wanted any more."""
        self._cancelled += 1

    def text(self, gauges: Iterable[tuple[str, str, list[Sample]]]) -> str:
        """Return everything in the format of Prometheus.

        Args:
            gauges: What is measured when it is asked for: name, meaning, samples.
        """
        lines: list[str] = []
        answers = [
            ({"path": path, "method": method, "status": str(status)}, float(count))
            for (path, method, status), count in sorted(self._answers.items())
        ]
        tokens = [({"model": name, "kind": kind}, float(count)) for (name, kind), count in sorted(self._tokens.items())]
        lines += _family("makar_requests_total", "counter", "Requests that were answered.", answers)
        lines += _family("makar_tokens_total", "counter", "Tokens that were read and written.", tokens)
        images = [({"model": name}, float(count)) for name, count in sorted(self._images.items())]
        lines += _family("makar_images_total", "counter", "Images that were made.", images)
        lines += _family("makar_cancelled_total", "counter", "Work nobody wanted.", [({}, float(self._cancelled))])
        lines += _histograms("makar_request_seconds", "Time to the end of an answer.", "path", self._seconds)
        lines += _histograms("makar_first_token_seconds", "Time to the first token.", "model", self._first)
        for name, meaning, samples in gauges:
            lines += _family(name, "gauge", meaning, samples)
        return "\n".join(lines) + "\n"


def _family(name: str, kind: str, meaning: str, samples: Iterable[Sample]) -> list[str]:
    head = [f"# HELP {name} {meaning}", f"# TYPE {name} {kind}"]
    return head + [f"{name}{_labels(labels)} {value:g}" for labels, value in samples]


def _histograms(name: str, meaning: str, label: str, found: dict[str, Histogram]) -> list[str]:
    lines = [f"# HELP {name} {meaning}", f"# TYPE {name} histogram"]
    for key, histogram in sorted(found.items()):
        below = 0
        for bound, count in zip((*BOUNDS, float("inf")), histogram.bins):
            below += count
            shown = "+Inf" if bound == float("inf") else f"{bound:g}"
            lines.append(f"{name}_bucket{_labels({label: key, 'le': shown})} {below}")
        lines.append(f"{name}_sum{_labels({label: key})} {histogram.total:g}")
        lines.append(f"{name}_count{_labels({label: key})} {below}")
    return lines


def _labels(labels: dict[str, str]) -> str:
    if not labels:
        return ""
    parts = [f'{name}="{_escaped(value)}"' for name, value in labels.items()]
    return "{" + ",".join(parts) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
