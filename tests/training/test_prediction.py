"""What a plan expects of a training agrees with trainings that were measured, and grows with what is given to them."""

import numpy as np
import pytest

from makar.api.data import plan
from makar.training.prediction import effective_items, expected_loss

# Medium, parameters, different bytes, bytes seen, measured loss: of benchmarks/results/2026-11-29-budget.json, prose in nats a byte.
MEASURED = [
    ("text", 379_488, 1_026_263, 1_657_344, 1.4215),
    ("text", 985_632, 1_026_263, 5_658_624, 1.3004),
    ("text", 504_160, 25_066_615, 2_102_144 * 3.353, 4.0641 / 3.353),
    ("text", 1_127_488, 25_066_615, 6_283_008 * 3.353, 3.7177 / 3.353),
    ("image", 271_560, 58_257 * 784, 38_592 * 784, 0.2630),
    ("image", 1_069_452, 58_257 * 784, 138_400 * 784, 0.2308),
    ("image", 276_176, 48_550 * 3072, 9_728 * 3072, 0.2750),
    ("image", 611_634, 48_550 * 3072, 136_576 * 3072, 0.1909),
]


@pytest.mark.parametrize(("medium", "parameters", "unique", "seen", "measured"), MEASURED)
def test_measured_trainings_lie_in_the_range(medium, parameters, unique, seen, measured):
    found = expected_loss(medium, parameters=parameters, unique_items=unique, seen_items=seen)
    assert found["low"] < measured < found["high"]


def test_a_plan_counts_images_as_the_law_does():
    images = np.random.default_rng(0).integers(0, 256, (40, 16, 12, 3), dtype=np.uint8)
    planned = plan(images, steps=20, probe=False)
    found = planned.predicted
    codec = planned.recipe.stages[0].codec
    numbers = codec.height * codec.width * 3
    training = round(found["items"] / found["epochs"])
    expected = expected_loss(
        "image", parameters=found["parameters"], unique_items=training * numbers, seen_items=found["items"] * numbers
    )
    assert found["inner_loss"]["central"] == pytest.approx(expected["central"], rel=0.01)
    assert numbers > 400


def test_a_range_says_something():
    found = expected_loss("text", parameters=10**6, unique_items=10**7, seen_items=10**7)
    assert found["high"] < 1.4 * found["low"]


def test_repeated_data_is_worth_less_than_new_data():
    assert effective_items(100.0, 50.0) == 50.0
    assert 100.0 < effective_items(100.0, 1000.0) < 1000.0


def test_more_data_and_more_parameters_promise_less_loss():
    few = expected_loss("image", parameters=10**5, unique_items=10**7, seen_items=10**6)
    more = expected_loss("image", parameters=10**6, unique_items=10**7, seen_items=10**7)
    assert more["central"] < few["central"]
