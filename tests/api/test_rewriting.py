"""A translator from a table of pairs: planned by its task, trained, asked, streamed, measured, exported and verified."""

import json

import pytest

import makar
from makar.errors import EmptyDataError, MakarError, UnsupportedError

TINY = [
    "stages.0.family.width=16",
    "stages.0.family.heads=2",
    "stages.0.family.encoder_depth=1",
    "stages.0.family.decoder_depth=1",
    "stages.0.optimisation.batch_size=8",
]
COLOURS = {"red": "rote", "green": "grüne", "blue": "blaue", "old": "alte", "new": "neue", "sad": "traurige \U0001f98a"}
THINGS = {"cat": "Katze", "lamp": "Lampe", "bridge": "Brücke", "city": "Stadt", "flower": "Blume"}
ROWS = [
    {"en": f"{number} {a} {b}s: the {a} {b}", "de": f"{number} {x} {y}n: die {x} {y}"}
    for number in range(2, 7)
    for a, x in COLOURS.items()
    for b, y in THINGS.items()
]


def write(folder, rows, name="pairs.jsonl"):
    folder.mkdir(exist_ok=True)
    (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def translator(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MAKAR_HOME", str(tmp_path_factory.mktemp("home")))
        rows = [*ROWS, {"en": "", "de": "leer"}, {"en": "control\x07 and العربية", "de": "Zeichen"}]
        data = write(tmp_path_factory.mktemp("data") / "pairs", rows)
        yield makar.train(data, columns="source=en,target=de", steps=6, output="translator", settings=TINY)


def test_the_task_of_the_data_chooses_the_recipe(translator):
    assert translator.plan.recipe.name == "rewrite" and translator.model.rewrites
    assert translator.plan.recipe.stages[0].family.source_length > 5


def test_the_new_text_stands_alone_and_is_signed(translator):
    (asset,) = translator.model.generate("the red cat", options={"max_tokens": 12})
    assert not asset.content.startswith("the red cat") and asset.new_text == asset.content
    assert asset.manifest["prompt"] == "the red cat" and asset.manifest["continues_characters"] == 0
    several = translator.model.generate(["3 old lamps", "the red cat"], options={"max_tokens": 12})
    assert several[1].content == asset.content and several[1].hash == asset.hash


def test_it_is_streamed_and_drawn(translator):
    options = {"max_tokens": 12, "temperature": 1.0}
    *pieces, asset = translator.model.stream("the red cat", seed=3, options=options)
    assert (
        "".join(pieces) == asset.content == translator.model.generate("the red cat", seed=3, options=options)[0].content
    )


def test_it_is_measured_beside_copying(translator, tmp_path, monkeypatch):
    monkeypatch.setenv("MAKAR_HOME", str(translator.folder.parents[1]))
    report = translator.model.evaluate(folder=tmp_path / "report", samples=6).to_dictionary()
    scores = report["scores"]
    assert {"bleu", "chrf", "rouge_1", "rouge_2", "rouge_l", "exact", "f1"} <= set(scores)
    assert "source as it is" in json.dumps(scores["bleu"]) and "tok:13a" in report["details"]["bleu_signature"]
    assert any("sacreBLEU" in sentence for sentence in report["verdict"])
    assert any("nrefs:1|" in sentence for sentence in report["verdict"])


def test_what_is_no_text_to_rewrite_is_refused(translator):
    for prompt, words in ((None, "from another"), ("  ", "empty text"), ("word " * 3000, "--lines"), (7, "text")):
        with pytest.raises(UnsupportedError, match=words):
            translator.model.generate(prompt)


def test_it_goes_out_and_comes_back(translator, tmp_path):
    folder = translator.model.export(tmp_path / "out", to="transformers")
    assert json.loads((folder / "config.json").read_text())["model_type"] == "t5"
    back = makar.import_model(folder, output=tmp_path / "back")
    options = {"max_tokens": 12}
    assert back.generate("the red cat", options=options)[0].content == (
        translator.model.generate("the red cat", options=options)[0].content
    )
    assert makar.verify(translator.model.path).is_intact


def test_the_same_steps_give_the_same_model(translator, tmp_path):
    again = makar.train(
        write(
            tmp_path / "pairs", [*ROWS, {"en": "", "de": "leer"}, {"en": "control\x07 and العربية", "de": "Zeichen"}]
        ),
        columns="source=en,target=de",
        steps=6,
        output=tmp_path / "again",
        settings=TINY,
    )
    one, other = (run.model.path / "model.safetensors" for run in (translator, again))
    assert one.read_bytes() == other.read_bytes()


def test_data_without_pairs_are_refused(tmp_path):
    rows = [{"text": f"a good film, number {number}", "label": "good"} for number in range(30)]
    with pytest.raises(UnsupportedError, match="--columns source=COLUMN,target=COLUMN"):
        makar.train(write(tmp_path / "labels", rows), recipe="rewrite", steps=1, output=tmp_path / "m")
    with pytest.raises(MakarError, match="dee"):
        makar.train(write(tmp_path / "pairs", ROWS), columns="source=dee,target=de", steps=1, output=tmp_path / "m")
    empty = [{"en": "", "de": "x"}, {"en": "y", "de": " "}] * 20
    with pytest.raises(EmptyDataError):
        makar.train(write(tmp_path / "empty", empty), columns="source=en,target=de", steps=1, output=tmp_path / "m")


def test_what_rewrites_holds_no_conversation(translator):
    with pytest.raises(UnsupportedError, match="makes one text from another"):
        translator.model.chat()
