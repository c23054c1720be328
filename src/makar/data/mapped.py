"""Gives pages of memory-mapped files back, so that what was read of a large file does not count as memory of this process for good.

The kernel keeps the pages in its cache as long as it has room; reading one again costs a minor fault and no disk access.
"""

import mmap

import numpy as np

RELEASE_BYTES = 64 << 20
"""After so much was read it is worth giving back."""


def release(values: np.ndarray) -> None:
    """Give back what was touched of a mapped file; nothing happens to an array that is no part of one.

    Args:
        values: A memory map or any view of one. What was written to a private copy would be lost: only maps that are read.
    """
    part: object = values
    while isinstance(part, np.ndarray):
        part = part.base
    if isinstance(part, mmap.mmap):
        part.madvise(mmap.MADV_DONTNEED)
