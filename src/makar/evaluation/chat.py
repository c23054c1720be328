"""Measures a model that talks: how well it predicts held-out answers, beside what it was before and beside pairs of tokens; what it says.

Only answers count. Where the model began from another one that is on this machine, that one is measured on the same rows, with the tokens
of the roles as new to it as they were when the training began. Answers to held-out prompts are compared with the training data and with
each other, as the samples of a model of text are.
"""

import dataclasses

import numpy as np
import torch

from makar.artifacts.artifact import Artifact
from makar.artifacts.load import load_artifact
from makar.errors import MakarError, UnsupportedError
from makar.evaluation.answers import AnswerNats, chosen_rows, measure_answers, padded, prompts_of
from makar.evaluation.bootstrap import Interval, ratio_interval
from makar.evaluation.diversity import diversity
from makar.evaluation.findings import Findings, Score
from makar.evaluation.material import Material
from makar.evaluation.text import (
    diversity_scores,
    near_table,
    novelty_scores,
    sentence_on_diversity,
    sentence_on_novelty,
    shown_sample,
)
from makar.families.conversation.speaking import SpeakingFamily
from makar.families.family import build_family
from makar.families.transformer.start import LARGEST_VOCABULARY, count_pairs, following_logits
from makar.generation.generate import generate
from makar.nn.threads import threads_for
from makar.provenance.chain import find_artifact
from makar.provenance.pipelines import pipeline_folder
from makar.tensor_spec import LEARNED, TARGET

SAMPLES = 16
SHOWN_SAMPLES = 6
MOST_ANSWER_TOKENS = 256
COUNTED_ROWS = 20_000
LN_2 = float(np.log(2))


def evaluate_chat(material: Material) -> Findings:
    """Measure a model that talks.

    Args:
        material: The model and its data.

    Raises:
        UnsupportedError: The model does not talk.
    """
    family = talking(material)
    material.say("held-out answers")
    baselines: dict[str, AnswerNats] = {}
    with threads_for(family.config.parameter_count()):
        own = measure_answers(family, material.codec, material.held_out)
        before = model_before(material)
        if before is not None:
            baselines[before[0]] = measure_answers(before[1], material.codec, material.held_out)
    pairs = _pairs_of_tokens(material, own)
    if pairs is not None:
        baselines["pairs of tokens"] = pairs
    scores = answer_scores(own, baselines)
    spoken = said_to_prompts(material)
    return Findings(
        verdict=(_sentence(scores[0]), *spoken.verdict),
        scores=scores,
        novelty_scores=spoken.novelty_scores,
        tables=spoken.tables,
        samples=spoken.samples,
        details={**spoken.details, "rows": len(own.nats), "answer_tokens": int(own.tokens.sum())},
    )


def talking(material: Material) -> SpeakingFamily:
    """Return the family of a model that talks, in evaluation mode.

    Raises:
        UnsupportedError: It does not.
    """
    family = material.artifact.family()
    if not isinstance(family, SpeakingFamily):
        raise UnsupportedError(f"answers of a model of family {family.config.kind}", expected="a model that talks")
    if LEARNED not in material.held_out.columns:
        raise UnsupportedError(f"{material.measured_on} holds no answers", expected="conversations")
    return family.eval()


def answer_scores(own: AnswerNats, baselines: dict[str, AnswerNats]) -> tuple[Score, ...]:
    """Return loss, perplexity and bits per byte of held-out answers beside what they are compared with."""
    loss = {name: ratio_interval(found.nats, found.tokens) for name, found in {"": own, **baselines}.items()}
    bits = {name: ratio_interval(found.nats / LN_2, found.bytes) for name, found in {"": own, **baselines}.items()}
    return (
        Score(
            key="answer_loss",
            name="Loss on held-out answers",
            interval=loss.pop(""),
            better="lower",
            meaning="Mean surprise at a token of an answer that it has not seen.",
            unit="nats/token",
            baselines=tuple(loss.items()),
        ),
        Score(
            key="perplexity",
            name="Perplexity of a token of an answer",
            interval=_exponential(ratio_interval(own.nats, own.tokens)),
            better="lower",
            meaning="Number of equally likely tokens that the model hesitates between; compare only models with one codec.",
            baselines=tuple((name, _exponential(found)) for name, found in loss.items()),
        ),
        Score(
            key="bits_per_byte",
            name="Bits per byte of held-out answers",
            interval=bits.pop(""),
            better="lower",
            meaning="Information that the model needs for a byte of an answer; independent of its codec.",
            unit="bits/byte",
            baselines=tuple(bits.items()),
        ),
    )


def artifact_before(material: Material) -> Artifact | None:
    """Return what the training began from, a model or a checkpoint; ``None`` where it began from nothing or from what is not here."""
    parent = material.artifact.recipe.parent
    if parent is None:
        return None
    place = find_artifact(parent.hash, parent.name) or pipeline_folder(parent.hash)
    try:
        return None if place is None else load_artifact(place)
    except MakarError:
        return None  # moved, changed or removed since: then there is nothing to compare with


def model_before(material: Material) -> tuple[str, SpeakingFamily] | None:
    """Return name and family of what the training began from; ``None`` where it began from nothing or from what is not here."""
    artifact, parent = artifact_before(material), material.artifact.recipe.parent
    if artifact is None or parent is None:
        return None
    try:
        found = artifact.family()
    except MakarError:
        return None  # moved, changed or removed since: then there is nothing to compare with
    family = build_family(material.artifact.family_config)
    assert isinstance(family, SpeakingFamily), "asked for models that talk"
    family.begin_from(found, [])
    return f"{parent.name}, before", family.to(next(found.parameters()).device).eval()


def said_to_prompts(material: Material) -> Findings:
    """Return what answers to held-out prompts are worth: novelty, diversity, samples."""
    count = min(material.samples or SAMPLES, len(material.held_out))
    material.say("answering held-out prompts", 0, count)
    given = prompts_of(material.held_out, count)
    options = {"max_tokens": MOST_ANSWER_TOKENS}
    texts = []
    for asset in generate(material.artifact, prompts=given, seed=material.seed, options=options):
        texts.append(asset.new_text)
        material.say("answering held-out prompts", len(texts), count)
    rows = chosen_rows(material.held_out, count)
    human = [_answer_text(material, int(row)) for row in rows]
    written = [text for text in texts if text.strip()]
    novelties = material.novelty.check_many(written) if material.novelty is not None else []
    people = (
        material.novelty.check_many([text for text in human if text.strip()]) if material.novelty is not None else []
    )
    spoken, lived = diversity(texts), diversity(human)
    asked = [material.codec.decode({TARGET: tokens}) for tokens in given]
    shown = [
        shown_sample(f"{question}\n→ {text}", novelties[index] if len(novelties) == len(texts) else None)
        for index, (question, text) in enumerate(zip(asked, texts))
    ]
    return Findings(
        verdict=(sentence_on_novelty(novelties, people), sentence_on_diversity(spoken, lived))
        if written
        else (f"It said nothing to {len(texts)} held-out prompts. Train longer or on more data.",),
        scores=(),
        novelty_scores=(*novelty_scores(novelties, people), *diversity_scores(spoken, lived)) if written else (),
        tables=near_table(novelties),
        samples=tuple(shown[:SHOWN_SAMPLES]),
        details={
            "samples": len(texts),
            "empty_answers": len(texts) - len(written),
            "answer_characters": float(np.mean([len(text) for text in texts] or [0])),
            "answer_characters_of_people": float(np.mean([len(text) for text in human] or [0])),
            "diversity": dataclasses.asdict(spoken),
            "diversity_of_people": dataclasses.asdict(lived),
        },
    )


def _answer_text(material: Material, row: int) -> str:
    tokens, learned = (np.asarray(material.held_out.columns[slot][row]) for slot in (TARGET, LEARNED))
    return str(material.codec.decode({TARGET: tokens[learned > 0]}))


def _pairs_of_tokens(material: Material, own: AnswerNats) -> AnswerNats | None:
    """Return what counting which token follows which needs for the answers; ``None`` without training data or with many tokens."""
    vocabulary = material.codec.spec[TARGET].vocabulary or 0
    if material.train is None or not 0 < vocabulary <= LARGEST_VOCABULARY:
        return None
    rows = chosen_rows(material.train, COUNTED_ROWS)
    counts = torch.zeros(vocabulary, vocabulary)
    for row in rows:
        tokens = torch.from_numpy(np.asarray(material.train.columns[TARGET][int(row)]).astype(np.int64))
        counts += count_pairs([tokens[None]], vocabulary)
    surprise = -following_logits(counts).log_softmax(-1)
    held = chosen_rows(material.held_out)
    tokens, marks = padded(material.held_out, TARGET, held), padded(material.held_out, LEARNED, held)
    nats = (surprise[tokens[:, :-1], tokens[:, 1:]] * marks[:, 1:]).sum(1).double().numpy()
    return AnswerNats(nats, own.tokens, own.bytes)


def _exponential(interval: Interval) -> Interval:
    return Interval(*(float(np.exp(part)) for part in dataclasses.astuple(interval)))


def _sentence(loss: Score) -> str:
    own = loss.interval
    sentence = (
        f"It needs {own.value:.3f} nats for a token of an answer that it has not seen ({own.low:.3f} to {own.high:.3f})"
    )
    if not loss.baselines:
        return sentence + "; there is nothing on this machine to compare with."
    return sentence + "; " + ", ".join(f"{name}: {found.value:.3f}" for name, found in loss.baselines) + "."
