"""Keep or discard by suites of bias and safety: how much nearer to even and how much safer a model is than another, on the same items.

Bias: both models say which text of each pair, or which answer, is likelier; the gain is by how much less the figure of the new one is away
from even, resampled over the items that both were asked. Safety: both answer the same prompts with the same seed, one judge reads both, and
every difference is one of a pair. The tests, their tables and what they do not say: ``bias_suite`` and ``safety_suite``.
"""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np

from makar.artifacts.artifact import Artifact
from makar.errors import DataError, UnsupportedError
from makar.evaluation.bias_suite import BiasItems, ask_bias, bbq_answers, bias_items, saying
from makar.evaluation.bootstrap import Interval, interval_of, mean_interval
from makar.evaluation.material import OnEvent
from makar.evaluation.promotion import NOT_WORSE, Check
from makar.evaluation.safety_suite import SafetyItems, answers_to, safety_items
from makar.evaluation.suite_rows import tables_below
from makar.generation.text_likelihood import TextLikelihood

USUAL_ITEMS = 300
"""Items of each test of bias that both models are asked without a number."""

Figure = Callable[[np.ndarray], float]
"""From how many times each item is taken to what is measured."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Suites:
    """What two models are asked about bias and safety."""

    bias: BiasItems
    safety: SafetyItems

    @property
    def has_bias(self) -> bool:
        """Whether there is an item of a test of bias."""
        return any(self.bias.counts().values())


def read_suites(path: Path, *, samples: int, seed: int) -> Suites:
    """Return the suites in a folder of tables; what a table is, its columns say.

    Args:
        path: A table, or a folder of tables.
        samples: Most items of each test and prompts of each kind; 0 takes 300 and 100.
        seed: Seed of the choice.

    Raises:
        UsageError: There is no such folder.
        DataError: It has no table, or nothing of either suite.
    """
    tables = tables_below(path)
    found = Suites(
        bias=bias_items(tables, samples=samples or USUAL_ITEMS, seed=seed),
        safety=safety_items(tables, samples=samples, seed=seed),
    )
    if not found.has_bias and not found.safety.can_be_asked:
        raise DataError(
            f"{path} has nothing of the suites bias and safety", expected="tables of them; see docs/tasks/suites.md"
        )
    return found


def suite_checks(
    new: Artifact, old: Artifact, suites: Suites | None, *, seed: int, on_event: OnEvent
) -> tuple[Check, ...]:
    """Return how much less biased and how much safer a model is than another one.

    Args:
        new: The model that would take the place.
        old: The model that has it.
        suites: What both are asked; without it bias and safety are unknown.
        seed: Seed of the answers.
        on_event: Called with what is being done.
    """
    if suites is None:
        return tuple(_unknown(name, "no suite here: --suites FOLDER") for name in ("bias", "safety"))
    bias = (
        _bias_checks(new, old, suites.bias, on_event)
        if suites.has_bias
        else [_unknown("bias", "the suites have no table of CrowS-Pairs, WinoBias or BBQ")]
    )
    safety = (
        _safety_checks(new, old, suites.safety, seed, on_event)
        if suites.safety.can_be_asked
        else [_unknown("safety", "the suites lack prompts, or labelled answers and posts")]
    )
    return (*bias, *safety)


def _bias_checks(new: Artifact, old: Artifact, items: BiasItems, on_event: OnEvent) -> list[Check]:
    try:
        ours, theirs = (ask_bias(TextLikelihood(model), items, saying(on_event)) for model in (new, old))
    except UnsupportedError as error:
        return [_unknown("bias", error.came)]
    checks = []
    shares = {
        "CrowS-Pairs: nearer to even": (ours.crows_pairs, theirs.crows_pairs),
        "WinoBias: nearer to even": (ours.winobias, theirs.winobias),
    }
    for name, pair in shares.items():
        if pair[0]:
            own, other = (_share(wins) for wins in pair)
            checks.append(_check(name, _nearer(own, other, len(pair[0]), even=0.5)))
    for name, kind in (("does not say", "ambig"), ("says", "disambig")):
        own_answers, other_answers = (bbq_answers(items.bbq, found.bbq, kind) for found in (ours, theirs))
        if len(own_answers.right):
            gain = _nearer(own_answers.bias, other_answers.bias, len(own_answers.right), even=0.0)
            checks.append(_check(f"BBQ, where the text {name} the answer: nearer to even", gain))
    return checks


def _share(wins: list[bool]) -> Figure:
    marks = np.array(wins, float)
    return lambda times: float(times @ marks / times.sum())


def _nearer(own: Figure, other: Figure, items: int, *, even: float) -> Interval:
    """Return by how much less one figure is away from even than another, on the same items."""
    return interval_of(lambda times: abs(other(times) - even) - abs(own(times) - even), items)


def _safety_checks(new: Artifact, old: Artifact, items: SafetyItems, seed: int, on_event: OnEvent) -> list[Check]:
    ours, theirs = (answers_to(model, items.prompts, seed=seed, on_event=on_event) for model in (new, old))
    checks = []
    if items.refusal is not None:
        # To refuse is right where a prompt is harmful, and wrong where it is not.
        for kind, name, sign in (
            ("harmful", "refuses harmful prompts", 1),
            ("harmless", "answers harmless prompts", -1),
        ):
            if items.prompts[kind]:
                difference = items.refusal.marks(ours[kind]) - items.refusal.marks(theirs[kind])
                checks.append(_check(name, mean_interval(sign * difference)))
    if items.toxicity is not None:
        own, other = (items.toxicity.marks([*one["harmful"], *one["harmless"]]) for one in (ours, theirs))
        checks.append(_check("answers without hate or offence", mean_interval(other - own)))
    return checks


def _check(name: str, gain: Interval) -> Check:
    return Check(name=name, wanted=NOT_WORSE, gain=gain, unit="share")


def _unknown(name: str, why: str) -> Check:
    return Check(name=name, wanted=NOT_WORSE, gain=None, unit="share", why=why)
