"""Readers of text the whole way: planned, trained from nothing and from an encoder, asked, measured; and what is refused."""

import json

import pytest

import makar
from makar.api.data import plan
from makar.errors import UnsupportedError, UsageError

TINY = ["width=16", "heads=2", "depth=1"]
SETTINGS = [f"stages.0.family.{text}" for text in TINY]
WORDS = {"pos": "a fine film with a good plot", "neg": "a dull film with a bad plot"}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return a folder with labelled texts, an encoder of their words, and readers from nothing and from that encoder."""
    patch = pytest.MonkeyPatch()
    folder = tmp_path_factory.mktemp("reading")
    patch.setenv("MAKAR_HOME", str(folder / "home"))
    rows = [{"text": f"{WORDS[name]} number {number}", "label": name} for number in range(30) for name in WORDS]
    write(folder / "labelled.jsonl", rows)
    tags = ["O"] * 6 + ["B-NUM", "I-NUM"]
    write(
        folder / "tagged.jsonl",
        [{"tokens": row["text"].split(), "tags": [*tags, "O"][: len(row["text"].split())]} for row in rows],
    )
    (folder / "books").mkdir()
    (folder / "books" / "one.txt").write_text("\n".join(row["text"] for row in rows * 8), encoding="utf-8")
    small = [*SETTINGS, "stages.0.family.gram_rows=64"]
    makar.train(folder / "labelled.jsonl", steps=12, output="sorter", settings=small)
    makar.train(
        folder / "books", steps=4, output="reader", recipe="bert", settings=[*SETTINGS, "stages.0.family.length=32"]
    )
    for name, data, recipe in (("fine-sorter", "labelled", "classify"), ("fine-tagger", "tagged", "tag")):
        makar.train(folder / f"{data}.jsonl", steps=3, output=name, recipe=recipe, from_model="reader")
    patch.undo()
    return folder


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


@pytest.fixture
def folder(made, monkeypatch):
    monkeypatch.setenv("MAKAR_HOME", str(made / "home"))
    return made


def test_labelled_texts_choose_the_recipe_and_it_sorts_them(folder):
    model = makar.load("sorter")
    assert model.artifact.recipe.name == "classify"
    (said,) = model.predict(["a good film"])
    assert said["label"] in WORDS and sum(said["probabilities"].values()) == pytest.approx(1.0)
    assert makar.verify("sorter").is_complete


def test_the_report_stands_beside_a_sceptics_guess(folder, tmp_path):
    values = makar.load("sorter").evaluate(folder=tmp_path / "report").to_dictionary()
    assert set(values["scores"]) == {"accuracy", "macro_f1", "calibration_error"}
    assert set(values["scores"]["accuracy"]["baselines"]) == {
        "TF-IDF and logistic regression",
        "how often each class is",
    }
    tagged = makar.load("fine-tagger").evaluate(folder=tmp_path / "tags").to_dictionary()
    assert tagged["scores"]["entity_f1"]["baselines"]["most frequent tag of each word"]["value"] == 1.0
    hidden = makar.load("reader").evaluate(folder=tmp_path / "masks").to_dictionary()
    assert 0 <= hidden["scores"]["masked_accuracy"]["value"] <= 1


def test_readers_that_begin_from_an_encoder_have_its_sizes_and_name_it(folder):
    parent = makar.load("reader")
    for name, kind in (("fine-sorter", "classifier"), ("fine-tagger", "tagger")):
        child = makar.load(name).artifact
        assert child.recipe.parent.hash == parent.hash and child.family_config.kind == kind
        for size in ("vocabulary", "length", "width", "depth", "heads"):
            assert getattr(child.family_config, size) == getattr(parent.artifact.family_config, size)
        assert makar.verify(name).is_complete
    assert makar.load("fine-tagger").predict(["a film"])[0]["what"] == "entities"


def test_a_plan_knows_the_new_head(folder):
    planned = plan(folder / "labelled.jsonl", steps=3, recipe="classify", from_model="reader", probe=False)
    assert planned.recipe.stages[0].family.classes == 2


def test_other_data_and_other_models_are_refused(folder):
    with pytest.raises(UnsupportedError, match="task classify"):
        makar.train(folder / "books", steps=1, recipe="classify")
    with pytest.raises(UnsupportedError, match="task tag"):
        makar.train(folder / "labelled.jsonl", steps=1, recipe="tag", from_model="reader")
    settings = ["stages.0.family.width=16", "stages.0.family.heads=2", "stages.0.family.depth=1"]
    makar.train(folder / "books", steps=1, output="writer", settings=settings)
    with pytest.raises(UnsupportedError, match="no encoder of text"):
        makar.train(folder / "labelled.jsonl", steps=1, recipe="classify", from_model="writer")
    with pytest.raises(UsageError):
        makar.load("sorter").predict(["  "])
