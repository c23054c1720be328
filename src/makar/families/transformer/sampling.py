"""Choosing the next token: strategies that reshape logits one after the other, then one draw.

A strategy takes the logits and the tokens so far and returns new logits; a token is ruled out with -inf. The order is that of the
transformers library, whose results they reproduce (tested): penalty, temperature, top-k, top-p, min-p. Hooks come after the filters,
so that a watermark biases exactly the tokens that may be drawn; greedy choice comes last of all.

The draw inverts the cumulative distribution with one uniform number of the example's own generator: an example uses as many numbers
as it has tokens, whatever the vocabulary and whatever else is in the batch.

Sources: top-k Fan et al. 2018 (arXiv:1805.04833); top-p Holtzman et al. 2019 (arXiv:1904.09751); min-p Nguyen et al. 2024
(arXiv:2407.01082); repetition penalty Keskar et al. 2019 (arXiv:1909.05858, section 4.1).
"""

import dataclasses
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from makar.families.logits_hook import Constraint, LogitsHook

NEVER = float("-inf")


@runtime_checkable
class DrawsTokens(Protocol):
    """Controls of how the next token is chosen."""

    @property
    def repetition_penalty(self) -> float: ...

    @property
    def temperature(self) -> float: ...

    @property
    def top_k(self) -> int: ...

    @property
    def top_p(self) -> float: ...

    @property
    def min_p(self) -> float: ...


@dataclasses.dataclass(frozen=True)
class Greedy:
    """Rules out every token but the likeliest; of equals the one with the smallest number."""

    def __call__(
        self, logits: Float[Tensor, " vocabulary"], history: Int[Tensor, " length"]
    ) -> Float[Tensor, " vocabulary"]:
        del history
        kept = torch.full_like(logits, NEVER)
        best = int(logits.numpy().argmax())
        kept[best] = logits[best]
        return kept


@dataclasses.dataclass(frozen=True)
class Never:
    """Rules out tokens that are no text; first of all, so that no filter keeps only them."""

    tokens: tuple[int, ...]

    def __call__(
        self, logits: Float[Tensor, " vocabulary"], history: Int[Tensor, " length"]
    ) -> Float[Tensor, " vocabulary"]:
        del history
        kept = logits.clone()
        kept[list(self.tokens)] = NEVER
        return kept


@runtime_checkable
class KeepsBack(Protocol):
    """A codec with tokens that are read and never written: what says where a hole is, a part that is given."""

    never_drawn: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Temperature:
    """Divides the logits; below 1 the likely become likelier."""

    value: float

    def __call__(
        self, logits: Float[Tensor, " vocabulary"], history: Int[Tensor, " length"]
    ) -> Float[Tensor, " vocabulary"]:
        del history
        return logits / self.value


@dataclasses.dataclass(frozen=True)
class TopK:
    """Keeps the ``count`` likeliest tokens, and those as likely as the last of them."""

    count: int

    def __call__(
        self, logits: Float[Tensor, " vocabulary"], history: Int[Tensor, " length"]
    ) -> Float[Tensor, " vocabulary"]:
        del history
        last = torch.topk(logits, min(self.count, len(logits))).values[-1]
        return logits.masked_fill(logits < last, NEVER)


@dataclasses.dataclass(frozen=True)
class TopP:
    """Keeps the fewest likeliest tokens whose probabilities sum to ``mass`` or more; always at least one."""

    mass: float

    def __call__(
        self, logits: Float[Tensor, " vocabulary"], history: Int[Tensor, " length"]
    ) -> Float[Tensor, " vocabulary"]:
        del history
        # NumPy sorts values alone ten times as fast as torch sorts values with their places.
        ascending = torch.from_numpy(np.sort(logits.numpy()))
        # Summed from the small end, where float32 keeps the digits that decide.
        beyond = ascending.softmax(0).cumsum(0) <= 1 - self.mass
        count = min(int(beyond.sum()), len(logits) - 1)
        last = ascending[count]
        unlikely = logits < last
        if (lacking := count - int(unlikely.sum())) > 0:
            # Of equals the first are left out, as a stable sort has them.
            unlikely[(logits == last).nonzero()[:lacking, 0]] = True
        return logits.masked_fill(unlikely, NEVER)


@dataclasses.dataclass(frozen=True)
class MinP:
    """Keeps tokens at least ``share`` times as likely as the likeliest."""

    share: float

    def __call__(
        self, logits: Float[Tensor, " vocabulary"], history: Int[Tensor, " length"]
    ) -> Float[Tensor, " vocabulary"]:
        del history
        probabilities = logits.softmax(0)
        likeliest = probabilities.max()
        unlikely = probabilities < self.share * likeliest
        return logits.masked_fill(unlikely, NEVER)


@dataclasses.dataclass(frozen=True)
class RepetitionPenalty:
    """Divides the positive logits of tokens already present by ``factor`` and multiplies the negative ones."""

    factor: float

    def __call__(
        self, logits: Float[Tensor, " vocabulary"], history: Int[Tensor, " length"]
    ) -> Float[Tensor, " vocabulary"]:
        present = logits[history]
        penalised = torch.where(present < 0, present * self.factor, present / self.factor)
        return logits.scatter(0, history, penalised)


FORGETFUL = (Greedy, Never, Temperature, TopK, TopP, MinP)
"""Strategies that do not look at what was written before."""


def strategies(options: DrawsTokens, hooks: Sequence[LogitsHook] = ()) -> tuple[LogitsHook, ...]:
    """Return what the options ask for, in the order of application, for one example; what is off is left out.

    What may never be drawn and what must be written come first.
    """
    chain: list[LogitsHook] = [hook for hook in hooks if isinstance(hook, Never)]
    chain += [hook.begin() for hook in hooks if isinstance(hook, Constraint)]
    hooks = tuple(hook for hook in hooks if not isinstance(hook, Never | Constraint))
    if options.repetition_penalty != 1:
        chain.append(RepetitionPenalty(options.repetition_penalty))
    if options.temperature == 0:
        return (*chain, *hooks, Greedy())
    if options.temperature != 1:
        chain.append(Temperature(options.temperature))
    if options.top_k:
        chain.append(TopK(options.top_k))
    if options.top_p < 1:
        chain.append(TopP(options.top_p))
    if options.min_p > 0:
        chain.append(MinP(options.min_p))
    return (*chain, *hooks)


def choose(
    logits: Float[Tensor, " vocabulary"],
    history: Sequence[int],
    *,
    chain: Sequence[LogitsHook],
    generator: torch.Generator,
) -> int:
    """Return the next token.

    Args:
        logits: float32, on the CPU; not changed.
        history: Prompt and continuation so far.
        chain: Strategies in order.
        generator: The example's own; one number is taken unless the choice is greedy.
    """
    greedy = bool(chain) and isinstance(chain[-1], Greedy)
    rest = chain[:-1] if greedy else chain
    # A long history costs more to turn into a tensor than the rest of a choice, and few look at it.
    is_read = any(not isinstance(strategy, FORGETFUL) for strategy in rest)
    tokens = torch.tensor(history if is_read else (), dtype=torch.int64)
    for strategy in rest:
        logits = strategy(logits, tokens)
    if greedy:
        return int(logits.numpy().argmax())
    return draw(logits, generator=generator)


def draw(logits: Float[Tensor, " vocabulary"], *, generator: torch.Generator) -> int:
    """Return a token with the probability that the logits give it."""
    cumulative = logits.double().softmax(0).cumsum(0)
    point = torch.rand((), dtype=torch.float64, generator=generator) * cumulative[-1]
    token = int(torch.searchsorted(cumulative, point, right=True))
    if token < len(logits) and logits[token] > NEVER:
        return token
    # A product rounded up to the total lands behind the last token.
    return int((logits > NEVER).nonzero()[-1])
