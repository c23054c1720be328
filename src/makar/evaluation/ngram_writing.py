"""What an n-gram model of bytes writes after a prompt: the baseline of everything that a model of code writes."""

from collections.abc import Callable, Sequence

import numpy as np

from makar.evaluation.ngram import NgramModel


def continued(
    model: NgramModel,
    prompts: Sequence[bytes],
    *,
    most_bytes: int,
    temperature: float,
    generator: np.random.Generator,
    is_over: Callable[[int, bytes], bool],
) -> list[bytes]:
    """Return what the model writes after each prompt, all of them byte by byte side by side.

    Args:
        model: The n-gram model; its highest order is used.
        prompts: What stands before.
        most_bytes: Longest continuation.
        temperature: 0 takes the likeliest byte.
        generator: Source of the draws, one a byte.
        is_over: Says of the number of a prompt and what was written so far whether it is whole.
    """
    written = [b""] * len(prompts)
    active = list(range(len(prompts)))
    for _ in range(most_bytes):
        if not active:
            break
        chances = model.following([prompts[index] + written[index] for index in active])
        if temperature:
            weights = chances ** (1 / temperature)
            cumulative = np.cumsum(weights, axis=1)
            points = generator.random(len(active)) * cumulative[:, -1]
            chosen = np.minimum((cumulative < points[:, None]).sum(1), 255)
        else:
            chosen = chances.argmax(1)
        for index, byte in zip(active, chosen.tolist()):
            written[index] += bytes([byte])
        # A zero byte stands between documents.
        active = [index for index in active if written[index][-1] and not is_over(index, written[index])]
    return [text.split(b"\0")[0] for text in written]
