"""A recipe of two stages goes the whole way: trained, killed, resumed, saved with its component, generated from, verified, exported."""

import json
import os
import shutil
import signal

import numpy as np
import pytest

import makar
from makar import registry
from makar.api.runs import stop_run
from makar.codecs.latent import LatentCodec
from makar.errors import ArtifactError, ConfigError, IntegrityError, InterruptedRunError
from makar.home import runs_folder, stores_folder
from tests import toy_autoencoder as toy

STEPS = 24
CALL = {"steps": STEPS, "recipe": "toy-latent"}


def register(patch):
    # The names are remembered, and another test may have asked for them before the toys were there.
    patch.setattr(registry, "names", getattr(registry.names, "__wrapped__", registry.names))
    for table, names in (("families", toy.FAMILIES), ("recipes", toy.RECIPES)):
        for name, text in names.items():
            patch.setitem(registry.BUILT_IN[table], name, text)
    for kind in (toy.KIND, "diffusion"):
        patch.setitem(registry.BUILT_IN["sizings"], kind, "tests.toy_autoencoder:size_toy")


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    register(monkeypatch)


def pictures(count=80):
    generator = np.random.default_rng(0)
    ramps = np.linspace(0, 1, 16)[None, :, None, None] * generator.random((count, 1, 16, 1))
    return (255 * np.clip(ramps + 0.1 * generator.random((count, 16, 16, 1)), 0, 1)).astype(np.uint8)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Return (folder of Makar, the run of an undisturbed training)."""
    patch = pytest.MonkeyPatch()
    folder = tmp_path_factory.mktemp("home")
    patch.setenv("MAKAR_HOME", str(folder))
    register(patch)
    run = makar.train(pictures(), output="toy", **CALL)
    patch.undo()
    return folder, run


@pytest.fixture
def run(trained, monkeypatch):
    monkeypatch.setenv("MAKAR_HOME", str(trained[0]))
    return trained[1]


def tensors(model):
    return {path.relative_to(model.path): path.read_bytes() for path in sorted(model.path.rglob("*.safetensors"))}


def test_every_stage_is_trained_and_kept(run):
    assert [result.stage for result in run.results] == ["autoencoder", "image"]
    assert [str(name) for name in tensors(run.model)] == [
        "components/autoencoder/model.safetensors",
        "model.safetensors",
    ]
    header = json.loads((run.model.path / "makar.json").read_text(encoding="utf-8"))
    entry = header["components"]["autoencoder"]
    assert entry["family"]["kind"] == toy.KIND and entry["training"]["steps"] == STEPS
    assert "works through | autoencoder (toy-autoencoder)" in (run.model.path / "README.md").read_text(encoding="utf-8")


def test_the_later_stage_learns_latents_of_the_size_that_was_planned(run):
    family = run.plan.recipe.stages[1].family
    assert (family.channels, family.height, family.width, family.limit) == (3, 4, 4, 3.0)


def test_a_plan_knows_the_sizes_of_latents_before_anything_is_trained(run):
    plan = makar.plan(pictures(), steps=STEPS, recipe="toy-latent")
    assert plan.recipe.stages[1].family == run.plan.recipe.stages[1].family
    assert plan.predicted["parameters"] == plan.recipe.stages[1].family.parameter_count()


def test_stages_for_different_images_are_refused_before_anything_is_trained():
    for place in (".", ".base."):
        number = 1 if place == ".base." else 0
        with pytest.raises(ConfigError, match="learns images of"):
            makar.train(pictures(), settings=[f"stages.{number}.codec{place}height=20"], output="odd", **CALL)
    assert not list(runs_folder().glob("*/metrics.jsonl"))


def test_an_image_comes_out_is_verified_and_known_from_the_pictures(run, tmp_path):
    asset = run.model.generate(seed=3, options={"steps": 3})[0]
    assert asset.content.shape == (16, 16, 1) and asset.content.dtype == np.uint8
    assert asset.novelty is not None
    assert makar.verify(asset.save(tmp_path / "a.png")).is_intact
    loaded = makar.load(run.model.path)
    assert isinstance(loaded.artifact.codec(), LatentCodec)
    assert loaded.generate(seed=3, options={"steps": 3})[0].hash == asset.hash


def test_images_are_edited_through_latents(run):
    image = pictures(1)[0]
    asset = run.model.edit(image, how={"box": (8, 0, 16, 16)}, options={"steps": 2})[0]
    assert np.array_equal(asset.content[:, :8], image[:, :8])
    assert not np.array_equal(asset.content[:, 8:], image[:, 8:])
    same = run.model.edit(image, options={"steps": 2, "strength": 0.0})[0].content
    codec = run.model.artifact.codec()
    assert same.shape == image.shape and isinstance(codec, LatentCodec)
    frames = run.model.edit(image, how={"to": pictures(2)[1], "frames": 3}, options={"steps": 2})
    assert len({frame.hash for frame in frames}) == 3


@pytest.mark.parametrize(
    "stage, event",
    [pytest.param("autoencoder", "validation", marks=pytest.mark.slow), (None, "storing"), ("image", "validation")],
)
def test_a_killed_training_ends_with_the_same_bits(run, monkeypatch, tmp_path, stage, event):
    monkeypatch.setenv("MAKAR_HOME", str(tmp_path / "home"))
    trained_stages = set()

    def die(seen):
        trained_stages.update({seen["stage"]} if seen["event"] == "finished" else set())
        wanted = seen["event"] == event and seen.get("stage") == stage
        if wanted and (stage != "image" or seen["step"] > 3) and (stage or trained_stages):
            os.kill(os.getpid(), signal.SIGKILL)

    child = os.fork()
    if child == 0:
        makar.train(pictures(), output="toy", on_event=die, **CALL)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status)
    again = makar.train(pictures(), output="toy", **CALL)
    assert tensors(again.model) == tensors(run.model)
    assert len(list(runs_folder().iterdir())) == 1


def test_a_training_that_is_stopped_while_it_encodes_goes_on(run, monkeypatch, tmp_path):
    monkeypatch.setenv("MAKAR_HOME", str(tmp_path / "home"))

    def stop(seen):
        if seen["event"] == "note" and seen["message"].startswith("encoding"):
            stop_run(next(runs_folder().iterdir()).name)

    with pytest.raises(InterruptedRunError, match="encoding"):
        makar.train(pictures(), output="toy", on_event=stop, **CALL)
    assert tensors(makar.train(pictures(), output="toy", **CALL).model) == tensors(run.model)


@pytest.mark.slow
def test_stores_of_latents_are_named_after_the_weights_that_made_them(run, monkeypatch, tmp_path):
    monkeypatch.setenv("MAKAR_HOME", str(tmp_path / "home"))
    makar.train(pictures(), output="toy", **CALL)
    before = set(stores_folder().iterdir())
    makar.train(pictures(), output="other", seed=1, **CALL)
    # The pixels are the same, the latents are those of another autoencoder.
    assert len(set(stores_folder().iterdir()) - before) == 1


def test_encoding_counts_against_the_promise(tmp_path, monkeypatch):
    events = []
    makar.train(pictures(), minutes=4 / 60, recipe="toy-latent", output="quick", on_event=events.append)
    notes = [event["message"] for event in events if event["event"] == "note"]
    ready = next(index for index, text in enumerate(notes) if text.startswith("data ready"))
    encoded = next(index for index, text in enumerate(notes) if text.startswith("encoding"))
    assert ready < encoded
    promise = next(text for text in notes if "from the finished store" in text)
    assert float(promise.split()[0]) < 4.4


def test_a_component_that_was_exchanged_is_refused(run, tmp_path):
    folder = shutil.copytree(run.model.path, tmp_path / "copy")
    (folder / "components" / "autoencoder" / "model.safetensors").write_bytes(b"x")
    with pytest.raises(IntegrityError, match="components/autoencoder"):
        makar.load(folder)


def test_a_header_with_a_component_outside_the_folder_is_refused(run, tmp_path):
    from makar.artifacts.artifact import read_header

    header = json.loads((run.model.path / "makar.json").read_text(encoding="utf-8"))
    for name in ("../autoencoder", "a/b", ""):
        changed = {**header, "components": {name: header["components"]["autoencoder"]}}
        (tmp_path / "makar.json").write_text(json.dumps(changed), encoding="utf-8")
        with pytest.raises(ArtifactError, match="components"):
            read_header(tmp_path)


def test_a_component_of_other_weights_is_found_even_without_the_hashes_of_files(run, tmp_path):
    from makar.artifacts.artifact import rebuild_components

    folder = shutil.copytree(run.model.path, tmp_path / "copy")
    header = json.loads((folder / "makar.json").read_text(encoding="utf-8"))
    header["components"]["autoencoder"]["hash"] = "0" * 64
    with pytest.raises(IntegrityError, match="not the one"):
        rebuild_components(header, folder)


@pytest.mark.slow  # the same way as with captions in tests/generation/test_built_in_families.py
def test_it_goes_out_to_onnx_with_its_component_and_comes_back(run, tmp_path):
    folder = run.model.export(tmp_path / "onnx", to="onnx")
    assert {path.name for path in folder.glob("*.onnx")} == {"velocity.onnx", "autoencoder-encoder.onnx"}
    assert makar.import_model(folder, output=tmp_path / "back").hash == run.model.hash


def test_evaluating_compares_images_and_not_latents(run, tmp_path):
    report = run.model.evaluate(folder=tmp_path / "report").to_dictionary()
    assert report["scores"] or report["verdict"]
