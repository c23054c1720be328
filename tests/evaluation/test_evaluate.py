"""A model of every medium is measured from its run, from other data, and refused with a reason when there is neither."""

import dataclasses
import json
import types

import numpy as np
import pytest

from makar import registry
from makar.artifacts import folders
from makar.artifacts.load import load_artifact
from makar.artifacts.save import read_report, save_artifact
from makar.codecs.codec import fit_codec
from makar.data.dataset import open_dataset
from makar.data.record import Record
from makar.data.store import build_store
from makar.errors import DataError, UnsupportedError, UsageError
from makar.evaluation import classifier, extractor, image, image_edits, text
from makar.evaluation.evaluate import evaluate, sentences_on_training
from makar.home import runs_folder, stores_folder
from tests.contract.samples import TINY_PARAMETERS, new_family
from tests.novelty.samples import random_words, smooth_images

RUN = "20260101-000000-tiny-abcd"
SPLITS = ("train", "inner", "held_out")


def contents(medium, seed, channels=1):
    generator = np.random.default_rng(seed)
    if medium == "image":
        return list(smooth_images(generator, 24, size=32, channels=channels))
    return [random_words(generator, 150, vocabulary=60) + "." for _ in range(6)]


def records(medium, split, seed, label=None, channels=1):
    for number, content in enumerate(contents(medium, seed, channels)):
        yield Record(
            id=f"{split}{number}",
            medium=medium,
            content=content,
            document=f"{split}-{number}",
            source=f"{split}-{number}",
            split=split,
            licence="CC0-1.0",
            label=None if label is None else label[number % len(label)],
        )


def trained(tmp_path, medium, *, with_run=True, recipe=None, labels=None, channels=1):
    """Return a saved model with drawn weights, and the run and stores it would have left behind."""
    recipe = registry.load("recipes", recipe or medium)()
    stage = recipe.stages[-1]
    settings = {"height": 32, "width": 32} if medium == "image" else {}
    codec = fit_codec(stage.codec.changed(**settings), records(medium, "train", 0, labels, channels))
    family = new_family(stage.family.bound_to(codec.spec).scaled_to(TINY_PARAMETERS))
    stage = dataclasses.replace(stage, codec=codec.config, family=family.config, share=1.0)
    recipe = dataclasses.replace(recipe, stages=(stage,))
    if with_run:
        run, stores = runs_folder() / RUN, stores_folder() / "tiny"
        run.mkdir(parents=True)
        (run / "stores.json").write_text(json.dumps({"stores": str(stores)}))
        lines = [
            {"event": "progress", "stage": stage.name, "step": step, "seconds": step / 2, "loss": 3 - step / 10}
            for step in range(5)
        ]
        (run / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"event": "prog')
        for seed, split in enumerate(SPLITS):
            build_store(stores / split, records(medium, split, seed, labels, channels), codec.encode, key=split)
    return save_artifact(
        tmp_path / "model",
        recipe=recipe,
        codec=codec,
        family=family,
        training={
            "run": RUN,
            "steps": 5,
            "items": 40,
            "seconds": 2.5,
            "inner_loss": 2.6,
            "unit": "nats a token",
            "bytes_per_token": 2.0,
            "peak_memory_bytes": 2,
            "predicted": {
                "steps": 6,
                "memory_bytes": 3,
                "inner_loss": {"low": 1.0, "central": 1.2, "high": 1.4, "unit": "nats a byte"},
            },
            "energy_kwh": {"low": 0.001, "central": 0.002, "high": 0.004, "method": "guess"},
        },
        data={"fingerprint": "f" * 64, "name": "tiny", "medium": medium, "items": 6, "licences": {"CC0-1.0": 6}},
    )


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(text, "MOST_SAMPLE_TOKENS", 40)
    monkeypatch.setattr(image, "SHOWN", 16)
    monkeypatch.setattr(extractor, "STEPS", 2)
    monkeypatch.setattr(extractor, "BATCH", 16)
    monkeypatch.setattr(image_edits, "IMAGES", 3)
    monkeypatch.setattr(classifier, "STEPS", 3)


@pytest.mark.parametrize("medium", ["text", "image"])
def test_a_model_is_measured_from_its_run(tmp_path, medium):
    events = []
    report = evaluate(trained(tmp_path, medium), folder=tmp_path / "report", samples=12, on_event=events.append)
    values = json.loads(report.json.read_text(encoding="utf-8"))
    page = report.html.read_text(encoding="utf-8")
    assert {event["measuring"] for event in events if event["event"] == "evaluation"} >= {
        "writing samples"
    } or medium == "image"
    assert values["licences"] == {"CC0-1.0": "6"}
    found = {
        row["what"]: (row["predicted"]["central"], row["real"], row["verdict"]) for row in values["predicted_and_real"]
    }
    assert found["steps"] == (6, 5, "-17 %") and found["memory"] == (3, 2, "hit")
    assert found["loss on data it did not learn from"] == (1.2, 1.3, "hit")
    assert "2 Wh (1 to 4; guess)" in page
    assert "Curves of the loss" in page
    assert values["hashes"]["training data"] == "f" * 64
    assert values["details"]["samples"] == 12
    assert values["novelty"]["copies"]["value"] == 0
    if medium == "text":
        assert values["scores"]["bits_per_byte"]["value"] > max(
            part["value"] for part in values["scores"]["bits_per_byte"]["baselines"].values()
        )
        assert "worse than the best baseline" in values["verdict"][0]
        assert len(values["details"]["novelty"]) == 12
    else:
        assert (
            values["scores"]["fid"]["value"]
            > values["scores"]["fid"]["baselines"]["real against real, 12 images"]["value"]
        )
        assert values["details"]["extractor"]["name"] in page and values["details"]["sets"] == 3
        assert {"density", "coverage", "distance_filled_in"} <= set(values["scores"])
        assert not {"classification_accuracy", "inception_score"} & set(values["scores"])
        assert page.count("<img") == 4
    assert (runs_folder() / RUN / "novelty" / "novelty.json").exists()
    assert not list((tmp_path / "model").glob("novelty*"))


@pytest.mark.parametrize("medium", ["text", "image"])
def test_the_scores_go_onto_the_card_and_nothing_of_the_training_data_does(tmp_path, medium):
    artifact = trained(tmp_path, medium)
    assert "Not measured yet" in (artifact.path / "README.md").read_text(encoding="utf-8")
    report = evaluate(artifact, folder=tmp_path / "report", samples=12)
    assert "train-" in report.json.read_text(encoding="utf-8") or medium == "text"
    again = load_artifact(artifact.path)
    assert again.hash == artifact.hash
    card, carried = (again.path / "README.md").read_text(encoding="utf-8"), read_report(again)
    assert "Not measured yet" not in card and "held-out part of the training data" in card
    for name, score in {**report.values["scores"], **report.values["novelty"]}.items():
        assert carried["scores"][name] == score and f"| {name} |" in card
    assert carried.keys() == {"schema", "date", "measured_on", "scores"}
    travels = card + json.dumps(carried)
    assert "train-" not in travels and "held_out-" not in travels
    assert not any(sentence[:30] in travels for sentence in contents("text", 0)) or medium == "image"


def test_a_model_that_cannot_be_written_is_measured_all_the_same(tmp_path, monkeypatch):
    artifact, events = trained(tmp_path, "text", with_run=False), []

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(folders, "tempfile", types.SimpleNamespace(mkdtemp=refuse))
    report = evaluate(
        artifact, open_dataset(contents("text", 5)), folder=tmp_path / "r", samples=2, on_event=events.append
    )
    assert report.html.exists()
    assert any("card" in event.get("message", "") for event in events if event["event"] == "warning")


def test_a_negative_number_of_samples_is_refused(tmp_path):
    with pytest.raises(UsageError, match="-1"):
        evaluate(trained(tmp_path, "text"), folder=tmp_path / "report", samples=-1)


def test_the_same_seed_gives_the_same_figures(tmp_path):
    artifact = trained(tmp_path, "text")
    one, two = (evaluate(artifact, folder=tmp_path / name, samples=4, seed=3) for name in ("a", "b"))
    assert one.to_dictionary() == two.to_dictionary()
    other = evaluate(artifact, folder=tmp_path / "c", samples=4, seed=4)
    assert other.to_dictionary()["details"]["diversity"] != one.to_dictionary()["details"]["diversity"]


@pytest.mark.parametrize("medium", ["text", "image"])
def test_elsewhere_it_is_measured_on_given_data_and_says_what_it_does_not_know(tmp_path, medium):
    artifact = trained(tmp_path, medium, with_run=False)
    source = np.stack(contents(medium, 5)) if medium == "image" else contents(medium, 5)
    report = evaluate(artifact, open_dataset(source, medium=medium), folder=tmp_path / "report", samples=10)
    values = report.to_dictionary()
    assert "cannot be said here" in " ".join(values["verdict"])
    assert values["novelty"].keys() <= {"distinct_2", "overlap", "compression"}
    assert "bits_per_byte" in values["scores"] or medium == "image"
    # A report is shown around: it holds none of the data, and what was encoded for it is gone.
    assert not [path for path in report.html.parent.rglob("*") if path.suffix in (".bin", ".jsonl")]
    assert not [path for path in stores_folder().iterdir() if path.name.startswith("evaluation.")]


def test_a_model_with_classes_is_asked_what_its_samples_are_good_for(tmp_path):
    artifact = trained(tmp_path, "image", recipe="image-class", labels=("cat", "fox"))
    values = evaluate(artifact, folder=tmp_path / "report", samples=12).to_dictionary()
    score, certainty = values["scores"]["classification_accuracy"], values["scores"]["inception_score"]
    assert 0 <= score["value"] <= 1 and list(score["baselines"]) == ["trained on 12 real images"]
    assert 1 <= certainty["value"] <= 2


def test_a_model_that_rebuilds_is_measured_by_what_it_rebuilds(tmp_path):
    values = evaluate(trained(tmp_path, "image", recipe="vae"), folder=tmp_path / "r", samples=8).to_dictionary()
    assert {"distance_rebuilt", "distance_denoised"} <= set(values["scores"])
    assert "with the noise" in values["scores"]["distance_denoised"]["baselines"]


@pytest.mark.parametrize(
    "recipe, key, plain",
    [
        ("vqvae", "rebuilt", None),
        pytest.param("colorize", "coloured", "grey", marks=pytest.mark.slow),
        ("super-resolution", "enlarged", "bicubic"),
    ],
)
def test_a_model_that_makes_nothing_from_nothing_is_measured_by_its_edits(tmp_path, recipe, key, plain):
    artifact = trained(tmp_path, "image", recipe=recipe, channels=3)
    values = evaluate(artifact, folder=tmp_path / "r", samples=8).to_dictionary()
    assert values["scores"]["fid"]["value"] >= 0 and values["details"]["sets"] == 3
    assert set(values["scores"][f"distance_{key}"]["baselines"]) == {"another held-out image"} | (
        {plain} if plain else set()
    )


def test_the_inception_network_is_for_images_only(tmp_path):
    with pytest.raises(UnsupportedError, match="Inception"):
        evaluate(trained(tmp_path, "text"), folder=tmp_path / "report", inception=tmp_path / "weights.safetensors")


def test_figures_of_the_inception_network_are_named_so(tmp_path, monkeypatch):
    """The file is read before anything is drawn, and its network is the one that every distance is measured with."""

    class Tiny:
        name, hash, task, accuracy = "Inception[0123abcd]", "0123abcd" * 8, "classes", None

        def features(self, images):
            return images.reshape(len(images), -1)[:, :40].astype(np.float64)

        def class_probabilities(self, images):
            return np.full((len(images), 5), 0.2)

    monkeypatch.setattr(image, "read_inception", lambda path: Tiny())
    report = evaluate(trained(tmp_path, "image"), folder=tmp_path / "r", samples=10, inception=tmp_path / "weights")
    assert "FID-Inception[0123abcd], 10 images" in report.html.read_text(encoding="utf-8")
    assert report.values["details"]["extractor"]["hash"] == Tiny.hash
    assert report.values["scores"]["inception_score"]["value"] == pytest.approx(1)


def test_a_collapse_on_the_way_is_in_the_verdict(tmp_path):
    artifact = trained(tmp_path, "text")
    assert not sentences_on_training(artifact)
    collapse = "the generator collapsed (step 40); back to step 20 with other data and half the learning rate"
    artifact.header["training"]["incidents"] = [collapse, "another"]
    report = evaluate(artifact, folder=tmp_path / "report", samples=2)
    assert report.values["verdict"][-1] == f"Its training went wrong on the way: {collapse}, and 1 more below."
    assert collapse in report.html.read_text(encoding="utf-8")


def test_without_data_and_run_it_is_refused_with_what_to_do(tmp_path):
    with pytest.raises(DataError, match="not on this machine") as caught:
        evaluate(trained(tmp_path, "text", with_run=False), folder=tmp_path / "report")
    assert "makar evaluate model DATA" in str(caught.value)
    assert not (tmp_path / "report").exists()


def test_data_of_another_medium_is_refused(tmp_path):
    images = open_dataset(np.stack(contents("image", 0)), medium="image")
    with pytest.raises(DataError, match="image"):
        evaluate(trained(tmp_path, "text"), images, folder=tmp_path / "report")
    assert not (tmp_path / "report").exists()
