"""Prompt agreement: a judge that learned colours tells images made as asked from others, beside shuffled captions and real images."""

import dataclasses

import numpy as np
import pytest
import torch

from makar.artifacts.save import save_artifact
from makar.codecs.codec import fit_codec
from makar.codecs.image_config import ImageCodecConfig
from makar.data.record import Record
from makar.data.store import build_store
from makar.evaluation import agreement as module
from makar.evaluation import judge as judge_module
from makar.evaluation.agreement import agreement_scores, sentence_on_agreement
from makar.evaluation.captioned import caption_rows, distinct_pairs
from makar.evaluation.judge import judge_for
from makar.evaluation.material import Material
from makar.families.diffusion.config import DiffusionConfig
from makar.families.family import build_family
from makar.home import home
from makar.recipe import Recipe, Stage
from tests.generation.test_edit import DATA

COLOURS = {
    "red": (220, 20, 20),
    "green": (20, 200, 20),
    "blue": (20, 20, 220),
    "yellow": (230, 220, 20),
    "white": (240, 240, 240),
    "black": (10, 10, 10),
}


def squares(count, seed=0):
    draw = np.random.default_rng(seed)
    for number in range(count):
        name, colour = list(COLOURS.items())[number % len(COLOURS)]
        pixels = np.clip(draw.normal(colour, 12, (16, 16, 3)), 0, 255).astype(np.uint8)
        facts = {"document": f"{seed}-{number}", "source": f"{seed}-{number}", "split": "train"}
        yield Record(id=f"{seed}{number}", medium="image", content=pixels, caption=f"a {name} square", **facts)


@pytest.fixture
def material(tmp_path, monkeypatch):
    """Return what is measured: an untrained model of captions on squares of six colours."""
    monkeypatch.setenv("MAKAR_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(judge_module, "STEPS", 40)
    monkeypatch.setattr(judge_module, "BATCH", 24)
    monkeypatch.setattr(judge_module, "FEATURES", 8)
    config = ImageCodecConfig(height=16, width=16, use_captions=True, caption_length=8, caption_vocabulary=300)
    codec = fit_codec(config, squares(24))
    family = DiffusionConfig(features=16, blocks=1, head_width=8, caption_width=16, caption_layers=0)
    made = build_family(family.bound_to(codec.spec))
    made.initialise(torch.Generator().manual_seed(0))
    stage = Stage(name="image", codec=codec.config, family=made.config)
    recipe = Recipe(name="test", medium="image", summary="for tests", stages=(stage,))
    artifact = save_artifact(
        tmp_path / "model", recipe=recipe, codec=codec, family=made.eval(), training={"run": ""}, data=DATA
    )
    return Material(
        artifact=artifact,
        codec=artifact.codec(),
        train=build_store(tmp_path / "train", squares(48), codec.encode, key="train"),
        held_out=build_store(tmp_path / "held", squares(18, seed=1), codec.encode, key="held"),
        novelty=None,
        metrics=[],
        measured_on="held-out squares",
        seed=0,
        samples=0,
        inception=None,
        folder=tmp_path,
        on_event=lambda event: None,
    )


def test_a_model_is_asked_with_held_out_captions_and_an_untrained_one_is_no_better_than_shuffled(material):
    scores = {score.key: score for score in agreement_scores(material)}
    found = scores["agreement_first"]
    baselines = dict(found.baselines)
    assert set(scores) == {"agreement_first", "agreement_in_five"} and "first of 6, judge[" in found.name
    assert baselines["real images"].value == 1.0 and baselines["chance"].value == pytest.approx(1 / 6)
    assert found.interval.value < 0.7
    assert "of real images 100%" in sentence_on_agreement(tuple(scores.values()))[0]


def test_what_is_made_as_asked_agrees_and_what_is_made_for_another_caption_does_not(material, monkeypatch):
    def perfect(material, codec, captions):
        names = [codec.decode_caption(row).split()[1] for row in captions]
        colours = np.repeat([COLOURS[name] for name in names], module.IMAGES_A_CAPTION, axis=0)
        return np.broadcast_to(colours[:, :, None, None], (len(colours), 3, 16, 16)).astype(np.uint8)

    monkeypatch.setattr(module, "_made", perfect)
    found = agreement_scores(material)[0]
    assert found.interval.value == 1.0 and dict(found.baselines)["shuffled captions"].value == 0.0


def test_only_models_that_are_asked_with_captions_are_measured(material):
    assert agreement_scores(dataclasses.replace(material, train=None)) == ()
    few = dataclasses.replace(
        material, held_out=build_store(material.folder / "few", squares(4), material.codec.encode, key="few")
    )
    assert agreement_scores(few) == ()
    assert sentence_on_agreement(()) == ()


def test_the_judge_is_kept_and_the_same_when_made_again(material):
    first = judge_for(material.train, material.codec)
    (kept,) = (home() / "judges").iterdir()
    when = kept.stat().st_mtime_ns
    assert judge_for(material.train, material.codec).hash == first.hash and kept.stat().st_mtime_ns == when
    kept.unlink()
    assert judge_for(material.train, material.codec).hash == first.hash
    chosen = distinct_pairs(material.held_out)
    captions = caption_rows(material.held_out)[chosen]
    similarity = first.agreement(np.asarray(material.held_out.columns["target"].values[chosen]), captions)
    assert similarity.argmax(1).tolist() == list(range(len(chosen)))


def test_captions_are_said_back_in_words(material):
    codec = material.codec
    for caption in ("A  red square", "日本", "naïve"):
        row = codec.encode_caption(caption)
        assert codec.decode_caption(row) == " ".join(caption.casefold().split())
    assert codec.decode_caption(np.array([1, 0, 0])) == ""
