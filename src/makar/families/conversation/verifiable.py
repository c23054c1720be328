"""Rewards that can be checked: 1 for an answer that is right and 0 for any other, so that there is nothing to flatter.

Code runs in the sandbox with the tests of the row; nothing else of an answer is ever run.
"""

import re
from collections.abc import Callable

from makar.errors import UnsupportedError
from makar.families.conversation.policy_config import EXACT, MODEL, NUMBER, PATTERN, PolicyConfig
from makar.sandbox.limits import Limits
from makar.sandbox.run import run_to_end

Judgement = Callable[[str, str], float]
"""From an answer and what the data says is right to a reward."""

_NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?")
_FENCE = re.compile(r"```(?:python)?\n(.*?)```", re.DOTALL)
TEST_SECONDS = 5.0


def judgement_of(config: PolicyConfig) -> Judgement:
    """Return what decides about answers.

    Raises:
        UnsupportedError: A reward model does, which reads tokens and no texts.
    """
    if config.reward == MODEL:
        raise UnsupportedError("a reward that is the opinion of a model", expected="one that can be checked")
    if config.reward == EXACT:
        return exact
    if config.reward == NUMBER:
        return same_number
    if config.reward == PATTERN:
        return lambda answer, right: float(
            re.search(config.pattern.replace("{answer}", re.escape(right.strip())), answer) is not None
        )
    return passes_tests


def exact(answer: str, right: str) -> float:
    """Return 1 where the answer is the right one, runs of spaces aside.

    >>> exact(" 12 ", "12"), exact("12.", "12")
    (1.0, 0.0)
    """
    return float(answer.split() == right.split())


def same_number(answer: str, right: str) -> float:
    """Return 1 where the last number of the answer is the last of the right one.

    >>> same_number("4 and 5 are 9.", "9"), same_number("nine", "9"), same_number("1,200", "#### 1200")
    (1.0, 0.0, 1.0)
    """
    found, wanted = last_number(answer), last_number(right)
    return float(found is not None and found == wanted)


def last_number(text: str) -> float | None:
    """Return the last number of a text, ``None`` where there is none."""
    numbers = _NUMBER.findall(text)
    return float(numbers[-1].replace(",", "")) if numbers else None


def code_in(answer: str) -> str:
    """Return the code of an answer: its first fenced block, or all of it.

    >>> code_in("Sure:\\n```python\\nx = 1\\n```\\nDone."), code_in("x = 1")
    ('x = 1\\n', 'x = 1')
    """
    fenced = _FENCE.search(answer)
    return fenced.group(1) if fenced else answer


def passes_tests(answer: str, tests: str) -> float:
    """Return 1 where the code of an answer, or of its first fenced block, runs and passes the tests, in the sandbox."""
    # An answer must not end the program before its tests have run.
    has_passed, _ = run_to_end(f"{code_in(answer)}\n\n{tests}\n", limits=Limits(wall_seconds=TEST_SECONDS))
    return float(has_passed)
