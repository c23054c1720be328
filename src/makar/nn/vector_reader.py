"""One vector an example, such as the embedding of an image, as a few tokens for attention and as a whole beside the time.

As in the decoder of DALL-E 2 (Ramesh et al. 2022, arXiv 2204.06125, section 2.1): the vector is projected and added to the vector of the
time, and projected into four further tokens that stand behind those of the caption. It is normed first, so a vector of zeros says that
there is none, and what the network makes of that is learned.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from makar.nn.convolution import Pointwise
from makar.nn.text_encoder import TextStates

TOKENS = 4


class VectorReader(nn.Module):
    """From vectors to states like those of a caption.

    Args:
        channels: Length of a vector.
        width: Channels of a token.
    """

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.compute_type = torch.float32
        self.tokens = Pointwise(channels, TOKENS * width)
        self.whole = Pointwise(channels, width)

    def forward(self, vectors: Float[Tensor, "batch channels"], text: TextStates | None) -> TextStates:
        """Read vectors, behind what was read of captions.

        Args:
            vectors: One an example; zeros for none.
            text: Captions that were read; ``None`` where the model has no captions.
        """
        normed = F.layer_norm(vectors.float(), (vectors.shape[1],))
        tokens = self.tokens(normed.to(self.compute_type)).unflatten(1, (TOKENS, -1))
        whole = self.whole(normed)
        exists = torch.ones(tokens.shape[:2], dtype=torch.bool, device=tokens.device)
        if text is None:
            return TextStates(tokens=tokens, exists=exists, whole=whole)
        return TextStates(
            tokens=torch.cat([text.tokens.to(tokens.dtype), tokens], 1),
            exists=torch.cat([text.exists, exists], 1),
            whole=text.whole + whole,
        )
