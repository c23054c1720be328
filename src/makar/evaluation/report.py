"""One HTML file that stands by itself and one JSON file: the verdict in words, figures beside their baselines, pictures, provenance.

The page needs no script, no font and no other file, follows light and dark, and can be read aloud: headings in order, captions and
headers of tables, alternative texts. Text is escaped by the template engine (``autoescape``), because samples and file names are not ours.
"""

import base64
import dataclasses
import json
import math
from pathlib import Path
from typing import Any

from makar.evaluation.bootstrap import Interval
from makar.evaluation.facts import Facts
from makar.evaluation.findings import Findings, Heard, Picture, Played, Score

TEMPLATE = "report.html.jinja"
SCHEMA = 1


@dataclasses.dataclass(frozen=True)
class Report:
    """A finished report.

    Attributes:
        html: The page.
        json: The same as plain values.
        values: What the JSON file holds.
    """

    html: Path
    json: Path
    values: dict[str, Any]

    def to_dictionary(self) -> dict[str, Any]:
        """Return the values of the JSON file."""
        return self.values


def write_report(facts: Facts, findings: Findings, folder: Path) -> Report:
    """Write both files.

    Args:
        facts: What the model is and how it was made.
        findings: What was measured.
        folder: Where the files go; made when absent, and earlier reports in it are replaced.
    """
    folder.mkdir(parents=True, exist_ok=True)
    values = report_values(facts, findings)
    report = Report(html=folder / "report.html", json=folder / "report.json", values=values)
    _replace(report.json, json.dumps(values, indent=1, ensure_ascii=False, allow_nan=False))
    _replace(report.html, render(facts, findings))
    return report


def report_values(facts: Facts, findings: Findings) -> dict[str, Any]:
    """Return the report as plain values for JSON; what is not a number becomes ``None``."""
    values: dict[str, Any] = {
        "schema": SCHEMA,
        **facts.to_dictionary(),
        "verdict": list(findings.verdict),
        "scores": {score.key: score.to_dictionary() for score in findings.scores},
        "novelty": {score.key: score.to_dictionary() for score in findings.novelty_scores},
        "details": findings.details,
    }
    cleaned: dict[str, Any] = _finite(values)
    return cleaned


def render(facts: Facts, findings: Findings) -> str:
    """Return the page."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("makar.evaluation", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"figure": figure_text, "interval": interval_text, "data": _data_address}
    page = environment.get_template(TEMPLATE).render(facts=facts, findings=findings, bar=bar)
    return page


def figure_text(value: float) -> str:
    """Return a number with four significant digits, without needless zeros; an en dash when there is none."""
    if value is None or not math.isfinite(value):
        return "–"
    if value and (abs(value) < 1e-4 or abs(value) >= 1e6):
        return f"{value:.3g}"
    return f"{value:.4g}"


def interval_text(interval: Interval) -> str:
    """Return a figure with its interval in brackets when it has one."""
    text = figure_text(interval.value)
    if not math.isfinite(interval.value) or interval.low == interval.high:
        return text
    return f"{text} ({figure_text(interval.low)} to {figure_text(interval.high)})"


def bar(score: Score, interval: Interval) -> dict[str, float] | None:
    """Return where an interval lies on a common scale with the other figures of its score, in per cent of the width.

    Args:
        score: Gives the scale: from 0, or the lowest, to the highest of all its figures.
        interval: The score's own or that of a baseline.
    """
    all_ = [score.interval, *(baseline for _, baseline in score.baselines)]
    numbers = [part for one in all_ for part in (one.value, one.low, one.high) if math.isfinite(part)]
    if len(score.baselines) == 0 or not numbers or not math.isfinite(interval.value):
        return None
    low, high = min(0.0, *numbers), max(numbers)
    if high <= low:
        return None
    scale = 100 / (high - low)
    return {
        "start": round((interval.low - low) * scale, 2),
        "length": round((interval.high - interval.low) * scale, 2),
        "value": round((interval.value - low) * scale, 2),
    }


def _data_address(shown: Picture | Heard | Played) -> str:
    if isinstance(shown, Played):
        return f"data:{shown.type};base64," + base64.b64encode(shown.file).decode("ascii")
    kind, content = ("image/png", shown.png) if isinstance(shown, Picture) else ("audio/wav", shown.wave)
    return f"data:{kind};base64," + base64.b64encode(content).decode("ascii")


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _replace(path: Path, text: str) -> None:
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(text, encoding="utf-8", errors="replace")
    temporary.replace(path)
