"""Finds the answer to a question in a passage: which token begins it and which one ends it, or that it is not there.

With b and e the places of the first and the last token, and both distributions over the tokens of the passage in a window and the place
that stands for none, the loss is (Devlin et al. 2018, arXiv 1810.04805, section 4.2; the sum over several places of the same answer: Clark
and Gardner 2018, arXiv 1710.10723, equation 2)::

    loss = - (log sum of p_begin over b + log sum of p_end over e) / 2

Every step reads another window of a passage that does not fit: every other one holds the answer, and one that does not has none. The answer
is the span of at most ``longest_answer`` tokens with the largest product over all windows; that there is none is as likely as in the
window where it is least likely. Tokens of the passage that stand in the question bear a mark, a vector added to theirs, so that a small
network need not learn to compare (Chen et al. 2017, arXiv 1704.00051, section 3.2, exact match). A question whose answer was not found in
its passage teaches nothing.
"""

from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from makar.codecs.question_text_config import GIVEN, NONE
from makar.errors import UsageError
from makar.families.encoder.family import EncoderFamily, HeadedNetwork, read_with_hidden
from makar.families.encoder.layouts import labels_settings
from makar.families.encoder.network import PRECISIONS
from makar.families.encoder.passage_windows import Windows, all_offsets, cut, drawn_offsets, room
from makar.families.encoder.reading import encoder_groups, shortened
from makar.families.encoder.span_finder_config import SpanFinderConfig
from makar.families.family import Batch, Loss, Phase
from makar.tensor_spec import SPAN, TARGET

UNIT = "nats/text"
HOLDING_SHARE = 0.5
"""Share of the windows in training that hold the answer, where a passage has several."""

TOGETHER = 32


@runtime_checkable
class ReadsQuestions(Protocol):
    """What is needed of a codec of questions."""

    some_have_none: bool

    def question_tokens(self, question: str) -> np.ndarray:
        """Return what stands before a passage."""

    def passage(self, context: str) -> tuple[np.ndarray, list[tuple[int, int]]]:
        """Return the tokens of a passage, and where the characters of each begin and end."""


class Found(NamedTuple):
    """Answers in rows: first and last token from 0 on, their probability, that of there being none, and how many windows were read."""

    span: Int[Tensor, "rows 2"]
    probability: Float[Tensor, " rows"]
    none: Float[Tensor, " rows"]
    windows: int


class SpanFinderNetwork(HeadedNetwork):
    """From tokens to the logits of being the beginning, and the end, of an answer.

    Args:
        config: Sizes.
    """

    def __init__(self, config: SpanFinderConfig) -> None:
        super().__init__(config, 2)
        self.mark = nn.Parameter(torch.zeros(config.width)) if config.matches else None

    def initialise(self, generator: torch.Generator) -> None:
        """Draw every weight; a mark begins as large as the normed vector of a token."""
        super().initialise(generator)
        if self.mark is not None:
            with torch.no_grad():
                self.mark.copy_(torch.randn(self.mark.shape, generator=generator))

    def forward(
        self,
        tokens: Int[Tensor, "batch length"],
        shared: Bool[Tensor, "batch length"],
        dtype: torch.dtype = torch.float32,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "batch length 2"]:
        """Return logits.

        Args:
            tokens: Filled up with the padding token.
            shared: Which of them bear the mark.
            dtype: Type of the products.
            generator: Source of dropout's masks and of hidden tokens; ``None`` as outside training.
        """
        added = None if self.mark is None else shared[..., None] * self.mark
        stream, _ = read_with_hidden(self.encoder, tokens, dtype, generator, added=added)
        logits: Tensor = self.head(stream, dtype=dtype, generator=generator)
        return logits


class SpanFinderFamily(EncoderFamily):
    """A finder of answers.

    Args:
        config: Sizes, bound to what the codec makes.
    """

    architecture: ClassVar[str] = "ModernBertForQuestionAnswering"
    config: SpanFinderConfig
    network: SpanFinderNetwork

    def __init__(self, config: SpanFinderConfig) -> None:
        super().__init__(config, SpanFinderNetwork(config))

    def phases(self) -> list[Phase]:
        """Return the one phase: every parameter minimises the surprise at both ends of answers."""
        return [Phase(name="spans", groups=encoder_groups(self.network), loss=self._loss)]

    def _loss(self, batch: Batch, generator: torch.Generator) -> Loss:
        draws = torch.rand((len(batch[TARGET]), 2), generator=generator).to(batch[TARGET].device)
        return self._surprise(batch, draws, generator)

    def validation_loss(self, batch: Batch, generator: torch.Generator) -> Loss:
        """Return the surprise at both ends in a window that holds the answer in its middle, without dropout."""
        del generator
        draws = torch.tensor([0.0, 0.5], device=batch[TARGET].device).expand(len(batch[TARGET]), 2)
        with torch.no_grad():
            return self._surprise(batch, draws, None)

    def _surprise(self, batch: Batch, draws: Tensor, generator: torch.Generator | None) -> Loss:
        rows, about = shortened(batch[TARGET], self.config), batch[SPAN]
        begin, places = about[:, 0] - 1, about[:, 2:].view(len(rows), -1, 2) - 1
        rooms = room(begin, self.config.length)
        counts = (rows != self.config.padding_token).sum(1) - begin
        first = (places[:, 0] - begin[:, None]).clamp(min=0)
        offset = drawn_offsets(counts, rooms, first, draws, share=HOLDING_SHARE)
        windows = self._cut(rows, begin, offset)
        chances = self._chances(windows, PRECISIONS[self.precision], generator)
        there = windows.in_window(places.flatten(1)).view_as(places)
        length = windows.tokens.shape[1]
        inside = (places[..., 0] >= 0) & (there[..., 0] > windows.null[:, None]) & (there[..., 1] < length)
        inside = inside & (about[:, 1] == GIVEN)[:, None]
        known = (about[:, 1] == GIVEN) | (about[:, 1] == NONE)
        count = int(known.sum())
        if not count:
            return Loss(value=chances[windows.inside].sum() * 0.0, count=1, unit=UNIT)
        columns = torch.arange(length, device=rows.device)
        nowhere = ~inside.any(1, keepdim=True) & (columns == windows.null[:, None])
        value = chances.new_zeros(())
        for end in (0, 1):
            right = ((columns == there[..., end, None]) & inside[..., None]).any(1) | nowhere
            surprise = -chances[..., end].masked_fill(~right, -torch.inf).logsumexp(1)
            value = value + surprise[known].sum() / (2 * count)
        return Loss(value=value, count=count, unit=UNIT)

    def _cut(self, rows: Tensor, begin: Tensor, offset: Tensor) -> Windows:
        return cut(rows, begin, offset, length=self.config.length, padding=self.config.padding_token)

    def _chances(self, windows: Windows, dtype: torch.dtype, generator: torch.Generator | None) -> Tensor:
        """Return the logarithm of the probability of each place, minus infinity where no answer may begin or end."""
        logits = self.network(windows.tokens, windows.shared, dtype, generator)
        return logits.masked_fill(~windows.allowed[..., None], -torch.inf).log_softmax(1)

    def find(self, rows: Int[Tensor, "rows length"], begin: Int[Tensor, " rows"]) -> Found:
        """Return the best answer of every row.

        Args:
            rows: Questions with passages of any length, filled up with the padding token.
            begin: Where the passage begins in each, from 0 on.
        """
        counts = (rows != self.config.padding_token).sum(1) - begin
        owner, offset = (part.to(rows.device) for part in all_offsets(counts, room(begin, self.config.length)))
        best, none, ends = [], [], []
        with torch.no_grad():
            for part, at in zip(owner.split(TOGETHER), offset.split(TOGETHER), strict=True):
                windows = self._cut(rows[part], begin[part], at)
                chances = self._chances(windows, torch.float32, None)
                none.append(chances.gather(1, windows.null[:, None, None].expand(-1, 1, 2))[:, 0].sum(1))
                inner = chances.masked_fill(~windows.inside[..., None], -torch.inf)
                both = inner[:, :, None, 0] + inner[:, None, :, 1]
                allowed = torch.ones(both.shape[1:], dtype=torch.bool, device=rows.device)
                allowed = allowed.triu().tril(self.config.longest_answer - 1)
                score, place = both.masked_fill(~allowed, -torch.inf).flatten(1).max(1)
                best.append(score)
                length = both.shape[2]
                ends.append(torch.stack([windows.of_row(place // length), windows.of_row(place % length)], 1))
        scores, nones, spans = torch.cat(best), torch.cat(none), torch.cat(ends)
        chosen = torch.stack([self._best_of(scores, owner == number) for number in range(len(rows))])
        least = torch.stack([nones[owner == number].min() for number in range(len(rows))])
        return Found(spans[chosen], scores[chosen].exp(), least.exp(), len(owner))

    def _best_of(self, scores: Tensor, mine: Tensor) -> Tensor:
        return scores.masked_fill(~mine, -torch.inf).argmax()

    def predict(self, batch: Batch, what: str, generator: torch.Generator) -> dict[str, np.ndarray]:
        """Return ``span``, int64 ``[batch, 2]``: first and last token of the answer; ``probability``, and that of ``none``."""
        if what not in self.predictions:
            return super().predict(batch, what, generator)
        found = self.find(batch[TARGET], batch[SPAN][:, 0] - 1)
        return {
            "span": found.span.cpu().numpy(),
            "probability": found.probability.cpu().numpy(),
            "none": found.none.cpu().numpy(),
        }

    def answers(self, asked: Sequence[tuple[str, str]], codec: ReadsQuestions) -> list[dict[str, Any]]:
        """Return the answer to each question, from the passage that comes with it: its text, place, and probability.

        Args:
            asked: Questions with passages; passages that are longer than what is read at once are read in windows.
            codec: The codec of the model.
        """
        said = []
        device = self.network.encoder.embeddings.device
        for question, text in asked:
            before, (body, places) = codec.question_tokens(question), codec.passage(text)
            row = torch.from_numpy(np.concatenate([before, body]))[None].to(device)
            found = self.find(row, torch.tensor([len(before)], device=device))
            first, last = (found.span[0] - len(before)).tolist()
            probability, none = float(found.probability[0]), float(found.none[0])
            windows = {"windows": found.windows} if found.windows > 1 else {}
            if codec.some_have_none and none > probability:
                said.append({"answer": "", "probability": none, **windows})
                continue
            start, end = places[first][0], places[last][1]
            start += len(text[start:end]) - len(text[start:end].lstrip())
            answer = text[start:end].rstrip()
            said.append(
                {"answer": answer, "probability": probability, "start": start, "end": start + len(answer), **windows}
            )
        return said

    def read_text(self, text: str, codec: ReadsQuestions, *, query: str | None) -> dict[str, Any]:
        """Return the answer to a question that a passage holds; an empty one where it holds none.

        Args:
            text: The passage.
            codec: The codec of the model.
            query: The question.

        Raises:
            UsageError: There is no question, or the passage is empty.
        """
        if query is None or not query.strip():
            raise UsageError("a passage without a question", expected='--query "the question"')
        if not text.strip():
            raise UsageError("an empty passage", expected="at least one word")
        return self.answers([(query, text)], codec)[0]

    def settings(self, codec: Any) -> dict[str, Any]:
        """Return the names of what is told of a token."""
        del codec
        return labels_settings(("begins", "ends"))

    @property
    def is_known(self) -> bool:
        """Not where tokens bear marks, which transformers does not know."""
        return not self.config.matches

    def onnx_module(self) -> tuple[nn.Module, str, dict[str, Tensor]]:
        """Return the network from tokens, and which of the passage stand in the question, to logits."""
        return self.network, "logits", {"shared": torch.tensor([[False, True, False, True]] * 2)}
