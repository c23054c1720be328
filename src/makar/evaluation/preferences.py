"""Measures what learned from feedback on held-out pairs: judges, and models tuned by preferences, each beside the length of the answers
alone.

People often prefer the longer answer, so a judge that only counts characters is the baseline that has to be beaten (Singhal et al. 2023,
arXiv 2310.03716). A model tuned by preferences is judged by its implicit reward, log p(answer) less that of the model before; what
guards against a hollow success stands beside it: how far it has moved on held-out answers, how long its own answers are and how different.
"""

import numpy as np
import torch

from makar.data.store import Store
from makar.errors import UnsupportedError
from makar.evaluation.answers import TOGETHER, chosen_rows, measure_answers, padded
from makar.evaluation.bootstrap import Interval, interval_of, mean_interval, share_interval
from makar.evaluation.chat import answer_scores, model_before, said_to_prompts, talking
from makar.evaluation.findings import Findings, Score
from makar.evaluation.material import Material
from makar.families.conversation.reward_family import RewardFamily
from makar.nn.threads import threads_for
from makar.tensor_spec import LEARNED, REJECTED, REJECTED_LEARNED, SCORE, TARGET

MEANING = "Share of held-out pairs in which the answer that people preferred is the better one to it; half is chance."
CHOSEN, OTHER = (TARGET, LEARNED), (REJECTED, REJECTED_LEARNED)


def evaluate_preferences(material: Material) -> Findings:
    """Measure a model that was tuned by preferences.

    Args:
        material: The model and its data.

    Raises:
        UnsupportedError: The model or the data is of another kind.
    """
    family, before = talking(material), model_before(material)
    if REJECTED not in material.held_out.columns:
        raise UnsupportedError(f"{material.measured_on} holds no pairs", expected="pairs of which one is preferred")
    material.say("held-out pairs")
    codec, store = material.codec, material.held_out
    with threads_for(family.config.parameter_count()):
        own = [measure_answers(family, codec, store, slots=slots) for slots in (CHOSEN, OTHER)]
        old = (
            []
            if before is None
            else [measure_answers(before[1], codec, store, slots=slots) for slots in (CHOSEN, OTHER)]
        )
    gains = [-(new.nats - (old[side].nats if old else 0.0)) for side, new in enumerate(own)]
    said = said_to_prompts(material)
    name = "" if before is None else before[0]
    told = _told_right(gains[0] - gains[1], store, name="Preferences told right by what it has become likelier to say")
    moved: tuple[Score, ...] = ()
    if old:
        change = (old[0].nats - own[0].nats) / np.maximum(1, own[0].tokens)
        moved = (
            Score(
                key="moved",
                name="Preferred answers: likelier than before, by",
                interval=mean_interval(change),
                better="higher",
                meaning="Nats a token; far below 0 it has made the preferred answers unlikely too, and learned nothing good.",
                unit="nats/token",
            ),
        )
    scores = (told, *moved, *answer_scores(own[0], {} if not old else {name: old[0]}))
    characters = said.details["answer_characters"], said.details["answer_characters_of_people"]
    return Findings(
        verdict=(
            _sentence(told),
            f"Its answers have {characters[0]:.0f} characters in the mean, the preferred ones {characters[1]:.0f}.",
            *said.verdict,
        ),
        scores=scores,
        novelty_scores=said.novelty_scores,
        tables=said.tables,
        samples=said.samples,
        details={**said.details, "pairs": len(gains[0])},
    )


def evaluate_judge(material: Material) -> Findings:
    """Measure a judge of answers.

    Args:
        material: The model and its data.

    Raises:
        UnsupportedError: The model or the data is of another kind.
    """
    family = material.artifact.family()
    if not isinstance(family, RewardFamily):
        raise UnsupportedError(f"judgements of a model of family {family.config.kind}", expected="a judge of answers")
    store = material.held_out
    material.say("held-out answers")
    with threads_for(family.config.parameter_count()):
        chosen = _judged(family, store, CHOSEN)
        if REJECTED in store.columns:
            score = _told_right(chosen - _judged(family, store, OTHER), store, name="Preferences told right")
        else:
            right = np.asarray(store.columns[SCORE].values)[chosen_rows(store)]
            lengths = _lengths(store, CHOSEN)
            score = Score(
                key="told_right",
                name="Better answers told from worse ones",
                interval=_concordance(chosen, right),
                better="higher",
                meaning="Share of pairs of held-out answers with different scores that are put in the right order; half is chance.",
                baselines=(("length alone", _concordance(lengths, right)),),
            )
    return Findings(verdict=(_sentence(score),), scores=(score,), details={"answers": len(chosen)})


def _judged(family: RewardFamily, store: Store, slots: tuple[str, str]) -> np.ndarray:
    rows, device = chosen_rows(store), family.score.device
    parts = []
    for start in range(0, len(rows), TOGETHER):
        tokens, marks = (padded(store, slot, rows[start : start + TOGETHER]).to(device) for slot in slots)
        with torch.inference_mode():
            parts.append(family.scores(tokens, marks).cpu().double().numpy())
    return np.concatenate(parts)


def _lengths(store: Store, slots: tuple[str, str]) -> np.ndarray:
    return np.array(
        [int(np.asarray(store.columns[slots[1]][int(row)]).sum()) for row in chosen_rows(store)], np.float64
    )


def _told_right(margins: np.ndarray, store: Store, *, name: str) -> Score:
    longer = _lengths(store, CHOSEN) - _lengths(store, OTHER)
    return Score(
        key="told_right",
        name=name,
        interval=_share(margins),
        better="higher",
        meaning=MEANING,
        baselines=(("length alone", _share(longer)),),
    )


def _share(margins: np.ndarray) -> Interval:
    """Return the share of positive margins, ties counted half."""
    if (margins == 0).any():
        return mean_interval((margins > 0) + 0.5 * (margins == 0))
    return share_interval(int((margins > 0).sum()), len(margins))


def _concordance(found: np.ndarray, right: np.ndarray) -> Interval:
    """Return the share of pairs with different scores that stand in the right order, ties counted half."""
    above = np.sign(found[:, None] - found[None, :]) * 0.5 + 0.5
    differs = right[:, None] > right[None, :]

    def share(times: np.ndarray) -> float:
        weights = times[:, None] * times[None, :] * differs
        total = weights.sum()
        return float((weights * above).sum() / total) if total else 0.5

    return interval_of(share, len(found))


def _sentence(score: Score) -> str:
    own = score.interval
    sentence = f"{score.name}: {own.value:.3f} ({own.low:.3f} to {own.high:.3f})"
    (_, length), *_ = score.baselines
    if own.low > length.value:
        return f"{sentence}, above length alone ({length.value:.3f})."
    verdict = "below" if own.high < length.value else "not distinguishable from"
    return f"{sentence}: {verdict} length alone ({length.value:.3f})."
