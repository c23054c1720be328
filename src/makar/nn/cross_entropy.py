"""Output layer, soft cap and cross-entropy in one step, in pieces, so that all logits never exist at once.

The gradients of stream and weights are formed while the loss is, because with z the capped logits of a target y,
d loss / d z = softmax(z) - onehot(y); the soft cap z = c tanh(a / c) multiplies by 1 - (z / c)^2. Logits and their gradient then need
memory for one piece only, and the backward pass is one multiplication (Hsu et al. 2024, arXiv 2410.10989, section 3.2). With smoothing
by s every one of V tokens is right to s / V, and the target to 1 - s on top (Szegedy et al. 2016, arXiv 1512.00567, section 7).
"""

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

PIECE_LOGITS = 1 << 22
"""Logits that exist at a time: 16 MB in float32."""


def capped(logits: Float[Tensor, "..."], cap: float) -> Float[Tensor, "..."]:
    """Return ``cap * tanh(logits / cap)``; a cap of 0 changes nothing."""
    return torch.tanh(logits / cap) * cap if cap else logits


def linear_cross_entropy(
    x: Float[Tensor, "tokens width"],
    weight: Float[Tensor, "vocabulary width"],
    targets: Int[Tensor, " tokens"],
    *,
    cap: float = 0.0,
    smoothing: float = 0.0,
) -> Float[Tensor, ""]:
    """Return the mean cross-entropy of ``capped(x @ weight.T)`` in nats.

    Args:
        x: Stream after the last norm; its type is the type of the products.
        weight: Output layer, float32.
        targets: Right tokens.
        cap: Soft limit of the logits; 0 is none.
        smoothing: Share of the probability that all tokens get alike; 0 is none.
    """
    if torch.is_grad_enabled() and (x.requires_grad or weight.requires_grad):
        result: Tensor = _LinearCrossEntropy.apply(x, weight, targets, cap, smoothing)
        return result
    cast = weight.to(x.dtype)
    pieces = zip(x.split(_rows(weight)), targets.split(_rows(weight)), strict=True)
    total = sum(
        torch.nn.functional.cross_entropy(
            capped((rows @ cast.T).float(), cap), right, reduction="sum", label_smoothing=smoothing
        )
        for rows, right in pieces
    )
    return torch.as_tensor(total) / len(targets)


class _LinearCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, x: Tensor, weight: Tensor, targets: Tensor, cap: float, smoothing: float) -> Tensor:
        cast = weight.to(x.dtype)
        x_gradient = torch.empty_like(x)
        # An output layer that is frozen needs no gradient, which is a third of the work.
        weight_gradient = torch.zeros_like(weight) if context.needs_input_grad[1] else None
        total = x.new_zeros((), dtype=torch.float32)
        step = _rows(weight)
        for start in range(0, len(x), step):
            rows, right = x[start : start + step], targets[start : start + step, None]
            logits = (rows @ cast.T).float()
            if cap:
                logits = logits.div_(cap).tanh_().mul_(cap)
            log_probabilities = logits.log_softmax(-1)
            total -= (1.0 - smoothing) * log_probabilities.gather(1, right).sum()
            if smoothing:
                total -= smoothing / weight.shape[0] * log_probabilities.sum()
            gradient = log_probabilities.exp_()
            if smoothing:
                gradient.sub_(smoothing / weight.shape[0])
            gradient.scatter_add_(1, right, torch.full_like(right, smoothing - 1.0, dtype=gradient.dtype))
            if cap:
                gradient.mul_(logits.div_(cap).square_().neg_().add_(1.0))
            product = gradient.div_(len(x)).to(x.dtype)
            torch.mm(product, cast, out=x_gradient[start : start + step])
            if weight_gradient is not None:
                weight_gradient += product.T @ rows
        context.save_for_backward(x_gradient, weight_gradient)
        return total / len(x)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, Tensor | None, None, None, None]:
        x_gradient, weight_gradient = context.saved_tensors
        weighted = None if weight_gradient is None else weight_gradient * gradients[0]
        return x_gradient * gradients[0].to(x_gradient.dtype), weighted, None, None, None


def _rows(weight: Tensor) -> int:
    return max(1, PIECE_LOGITS // weight.shape[0])
