"""The image recipes and the rule that sizes them."""

import math

import pytest

from makar.families.diffusion.config import DiffusionConfig
from makar.recipe import OptimisationConfig, Recipe
from makar.recipes.image import ddpm, flow, image, image_class, image_family_for, image_text

RECIPES = [image(), image_class(), image_text(), flow(), ddpm()]


def sized(operations: float, *, images: int = 60_000, **values: object) -> tuple[DiffusionConfig, OptimisationConfig]:
    data = {"height": 28, "width": 28, "channels": 1, "classes": 10, **values}
    return image_family_for(operations, images=images, family=DiffusionConfig(**data))


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_recipes_are_complete_and_survive_json(recipe: Recipe) -> None:
    assert recipe.medium == "image"
    assert recipe.summary
    assert Recipe.from_dictionary(recipe.to_dictionary()) == recipe


def test_only_the_class_recipe_uses_labels() -> None:
    assert not image().stages[0].codec.to_dictionary()["use_labels"]
    assert [recipe.name for recipe in RECIPES if recipe.stages[0].codec.to_dictionary()["use_labels"]] == [
        "image-class"
    ]


def test_only_the_text_recipe_uses_captions() -> None:
    assert [recipe.name for recipe in RECIPES if recipe.stages[0].codec.to_dictionary()["use_captions"]] == [
        "image-text"
    ]


def test_objective_network_and_captions_are_what_was_asked_for() -> None:
    family = sized(1e14, objective="ddpm", network="dit", caption_length=16, caption_vocabulary=300)[0]
    assert (family.objective, family.network, family.caption_length) == ("ddpm", "dit", 16)
    assert ddpm().stages[0].family.to_dictionary()["objective"] == "ddpm"


def test_a_dit_of_the_width_of_the_paper_is_as_deep() -> None:
    families = [sized(10.0**exponent, network="dit", images=10**9)[0] for exponent in range(12, 19)]
    assert all(family.blocks == max(3, family.features // 32) for family in families)
    assert len({family.features for family in families}) > 3


def test_latents_are_not_folded_and_images_are() -> None:
    for exponent in range(10, 18):
        assert sized(10.0**exponent, height=8, width=8, channels=4)[0].patch == 1
    assert sized(1e13, height=16, width=16)[0].patch == 2
    assert sized(1e13, height=8, width=8, channels=4, network="dit")[0].patch == 1


def test_words_do_not_make_the_network_smaller() -> None:
    few, many = (
        sized(1e14, caption_length=16, caption_vocabulary=vocabulary)[0].features for vocabulary in (300, 30_000)
    )
    assert few == many


def test_more_compute_gives_a_larger_network_that_sees_more_images() -> None:
    configs = [sized(10.0**exponent)[0] for exponent in (12, 13, 14, 15)]
    counts = [config.parameter_count() for config in configs]
    seen = [10.0**exponent / config.training_operations() for exponent, config in zip((12, 13, 14, 15), configs)]
    assert counts == sorted(counts)
    assert counts[-1] > 4 * counts[0]
    assert seen == sorted(seen)


def test_little_data_is_not_learned_by_heart() -> None:
    assert sized(1e16, images=1000)[0].parameter_count() < 0.3 * 1000 * 28 * 28
    assert sized(1e16, images=1000)[0].parameter_count() < sized(1e16)[0].parameter_count()


def test_larger_images_get_a_third_level() -> None:
    assert len(sized(1e14, height=64, width=64)[0].multipliers) == 3
    assert len(sized(1e14)[0].multipliers) == 2


@pytest.mark.parametrize("height", [16, 17, 28, 45, 64])
@pytest.mark.parametrize("classes", [0, 1000])
@pytest.mark.parametrize("network", ["unet", "dit"])
def test_every_size_and_budget_gives_a_network_that_can_be_built(height: int, classes: int, network: str) -> None:
    for operations in (0.0, 1e10, 1e13, 1e17):
        values = {"height": height, "width": 32, "channels": 4, "classes": classes, "network": network}
        family, optimisation = sized(operations, images=1, **values)
        assert family.parameter_count() > 0
        assert math.isfinite(optimisation.learning_rate)


def test_wider_networks_learn_more_slowly() -> None:
    assert sized(1e15)[1].learning_rate < sized(1e12)[1].learning_rate
