"""The recipes that write images token by token, and the rule that sizes their decoder."""

import math

import pytest

from makar.families.transformer.image_config import ImageTransformerConfig
from makar.recipe import Recipe
from makar.recipes.image_tokens import dalle, image_tokens, image_transformer_for, size_image_transformer
from makar.tensor_spec import CLASS, TARGET, Slot, TensorSpec


@pytest.mark.parametrize("recipe", [dalle(), image_tokens()], ids=["dalle", "image-tokens"])
def test_recipes_survive_json_and_learn_codes_before_their_prior(recipe: Recipe) -> None:
    assert Recipe.from_dictionary(recipe.to_dictionary()) == recipe
    first, second = recipe.stages
    assert second.codec.components == (first.name,) and first.family.latents() is not None
    assert first.family.latents() == second.family.accepts()[TARGET]


def test_more_compute_gives_a_larger_decoder_that_sees_more_images() -> None:
    family = dalle().stages[1].family
    assert isinstance(family, ImageTransformerConfig)
    powers = [10.0**exponent for exponent in (12, 13, 14, 15)]
    found = [image_transformer_for(family, operations=power, images=100_000)[0] for power in powers]
    counts = [config.parameter_count() for config in found]
    seen = [power / config.training_operations() for power, config in zip(powers, found)]
    assert counts == sorted(counts) and counts[-1] > 4 * counts[0] and seen == sorted(seen)


def test_little_data_is_not_learned_by_heart() -> None:
    family = image_tokens().stages[1].family
    assert isinstance(family, ImageTransformerConfig)
    few, many = (image_transformer_for(family, operations=1e15, images=count)[0] for count in (50, 50_000))
    assert few.parameter_count() < many.parameter_count() and few.dropout > 0


def test_grid_classes_and_codes_come_from_the_codec() -> None:
    spec = TensorSpec(
        {
            TARGET: Slot(kind="tokens", axes=("rows", "columns"), sizes=(7, 5), vocabulary=100),
            CLASS: Slot(kind="tokens", axes=(), sizes=(), vocabulary=10),
        }
    )
    for operations in (0.0, 1e10, 1e17):
        family, optimisation = size_image_transformer(
            image_tokens().stages[1], operations=operations, items=1, spec=spec
        )
        assert isinstance(family, ImageTransformerConfig)
        assert (family.rows, family.columns, family.codes, family.classes) == (7, 5, 100, 10)
        assert optimisation.batch_size >= 8 and math.isfinite(optimisation.learning_rate)
