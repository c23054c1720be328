"""Learn images from a NumPy array and get NumPy arrays back. Run: python examples/numpy_images.py"""

import sys
import tempfile
from pathlib import Path

import numpy as np

import makar


def discs(count: int) -> np.ndarray:
    """Return pictures of discs of random size and place, uint8 [count, 16, 16, 1]."""
    draw = np.random.default_rng(0)
    rows, columns = np.mgrid[:16, :16]
    centres, radii = draw.uniform(5, 11, (count, 2)), draw.uniform(2, 5, count)
    distance = np.hypot(rows - centres[:, 0, None, None], columns - centres[:, 1, None, None])
    return np.where(distance < radii[:, None, None], 255, 0).astype(np.uint8)[..., None]


def main(steps: int) -> None:
    """Train for so many steps, then draw."""
    with tempfile.TemporaryDirectory() as folder:
        run = makar.train(discs(400), steps=steps, output=Path(folder) / "discs")
        for asset in run.model.generate(count=3, seed=1):
            print("\n".join("".join("#" if value > 127 else "." for value in row) for row in asset.content[:, :, 0]))
            print(asset.novelty)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 300)
