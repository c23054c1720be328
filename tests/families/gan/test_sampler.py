"""Sampling: seeds, classes, truncation, mixing, the way to another seed; every control changes the result or is refused."""

import numpy as np
import pytest
import torch

from makar.errors import ConfigError, UnknownNameError, UnsupportedError
from makar.families.gan.sampler import GanSampler, drawing, great_circle
from tests.families.gan.models import KINDS, built, codec, config, generator, shaken

every_kind = pytest.mark.parametrize("kind", KINDS)


def sampler(kind: str, classes: int = 3) -> GanSampler:
    settings = config(kind, classes)
    family = shaken(built(settings))
    with torch.no_grad():
        family.eval().settle(generator())
    made = family.sampler(codec(settings))
    assert isinstance(made, GanSampler)
    return made


def images(source, *, seeds, prompts=None, **options):
    kind = "stylegan" if "Stylegan" in type(source).__name__ else "dcgan"
    chosen = built(config(kind)).options(**options)
    made = list(source.sample(chosen, prompts or [], seeds))
    assert [index for index, _, _ in made] == list(range(len(seeds)))
    assert all(finished for _, _, finished in made)
    return np.stack([slots["target"] for _, slots, _ in made])


@every_kind
def test_images_have_the_shape_and_range_of_the_specification(kind):
    made = images(sampler(kind), seeds=[0, 1])
    assert made.shape == (2, 1, 16, 20) and made.dtype == np.float32
    assert -1 <= made.min() < made.max() <= 1


@every_kind
def test_an_image_depends_on_its_seed_and_on_nothing_else_in_the_batch(kind):
    source, seeds = sampler(kind), list(range(70))
    together = images(source, seeds=seeds)
    assert np.array_equal(together, images(source, seeds=seeds))
    assert not np.allclose(together[0], together[1], atol=1e-3)
    for index in (0, 5, 64, 69):
        assert np.abs(together[index] - images(source, seeds=[index])[0]).max() < 1e-4


@every_kind
def test_a_class_is_taken_by_name_or_number_and_changes_the_image(kind):
    source = sampler(kind)
    by_name = images(source, seeds=[1], label="cat")
    assert np.array_equal(by_name, images(source, seeds=[1], prompts=[{"class": torch.tensor(2)}]))
    assert not np.allclose(by_name, images(source, seeds=[1], label="ant"), atol=1e-4)


@every_kind
def test_without_a_label_classes_are_drawn_as_frequent_as_in_the_data(kind):
    source = sampler(kind)
    options = built(config(kind)).options()
    labels = [source.label(options, {}, seed=seed) for seed in range(200)]
    assert labels.count(1) > 180 and set(labels) <= {0, 1, 2}


@every_kind
def test_the_way_to_another_seed_begins_and_ends_there(kind):
    source = sampler(kind, 0)
    own, other = images(source, seeds=[1, 2])
    start = images(source, seeds=[1], towards_seed=2, towards=0.0)[0]
    end = images(source, seeds=[1], towards_seed=2, towards=1.0)[0]
    middle = images(source, seeds=[1], towards_seed=2)[0]
    assert np.abs(start - own).max() < 1e-4
    # The noise of a style-based image stays that of its own seed.
    assert np.abs(end - other).mean() < (1e-4 if kind == "dcgan" else 0.5 * np.abs(own - other).mean())
    assert np.abs(middle - own).mean() > 1e-3 < np.abs(middle - end).mean()
    with pytest.raises(UnsupportedError, match="another seed"):
        images(source, seeds=[1], towards=0.9)


@every_kind
def test_interpolation_goes_from_seed_to_seed_in_small_steps(kind):
    source, options = sampler(kind), built(config(kind)).options(label="bee")
    row = source.interpolate(options, first_seed=1, last_seed=2, count=9)
    assert row.shape == (9, 1, 16, 20)
    assert np.abs(row[0] - images(source, seeds=[1], label="bee")[0]).max() < 1e-4
    assert np.abs(np.diff(row, axis=0)).mean((1, 2, 3)).max() < 0.9 * np.abs(row[-1] - row[0]).mean()
    still = source.interpolate(options, first_seed=1, last_seed=1, count=3)
    assert np.abs(still - still[:1]).max() < 1e-4
    with pytest.raises(ConfigError):
        source.interpolate(options, first_seed=1, last_seed=2, count=1)


def test_truncation_draws_the_styles_together():
    source, seeds = sampler("stylegan"), list(range(24))

    def variety(psi):
        made = images(source, seeds=seeds, label="bee", truncation_psi=psi)
        return made.std(0).mean()

    plain = variety(1.0)
    assert variety(0.3) < 0.8 * plain < variety(0.8) < variety(1.5)
    # At 0 only the noise is left.
    assert variety(0.0) < 0.5 * plain


def test_mixing_takes_the_finer_layers_from_the_other_seed():
    source = sampler("stylegan", 0)
    own = images(source, seeds=[1])[0]
    whole, fine, finest = (images(source, seeds=[1], mix_seed=2, mix_from=layer)[0] for layer in (0, 2, 3))
    assert not np.allclose(whole, fine, atol=1e-4) and not np.allclose(fine, finest, atol=1e-4)
    assert np.abs(finest - own).mean() < np.abs(whole - own).mean()
    assert np.array_equal(images(source, seeds=[2], mix_seed=2, mix_from=0), images(source, seeds=[2]))
    assert np.array_equal(fine, images(source, seeds=[1], mix_seed=2)[0])
    for options, part in (({"mix_seed": 2, "mix_from": 40}, "layer 40"), ({"mix_from": 1}, "another seed")):
        with pytest.raises(UnsupportedError, match=part):
            images(source, seeds=[1], **options)


@every_kind
@pytest.mark.parametrize(
    ("options", "prompts", "part"),
    [
        ({"label": "cat"}, [], "has none"),
        ({}, [{"class": torch.tensor(0)}], "has none"),
        ({}, [{"known": torch.tensor(0), "mask": torch.tensor(0)}], "known, mask"),
    ],
)
def test_what_a_model_without_classes_cannot_honour_is_refused(kind, options, prompts, part):
    with pytest.raises(UnsupportedError, match=part):
        images(sampler(kind, 0), seeds=[0], prompts=prompts, **options)


@every_kind
def test_unknown_and_double_classes_are_refused(kind):
    with pytest.raises(UnknownNameError, match='did you mean "cat"'):
        images(sampler(kind), seeds=[0], label="cut")
    with pytest.raises(UnsupportedError, match="class 7"):
        images(sampler(kind), seeds=[0], prompts=[{"class": torch.tensor(7)}])
    with pytest.raises(UnsupportedError, match="both"):
        images(sampler(kind), seeds=[0], prompts=[{"class": torch.tensor(1)}], label="cat")


@pytest.mark.parametrize(
    "values", [{"truncation_psi": -0.1}, {"truncation_psi": 3.0}, {"towards": 1.5}, {"mix_from": -1}, {"mix_seed": -1}]
)
def test_options_out_of_range_are_refused(values):
    with pytest.raises(ConfigError):
        built(config("stylegan")).options(**values)


def test_a_dcgan_knows_no_styles():
    names = built(config("dcgan")).options.__dataclass_fields__
    assert "truncation_psi" not in names and "mix_seed" not in names


def test_draws_of_a_seed_are_unrelated_to_each_other():
    found = [torch.randn(8, generator=drawing(seed, purpose)) for seed in (0, 1, 1 << 61) for purpose in PURPOSES]
    assert all(not torch.equal(a, b) for i, a in enumerate(found) for b in found[:i])


PURPOSES = ("latent", "noise", "label")


def test_the_great_circle_keeps_the_length_and_meets_both_ends():
    first, last = torch.randn(2, 4, 400, generator=generator())
    for share in (0.0, 0.25, 0.5, 1.0):
        point = great_circle(first, last, torch.full((4, 1), share))
        assert point.norm(dim=1).sub(20).abs().max() < 1.5
        if share in (0.0, 1.0):
            assert torch.allclose(point, last if share else first, atol=1e-4)
    assert torch.allclose(great_circle(first, first, torch.full((4, 1), 0.3)), first, atol=1e-4)
