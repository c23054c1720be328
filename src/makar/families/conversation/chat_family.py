"""A model that answers: the next-token loss over the answers of conversations, and nothing of what is only read.

The loss is the mean over all learned tokens of a batch, as in Ouyang et al. 2022, arXiv 2203.02155 (supervised tuning). Rows are whole
conversations, like lengths together; of rows of alpaca, batches of 16, about 3 % of the positions are filling (``docs/families/chat.md``),
so packing several into one row, and a mask against attending across, would gain no more than that.
"""

import torch
from torch import Tensor

from makar.families.conversation.config import ChatConfig
from makar.families.conversation.speaking import UNIT, SpeakingFamily
from makar.families.conversation.token_scores import Writer
from makar.families.family import Batch, Loss, Phase
from makar.tensor_spec import LEARNED, TARGET


class ChatFamily(SpeakingFamily):
    """A decoder transformer that learns answers.

    Args:
        config: Sizes, with the vocabulary known.
        writer: The network, where it is there already.
    """

    def __init__(self, config: ChatConfig, *, writer: Writer | None = None) -> None:
        super().__init__(config, writer=writer)

    @property
    def concurrent(self) -> bool:  # type: ignore[override]  # of each network its own
        """Whether several threads may compute losses at once; those of transformers are not made for it."""
        return self.writer.concurrent

    def phases(self) -> list[Phase]:
        """Return the one phase: every parameter minimises the surprise at the answers."""
        return [Phase(name="answers", groups=self.groups(), loss=self._loss)]

    def validation_loss(self, batch: Batch, generator: torch.Generator) -> Loss:
        """Return the surprise at the answers without dropout."""
        del generator
        with torch.no_grad():
            return answer_loss(self, batch[TARGET], batch[LEARNED], None)

    def _loss(self, batch: Batch, generator: torch.Generator) -> Loss:
        return answer_loss(self, batch[TARGET], batch[LEARNED], generator)


def answer_loss(family: SpeakingFamily, tokens: Tensor, learned: Tensor, generator: torch.Generator | None) -> Loss:
    """Return the mean surprise at the learned tokens of rows, nats a token.

    Args:
        family: The model.
        tokens: int64 ``[batch, length]``.
        learned: int64 ``[batch, length]``, 1 where a token counts.
        generator: Source of dropout's masks; ``None`` drops nothing.
    """
    value, count = family.token_scores.surprise(tokens, learned, generator)
    return Loss(value=value, count=max(1, count), unit=UNIT)
