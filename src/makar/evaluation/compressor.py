"""A general compressor as a baseline: the bits that the held-out text adds to the compressed training text.

Source: Cilibrasi & Vitanyi 2005 (arXiv:cs/0312044) for the difference of compressed lengths as conditional information; the
compressors are LZMA (Pavlov 1998, with a dictionary that reaches over the whole training text) and bzip2 (Seward 1996; it forgets after
900 kB, so it sees the held-out text alone). The shorter of the two counts. The training text is cut to ``TRAINING_BYTES`` at its end.
"""

import bz2
import dataclasses
import lzma

TRAINING_BYTES = 4 << 20
HELD_OUT_BYTES = 1 << 20
FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 6, "dict_size": 2 * TRAINING_BYTES}]


@dataclasses.dataclass(frozen=True)
class Compressed:
    """How far a general compressor gets.

    Attributes:
        bits_per_byte: Bits a byte of the held-out text.
        name: Which compressor it was.
        training_bytes: How much training text it had seen.
        held_out_bytes: How much held-out text was compressed.
    """

    bits_per_byte: float
    name: str
    training_bytes: int
    held_out_bytes: int


def compressed_bits(training: bytes, held_out: bytes) -> Compressed:
    """Return the bits that compressors need for a byte of held-out text after the training text.

    Args:
        training: The training text; its last ``TRAINING_BYTES`` are used.
        held_out: The held-out text, at least one byte; its first ``HELD_OUT_BYTES`` are used.
    """
    training, held_out = training[-TRAINING_BYTES:], held_out[:HELD_OUT_BYTES]
    found = {
        "lzma after the training text": _lzma_bytes(training + held_out) - _lzma_bytes(training),
        "bzip2": len(bz2.compress(held_out, 9)),
    }
    name = min(found, key=lambda key: found[key])
    return Compressed(8 * found[name] / len(held_out), name, len(training), len(held_out))


def compression_ratio(text: str) -> float:
    """Return the length of a text over its compressed length: large for text that repeats itself."""
    content = text.encode("utf-8", "surrogatepass")
    return len(content) / max(1, _lzma_bytes(content)) if content else 0.0


def _lzma_bytes(content: bytes) -> int:
    return len(lzma.compress(content, format=lzma.FORMAT_RAW, filters=FILTERS))
