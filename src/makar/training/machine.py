"""What this machine is, without measuring and without torch: device, likely number format, assumed speeds, free memory and disk."""

import importlib.util
import os
import re
import resource
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil

from makar.errors import OutOfMemoryError, OutOfSpaceError
from makar.home import home

NVIDIA_DEVICE = Path("/dev/nvidia0")

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


def process_number() -> int:
    """Return the number of this process among those that ``torchrun`` started; 0 for one that is alone."""
    return int(os.environ.get("RANK", "0")) if int(os.environ.get("WORLD_SIZE", "1")) > 1 else 0


def has_cuda() -> bool:
    """Return whether there is an NVIDIA device to train on."""
    torch = sys.modules.get("torch")
    if torch is not None:
        return bool(torch.cuda.is_available())
    # Without torch loaded, a driver and a torch that was built for it are enough to plan for; training asks torch itself.
    return NVIDIA_DEVICE.exists() and torch_is_built_for_cuda()


def torch_is_built_for_cuda() -> bool:
    """Return what the installed torch says of its own build, read from its file of versions without importing it."""
    found = importlib.util.find_spec("torch")
    if found is None or found.origin is None:
        return False
    try:
        text = Path(found.origin).with_name("version.py").read_text(encoding="utf-8")
    except OSError:
        return False
    return re.search(r"""^cuda\b[^=\n]*=\s*["']""", text, re.MULTILINE) is not None


def free_memory_bytes(device: str) -> int:
    """Return the memory that is free where the training computes: the machine's, or the CUDA device's."""
    if device != "cuda":
        return int(psutil.virtual_memory().available)
    # Only where there is a CUDA device, which no planning without torch asks for.
    import torch

    free, _ = torch.cuda.mem_get_info()
    return int(free)


def peak_memory_bytes() -> int:
    """Return the most memory that this process has held so far: on the CUDA device once it uses one, otherwise resident memory."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available() and torch.cuda.is_initialized():
        return int(torch.cuda.max_memory_reserved())
    try:
        # getrusage gives a child the peak of the process that started it; this one begins anew with every program.
        found = re.search(r"^VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text(encoding="utf-8"), re.MULTILINE)
    except OSError:
        found = None
    if found is not None:
        return 1024 * int(found[1])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


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


def check_room(predicted: dict[str, Any], *, store_bytes: int, device: str = "cpu") -> None:
    """Compare what a plan needs with what is free.

    Args:
        predicted: The plan's ``memory_bytes`` and ``disk_bytes``.
        store_bytes: Part of the disk space that is written already.
        device: Where the training computes.

    Raises:
        OutOfMemoryError: Too little memory is free.
        OutOfSpaceError: Too little disk space is free.
    """
    free_memory = free_memory_bytes(device)
    if predicted["memory_bytes"] > free_memory:
        raise OutOfMemoryError(
            f"the training needs about {predicted['memory_bytes'] / 1e9:.1f} GB of memory, {free_memory / 1e9:.1f} GB are free",
            do="close other programs, or choose a smaller model with --set stages.0.family.width=64",
        )
    check_disks([(home(), predicted["disk_bytes"] - store_bytes)])


def check_disks(needs: Sequence[tuple[Path, float]]) -> None:
    """Compare what will be written with what is free, disk by disk.

    Args:
        needs: (folder, bytes that will be written below it); folders on one disk add up.

    Raises:
        OutOfSpaceError: Too little is free on one of the disks.
    """
    totals: dict[int, tuple[Path, float]] = {}
    for folder, needed in needs:
        place = folder.absolute()
        while not place.exists():
            place = place.parent
        disk = place.stat().st_dev
        first, total = totals.get(disk, (place, 0.0))
        totals[disk] = (first, total + needed)
    for place, needed in totals.values():
        free = psutil.disk_usage(str(place)).free
        if needed > free:
            raise OutOfSpaceError(
                f"the training needs about {needed / 1e9:.2f} GB in {place}, {free / 1e9:.2f} GB are free",
                do="free some space, or point MAKAR_HOME or --output to a larger disk",
            )
