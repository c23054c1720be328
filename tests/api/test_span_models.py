"""A model that learned a language by filling in spans goes on with pairs and with questions; what is no such model is refused."""

import json

import numpy as np
import pytest

import makar
from makar.errors import UnsupportedError
from tests.api.test_rewriting import ROWS, write

TINY = [
    "stages.0.family.width=16",
    "stages.0.family.heads=2",
    "stages.0.family.encoder_depth=1",
    "stages.0.family.decoder_depth=1",
    "stages.0.family.context=64",
    "stages.0.optimisation.batch_size=4",
]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    place = tmp_path_factory.mktemp("spans")
    (place / "texts").mkdir()
    for number in range(12):
        words = " ".join(f"The fox number {number} ran over the hill {step} times." for step in range(30))
        (place / "texts" / f"{number}.txt").write_text(words, encoding="utf-8")
    write(place / "pairs", ROWS)
    questions = [
        {
            "question": f"Where is fox {n}?",
            "passage": f"Fox {n} sleeps. It is in hole {n}.",
            "answers": [f"in hole {n}"],
        }
        for n in range(80)
    ]
    write(place / "questions", questions)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MAKAR_HOME", str(place / "home"))
        makar.train(place / "texts", recipe="t5", steps=4, output="language", settings=TINY)
    return place


@pytest.fixture(autouse=True)
def at_home(home, monkeypatch):
    monkeypatch.setenv("MAKAR_HOME", str(home / "home"))


def tensors(model):
    from safetensors.numpy import load_file

    return load_file(model.path / "model.safetensors")


def test_it_fills_gaps_and_is_measured(home, tmp_path):
    model = makar.load("language")
    assert isinstance(model.generate("The ___ ran.", options={"max_tokens": 8})[0].content, str)
    with pytest.raises(UnsupportedError, match="gaps"):
        model.generate("The fox ran.")
    report = model.evaluate(folder=tmp_path / "report", samples=3).to_dictionary()
    assert report["scores"]["span_surprise"]["value"] > 0


@pytest.mark.parametrize("data, task", [("pairs", "rewrite"), ("questions", "answer")])
def test_it_goes_on_with_pairs_and_questions(home, data, task):
    run = makar.train(home / data, steps=2, output=f"tuned-{task}", from_model="language")
    stage = run.plan.recipe.stages[0]
    assert run.plan.recipe.name == task and stage.family.learns == "pairs" and stage.codec.task == task
    assert stage.family.target_length == run.model.artifact.codec().lengths.target
    before, after = tensors(makar.load("language")), tensors(run.model)
    added = {name for name in after if name not in before}
    # Where there is much to copy a head for it is new.
    assert before.keys() <= after.keys() and all(name.startswith("copying.") for name in added)
    assert any(not np.array_equal(before[name], after[name]) for name in before)
    assert run.model.artifact.codec().tokenizer_json() == makar.load("language").artifact.codec().tokenizer_json()
    prompt = "3 old lamps" if task == "rewrite" else "Where is fox 3?\n\nFox 3 sleeps. It is in hole 3."
    assert isinstance(run.model.generate(prompt, options={"max_tokens": 8})[0].content, str)
    assert makar.verify(run.model.path).is_intact


def test_answers_are_measured_beside_the_nearest_sentence(home, tmp_path):
    run = makar.train(home / "questions", steps=2, output="answers", settings=TINY[:-2])
    assert run.plan.recipe.name == "answer"
    report = run.model.evaluate(folder=tmp_path / "report", samples=4).to_dictionary()
    assert "sentence nearest to the question" in json.dumps(report["scores"]["rouge_l"])
    with pytest.raises(UnsupportedError, match="passage"):
        run.model.generate("Where is fox 3?")


def test_a_model_of_another_family_does_not_go_on_with_pairs(home):
    makar.train(
        home / "texts",
        recipe="text",
        steps=1,
        output="writer",
        settings=["stages.0.family.width=16", "stages.0.family.heads=2"],
    )
    with pytest.raises(UnsupportedError, match="does not read one text"):
        makar.train(home / "pairs", recipe="rewrite", steps=1, output="x", from_model="writer")
