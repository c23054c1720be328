"""The recipes of autoencoders and the rules that size them."""

import math

import pytest

from makar.codecs.image import ImageCodec
from makar.codecs.image_config import ImageCodecConfig
from makar.families.vae.config import VaeConfig
from makar.recipe import OptimisationConfig, Recipe
from makar.recipes.autoencoders import size_vae, size_vqvae, vae, vqvae

RULES = pytest.mark.parametrize(("recipe", "rule"), [(vae(), size_vae), (vqvae(), size_vqvae)], ids=["vae", "vqvae"])


def sized(recipe: Recipe, rule: object, operations: float, *, items: int = 60_000, side: int = 28) -> tuple:
    codec = ImageCodec(ImageCodecConfig(height=side, width=side, channels=1), class_counts={})
    assert callable(rule)
    return rule(recipe.stages[0], operations=operations, items=items, spec=codec.spec)


@RULES
def test_recipes_survive_json_and_use_no_labels(recipe: Recipe, rule: object) -> None:
    assert Recipe.from_dictionary(recipe.to_dictionary()) == recipe
    assert not recipe.stages[0].codec.to_dictionary()["use_labels"]


@RULES
def test_more_compute_gives_a_larger_network_that_sees_more_images(recipe: Recipe, rule: object) -> None:
    families = [sized(recipe, rule, 10.0**exponent)[0] for exponent in (11, 12, 13, 14)]
    counts = [family.parameter_count() for family in families]
    seen = [10.0**exponent / family.training_operations() for exponent, family in zip((11, 12, 13, 14), families)]
    assert counts == sorted(counts)
    assert counts[-1] > 4 * counts[0]
    assert seen == sorted(seen)


@RULES
def test_little_data_is_not_learned_by_heart(recipe: Recipe, rule: object) -> None:
    small = sized(recipe, rule, 1e15, items=2000)[0].parameter_count()
    assert small < 0.3 * 2000 * 28 * 28
    assert small < sized(recipe, rule, 1e15)[0].parameter_count()


@RULES
def test_wider_networks_learn_more_slowly(recipe: Recipe, rule: object) -> None:
    assert sized(recipe, rule, 1e15)[1].learning_rate < sized(recipe, rule, 1e10)[1].learning_rate


@RULES
@pytest.mark.parametrize("side", [16, 17, 64])
def test_every_size_and_budget_gives_a_network(recipe: Recipe, rule: object, side: int) -> None:
    for operations in (0.0, 1e10, 1e17):
        family, optimisation = sized(recipe, rule, operations, items=1, side=side)
        assert family.parameter_count() > 0
        assert math.isfinite(optimisation.learning_rate)
        assert isinstance(optimisation, OptimisationConfig)


def test_what_the_user_set_is_kept_by_the_rule() -> None:
    stage = vae().stages[0]
    changed = stage.changed(family=VaeConfig(likelihood="bernoulli", vector_latents=0, beta=4.0))
    codec = ImageCodec(ImageCodecConfig(height=28, width=28, channels=1), class_counts={})
    family, _ = size_vae(changed, operations=1e12, items=60_000, spec=codec.spec)
    assert isinstance(family, VaeConfig)
    assert (family.likelihood, family.vector_latents, family.beta) == ("bernoulli", 0, 4.0)
