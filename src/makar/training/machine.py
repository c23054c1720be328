"""What this machine is, without measuring and without torch: device, likely number format, assumed speeds, free memory and disk."""

import sys
from pathlib import Path
from typing import Any

import psutil

from makar.errors import OutOfMemoryError, OutOfSpaceError
from makar.home import home

ASSUMED_OPERATIONS_PER_SECOND = {
    ("cpu", "bfloat16"): 1.8e11,
    ("cpu", "float32"): 5e10,
    ("cuda", "bfloat16"): 1.5e14,
    ("cuda", "float32"): 3e13,
}
"""Arithmetic a second that training reaches, small models on one thread or one device."""

ASSUMED_PEAK = {
    ("cpu", "bfloat16"): 4e11,
    ("cpu", "float32"): 1.1e11,
    ("cuda", "bfloat16"): 6e14,
    ("cuda", "float32"): 6e13,
}
"""Arithmetic a second of large matrix products."""


def has_cuda() -> bool:
    """Return whether there is an NVIDIA device to train on."""
    torch = sys.modules.get("torch")
    # Without torch loaded a driver is enough to plan for; training asks torch itself.
    return bool(torch.cuda.is_available()) if torch is not None else Path("/dev/nvidia0").exists()


def likely_precision(device: str) -> str:
    """Return the number format by what the processor says of itself: the same answer at every call, unlike a measurement."""
    if device == "cuda":
        return "bfloat16"
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return "float32"
    fast = ("avx512_bf16", "amx_bf16", " bf16")
    return "bfloat16" if any(flag in flags for flag in fast) else "float32"


def check_room(predicted: dict[str, Any], *, store_bytes: int) -> None:
    """Compare what a plan needs with what is free.

    Args:
        predicted: The plan's ``memory_bytes`` and ``disk_bytes``.
        store_bytes: Part of the disk space that is written already.

    Raises:
        OutOfMemoryError: Too little memory is free.
        OutOfSpaceError: Too little disk space is free.
    """
    free_memory = psutil.virtual_memory().available
    if predicted["memory_bytes"] > free_memory:
        raise OutOfMemoryError(
            f"the training needs about {predicted['memory_bytes'] / 1e9:.1f} GB of memory, {free_memory / 1e9:.1f} GB are free",
            do="close other programs, or choose a smaller model with --set stages.0.family.width=64",
        )
    place = home()
    while not place.exists():
        place = place.parent
    needed, free_disk = predicted["disk_bytes"] - store_bytes, psutil.disk_usage(str(place)).free
    if needed > free_disk:
        raise OutOfSpaceError(
            f"the training needs about {needed / 1e9:.2f} GB in {place}, {free_disk / 1e9:.2f} GB are free",
            do="free some space, or point MAKAR_HOME to a larger disk",
        )
