"""Windows with a hole: nothing is lost but the end, both orders occur, and windows without one are untouched."""

import numpy as np
import pytest
import torch

from makar.errors import ConfigError
from makar.families.family import build_family
from makar.families.transformer.config import TransformerConfig
from makar.families.transformer.infill import SHORTEST, rearranged

PREFIX, SUFFIX, MIDDLE, END = TOKENS = (1, 2, 3, 0)


def windows(count=40, length=65, ends=()):
    rows = torch.arange(10, 10 + length).repeat(count, 1)
    rows[:, list(ends)] = END
    return rows


def mixed(rows, share=1.0, seed=0):
    return rearranged(rows, share=share, tokens=TOKENS, generator=torch.Generator().manual_seed(seed))


def parts(row):
    """Return (before, hole, after, is_psm) of a rearranged row without document borders."""
    row = row.tolist()
    middle, end = row.index(MIDDLE), row.index(END)
    if row[1] == SUFFIX:
        after, rest = row[2:middle], row[middle + 1 : end]
        cut = next((i for i in range(len(rest)) if after and rest[-1] + 1 == after[0]), len(rest))
        return None, rest, after, cut is None
    suffix = row.index(SUFFIX)
    return row[1:suffix], row[middle + 1 : end], row[suffix + 1 : middle], True


def test_the_text_can_be_put_together_again():
    rows = mixed(windows())
    orders = set()
    for row in rows:
        assert row[0] == PREFIX and (row == END).sum() == 1 and row[-1] == END
        before, hole, after, _ = parts(row)
        orders.add(before is None)
        whole = [*(before or []), *hole, *after]
        assert whole == list(range(10, 10 + len(whole))) and len(whole) == 65 - 4 and len(hole) >= 1
    assert orders == {True, False}


def test_share_of_the_windows_and_the_same_draw_for_the_same_seed():
    rows = windows(400)
    some = mixed(rows, share=0.25)
    changed = (some != rows).any(1)
    assert 0.15 < changed.float().mean() < 0.35 and torch.equal(some[~changed], rows[~changed])
    assert torch.equal(some, mixed(rows, share=0.25)) and not torch.equal(some, mixed(rows, share=0.25, seed=1))
    assert torch.equal(rows, windows(400)), "what came in was changed"


def test_a_hole_lies_within_one_document():
    for row in mixed(windows(ends=(20,))):
        assert row[:21].tolist() == windows(ends=(20,))[0, :21].tolist(), "the shorter document is left alone"
        assert row[21] == PREFIX and (row == END).sum() == 2
    # The longest comes first: what followed it moves back by the three tokens.
    for row in mixed(windows(ends=(50,))):
        assert row[0] == PREFIX and row[53] == END and row[54:].tolist() == list(range(10 + 51, 10 + 65 - 3))


def test_a_very_short_document_stays():
    rows = windows(4, length=SHORTEST + 3)
    assert torch.equal(mixed(rows), rows)


def test_short_holes_are_as_frequent_as_long_ones():
    lengths = []
    for row in mixed(windows(400, length=257)):
        before, hole, _, _ = parts(row)
        if before is not None:
            lengths.append(len(hole))
    assert 0.35 < np.mean(np.array(lengths) <= 16) < 0.65


def test_only_training_is_rearranged_and_no_token_around_a_hole_is_drawn():
    config = TransformerConfig(
        vocabulary=32, context=16, depth=1, width=32, heads=1, infill_share=1.0, infill_tokens=TOKENS
    )
    family = build_family(config)
    family.initialise(torch.Generator().manual_seed(0))
    batch = {"target": torch.randint(4, 32, (3, 17), generator=torch.Generator().manual_seed(0))}
    assert not torch.equal(family.prepare(batch, torch.Generator().manual_seed(0))["target"], batch["target"])
    plain = build_family(config.changed(infill_share=0.0))
    plain.load_tensors(family.tensors())
    generator = torch.Generator()
    assert plain.prepare(batch, generator) is batch
    assert torch.equal(plain.validation_loss(batch, generator).value, family.validation_loss(batch, generator).value)

    class Codec:
        end_token = begin_token = END
        end_tokens = (END,)

        def decode_tokens(self, tokens):
            return "".join(chr(97 + int(token)) for token in tokens)

    sampler = family.sampler(Codec())
    options = family.options(max_tokens=300, temperature=1.0, top_p=1.0)
    drawn = np.concatenate([slots["target"] for _, slots, _ in sampler.sample(options, [{}] * 8, list(range(8)))])
    assert len(drawn) > 50 and not np.isin(drawn, TOKENS[:3]).any()
    bare = build_family(config.changed(infill_share=0.0, infill_tokens=()))
    bare.load_tensors(family.tensors())
    drawn = [slots["target"] for _, slots, _ in bare.sampler(Codec()).sample(options, [{}] * 8, list(range(8)))]
    assert np.isin(np.concatenate(drawn), TOKENS[:3]).any(), "the twin: without the rule they are drawn"


def test_settings_that_cannot_be_are_refused():
    with pytest.raises(ConfigError, match="four"):
        TransformerConfig(infill_share=0.5)
    with pytest.raises(ConfigError, match="below 8"):
        TransformerConfig(vocabulary=8, infill_tokens=(1, 2, 9, 0))
