"""Models that pick sentences: what needs no training, what training changes, controls, and every bad text of the list."""

import json

import numpy as np
import pytest
import torch

import makar
from makar.artifacts.load import load_artifact
from makar.codecs.sentence_features import sentence_features
from makar.codecs.sentences import sentences_of
from makar.codecs.summary_config import SENTENCE_FEATURES
from makar.errors import MakarError, UnknownNameError, UnsupportedError, UsageError
from makar.families.extractive.config import ExtractiveConfig
from makar.families.extractive.family import ExtractiveFamily
from makar.families.extractive.options import ExtractiveOptions
from makar.families.extractive.picking import pick
from makar.tensor_spec import CHOSEN, FEATURES

TEXT = (
    "The fox of the wood was hungry. The fox of the wood was hungry. It rained on the hill. A hungry fox went to the hill and "
    "the wood. Somebody sang. The hen saw the hungry fox."
)


def summed(text, **controls):
    return makar.load("builtin:extractive").generate(text, options=controls)[0]


def family(**settings):
    made = ExtractiveFamily(ExtractiveConfig(**settings))
    made.initialise(torch.Generator().manual_seed(0))
    return made


def test_a_summary_is_sentences_of_the_text_in_their_order():
    asset = summed(TEXT)
    picked = sentences_of(asset.content)
    places = [sentences_of(TEXT).index(sentence) for sentence in picked]
    assert len(picked) == 3 and places == sorted(places)
    assert asset.manifest["settings"]["sentences"] == 3 and asset.manifest["continues_characters"] == 0
    assert asset.manifest["artifact"]["name"] == "builtin:extractive"
    assert summed(TEXT).content == asset.content


def test_controls_change_what_is_picked():
    assert len(sentences_of(summed(TEXT, sentences=1).content)) == 1
    assert len(summed(TEXT, words=12).content.split()) <= 12 < len(summed(TEXT).content.split())
    # The same sentence twice says nothing new.
    assert summed(TEXT, diversity=0.0).content.count("was hungry") == 2
    assert summed(TEXT, diversity=3.0).content.count("was hungry") == 1
    with pytest.raises(UnsupportedError, match="temperature"):
        summed(TEXT, temperature=1.0)


def test_turns_have_the_words_of_usual_turns():
    turns = [f"Ann: {'the fox and the hen ' * 12}.", "Bob: A fox.", "Ann: A hen.", "Bob: A fox, a hen.", "Ann: No."]
    words = [len(turn.split()) for turn in turns]
    assert len(summed("\n".join(turns)).content.split()) <= max(max(words), 1.2 * 3 * sum(words) / 5) + 1
    _, vectors = sentence_features(turns)
    scores = np.array([5.0, 4.0, 3.0, 2.0, 1.0])
    free = pick(scores, vectors, lengths=words, options=ExtractiveOptions(diversity=0.0))
    bound = pick(scores, vectors, lengths=words, options=ExtractiveOptions(diversity=0.0), are_turns=True)
    assert free == [0, 1, 2] and bound == [0] and words[0] > 1.2 * 3 * sum(words) / 5 - 3


def test_the_best_sentence_is_given_even_where_it_is_too_long():
    assert summed(TEXT, words=1).content


def test_scores_of_any_scale_pick_the_same():
    _, vectors = sentence_features(sentences_of(TEXT))
    scores = np.array([3.0, 2.9, 0.1, 2.0, 0.0, 1.0])
    first = pick(scores, vectors, lengths=[5] * 6, options=ExtractiveOptions())
    assert first == pick(100 * scores - 7, vectors, lengths=[5] * 6, options=ExtractiveOptions())
    assert pick(np.zeros(6), vectors, lengths=[5] * 6, options=ExtractiveOptions(diversity=0.0)) == [0, 1, 2]


@pytest.mark.parametrize("text", ["One sentence only.", "no end at all", "🦊", "...", "今日は雨だ。", "هل نزل؟"])  # fmt: skip
def test_little_text_and_other_scripts_are_summed_up(text):
    content = summed(text).content
    assert content and set("".join(content.split())) <= set(text)


@pytest.mark.parametrize("text", ["", "   \n\n "])
def test_a_text_without_a_word_is_refused(text):
    with pytest.raises(UsageError):
        summed(text)


@pytest.mark.slow
def test_ten_megabytes_are_summed_up():
    text = "".join(f"The fox number {number % 977} ran over field {number % 31}. " for number in range(230_000))
    assert len(text) > 8_000_000
    assert len(sentences_of(summed(text).content)) == 3


def test_each_sentence_has_a_score():
    (said,) = makar.load("builtin:extractive").predict([TEXT])
    assert [one["sentence"] for one in said["sentences"]] == sentences_of(TEXT)
    scores = [one["salience"] for one in said["sentences"]]
    assert scores[0] == max(scores) and len(set(scores)) == len(scores)
    with pytest.raises(UsageError):
        makar.load("builtin:extractive").predict([TEXT], query="who?")


def test_an_unknown_built_in_model_is_named_with_the_nearest():
    with pytest.raises(UnknownNameError, match="extractive"):
        load_artifact("builtin:extractiv")
    with pytest.raises(UnsupportedError, match="address"):
        load_artifact("builtin:extractive", base_url="http://127.0.0.1:1/v1")


def test_what_is_built_in_is_neither_trained_nor_exported(tmp_path):
    with pytest.raises(UnsupportedError, match="fixed"):
        family(fixed=True).phases()
    with pytest.raises(MakarError, match="stands in the code"):
        makar.load("builtin:extractive").export(tmp_path / "x", to="onnx")


def test_untrained_weights_are_those_of_the_built_in_model():
    seen = torch.rand(5, len(SENTENCE_FEATURES), generator=torch.Generator().manual_seed(1))
    assert torch.equal(family().network(seen), family(fixed=True).network(seen))


def test_the_loss_is_the_mean_surprise_at_a_chosen_sentence():
    made = family(hidden=0)
    width = len(SENTENCE_FEATURES)
    features = torch.zeros(2, 3 * width)
    rows = features.view(2, 3, width)
    rows[0, :3, 0] = rows[1, :2, 0] = 1  # the second text has two sentences
    rows[0, 1, 1] = 1
    chosen = torch.tensor([[0, 1, 1], [1, 0, 0]])
    # The weight of being first is 0.5.
    odds = torch.tensor([0.0, 0.5, 0.0]).log_softmax(0)
    expected = (-(odds[1] + odds[2]) / 2 + torch.tensor(2.0).log()) / 2
    found = made.validation_loss({FEATURES: features, CHOSEN: chosen}, torch.Generator())
    assert found.count == 2 and float(found.value) == pytest.approx(float(expected), abs=1e-6)
    # A text of whose summary nothing is found counts for nothing.
    nothing = made.validation_loss({FEATURES: features, CHOSEN: chosen * 0}, torch.Generator())
    assert float(nothing.value) == 0


def test_training_finds_what_pairs_show_and_the_report_stands_beside_the_first_sentences(tmp_path):
    names = ["Ann", "Bob", "Eve", "Tom", "Ida", "Max"]
    things = ["stone", "river", "apple", "house", "cloud", "wheel"]
    lines = []
    for number in range(120):
        own = [
            f"{names[(number + k) % 6]} has {things[(number + k * k) % 6]} number {number * 7 + k}." for k in range(5)
        ]
        # The summary is the one sentence that asks: nothing that an untrained model looks for.
        asked = f"Where is {names[number % 6]} with the {things[number % 5]} now?"
        own.insert(2 + number % 3, asked)
        lines.append({"source": " ".join(own), "summary": asked})
    table = tmp_path / "pairs.jsonl"
    table.write_text("".join(makar_json(line) for line in lines), encoding="utf-8")
    model = makar.train(table, recipe="extract", steps=150, output=tmp_path / "model").model
    report = model.evaluate(folder=tmp_path / "report").to_dictionary()
    score = report["scores"]["rouge_2"]
    assert score["value"] > score["baselines"]["first 3 sentences"]["value"]
    assert model.generate(lines[0]["source"], options={"sentences": 1})[0].content == lines[0]["summary"]
    untrained = makar.load("builtin:extractive").evaluate(table, folder=tmp_path / "other").to_dictionary()
    assert untrained["scores"]["rouge_2"]["value"] < score["value"]


def makar_json(line):
    return json.dumps(line) + "\n"
