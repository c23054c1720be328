"""Every draw of a training follows from (seed, step, purpose), so an exact resume needs no saved generator.

A seed is the first eight bytes of BLAKE2b over the parts: near inputs give unrelated streams, on every machine alike.
"""

import hashlib

import numpy as np
import torch


def derived_seed(seed: int, *parts: int | str) -> int:
    """Return a 63-bit seed for one purpose.

    Args:
        seed: Seed of the run.
        parts: What the draw is for, for example ``"phase", step, phase_index``.
    """
    text = "/".join([str(seed), *map(str, parts)])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little") >> 1


def torch_generator(seed: int, *parts: int | str) -> torch.Generator:
    """Return a CPU generator for one purpose."""
    return torch.Generator().manual_seed(derived_seed(seed, *parts))


def numpy_generator(seed: int, *parts: int | str) -> np.random.Generator:
    """Return a numpy generator for one purpose."""
    return np.random.Generator(np.random.PCG64(derived_seed(seed, *parts)))


def seed_global_draws(seed: int, *parts: int | str) -> None:
    """Seed what takes no generator (dropout inside torch), on every device of this process."""
    value = derived_seed(seed, *parts)
    # torch.manual_seed asks every backend; this is ten times cheaper and called every step.
    torch.default_generator.manual_seed(value)
    if torch.cuda.is_available():
        torch.cuda.manual_seed_all(value)
