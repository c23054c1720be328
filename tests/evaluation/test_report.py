"""The page stands by itself, escapes what is not ours, can be read aloud; the JSON holds the same figures."""

import html.parser
import itertools
import json
import math

import numpy as np
import pytest

from makar.evaluation.bootstrap import Interval
from makar.evaluation.comparison import Comparison
from makar.evaluation.facts import Facts
from makar.evaluation.findings import Findings, Picture, Sample, Score, Table
from makar.evaluation.pictures import curves_png, grid_png, pairs_png
from makar.evaluation.report import bar, figure_text, interval_text, write_report

EVIL = '<script>alert(1)</script> & "quotes" \''
VOID = {"meta", "img", "rect", "link", "br"}


class Reader(html.parser.HTMLParser):
    """Checks that tags close in order and collects them with their attributes."""

    def __init__(self):
        super().__init__()
        self.open, self.tags = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert tag in VOID or self.open.pop() == tag


@pytest.fixture
def facts():
    curve = [{"stage": "model", "seconds": second, "loss": 3 - second / 10, "inner_loss": 3.1} for second in range(5)]
    return Facts(
        name=EVIL,
        medium="text",
        measured_on="the held-out part",
        date="2026-01-02",
        model=(("recipe", "text"),),
        data=(("name", EVIL),),
        licences=(("CC0-1.0", "12"),),
        predictions=(
            Comparison(what="loss", low=1.0, central=1.5, high=2.0, real=1.6, unit="nats a byte", verdict="hit"),
        ),
        energy="3 Wh (1 to 9)",
        hashes=(("model", "abc"),),
        curves=Picture(key="curves", caption="c", alternative="Curves", png=curves_png(curve)),
        training={"steps": 3},
    )


@pytest.fixture
def findings():
    image = np.zeros((8, 8, 1), np.uint8)
    return Findings(
        verdict=("It is good.", EVIL),
        scores=(
            Score(
                key="bits",
                name="Bits",
                interval=Interval(2.0, 1.5, 2.5),
                better="lower",
                meaning="m",
                baselines=(("n-gram", Interval(4.0, 4.0, 4.0)), ("unknown", Interval(math.nan, math.nan, math.nan))),
            ),
        ),
        novelty_scores=(Score(key="copies", name="Copies", interval=Interval(0, 0, 0.1), better="lower", meaning="m"),),
        tables=(Table(key="t", caption="Spans", columns=("words", "passage"), rows=(("12", EVIL),)),),
        pictures=(Picture(key="g", caption="Grid", alternative="A grid", png=grid_png([image] * 5, columns=2)),),
        samples=(Sample(text=EVIL, note="new", is_copy=False), Sample(text="x", note="too close", is_copy=True)),
        details={"a": math.nan, "b": [math.inf, 1]},
    )


def test_the_page_is_well_formed_escaped_and_needs_nothing_else(tmp_path, facts, findings):
    report = write_report(facts, findings, tmp_path / "report")
    page = report.html.read_text(encoding="utf-8")
    reader = Reader()
    reader.feed(page)
    assert not reader.open
    names = [tag for tag, _ in reader.tags]
    assert "script" not in names
    assert "&lt;script&gt;" in page
    sources = [attributes["src"] for _, attributes in reader.tags if "src" in attributes]
    assert len(sources) == 2
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    assert "http" not in page.replace("data:", "")
    assert sorted(path.name for path in (tmp_path / "report").iterdir()) == ["report.html", "report.json"]


def test_the_page_can_be_read_aloud(tmp_path, facts, findings):
    reader = Reader()
    reader.feed(write_report(facts, findings, tmp_path).html.read_text(encoding="utf-8"))
    assert [attributes.get("lang") for tag, attributes in reader.tags if tag == "html"] == ["en"]
    assert all(attributes.get("alt") for tag, attributes in reader.tags if tag == "img")
    names = [tag for tag, _ in reader.tags]
    assert names.count("table") == names.count("caption") == 5
    assert all(attributes.get("scope") for tag, attributes in reader.tags if tag == "th")
    assert names.count("h1") == 1
    levels = [int(tag[1]) for tag in names if tag in ("h1", "h2", "h3")]
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def test_the_json_holds_every_figure_and_no_number_that_json_lacks(tmp_path, facts, findings):
    report = write_report(facts, findings, tmp_path)
    values = json.loads(report.json.read_text(encoding="utf-8"))
    assert values == report.to_dictionary()
    assert values["scores"]["bits"]["baselines"]["n-gram"]["value"] == 4
    assert values["predicted_and_real"][0]["predicted"] == {"low": 1.0, "central": 1.5, "high": 2.0}
    row = '<td>loss</td><td class="number">1 to 2 nats a byte, about 1.5</td><td class="number">1.6 nats a byte</td><td>hit</td>'
    assert row in report.html.read_text(encoding="utf-8")
    assert values["scores"]["bits"]["baselines"]["unknown"]["value"] is None
    assert values["details"] == {"a": None, "b": [None, 1]}
    assert values["model"] == EVIL


def test_a_report_without_data_says_so(tmp_path, facts):
    page = write_report(facts, Findings(verdict=("Unknown.",), scores=()), tmp_path).html.read_text(encoding="utf-8")
    assert "Nothing could be measured" in page
    assert "Not known here" in page


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (1.0, "1"),
        (0.123456, "0.1235"),
        (1234.5, "1234"),
        (1.5e7, "1.5e+07"),
        (3e-6, "3e-06"),
        (math.nan, "–"),
    ],
)
def test_figures_have_four_digits(value, text):
    assert figure_text(value) == text


def test_intervals_are_shown_where_there_are_some():
    assert interval_text(Interval(1.0, 0.5, 1.5)) == "1 (0.5 to 1.5)"
    assert interval_text(Interval(1.0, 1.0, 1.0)) == "1"


def test_bars_share_one_scale(findings):
    score = findings.scores[0]
    assert bar(score, score.interval) == {"start": 37.5, "length": 25.0, "value": 50.0}
    assert bar(score, score.baselines[0][1]) == {"start": 100.0, "length": 0.0, "value": 100.0}
    assert bar(score, score.baselines[1][1]) is None
    assert bar(findings.novelty_scores[0], findings.novelty_scores[0].interval) is None


def test_pictures_hold_images_of_every_kind_and_say_that_a_model_made_them():
    generator = np.random.default_rng(0)
    for channels in (1, 3, 4):
        images = list(generator.integers(0, 256, (5, 12, 10, channels), dtype=np.uint8))
        assert b"trainedAlgorithmicMedia" in grid_png(images, columns=3)
        assert pairs_png(images, [image[::2, ::2] for image in images], columns=3).startswith(b"\x89PNG")
    assert curves_png([]) is None
