"""A block whose inside is forgotten and computed again on the way back: memory for time.

What is kept of a block is what came into it; the forward pass costs its time twice. Like ``torch.utils.checkpoint``, which cannot be used
here: our blocks keep what they need outside of its sight, and gradients are asked for by parameter, from several threads.

Source: Chen et al. 2016, arXiv 1604.06174.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

Inside = Callable[[Tensor], Tensor]


def recomputed(inside: Inside, x: Tensor, parameters: Iterable[nn.Parameter]) -> Tensor:
    """Return ``inside(x)``, whose intermediate results are not kept.

    Args:
        inside: What is computed; called again on the way back, it must give the same.
        x: What comes in.
        parameters: All that ``inside`` has to learn.
    """
    result: Tensor = _Recomputed.apply(inside, x, *[one for one in parameters if one.requires_grad])
    return result


class _Recomputed(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, inside: Inside, x: Tensor, *parameters: Tensor) -> Tensor:
        context.inside = inside
        context.save_for_backward(x, *parameters)
        # With gradients, so that the same way through the code is taken as on the way back.
        with torch.enable_grad():
            return inside(x.detach().requires_grad_()).detach()

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, *parameters = context.saved_tensors
        with torch.enable_grad():
            again = x.detach().requires_grad_()
            result = context.inside(again)
        return None, *torch.autograd.grad(result, [again, *parameters], gradients[0], allow_unused=True)


def repeatable(inside: Callable[[Tensor, torch.Generator | None], Tensor], generator: torch.Generator | None) -> Inside:
    """Return a function that draws the same every time; the generator goes on as if it had been called once.

    Args:
        inside: What is computed, with a source of draws.
        generator: The source; ``None`` where nothing is drawn.
    """
    if generator is None:
        return lambda x: inside(x, None)
    state = generator.get_state()

    def again(x: Tensor) -> Tensor:
        own = torch.Generator()
        own.set_state(state)
        result = inside(x, own)
        if torch.equal(generator.get_state(), state):
            generator.set_state(own.get_state())
        return result

    return again
