"""From the picture of a recording to how likely each letter is at each step: two frames a step, then blocks that look to both sides."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from makar.codecs.transcript_config import FRAMES_A_STEP
from makar.families.recogniser.config import RecogniserConfig
from makar.nn.convolution import Pointwise
from makar.nn.frame_block import FrameBlock


class RecogniserNetwork(nn.Module):
    """Convolutions alone, so that a long recording can be heard in parts that overlap.

    Args:
        config: Sizes.
    """

    def __init__(self, config: RecogniserConfig) -> None:
        super().__init__()
        self.dropout = config.dropout
        self.enter = Pointwise(FRAMES_A_STEP * config.mels, config.width)
        self.blocks = nn.ModuleList(
            FrameBlock(config.width, config.width * config.expansion, reach=config.reach) for _ in range(config.depth)
        )
        self.leave = Pointwise(config.width, config.vocabulary)

    def forward(
        self,
        target: Float[Tensor, "batch mels 1 frames"],
        dtype: torch.dtype = torch.float32,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "batch steps vocabulary"]:
        """Return the logarithm of the chance of every letter, float32.

        Args:
            target: -1 to 1.
            dtype: Type of the products.
            generator: Source of dropout; ``None`` as outside training.
        """
        frames = target[:, :, 0].transpose(1, 2)
        steps = frames.shape[1] // FRAMES_A_STEP
        x = frames[:, : steps * FRAMES_A_STEP].reshape(frames.shape[0], steps, -1).to(dtype)
        x = self.enter(x)
        for block in self.blocks:
            x = block(x, dropout=self.dropout, generator=generator)
        return F.log_softmax(self.leave(F.layer_norm(x, (x.shape[-1],))).float(), dim=-1)
