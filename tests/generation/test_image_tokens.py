"""Images written token by token, from a folder to signed assets: prompts of any length and script, seeds, the end made anew, classes."""

import numpy as np
import pytest
from PIL import Image

import makar
from makar.errors import UnknownNameError, UnsupportedError

SETTINGS = [
    *("stages.0.family.features=8", "stages.0.family.codes=32", "stages.0.optimisation.batch_size=8"),
    *("stages.1.family.depth=1", "stages.1.family.width=32", "stages.1.family.heads=2"),
    *("stages.1.optimisation.batch_size=8", "stages.1.codec.base.caption_length=24"),
]
COLOURS = {"red": (220, 30, 30), "синий": (30, 30, 220)}


def write(folder):
    """Write pictures of two colours, in a folder each, with captions in two scripts."""
    draw = np.random.default_rng(0)
    for number in range(40):
        name = list(COLOURS)[number % 2]
        place = folder / name
        place.mkdir(parents=True, exist_ok=True)
        pixels = np.clip(np.array(COLOURS[name]) + draw.integers(-30, 31, (16, 16, 3)), 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(place / f"{number}.png")
        (place / f"{number}.txt").write_text(f"a {name} square", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Return the home of two models, and these: one that learned captions, one that learned classes."""
    place = tmp_path_factory.mktemp("tokens")
    folder = write(place / "squares")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MAKAR_HOME", str(place / "home"))
        told = makar.train(folder, recipe="dalle", steps=3, output="told", settings=SETTINGS).model
        classes = [*SETTINGS[:-1], "stages.1.codec.base.use_labels=true"]
        by_class = makar.train(folder, recipe="image-tokens", steps=3, output="by-class", settings=classes).model
    return place / "home", told, by_class


@pytest.fixture
def models(trained, monkeypatch):
    """Return both models, at home."""
    monkeypatch.setenv("MAKAR_HOME", str(trained[0]))
    return trained[1:]


def pixels(assets):
    return [asset.content.tobytes() for asset in assets]


def test_a_seed_gives_the_same_image_whatever_else_is_asked_for(models):
    told, _ = models
    options = {"guidance": 2.0, "top_k": 10}
    both = told.generate(["a red square", "a синий square"], count=3, seed=5, options=options)
    assert pixels(told.generate("a синий square", count=1, seed=6, options=options)) == pixels(both[4:5])
    assert len(set(pixels(both))) > 1 and both[0].content.shape == (16, 16, 3)
    assert both[0].manifest["prompt"] == "a red square" and both[0].manifest["settings"]["top_k"] == 10


def test_prompts_of_no_and_of_ten_thousand_characters(models):
    told, _ = models
    assert pixels(told.generate("", seed=3)) == pixels(told.generate(None, seed=3))
    with pytest.raises(UnsupportedError, match="a prompt of"):
        told.generate("a red square " * 770)
    assert told.generate("東京 و 心")[0].content.shape == (16, 16, 3)


def test_the_lower_half_is_made_anew_and_the_upper_stays_bit_for_bit(models):
    told, _ = models
    given = told.generate("a red square", seed=1)[0].content
    made = told.edit(given, how={"box": (0, 8, 16, 16)}, prompt="a синий square", count=3)
    assert all(np.array_equal(asset.content[:8], given[:8]) for asset in made) and len(set(pixels(made))) > 1
    taller = told.edit(given, how={"bottom": 8})[0].content
    assert taller.shape == (24, 16, 3) and np.array_equal(taller[:16], given)
    for how in ({"box": (0, 0, 16, 8)}, {"top": 8}, {"box": (4, 4, 12, 12)}):
        with pytest.raises(UnsupportedError, match="row by row") as caught:
            told.edit(given, how=how)
        assert '"flow"' in caught.value.do
    with pytest.raises(UnsupportedError, match="image-to-image"):
        told.edit(given, how={}, options={"strength": 0.5})


def test_classes_are_asked_for_by_name_and_captions_are_not_known(models):
    _, by_class = models
    assert pixels(by_class.generate("red", seed=2)) == pixels(by_class.generate(options={"label": "red"}, seed=2))
    with pytest.raises(UnknownNameError, match="rad"):
        by_class.generate("rad")
    with pytest.raises(UnsupportedError, match="caption"):
        by_class.generate(options={"negative_prompt": "red", "guidance": 2.0})


def test_it_is_measured_like_any_model_of_images(models, tmp_path):
    report = models[1].evaluate(folder=tmp_path / "report", samples=8).to_dictionary()
    assert report["details"]["samples"] == 8
