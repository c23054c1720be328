"""Labels without training: likelihoods are those of the tokens, calibration takes away what the model likes anyway, examples are chosen."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import makar
from makar.api.labels import label
from makar.codecs.chat_config import PAIRS, ChatCodecConfig
from makar.codecs.codec import fit_codec
from makar.codecs.text_config import ByteCodecConfig
from makar.errors import DataError, UnsupportedError, UsageError
from makar.families.conversation.chat_family import ChatFamily
from makar.families.conversation.config import ChatConfig
from makar.families.conversation.feedback_config import RewardConfig
from makar.families.conversation.reward_family import RewardFamily
from makar.families.family import Loss
from makar.families.transformer.config import TransformerConfig
from makar.generation.prompt_file import parse_prompt, read_prompt
from makar.generation.text_likelihood import TextLikelihood
from makar.generation.zero_shot import Example, Guidance, Labeller
from tests.cli.conftest import models, place  # noqa: F401  the small models of the shell's tests
from tests.codecs.test_chat import row
from tests.families.conversation.test_chat_family import drawn

LABELS = ("good", "bad")


class Toy:
    """Likes "bad" ten times better than "good", and "good" a hundred times better after a text with a sun or an example of it."""

    def __init__(self):
        self.asked = []

    def nats(self, text, *, given=""):
        """Return the nats of a label."""
        self.asked.append(given)
        share = {" good": 0.05, " bad": 0.5}[text]
        return -math.log(share * (100 if "sun" in given.rsplit("Text:")[-1] and text == " good" else 1))


def labeller(guidance=None, **settings):
    """Return a labeller that asks the toy, and the toy."""
    toy = Toy()
    asked = guidance or Guidance(prompt=read_prompt("classify"), **settings)
    return Labeller(toy, LABELS, asked), toy


def test_calibration_takes_away_what_the_model_likes_anyway():
    plain, contextual, pmi = (labeller(calibration=way)[0] for way in ("none", "contextual", "pmi"))
    assert plain.shares("rain")["good"] == pytest.approx(1 / 11)
    assert contextual.shares("rain")["good"] == pytest.approx(0.5)
    assert pmi.shares("rain")["good"] == pytest.approx(0.5)
    assert contextual.shares("the sun")["good"] == pytest.approx(100 / 101)
    assert plain.shares("the sun")["good"] == pytest.approx(10 / 11)


def test_the_other_places_of_the_prompt_hold_what_is_told():
    head = b'+++\n[variables]\ntext = "it"\ntopic = { meaning = "what", default = "any" }\n+++\n{{topic}} Text: {{text}}\n{{topic}}:'
    for way in ("contextual", "pmi"):
        one, toy = labeller(Guidance(prompt=parse_prompt(head, name="told"), calibration=way))
        one.shares("rain", {"topic": "weather", "text": "rain"})
        assert toy.asked and all("weather" in asked and "any" not in asked for asked in toy.asked)


EXAMPLES = tuple(
    Example(text=text, label=label)
    for text, label in [
        ("wind and rain today", "bad"),
        ("wind and rain again", "bad"),
        ("rain with wind", "bad"),
        ("a sunny beach", "good"),
        ("sweet cherries", "good"),
    ]
)


def shown(pick, text="rain and wind in the evening", *, shots=2, seed=0):
    """Return the prompt that the toy was asked with."""
    toy = Toy()
    guidance = Guidance(prompt=read_prompt("classify"), examples=EXAMPLES, shots=shots, pick=pick, calibration="none")
    Labeller(toy, LABELS, guidance, seed=seed).shares(text)
    return toy.asked[0]


def test_examples_are_chosen_and_labels_take_turns():
    for pick in ("random", "similar", "diverse"):
        asked = shown(pick)
        assert asked.count("Label: good") == asked.count("Label: bad") == 1
        assert asked.endswith("Text: rain and wind in the evening\nLabel:")
    assert shown("random") == shown("random")
    assert len({shown("random", seed=seed) for seed in range(8)}) > 2
    # The nearest stands last, next to the text, and a text is no example of itself.
    assert shown("similar").split("\n\n")[1].endswith("Label: bad")
    assert "again" not in shown("similar", text="wind and rain again", shots=4).rsplit("Text:", 1)[0]


@pytest.mark.parametrize("pick", ["random", "similar", "diverse"])
def test_a_text_is_never_its_own_example(pick):
    for one in EXAMPLES:
        asked = shown(pick, text=one.text, shots=4)
        assert asked.count(f"Text: {one.text}\n") == 1 and asked.count("Text:") == 5
    alone = Guidance(prompt=read_prompt("classify"), examples=EXAMPLES[:1], pick=pick)
    assert sum(Labeller(Toy(), LABELS, alone).shares(EXAMPLES[0].text).values()) == pytest.approx(1)


def test_wrong_labels_ways_and_examples_are_refused():
    for labels in (["a"], ["a", "a"], ["a", " "]):
        with pytest.raises(UsageError):
            Labeller(Toy(), labels, Guidance(prompt=read_prompt("classify")))
    for settings in ({"pick": "best"}, {"calibration": "some"}):
        with pytest.raises(UsageError):
            labeller(**settings)
    with pytest.raises(UsageError, match="places"):
        labeller(Guidance(prompt=read_prompt("email").__class__(**{**vars(read_prompt("email")), "variables": ()})))
    with pytest.raises(DataError, match="fine"):
        labeller(examples=(Example(text="a", label="fine"),))


def test_the_likelihood_of_a_text_is_that_of_its_tokens(place):  # noqa: F811
    likelihood = TextLikelihood(makar.load("writer").artifact)
    whole = likelihood.nats("Chapter 1")
    assert whole == pytest.approx(likelihood.nats("Chap") + likelihood.nats("ter 1", given="Chap"), abs=1e-3)
    shares = [math.exp(-likelihood.nats(letter, given="Chapter")) for letter in map(chr, range(32, 127))]
    assert 0.5 < sum(shares) < 1.001
    # The model was made for 16 tokens: what is far away is left out, and the rest still has a likelihood.
    assert np.isfinite(likelihood.nats(" 1", given="Chapter " * 40))


def test_what_is_not_read_of_a_long_text_is_said(place):  # noqa: F811
    model = makar.load("writer")
    context, codec = model.artifact.family_config.context, model.artifact.codec()
    long, few = "To be or not to be. " * context, {"max_tokens": 2}
    unread = len(codec.encode_text(long)) - context // 2
    assert model.generate(long, options=few)[0].manifest["unread_tokens"] == unread
    assert "unread_tokens" not in model.generate("To be", options=few)[0].manifest
    first, second = label(model, [long, "To be"], labels=["good", "bad"])
    # The prompt around it is longer than the 16 tokens that this model looks back.
    assert first["left_out_tokens"] > second["left_out_tokens"] + unread - context


def talking(kind, config):
    """Return what is asked of an artifact of a small model that talks."""
    codec = fit_codec(ChatCodecConfig(base=ByteCodecConfig(), makes=PAIRS), iter([row()]))
    decoder = TransformerConfig(vocabulary=codec.vocabulary, width=32, heads=1, depth=1, context=64, tied=True)
    family = drawn(kind(config(decoder=decoder)))
    return SimpleNamespace(name="talker", family=lambda: family, codec=lambda: codec, family_config=family.config)


def test_rows_go_where_the_model_is():
    likelihood = TextLikelihood(talking(ChatFamily, ChatConfig))
    seen = []

    class Elsewhere(torch.nn.Linear):
        def validation_loss(self, batch, generator):
            seen.append(batch["target"].device.type)
            return Loss(value=torch.zeros(()), count=1, unit="nats/token")

    likelihood.family = Elsewhere(1, 1, device="meta")
    assert likelihood._row_nats(np.array([1, 2, 3])) == 0.0 and seen == ["meta"]


def test_a_model_that_talks_is_asked_a_question_as_a_turn():
    likelihood = TextLikelihood(talking(ChatFamily, ChatConfig))
    codec = likelihood.codec
    turns = [{"role": "user", "content": "It rains.\nIs it?"}]
    row = np.concatenate([codec.encode_turns(turns), codec.encode_text("no")])
    logits = likelihood.family.network(torch.from_numpy(row[None, :-1]))[0].detach().log_softmax(-1)
    wanted = -float(sum(logits[at - 1, row[at]] for at in range(len(row) - 2, len(row))))
    assert likelihood.answer_nats("no", "Is it?", told="It rains.") == pytest.approx(wanted, abs=1e-4)
    assert likelihood.answer_nats("no", "Is it?") != pytest.approx(
        likelihood.nats(" no", given="Q: Is it?\nA:"), abs=1e-3
    )
    assert likelihood.answer_tokens("no") == 2
    # A question that is too long loses its beginning, and the answer is measured all the same.
    assert np.isfinite(likelihood.answer_nats("no", "Is it? " * 30)) and likelihood.left_out > 100
    with pytest.raises(UnsupportedError, match="no tokens"):
        likelihood.answer_nats("", "Is it?")


def test_every_other_model_is_asked_behind_a_letter(place):  # noqa: F811
    likelihood = TextLikelihood(makar.load("writer").artifact)
    asked = likelihood.answer_nats("no", "Is it?", told="It rains.")
    assert asked == likelihood.nats(" no", given="It rains.\nQ: Is it?\nA:")
    assert likelihood.answer_tokens("no") == likelihood.tokens(" no")


def test_a_model_that_talks_says_how_likely_a_text_is_and_a_judge_does_not():
    likelihood = TextLikelihood(talking(ChatFamily, ChatConfig))
    shares = [math.exp(-likelihood.nats(letter, given="Is it? ")) for letter in map(chr, range(128))]
    assert 0.2 < sum(shares) < 1.001 and len(set(shares)) > 100
    assert likelihood.nats("bc", given="a") == pytest.approx(
        likelihood.nats("b", given="a") + likelihood.nats("c", given="ab"), abs=1e-3
    )
    labels = Labeller(likelihood, LABELS, Guidance(prompt=read_prompt("classify"), calibration="none")).shares("rain")
    assert sum(labels.values()) == pytest.approx(1) and set(labels) == set(LABELS)
    with pytest.raises(UnsupportedError, match="how likely"):
        TextLikelihood(talking(RewardFamily, RewardConfig))
