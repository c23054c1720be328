"""Translations: exact sizes, phases that move what they should, judges that see pairs, a watch that finds a collapse, resume to the bit."""

import dataclasses

import numpy as np
import pytest
import torch

from makar.codecs.codec import fit_codec
from makar.codecs.image_config import ImageCodecConfig
from makar.data.record import Record
from makar.data.store import build_store
from makar.errors import ConfigError, InterruptedRunError, UnknownNameError, UnsupportedError
from makar.families.family import build_family
from makar.families.gan.options import CycleganOptions, Pix2pixOptions
from makar.families.gan.translation_config import CycleganConfig, Pix2pixConfig
from makar.families.gan.translation_family import LOOKED_AT, TranslationFamily
from makar.recipe import OptimisationConfig, Recipe, Stage
from makar.tensor_spec import Slot, TensorSpec
from makar.training.learner import Learner
from makar.training.plan import TrainingPlan
from makar.training.progress import Watch
from makar.training.trainer import TrainingData, train_stage
from tests.families.gan.models import generator, images, shaken

KINDS = {"pix2pix": Pix2pixConfig, "cyclegan": CycleganConfig}
every_kind = pytest.mark.parametrize("kind", KINDS)


def config(kind, **values):
    return KINDS[kind](**{"height": 16, "width": 20, "channels": 1, "features": 4, "blocks": 1, **values})


def built(settings, seed=0):
    family = build_family(settings)
    assert isinstance(family, TranslationFamily)
    family.initialise(generator(seed))
    return family


def batch(settings, count=8, *, seed=9):
    sizes = {"height": settings.height, "width": settings.width, "channels": settings.channels}
    data = images(count, seed=seed, **sizes)
    other = {"source": -data} if isinstance(settings, Pix2pixConfig) else {"class": torch.arange(count) % 2}
    return {"target": data, **other}


@every_kind
@pytest.mark.parametrize(
    "values", [{}, {"height": 33, "width": 25, "channels": 3}, {"depth": 1, "blocks": 3}, {"features": 12}]
)
def test_counts_are_those_of_the_networks_at_every_size(kind, values):
    settings = config(kind, **values)
    family = built(settings)
    assert settings.parameter_count() == sum(item.numel() for item in family.parameters())
    made = family.translate(0, batch(settings)["target"])
    assert made.shape == (8, settings.channels, settings.height, settings.width)


@every_kind
def test_each_phase_moves_its_own_networks_and_no_other(kind):
    settings = config(kind)
    family = shaken(built(settings)).train()
    learner = Learner(family, optimisation=OptimisationConfig())
    names = dict(family.named_parameters())
    assert [phase.name for phase in learner.phases] == ["discriminator", "penalty", "generator"]
    for phase in learner.phases:
        learner.focus(phase)
        for item in names.values():
            item.grad = None
        phase.loss(batch(settings), generator()).value.backward()
        mine = "translators" if phase.name == "generator" else "judges"
        moved = {name.split(".")[0] for name, item in names.items() if item.grad is not None and item.grad.any()}
        assert moved == {mine}
        if phase.name == "generator":
            assert all(item.grad.any() for name, item in names.items() if name.startswith(mine))


@every_kind
def test_only_the_translators_are_averaged(kind):
    learner = Learner(built(config(kind)), optimisation=OptimisationConfig(average_share=0.1))
    assert learner.average is not None
    assert {name.split(".")[0] for name in learner.average.tensors} == {"translators"}


def test_the_judge_of_pairs_sees_what_an_image_was_made_from():
    settings = config("pix2pix")
    family, data = shaken(built(settings)), batch(settings)
    (side,) = family.sides(data)
    (other,) = family.sides({**data, "source": data["target"]})
    first, second = (family.answers(one, family.looks(one, data["target"], generator())) for one in (side, other))
    assert first.shape == (8, 20) and not torch.allclose(first, second)


def test_pairs_are_mirrored_together():
    data = batch(config("pix2pix"), 64)
    turned = built(config("pix2pix", flip=True)).prepare(data, generator())
    changed = (turned["target"] != data["target"]).flatten(1).any(1)
    assert 15 < int(changed.sum()) < 49
    assert torch.equal(turned["source"], -turned["target"])


def test_pairs_are_cut_together():
    data = batch(config("pix2pix"), 8)
    cut = built(config("pix2pix", zoom=0.2)).prepare(data, generator())
    assert (cut["target"] != data["target"]).flatten(1).any(1).all()
    assert torch.allclose(cut["source"], -cut["target"], atol=1e-6)


def test_the_weight_of_the_difference_scales_it():
    settings = config("pix2pix")
    family, data = built(settings), batch(settings)
    (side,) = family.sides(data)
    made = torch.zeros_like(side.real)
    lost = float(side.real.abs().mean())
    assert float(family.faithfulness(side, made)) == pytest.approx(settings.difference_here * lost, rel=1e-5)


@pytest.mark.parametrize("side", [16, 64, 256])
def test_the_difference_pushes_an_image_as_hard_at_any_size(side):
    weight = config("pix2pix", height=side, width=side).difference_here
    values = torch.zeros(3, side, side, dtype=torch.float64, requires_grad=True)
    (weight * (values - 1).abs().mean()).backward()
    assert float(values.grad.norm()) == pytest.approx(100 / (256 * 3**0.5), rel=1e-5)


@every_kind
def test_validation_is_best_for_the_true_translation(kind):
    settings = config(kind)
    family = shaken(built(settings)).eval()
    data = batch(settings, 64)
    if kind == "cyclegan":
        # The second domain is the first turned to its negative.
        sign = 1 - 2 * data["class"].float()[:, None, None, None]
        data = {**data, "target": data["target"] * sign}
    family.initialise_from_data([data])
    untrained = float(family.validation_loss(data, generator()).value)
    family.translate = lambda number, given: -given
    perfect = float(family.validation_loss(data, generator()).value)
    assert perfect < 0.2 * untrained and (kind == "cyclegan" or perfect == pytest.approx(0, abs=1e-5))


@every_kind
def test_one_image_or_one_domain_alone_is_no_error(kind):
    settings = config(kind)
    family = built(settings).train()
    for count in (1, 2):
        data = {name: values[:1].repeat(count, *[1] * (values.ndim - 1)) for name, values in batch(settings).items()}
        for phase in family.phases():
            loss = phase.loss(data, generator())
            loss.value.backward()
            assert torch.isfinite(loss.value)
        assert np.isfinite(float(family.validation_loss(data, generator()).value))


@every_kind
def test_images_of_one_colour_are_learned_without_an_alarm(kind):
    settings = config(kind)
    family = built(settings).train()
    data = {
        name: torch.full_like(values, 0.5) if values.ndim > 1 else values for name, values in batch(settings).items()
    }
    family.initialise_from_data([data])
    (phase,) = [phase for phase in family.phases() if phase.name == "generator"]
    for step in range(20):
        assert torch.isfinite(phase.loss(data, generator(step)).value)
        phase.after_step()
    assert family.health(generator(), progress=1.0).alarm == ""


@every_kind
def test_the_watch_finds_translations_that_are_all_alike(kind):
    settings = config(kind)
    family = shaken(built(settings)).train()
    family.initialise_from_data([batch(settings, 64)])
    (phase,) = [phase for phase in family.phases() if phase.name == "generator"]

    def look(translate):
        family.translate = translate
        for step in range(2 * LOOKED_AT // 4):
            phase.loss(batch(settings, seed=step), generator(step))
            phase.after_step()
        return family.health(generator(), progress=0.9)

    assert family.health(generator(), progress=0.9).alarm == ""  # nothing was made yet
    healthy = look(lambda number, given: given.clone().requires_grad_())
    assert healthy.alarm == "" and healthy.is_good and healthy.metrics["spread"] > 0.9
    broken = look(lambda number, given: torch.zeros_like(given).requires_grad_())
    assert "collapsed" in broken.alarm and not broken.is_good


@every_kind
def test_a_blurred_beginning_is_no_collapse_but_one_image_for_all_is(kind):
    settings = config(kind)
    for translate, is_broken in ((lambda number, given: 0.3 * given, False), (lambda number, given: 0 * given, True)):
        family = shaken(built(settings)).train()
        family.initialise_from_data([batch(settings, 64)])
        (phase,) = [phase for phase in family.phases() if phase.name == "generator"]
        family.translate = lambda number, given, translate=translate: translate(number, given.clone().requires_grad_())
        for step in range(2 * LOOKED_AT // 4):
            phase.loss(batch(settings, seed=step), generator(step))
            phase.after_step()
        assert family.health(generator(), progress=0.1).alarm == ""
        late = family.health(generator(), progress=0.9)
        assert bool(late.alarm) == is_broken and late.metrics["spread"] < 0.5


@every_kind
def test_a_saved_model_holds_nothing_that_was_made_or_seen(kind):
    family = built(config(kind))
    assert {name.split(".")[0] for name in family.tensors()} == {
        "translators",
        "judges",
        "features",
        "margin",
        "was_varied",
    }
    assert {"recent_made", "recent_real"} < set(family.state_dict())


@every_kind
def test_what_cannot_be_translated_is_refused(kind):
    settings = config(kind)
    family = built(settings).eval()
    codec = type("Names", (), {"class_names": ("day", "night")})()
    sampler, options = family.sampler(codec), family.options()
    source = batch(settings)["target"][0]
    for prompt, part in (
        ({}, "makes none from nothing"),
        ({"source": source[:, :8]}, "shape"),
        ({"source": source, "mask": source}, "mask"),
    ):
        with pytest.raises(UnsupportedError, match=part):
            list(sampler.sample(options, [prompt], [0]))


def test_the_direction_names_what_is_made_and_both_go_at_once():
    settings = config("cyclegan")
    family = shaken(built(settings)).eval()
    codec = type("Names", (), {"class_names": ("day", "night")})()
    sampler, source = family.sampler(codec), batch(settings)["target"][0]

    def made(direction=None, **slots):
        (found,) = sampler.sample(CycleganOptions(direction=direction), [{"source": source, **slots}], [0])
        return found[1]["target"]

    with torch.inference_mode():
        night, day = (family.translate(number, source[None])[0].clamp(-1, 1).numpy() for number in (0, 1))
    assert np.array_equal(made(), night) and np.array_equal(made("night"), night) and np.array_equal(made("day"), day)
    assert np.array_equal(made(**{"class": torch.tensor(1)}), night)
    assert np.array_equal(made(**{"class": torch.tensor(0)}), day) and not np.array_equal(day, night)
    both = list(
        sampler.sample(
            CycleganOptions(), [{"source": source, "class": torch.tensor(number)} for number in (0, 1)], [0, 0]
        )
    )
    assert np.allclose(both[0][1]["target"], day, atol=1e-5) and np.allclose(both[1][1]["target"], night, atol=1e-5)
    with pytest.raises(UnknownNameError, match="nigt"):
        made("nigt")
    with pytest.raises(UnsupportedError, match="both"):
        made("day", **{"class": torch.tensor(1)})
    assert Pix2pixOptions() and "direction" not in Pix2pixOptions.__dataclass_fields__


@pytest.mark.parametrize("count", [0, 1, 3])
def test_domains_are_two(count):
    sizes = {"target": Slot(kind="values", axes=("channels", "height", "width"), sizes=(1, 16, 16))}
    classes = {"class": Slot(kind="tokens", axes=(), sizes=(), vocabulary=count)} if count else {}
    with pytest.raises(ConfigError, match="domain"):
        CycleganConfig().bound_to(TensorSpec({**sizes, **classes}))


def shop(kind, folder):
    """Return (plan, data) of a tiny training."""
    settings = config(kind, height=16, width=16, **({"history": 6} if kind == "cyclegan" else {}))
    codec_config = ImageCodecConfig(
        height=16, width=16, use_labels=kind == "cyclegan", source="none" if kind == "cyclegan" else "pair"
    )
    pixels = ((images(40, height=16, width=16) + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    records = [
        Record(
            id=str(index),
            medium="image",
            content=content,
            pair=255 - content,
            document="d",
            source="s",
            split="train",
            # The domains are of different sizes.
            label="night" if index % 4 else "day",
        )
        for index, content in enumerate(pixels)
    ]
    codec = fit_codec(codec_config, iter(records))
    stores = {
        split: build_store(folder / split, part, codec.encode, key=split)
        for split, part in (("train", records[:32]), ("inner", records[32:]))
    }
    optimisation = OptimisationConfig(learning_rate=1e-2, batch_size=4, beta_1=0.5, average_share=0.1)
    stage = Stage(name="image", codec=codec.config, family=settings.bound_to(codec.spec), optimisation=optimisation)
    plan = TrainingPlan(recipe=Recipe(name="toy", medium="image", summary="a toy", stages=(stage,)), steps=24)
    return plan, TrainingData(codec=codec, stores=stores)


@pytest.mark.parametrize("kind", ["pix2pix", pytest.param("cyclegan", marks=pytest.mark.slow)])
def test_a_stopped_and_resumed_run_ends_with_the_same_bits_its_memory_of_images_too(kind, tmp_path):
    plan, data = shop(kind, tmp_path)
    stage = plan.recipe.stages[0]

    def train(folder, **watch):
        family = built(stage.family)
        found = train_stage(plan, stage, family=family, data=data, folder=folder, watch=Watch(**watch))
        return dataclasses.replace(found, energy={}, seconds=0.0), dict(family.state_dict())

    whole, expected = train(tmp_path / "whole")
    calls = iter(range(100))
    with pytest.raises(InterruptedRunError):
        train(tmp_path / "parts", stop=lambda: next(calls) >= 17)
    resumed, found = train(tmp_path / "parts")
    assert whole.inner_loss == resumed.inner_loss and whole.steps == resumed.steps == 24
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    assert int(found["recent_count"].min()) > 0
    if kind == "cyclegan":
        assert found["history_count"].tolist() == [6, 6] and found["history"].flatten(2).abs().sum(2).all()
