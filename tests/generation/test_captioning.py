"""From captioned images to a model that describes, to captions beside unlabelled images, to what a later training reads."""

import numpy as np
import pytest
from PIL import Image

import makar
from makar.data.dataset import open_dataset
from makar.errors import UnsupportedError, UsageError

SETTINGS = [
    *("stages.0.family.stream_width=32", "stages.0.family.heads=1", "stages.0.family.depth=1"),
    *("stages.0.family.features=8", "stages.0.optimisation.batch_size=16", "stages.0.optimisation.learning_rate=0.01"),
    "stages.0.codec.caption_length=16",
    "stages.0.optimisation.warmup_steps=5",
]
COLOURS = {"red": (220, 30, 30), "blue": (30, 30, 220), "сердце": (30, 200, 60), "心": (250, 220, 30)}


def write(folder, *, count, captioned):
    """Write pictures of one colour each, some of them exactly of one colour, with or without captions."""
    folder.mkdir()
    draw = np.random.default_rng(count)
    for number in range(count):
        name = list(COLOURS)[number % len(COLOURS)]
        pixels = np.full((16, 16, 3), COLOURS[name], np.uint8)
        if number % 5:
            pixels = np.clip(pixels + draw.integers(-20, 21, pixels.shape), 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:03d}.png")
        if captioned:
            (folder / f"{number:03d}.txt").write_text(f"a {name} thing", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Return the home of a model that was trained on captions in three scripts, and the model."""
    place = tmp_path_factory.mktemp("captioning")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MAKAR_HOME", str(place / "home"))
        folder = write(place / "captioned", count=120, captioned=True)
        return place / "home", makar.train(
            folder, recipe="caption", steps=80, output="describer", settings=SETTINGS
        ).model


@pytest.fixture
def described(trained, monkeypatch):
    """Return the model, at home."""
    home, model = trained
    monkeypatch.setenv("MAKAR_HOME", str(home))
    return model


def test_it_describes_what_it_sees_in_any_script(described, tmp_path):
    rows = described.predict([write(tmp_path / "new", count=8, captioned=False)])
    assert [row["caption"] for row in rows] == [f"a {name} thing" for name in COLOURS] * 2
    assert {row["what"] for row in rows} == {"caption"}
    grey = np.full((16, 16), 128, np.uint8)
    assert isinstance(described.predict(grey)[0]["caption"], str)


def test_captions_are_written_beside_images_and_read_by_a_later_training(described, tmp_path):
    folder = write(tmp_path / "new", count=12, captioned=False)
    (folder / "003.txt").write_text("mine", encoding="utf-8")
    rows = described.predict([folder], write_captions=True)
    assert [row["written"] for row in rows] == [number != 3 for number in range(12)]
    assert (folder / "003.txt").read_text(encoding="utf-8") == "mine"
    assert (folder / "000.txt").read_text(encoding="utf-8") == rows[0]["caption"] + "\n"
    assert open_dataset(folder).inspection.captions == 12
    assert not any(row["written"] for row in described.predict([folder], write_captions=True))


def test_what_cannot_be_written_is_refused(described, tmp_path):
    with pytest.raises(UsageError, match="arrays"):
        described.predict(np.zeros((16, 16, 3), np.uint8), write_captions=True)
    with pytest.raises(UnsupportedError, match="describes images"):
        described.generate()
    with pytest.raises(UnsupportedError, match="image-text"):
        described.generate("a red thing")


def test_evaluation_compares_with_the_caption_of_the_nearest_image(described, tmp_path):
    report = described.evaluate(folder=tmp_path / "report").to_dictionary()
    score = report["scores"]["cider"]
    assert set(score["baselines"]) == {"nearest training image", "another held-out caption"}
    assert score["value"] > score["baselines"]["another held-out caption"]["value"]
    assert report["scores"]["bleu"]["value"] >= 0 and report["scores"]["new_captions"]["value"] == 0
    page = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    assert "CIDEr-D" in page and "a red thing" in page


def test_images_without_captions_cannot_be_learned_from(tmp_path, monkeypatch):
    monkeypatch.setenv("MAKAR_HOME", str(tmp_path / "home"))
    with pytest.raises(UnsupportedError, match="needs captions"):
        makar.train(write(tmp_path / "bare", count=6, captioned=False), recipe="caption", steps=2, output="no")
