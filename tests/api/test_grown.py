"""Students and steered models the whole way: planned, trained, killed, saved, used and verified; and what is refused."""

import os
import shutil
import signal

import numpy as np
import pytest
import torch
from PIL import Image

import makar
from makar.artifacts.tensors import read_tensors
from makar.errors import UnsupportedError, UsageError
from tests.api import test_stages as toys
from tests.cli.small_models import IMAGE_SETTINGS, write_images

SETTINGS = IMAGE_SETTINGS[1::2]
LINES = {"operation": "control"}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return a folder with pictures, a model of them, a student of it and a steered one."""
    patch = pytest.MonkeyPatch()
    folder = tmp_path_factory.mktemp("grown")
    patch.setenv("MAKAR_HOME", str(folder / "home"))
    write_images(folder / "images")
    makar.train(folder / "images", steps=4, output="teacher", settings=SETTINGS)
    for recipe in ("distill", "controlnet"):
        makar.train(folder / "images", steps=4, output=recipe, recipe=recipe, from_model="teacher")
    patch.undo()
    return folder


@pytest.fixture
def folder(made, monkeypatch):
    monkeypatch.setenv("MAKAR_HOME", str(made / "home"))
    return made


@pytest.mark.parametrize("recipe", ["distill", "controlnet"])
def test_they_need_a_model_and_are_named_after_their_recipe(folder, recipe):
    with pytest.raises(UnsupportedError, match="begins from a saved model"):
        makar.train(folder / "images", steps=1, recipe=recipe)
    model = makar.load(recipe)
    assert model.artifact.recipe.name == recipe
    assert model.artifact.recipe.parent.hash == makar.load("teacher").hash
    assert model.artifact.codec().class_names == ("cat", "fox")
    assert makar.verify(recipe).is_complete


def test_a_student_makes_images_of_a_class_in_few_steps(folder):
    student = makar.load("distill")
    for steps in (None, 2):
        asset = student.generate("fox", options={} if steps is None else {"steps": steps})[0]
        assert asset.content.shape == (16, 16, 3) and asset.novelty is not None
    with pytest.raises(UnsupportedError, match="distilled for 2"):
        student.generate("fox", options={"steps": 10})
    with pytest.raises(UnsupportedError, match="cannot image-to-image"):
        student.edit(np.zeros((16, 16, 3), np.uint8), options={"strength": 0.5})


def test_a_student_is_reported(folder, tmp_path):
    assert makar.load("distill").evaluate(folder=tmp_path / "report").to_dictionary()["verdict"]


@pytest.mark.slow
def test_a_killed_distillation_ends_with_the_same_bits(folder):
    call = {
        "steps": 5,
        "recipe": "distill",
        "from_model": "teacher",
        "settings": ["stages.0.optimisation.batch_size=2"],
    }
    whole = makar.train(folder / "images", output="whole", **call)

    def die(seen):
        if seen["event"] == "validation" and seen["step"] > 2:
            os.kill(os.getpid(), signal.SIGKILL)

    child = os.fork()
    if child == 0:
        makar.train(folder / "images", output="killed", on_event=die, **call)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status)
    again = makar.train(folder / "images", output="killed", **call)
    assert toys.tensors(again.model) == toys.tensors(whole.model)


def test_a_steered_model_keeps_the_one_that_it_steers(folder):
    own, parents = (read_tensors(makar.load(name).path / "model.safetensors") for name in ("controlnet", "teacher"))
    assert all(torch.equal(own[name], tensor) for name, tensor in parents.items())
    assert set(own) - set(parents) == {name for name in own if name.startswith("control.")}


def test_maps_and_photos_steer(folder, tmp_path):
    model = makar.load("controlnet")
    photo = Image.open(next((folder / "images" / "fox").glob("*.png")))
    photo.resize((40, 30)).save(tmp_path / "photo.png")
    drawn = np.zeros((20, 24, 1), np.uint8)
    drawn[5:8] = 255
    given = ((drawn, LINES), (tmp_path / "photo.png", LINES | {"photo": True}), (drawn[:5], LINES))
    for number, (image, how) in enumerate(given):
        asset = model.edit(image, how=how, prompt="fox", options={"steps": 2, "guidance": 2.0})[0]
        assert asset.content.shape == (16, 16, 3)
        assert makar.verify(asset.save(tmp_path / f"{number}.png")).is_intact
    with pytest.raises(UsageError, match="no control"):
        model.edit(tmp_path / "photo.png", how={"photo": True, "enlarge": 2})
    with pytest.raises(UnsupportedError):
        makar.load("teacher").edit(drawn, how=LINES)


@pytest.mark.parametrize("name", ["sketch", "segments", "depth"])
def test_other_maps_are_learned_on_request(folder, name):
    settings = [f"stages.0.codec.source={name}"]
    plan = makar.plan(folder / "images", steps=1, recipe="controlnet", from_model="teacher", settings=settings)
    assert plan.recipe.stages[0].codec.source == name and plan.recipe.stages[0].family.control


def test_latents_are_distilled_and_steered_too(monkeypatch, tmp_path):
    monkeypatch.setenv("MAKAR_HOME", str(tmp_path))
    toys.register(monkeypatch)
    first = makar.train(toys.pictures(), output="first", **toys.CALL).model
    for recipe in ("distill", "controlnet"):
        model = makar.train(toys.pictures(48), output=recipe, steps=3, from_model="first", recipe=recipe).model
        assert set(toys.tensors(first)) == set(toys.tensors(model))
    asset = model.edit(toys.pictures(1)[0], how=LINES | {"photo": True}, options={"steps": 2})[0]
    assert asset.content.shape == (16, 16, 1)


def test_what_cannot_be_grown_from_is_refused(folder):
    with pytest.raises(UnsupportedError, match="distilled already"):
        makar.train(folder / "images", steps=1, output="x", from_model="distill")
    with pytest.raises(UnsupportedError, match="cannot be steered"):
        makar.train(folder / "images", steps=1, output="x", recipe="controlnet", from_model="distill")
    makar.train(folder / "images", steps=1, output="gan", recipe="dcgan")
    for recipe in ("distill", "controlnet"):
        with pytest.raises(UnsupportedError, match="diffusion or flow"):
            makar.train(folder / "images", steps=1, output="x", recipe=recipe, from_model="gan")


def test_a_steered_model_is_trained_on(folder):
    model = makar.train(folder / "images", steps=1, output="further", from_model="controlnet").model
    assert model.artifact.header["family"]["control"] and model.artifact.recipe.name == "controlnet"
    shutil.rmtree(model.path)
