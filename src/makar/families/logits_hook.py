"""What may reshape the logits of a token before it is drawn: the place of a watermark, handed in with a request.

A hook is part of the contract and not of one family: generation hands it to whatever family a model has, and a family that draws no tokens
refuses it, because a mark that is silently left out is worse than an error.
"""

import abc
from typing import Protocol, runtime_checkable

from jaxtyping import Float, Int
from torch import Tensor

from makar.errors import UnsupportedError


@runtime_checkable
class LogitsHook(Protocol):
    """Reshapes the logits of one example; every strategy is one, a watermark will be one."""

    def __call__(
        self, logits: Float[Tensor, " vocabulary"], history: Int[Tensor, " length"]
    ) -> Float[Tensor, " vocabulary"]:
        """Return new logits.

        Args:
            logits: Unnormalised log-probabilities of the next token; must not be changed in place.
            history: Prompt and continuation so far.
        """
        ...


@runtime_checkable
class Constraint(LogitsHook, Protocol):
    """Rules tokens out by what was written so far: every example gets a hook of its own, which comes before every filter.

    After a filter nothing that may be written could be left. Called itself, as by a family that knows nothing of this, it raises
    UnsupportedError.
    """

    says_all: bool
    """Whether it says at every place what may be written, as a form does; otherwise it only steers."""
    follows: bool
    """Whether it follows one text from its beginning to its end, so that a search among several cannot use it."""

    def begin(self) -> LogitsHook:
        """Return the hook of one example; it is called once for every token that is drawn, in their order."""
        ...


class FollowsText(abc.ABC):
    """A constraint that follows one text from its beginning to its end; asked about any row of tokens, it refuses."""

    @property
    @abc.abstractmethod
    def what(self) -> str:
        """What it is, for messages."""

    @abc.abstractmethod
    def begin(self) -> LogitsHook:
        """Return the hook of one text."""

    def __call__(
        self, logits: Float[Tensor, " vocabulary"], history: Int[Tensor, " length"]
    ) -> Float[Tensor, " vocabulary"]:
        """Refuse: what was written is followed token by token, by a hook of each text."""
        raise UnsupportedError(
            f"{self.what} of a model that follows no single text",
            expected="a model of text that draws token after token",
        )


def refuse_hook(hook: LogitsHook | None) -> None:
    """Refuse a hook, for families that draw no tokens.

    Raises:
        UnsupportedError: There is a hook.
    """
    if hook is not None:
        raise UnsupportedError("this model draws no tokens, so nothing can reshape their logits", expected="no hook")
