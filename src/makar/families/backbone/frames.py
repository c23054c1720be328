"""Bonds of noisy backbones as places and directions: what of them does not depend on where a protein lies and how it is turned.

A residue is turned as its CA-C bond and the direction to its N are, even where both are noise (Lin and AlQuraishi 2023, arXiv 2301.12485,
section 3.2, with frames of the noisy atoms themselves; Jumper et al. 2021, algorithm 21, for the frame). The peptide group behind it, which
is flat and stiff, has a frame of its own. Frames are right-handed, so what is seen from one tells a backbone from its mirror image.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

SMALLEST = 1e-6

Vectors = Float[Tensor, "batch residues 4 3"]
Frames = Float[Tensor, "batch residues 3 3"]


def frames_of(vectors: Vectors) -> Frames:
    """Return how residues are turned: columns along CA-C, towards N across it, and at right angles to both."""
    return _frames(vectors[:, :, 1], -vectors[:, :, 0])


def planes_of(vectors: Vectors) -> Frames:
    """Return how the planes of the peptide groups behind residues are turned: columns along CA-C, towards O across it, and out of it."""
    return _frames(vectors[:, :, 1], vectors[:, :, 2])


def before(frames: Frames) -> Frames:
    """Return the frames of the residue before each; of the first its own."""
    return torch.cat([frames[:, :1], frames[:, :-1]], 1)


def places_of(vectors: Vectors) -> Float[Tensor, "batch residues 3"]:
    """Return where the CA atoms are, from bonds that follow each other."""
    steps = vectors[:, :, 0] + vectors[:, :, 1] + vectors[:, :, 3]
    return torch.cumsum(steps, 1) - steps + vectors[:, :, 0]


def seen_from(vectors: Vectors, frames: Frames, exists: Bool[Tensor, "batch residues"], *, reach: int) -> Tensor:
    """Return the bonds of every residue and of its neighbours as the residue sees them ``[batch, residues, (2 reach + 1) 12]``.

    Args:
        vectors: Bonds.
        frames: How residues are turned.
        exists: Which residues there are.
        reach: Neighbours to each side.
    """
    count = vectors.shape[1]
    padded = F.pad(vectors * exists[:, :, None, None], (0, 0, 0, 0, reach, reach))
    around = torch.cat([padded[:, shift : shift + count] for shift in range(2 * reach + 1)], 2)
    return (around @ frames).flatten(2)


def pairs_of(
    places: Float[Tensor, "batch residues 3"], frames: Frames, *, ranges: Float[Tensor, " ranges"]
) -> Float[Tensor, "batch residues residues features"]:
    """Return what is known of every two residues, as the first one sees the second.

    Args:
        places: CA atoms in angstroms.
        frames: How residues are turned.
        ranges: Middles of the ranges of distance in angstroms, evenly spaced.
    """
    apart = places[:, None] - places[:, :, None]
    far = (apart.square().sum(-1, keepdim=True) + SMALLEST).sqrt()
    spread = ranges[1] - ranges[0]
    near = torch.exp(-((far - ranges) / spread).square())
    direction = (apart / far) @ frames
    turned = torch.einsum("biac,bjad->bijcd", frames, frames).flatten(3)
    return torch.cat([near, torch.log1p(far) / 4.0, direction, turned], -1)


def turned_back(seen: Vectors, frames: Frames) -> Vectors:
    """Return vectors in space from what residues see."""
    return seen @ frames.transpose(-1, -2)


def turned_onto(
    data: Float[Tensor, "batch 3 vectors residues"], noise: Float[Tensor, "batch 3 vectors residues"]
) -> Float[Tensor, "batch 3 vectors residues"]:
    """Return data, turned so that it is nearest to noise; never mirrored.

    Source: Kabsch 1976 (Acta Cryst. A32, 922) with the sign of Kabsch 1978.
    """
    mixed = torch.einsum("bivr,bjvr->bij", noise, data)
    left, _, right = torch.linalg.svd(mixed)
    sign = torch.linalg.det(left @ right)
    signs = torch.stack([torch.ones_like(sign), torch.ones_like(sign), sign.sign()], -1)
    turn = (left * signs[:, None]) @ right
    return torch.einsum("bij,bjvr->bivr", turn, data)


def _frames(along: Tensor, towards: Tensor) -> Frames:
    first = _unit(along)
    second = _unit(towards - (towards * first).sum(-1, keepdim=True) * first)
    return torch.stack([first, second, torch.linalg.cross(first, second)], dim=-1)


def _unit(vectors: Tensor) -> Tensor:
    return vectors * (vectors.square().sum(-1, keepdim=True) + SMALLEST).rsqrt()
