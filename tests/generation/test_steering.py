"""Biases, penalties and likelihoods of texts: what they change, what is recorded, and that the record is the model's own."""

import math

import pytest
import torch

import makar
from makar.errors import ConfigError, DataError, UnsupportedError, UsageError
from makar.generation.given_tokens import given_likelihoods
from makar.generation.request import Request
from makar.generation.steering import MOST_ALTERNATIVES, Likelihoods, Steered, Steering, read_steering
from makar.generation.stream import Piece, stream_pieces
from makar.generation.text_likelihood import TextLikelihood
from tests.serving.server import talker

OPTIONS = {"max_tokens": 24, "temperature": 1.0, "top_p": 1.0}


@pytest.fixture(scope="module")
def artifact(tmp_path_factory):
    """Return a small saved model of bytes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MAKAR_HOME", str(tmp_path_factory.mktemp("home")))
        return talker(tmp_path_factory.mktemp("models") / "talker")


def written(artifact, **options):
    return makar.load(artifact.path).generate("Hello", seed=3, options={**OPTIONS, **options})[0]


def test_the_formula_of_penalties_and_biases_counts_what_was_written_and_not_the_prompt():
    steering = Steering(frequency_penalty=0.5, presence_penalty=1.0, logit_bias=((2, -7.0),))
    hook = Steered(steering, within=None, likelihoods=None).begin()
    logits = torch.zeros(4)
    first = hook(logits, torch.tensor([3, 3]))
    assert first.tolist() == [0.0, 0.0, -7.0, 0.0]
    second = hook(logits, torch.tensor([3, 3, 1, 1, 0]))
    assert second.tolist() == [-1.5, -2.0, -7.0, 0.0] and logits.tolist() == [0.0] * 4


def test_a_bias_forbids_or_forces_a_token(artifact):
    plain = written(artifact)
    banned = ord(plain.new_text[0])
    assert not written(artifact, logit_bias={banned: -100}).new_text.startswith(plain.new_text[0])
    forced = written(artifact, logit_bias={str(ord("z")): 100})
    assert forced.new_text == "z" * 24
    assert forced.manifest["steering"]["logit_bias"] == [[ord("z"), 100]] and "steering" not in plain.manifest


def test_a_penalty_keeps_a_text_from_repeating_itself(artifact):
    again = written(artifact, logit_bias={ord("z"): 30.0})
    varied = written(artifact, logit_bias={ord("z"): 30.0}, frequency_penalty=2.0)
    assert again.new_text == "z" * 24 and set(varied.new_text) != {"z"}


@pytest.mark.parametrize(
    "options, error",
    [
        ({"frequency_penalty": 3.0}, ConfigError),
        ({"presence_penalty": math.nan}, ConfigError),
        ({"logit_bias": {"x": 1}}, UsageError),
        ({"logit_bias": {1: 101}}, UsageError),
        ({"logit_bias": {257: 1}}, UnsupportedError),
        ({"logit_bias": {-1: 1}}, UnsupportedError),
    ],
)
def test_what_cannot_be_steered_is_refused(artifact, options, error):
    with pytest.raises(error):
        written(artifact, **options)


def test_controls_of_a_model_stay_what_they_are():
    steering, rest = read_steering({"temperature": 0.3, "presence_penalty": 0.5})
    assert steering.presence_penalty == 0.5 and rest == {"temperature": 0.3}
    assert read_steering(None) == (Steering(), {}) and Steering().does_nothing


def pieces(artifact, *, most, steering=None, options=OPTIONS):
    request = Request(artifact, options=options, novelty=None, refuse_copies=False, steering=steering)
    request.record_likelihoods(most)
    return [made for made in stream_pieces(request, "Hello", seed=3) if isinstance(made, Piece)]


def test_recorded_likelihoods_are_those_of_the_network_and_change_nothing(artifact):
    made = pieces(artifact, most=2)
    tokens = [token for piece in made for token in piece.tokens]
    found = [one for piece in made for one in piece.likelihoods]
    assert "".join(piece.text for piece in made) == written(artifact).new_text
    assert [one.token for one in found] == tokens and len(tokens) == 24
    row = torch.tensor([[*b"Hello", *tokens]])
    with torch.no_grad():
        logits = artifact.family().network(row)[0].log_softmax(-1)
    for place, one in enumerate(found):
        assert one.logprob == pytest.approx(float(logits[4 + place, one.token]), abs=2e-4)
        assert one.alternatives[0][1] == pytest.approx(float(logits[4 + place].max()), abs=2e-4)
        assert len(one.alternatives) == 2 and one.logprob <= one.alternatives[0][1] + 1e-6


def test_likelihoods_are_those_before_biases(artifact):
    steering = Steering(logit_bias=((ord("z"), 100.0),))
    found = [one for piece in pieces(artifact, most=0, steering=steering) for one in piece.likelihoods]
    assert {one.token for one in found} == {ord("z")} and all(one.logprob < -0.5 for one in found)


def test_likelihoods_of_a_given_text_are_those_that_its_labels_are_judged_by(artifact):
    text = "Hello, who is there?"
    tokens = artifact.codec().encode_text(text).tolist()
    found = given_likelihoods(artifact, tokens, most=1)
    assert [one.token for one in found] == tokens
    assert -sum(one.logprob for one in found) == pytest.approx(TextLikelihood(artifact).nats(text), rel=1e-4)
    begin = artifact.codec().begin_token
    assert given_likelihoods(artifact, [begin], most=1)[0].logprob == 0.0
    with pytest.raises(DataError, match="end inside"):
        given_likelihoods(artifact, [72, begin, 73], most=1)


def test_more_alternatives_than_anybody_shows_are_refused():
    with pytest.raises(UsageError, match="alternatives"):
        Likelihoods(MOST_ALTERNATIVES + 1)
    with pytest.raises(UnsupportedError, match="single text"):
        Steered(Steering(), within=None, likelihoods=None)(torch.zeros(2), torch.zeros(1, dtype=torch.int64))
