"""A small U-Net over channels-last images: what is computed where in an image, told the time, the class and the caption.

Decisions: the image is folded by ``patch`` first, because a pixel of full resolution costs as much as one of half the resolution that
sees four times as much; norms are over the channels of one position (ConvNeXt, Liu et al. 2022, arXiv 2201.03545), as they are
the fast ones in this layout; a block has one norm, one activation and one modulation by time and class (adaptive norm, Dhariwal and
Nichol 2021, arXiv 2105.05233; started at the identity as in Peebles and Xie 2022, arXiv 2212.09748); what comes across from the way
down is added through a 1x1 convolution instead of being concatenated. With captions, the levels that attend also look at the tokens of the
caption (Rombach et al. 2022, arXiv 2112.10752, section 3.3), and the whole of it is added to the vector of the time. Source of the shape:
Ronneberger et al. 2015 (arXiv 1505.04597).
"""

import dataclasses
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from makar.nn.convolution import Convolution, Pointwise, fold, unfold
from makar.nn.spatial_attention import SpatialAttention
from makar.nn.temporal import TemporalAttention, TemporalConvolution
from makar.nn.text_encoder import TextStates
from makar.nn.time_embedding import TimeEmbedding
from makar.nn.token_attention import TokenAttention

Steer = Callable[[Tensor, Tensor, TextStates | None], Sequence[Tensor]]


class CaptionReading(nn.Module):
    """Attention of every position to the tokens of a caption, added to its input.

    Args:
        width: Channels.
        heads: Number of heads.
        text_width: Channels of caption tokens.
        frames: Images of the batch that share a caption.
    """

    def __init__(self, width: int, heads: int, text_width: int, *, frames: int = 1) -> None:
        super().__init__()
        self.frames = frames
        self.attention = TokenAttention(width, heads, context_width=text_width)

    def forward(
        self, x: Float[Tensor, "images height width channels"], text: TextStates
    ) -> Float[Tensor, "images height width channels"]:
        """Let every position read."""
        asking = F.layer_norm(x, (x.shape[-1],)).flatten(1, 2)
        if self.frames > 1:
            # The places of all frames of a clip read the one caption of the clip.
            asking = asking.unflatten(0, (-1, self.frames)).flatten(1, 2)
        return x + self.attention(asking, text.tokens.to(x.dtype), text.exists).view(x.shape)


class UNetBlock(nn.Module):
    """A residual block: norm, modulation by time and class, 3x3 convolution, SiLU, 3x3 convolution.

    Args:
        width: Channels.
        hidden: Channels between the convolutions.
        embedding_width: Length of the vector of time and class.
    """

    def __init__(self, width: int, hidden: int, embedding_width: int) -> None:
        super().__init__()
        self.modulation = Pointwise(embedding_width, 2 * width, scale=0.0)
        self.first = Convolution(width, hidden)
        self.second = Convolution(hidden, width, scale=0.0)

    def forward(
        self, x: Float[Tensor, "batch height width channels"], embedding: Float[Tensor, "batch embedding"]
    ) -> Float[Tensor, "batch height width channels"]:
        """Refine the image."""
        scale, shift = self.modulation(embedding).to(x.dtype)[:, None, None].chunk(2, dim=-1)
        h = torch.addcmul(shift, F.layer_norm(x, (x.shape[-1],)), 1 + scale)
        return x + self.second(F.silu(self.first(h)))


@dataclasses.dataclass(frozen=True, kw_only=True)
class UNetSizes:
    """What a U-Net is made of.

    Attributes:
        channels: Channels of the image.
        patch: Pixels folded into one position along each side.
        widths: Channels of every level; each level has half the resolution of the one before.
        blocks: Blocks a level on the way down, and as many on the way up.
        expansion: Width of a block's inner layer as a multiple of its channels.
        attention_levels: Levels, counted from 0, that attend once on the way down and once on the way up, after their first block.
        head_width: Channels of an attention head.
        embedding_width: Length of the vector of time and class.
        classes: Number of classes; 0 for none.
        text_width: Channels of caption tokens; 0 for no captions.
        further_channels: Channels that are seen beside those of the image and not made.
        frames: Images that follow each other in the batch and make up a clip; 1 for none that belong together.
    """

    channels: int
    patch: int
    widths: Sequence[int]
    blocks: int
    expansion: int
    attention_levels: Sequence[int]
    head_width: int
    embedding_width: int
    classes: int
    text_width: int = 0
    further_channels: int = 0
    frames: int = 1


class UNet(nn.Module):
    """From a noisy image, a time, a class and a caption to an image of the same shape.

    Args:
        sizes: What it is made of.
    """

    def __init__(self, sizes: UNetSizes) -> None:
        super().__init__()
        widths = sizes.widths
        self.patch = sizes.patch
        self.frames = sizes.frames
        self.compute_type = torch.float32
        self.multiple = sizes.patch * 2 ** (len(widths) - 1)
        text_width = sizes.text_width
        self.embedding = TimeEmbedding(sizes.embedding_width, sizes.classes)
        self.caption_vector = Pointwise(text_width, sizes.embedding_width) if text_width else None
        self.enter = Convolution((sizes.channels + sizes.further_channels) * sizes.patch**2, widths[0])
        self.leave = Convolution(widths[0], sizes.channels * sizes.patch**2, scale=0.0)

        def level(number: int, count: int) -> nn.ModuleList:
            parts = nn.ModuleList()
            width = widths[number]
            for _ in range(count):
                parts.append(UNetBlock(width, sizes.expansion * width, sizes.embedding_width))
                if sizes.frames > 1:
                    parts.append(TemporalConvolution(width, sizes.frames))
            if number in sizes.attention_levels:
                heads = max(1, width // sizes.head_width)
                looking: list[nn.Module] = [SpatialAttention(width, heads)]
                if sizes.frames > 1:
                    looking.append(TemporalAttention(width, heads, sizes.frames))
                if text_width:
                    looking.append(CaptionReading(width, heads, text_width, frames=sizes.frames))
                behind_first = 2 if sizes.frames > 1 else 1
                for place, part in enumerate(looking, start=behind_first):
                    parts.insert(place, part)
            return parts

        last = len(widths) - 1
        self.down = nn.ModuleList(level(number, sizes.blocks) for number in range(last + 1))
        self.up = nn.ModuleList(level(number, sizes.blocks) for number in range(last + 1))
        self.shrink = nn.ModuleList(Pointwise(4 * widths[n], widths[n + 1]) for n in range(last))
        self.grow = nn.ModuleList(Pointwise(widths[n + 1], 4 * widths[n]) for n in range(last))
        self.across = nn.ModuleList(Pointwise(widths[n], widths[n]) for n in range(last))

    def forward(
        self,
        image: Float[Tensor, "images seen height width"],
        time: Float[Tensor, " batch"],
        label: Int[Tensor, " batch"] | None = None,
        text: TextStates | None = None,
        steer: Steer | None = None,
        alone: Bool[Tensor, " batch"] | None = None,
    ) -> Float[Tensor, "images channels height width"]:
        """Return the image that the network makes of a noisy one, float32.

        Args:
            image: The noisy image, of about unit variance, and after its channels those that are only seen. Of clips all frames, one
                clip after the other; time, label and captions are one a clip.
            time: Position on the path, 0 (noise) to 1 (data).
            label: Class of every example, ``classes`` for none; ignored only when the network has no classes.
            text: Captions that were read; ignored only when the network has no captions.
            steer: From the folded image, the vector of time and condition, and the captions to what is added on each level; none steers
                nothing.
            alone: Of clips which have frames that do not belong together: no layer looks along time there; ``None`` where all do.
        """
        height, width = image.shape[2:]
        added = self.caption_vector(text.whole) if self.caption_vector is not None and text is not None else None
        embedding = self.embedding(time, label, added)
        if self.frames > 1:
            embedding = embedding.repeat_interleave(self.frames, 0)
            alone = None if alone is None else alone.repeat_interleave(self.frames, 0)
        x = self.folded(image)
        steering = steer(x, embedding, text) if steer is not None else None
        x = self.enter(x)
        kept = []
        for number in range(len(self.down)):
            x = through(self.down[number], x, embedding, text, alone)
            kept.append(x)
            if number < len(self.shrink):
                x = self.shrink[number](fold(x, 2))
        if steering is not None:
            kept = [one + other for one, other in zip(kept, steering, strict=True)]
            x = kept[-1]
        for number in reversed(range(len(self.up))):
            if number < len(self.grow):
                x = unfold(self.grow[number](x), 2) + self.across[number](kept[number])
            x = through(self.up[number], x, embedding, text, alone)
        x = self.leave(F.silu(F.layer_norm(x, (x.shape[-1],))))
        x = unfold(x, self.patch) if self.patch > 1 else x
        return x[:, :height, :width].permute(0, 3, 1, 2).float()

    def folded(self, image: Float[Tensor, "batch seen height width"]) -> Float[Tensor, "batch rows columns folded"]:
        """Return an image as the network enters it: channels last, padded to a size that can be halved often enough, patches folded."""
        height, width = image.shape[2:]
        extra_height, extra_width = -height % self.multiple, -width % self.multiple
        x = image.to(self.compute_type).permute(0, 2, 3, 1)
        if extra_height or extra_width:
            x = F.pad(x, (0, 0, 0, extra_width, 0, extra_height))
        return fold(x, self.patch) if self.patch > 1 else x.contiguous()


def through(
    level: nn.Module, x: Tensor, embedding: Tensor, text: TextStates | None, alone: Tensor | None = None
) -> Tensor:
    """Return what the parts of a level make of an image; those that look along time leave images that are ``alone`` as they are."""
    for part in level.children():
        if isinstance(part, CaptionReading):
            x = part(x, text) if text is not None else x
        elif alone is not None and isinstance(part, TemporalConvolution | TemporalAttention):
            x = torch.where(alone[:, None, None, None], x, part(x))
        else:
            x = part(x, embedding) if isinstance(part, UNetBlock) else part(x)
    return x
