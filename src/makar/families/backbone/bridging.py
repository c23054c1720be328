"""New residues between known ones: their bonds along the chain are held to add up to what they have to bridge.

The constraint is linear in the bonds, so the nearest bonds that keep it differ from those that were made by the same vector each.
"""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

ALONG = (0, 1, 3)
"""N-CA, CA-C and C-N follow each other along the chain; C-O leads out of it."""

Bonds = Float[Tensor, "batch 3 4 residues"]


def bridge(
    known: Bonds, mask: Float[Tensor, "batch 1 #vectors residues"], exists: Bool[Tensor, "batch residues"]
) -> Callable[[Bonds], Bonds]:
    """Return a function that makes new bonds lead from one known part to the next as far as the bonds that stand there in ``known``.

    Args:
        known: Bonds; where the mask is 1 what stands in the place of new ones and says how far they have to lead.
        mask: 1 where bonds are made anew.
        exists: Which residues there are.
    """
    batch, axes, _, count = known.shape
    is_new = ((mask > 0.5).expand(-1, -1, known.shape[2], -1)[:, 0] & exists[:, None].to(mask.device))[:, ALONG]
    # One bond after the other along the chain.
    is_new = is_new.transpose(1, 2).flatten(1)
    along = exists.to(mask.device)[:, :, None].expand(-1, -1, len(ALONG)).flatten(1)
    # The bond behind the last residue leads nowhere.
    last = along & ~torch.cat([along[:, len(ALONG) :], torch.zeros_like(along[:, : len(ALONG)])], 1)
    is_chain = along & ~(last & (torch.arange(along.shape[1], device=along.device) % len(ALONG) == 2))
    holes = torch.zeros(batch, along.shape[1], dtype=torch.int64, device=mask.device)
    number = 0
    for row in range(batch):
        places = is_new[row] & is_chain[row]
        begins = places & ~torch.cat([torch.zeros_like(places[:1]), places[:-1]])
        labels = torch.cumsum(begins, 0) * places
        stays = (is_chain[row] & ~is_new[row]).nonzero().flatten()
        for hole in range(1, int(labels.max()) + 1):
            where = (labels == hole).nonzero().flatten()
            # What has nothing known on one side is free.
            if len(stays) and stays[0] < where[0] and stays[-1] > where[-1]:
                number += 1
                holes[row, where] = number
    wanted = _chain(known)
    flat = holes.flatten()
    sizes = torch.zeros(number + 1, device=flat.device).index_add_(0, flat, torch.ones(len(flat), device=flat.device))

    def agreed(bonds: Bonds) -> Bonds:
        chain = _chain(bonds)
        missing = (wanted - chain).transpose(1, 2).reshape(-1, axes)
        sums = torch.zeros(number + 1, axes, device=flat.device).index_add_(0, flat, missing)
        sums = sums / sizes[:, None]
        sums[0] = 0.0
        shifted = chain + sums[flat].reshape(batch, -1, axes).transpose(1, 2)
        found = bonds.clone()
        found[:, :, ALONG] = shifted.reshape(batch, axes, count, len(ALONG)).transpose(2, 3)
        return found

    return agreed


def _chain(bonds: Bonds) -> Float[Tensor, "batch 3 bonds"]:
    return bonds[:, :, ALONG].transpose(2, 3).flatten(2)
