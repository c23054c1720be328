"""Keep or discard: whether a new model may take the place of an old one, from differences on the same items, with intervals.

It has to be better at what it was trained for, its interval above zero, and not worse at the rest: at predicting what the old one had
learned from (perplexity) and at writing something new (memorisation). "Not worse" is said where the interval of the difference reaches what
is allowed; what cannot be measured here is said to be unknown and decides nothing, and so does a goal that is undecided, because its
interval includes zero. Both models answer the same prompts with the same seeds, so that every difference is one of a pair.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from makar.artifacts.artifact import Artifact
from makar.data.store import Store
from makar.errors import DataError, UnsupportedError
from makar.evaluation.answers import chosen_rows, measure_answers, prompts_of
from makar.evaluation.bootstrap import Interval, mean_interval, ratio_interval
from makar.evaluation.likelihood import Window, measure_likelihood
from makar.evaluation.material import Material, gather
from makar.evaluation.prompt_scores import LEAST_COMPARED
from makar.families.conversation.policy_config import MODEL, PolicyConfig
from makar.families.conversation.policy_family import texts_of
from makar.families.conversation.reward_family import RewardFamily
from makar.families.conversation.speaking import SpeakingFamily, as_talking, writer_in
from makar.families.conversation.token_scores import Writer
from makar.families.conversation.verifiable import judgement_of
from makar.families.family import Family
from makar.families.transformer.family import TransformerFamily
from makar.generation.generate import generate
from makar.tensor_spec import ANSWER, LEARNED, REJECTED, REJECTED_LEARNED, TARGET

ALLOWED_LOSS = 0.02
"""Share by which the loss on what the old model had learned from may rise."""

SAMPLES, SAMPLE_TOKENS = 32, 128
MOST_PROMPTS = 300
LN_2 = math.log(2.0)

BETTER, NOT_WORSE = "better", "not worse"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Check:
    """One difference between two models.

    Attributes:
        name: What was measured.
        wanted: ``"better"`` or ``"not worse"``.
        gain: New less old, turned so that more is better; ``None`` where it cannot be measured here.
        unit: Unit of the gain.
        allowed: A gain not surely below this is not worse.
        why: Why it is unknown.
    """

    name: str
    wanted: str
    gain: Interval | None
    unit: str
    allowed: float = 0.0
    why: str = ""

    @property
    def verdict(self) -> str:
        """``"passed"``, ``"failed"``, ``"undecided"`` (better was wanted, and nothing is sure) or ``"unknown"``."""
        if self.gain is None:
            return "unknown"
        if self.wanted == NOT_WORSE:
            return "passed" if self.gain.high >= self.allowed else "failed"
        if self.gain.low > 0:
            return "passed"
        return "failed" if self.gain.high < 0 else "undecided"

    def to_dictionary(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        gain = None if self.gain is None else self.gain.to_dictionary()
        return {**dataclasses.asdict(self), "gain": gain, "verdict": self.verdict}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Promotion:
    """Whether a new model may take the place of an old one."""

    new: str
    old: str
    checks: tuple[Check, ...]

    @property
    def keeps(self) -> bool:
        """Whether it may: it is better at something, and surely worse at nothing."""
        verdicts = [check.verdict for check in self.checks]
        return "failed" not in verdicts and any(
            check.verdict == "passed" for check in self.checks if check.wanted == BETTER
        )

    def to_dictionary(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "new": self.new,
            "old": self.old,
            "verdict": "keep" if self.keeps else "discard",
            "checks": [check.to_dictionary() for check in self.checks],
        }


def weigh(material: Material, old: Artifact) -> Promotion:
    """Compare a model with the one whose place it would take.

    Args:
        material: The new model and what it is measured on.
        old: The old model.

    Raises:
        UnsupportedError: One of them is no model that writes text, or their tokens differ.
    """
    new_family = writing(material.artifact)
    old_family = as_talking(writing(old), new_family.config) if isinstance(new_family, SpeakingFamily) else writing(old)
    _check_tokens(material, old)
    checks = [_goal(material, new_family, old, old_family), _perplexity(material, new_family, old)]
    checks.append(_memorisation(material, old))
    return Promotion(new=material.artifact.name, old=old.name, checks=tuple(checks))


def writing(artifact: Artifact) -> Writer | SpeakingFamily:
    """Return the family of a model that writes text, in evaluation mode.

    Raises:
        UnsupportedError: It writes none.
    """
    family = artifact.family()
    if not isinstance(family, Writer | SpeakingFamily) or isinstance(family, RewardFamily):
        raise UnsupportedError(
            f'"{artifact.name}" is of family "{family.config.kind}"', expected="two models of text or conversations"
        )
    return family.eval()


def _check_tokens(material: Material, old: Artifact) -> None:
    """Refuse models whose tokens differ: neither probabilities nor prompts could be compared."""
    ours, theirs = material.codec, old.codec()
    for text in ("The quick brown fox: 12 + 7 = 19.\n", "Où? 日本"):
        if not np.array_equal(_tokens(ours, text), _tokens(theirs, text)):
            raise UnsupportedError(
                f'"{material.artifact.name}" and "{old.name}" cut text into different tokens',
                expected="the model that the new one began from, or another with its tokens",
            )


def _tokens(codec: Any, text: str) -> np.ndarray:
    return np.asarray(codec.encode_text(text))


def _goal(material: Material, new: Family, old: Artifact, old_family: Family) -> Check:
    store, codec, config = material.held_out, material.codec, new.config
    if isinstance(config, PolicyConfig) and ANSWER in store.columns:
        if config.reward == MODEL:
            # Who was tuned to please a judge is not called better by its word.
            return Check(
                name="held-out prompts that earn the reward",
                wanted=BETTER,
                gain=None,
                unit="share",
                why="it was tuned by a reward model; compare blindly with --judge",
            )
        rows = chosen_rows(store, MOST_PROMPTS)
        prompts = [np.asarray(store.columns[TARGET][int(row)]).astype(np.int64) for row in rows]
        right = [
            texts_of(torch.from_numpy(np.asarray(store.columns[ANSWER][int(row)]).copy())[None])[0] for row in rows
        ]
        options = {"max_tokens": config.longest_answer, "temperature": 0.0}
        # A model of text knows no tokens of roles: it goes on from the words of a prompt.
        words = prompts if _knows(old, codec) else [codec.decode({TARGET: prompt}) for prompt in prompts]
        asked = ((material.artifact, prompts), (old, words))
        sides = [_said(artifact, each, options, material.seed) for artifact, each in asked]
        earned = [
            np.array([judgement_of(config)(text, wanted) for text, wanted in zip(texts, right)]) for texts in sides
        ]
        return Check(
            name="held-out prompts that earn the reward",
            wanted=BETTER,
            gain=_gain(earned[0] - earned[1]),
            unit="share",
        )
    if REJECTED in store.columns and isinstance(new, SpeakingFamily) and isinstance(old_family, SpeakingFamily):
        told = []
        for family in (new, old_family):
            chosen = measure_answers(family, codec, store)
            other = measure_answers(family, codec, store, slots=(REJECTED, REJECTED_LEARNED))
            told.append(chosen.nats / np.maximum(1, chosen.tokens) < other.nats / np.maximum(1, other.tokens))
        gain = _gain(told[0].astype(float) - told[1].astype(float))
        return Check(
            name="held-out pairs whose preferred answer is likelier a token", wanted=BETTER, gain=gain, unit="share"
        )
    if LEARNED in store.columns and isinstance(new, SpeakingFamily) and isinstance(old_family, SpeakingFamily):
        found = [measure_answers(family, codec, store) for family in (new, old_family)]
        gain = ratio_interval((found[1].nats - found[0].nats) / LN_2, found[0].bytes)
        return Check(name="held-out answers", wanted=BETTER, gain=gain, unit="bits/byte")
    nats, sizes = _window_nats((new, old_family), codec, store)
    gain = ratio_interval((nats[1] - nats[0]) / LN_2, sizes)
    return Check(name="held-out text", wanted=BETTER, gain=gain, unit="bits/byte")


def _perplexity(material: Material, new: Family, old: Artifact) -> Check:
    """Compare on what the old model was measured on, which it had not seen either."""
    name = "loss on the held-out part of what the old model learned from"
    try:
        theirs = gather(
            old, None, folder=material.folder, encoded_in=None, seed=material.seed, samples=0, inception=None,
            on_event=material.on_event,
        )  # fmt: skip
    except DataError as error:
        return Check(name=name, wanted=NOT_WORSE, gain=None, unit="share", why=error.came)
    store, families = theirs.held_out, (new, writing(old))
    if LEARNED in store.columns and all(isinstance(family, SpeakingFamily) for family in families):
        nats = [measure_answers(family, material.codec, store).nats for family in families]  # type: ignore[arg-type]
    elif set(store.columns) == {TARGET} and not isinstance(old.family_config, PolicyConfig):
        nats, _ = _window_nats(families, theirs.codec, store)
    else:
        return Check(name=name, wanted=NOT_WORSE, gain=None, unit="share", why="it learned from prompts only")
    return Check(
        name=name,
        wanted=NOT_WORSE,
        gain=ratio_interval(nats[1] - nats[0], nats[1]),
        unit="share",
        allowed=-ALLOWED_LOSS,
    )


def _memorisation(material: Material, old: Artifact) -> Check:
    name = "words of answers and samples in verbatim spans of 13 or more of the training data"
    if material.novelty is None:
        return Check(
            name=name, wanted=NOT_WORSE, gain=None, unit="share", why="the training data is not on this machine"
        )
    count = material.samples or SAMPLES
    prompts: Sequence[np.ndarray] | None = None
    if LEARNED in material.held_out.columns:
        prompts = prompts_of(material.held_out, count)
    shares = []
    for artifact in (material.artifact, old):
        # A model of text knows no tokens of roles: it writes what comes to it.
        knows = _knows(artifact, material.codec)
        limits = {"max_tokens": SAMPLE_TOKENS}
        texts = _said(artifact, prompts if knows else None, limits, material.seed, count=count)
        # An empty answer keeps its place beside the other model's answer to the same prompt.
        found = material.novelty.check_many([text if text.strip() else "nothing" for text in texts])
        shares.append([novelty.share_13 for novelty in found])
    many = min(map(len, shares))
    gain = mean_interval(np.array(shares[1][:many]) - np.array(shares[0][:many]))
    return Check(name=name, wanted=NOT_WORSE, gain=gain, unit="share")


def _gain(differences: np.ndarray) -> Interval:
    """Return the mean difference; of too few rows, where resampling knows no other outcome than those it saw, it may be anything."""
    gain = mean_interval(differences)
    return gain if len(differences) >= LEAST_COMPARED else Interval(gain.value, -1.0, 1.0)


def _knows(artifact: Artifact, codec: Any) -> bool:
    """Return whether a model knows every token of a codec whose text is cut as its own is."""
    return bool(artifact.codec().spec[TARGET].vocabulary == codec.spec[TARGET].vocabulary)


def _said(
    artifact: Artifact,
    prompts: Sequence[np.ndarray] | Sequence[str] | None,
    options: Mapping[str, float],
    seed: int,
    *,
    count: int = 1,
) -> list[str]:
    asked = None if prompts is None else list(prompts)
    made = generate(artifact, prompts=asked, count=1 if asked else count, seed=seed, options=dict(options))
    return [asset.new_text for asset in made]


def _window_nats(families: Sequence[Family], codec: Any, store: Store) -> tuple[list[np.ndarray], np.ndarray]:
    """Return the nats that each family needs for the same windows of text, and the bytes of those."""
    plain = [writer_in(family) for family in families]
    if not all(isinstance(family, TransformerFamily) for family in plain):
        lengths = {family.config.window_length for family in plain}
        if len(lengths) > 1:
            raise UnsupportedError(
                f"windows of {' and '.join(map(str, sorted(lengths)))} tokens",
                expected="the model that the new one began from",
            )
        found = [measure_likelihood(family, codec, store).windows for family in plain]
    else:
        found = _windows_of_one_length(plain, codec, store)
    nats = [np.array([window.nats for window in windows]) for windows in found]
    return nats, np.array([window.bytes for window in found[0]])


def _windows_of_one_length(families: Sequence[Family], codec: Any, store: Store) -> list[tuple[Window, ...]]:
    configs = [family.config for family in families if isinstance(family, TransformerFamily)]
    context = min(config.context for config in configs)
    found = []
    for family, config in zip(families, configs, strict=True):
        # No weight depends on the context, and windows of one length can be compared.
        same = TransformerFamily(config.changed(context=context))
        same.load_tensors(family.tensors())
        device = next(family.parameters()).device
        found.append(measure_likelihood(same.to(device).eval(), codec, store).windows)
    return found
