"""What cannot end well is said before the work begins, and what is proposed to be typed can be typed."""

import shlex

import numpy as np
import pytest
from PIL import Image

from makar.api.data import dataset_of
from makar.errors import UsageError
from makar.generation.request import Request
from tests.cli.small_models import see, write_texts
from tests.structure.test_docs import parses


@pytest.fixture
def drawn(monkeypatch):
    """Return how often a model was asked to draw."""
    count = []
    draw = Request.draw
    monkeypatch.setattr(Request, "draw", lambda self, jobs, attempt: count.append(1) or draw(self, jobs, attempt))
    return count


@pytest.mark.parametrize(
    "words, what",
    [
        (["painter", "-n", "16", "-o", "cat.png"], "16 assets"),
        (["painter", "cat", "fox", "-o", "cat.png"], "2 assets"),
        (["painter", "-o", "cat.jpg"], ".jpg"),
        (["painter", "-o", "there.png"], "exists"),
        (["painter", "-o", "there"], "is a file"),
        (["writer", "-o", "story.png"], "image"),
        (["writer", "-o", "beside.txt"], "exists"),
        (["writer", "--stream", "-o", "there.txt"], "exists"),
    ],
)
def test_a_place_that_cannot_take_it_is_refused_before_drawing(words, what, place, tmp_path, drawn):
    for name in ("there.png", "there.txt", "there", "beside.txt.makar.json"):
        (tmp_path / name).write_text("mine", encoding="utf-8")
    before = sorted(tmp_path.iterdir())
    seen = see("generate", *words, code=2)
    assert what in seen.messages and seen.output == ""
    assert not drawn and sorted(tmp_path.iterdir()) == before


def test_a_taste_that_cannot_rank_is_refused_before_drawing(own_place, drawn):
    for colour, stars in ((20, "1"), (230, "5")):
        Image.fromarray(np.full((16, 16, 3), colour, np.uint8)).save(f"{colour}.png")
        see("feedback", "add", f"{colour}.png", "--stars", stars, "--rater", "ann")
    for words, what in (
        (["painter", "--for-rater", "eve"], "ann"),
        (["painter", "--for-rater", "ann", "--svg"], "--svg"),
        (["writer", "x", "--for-rater", "ann"], "no feedback on text"),
    ):
        seen = see("generate", *words, "-n", "3", code=None)
        assert seen.code in (1, 2) and what in seen.messages and not drawn


def test_a_place_that_can_take_it_is_not_refused(place, tmp_path, drawn):
    see("generate", "painter", "-n", "3", "-o", "cats", "--steps", "2")
    assert len(list((tmp_path / "cats").iterdir())) == 3 and drawn


def test_the_hint_of_plan_repeats_everything_that_was_given(tmp_path):
    folder = write_texts(tmp_path / "my novels", count=3)
    given = ["--steps", "3", "--recipe", "code", "--medium", "text", "--seed", "7"]
    given += ["--set", "stages.0.family.depth=2", "--set", "stages.0.family.context=16"]
    seen = see("plan", folder, *given, "--no-probe")
    line = seen.messages.strip().splitlines()[-1].partition("To do it: ")[2]
    assert parses(line) is None
    assert shlex.split(line) == ["makar", "train", str(folder), *given]


def test_inspect_shows_where_licences_are_stated(tmp_path):
    folder = write_texts(tmp_path / "texts", count=3)
    (folder / "LICENSE").write_text("CC0 1.0 Universal\n", encoding="utf-8")
    shown = see("inspect", folder).output
    assert "stated in" in shown and "LICENSE" in shown and "CC0-1.0" in shown


def test_an_open_data_set_of_another_medium_is_refused(tmp_path):
    dataset = dataset_of(write_texts(tmp_path / "texts", count=3))
    assert dataset_of(dataset, medium="text") is dataset
    with pytest.raises(UsageError, match="image"):
        dataset_of(dataset, medium="image")


def test_help_of_import_promises_only_what_it_does(tmp_path):
    assert "checkpoint of the layout of Qwen" in " ".join(see("import", "--help").output.split())
    (tmp_path / "config.json").write_text('{"model_type": "qwen3"}', encoding="utf-8")
    seen = see("import", tmp_path, "-o", "x", code=1)
    assert "architectures" in seen.messages and "save_pretrained" in seen.messages
