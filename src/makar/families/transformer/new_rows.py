"""Rows of the embeddings and of the output layer for tokens that a trained model does not know.

They begin as the mean of the others, those of the embeddings with a little noise so that they differ; always the same, so that an adapter
finds the rows again that it was learned over.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

EMBEDDINGS, HEAD = "model.embed_tokens.weight", "lm_head.weight"
NEW_ROWS_NOISE = 0.1
"""Of a new row of the embeddings, as a share of the deviation of the others."""


def grown(name: str, have: Tensor, rows: int) -> Tensor:
    """Return a table with so many rows; what is no table, or has them, as it is.

    Args:
        name: Its saved name.
        have: ``[tokens, width]``.
        rows: Tokens that are wanted.
    """
    if name not in (EMBEDDINGS, HEAD) or len(have) >= rows:
        return have
    mean = have.mean(0, keepdim=True).expand(rows - len(have), -1)
    if name == EMBEDDINGS:
        generator = torch.Generator().manual_seed(0)
        noise = torch.randn(mean.shape, generator=generator).to(have.device)
        mean = mean + NEW_ROWS_NOISE * have.std() * noise
    return torch.cat([have, mean])


def with_new_rows(found: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return a model's tensors with rows for the tokens that it lacks, as many as there are in ``own``, whose output layer may be none."""
    kept = {name: tensor for name, tensor in found.items() if name != HEAD or name in own}
    return {name: grown(name, tensor, len(own[name])) if name in own else tensor for name, tensor in kept.items()}
