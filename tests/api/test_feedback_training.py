"""``feedback:`` is data: models of text learn from pairs of it, models of images from what is liked."""

import dataclasses
import json

import numpy as np
import pytest

import makar
from makar.api import feedback
from makar.api.feedback import text_item
from makar.api.waiting_feedback import waiting
from makar.data.dataset import open_dataset
from makar.data.feedback.table import FeedbackTable
from makar.data.fingerprint import fingerprint_of
from makar.errors import EmptyDataError, UnsupportedError, UsageError
from makar.home import home
from makar.training.run_store import create_run
from tests.api.test_conversation import SMALL, write_talks
from tests.cli.small_models import IMAGE_SETTINGS, write_images


def say(count, *, rater="ann", consent=True, first=0):
    """Prefer one answer to another so many times."""
    for number in range(first, first + count):
        good, bad = text_item(f"Fox {number}."), text_item(f"I do not know {number}.")
        feedback.judge([good, bad], kind="pair", value=[1, 2], rater=rater, consent=consent, prompt=f"Who is {number}?")


def test_nothing_is_learned_without_feedback_or_consent():
    with pytest.raises(EmptyDataError, match="no feedback"):
        open_dataset("feedback:")
    say(3, consent=False)
    with pytest.raises(EmptyDataError, match="nobody consents"):
        open_dataset("feedback:")
    with pytest.raises(UsageError, match="columns"):
        open_dataset("feedback:", columns="prompt=x")


def test_feedback_is_fixed_when_it_is_opened():
    say(30)
    say(2, consent=False, first=100)
    say(30, rater="bob", first=200)
    dataset = open_dataset("feedback:")
    assert dataset.task == "prefer" and dataset.medium == "text" and dataset.inspection.used == 60
    assert dataset.inspection.source.startswith("feedback:@fb-")
    assert open_dataset("feedback:ann").inspection.used == 30
    record = next(iter(dataset.records("train")))
    assert record.roles["chosen"].startswith("Fox") and record.consent == "granted"
    say(5, first=300)
    again, newer = open_dataset(dataset.inspection.source), open_dataset("feedback:")
    assert again.fingerprint == dataset.fingerprint != newer.fingerprint and newer.inspection.used == 65
    assert fingerprint_of(dataset.inspection.source, medium="text") == dataset.fingerprint


def test_what_waits_is_what_nobody_learned_from():
    say(2)
    say(1, rater="bob", first=10)
    code = dataclasses.replace(text_item("x = 1"), medium="code")
    feedback.judge([code], kind="thumb", value=[1], rater="bob")
    say(1, first=20, consent=False)
    assert waiting() == {"text": 4, "image": 0}

    def learn(source):
        options = {"source": f"feedback:{source}@{FeedbackTable().last_id()}", "medium": "text"}
        create_run(key=source, name="x", output="x", options=options).finish(home() / "x", artifact_hash="", result={})

    learn("ann")
    (create_run(key="", name="torn", output="x", options={}).folder / "state.json").write_text("{", encoding="utf-8")
    assert waiting()["text"] == 2, "who learned from ann has not learned from bob"
    say(1, first=30)
    assert waiting()["text"] == 3
    learn("")
    assert waiting()["text"] == 0
    say(1, rater="bob", first=40)
    assert waiting()["text"] == 1


def test_other_media_are_judged_and_teach_nothing_yet():
    molecules = [dataclasses.replace(text_item(one), medium="molecule") for one in ("CCO", "c1ccccc1")]
    judgement = feedback.judge(molecules, kind="pair", value=[1, 2], rater="ann")
    assert judgement.medium == "molecule" and feedback.rows()[0].medium == "molecule"
    with pytest.raises(EmptyDataError):
        open_dataset("feedback:")
    with pytest.raises(UsageError, match="teaches none yet"):
        open_dataset("feedback:", medium="molecule")


def test_thumbs_that_compare_nothing_are_scores():
    for number in range(24):
        feedback.judge(
            [text_item(f"Fox {number}.")], kind="thumb", value=[number % 2], rater="ann", prompt=f"Who is {number}?"
        )
    dataset = open_dataset("feedback:")
    assert dataset.task == "rate" and {record.roles["score"] for record in dataset.records("train")} == {0.0, 1.0}


def test_a_model_that_talks_learns_from_feedback_and_can_be_verified(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    makar.train(write_talks(tmp_path / "talks.jsonl"), steps=3, output="talker", settings=SMALL)
    say(40)
    run = makar.train("feedback:", steps=3, output="tuned", from_model="talker")
    assert run.model.artifact.recipe.name == "dpo" and run.results[-1].steps == 3
    say(1, first=500)
    checks = {(check.link, check.name): check.status for check in makar.verify("tuned").checks}
    assert checks["data", "fingerprint"] == "ok"
    judge = makar.train("feedback:ann", steps=2, output="judge", from_model="talker", recipe="reward")
    assert judge.model.artifact.recipe.name == "reward"
    assert makar.train("feedback:", steps=2, output="alone", settings=SMALL).model.artifact.recipe.name == "reward"


def rate_images(folder, *, medium_prompt=""):
    """Give every picture of one class many stars, and few to the other."""
    for path in sorted(folder.rglob("*.png")):
        stars = 5 if path.parent.name == "fox" else 1
        feedback.judge([path], kind="stars", value=[stars], rater="ann", prompt=medium_prompt or path.parent.name)


@pytest.mark.parametrize("recipe", ["image", pytest.param("image-class", marks=pytest.mark.slow)])
def test_a_model_of_images_learns_what_is_liked(tmp_path, monkeypatch, recipe):
    monkeypatch.chdir(tmp_path)
    folder = write_images(tmp_path / "images")
    settings = IMAGE_SETTINGS[1::2]
    makar.train(folder, steps=3, output="painter", recipe=recipe, settings=settings)
    rate_images(folder)
    # Most of the feedback is on texts: the model says which is meant.
    say(40)
    run = makar.train("feedback:", steps=3, output="tuned", from_model="painter")
    artifact = run.model.artifact
    assert artifact.recipe.name == "image-feedback" and artifact.medium == "image"
    store = json.loads((run.folder / "stores.json").read_text()) if (run.folder / "stores.json").exists() else {}
    assert store
    (asset,) = run.model.generate("fox" if recipe == "image-class" else None, seed=1, options={"steps": 2})
    assert asset.content.dtype == np.uint8
    assert makar.train(folder, steps=2, output="on", from_model="tuned").model.artifact.recipe.name == "image-feedback"
    with pytest.raises(UnsupportedError, match="begins from a saved model"):
        makar.train("feedback:", steps=2, medium="image", output="alone")


def test_what_is_not_liked_is_not_learned():
    """Two images, one liked: the weighted loss is that of the liked one alone."""
    import torch

    from makar.families.diffusion.config import DiffusionConfig
    from makar.families.family import build_family

    config = DiffusionConfig(height=16, width=16, channels=3, features=8, head_width=8, preference=0.02)
    family = build_family(config)
    family.initialise(torch.Generator().manual_seed(0))
    images = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(1)) * 2 - 1
    plain = build_family(config.changed(preference=0.0))
    plain.load_tensors(family.tensors())

    def loss(model, **slots):
        return float(model.validation_loss({"target": images, **slots}, torch.Generator().manual_seed(2)).value)

    assert loss(family, score=torch.ones(2)) == pytest.approx(loss(plain))
    assert loss(family, score=torch.tensor([1.0, 0.0])) + loss(family, score=torch.tensor([0.0, 1.0])) == pytest.approx(
        loss(plain), rel=1e-5
    )
    assert FeedbackTable().counts() == {}
