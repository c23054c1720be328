"""Bits per byte of models whose probabilities are known, whatever the windows."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from makar.errors import EmptyDataError, UnsupportedError
from makar.evaluation import likelihood as module
from makar.evaluation.likelihood import measure_likelihood
from makar.families.family import Loss
from tests.novelty.samples import BytesCodec, PixelCodec, random_words, text_store


class Config:
    """Only what is measured needs: a length."""

    def __init__(self, window_length):
        self.window_length = window_length


class Given(nn.Module):
    """A model with given costs: a token costs more the less context it has, as far as ``reach``."""

    def __init__(self, window_length, reach=0):
        super().__init__()
        self.config = Config(window_length)
        self.reach = reach
        self.weight = nn.Parameter(torch.zeros(()))

    def validation_loss(self, batch, generator):
        tokens = batch["target"]
        context = torch.arange(1, tokens.shape[1])
        costs = 1 + (tokens[:, 1:] % 7) / 7 + (self.reach - context).clamp_min(0)
        return Loss(value=costs.mean(), count=costs.numel(), unit="nats/token")


@pytest.fixture
def store(tmp_path):
    texts = [random_words(np.random.default_rng(seed), length) for seed, length in enumerate((300, 1, 40, 700))]
    return text_store(tmp_path / "store", [*texts, "", "é" * 50])


def true_nats(store):
    tokens = [np.asarray(store.columns["target"][record]).astype(int) for record in range(len(store))]
    return sum(float((1 + part[1:] % 7 / 7).sum()) for part in tokens), sum(len(part) - 1 for part in tokens)


@pytest.mark.parametrize("window", [1, 2, 7, 64, 100_000])
def test_every_token_is_counted_once_whatever_the_window(store, window):
    nats, count = true_nats(store)
    found = measure_likelihood(Given(window), BytesCodec(), store)
    measured = sum(part.nats for part in found.windows)
    assert measured == pytest.approx(nats, rel=1e-5)
    assert sum(part.tokens for part in found.windows) == count
    assert found.nats_per_token.value == pytest.approx(nats / count, rel=1e-5)
    assert found.perplexity.value == pytest.approx(math.exp(nats / count), rel=1e-5)
    # The end token has no bytes; the first byte of a text is given.
    sizes = sum(max(0, len(np.asarray(store.columns["target"][record])) - 2) for record in range(len(store)))
    assert found.bits_per_byte.value == pytest.approx(nats / math.log(2) / sizes, rel=1e-5)
    assert found.share == 1


def test_only_the_first_tokens_of_a_text_lack_half_a_window_of_context(store):
    plain, _ = true_nats(store)
    found = measure_likelihood(Given(64, reach=32), BytesCodec(), store)
    starts = [min(len(np.asarray(store.columns["target"][record])) - 1, 31) for record in range(len(store))]
    missing = sum(sum(32 - context for context in range(1, count + 1)) for count in starts)
    assert sum(part.nats for part in found.windows) == pytest.approx(plain + missing, rel=1e-4)


def test_groups_give_what_single_windows_give(store, monkeypatch):
    grouped = measure_likelihood(Given(16, reach=9), BytesCodec(), store)
    monkeypatch.setattr(module, "GROUP_TOKENS", 1)
    single = measure_likelihood(Given(16, reach=9), BytesCodec(), store)
    assert len(single.windows) > 2 * len(grouped.windows)
    assert single.bits_per_byte.value == pytest.approx(grouped.bits_per_byte.value, rel=1e-5)


def test_much_text_is_measured_in_part_and_the_share_is_told(store):
    found = measure_likelihood(Given(16), BytesCodec(), store, most_tokens=1000)
    whole = measure_likelihood(Given(16), BytesCodec(), store)
    assert 0.05 < found.share < 0.4
    assert found.bits_per_byte.low < whole.bits_per_byte.value < found.bits_per_byte.high


def test_nothing_to_measure_and_a_codec_without_bytes_are_refused(tmp_path, store):
    with pytest.raises(EmptyDataError):
        measure_likelihood(Given(8), BytesCodec(), text_store(tmp_path / "empty", []))

    class Silent(PixelCodec):
        token_byte_lengths = None

    with pytest.raises(UnsupportedError):
        measure_likelihood(Given(8), Silent(), store)
