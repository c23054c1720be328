"""Output layer, soft cap and cross-entropy in one step, in pieces, so that all logits never exist at once.

The gradients of stream and weights are formed while the loss is, because with z the capped logits of a target y,
d loss / d z = softmax(z) - onehot(y); the soft cap z = c tanh(a / c) multiplies by 1 - (z / c)^2. Logits and their gradient then need
memory for one piece only, and the backward pass is one multiplication (Hsu et al. 2024, arXiv 2410.10989, section 3.2). With smoothing
by s every one of V tokens is right to s / V, and the target to 1 - s on top (Szegedy et al. 2016, arXiv 1512.00567, section 7).

Where a token may come from elsewhere too, its probability is m = k p + o, with p that of the output layer; d(-log m) / d z is then that of
-log p times k p / m, the share of the output layer in it (See et al. 2017, arXiv 1704.04368, equation 9).
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
    beside: tuple[Float[Tensor, " tokens"], Float[Tensor, " tokens"]] | None = None,
) -> Float[Tensor, ""]:
    """Return the mean cross-entropy of ``capped(x @ weight.T)`` in nats.

    Args:
        x: Stream after the last norm; its type is the type of the products.
        weight: Output layer, float32.
        targets: Right tokens.
        cap: Soft limit of the logits; 0 is none.
        smoothing: Share of the probability that all tokens get alike; 0 is none.
        beside: Where tokens may come from elsewhere too: the logarithms of the share that is left to the output layer, and of the
            probability that each right token has from elsewhere. Smoothing is of the output layer.
    """
    if torch.is_grad_enabled() and (x.requires_grad or weight.requires_grad):
        result: Tensor = _LinearCrossEntropy.apply(x, weight, targets, cap, smoothing, *(beside or (None, None)))
        return result
    cast, step = weight.to(x.dtype), _rows(weight)
    total = x.new_zeros((), dtype=torch.float32)
    for start in range(0, len(x), step):
        here = slice(start, start + step)
        log_probabilities = capped((x[here] @ cast.T).float(), cap).log_softmax(-1)
        found = log_probabilities.gather(1, targets[here, None])[:, 0]
        if beside is not None:
            found = torch.logaddexp(found + beside[0][here], beside[1][here])
        total -= (1.0 - smoothing) * found.sum() + smoothing * log_probabilities.mean(-1).sum()
    return total / len(x)


class _LinearCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(
        context: Any,
        x: Tensor,
        weight: Tensor,
        targets: Tensor,
        cap: float,
        smoothing: float,
        kept: Tensor | None,
        other: Tensor | None,
    ) -> Tensor:
        cast = weight.to(x.dtype)
        x_gradient = torch.empty_like(x)
        # An output layer that is frozen needs no gradient, which is a third of the work.
        weight_gradient = torch.zeros_like(weight) if context.needs_input_grad[1] else None
        total = x.new_zeros((), dtype=torch.float32)
        # How much of the probability of each right token is the output layer's.
        shares = None if kept is None else torch.empty_like(kept)
        step = _rows(weight)
        for start in range(0, len(x), step):
            rows, right = x[start : start + step], targets[start : start + step, None]
            logits = (rows @ cast.T).float()
            if cap:
                logits = logits.div_(cap).tanh_().mul_(cap)
            log_probabilities = logits.log_softmax(-1)
            found = log_probabilities.gather(1, right)
            if kept is not None and other is not None and shares is not None:
                own = found[:, 0] + kept[start : start + step]
                found = torch.logaddexp(own, other[start : start + step])[:, None]
                shares[start : start + step] = (own - found[:, 0]).exp()
            total -= (1.0 - smoothing) * found.sum()
            if smoothing:
                total -= smoothing / weight.shape[0] * log_probabilities.sum()
            gradient = log_probabilities.exp_()
            pulled = torch.full_like(right, smoothing - 1.0, dtype=gradient.dtype)
            if shares is not None:
                share = shares[start : start + step, None]
                gradient.mul_((1.0 - smoothing) * share + smoothing)
                pulled *= share
            if smoothing:
                gradient.sub_(smoothing / weight.shape[0])
            gradient.scatter_add_(1, right, pulled)
            if cap:
                gradient.mul_(logits.div_(cap).square_().neg_().add_(1.0))
            product = gradient.div_(len(x)).to(x.dtype)
            torch.mm(product, cast, out=x_gradient[start : start + step])
            if weight_gradient is not None:
                weight_gradient += product.T @ rows
        context.smoothing = smoothing
        context.save_for_backward(x_gradient, weight_gradient, shares)
        return total / len(x)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x_gradient, weight_gradient, shares = context.saved_tensors
        weighted = None if weight_gradient is None else weight_gradient * gradients[0]
        kept = other = None
        if shares is not None:
            pull = gradients[0] * (context.smoothing - 1.0) / len(shares)
            kept, other = shares * pull, (1.0 - shares) * pull
        return x_gradient * gradients[0].to(x_gradient.dtype), weighted, None, None, None, kept, other


def _rows(weight: Tensor) -> int:
    return max(1, PIECE_LOGITS // weight.shape[0])
