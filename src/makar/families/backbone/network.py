"""The velocity of backbones on their way from noise: attention between residues that see each other, whatever way the whole is turned.

Residues look at bonds in their own frames (``frames``), at each other's distance, direction and turn, and say in their own frames how bonds
move: if a backbone is turned, so is the answer (equivariance to rotations; places do not enter at all), and its mirror image is something
else. A block is that of a DiT (Peebles and Xie 2022, arXiv 2212.09748) whose attention is biased by what is known of two residues and
gathers it too (Jumper et al. 2021, Nature 596, 583, algorithm 22 without points).
"""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from makar.codecs.backbone_config import AXES, VECTORS
from makar.families.backbone.config import (
    DISTANCES,
    FARTHEST_OFFSET,
    FRAMES,
    PAIR_FEATURES,
    PLACE_WAVES,
    BackboneConfig,
)
from makar.families.backbone.frames import before, frames_of, pairs_of, places_of, planes_of, seen_from, turned_back
from makar.families.diffusion.preconditioning import preconditioned
from makar.nn.convolution import Pointwise
from makar.nn.time_embedding import TimeEmbedding

NEAREST_RANGE, FARTHEST_RANGE = 2.0, 32.0
"""Of distances that are told apart, in angstroms."""

LONGEST_WAVE = 200.0
USUAL_DEVIATION = 0.8
"""Of a bond of 1.4 angstroms along one axis; what is known before the data are."""

Bonds = Float[Tensor, "batch 3 4 residues"]


def place_waves(place: Tensor) -> Tensor:
    """Return sines and cosines of places along a chain ``[..., 2 PLACE_WAVES]``."""
    exponents = torch.arange(PLACE_WAVES, device=place.device, dtype=torch.float32) / (PLACE_WAVES - 1)
    angles = place[..., None].float() * torch.exp(-exponents * math.log(LONGEST_WAVE))
    return torch.cat([torch.cos(angles), torch.sin(angles)], -1)


class PairAttention(nn.Module):
    """Attention of residues, biased by what is known of two of them, which is gathered too.

    Args:
        width: Channels of a residue.
        heads: Number of heads.
        pair_width: Channels of two residues.
    """

    def __init__(self, width: int, heads: int, pair_width: int) -> None:
        super().__init__()
        self.heads = heads
        self.enter = Pointwise(width, 3 * width)
        self.bias = Pointwise(pair_width, heads)
        self.leave = Pointwise(width + heads * pair_width, width)

    def forward(
        self,
        x: Float[Tensor, "batch residues width"],
        pairs: Float[Tensor, "batch residues residues pair"],
        exists: Bool[Tensor, "batch residues"],
    ) -> Float[Tensor, "batch residues width"]:
        """Let every residue look at those that exist."""
        query, key, value = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in self.enter(x).chunk(3, dim=-1)
        )
        scores = query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1]) + self.bias(pairs).permute(0, 3, 1, 2)
        weights = scores.masked_fill(~exists[:, None, None], -1e9).softmax(-1)
        gathered = (weights @ value).transpose(1, 2).flatten(2)
        known = (weights.transpose(1, 2) @ pairs).flatten(2)
        return self.leave(torch.cat([gathered, known], -1))


class BackboneBlock(nn.Module):
    """Attention and two layers, each shifted, scaled and gated by time, length and class; it starts as the identity.

    Args:
        config: Sizes.
    """

    def __init__(self, config: BackboneConfig) -> None:
        super().__init__()
        width, hidden = config.width, config.expansion * config.width
        self.modulation = Pointwise(width, 6 * width, scale=0.0)
        self.attention = PairAttention(width, config.heads, config.pair_width)
        self.first = Pointwise(width, hidden)
        self.second = Pointwise(hidden, width)

    def forward(self, x: Tensor, embedding: Tensor, pairs: Tensor, exists: Tensor) -> Tensor:
        """Refine the residues."""
        width = x.shape[-1]
        shift, scale, gate, last_shift, last_scale, last_gate = self.modulation(embedding)[:, None].chunk(6, dim=-1)
        seen = torch.addcmul(shift, F.layer_norm(x, (width,)), 1 + scale)
        x = x + gate * self.attention(seen, pairs, exists)
        h = self.first(torch.addcmul(last_shift, F.layer_norm(x, (width,)), 1 + last_scale))
        return x + last_gate * self.second(F.gelu(h, approximate="tanh"))


class BackboneNetwork(nn.Module):
    """The learned velocity of bonds.

    Args:
        config: Sizes.
    """

    data_deviation: Tensor
    ranges: Tensor

    def __init__(self, config: BackboneConfig) -> None:
        super().__init__()
        width = config.width
        self.reach = config.reach
        self.embedding = TimeEmbedding(width, config.classes)
        self.length = Pointwise(2 * PLACE_WAVES, width)
        self.enter = Pointwise(config.residue_features, width)
        self.pair = Pointwise(PAIR_FEATURES, config.pair_width)
        self.offset = nn.Parameter(torch.zeros(2 * FARTHEST_OFFSET + 1, config.pair_width))
        self.blocks = nn.ModuleList(BackboneBlock(config) for _ in range(config.blocks))
        self.modulation = Pointwise(width, 2 * width, scale=0.0)
        self.leave = Pointwise(width, FRAMES * VECTORS * AXES, scale=0.0)
        # The same along every axis: a backbone may be turned any way.
        self.register_buffer("data_deviation", torch.full((AXES, VECTORS, 1), USUAL_DEVIATION))
        self.register_buffer("ranges", torch.linspace(NEAREST_RANGE, FARTHEST_RANGE, DISTANCES), persistent=False)

    def velocity(
        self,
        point: Bonds,
        time: Float[Tensor, " batch"],
        exists: Bool[Tensor, "batch residues"],
        label: Int[Tensor, " batch"] | None = None,
    ) -> Bonds:
        """Return the velocity at each point.

        Args:
            point: Points on paths from noise to data, in angstroms.
            time: 0 (noise) to 1 (data).
            exists: Which residues there are.
            label: Class of each example, the number of classes for none; ``None`` where the model has no classes.
        """
        return preconditioned(
            lambda scaled: self._body(scaled, time, exists, label),
            point,
            time=time,
            mean=torch.zeros_like(self.data_deviation),
            deviation=self.data_deviation,
            noise=torch.ones_like(self.data_deviation),
        )

    def forward(self, point: Tensor, time: Tensor, exists: Tensor, label: Tensor | None = None) -> Bonds:
        """Return the velocity at each point, with ``exists`` as 0 and 1: what is exported."""
        return self.velocity(point, time, exists > 0.5, label)

    def _body(self, scaled: Tensor, time: Tensor, exists: Tensor, label: Tensor | None) -> Tensor:
        vectors = (scaled * self.data_deviation).permute(0, 3, 2, 1)
        frames, planes = frames_of(vectors), planes_of(vectors)
        place = torch.arange(vectors.shape[1], device=scaled.device)
        lengths = exists.sum(1)
        from_end = lengths[:, None] - 1 - place
        waves = torch.cat([place_waves(place).expand(scaled.shape[0], -1, -1), place_waves(from_end)], -1)
        seen = [seen_from(vectors, one, exists, reach=self.reach) for one in (frames, planes)]
        x = self.enter(torch.cat([*seen, waves], -1))
        offset = (place[None] - place[:, None]).clamp(-FARTHEST_OFFSET, FARTHEST_OFFSET) + FARTHEST_OFFSET
        pairs = F.silu(self.pair(pairs_of(places_of(vectors), frames, ranges=self.ranges)) + self.offset[offset])
        embedding = self.embedding(time, label, self.length(place_waves(lengths)))
        for block in self.blocks:
            x = block(x, embedding, pairs, exists)
        shift, scale = self.modulation(embedding)[:, None].chunk(2, dim=-1)
        x = self.leave(torch.addcmul(shift, F.layer_norm(x, (x.shape[-1],)), 1 + scale))
        # What is stiff is the same in one of the frames, whatever the others do.
        said = x.unflatten(-1, (FRAMES, VECTORS, AXES)).unbind(2)
        moved = sum(turned_back(one, axes) for one, axes in zip(said, (frames, planes, before(planes)), strict=True))
        return (moved * exists[:, :, None, None]).permute(0, 3, 2, 1)
