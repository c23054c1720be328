"""The adversarial recipes and the rule that sizes them."""

import math

import pytest

from makar.families.gan.config import GanConfig
from makar.recipe import OptimisationConfig, Recipe
from makar.recipes.gan import LARGEST_AUGMENTATION, dcgan, gan_family_for, stylegan

RECIPES = [dcgan(), stylegan()]
every_recipe = pytest.mark.parametrize("recipe", RECIPES, ids=["dcgan", "stylegan"])


def sized(
    recipe: Recipe, operations: float, *, images: int = 57_000, **values: int
) -> tuple[GanConfig, OptimisationConfig]:
    family = recipe.stages[0].family
    assert isinstance(family, GanConfig)
    bound = family.changed(**{"height": 28, "width": 28, "channels": 1, "classes": 0, **values})
    return gan_family_for(bound, operations=operations, images=images)


@every_recipe
def test_recipes_are_complete_and_survive_json(recipe: Recipe) -> None:
    assert recipe.medium == "image" and recipe.summary
    assert Recipe.from_dictionary(recipe.to_dictionary()) == recipe
    assert recipe.stages[0].optimisation.average_share > 0


def test_the_objectives_are_those_of_the_papers() -> None:
    published, modern = (recipe.stages[0].family for recipe in RECIPES)
    assert (published.objective, published.latent_width, published.judge_norm) == ("non-saturating", 100, "batch")
    assert (modern.objective, modern.penalised) == ("relativistic", "both")


@every_recipe
def test_more_compute_gives_a_larger_network_that_sees_more_images(recipe: Recipe) -> None:
    operations = [10.0**exponent for exponent in (12, 13, 14, 15)]
    configs = [sized(recipe, budget)[0] for budget in operations]
    counts = [config.parameter_count() for config in configs]
    seen = [budget / config.training_operations() for budget, config in zip(operations, configs)]
    assert counts == sorted(counts) and counts[-1] > 4 * counts[0]
    assert seen == sorted(seen)


@every_recipe
def test_little_data_is_seen_changed_and_much_data_as_it_is(recipe: Recipe) -> None:
    shares = [sized(recipe, 1e14, images=images)[0].augmentation for images in (100, 15_000, 10_000_000)]
    assert shares[0] == LARGEST_AUGMENTATION > shares[1] > shares[2] == 0


@every_recipe
@pytest.mark.parametrize("height", [16, 17, 45, 64])
@pytest.mark.parametrize("classes", [0, 1000])
def test_every_size_and_budget_gives_a_network_that_can_be_built(recipe: Recipe, height: int, classes: int) -> None:
    for operations in (0.0, 1e10, 1e13, 1e17):
        family, optimisation = sized(recipe, operations, height=height, width=32, channels=4, classes=classes, images=1)
        assert family.parameter_count() > 0
        assert math.isfinite(optimisation.learning_rate) and 32 <= optimisation.batch_size <= 256


def test_a_wider_dcgan_learns_more_slowly() -> None:
    assert sized(RECIPES[0], 1e15)[1].learning_rate < sized(RECIPES[0], 1e12)[1].learning_rate
