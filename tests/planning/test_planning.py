"""Plans follow from the data, the machine and the time, and say what to expect before anything happens."""

import subprocess
import sys

import numpy as np
import psutil
import pytest
from PIL import Image

from makar import planning
from makar.data.dataset import open_dataset
from makar.errors import ConfigError, OutOfMemoryError, OutOfSpaceError, UnknownNameError, UnsupportedError
from makar.planning import Request, choose_recipe, plan_training, size_recipe
from makar.recipes import text as text_recipes
from makar.training.data_size import estimated_size
from makar.training.expectation import items_a_step
from makar.training.prediction import effective_items, expected_loss, memory_bytes
from makar.training.probe import Candidate, Measurement

has_text_rule = pytest.mark.skipif("text_family_for" not in vars(text_recipes), reason="the rule of sizes is not there")


@pytest.fixture(scope="module")
def pictures():
    generator = np.random.default_rng(0)
    return open_dataset(generator.integers(0, 255, (60, 20, 20, 3), dtype=np.uint8))


@pytest.fixture(scope="module")
def novels():
    generator = np.random.default_rng(0)
    words = ["".join(generator.choice(list("abcdefghijk"), 6)) for _ in range(300)]
    return open_dataset([" ".join(generator.choice(words, 200)) for _ in range(40)])


def test_the_medium_chooses_recipe_and_codec(pictures, novels):
    recipe = choose_recipe(pictures, Request(steps=10))
    codec = recipe.stages[0].codec
    assert (recipe.name, codec.kind, codec.height, codec.width) == ("image", "image", 20, 20)
    assert choose_recipe(novels, Request(steps=10)).stages[0].codec.kind == "character"


def test_a_recipe_that_does_not_fit_is_refused_with_the_one_that_does(pictures):
    with pytest.raises(UnsupportedError, match="image"):
        choose_recipe(pictures, Request(steps=10, recipe="text"))
    with pytest.raises(UnsupportedError, match="class"):
        choose_recipe(pictures, Request(steps=10, recipe="image-class"))
    with pytest.raises(UnknownNameError, match='did you mean "image"'):
        choose_recipe(pictures, Request(steps=10, recipe="imag"))


def test_a_fixed_number_of_steps_gives_the_same_plan_every_time(pictures):
    first, second = (plan_training(pictures, Request(steps=50, seed=3)) for _ in range(2))
    values = [plan.to_dictionary() for plan in (first, second)]
    for plan in values:
        plan["predicted"].pop("probe_seconds")
    assert values[0] == values[1] and first.threads == 1 and first.seed == 3
    assert first.predicted["steps"] == 50 and not first.predicted["measured"]


def test_the_number_of_steps_does_not_change_the_sizes(pictures):
    first, second = plan_training(pictures, Request(steps=50)), plan_training(pictures, Request(steps=5000))
    assert first.recipe == second.recipe


@pytest.mark.parametrize("data", ["pictures", pytest.param("novels", marks=has_text_rule)])
def test_more_time_gives_a_larger_model_or_more_epochs(request, data):
    dataset = request.getfixturevalue(data)
    short, long = (
        plan_training(dataset, Request(seconds=seconds, probe=False)).predicted for seconds in (60.0, 6000.0)
    )
    assert long["parameters"] >= short["parameters"] and long["items"] > 2 * short["items"]
    assert set(short["inner_loss"]) == {"low", "central", "high", "unit"}
    assert short["energy"]["watt_hours"]["low"] < short["energy"]["watt_hours"]["high"]


def test_a_probe_decides_threads_precision_and_size(pictures, monkeypatch):
    def machine(factor, way):
        def measure(stage, request, size, device, *, again=None):
            operations = items_a_step(stage) * stage.family.training_operations()
            return Measurement(
                best=way,
                step_seconds={way: operations / (factor * 1e10)},
                peak_operations_per_second=1e12,
                seconds=0.1,
            )

        return measure

    found = {}
    for name, factor, way in (("slow", 1, Candidate("float32", 1)), ("fast", 100, Candidate("bfloat16", 2))):
        monkeypatch.setattr(planning, "_measure", machine(factor, way))
        found[name] = plan_training(pictures, Request(seconds=600.0))
    assert (found["slow"].precision, found["slow"].threads) == ("float32", 1)
    assert (found["fast"].precision, found["fast"].threads) == ("bfloat16", 2)
    assert found["fast"].predicted["peak_fraction"] == 1.0 and found["slow"].predicted["peak_fraction"] == 0.01
    assert found["fast"].predicted["items"] > found["slow"].predicted["items"]


def test_settings_that_only_fit_together_are_put_on_top_together(tmp_path):
    (tmp_path / "a.txt").write_text("A fox and a hare went to the fair. " * 200, encoding="utf-8")
    settings = ["stages.0.family.heads=5", "stages.0.family.width=100"]
    family = plan_training(open_dataset(tmp_path), Request(steps=10, settings=settings)).recipe.stages[0].family
    assert (family.heads, family.width) == (5, 100)


def test_settings_stay_on_top_of_the_rule(pictures):
    settings = ["stages.0.family.features=32", "stages.0.optimisation.batch_size=5", "stages.0.codec.height=16"]
    stage = plan_training(pictures, Request(steps=10, settings=settings)).recipe.stages[0]
    assert (stage.family.features, stage.optimisation.batch_size, stage.family.height) == (32, 5, 16)
    with pytest.raises(UnknownNameError):
        plan_training(pictures, Request(steps=10, settings=["stages.0.family.featurs=32"]))


def test_a_precision_that_was_asked_for_is_taken(pictures):
    settings = ["stages.0.optimisation.precision=float32"]
    assert plan_training(pictures, Request(steps=10, settings=settings)).precision == "float32"


def test_neither_or_both_budgets_are_refused(pictures):
    for budget in ({}, {"seconds": 60.0, "steps": 10}):
        with pytest.raises(ConfigError, match="not both"):
            plan_training(pictures, Request(probe=False, **budget))


def test_too_little_memory_or_disk_is_said_before_the_start(pictures, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(psutil, "disk_usage", lambda path: type("Disk", (), {"free": 1000})())
        with pytest.raises(OutOfSpaceError, match="MAKAR_HOME"):
            plan_training(pictures, Request(steps=10))
    with monkeypatch.context() as patch:
        patch.setattr(psutil, "virtual_memory", lambda: type("Memory", (), {"available": 1000})())
        with pytest.raises(OutOfMemoryError, match="smaller model"):
            plan_training(pictures, Request(steps=10))


def test_a_batch_that_does_not_fit_is_cut_and_accumulated(pictures, monkeypatch):
    whole = plan_training(pictures, Request(seconds=60.0, probe=False)).recipe.stages[0]
    family = whole.family
    needed = [
        memory_bytes(family.parameter_count(), activation_bytes=family.activation_bytes(), batch_size=size)
        for size in (whole.optimisation.batch_size, whole.optimisation.batch_size // 2)
    ]
    memory = type("Memory", (), {"available": sum(needed) / 2})()
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    cut = plan_training(pictures, Request(seconds=60.0, probe=False)).recipe.stages[0].optimisation
    assert cut.accumulate == 2 * whole.optimisation.accumulate
    assert cut.batch_size == whole.optimisation.batch_size // 2


def test_planning_without_a_probe_loads_no_torch():
    program = "import sys, makar.planning; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_repeated_data_is_worth_less_and_less():
    assert effective_items(100, 80) == 80
    assert 360 < effective_items(100, 400) < 400
    assert effective_items(100, 1e6) < 100 * (1 + 15.5)


def test_a_larger_model_on_more_data_is_expected_to_be_better():
    small = expected_loss("text", parameters=500_000, unique_items=1e6, seen_items=2e6)
    large = expected_loss("text", parameters=5_000_000, unique_items=1e7, seen_items=1e8)
    assert large["central"] < small["central"] and small["low"] < small["central"] < small["high"]


def with_captions(folder, share, labels=False):
    generator = np.random.default_rng(0)
    for index in range(40):
        place = folder / (f"class {index % 2}" if labels else "images")
        place.mkdir(exist_ok=True)
        Image.fromarray(generator.integers(0, 255, (20, 20, 3), dtype=np.uint8)).save(place / f"{index}.png")
        if index < share * 40:
            (place / f"{index}.txt").write_text(f"a picture of number {index}", encoding="utf-8")
    return open_dataset(folder)


def test_images_with_captions_and_no_labels_learn_their_captions(tmp_path):
    recipe = choose_recipe(with_captions(tmp_path, 1.0), Request(steps=10))
    assert recipe.name == "image-text" and recipe.stages[0].codec.use_captions
    family = (
        size_recipe(recipe, Request(steps=10), size=estimated_size(recipe.stages[0].codec, open_dataset(tmp_path)))
        .recipe.stages[0]
        .family
    )
    assert family.caption_length == recipe.stages[0].codec.caption_length and family.caption_vocabulary > 256


@pytest.mark.parametrize("share, labels, chosen", [(0.2, False, "image"), (1.0, True, "image-class")])
def test_few_captions_or_labels_beside_them_leave_the_choice_as_it_was(tmp_path, share, labels, chosen):
    assert choose_recipe(with_captions(tmp_path, share, labels), Request(steps=10)).name == chosen


def test_the_text_recipe_without_captions_is_refused(pictures):
    with pytest.raises(UnsupportedError, match="needs captions"):
        choose_recipe(pictures, Request(steps=10, recipe="image-text"))


@pytest.mark.parametrize("recipe", ["flow", "ddpm"])
def test_the_recipes_named_after_their_objective_learn_it_and_can_be_a_dit(pictures, recipe):
    plan = plan_training(pictures, Request(steps=10, recipe=recipe, settings=["stages.0.family.network=dit"]))
    family = plan.recipe.stages[0].family
    assert (family.objective, family.network, family.expansion) == (recipe, "dit", 4)


@pytest.mark.parametrize("network", ["unet", "dit"])
def test_latent_diffusion_learns_the_latents_that_its_autoencoder_will_make(tmp_path, network):
    settings = [f"stages.1.family.network={network}"]
    plan = plan_training(with_captions(tmp_path, 1.0), Request(steps=10, recipe="latent-diffusion", settings=settings))
    first, second = plan.recipe.stages
    assert second.codec.components == (first.name,)
    latents = first.family.latents()
    assert (second.family.channels, second.family.height, second.family.width) == latents.sizes
    assert (second.family.network, second.family.patch, second.family.limit) == (network, 1, 3.0)
    assert second.family.caption_length == second.codec.base.caption_length
    assert not first.codec.use_captions


def test_latent_diffusion_without_captions_is_refused(pictures):
    with pytest.raises(UnsupportedError, match="needs captions"):
        choose_recipe(pictures, Request(steps=10, recipe="latent-diffusion"))
