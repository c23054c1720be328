"""How likely a model finds a text after another: the ground of labels without training, choices between answers, and tests of bias.

A family that continues text says how likely a whole row of tokens is (``validation_loss``). So

    nats(text | given) = nats(given and text) - nats(of what both have in common)

for the tokens of the two together: a tokenizer may join the end of the one with the beginning of the other. What does not fit into the
context is left out at the beginning of what is given. A masked model has no such probability; what stands for it is the sum over the
words of the text of how likely each is when it alone is masked (Salazar et al. 2020, arXiv 1910.14659), given the rest.

A question is put to a model that knows turns as what its user says, and its answer is what it would say then; every other model finds
``Q:`` before the one and ``A:`` before the other.
"""

from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch

from makar.artifacts.artifact import Artifact
from makar.codecs.chat import ChatCodec
from makar.codecs.chat_turns import plain_tokens
from makar.codecs.pretrained_text import PretrainedTextCodec
from makar.errors import UnsupportedError
from makar.families.conversation.speaking import SpeakingFamily
from makar.families.family import Family
from makar.generation.prompts import EncodesText, knows_turns
from makar.generation.turns import USER
from makar.nn.threads import threads_for
from makar.tensor_spec import CAPTION, CLASS, SOURCE, TARGET

OF_CONTINUATION = {"bugs"}
"""What a family that continues text may predict besides; every other prediction is that of a head for something else."""


@runtime_checkable
class FillsIn(Protocol):
    """A family that fills in masked words."""

    def masked_nats(self, text: str, codec: Any, *, start: int, end: int) -> float:
        """Return the nats of the tokens between two places of a text, each masked alone."""


@runtime_checkable
class Begins(Protocol):
    """A codec with a token that begins texts."""

    begin_token: int


@runtime_checkable
class Ends(Protocol):
    """A codec with a token that ends texts, after which the next begins."""

    end_token: int


class TextLikelihood:
    """Asks a model how likely texts are.

    Args:
        artifact: A model that continues text, talks, or fills in masked words.

    Raises:
        UnsupportedError: It does neither.
    """

    def __init__(self, artifact: Artifact) -> None:
        found, self.codec = artifact.family(), artifact.codec()
        # A model that talks continues text too, an answer to nothing; its own loss counts what is marked as learned.
        self.family: Family = found
        if isinstance(found, SpeakingFamily) and found.config.writes:
            self.family = found.writer.eval()
        self.config = self.family.config
        accepted = self.config.accepts()
        self.is_masked = isinstance(self.family, FillsIn) and "mask" in self.config.predictions
        continues = (
            isinstance(self.codec, EncodesText)
            # Without a token that begins texts nothing says what the first one follows: a model behind an endpoint.
            and isinstance(self.codec, Begins | Ends)
            and set(accepted.slots) <= {TARGET, SOURCE}
            and not ({SOURCE, CAPTION, CLASS} & set(self.codec.spec.slots))
            and set(self.config.predictions) <= OF_CONTINUATION
            and SOURCE not in accepted
        )
        if not self.is_masked and not continues:
            raise UnsupportedError(
                f"{artifact.name} does not say how likely a text is",
                expected="a model that continues text, talks, or fills in masked words",
            )
        is_talker = not self.is_masked and knows_turns(self.codec)
        self._talker = self.codec if is_talker and isinstance(self.codec, ChatCodec | PretrainedTextCodec) else None
        self._known: dict[bytes, float] = {}
        """Nats of beginnings, which many texts have in common."""
        self.left_out = 0
        """Most tokens at the beginning of a text that were not read; set it to 0 to count anew."""

    @torch.no_grad()
    def nats(self, text: str, *, given: str = "") -> float:
        """Return how surprising a text is after what is given: minus the logarithm of its probability, 0 for certain.

        Args:
            text: The text, a space at its beginning included.
            given: What stands before it.

        Raises:
            UnsupportedError: The text has no tokens of its own.
        """
        with threads_for(self.config.computed_weights()):
            if isinstance(self.family, FillsIn) and self.is_masked:
                return self.family.masked_nats(given + text, self.codec, start=len(given), end=len(given + text))
            assert isinstance(self.codec, EncodesText)
            whole, before = (np.asarray(self.codec.encode_text(part), np.int64) for part in (given + text, given))
            same = min(len(whole), len(before))
            differ = np.flatnonzero(whole[:same] != before[:same])
            common = int(differ[0]) if len(differ) else same
            if common == len(whole):
                raise UnsupportedError(f"the text {text!r} has no tokens of its own", expected="at least one character")
            # The first token of a row is given, not predicted; texts begin after the token that begins them.
            first = self.codec.begin_token if isinstance(self.codec, Begins) else self._end_token()
            start = np.array([] if whole[0] == first else [first], np.int64)
            return self._nats_behind(whole, common, start)

    @torch.no_grad()
    def answer_nats(self, answer: str, question: str, *, told: str = "") -> float:
        """Return how surprising an answer is to a question.

        Args:
            answer: The answer, without a space at its beginning.
            question: The question.
            told: What is to be known for it.

        Raises:
            UnsupportedError: The answer has no tokens, or the chat template refuses the question.
        """
        before = f"{told}\n" if told else ""
        if self._talker is None:
            return self.nats(f" {answer}", given=f"{before}Q: {question}\nA:")
        with threads_for(self.config.computed_weights()):
            asked = self._talker.encode_turns([{"role": USER, "content": before + question}])
            said = _said(self._talker, answer)
            if not len(said):
                raise UnsupportedError(f"the answer {answer!r} has no tokens", expected="at least one character")
            return self._nats_behind(np.concatenate([asked, said]), len(asked), np.zeros(0, np.int64))

    def answer_tokens(self, answer: str) -> int:
        """Return the number of tokens of an answer, at least 1."""
        return self.tokens(f" {answer}") if self._talker is None else max(1, len(_said(self._talker, answer)))

    def _nats_behind(self, whole: np.ndarray, common: int, start: np.ndarray) -> float:
        """Return the nats of tokens from a place on; what does not fit is left out in front of it, but for what begins the row."""
        left_out = max(0, len(start) + len(whole) - self.config.window_length)
        self.left_out = max(self.left_out, left_out)
        row = np.concatenate([start, whole[left_out:]])
        return self._row_nats(row) - self._row_nats(row[: max(0, common - left_out) + len(start)])

    def _end_token(self) -> int:
        assert isinstance(self.codec, Ends)
        return self.codec.end_token

    def tokens(self, text: str) -> int:
        """Return the number of tokens of a text, at least 1."""
        assert isinstance(self.codec, EncodesText)
        return max(1, len(self.codec.encode_text(text)))

    def _row_nats(self, row: np.ndarray) -> float:
        if len(row) < 2:
            return 0.0
        key = row.tobytes()
        if key not in self._known:
            if len(self._known) > 4096:
                self._known.clear()
            device = next((weight.device for weight in self.family.parameters()), torch.device("cpu"))
            loss = self.family.validation_loss({TARGET: torch.from_numpy(row)[None].to(device)}, torch.Generator())
            self._known[key] = float(loss.value) * loss.count
        return self._known[key]


def _said(codec: ChatCodec | PretrainedTextCodec, answer: str) -> np.ndarray:
    """Return the tokens of an answer inside its turn, int64 ``[length]``."""
    return plain_tokens(codec.text if isinstance(codec, ChatCodec) else codec, answer)
