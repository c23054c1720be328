"""The rule from arithmetic and data to a text model gives shapes that fit, grow and answer repetition with dropout."""

import pytest

from makar.recipes.text import code, text, text_family_for

AMOUNTS = [1e10, 4e11, 4e12, 6e13, 1e15, 1e18]


@pytest.mark.parametrize("recipe", [text(), code()], ids=lambda recipe: recipe.name)
def test_recipe_names_its_medium_and_leaves_the_vocabulary_to_the_codec(recipe):
    (stage,) = recipe.stages
    assert recipe.medium in stage.codec.media
    assert stage.family.vocabulary == 0
    assert type(recipe).from_dictionary(recipe.to_dictionary()) == recipe


@pytest.mark.parametrize("vocabulary", [257, 8192])
def test_more_arithmetic_gives_more_weights_more_tokens_and_slower_learning(vocabulary):
    families, optimisations = zip(*(text_family_for(amount, 10**10, vocabulary) for amount in AMOUNTS))
    sizes = [family.parameter_count() for family in families]
    seen = [amount / family.training_operations() for amount, family in zip(AMOUNTS, families)]
    assert sizes == sorted(sizes) and seen == sorted(seen)
    assert [family.context for family in families] == sorted(family.context for family in families)
    rates = [optimisation.learning_rate for optimisation in optimisations]
    assert rates == sorted(rates, reverse=True)
    assert all(family.vocabulary == vocabulary for family in families)
    batches = [optimisation.batch_size * family.context for family, optimisation in zip(families, optimisations)]
    assert batches[-1] > 10 * batches[0]


def test_a_minute_sees_about_eight_tokens_a_weight():
    family, _ = text_family_for(4e12, 10**8, 257)
    weights = family.training_operations() / 6
    assert 5 < 4e12 / family.training_operations() / weights < 12


def test_repeated_data_is_answered_with_dropout_and_bounded_size():
    plenty, _ = text_family_for(1e14, 10**9, 257)
    little, _ = text_family_for(1e14, 10**6, 257)
    tiny, optimisation = text_family_for(1e14, 10**4, 257)
    assert plenty.dropout == 0 < little.dropout < tiny.dropout
    assert tiny.parameter_count() < 300_000 < little.parameter_count()
    assert optimisation.weight_decay > 0
