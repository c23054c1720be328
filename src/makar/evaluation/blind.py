"""Two models answer the same prompts, and somebody says which answer is better without knowing whose it is: a win rate and its interval.

Decisions. (1) Both draw with the same seed, and a coin with that seed decides who stands on the left. (2) Answers that are the same to the
letter are even and are not shown. (3) An even pair is half a win. (4) What judges are known to be misled by is told beside the win rate:
how often the left answer won, and how often the longer one (Zheng et al. 2023, arXiv 2306.05685, section 3.3). (5) The new model may take
the place of the old one where the whole interval of its win rate lies above one half.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from makar.artifacts.artifact import Artifact
from makar.errors import EmptyDataError, UnsupportedError
from makar.evaluation.bootstrap import Interval, share_interval
from makar.evaluation.material import OnEvent
from makar.generation.generate import generate

LEFT, EVEN, RIGHT = 1.0, 0.5, 0.0

BlindJudge = Callable[[str, str, str], float | None]
"""From a prompt and two answers to ``LEFT``, ``EVEN``, ``RIGHT`` or what lies between; ``None`` has seen enough."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Duel:
    """One prompt with both answers.

    Attributes:
        prompt: What was asked.
        new: The answer of the new model.
        old: That of the old one.
        won: 1 where the new one won, 0 where the old one did, half a win for an even pair.
        new_was_left: On which side the new one stood; ``None`` where the answers are the same and nobody was asked.
    """

    prompt: str
    new: str
    old: str
    won: float
    new_was_left: bool | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class BlindComparison:
    """What a judge said of two models.

    Attributes:
        new: Name of the new model.
        old: Name of the old one.
        judge: Who judged.
        duels: Every prompt that was judged.
    """

    new: str
    old: str
    judge: str
    duels: tuple[Duel, ...]

    @property
    def win_rate(self) -> Interval:
        """Share of the prompts that the new model won, even ones half."""
        # Of few pairs Wilson's interval is wide, where resampling knows no other outcome than those it saw.
        return share_interval(sum(duel.won for duel in self.duels), len(self.duels))

    @property
    def keeps(self) -> bool:
        """Whether the new model may take the place of the old one."""
        return self.win_rate.low > EVEN

    @property
    def left_rate(self) -> Interval | None:
        """Share of the shown pairs that the left answer won: about one half of a judge who does not mind the place."""
        shown = [duel for duel in self.duels if duel.new_was_left is not None]
        won = [duel.won if duel.new_was_left else 1 - duel.won for duel in shown]
        return share_interval(sum(won), len(won)) if won else None

    @property
    def longer_rate(self) -> Interval | None:
        """Share of the pairs of different length that the longer answer won."""
        pairs = [duel for duel in self.duels if len(duel.new) != len(duel.old)]
        won = [duel.won if len(duel.new) > len(duel.old) else 1 - duel.won for duel in pairs]
        return share_interval(sum(won), len(won)) if won else None

    def to_dictionary(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        rates = {"win_rate": self.win_rate, "left_rate": self.left_rate, "longer_rate": self.longer_rate}
        lengths = {
            f"mean_characters_{name}": float(np.mean([len(getattr(duel, name)) for duel in self.duels]))
            for name in ("new", "old")
        }
        return {
            "new": self.new,
            "old": self.old,
            "judge": self.judge,
            "prompts": len(self.duels),
            "even": sum(duel.won == EVEN for duel in self.duels),
            **{name: None if rate is None else rate.to_dictionary() for name, rate in rates.items()},
            **lengths,
            "verdict": "keep" if self.keeps else "discard",
            "duels": [dataclasses.asdict(duel) for duel in self.duels],
        }


def compare_blind(
    new: Artifact,
    old: Artifact,
    prompts: Sequence[str],
    *,
    judge: BlindJudge,
    judge_name: str,
    seed: int,
    on_event: OnEvent,
) -> BlindComparison:
    """Let a judge compare two models.

    Args:
        new: The model that would take the place.
        old: The model that has it.
        prompts: What both are asked.
        judge: Who says which answer is better.
        judge_name: Its name.
        seed: Seed of the answers and of the sides.
        on_event: Called with what is being done.

    Raises:
        EmptyDataError: There is no prompt, or the judge saw enough before the first.
        UnsupportedError: One of them writes no text.
    """
    for artifact in (new, old):
        if artifact.medium not in ("text", "code"):
            raise UnsupportedError(f"{artifact.name} makes {artifact.medium}", expected="two models that write text")
    if not prompts:
        raise EmptyDataError("there is no prompt", expected="at least one")
    answers: list[list[str]] = []
    for artifact in (new, old):
        answers.append([])
        for asset in generate(artifact, prompts=list(prompts), seed=seed):
            answers[-1].append(asset.new_text)
            on_event(
                {
                    "event": "evaluation",
                    "measuring": f"answers of {artifact.name}",
                    "done": len(answers[-1]),
                    "total": len(prompts),
                }
            )
    coins = np.random.default_rng(seed).random(len(prompts)) < EVEN
    duels: list[Duel] = []
    for prompt, mine, theirs, is_left in zip(prompts, *answers, coins.tolist(), strict=True):
        if mine.strip() == theirs.strip():
            duels.append(Duel(prompt=prompt, new=mine, old=theirs, won=EVEN, new_was_left=None))
            continue
        said = judge(prompt, *((mine, theirs) if is_left else (theirs, mine)))
        if said is None:
            break
        won = said if is_left else 1 - said
        duels.append(Duel(prompt=prompt, new=mine, old=theirs, won=won, new_was_left=is_left))
        on_event({"event": "evaluation", "measuring": "judging", "done": len(duels), "total": len(prompts)})
    if not duels:
        raise EmptyDataError("nothing was judged", expected="a judgement of one prompt at least")
    return BlindComparison(new=new.name, old=old.name, judge=judge_name, duels=tuple(duels))
