"""How a pipeline is made to fit into the memory there is: number format, slices of the attention, tiles of the decoder, offload. No torch.

Chosen in the order of what costs least: half precision (bfloat16) where the whole would not fit in float32 and always on a device that is
made for it; tiles while pictures are encoded and decoded; slices of the attention of a U-Net; and, on a device only, components that wait
in the memory of the machine: one component at a time, or one layer. The needs are estimates: weights are counted, activations follow from
the size of the image by the constants below, which were set by hand from the shapes of Stable Diffusion and are not measured.
"""

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

BYTES = {"float32": 4, "bfloat16": 2}
DECODER_CHANNELS = 768
"""Numbers that the decoder holds for each pixel at its last level: three maps of 256 channels."""
ATTENTION_HEADS = 8
RESERVE = 0.9
"""Share of the free memory that may be used."""
TILED_SIDE = 1024
"""Pixels along a side beyond which pictures are always decoded in tiles: a convolution over more takes gigabytes for nothing."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Computing:
    """How a pipeline computes on this machine.

    Attributes:
        device: ``"cpu"`` or ``"cuda"``.
        precision: Number format of the weights.
        vae_tiling: Whether pictures are encoded and decoded in tiles.
        attention_slicing: Whether attention is computed head by head.
        offload: ``"none"``, ``"component"`` or ``"layer"``: what waits in the machine's memory until it is its turn.
        needed_bytes: Estimate of what it takes so.
        free_bytes: What was free.
    """

    device: str
    precision: str
    vae_tiling: bool
    attention_slicing: bool
    offload: str
    needed_bytes: int
    free_bytes: int

    def to_dictionary(self) -> dict[str, Any]:
        """Return what a manifest and a plan say of it."""
        return dataclasses.asdict(self)


def fit_memory(weights: Mapping[str, int], *, height: int, width: int, device: str, free_bytes: int) -> Computing:
    """Choose how a pipeline computes.

    Args:
        weights: Number of weights of every component.
        height: Of the images, in pixels.
        width: Of the images, in pixels.
        device: ``"cpu"`` or ``"cuda"``.
        free_bytes: Free where it computes.
    """
    room = RESERVE * free_bytes
    needs = functools.partial(_needed, weights, height=height, width=width)
    tiling = max(height, width) > TILED_SIDE
    # Every choice in the order of what it costs; the first that fits is taken, and the last when none does.
    precisions = ("bfloat16",) if device == "cuda" else ("float32", "bfloat16")
    offloads = ("none", "component", "layer") if device == "cuda" else ("none",)
    choices = [
        (precision, tiled, sliced, offload)
        for offload in offloads
        for precision in precisions
        for tiled, sliced in ((tiling, False), (True, False), (True, True))
    ]
    chosen = next((choice for choice in choices if needs(*choice) <= room), choices[-1])
    precision, tiled, sliced, offload = chosen
    return Computing(
        device=device,
        precision=precision,
        vae_tiling=tiled,
        attention_slicing=sliced,
        offload=offload,
        needed_bytes=int(needs(*chosen)),
        free_bytes=free_bytes,
    )


def free_bytes_of(device: str) -> int:
    """Return the memory that is free where a pipeline would compute."""
    if device != "cuda":
        # Listing recipes needs no figure of the machine, and this import costs a tenth of it.
        import psutil

        return int(psutil.virtual_memory().available)
    import torch

    return int(torch.cuda.mem_get_info()[0])


def _needed(
    weights: Mapping[str, int], precision: str, tiled: bool, sliced: bool, offload: str, *, height: int, width: int
) -> float:
    size = BYTES[precision]
    held = {
        "none": sum(weights.values()),
        "component": max(weights.values(), default=0),
        "layer": 0.1 * max(weights.values(), default=0),
    }[offload]
    pixels = min(height * width, 512 * 512) if tiled else height * width
    decoding = DECODER_CHANNELS * pixels * size
    positions = (height // 8) * (width // 8)
    # Two rows of the batch, with and without the prompt.
    attention = 2.0 * positions * positions * size * (1 if sliced else ATTENTION_HEADS)
    return held * size + max(decoding, attention)
