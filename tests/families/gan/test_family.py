"""The families: phases that train what they should, settings that change losses, statistics for the averaged weights, exported networks."""

from pathlib import Path

import numpy as np
import pytest
import torch

from makar.families.gan.dcgan_family import DcganFamily
from makar.families.gan.dcgan_networks import BatchNorm
from makar.families.gan.stylegan_family import SETTLING_VECTORS, StyleganFamily, equal_rates
from makar.nn.modulated_convolution import ModulatedConvolution
from makar.recipe import OptimisationConfig
from makar.recipes.gan import optimisation_of
from makar.training.learner import Learner
from makar.training.schedule import learning_rate_multiplier
from tests.families.gan.models import KINDS, batch, built, config, generator, images, recipe_family, shaken

every_kind = pytest.mark.parametrize("kind", KINDS)
both = pytest.mark.parametrize("kind, classes", [(kind, classes) for kind in KINDS for classes in (0, 3)])


def losses(settings, seed=0, *, data=None):
    """Return the loss of every phase for one family and one batch."""
    family = shaken(built(settings)).train()
    data = batch(settings) if data is None else data
    return {phase.name: float(phase.loss(data, generator(seed)).value.detach()) for phase in family.phases()}


@both
def test_each_phase_moves_its_own_network_and_no_other(kind, classes):
    settings = config(kind, classes)
    family = shaken(built(settings)).train()
    learner = Learner(family, optimisation=OptimisationConfig())
    names = dict(family.named_parameters())
    for phase in learner.phases:
        learner.focus(phase)
        for item in names.values():
            item.grad = None
        phase.loss(batch(settings), generator()).value.backward()
        moved = {name.split(".")[0] for name, item in names.items() if item.grad is not None}
        judges = phase.name != "generator"
        assert moved and moved <= {"discriminator"} if judges else "discriminator" not in moved
        if phase.name != "penalty":
            mine = [name for name in names if name.startswith("discriminator") == judges]
            # The last bias is the same for real and made images, so the relativistic objective cannot move it.
            assert all(
                names[name].grad.abs().max() > 0 for name in mine if not name.endswith(("answer.bias", "answer_bias"))
            ), mine


@every_kind
def test_only_the_generator_is_averaged(kind):
    learner = Learner(built(config(kind)), optimisation=OptimisationConfig(average_share=0.1))
    assert learner.average is not None
    assert not any(name.startswith("discriminator") for name in learner.average.tensors)
    judging = {name for name, _ in learner.family.named_parameters() if name.startswith("discriminator")}
    assert len(learner.average.tensors) + len(judging) == len(list(learner.family.parameters()))


@every_kind
def test_every_setting_of_the_training_changes_a_loss(kind):
    plain = losses(config(kind, penalised="real", penalty=1.0))
    changes = {
        "objective": "non-saturating",
        "penalised": "both",
        "penalty": 2.0,
        "penalty_every": 4,
        "augmentation": 0.5,
        **({"mixing": 1.0} if kind == "stylegan" else {}),
    }
    for name, value in changes.items():
        changed = losses(config(kind, **{"penalised": "real", "penalty": 1.0, name: value}))
        assert changed != plain, name
    assert "penalty" not in losses(config(kind, penalised="none"))
    assert losses(config(kind), seed=1) != losses(config(kind), seed=2)


@every_kind
def test_lazy_penalty_weighs_as_much_as_the_steps_that_it_skips(kind):
    seldom, often = (losses(config(kind, penalty=1.0, penalty_every=every))["penalty"] for every in (8, 1))
    assert seldom == pytest.approx(8 * often, rel=1e-5)


@every_kind
def test_flip_mirrors_about_half_of_the_images_and_only_when_asked(kind):
    data = {"target": images(200)}
    mirrored = built(config(kind, flip=True)).prepare(data, generator())["target"]
    changed = (mirrored != data["target"]).flatten(1).any(1)
    assert 60 < int(changed.sum()) < 140
    assert torch.equal(mirrored[changed], data["target"][changed].flip(-1))
    assert built(config(kind)).prepare(data, generator())["target"] is data["target"]


@every_kind
def test_bfloat16_changes_losses_a_little_and_penalties_not_at_all(kind):
    settings = config(kind, penalised="real")
    family, data = shaken(built(settings)).train(), batch(settings)
    found = {}
    for precision in ("float32", "bfloat16"):
        family.precision = precision
        found[precision] = {
            phase.name: float(phase.loss(data, generator()).value.detach()) for phase in family.phases()
        }
    exact, short = found.values()
    assert exact["penalty"] == short["penalty"]
    assert exact["generator"] != short["generator"]
    assert exact["generator"] == pytest.approx(short["generator"], rel=0.1)


@both
def test_validation_is_lower_for_a_generator_that_makes_the_data(kind, classes):
    settings = config(kind, classes)
    family, data = built(settings).eval(), batch(settings, 64)
    family.initialise_from_data([batch(settings, 128, seed=3)])
    untrained = float(family.validation_loss(data, generator()).value)
    family.make = lambda count, label, generator: images(count, seed=4)
    perfect = float(family.validation_loss(data, generator()).value)
    assert abs(perfect) < 0.1 < untrained
    one = {name: value[:1] for name, value in data.items()}
    assert np.isfinite(float(family.validation_loss(one, generator()).value))


def test_kept_statistics_are_those_of_the_weights_in_place():
    family = shaken(built(config("dcgan")))
    assert isinstance(family, DcganFamily)
    with torch.no_grad():
        family.eval().settle(generator(1))
    norms = [part for part in family.generator.modules() if isinstance(part, BatchNorm)]
    assert not any(part.training or part.measures for part in norms)
    draws = torch.randn(256, 16, generator=generator(1))
    family.train()
    in_training = family.render(draws, None)
    family.eval()
    assert torch.allclose(family.render(draws, None), in_training, atol=1e-4)
    before = norms[0].variance.clone()
    with torch.no_grad():
        family.generator.project.mul_(3)
        family.settle(generator(1))
    assert torch.allclose(norms[0].variance, 9 * before, rtol=1e-3)


def test_mean_style_is_that_of_each_class():
    family = shaken(built(config("stylegan", 3)))
    assert isinstance(family, StyleganFamily)
    with torch.no_grad():
        family.settle(generator(1))
        draws = torch.randn(SETTLING_VECTORS, 16, generator=generator(1))
        for number in range(3):
            found = family.mapping(draws, torch.full((SETTLING_VECTORS,), number)).mean(0)
            assert torch.allclose(found, family.mean_style[number], atol=1e-5)
    assert not torch.allclose(family.mean_style[0], family.mean_style[1], atol=1e-3)


def test_modulation_equals_filters_of_each_example():
    layer = ModulatedConvolution(5, 7, style_width=6, gain=1.0)
    layer.initialise(generator(1))
    layer.style.initialise(generator(2))
    x, style = torch.randn(3, 8, 9, 5, generator=generator(3)), torch.randn(3, 6, generator=generator(4))
    found = layer(x, style)
    scale = 1 + layer.style(style)
    for index in range(3):
        weight = layer.weight * scale[index][None, :, None, None]
        weight = weight / (weight.square().sum((1, 2, 3), keepdim=True) + 1e-8).sqrt()
        expected = torch.nn.functional.conv2d(x[index : index + 1].permute(0, 3, 1, 2), weight, padding=1)
        assert torch.allclose(found[index], expected[0].permute(1, 2, 0), atol=1e-5)


def test_demodulation_keeps_the_size_of_what_comes_in():
    layer = ModulatedConvolution(32, 32, style_width=6, gain=1.0)
    layer.initialise(generator(1))
    layer.style.initialise(generator(2))
    x, style = torch.randn(4, 16, 16, 32, generator=generator(3)), 5 * torch.randn(4, 6, generator=generator(4))
    assert float(layer(x, style)[:, 2:-2, 2:-2].std().detach()) == pytest.approx(1.0, abs=0.1)


def test_equal_rates_are_the_first_deviations():
    family = built(config("stylegan", features=16))
    assert isinstance(family, StyleganFamily)
    for group in equal_rates(family.synthesis):
        for parameter in group.parameters:
            if parameter.ndim == 4:
                assert float(parameter.detach().std()) == pytest.approx(group.learning_rate_scale, rel=0.1)


@every_kind
def test_the_noise_and_the_vector_both_change_the_image(kind):
    family = shaken(built(config(kind))).eval()
    first, again, other = (family.make(2, None, generator(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.allclose(first, other, atol=1e-3)
    if isinstance(family, StyleganFamily):
        styles = torch.randn(1, family.config.style_layers, 16, generator=generator(1))
        noises = torch.randn(2, family.config.noise_positions, generator=generator(2))
        made = family.render(styles.expand(2, -1, -1), noises)
        assert not torch.allclose(made[0], made[1], atol=1e-4)


# The exporter of torch still uses a name that torch itself calls deprecated.
@pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning")
@pytest.mark.parametrize(
    "kind, classes",
    [
        ("dcgan", 0),
        *(pytest.param(*one, marks=pytest.mark.slow) for one in (("dcgan", 3), ("stylegan", 0), ("stylegan", 3))),
    ],
)
def test_exported_networks_compute_the_same_in_onnxruntime(kind, classes, tmp_path: Path):
    onnxruntime = pytest.importorskip("onnxruntime")
    family = shaken(built(config(kind, classes, features=4))).eval()
    for part in family.onnx_parts():
        shapes = {name: {0: torch.export.Dim.DYNAMIC} for name in part.inputs}
        program = torch.onnx.export(
            part.module,
            args=(),
            kwargs=dict(part.inputs),
            dynamo=True,
            dynamic_shapes=shapes,
            output_names=list(part.outputs),
            verbose=False,
        )
        assert program is not None
        path = tmp_path / f"{part.name}.onnx"
        program.save(str(path))
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        feeds = {
            name: torch.arange(5) % classes
            if value.dtype == torch.int64
            else torch.randn(5, *value.shape[1:], generator=generator(6))
            for name, value in part.inputs.items()
        }
        (found,) = session.run(None, {name: value.numpy() for name, value in feeds.items()})
        with torch.no_grad():
            assert np.abs(found - part.module(*feeds.values()).numpy()).max() < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
@every_kind
def test_training_comes_near_to_the_data_and_stays_healthy(kind, seed):
    steps, settings = 400, recipe_family(kind, height=16, width=16, features=16)
    family = built(settings, seed)
    data = {"target": images(512, height=16, width=16)}
    family.initialise_from_data([data])
    optimisation = optimisation_of(settings)
    learner = Learner(family.train(), optimisation=optimisation)
    held_out = {"target": images(256, height=16, width=16, seed=77)}
    before = float(family.validation_loss(held_out, generator()).value)
    for step in range(steps):
        drawn = steps * seed + step
        chosen = torch.randint(512, (optimisation.batch_size,), generator=generator(drawn))
        multiplier = learning_rate_multiplier(
            step / steps, step=step, warmup_steps=optimisation.warmup_steps, descent_share=optimisation.descent_share
        )
        for phase in learner.phases:
            if step % phase.every:
                continue
            learner.focus(phase)
            optimiser = learner.optimisers[phase.optimiser]
            optimiser.clear()
            phase.loss({"target": data["target"][chosen]}, generator(drawn)).value.backward()
            optimiser.step(multiplier, gradient_clip=0.0)
            if phase.after_step is not None:
                with torch.no_grad():
                    phase.after_step()
        if step % 50 == 49:
            assert family.health(generator(drawn), progress=step / steps).alarm == ""
    with torch.no_grad():
        family.eval().settle(generator())
    assert float(family.validation_loss(held_out, generator()).value) < 0.25 * before
