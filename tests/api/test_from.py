"""A training begins from a saved model: what it takes over, what it refuses, its chain of proof, its novelty, its kills."""

import json
import os
import shutil
import signal

import numpy as np
import pytest
import torch
from PIL import Image

import makar
from makar.artifacts.tensors import read_tensors
from makar.errors import ArtifactError, IntegrityError, UnknownNameError, UnsupportedError, UsageError
from makar.home import runs_folder
from makar.recipe import GENTLE_RATE
from tests.api import test_stages as toys
from tests.cli.small_models import IMAGE_SETTINGS, TEXT_SETTINGS, write_images, write_texts

SETTINGS = IMAGE_SETTINGS[1::2]
WORDS = TEXT_SETTINGS[1::2]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return a folder with two data sets of pictures and one of stories, and models of two of them."""
    patch = pytest.MonkeyPatch()
    folder = tmp_path_factory.mktemp("from")
    patch.setenv("MAKAR_HOME", str(folder / "home"))
    write_images(folder / "first")
    write_texts(folder / "stories")
    write_noise(folder / "first" / "owl", seed=4, shape=(16, 16, 3))
    for seed, label in enumerate(("cat", "fox")):
        write_noise(folder / "other" / label, seed=seed)
    makar.train(folder / "first", steps=4, output="first", settings=SETTINGS)
    makar.train(folder / "stories", steps=4, output="writer", settings=WORDS)
    makar.train(folder / "other", steps=4, output="second", from_model="first")
    patch.undo()
    return folder


@pytest.fixture
def folder(made, monkeypatch):
    monkeypatch.setenv("MAKAR_HOME", str(made / "home"))
    return made


def write_noise(folder, *, seed, shape=(20, 24, 3)):
    """Write twelve pictures of noise."""
    folder.mkdir(parents=True)
    draw = np.random.default_rng(seed)
    for number in range(12):
        Image.fromarray(draw.integers(0, 256, shape, dtype=np.uint8)).save(folder / f"{number}.png")


def weights(model):
    return read_tensors(model.path / "model.safetensors")


def test_recipe_codec_and_sizes_come_from_the_model(folder):
    first, second = makar.load("first").artifact, makar.load("second").artifact
    assert second.recipe.name == first.recipe.name == "image-class"
    assert second.header["family"] == first.header["family"]
    before, after = first.codec(), second.codec()
    assert after.config == before.config and after.class_names == before.class_names
    # Classes are drawn as often as they are in the new data, where there are no owls.
    assert before.class_counts["owl"] > 0 and after.class_counts["owl"] == 0 and after.class_counts["fox"] > 0


def test_weights_begin_at_those_of_the_model(folder):
    settings = ["stages.0.optimisation.learning_rate=0"]
    same = makar.train(folder / "other", steps=1, output="same", from_model="first", settings=settings).model
    first = weights(makar.load("first"))
    assert all(torch.equal(first[name], value) for name, value in weights(same).items())
    second = weights(makar.load("second"))
    assert any(not torch.equal(first[name], value) for name, value in second.items())


def test_the_rate_is_gentler_once(folder):
    rates = [makar.load(name).artifact.recipe.stages[0].optimisation.learning_rate for name in ("first", "second")]
    assert rates[1] == pytest.approx(GENTLE_RATE * rates[0])
    third = makar.plan(folder / "other", steps=2, from_model="second").recipe.stages[0]
    assert third.optimisation.learning_rate == rates[1]


def test_a_plan_shows_the_model_and_promises_no_loss(folder):
    plan = makar.plan(folder / "other", steps=2, from_model="first")
    assert plan.recipe.parent.hash == makar.load("first").hash
    assert plan.predicted["inner_loss"] is None


def test_text_is_trained_on_with_its_vocabulary(folder):
    model = makar.train(folder / "stories", steps=2, output="writer-2", from_model="writer").model
    assert model.artifact.codec().files() == makar.load("writer").artifact.codec().files()
    assert model.generate("In", options={"max_tokens": 3})[0].content


def test_latents_keep_the_autoencoder_that_made_them(monkeypatch, tmp_path):
    monkeypatch.setenv("MAKAR_HOME", str(tmp_path))
    toys.register(monkeypatch)
    first = makar.train(toys.pictures(), output="first", **toys.CALL).model
    run = makar.train(toys.pictures(48), output="second", steps=4, from_model="first")
    assert [result.stage for result in run.results] == ["image"]
    before, after = (toys.tensors(model) for model in (first, run.model))
    kept, own = sorted(before)
    assert before[kept] == after[kept] and before[own] != after[own]
    assert run.model.artifact.codec().files() == first.artifact.codec().files()
    asset = run.model.generate(options={"steps": 2})[0]
    assert asset.content.shape == (16, 16, 1) and asset.novelty is not None


@pytest.mark.parametrize(
    "after",
    [pytest.param("storing", marks=pytest.mark.slow), "validation", pytest.param("novelty", marks=pytest.mark.slow)],
)
def test_a_killed_training_ends_with_the_same_bits(folder, monkeypatch, after):
    call = {"steps": 12, "from_model": "first", "seed": 3}
    whole = makar.train(folder / "other", output="whole", **call)

    def die(seen):
        if seen["event"] == after and (after != "validation" or seen["step"] > 4):
            os.kill(os.getpid(), signal.SIGKILL)

    child = os.fork()
    if child == 0:
        shutil.rmtree(folder / "home" / "stores", ignore_errors=True)
        makar.train(folder / "other", output="killed", on_event=die, **call)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status)
    name = next(
        run.name
        for run in sorted(runs_folder().iterdir(), reverse=True)
        if "killed" in (run / "state.json").read_text()
    )
    again = makar.resume(name)
    assert toys.tensors(again.model) == toys.tensors(whole.model)


def test_a_resume_says_when_the_model_is_gone(folder, tmp_path):
    copy = shutil.copytree(makar.load("writer").path, folder / "home" / "models" / "lost")
    text = (copy / "README.md").read_text(encoding="utf-8")
    assert "lost" not in text

    class Stop(Exception):
        pass

    def stop(seen):
        if seen["event"] == "validation":
            raise Stop

    # Another model, so that no second copy of it is on this machine.
    model = makar.train(folder / "stories", steps=3, output="lost", seed=9, settings=WORDS).model
    with pytest.raises(Stop):
        makar.train(folder / "stories", steps=4, output="orphan", from_model="lost", on_event=stop)
    shutil.rmtree(model.path)
    run = next(
        run for run in sorted(runs_folder().iterdir(), reverse=True) if "orphan" in (run / "state.json").read_text()
    )
    with pytest.raises(ArtifactError, match="from which the training began"):
        makar.resume(run.name)


def test_the_chain_goes_through_the_model(folder, tmp_path):
    asset = makar.load("second").generate(options={"steps": 2})[0]
    checks = makar.verify(asset.save(tmp_path / "a.png"))
    behind = {check.name: check for check in checks.checks if check.link == "parent"}
    assert checks.is_intact and checks.is_complete
    assert {"link", "artifact files", "run found", "data fingerprint"} <= set(behind)
    assert "first" in behind["link"].detail
    manifest = makar.load("second").artifact.manifest
    assert manifest["parent"] == {"name": "first", "hash": makar.load("first").hash}
    assert "began from | first" in (makar.load("second").path / "README.md").read_text(encoding="utf-8")


def test_a_damaged_model_behind_breaks_the_chain(folder):
    path = makar.load("first").path / "model.safetensors"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    try:
        checks = makar.verify("second")
        assert not checks.is_intact and checks.first_broken.link == "parent"
        with pytest.raises(IntegrityError, match=r"model\.safetensors"):
            makar.train(folder / "other", steps=1, output="third", from_model="first")
    finally:
        path.write_bytes(whole)
    assert makar.verify("second").is_intact


def test_a_model_behind_that_is_elsewhere_is_unknown_and_not_broken(folder, tmp_path):
    moved = shutil.move(makar.load("first").path, tmp_path / "away")
    try:
        checks = makar.verify("second")
        (found,) = (check for check in checks.checks if check.link == "parent")
        assert checks.is_intact and found.status == "unknown"
        asset = makar.load("second").generate(options={"steps": 2})[0]
        assert "the data of first" in asset.manifest["novelty"]["uncovered"]
    finally:
        shutil.move(moved, folder / "home" / "models" / "first")
    makar.load("first")


def test_copies_of_the_data_of_the_model_behind_are_found(folder):
    path = next((folder / "first" / "cat").glob("*.png"))
    index = makar.load("second").novelty_index()
    old = np.asarray(Image.open(path))
    assert index.check(old).is_copy and not index.own.check(old).is_copy
    assert index.check(old).uncovered == ""


def test_other_media_are_refused(folder):
    with pytest.raises(UnsupportedError, match="makes text, the data is image"):
        makar.train(folder / "other", steps=1, from_model="writer")


def test_unknown_classes_are_refused_by_name(folder, tmp_path):
    for label in ("fox", "bear"):
        shutil.copytree(folder / "other" / "fox", tmp_path / "data" / label)
    write_noise(tmp_path / "data" / "bear2", seed=8)
    for verb in (makar.train, makar.plan):
        with pytest.raises(UnsupportedError, match="bear"):
            verb(tmp_path / "data", steps=1, from_model="first")


def test_images_without_classes_are_refused_for_a_model_with_classes(folder):
    pixels = np.random.default_rng(0).integers(0, 256, (12, 16, 16, 3), dtype=np.uint8)
    with pytest.raises(UnsupportedError, match="12 items have no class"):
        makar.train(pixels, steps=1, output="third", from_model="first")


def test_colours_are_refused_for_a_grey_model(folder):
    pixels = np.random.default_rng(0).integers(0, 256, (12, 16, 16, 3), dtype=np.uint8)
    makar.train(pixels[..., :1], steps=1, output="grey", settings=SETTINGS)
    with pytest.raises(UnsupportedError, match="images in colour"):
        makar.train(pixels, steps=1, output="third", from_model="grey")
    assert makar.train(np.repeat(pixels[..., :1], 3, 3), steps=1, output="third", from_model="grey").model


def test_another_recipe_a_wrong_name_and_the_place_of_the_model_are_refused(folder):
    with pytest.raises(UnsupportedError, match="does not begin from a model"):
        makar.train(folder / "other", steps=1, from_model="first", recipe="vae")
    with pytest.raises(UnknownNameError, match="firts"):
        makar.train(folder / "other", steps=1, from_model="firts")
    with pytest.raises(UsageError, match="take the place"):
        makar.train(folder / "other", steps=1, output="first", from_model="first")
    (folder / "empty").mkdir(exist_ok=True)
    with pytest.raises(ArtifactError, match="no saved model"):
        makar.train(folder / "other", steps=1, output="third", from_model=folder / "empty")


def test_a_header_says_what_it_began_from(folder):
    header = json.loads((makar.load("second").path / "makar.json").read_text(encoding="utf-8"))
    assert header["recipe"]["grown"] and header["recipe"]["stages"][0]["begins"] == "parent"
