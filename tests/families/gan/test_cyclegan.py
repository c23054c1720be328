"""The parts of a CycleGAN: sides of a batch, weights of what it loses, and the history of made images."""

import pytest
import torch

from tests.families.gan.models import generator
from tests.families.gan.test_translation import batch, built, config


def test_each_domain_is_translated_into_the_other():
    settings = config("cyclegan")
    data = batch(settings, 7)
    first, second = built(settings).sides(data)
    assert torch.equal(first.given, data["target"][::2]) and torch.equal(first.real, data["target"][1::2])
    assert torch.equal(second.given, first.real) and torch.equal(second.real, first.given)
    assert (first.number, second.number, first.pairs) == (0, 1, 3)


def test_what_comes_back_and_what_should_not_change_are_weighed():
    data = batch(config("cyclegan"))
    for weights in ({"cycle": 10.0, "identity": 0.0}, {"cycle": 0.0, "identity": 5.0}):
        family = built(config("cyclegan", **weights))
        family.translate = lambda number, given: given + 0.25
        side = family.sides(data)[0]
        lost = float(family.faithfulness(side, family.translate(0, side.given)))
        # The way there and back adds a quarter twice, the way into its own domain once.
        assert lost == pytest.approx(0.5 * weights["cycle"] + 0.25 * weights["identity"], rel=1e-4)


def shown(family, made, seed=0):
    side = family.sides(batch(family.config))[0]
    found = family.shown(side, made, generator(seed))
    family.remember()
    return found


def test_the_history_fills_first_and_then_shows_older_images_in_place_of_some():
    family = built(config("cyclegan", history=5))
    numbered = torch.arange(40.0)[:, None, None, None].expand(-1, 1, 16, 20)
    assert torch.equal(shown(family, numbered[:3]), numbered[:3]) and family.history_count.tolist() == [3, 0]
    assert torch.equal(shown(family, numbered[3:5], 1), numbered[3:5])
    assert family.history[0, :, 0, 0, 0].tolist() == [0, 1, 2, 3, 4] and family.history_count.tolist() == [5, 0]
    seen = shown(family, numbered[10:40], 2)[:, 0, 0, 0]
    older = seen < 5
    assert 5 < int(older.sum()) < 25 and torch.equal(seen[~older], torch.arange(10.0, 40.0)[~older])
    # What took the place of an older image is shown again later.
    assert (family.history[0, :, 0, 0, 0] >= 10).any() and not family.history[1].any()
    again = shown(family, numbered[:30], 3)[:, 0, 0, 0]
    assert (again >= 30).any() or (again[:10] >= 10).any()


def test_without_a_history_the_judges_see_new_images_only():
    family = built(config("cyclegan", history=0))
    made = torch.rand(8, 1, 16, 20, generator=generator())
    assert shown(family, made) is made and shown(family, made, 1) is made and family.history_count.tolist() == [0, 0]


def test_the_history_is_written_after_the_step_and_not_within():
    family = built(config("cyclegan", history=5))
    side = family.sides(batch(family.config))[0]
    family.shown(side, torch.ones(4, 1, 16, 20), generator())
    assert family.history_count.tolist() == [0, 0]
    family.remember()
    assert family.history_count.tolist() == [4, 0]
