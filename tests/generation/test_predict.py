"""Predictions: one row an image, in order, the same for the same seed; what cannot be predicted names recipes that can."""

import numpy as np
import pytest
from PIL import Image

from makar import registry
from makar.errors import DataError, EmptyDataError, UnsupportedError, UsageError
from makar.families.diffusion.config import DiffusionConfig
from makar.generation.able import recipes_with_prediction
from makar.generation.predict import TOGETHER, predict
from tests import toy_autoencoder as toy
from tests.generation.test_edit import photo, saved


@pytest.fixture
def detector(own_home, monkeypatch):
    monkeypatch.setitem(registry.BUILT_IN["families"], toy.KIND, toy.FAMILIES[toy.KIND])
    return saved(own_home / "models" / "detector", toy.ToyAutoencoderConfig(), labels=(None,))


def test_every_image_gets_a_row_in_order(detector, tmp_path):
    generator = np.random.default_rng(0)
    images = [generator.integers(0, 256, (16, 16, 3), np.uint8) for _ in range(TOGETHER + 3)]
    rows = list(predict(detector, images))
    assert [row["input"] for row in rows] == [str(number) for number in range(len(images))]
    assert len({row["score"] for row in rows}) == len(images)
    alone = next(predict(detector, images[-1]))
    assert alone["score"] == pytest.approx(rows[-1]["score"], rel=1e-4) and alone["what"] == "anomaly"
    assert len(list(predict(detector, np.stack(images)))) == len(images)


def test_files_and_folders_are_read(detector, tmp_path):
    (tmp_path / "more").mkdir()
    for name in ("b.png", "a.png", "more/c.png"):
        Image.fromarray(photo()).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no image", encoding="utf-8")
    rows = list(predict(detector, [tmp_path, tmp_path / "b.png"]))
    assert [row["input"].rpartition("/")[2] for row in rows] == ["a.png", "b.png", "c.png", "b.png"]
    # An image of another size or number of channels is fitted as in training.
    assert np.isfinite(next(predict(detector, photo(40, 30, 1)))["score"])


def test_what_cannot_be_predicted_or_read_is_refused(detector, own_home, tmp_path):
    with pytest.raises(UnsupportedError, match='cannot predict "age"') as caught:
        predict(detector, photo(), what="age")
    assert "anomaly" in caught.value.expected
    config = DiffusionConfig(features=16, multipliers=(1, 2), blocks=1, head_width=8)
    painter = saved(own_home / "models" / "painter", config)
    with pytest.raises(UnsupportedError, match="predicts nothing") as caught:
        predict(painter, photo())
    assert all(name in caught.value.do for name in recipes_with_prediction(""))
    with pytest.raises(EmptyDataError):
        predict(detector, [])
    with pytest.raises(UsageError, match="there is no file"):
        list(predict(detector, tmp_path / "absent.png"))
    (tmp_path / "not.png").write_bytes(b"nothing")
    with pytest.raises(DataError, match=r"not\.png"):
        list(predict(detector, tmp_path / "not.png"))
    with pytest.raises(UsageError, match="seed"):
        predict(detector, photo(), seed=-1)
