"""Measures a model that was tuned by rewards: how many held-out prompts it answers rightly, strictly and by the number alone, beside
before.

The answers are the likeliest token after the likeliest token, so the figures are the same at every call. What guards against rewards won in
a wrong way stands beside them: how far the model has moved from the one before, how long and how different its answers are.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from makar.artifacts.artifact import Artifact
from makar.artifacts.judges import judge_here
from makar.errors import MakarError, UnsupportedError
from makar.evaluation.answers import chosen_rows
from makar.evaluation.bootstrap import Interval, mean_interval, share_interval
from makar.evaluation.chat import artifact_before, model_before
from makar.evaluation.findings import Findings, Sample, Score
from makar.evaluation.material import Material
from makar.families.conversation.policy_config import MODEL, PolicyConfig
from makar.families.conversation.policy_family import PolicyFamily, joined, texts_of
from makar.families.conversation.policy_losses import divergence
from makar.families.conversation.reward_family import RewardFamily
from makar.families.conversation.verifiable import exact, judgement_of, same_number
from makar.generation.generate import generate
from makar.tensor_spec import ANSWER, TARGET

MOST_PROMPTS = 300
SHOWN = 8


def evaluate_rewards(material: Material) -> Findings:
    """Measure a model that was tuned by rewards.

    Args:
        material: The model and its data.

    Raises:
        UnsupportedError: The model or the data is of another kind.
    """
    family, store = material.artifact.family(), material.held_out
    if not isinstance(family, PolicyFamily) or ANSWER not in store.columns:
        raise UnsupportedError(
            f"rewards of a model of family {family.config.kind} on {material.measured_on}",
            expected="a model that was tuned by rewards, and prompts with right answers",
        )
    rows = chosen_rows(store, material.samples or MOST_PROMPTS)
    prompts = [np.asarray(store.columns[TARGET][int(row)]).astype(np.int64) for row in rows]
    right = [texts_of(torch.from_numpy(np.asarray(store.columns[ANSWER][int(row)]).copy())[None])[0] for row in rows]
    limits = {"max_tokens": family.config.longest_answer, "temperature": 0.0}
    said = _said(material, material.artifact, prompts, limits)
    before = _artifact_before(material)
    old = [] if before is None else _said(material, before, prompts, limits)
    name = "" if before is None else f"{before.name}, before"
    scores: list[Score] = []
    liked = _liked(material, family.config, prompts, [said, old]) if family.config.reward == MODEL else []
    scores += liked
    kinds: list[tuple[str, str, Callable[[str, str], float]]] = [
        *(
            []
            if family.config.reward == MODEL
            else [("success", "Prompts that earn the reward", judgement_of(family.config))]
        ),
        ("strict", "Prompts answered word for word", exact),
        ("lenient", "Prompts whose last number is right", same_number),
    ]
    for key, title, judge in kinds:
        figures = [_share(answers, right, judge) for answers in (said, old) if answers]
        scores.append(
            Score(
                key=key,
                name=title,
                interval=figures[0],
                better="higher",
                meaning="Share of held-out prompts, likeliest answers.",
                baselines=((name, figures[1]),) if old else (),
            )
        )
    scores += _guards(material, family, prompts, said)
    different = len(set(said)) / max(1, len(said))
    details = {
        "prompts": len(prompts),
        "different_answers": different,
        "answer_characters": float(np.mean([len(text) for text in said] or [0])),
        "answer_characters_before": float(np.mean([len(text) for text in old] or [0])),
    }
    samples = tuple(
        Sample(text=f"{material.codec.decode({TARGET: prompt})}\n→ {text}", note=f"right: {wanted}", is_copy=False)
        for prompt, text, wanted in list(zip(prompts, said, right))[:SHOWN]
    )
    return Findings(
        verdict=(
            *([_liking(liked)] if family.config.reward == MODEL else [_sentence(scores[0])]),
            f"{different:.0%} of its answers differ from each other.",
        ),
        scores=tuple(scores),
        samples=samples,
        details=details,
    )


def _said(material: Material, artifact: Artifact, prompts: list[np.ndarray], limits: dict[str, float]) -> list[str]:
    texts = []
    for asset in generate(artifact, prompts=prompts, seed=material.seed, options=dict(limits)):
        texts.append(asset.new_text)
        material.say("answering held-out prompts", len(texts), len(prompts))
    return texts


def _artifact_before(material: Material) -> Artifact | None:
    """Return the model before, where it is on this machine and knows the same tokens."""
    found = artifact_before(material)
    try:
        if found is None or found.codec().spec[TARGET].vocabulary != material.codec.spec[TARGET].vocabulary:
            return None
        return found
    except MakarError:
        return None  # moved, changed or removed since: then there is nothing to compare with


def _liked(material: Material, config: PolicyConfig, prompts: list[np.ndarray], sides: list[list[str]]) -> list[Score]:
    """Return how much the reward model likes the answers; nothing where it is not on this machine."""
    judge = judge_here(config, material.codec)
    if judge is None:
        return []
    figures = [mean_interval(opinions(judge, material.codec, prompts, texts)) for texts in sides if texts]
    return [
        Score(
            key="liked",
            name="What the reward model gives its answers",
            interval=figures[0],
            better="higher",
            meaning="Mean share, 0 to 1; it was tuned to please this very judge, so a gain is no proof that answers are better.",
            baselines=(("before", figures[1]),) if len(figures) > 1 else (),
        )
    ]


def opinions(judge: RewardFamily, codec: Any, prompts: list[np.ndarray], texts: list[str]) -> np.ndarray:
    """Return what a reward model gives answers to prompts, 0 to 1, one number a prompt."""
    found = []
    for prompt, text in zip(prompts, texts):
        answer = [*np.asarray(codec.encode_text(text)).tolist(), codec.end_token]
        tokens, learned = joined([torch.from_numpy(prompt)], [answer], judge.score.device)
        with torch.no_grad():
            found.append(float(judge.scores(tokens, learned).sigmoid()))
    return np.array(found)


def _liking(scores: list[Score]) -> str:
    if not scores:
        return "The reward model that it was tuned by is not on this machine."
    own, before = scores[0].interval, scores[0].baselines
    beside = f", {before[0][1].value:.3f} before" if before else ""
    return (
        f"The reward model gives its answers {own.value:.3f} ({own.low:.3f} to {own.high:.3f}{beside}); "
        "whether they are better says a blind comparison: evaluate --against --judge."
    )


def _share(answers: list[str], right: list[str], judge: Callable[[str, str], float]) -> Interval:
    return share_interval(int(sum(judge(*pair) for pair in zip(answers, right))), len(right))


def _guards(material: Material, family: PolicyFamily, prompts: list[np.ndarray], said: list[str]) -> list[Score]:
    """Return how far the model has moved from the one before, over its own answers."""
    before = model_before(material)
    if before is None:
        return []
    family.know(material.codec)
    rows = [(torch.from_numpy(prompt), family.tokens_of(text)) for prompt, text in zip(prompts, said)]
    device = next(family.parameters()).device
    found = []
    for prompt, answer in rows:
        tokens, learned = joined([prompt], [answer], device)
        with torch.no_grad():
            new, old = (model.log_probabilities(tokens, learned) for model in (family, before[1]))
        found.append(float(divergence(new, old)[learned[:, 1:] > 0].mean()))
    return [
        Score(
            key="divergence",
            name="Divergence from the model before, on its own answers",
            interval=mean_interval(np.array(found)),
            better="lower",
            meaning="How far it has left what it could do before; a large figure with a small gain is a reward won in a wrong way.",
            unit="nats/token",
        )
    ]


def _sentence(score: Score) -> str:
    own = score.interval
    sentence = f"It earns the reward for {own.value:.1%} of held-out prompts ({own.low:.1%} to {own.high:.1%})"
    if not score.baselines:
        return sentence + "; the model before is not on this machine."
    (_, old), *_ = score.baselines
    verdict = (
        "better than" if own.low > old.value else "worse than" if own.high < old.value else "not distinguishable from"
    )
    return f"{sentence}: {verdict} before ({old.value:.1%})."
