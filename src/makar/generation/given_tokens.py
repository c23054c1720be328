"""How likely each token of a given text is: the model is made to write it, token by token, and what it would have chosen is recorded.

It takes the way that every text takes, so it works for whatever draws tokens, and what is measured is what is served. The first token
follows the one that begins texts; where it is that token itself, it was given and is certain.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from makar.artifacts.artifact import Artifact
from makar.errors import DataError, UnsupportedError
from makar.families.logits_hook import LogitsHook
from makar.generation.jobs import Job
from makar.generation.prompts import Prompt
from makar.generation.request import Request
from makar.generation.steering import TokenLikelihood
from makar.generation.text_likelihood import Begins
from makar.tensor_spec import TARGET


class Given:
    """A constraint that leaves one text only.

    Args:
        tokens: The text, without what it begins with.
    """

    says_all = follows = True

    def __init__(self, tokens: Sequence[int]) -> None:
        self._tokens = list(tokens)

    def begin(self) -> LogitsHook:
        """Return the hook of one text."""
        return Given(self._tokens)

    def __call__(
        self, logits: Float[Tensor, " vocabulary"], history: Int[Tensor, " length"]
    ) -> Float[Tensor, " vocabulary"]:
        """Leave the next token only; what it begins with is one token."""
        kept = torch.full_like(logits, float("-inf"))
        kept[self._tokens[len(history) - 1]] = 0.0
        return kept


def given_likelihoods(artifact: Artifact, tokens: Sequence[int], *, most: int) -> tuple[TokenLikelihood, ...]:
    """Return how likely the tokens of a text are.

    Args:
        artifact: A model that continues text.
        tokens: The text.
        most: Alternatives of each.

    Raises:
        UnsupportedError: The model writes a text from another, or its texts have no beginning.
        DataError: An end token stands inside the text.
    """
    codec = artifact.codec()
    if not isinstance(codec, Begins):
        raise UnsupportedError(
            "how likely a text without beginning is", expected="a codec with a token that begins texts"
        )
    given = (
        [TokenLikelihood(token=int(tokens[0]), logprob=0.0, alternatives=())] if tokens[0] == codec.begin_token else []
    )
    rest = [int(token) for token in tokens[len(given) :]]
    if not rest:
        return tuple(given)
    options = {"max_tokens": len(rest), "temperature": 0.0}
    request = Request(artifact, options=options, novelty=None, refuse_copies=False)
    likelihoods = request.record_likelihoods(most, within=Given(rest))
    job = Job(Prompt(stated=None, slots={TARGET: torch.tensor([codec.begin_token])}), 0)
    ((_, slots),) = request.draw([job], 0)
    if slots[TARGET].tolist() != rest:
        raise DataError("a text with an end inside", expected="tokens of one text")
    return (*given, *likelihoods.following(rest))
