"""How surprising each token of a window is to a decoder, beside what the decoder expected there.

    surprise = -log p(token | before),   uncertainty = H(p) = -sum p log p,   both in nats

A token that surprises where the model was sure is a likelier mistake than one where anything could come: what is compared is surprise minus
uncertainty, which is 0 on average for text from the model itself. Source: Ray et al. 2016, "On the naturalness of buggy code"
(surprising lines are likelier to hold bugs).
"""

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from makar.families.transformer.network import TransformerNetwork

TOGETHER_LOGITS = 1 << 22
"""Numbers that are computed at once."""


@torch.no_grad()
def surprise_of(network: TransformerNetwork, windows: Int[Tensor, "batch length"]) -> dict[str, np.ndarray]:
    """Return what is known of every token but the first of each window.

    Args:
        network: The network, in evaluation mode.
        windows: Spans of tokens.

    Returns:
        ``surprise`` and ``uncertainty`` in nats, float32 ``[batch, length - 1]``, and ``expected``, the likeliest token, int64.
    """
    rows = max(1, TOGETHER_LOGITS // (windows.shape[1] * network.config.vocabulary))
    parts: dict[str, list[np.ndarray]] = {"surprise": [], "uncertainty": [], "expected": []}
    for start in range(0, len(windows), rows):
        part = windows[start : start + rows]
        chances = network(part[:, :-1]).float().log_softmax(-1)
        found = chances.gather(-1, part[:, 1:, None]).squeeze(-1)
        uncertainty = -(chances.exp() * chances).sum(-1)
        for name, values in (("surprise", -found), ("uncertainty", uncertainty), ("expected", chances.argmax(-1))):
            parts[name].append(values.cpu().numpy())
    return {name: np.concatenate(values) for name, values in parts.items()}
