"""What a network of transformers says at some places of rows of tokens: its stream, and its logits there and nowhere else.

The output layer is asked for those places only: of a conversation the answers count, and a vocabulary of 250,000 tokens takes a megabyte a
position. What an architecture does behind the output layer (a soft cap, a factor) is its own code and is done as it has it.
"""

import contextlib
from typing import Any

from jaxtyping import Bool, Float, Int
from torch import Tensor, nn


def stream_of(network: Any, tokens: Int[Tensor, "batch length"]) -> Float[Tensor, "batch length width"]:
    """Return the stream before the output layer, as the heads of transformers that give numbers read it.

    Args:
        network: A network that continues text.
        tokens: Rows, filled up at their ends.
    """
    found: Tensor = network.base_model(input_ids=tokens, use_cache=False)[0]
    return found


def logits_at(
    network: Any, tokens: Int[Tensor, "batch length"], places: Bool[Tensor, "batch length"]
) -> Float[Tensor, "places vocabulary"]:
    """Return the logits of the next token at some places of rows, float32.

    Args:
        network: A network that continues text.
        tokens: Rows, filled up at their ends.
        places: Where.
    """
    head = network.get_output_embeddings()

    def only_there(module: nn.Module, given: tuple[Any, ...]) -> tuple[Any, ...]:
        del module
        stream, *others = given
        # An architecture that hands its output layer something else is asked for everything.
        return (stream[places][None], *others) if stream.shape[:2] == places.shape else given

    with contextlib.ExitStack() as hooks:
        if head is not None:
            hooks.callback(head.register_forward_pre_hook(only_there).remove)
        logits: Tensor = network(input_ids=tokens, use_cache=False)["logits"]
    chosen = logits[0] if logits.shape[:2] == (1, int(places.sum())) else logits[places]
    return chosen.float()
