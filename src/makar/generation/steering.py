"""What steers every draw of a text beside the controls of its model: biases of single tokens, penalties of what was written, a record.

These are controls of every model that draws tokens, given by name like those of a sampler (``frequency_penalty``, ``presence_penalty``,
``logit_bias``), because they are a constraint on the logits like a form. Order: what is recorded are the logits as the model gave them,
then come biases, penalties, the form, and last the filters of the sampler. Penalties count what was written, not the prompt.

Source: OpenAI's reference of chat completions, https://platform.openai.com/docs/api-reference/chat:
    logits[token] + bias[token] - count[token] * frequency_penalty - (count[token] > 0) * presence_penalty
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from makar.config import Config, setting
from makar.errors import UnsupportedError, UsageError
from makar.families.logits_hook import Constraint, FollowsText, LogitsHook

MOST_BIASED = 1024
"""Tokens that may have a bias."""

MOST_ALTERNATIVES = 20


@dataclasses.dataclass(frozen=True, kw_only=True)
class Steering(Config):
    """Biases and penalties."""

    frequency_penalty: float = setting(
        0.0, meaning="lowers what was written, for every time it was", minimum=-2.0, maximum=2.0
    )
    presence_penalty: float = setting(0.0, meaning="lowers what was written at all", minimum=-2.0, maximum=2.0)
    logit_bias: tuple[tuple[int, float], ...] = setting((), meaning="tokens with what is added to their logits")

    def check(self) -> None:
        """Check the fields, and that biases are few and moderate."""
        super().check()
        if len(self.logit_bias) > MOST_BIASED or any(not -100 <= bias <= 100 for _, bias in self.logit_bias):
            raise UsageError(
                f"{len(self.logit_bias)} biases of logits", expected=f"at most {MOST_BIASED}, each from -100 to 100"
            )

    @property
    def does_nothing(self) -> bool:
        """Whether nothing is asked for."""
        return not (self.frequency_penalty or self.presence_penalty or self.logit_bias)

    def check_tokens(self, vocabulary: int) -> None:
        """Refuse biases of tokens that a model does not have.

        Raises:
            UnsupportedError: There are some.
        """
        foreign = [token for token, _ in self.logit_bias if not 0 <= token < vocabulary]
        if foreign:
            raise UnsupportedError(f"a bias of the token {foreign[0]}", expected=f"tokens below {vocabulary}")


def read_steering(options: Mapping[str, Any] | Config | None) -> tuple[Steering, dict[str, Any] | Config]:
    """Take what steers out of the controls.

    Args:
        options: Controls by name, those of the sampler among them; or the sampler's own. ``logit_bias`` may be a mapping from the
            number of a token, as text too.

    Returns:
        What steers, and the controls that are left.

    Raises:
        UsageError: A value does not fit.
    """
    if isinstance(options, Config):
        return Steering(), options
    rest = dict(options or {})
    names = [field.name for field in dataclasses.fields(Steering)]
    asked = {name: rest.pop(name) for name in names if name in rest}
    if isinstance(asked.get("logit_bias"), Mapping):
        try:
            asked["logit_bias"] = [[int(token), bias] for token, bias in asked["logit_bias"].items()]
        except ValueError as error:
            raise UsageError(f"a bias of {error}", expected="the number of a token, and what is added") from error
    return Steering.from_dictionary(asked), rest


@dataclasses.dataclass(frozen=True, kw_only=True)
class TokenLikelihood:
    """How likely a token was where it was drawn.

    Attributes:
        token: Its number.
        logprob: The logarithm of its probability, as the model gave it.
        alternatives: The likeliest tokens there with theirs, the likeliest first.
    """

    token: int
    logprob: float
    alternatives: tuple[tuple[int, float], ...]


class Likelihoods:
    """Records how likely the tokens of one text were.

    Args:
        most: Alternatives that are kept at every place.
    """

    def __init__(self, most: int) -> None:
        if not 0 <= most <= MOST_ALTERNATIVES:
            raise UsageError(f"{most} alternatives of every token", expected=f"0 to {MOST_ALTERNATIVES}")
        self._most = most
        self._closed: list[TokenLikelihood] = []
        self._open: Tensor | None = None
        self._given = 0

    def see(self, logits: Tensor, history: Tensor) -> None:
        """Take the logits of the next place; the last token of the history is what was drawn at the one before."""
        if self._open is not None:
            self._closed.append(self._entry(self._open, int(history[-1])))
        self._open = logits.float().log_softmax(0)

    def following(self, tokens: Sequence[int]) -> tuple[TokenLikelihood, ...]:
        """Return how likely the next tokens of the text were; each is asked for once, in order."""
        found = []
        for token in tokens:
            if self._given < len(self._closed):
                found.append(self._closed[self._given])
            else:
                assert self._open is not None, "a token is only given after its place was seen"
                found.append(self._entry(self._open, token))
            self._given += 1
        return tuple(found)

    def _entry(self, row: Tensor, token: int) -> TokenLikelihood:
        best = torch.topk(row, min(self._most, len(row)))
        alternatives = tuple(zip(best.indices.tolist(), best.values.tolist()))
        return TokenLikelihood(token=token, logprob=float(row[token]), alternatives=alternatives)


class Steered(FollowsText):
    """Steers texts: a constraint that holds another one.

    Args:
        steering: Biases and penalties.
        within: The form that the text must have; ``None`` for any.
        likelihoods: Takes a record, of one text only; ``None`` for none.
    """

    def __init__(self, steering: Steering, *, within: Constraint | None, likelihoods: Likelihoods | None) -> None:
        self.steering = steering
        self.within = within
        self.likelihoods = likelihoods

    @property
    def what(self) -> str:
        """Biases and what belongs to them."""
        return "biases, penalties or likelihoods"

    @property
    def says_all(self) -> bool:
        """Whether the form within does."""
        return self.within is not None and self.within.says_all

    @property
    def follows(self) -> bool:
        """Whether there is a form within, or a record, which is of one text."""
        return self.within is not None or self.likelihoods is not None

    def begin(self) -> LogitsHook:
        """Return the hook of one text."""
        return _OneText(self)


class _OneText:
    """The hook of one text."""

    def __init__(self, steered: Steered) -> None:
        self._steering = steered.steering
        self._likelihoods = steered.likelihoods
        self._within = None if steered.within is None else steered.within.begin()
        self._start: int | None = None
        biases = steered.steering.logit_bias
        self._tokens = torch.tensor([token for token, _ in biases], dtype=torch.int64)
        self._biases = torch.tensor([bias for _, bias in biases], dtype=torch.float32)

    def __call__(
        self, logits: Float[Tensor, " vocabulary"], history: Int[Tensor, " length"]
    ) -> Float[Tensor, " vocabulary"]:
        if self._start is None:
            self._start = len(history)
        if self._likelihoods is not None:
            self._likelihoods.see(logits, history)
        if len(self._tokens):
            logits = logits.index_add(0, self._tokens, self._biases.to(logits.dtype))
        frequency, presence = self._steering.frequency_penalty, self._steering.presence_penalty
        if frequency or presence:
            counts = torch.bincount(history[self._start :], minlength=len(logits))[: len(logits)]
            logits = logits - frequency * counts - presence * (counts > 0)
        return logits if self._within is None else self._within(logits, history)
