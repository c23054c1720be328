"""Who says which of two answers is better: a reward model, a model that is asked, here or behind an endpoint, or a person.

A model that is asked sees every pair in both orders, because many prefer the first; where it takes the same side twice the pair is even
(Zheng et al. 2023, arXiv 2306.05685, section 3.4). What it says that is no verdict is even too, so a judge that does not understand the
question gives a win rate of one half and no finding.
"""

import re
from collections.abc import Callable

from makar.artifacts.artifact import Artifact
from makar.errors import UnsupportedError
from makar.evaluation.blind import EVEN, LEFT, RIGHT, BlindJudge
from makar.families.conversation.reward_family import RewardFamily
from makar.generation.generate import generate
from makar.generation.turns import as_question

QUESTION = """Which of two answers to a request is better: more helpful, correct and to the point? Length alone is no merit.

Request:
{prompt}

Answer A:
{left}

Answer B:
{right}

Say A, B or EVEN and nothing else. The better answer is:"""

VERDICT_TOKENS = 32
_VERDICT = re.compile(r"\b(EVEN|A|B)\b")
SAID = {"A": LEFT, "B": RIGHT, "EVEN": EVEN}


def judge_of(artifact: Artifact, *, seed: int) -> BlindJudge:
    """Return a model as a judge.

    Args:
        artifact: A reward model, or any model that writes text.
        seed: Seed of what it says.

    Raises:
        UnsupportedError: It neither scores answers nor writes text.
    """
    family = artifact.family()
    if isinstance(family, RewardFamily):
        return scoring(artifact)
    if artifact.medium not in ("text", "code") or not family.creates:
        raise UnsupportedError(
            f"{artifact.name} cannot judge answers",
            expected="a reward model, a model that writes text, openai:NAME, or me",
            do="makar train PAIRS --recipe reward -o JUDGE",
        )
    return asked(artifact, seed=seed)


def scoring(artifact: Artifact) -> BlindJudge:
    """Return the judge that gives each answer a score and prefers the higher one."""
    family, codec = artifact.family().eval(), artifact.codec()
    assert isinstance(family, RewardFamily), "the caller looked"

    def judge(prompt: str, left: str, right: str) -> float:
        first, second = (float(family.read_text(text, codec, query=prompt)["score"]) for text in (left, right))
        return EVEN if first == second else LEFT if first > second else RIGHT

    return judge


def asked(artifact: Artifact, *, seed: int) -> BlindJudge:
    """Return the judge that is asked about every pair, in both orders."""

    def verdict(prompt: str, left: str, right: str) -> float:
        question = QUESTION.format(prompt=prompt, left=left, right=right)
        put = as_question(question, artifact.codec(), plain=question)
        (asset,) = generate(artifact, prompts=put, seed=seed, options={"max_tokens": VERDICT_TOKENS})
        found = _VERDICT.search(asset.new_text)
        return EVEN if found is None else SAID[found.group(1)]

    def judge(prompt: str, left: str, right: str) -> float:
        return (verdict(prompt, left, right) + 1 - verdict(prompt, right, left)) / 2

    return judge


def person(ask: Callable[[str], str], show: Callable[[str], None]) -> BlindJudge:
    """Return somebody at the terminal as a judge.

    Args:
        ask: Asks a question and returns what was typed; an empty text or q ends the comparison.
        show: Shows a text.
    """

    def judge(prompt: str, left: str, right: str) -> float | None:
        show(f"\n{prompt}\n\n--- A ---\n{left}\n\n--- B ---\n{right}\n")
        while True:
            said = ask("Which is better: a, b, = for even, q to stop?").strip().lower()
            if said in ("", "q"):
                return None
            found = {"a": LEFT, "b": RIGHT, "=": EVEN}.get(said)
            if found is not None:
                return found

    return judge
