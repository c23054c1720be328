"""A better model takes a name, a worse one does not, and one command takes it back."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

import makar
from makar.api import arena, feedback, promoting
from makar.api.promoting import promote, roll_back
from makar.api.promotion_journal import model_before
from makar.errors import UnknownNameError, UsageError
from makar.home import home, models_folder
from tests.cli.small_models import IMAGE_SETTINGS, write_images


@pytest.fixture
def models(tmp_path, monkeypatch):
    """Return two models of images, and a comparison of them by somebody who likes one."""
    monkeypatch.chdir(tmp_path)
    folder = write_images(tmp_path / "images")
    for seed, name in enumerate(("old", "new")):
        makar.train(folder, steps=2, output=name, recipe="image", seed=seed, settings=IMAGE_SETTINGS[1::2])
    return makar.load("old"), makar.load("new")


def compare(winner, count):
    session = arena.begin(["new", "old"], rounds=count, options={"steps": 2})
    answering = arena.Answering()
    while (shown := arena.next_pair(session.id, rater="ann", answer=answering)) is not None:
        arena.judge(shown.pair.id, "left" if shown.left.model == winner else "right", consent=True)


def test_a_model_that_people_prefer_takes_the_name_and_gives_it_back(models):
    old, new = models
    unknown = promote("new", "old", samples=2)
    assert unknown.kept_as is None and not unknown.verdict.keeps
    assert "nobody compared" in unknown.verdict.checks[-1].why
    compare("new", 12)
    done = promote("new", "old", samples=2)
    assert done.verdict.keeps and done.kept_as == f"old.before-{old.hash[:8]}"
    assert makar.load("old").hash == new.hash == makar.load("new").hash
    assert makar.load(done.kept_as).hash == old.hash and makar.verify("old").is_intact
    entry = json.loads((home() / "promotions.jsonl").read_text())
    assert entry["old"] == old.hash
    assert model_before("old") == {"from": "new", "time": entry["time"], "kept_as": done.kept_as}
    assert model_before("new") is None
    with pytest.raises(UsageError):
        promote("new", "old")
    assert roll_back("old") == f"old.after-{new.hash[:8]}"
    assert makar.load("old").hash == old.hash and not (models_folder() / done.kept_as).exists()
    assert model_before("old") is None, "it was taken back"
    with pytest.raises(UnknownNameError):
        roll_back("old")


def test_a_model_that_people_do_not_prefer_is_discarded(models):
    compare("old", 12)
    found = promote("new", "old", samples=2)
    check = found.verdict.checks[-1]
    assert found.kept_as is None and check.verdict == "failed" and check.gain.high < 0
    assert makar.load("old").hash == models[0].hash
    with pytest.raises(UsageError, match="data for a model of images"):
        promote("new", "old", data="images")


def test_a_model_tuned_on_what_the_old_one_made_is_no_copyist_for_that(models):
    old, _ = models
    rated = [asset.save(f"{number}.png") for number, asset in enumerate(old.generate(count=24, options={"steps": 2}))]
    for number, place in enumerate(rated):
        feedback.judge([place], kind="thumb", value=[number % 2], rater="ann", consent=True)
    makar.train("feedback:", from_model="old", steps=1, output="tuned")
    tuned = makar.load("tuned")
    own = [model.novelty_index().check(np.asarray(Image.open(rated[0]))).is_copy for model in (tuned, old)]
    assert own == [True, False], "the rated images are data of the new one alone"
    (copies, _) = promoting.weighed(tuned, old, None, samples=8, seed=0).checks
    assert copies.verdict == "passed" and copies.gain.value == 0


@pytest.mark.parametrize("moves", [0, 1])
def test_a_promotion_that_is_killed_can_be_taken_back(models, monkeypatch, moves):
    old, _ = models
    compare("new", 12)
    done = []
    rename = promoting.Path.rename

    def killed(path, target):
        if len(done) == moves:
            raise KeyboardInterrupt
        done.append(target)
        return rename(path, target)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(promoting.Path, "rename", killed)
        promote("new", "old", samples=2)
    roll_back("old")
    assert makar.load("old").hash == old.hash
    assert not list(models_folder().glob(".old.coming*"))


def test_only_saved_names_are_taken(models, tmp_path):
    shutil.copytree(models[0].path, tmp_path / "elsewhere")
    for new, name in (("new", str(tmp_path / "elsewhere")), ("old", "old"), (str(tmp_path / "elsewhere"), "old")):
        with pytest.raises(UsageError):
            promote(new, name)
    assert np.all([makar.load(name).hash == model.hash for name, model in zip(("old", "new"), models)])
