"""Compressors see the training text; diversity sees repetition."""

import numpy as np
import pytest

from makar.evaluation.compressor import compressed_bits, compression_ratio
from makar.evaluation.diversity import diversity
from tests.novelty.samples import random_words


def test_what_stood_in_the_training_text_costs_nothing():
    text = np.random.default_rng(0).integers(0, 256, 20_000, np.uint8).tobytes()
    assert compressed_bits(text, text[5000:15000]).bits_per_byte < 0.3
    assert compressed_bits(text[:10_000], text[10_000:]).bits_per_byte == pytest.approx(8, abs=0.1)


def test_repetition_is_seen_by_every_measure():
    fresh = [random_words(np.random.default_rng(seed), 200) for seed in range(5)]
    stuck = ["la la la and so on " * 33] * 5
    rich, poor = diversity(fresh), diversity(stuck)
    assert rich.distinct_2 > 0.9 > 0.1 > poor.distinct_2
    assert rich.overlap == 0
    assert poor.overlap == 1
    assert poor.compression > 5 * rich.compression
    assert diversity([]).words == 0
    assert compression_ratio("") == 0


def test_distinct_counts_by_hand():
    found = diversity(["a b a b", "a c"])
    assert found.words == 6
    assert found.distinct_1 == 3 / 6
    assert found.distinct_2 == 3 / 4
    assert found.distinct_3 == 2 / 2
