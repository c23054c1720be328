"""The verbs edit and predict in the shell: files in, numbered files out, JSON, and three lines for what cannot be done."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from makar import registry
from makar.cli.app import run
from makar.cli.completion import prediction_names
from makar.families.diffusion.config import DiffusionConfig
from makar.home import models_folder
from tests import toy_autoencoder as toy
from tests.generation.test_edit import photo, saved


@pytest.fixture
def shop(monkeypatch, tmp_path):
    """Return a folder with two images, where two models are known by name."""
    monkeypatch.setitem(registry.BUILT_IN["families"], toy.KIND, toy.FAMILIES[toy.KIND])
    monkeypatch.chdir(tmp_path)
    config = DiffusionConfig(features=16, multipliers=(1, 2), blocks=1, head_width=8)
    saved(models_folder() / "painter", config)
    saved(models_folder() / "toy", toy.ToyAutoencoderConfig(), labels=(None,))
    Image.fromarray(photo()).save("a.png")
    Image.fromarray(photo()[::-1]).save("b.png")
    mask = np.zeros((16, 16), np.uint8)
    mask[4:8, 4:8] = 255
    Image.fromarray(mask).save("mask.png")
    return tmp_path


def made(folder="out"):
    return [np.asarray(Image.open(path)) for path in sorted(folder.glob("*.png"))]


def test_files_come_out_numbered_and_known_pixels_unchanged(shop, capsys):
    assert run(["edit", "painter", "a.png", "b.png", "--box", "4,4,8,8", "--steps", "2", "-n", "2"]) == 0
    images = made(shop / "out")
    assert len(images) == 4 and capsys.readouterr().out.count("out/") == 4
    assert np.array_equal(images[0][8:], photo()[8:]) and np.array_equal(images[3][8:], photo()[::-1][8:])


@pytest.mark.parametrize(
    ("words", "count"),
    [
        (["a.png", "--mask", "mask.png"], 1),
        (["a.png", "--right", "4"], 1),
        (["a.png", "--strength", "0.5", "--label", "fox", "--guidance", "2"], 1),
        (["a.png", "--strength", "0.5", "--prompt", "cat"], 1),
        (["a.png", "b.png", "--frames", "3"], 3),
        (["--seed", "1", "--to-seed", "2", "--frames", "4"], 4),
    ],
)
def test_every_way_of_editing(shop, capsys, words, count):
    assert run(["edit", "painter", *words, "--steps", "2", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert len(rows) == count and all(row["manifest"]["edit"]["operation"] for row in rows)
    for row in rows:
        assert run(["verify", row["path"]]) == 0
        capsys.readouterr()


def test_a_file_that_is_named_is_written(shop):
    assert run(["edit", "toy", "a.png", "--denoise", "-o", "clean.png"]) == 0
    assert (shop / "clean.png").is_file()


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["painter", "a.png", "--box", "4,4"], "is no box"),
        (["painter", "a.png", "--denoise", "--colour"], "--denoise and --colour"),
        (["painter", "a.png", "--denoise", "--left", "3"], "different things"),
        (["painter", "a.png", "b.png", "a.png", "--frames", "3"], "frames between 3 images"),
        (["painter", "absent.png", "--left", "3"], "there is no file absent.png"),
        (["painter", "--left", "3"], "no image"),
        (["painter", "a.png", "--left", "3", "--direction", "back"], 'no control "direction"'),
        (["toy", "a.png", "--mask", "mask.png"], "cannot inpaint"),
    ],
)
def test_wrong_use_ends_with_2_and_says_what_to_do(shop, capsys, words, part):
    assert run(["edit", *words]) == 2
    assert part in capsys.readouterr().err
    assert not (shop / "out").exists()


def test_predict_prints_a_table_and_json(shop, capsys):
    assert run(["predict", "toy", "a.png", "b.png"]) == 0
    assert "score" in capsys.readouterr().out
    assert run(["predict", "toy", ".", "--what", "anomaly", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["input"] for row in rows] == ["a.png", "b.png", "mask.png"]
    assert run(["predict", "painter", "a.png"]) == 2
    assert "predicts nothing" in capsys.readouterr().err


def test_a_table_shows_both_ends_of_a_long_input_and_json_all_of_it(shop, capsys):
    name = "x" * 150 + ".png"
    shutil.copy("a.png", name)
    assert run(["predict", "toy", name]) == 0
    assert f"{'x' * 40} ... {'x' * 36}.png " in capsys.readouterr().out
    assert run(["predict", "toy", name, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["input"] == name


def test_completion_knows_predictions_of_all_recipes(monkeypatch):
    monkeypatch.setitem(registry.BUILT_IN["recipes"], "toy", "tests.toy_autoencoder:toy_alone")
    monkeypatch.setattr("makar.cli.completion.names", registry.names.__wrapped__)
    assert prediction_names("an") == ["anomaly", "answer"]
    assert prediction_names("xyz") == []
