"""Spans that are taken out of a text: as many as asked for, nothing lost, and every way to cut as likely."""

import pytest
import torch

from makar.errors import ConfigError
from makar.families.seq2seq.config import Seq2seqConfig
from makar.families.seq2seq.spans import cut, drawn_spans, without_spans


def draw(seed=0):
    return torch.Generator().manual_seed(seed)


def restored(read, written, first_mark):
    """Return the text that stood there."""
    spans = {}
    for token in written:
        if first_mark <= token < first_mark + 50:
            spans[token] = []
            last = token
        elif token != 1:
            spans[last].append(token)
    return [token for piece in read if piece != 1 for token in (spans.get(piece) or [piece])]


def test_a_text_and_its_spans_give_the_text_back():
    tokens = torch.randint(60, 900, (16, 80), generator=draw())
    taken = drawn_spans(16, 80, noise=14, spans=5, generator=draw(1))
    read, written = without_spans(tokens, taken, first_mark=2)
    assert read.shape == (16, 80 - 14 + 5 + 1) and written.shape == (16, 14 + 5 + 1)
    for row in range(16):
        assert restored(read[row].tolist(), written[row].tolist(), 2) == tokens[row].tolist()


def test_as_many_tokens_and_spans_are_taken_as_noise_share_and_span_length_say():
    config = Seq2seqConfig(learns="spans", vocabulary=900, context=100, noise_share=0.3, span_length=5.0, marks=10)
    assert (config.noise, config.spans) == (30, 6)
    assert config.changed(span_length=3.0).spans == 10
    assert config.lengths == (100 - 30 + 6 + 1, 30 + 6 + 1)
    taken = drawn_spans(8, 100, noise=config.noise, spans=config.spans, generator=draw())
    begins = taken & ~torch.nn.functional.pad(taken, (1, 0))[:, :-1]
    assert (taken.sum(1) == 30).all() and (begins.sum(1) == 6).all() and not taken[:, 0].any()


def test_every_way_to_cut_is_as_likely():
    found = cut(4, 2, 3000, generator=draw())
    assert (found.sum(1) == 4).all() and (found >= 1).all()
    shares = torch.bincount(found[:, 0], minlength=4)[1:] / 3000
    assert (shares - 1 / 3).abs().max() < 0.04


def test_what_cannot_be_cut_is_refused():
    with pytest.raises(ConfigError, match="3"):
        cut(2, 3, 1, generator=draw())
