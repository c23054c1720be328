"""The number format of matrix products, as one context: weights stay float32, products run in bfloat16 where that is faster.

A family may leave the casts to autocast or cast by itself: inside this context ``torch.is_autocast_enabled(device_type)`` tells it which
format was chosen.
"""

from contextlib import AbstractContextManager

import torch


def matrix_precision(device_type: str, precision: str) -> AbstractContextManager[object]:
    """Return the context in which losses are computed.

    Args:
        device_type: ``"cpu"`` or ``"cuda"``.
        precision: ``"float32"`` or ``"bfloat16"``.
    """
    return torch.autocast(device_type, dtype=torch.bfloat16, enabled=precision == "bfloat16")
