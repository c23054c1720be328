"""A model of images and captions in one space is measured in both directions, beside chance and a linear guess, and so are labels."""

import dataclasses

import numpy as np
import pytest

from makar.data.store import build_store
from makar.errors import DataError, UnsupportedError
from makar.evaluation.captioned import caption_rows, colours_and_words, distinct_pairs
from makar.evaluation.evaluate import evaluate
from makar.evaluation.material import Material
from makar.evaluation.retrieval import evaluate_retrieval
from tests.generation.test_words import captioned, saved_reader


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    folder = tmp_path_factory.mktemp("home")
    patch = pytest.MonkeyPatch()
    patch.setenv("MAKAR_HOME", str(folder))
    made = {name: saved_reader(folder / "models" / name, steps=steps) for name, steps in (("old", 60), ("new", 0))}
    patch.undo()
    return folder, made


@pytest.fixture
def material(places, monkeypatch, tmp_path):
    """Return a function from a model and records to what is measured."""
    monkeypatch.setenv("MAKAR_HOME", str(places[0]))

    def make(name, records, *, with_train=True):
        artifact = places[1][name]
        codec = artifact.codec()
        held_out = build_store(tmp_path / f"{name}-held", records, codec.encode, key="held")
        train = build_store(tmp_path / f"{name}-train", captioned(30), codec.encode, key="train")
        return Material(
            artifact=artifact,
            codec=codec,
            train=train if with_train else None,
            held_out=held_out,
            novelty=None,
            metrics=[],
            measured_on="held-out squares",
            seed=0,
            samples=0,
            inception=None,
            folder=tmp_path,
            on_event=lambda event: None,
        )

    return make


def scores_of(findings):
    return {score.key: score for score in findings.scores}


def test_a_trained_model_finds_both_ways_and_one_that_is_not_does_not(material):
    found = evaluate_retrieval(material("old", captioned(12)))
    scores = scores_of(found)
    assert found.details == {"pairs": 3, "among": 3}
    for key in ("caption", "image"):
        assert scores[f"{key}_first"].interval.value == 1.0 and scores[f"{key}_median_rank"].interval.value == 1
        baselines = dict(scores[f"{key}_first"].baselines)
        assert baselines["chance"].value == pytest.approx(1 / 3) and baselines["colours and words"].value > 0.5
    assert found.pictures[0].png.startswith(b"\x89PNG") and "different captions" in found.verdict[-1]
    twin = scores_of(evaluate_retrieval(material("new", captioned(12))))
    assert twin["caption_first"].interval.value + twin["image_first"].interval.value < 2


def test_names_of_classes_label_images(material):
    records = [dataclasses.replace(record, label=record.caption) for record in captioned(12)]
    score = scores_of(evaluate_retrieval(material("old", records)))["label_accuracy"]
    assert score.interval.value == 1.0 and score.baselines[0][1].value == pytest.approx(1 / 3)


def test_without_the_training_data_there_is_no_linear_guess(material):
    scores = scores_of(evaluate_retrieval(material("old", captioned(12), with_train=False)))
    assert [name for name, _ in scores["caption_first"].baselines] == ["chance"]


def test_too_few_captions_are_refused(material):
    one = [dataclasses.replace(record, caption="a red square") for record in captioned(6)]
    with pytest.raises(DataError, match="1 different captions"):
        evaluate_retrieval(material("old", one))
    none = [dataclasses.replace(record, caption=None) for record in captioned(6)]
    with pytest.raises(DataError, match="0 different captions"):
        evaluate_retrieval(material("new", none))


def test_weights_of_inception_are_refused_for_what_makes_no_images(material, tmp_path):
    made = dataclasses.replace(material("old", captioned(12)), inception=tmp_path / "weights")
    with pytest.raises(UnsupportedError, match="Inception"):
        evaluate_retrieval(made)


def test_pairs_are_the_first_image_of_each_caption(material):
    store = material("old", captioned(12)).held_out
    assert distinct_pairs(store).tolist() == [0, 1, 2] and distinct_pairs(store, most=2).tolist() == [0, 2]


def test_the_linear_guess_knows_colours(material):
    made = material("old", captioned(12))
    images = np.stack([np.full((3, 16, 16), 0, np.uint8) for _ in range(3)])
    for number, colour in enumerate([(220, 20, 20), (20, 200, 20), (20, 20, 220)]):
        images[number] = np.array(colour, np.uint8)[:, None, None]
    captions = caption_rows(made.held_out)[:3]
    guess = colours_and_words(made.train, images, captions, vocabulary=made.codec.spec["caption"].vocabulary)
    assert guess.argmax(1).tolist() == [0, 1, 2]


def test_evaluate_takes_the_metric_of_the_family(material, monkeypatch, tmp_path):
    made = material("old", captioned(12))
    monkeypatch.setattr("makar.evaluation.evaluate.gather", lambda *_, **__: made)
    report = evaluate(made.artifact, folder=tmp_path / "report")
    assert "caption_first" in report.values["scores"] and "fid" not in report.values["scores"]
    assert report.html.exists()
