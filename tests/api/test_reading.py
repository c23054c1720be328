"""Readers of text the whole way: planned, trained from nothing and from an encoder, asked, measured; and what is refused."""

import contextlib
import json
import sqlite3

import numpy as np
import pytest

import makar
from makar.api import knowledge
from makar.api.data import plan
from makar.errors import ArtifactError, UnknownNameError, UnsupportedError, UsageError

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
    write(folder / "starred.jsonl", [{"review": row["text"], "stars": 1 + 3 * (row["label"] == "pos")} for row in rows])
    passage = "A fine film has a good plot. A dull film has a bad plot."
    asked = [{"question": f"What has film {n}?", "context": passage, "answers": ["a good plot"]} for n in range(20)]
    write(folder / "asked.jsonl", [{**row, "context": f"{passage} Part {n // 2}."} for n, row in enumerate(asked)])
    makar.train(folder / "starred.jsonl", steps=12, output="judge", settings=small)
    makar.train(folder / "asked.jsonl", steps=6, output="finder", recipe="find-answer", settings=SETTINGS)
    alike = [
        {"sentence1": row["text"], "sentence2": f"again {row['text']}", "score": row["label"] == "pos"} for row in rows
    ]
    write(folder / "alike.jsonl", alike)
    makar.train(folder / "alike.jsonl", steps=6, output="embedder", settings=SETTINGS)
    makar.train(folder / "books", steps=4, output="fine-embedder", recipe="embed", from_model="reader")
    # What the data are labelled for decides what grows from an encoder.
    for name, data in (
        ("fine-sorter", "labelled"),
        ("fine-tagger", "tagged"),
        ("fine-judge", "starred"),
        ("fine-finder", "asked"),
    ):
        makar.train(folder / f"{data}.jsonl", steps=3, output=name, from_model="reader")
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
    for name, kind in (
        ("fine-sorter", "classifier"),
        ("fine-tagger", "tagger"),
        ("fine-judge", "regressor"),
        ("fine-finder", "span-finder"),
        ("fine-embedder", "embedder"),
    ):
        child = makar.load(name).artifact
        assert child.recipe.parent.hash == parent.hash and child.family_config.kind == kind
        for size in ("vocabulary", "length", "width", "depth", "heads"):
            assert getattr(child.family_config, size) == getattr(parent.artifact.family_config, size)
        assert makar.verify(name).is_complete
    assert makar.load("fine-tagger").predict(["a film"])[0]["what"] == "entities"


def test_questions_are_answered_from_passages_and_measured(folder, tmp_path):
    passage = "A fine film has a good plot. " * 30
    for name in ("finder", "fine-finder"):
        (said,) = makar.load(name).predict([passage], query="What has film 3?")
        assert passage[said["start"] : said["end"]] == said["answer"] and 0 <= said["probability"] <= 1
        assert said["windows"] > 1
    values = makar.load("finder").evaluate(folder=tmp_path / "answers").to_dictionary()
    baselines = values["scores"]["answer_f1"]["baselines"]
    assert baselines["what was to be learned of the passage"]["value"] == 1.0
    assert 0 < baselines["sentence most like the question"]["value"] < 1
    with pytest.raises(UsageError):
        makar.load("finder").predict([passage])


def test_texts_get_numbers_and_are_measured(folder, tmp_path):
    (said,) = makar.load("judge").predict(["a fine film with a good plot"])
    assert 0 < said["score"] < 6
    values = makar.load("judge").evaluate(folder=tmp_path / "numbers").to_dictionary()
    assert set(values["scores"]) == {"spearman", "pearson", "rmse"}
    assert set(values["scores"]["rmse"]["baselines"]) == {"TF-IDF and ridge regression", "mean"}


def test_texts_become_vectors_and_are_found(folder, tmp_path):
    model = makar.load("embedder")
    texts = ["a fine film with a good plot", "a dull film " * 50, "a", "東京 \U0001f98a"]
    made = model.embed(texts)
    assert made.dtype == np.float32 and made.shape == (4, 16)
    assert np.linalg.norm(made, axis=1) == pytest.approx(np.ones(4), abs=1e-5)
    # What else is read at the same time makes no difference.
    assert np.allclose(model.embed(texts[2:3])[0], made[2], atol=1e-5) and model.embed([]).shape == (0, 16)
    said = model.predict(texts)
    assert np.allclose(said[0]["vector"], made[0]) and said[1]["windows"] > 1
    found = model.predict(texts, query=texts[0])
    assert [row["rank"] for row in found] == [1, 2, 3, 4] and found[0]["input"] == texts[0]
    assert found[0]["similarity"] == pytest.approx(1.0, abs=1e-5)
    values = model.evaluate(folder=tmp_path / "pairs").to_dictionary()
    assert set(values["scores"]) == {"spearman", "ndcg_at_10"}
    parts = makar.load("fine-embedder").evaluate(folder=tmp_path / "parts").to_dictionary()
    assert set(parts["scores"]["ndcg_at_10"]["baselines"]) == {"BM25", "both orders together"}
    with pytest.raises(UsageError):
        model.embed(["a", " "])
    with pytest.raises(UnsupportedError, match="embed"):
        makar.load("sorter").embed(["a"])


def test_an_encoder_labels_texts_without_training(folder):
    from makar.api.labels import label

    (said,) = label(makar.load("reader"), ["a fine film"], labels="good,dull")
    assert set(said["probabilities"]) == {"good", "dull"}
    assert sum(said["probabilities"].values()) == pytest.approx(1.0)
    assert label(makar.load("reader"), ["a fine film"], labels="good,dull") == [said]


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


def test_an_index_finds_by_the_vectors_of_an_encoder_and_says_when_it_is_gone(folder, tmp_path):
    papers = tmp_path / "papers"
    papers.mkdir()
    for number, text in enumerate(("A fine film with a good plot.", "The weather is wet in spring.")):
        (papers / f"{number}.txt").write_text(text)
    assert knowledge.index(papers, tmp_path / "i.sqlite", encoder="embedder").embedded == 2
    assert knowledge.index(papers, tmp_path / "i.sqlite").embedded == 0
    # No word of the question is in the documents: only vectors can find anything.
    hits = knowledge.search("cinema", tmp_path / "i.sqlite")
    assert len(hits) == 2 and all(hit.dense_place and hit.lexical_place is None for hit in hits)
    with contextlib.closing(sqlite3.connect(tmp_path / "i.sqlite")) as connection, connection:
        connection.execute("update about set value = '/nowhere' where name = 'encoder'")
    with pytest.raises(ArtifactError, match="gone"):
        knowledge.search("cinema", tmp_path / "i.sqlite")
    with pytest.raises(UnknownNameError):
        knowledge.index(papers, tmp_path / "j.sqlite", encoder="no-such-model")


@pytest.mark.parametrize("name", ["sorter", "reader", "judge", "finder", "embedder"])
def test_what_reads_says_what_it_is_to_whoever_wants_text(made, name):
    model = makar.load(made / "home" / "models" / name)
    asked = (
        lambda: model.generate("x"),
        lambda: model.generate("x", options={"temperature": 0.5}),
        lambda: model.chat(),
    )
    for ask in asked:
        with pytest.raises(UnsupportedError, match="reads texts and writes none") as refused:
            ask()
        assert model.artifact.family_config.kind in str(refused.value) and f"makar predict {name}" in refused.value.do


def test_rows_that_are_left_out_are_said_when_training_begins(folder, tmp_path):
    rows = [{"text": f"{WORDS[name]} number {number}", "label": name} for number in range(9) for name in WORDS]
    write(tmp_path / "gaps.jsonl", [*rows, {"text": "no label"}, {"label": "pos"}])
    said = []
    makar.train(
        tmp_path / "gaps.jsonl",
        steps=1,
        output="gaps",
        settings=[*SETTINGS, "stages.0.family.gram_rows=64"],
        on_event=said.append,
    )
    assert any("2 a row without label, text" in str(event.get("message", "")) for event in said)


def test_the_text_that_is_empty_is_counted_from_one(folder):
    with pytest.raises(UsageError, match="text 2 of 2 is empty"):
        makar.load("embedder").embed(["a film", " "])


@pytest.mark.parametrize(("name", "setting"), [("sorter", "readers=1"), ("embedder", "weighted=false")])
def test_a_reader_without_a_form_in_transformers_says_which_setting_gives_it_one(folder, tmp_path, name, setting):
    with pytest.raises(UnsupportedError, match="no form in transformers") as refused:
        makar.load(name).export(tmp_path / "out", to="transformers")
    assert (
        f"--set stages.0.family.{setting}" in refused.value.do and f"makar export {name} --to onnx" in refused.value.do
    )
