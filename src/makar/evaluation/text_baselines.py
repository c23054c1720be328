"""What a sceptic would compare a language model with: counting n-grams and a general compressor, both given the same training text."""

import dataclasses
import math
from typing import Any

import numpy as np

from makar.codecs.codec import Codec
from makar.data.store import Store
from makar.evaluation.bootstrap import Interval, ratio_interval
from makar.evaluation.compressor import TRAINING_BYTES, compressed_bits
from makar.evaluation.likelihood import Likelihood
from makar.evaluation.material import Material
from makar.evaluation.ngram import MOST_ORDER, NgramModel
from makar.novelty.text_index import decoded_texts

NGRAM_TRAINING_BYTES = 16 << 20
NGRAM_CONTEXT = 8
"""Tokens before a window that the n-gram model sees; each is at least a byte, and its order is at most 7."""


def measure_baselines(
    material: Material, likelihood: Likelihood
) -> tuple[tuple[tuple[str, Interval], ...], dict[str, Any]]:
    """Measure the baselines on the windows that the model was measured on.

    Args:
        material: The model and its data.
        likelihood: What was measured of the model.

    Returns:
        (name, bits per byte) of the best n-gram model and the best compressor, empty without the training data; and details.
    """
    if material.train is None:
        return (), {"baselines": "not measured: the training data is not on this machine"}
    material.say("baselines")
    training = joined_texts(material.train, material.codec, NGRAM_TRAINING_BYTES)
    model = NgramModel(training, order=MOST_ORDER)
    bits, sizes = _ngram_bits(model, material.held_out, material.codec, likelihood)
    totals = bits.sum(1)
    # The order that is best on the very text it is measured on: a favour to the baseline.
    order = int(totals.argmin()) + 1
    ngram = ratio_interval(bits[order - 1], sizes)
    held_out = joined_texts(material.held_out, material.codec, TRAINING_BYTES)
    compressed = compressed_bits(training, held_out)
    model_bits = np.array([window.nats for window in likelihood.windows]) / math.log(2)
    found = (
        (f"{order}-gram, Kneser-Ney", ngram),
        (compressed.name, Interval(*[compressed.bits_per_byte] * 3)),
    )
    details = {
        "ngram_training_bytes": len(training),
        "ngram_order": order,
        "ngram_bits_by_order": {str(index + 1): float(total / sizes.sum()) for index, total in enumerate(totals)},
        "gain_over_ngram": ratio_interval(bits[order - 1] - model_bits, sizes).to_dictionary(),
        "compressor": dataclasses.asdict(compressed),
    }
    return found, details


def joined_texts(store: Store, codec: Codec, most: int) -> bytes:
    """Return texts of a store with zero bytes between, at most so many bytes."""
    parts, size = [], 0
    for _, text in decoded_texts(store, codec):
        part = text.encode("utf-8", "surrogatepass")
        parts.append(part)
        size += len(part) + 1
        if size >= most:
            break
    return b"\0".join(parts)[:most]


def _ngram_bits(model: NgramModel, store: Store, codec: Codec, likelihood: Likelihood) -> tuple[np.ndarray, np.ndarray]:
    """Return the bits of every measured window under every order, ``[order, windows]``, and the bytes of the windows."""
    column = store.columns["target"]
    rows = []
    for window in likelihood.windows:
        tokens = np.asarray(column[window.record])[max(0, window.start - NGRAM_CONTEXT) : window.start + window.tokens]
        before = tokens[: min(window.start, NGRAM_CONTEXT)]
        known = len(_bytes_of(codec, before)) if len(before) else 0
        rows.append(model.bits(_bytes_of(codec, tokens))[:, known:].sum(1))
    return np.stack(rows, 1), np.array([window.bytes for window in likelihood.windows], np.float64)


def _bytes_of(codec: Codec, tokens: np.ndarray) -> bytes:
    content: str = codec.decode({"target": tokens})
    return content.encode("utf-8", "surrogatepass")
