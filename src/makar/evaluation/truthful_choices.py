"""Questions with true and false answers, put to a model that writes and does not say how likely a text is: one behind an endpoint.

The best answer and every false one are laid before it in an order drawn for each question, under letters, and it is to name one. An answer
in which no letter is found, and no answer repeated, counts as wrong, and how many there were is said. This is no MC1: a model that
reads letters badly may know better than it says.

Source: Hendrycks et al. 2021, arXiv 2009.03300, figure 2 (a question, its answers under letters, and the letter that is asked for).
"""

import random
import re
import string
from collections.abc import Sequence

import numpy as np

from makar.artifacts.artifact import Artifact
from makar.evaluation.bootstrap import mean_interval, share_interval
from makar.evaluation.findings import Findings, Sample, Score
from makar.evaluation.material import OnEvent
from makar.generation.generate import generate
from makar.generation.turns import as_question

ANSWER_TOKENS = 32
SHOWN = 5
_FIRST = re.compile(r"\W*([A-Z])\W*(?:$|[.):,]|\n)")
_NAMED = re.compile(r"\b(?:answer|option|statement|letter)\b[^A-Z]*\b([A-Z])\b")


def measure_choices(
    artifact: Artifact, questions: Sequence[tuple[str, str, list[str]]], *, seed: int, on_event: OnEvent
) -> Findings:
    """Measure how often a model chooses the true one of several answers.

    Args:
        artifact: A model that writes text.
        questions: Questions, each with its true answer and its false ones.
        seed: Seed of the orders, and of what it writes.
        on_event: Called with what is being done.
    """
    draw = random.Random(seed)
    right, chance, unread = [], [], 0
    shown: list[Sample] = []
    for number, (question, best, false) in enumerate(questions):
        on_event({"event": "evaluation", "measuring": "answers", "done": number, "total": len(questions)})
        answers = [best, *false][: len(string.ascii_uppercase)]
        draw.shuffle(answers)
        laid = "\n".join(f"{letter}. {answer}" for letter, answer in zip(string.ascii_uppercase, answers))
        asked = f"{question}\n\n{laid}\n\nAnswer with the letter of the true one.\n"
        put = as_question(asked, artifact.codec(), plain=asked)
        asset = next(generate(artifact, prompts=put, seed=seed, options={"max_tokens": ANSWER_TOKENS}))
        chosen = chosen_answer(asset.new_text, answers)
        unread += chosen is None
        right.append(chosen is not None and answers[chosen] == best)
        chance.append(1 / len(answers))
        if len(shown) < SHOWN:
            shown.append(Sample(text=f"{asked}→ {asset.new_text.strip()}", note=f"true: {best}", is_copy=False))
    interval = share_interval(sum(right), len(right))
    score = Score(
        key="chosen",
        name="True answers chosen",
        interval=interval,
        better="higher",
        meaning="share of questions of which it names the true answer among the false ones.",
        baselines=(("knows nothing", mean_interval(np.array(chance))),),
    )
    sentence = (
        f"Of {len(right)} questions in which people err, it names the true answer of {interval.value:.1%}"
        f" ({interval.low:.1%} to {interval.high:.1%}); without knowledge {np.mean(chance):.1%}."
    )
    told = [f"Of {unread} of its answers nobody can tell which one was meant; they count as wrong."] if unread else []
    return Findings(
        verdict=(sentence, *told), scores=(score,), samples=tuple(shown), details={"unread_answers": unread}
    )


def chosen_answer(said: str, answers: Sequence[str]) -> int | None:
    """Return which answer was chosen; ``None`` where it cannot be told.

    >>> chosen_answer("B. It is green", ["red", "green"])
    1
    >>> chosen_answer("The true answer is (A).", ["red", "green"])
    0
    >>> chosen_answer("A dog, I think", ["red", "green"]) is None
    True
    """
    found = _FIRST.match(said) or _NAMED.search(said)
    if found and (place := string.ascii_uppercase.index(found[1])) < len(answers):
        return place
    repeated = [number for number, answer in enumerate(answers) if answer.casefold() in said.casefold()]
    return repeated[0] if len(repeated) == 1 else None
