"""The variational autoencoder: the bound and its parts, sizes that are promised, codes, scores, tensors, and the exported networks."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from makar.errors import ConfigError, TensorMismatchError, UnsupportedError
from makar.families.family import Batch, build_family
from makar.families.vae.config import VaeConfig
from makar.families.vae.family import VaeFamily
from makar.families.vae.objective import (
    add_noise,
    black_and_white,
    divergence_of_channels,
    pressed_divergence,
)
from makar.tensor_spec import Slot, TensorSpec

SHAPES = [
    VaeConfig(height=28, width=28, channels=1, features=16, likelihood="bernoulli"),
    VaeConfig(height=17, width=30, patch=2, multipliers=(1, 2, 2), latent_channels=(2, 0, 3), features=16),
    VaeConfig(height=16, width=16, channels=4, features=16, latent_channels=(3,), vector_latents=0, blocks=2),
    VaeConfig(height=24, width=16, channels=3, features=16, latent_channels=(0,), likelihood="logistic"),
]


def small(**values: object) -> VaeConfig:
    settings = {"height": 16, "width": 12, "channels": 1, "features": 8, "vector_latents": 6, "vector_width": 24}
    return VaeConfig(**{**settings, **values})


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def built(config: VaeConfig, seed: int = 0) -> VaeFamily:
    family = build_family(config)
    assert isinstance(family, VaeFamily)
    family.initialise(generator(seed))
    return family


def scattered(config: VaeConfig, seed: int = 0) -> VaeFamily:
    family = built(config, seed)
    with torch.no_grad():
        for parameter in family.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator(3)))
    return family.eval()


def batch(config: VaeConfig, count: int = 8, seed: int = 9) -> Batch:
    shape = (count, config.channels, config.height, config.width)
    return {"target": (0.5 * torch.randn(shape, generator=generator(seed))).clamp(-1, 1)}


@pytest.mark.parametrize("config", SHAPES)
def test_configuration_knows_the_exact_number_of_parameters(config: VaeConfig) -> None:
    assert config.parameter_count() == sum(parameter.numel() for parameter in build_family(config).parameters())


@pytest.mark.parametrize("config", SHAPES)
def test_configuration_knows_the_operations_of_a_forward_pass(config: VaeConfig) -> None:
    family = built(config)
    with FlopCounterMode(display=False) as counter:
        family.phases()[0].loss(batch(config, 2), generator())
    assert counter.get_total_flops() / 2 == pytest.approx(config.training_operations() / 3, rel=1e-6)


@pytest.mark.parametrize("config", SHAPES[:2])
def test_activation_estimate_is_right_within_half(config: VaeConfig) -> None:
    family, kept = built(config), {}
    family.precision = "bfloat16"
    weights = {parameter.data_ptr() for parameter in family.parameters()}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = (tensor, storage.nbytes())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        family.phases()[0].loss(batch(config, 128), generator())
    measured = sum(size for _, size in kept.values()) / 128
    assert config.activation_bytes() == pytest.approx(measured, rel=0.5)


def test_divergence_is_that_of_torchs_distributions() -> None:
    mean, log_deviation = torch.randn(2, 3, 2, 2, 5, generator=generator()).unbind(0)
    posterior = torch.distributions.Normal(mean, log_deviation.exp())
    expected = torch.distributions.kl_divergence(posterior, torch.distributions.Normal(0.0, 1.0)).sum((1, 2))
    assert torch.allclose(divergence_of_channels(mean, log_deviation), expected, atol=1e-5)
    assert float(divergence_of_channels(mean * 0, mean * 0).abs().max()) == 0


def test_free_bits_press_only_what_is_above_them() -> None:
    levels = [torch.tensor([[0.5, 3.0], [0.1, 5.0]]), torch.tensor([[1.0], [2.0]])]
    assert float(pressed_divergence(levels, free_bits=0.0)) == pytest.approx(0.3 + 4.0 + 1.5)
    assert float(pressed_divergence(levels, free_bits=2.0)) == pytest.approx(2.0 + 4.0 + 2.0)


def test_the_bound_is_an_upper_bound_on_the_exact_nats() -> None:
    """With a linear decoder everything is Gaussian, so the exact nats are known; a wrong sign or factor breaks the bound."""
    draw = generator()
    weight, deviation = torch.randn(3, 2, generator=draw).double(), 0.3
    x = torch.randn(3, generator=draw).double()
    covariance = weight @ weight.T + deviation**2 * torch.eye(3).double()
    exact = -torch.distributions.MultivariateNormal(torch.zeros(3).double(), covariance).log_prob(x)
    precision = torch.eye(2).double() + weight.T @ weight / deviation**2
    mean = torch.linalg.solve(precision, weight.T @ x / deviation**2)
    for scale in (0.5, 1.0, 2.0):
        log_deviation = -0.5 * torch.log(torch.diagonal(precision)) + np.log(scale)
        # E_q of the square is exact for a Gaussian q: the square at the mean plus the trace.
        spread = (weight.square() * torch.exp(2 * log_deviation)).sum()
        square = (x - weight @ mean).square().sum() + spread
        reconstruction = 0.5 * square / deviation**2 + 3 * np.log(deviation) + 1.5 * np.log(2 * np.pi)
        divergence = divergence_of_channels(mean.reshape(1, 1, 1, 2), log_deviation.reshape(1, 1, 1, 2)).sum()
        assert float(reconstruction + divergence) >= float(exact) - 1e-9


def test_training_lowers_the_bound_in_both_precisions() -> None:
    for precision, likelihood in (("float32", "gaussian"), ("bfloat16", "bernoulli"), ("float32", "logistic")):
        config = small(likelihood=likelihood)
        family = built(config)
        family.precision = precision
        shift = torch.linspace(-1, 1, 16)[:, None, None, None]
        data = {"target": (torch.linspace(-1, 1, 12).expand(16, 1, 16, 12) * shift).contiguous()}
        family.initialise_from_data([data])
        before = float(family.validation_loss(data, generator()).value)
        optimiser = torch.optim.AdamW(family.parameters(), 5e-3)
        for step in range(40):
            optimiser.zero_grad()
            family.phases()[0].loss(data, generator(step)).value.backward()
            optimiser.step()
        assert float(family.validation_loss(data, generator()).value) < before - 5


def test_reconstruction_and_divergence_are_reported_apart_and_add_up() -> None:
    family = scattered(small())
    loss = family.validation_loss(batch(small()), generator())
    assert loss.unit == "nats/image"
    parts = loss.metrics["reconstruction"] + loss.metrics["divergence"]
    assert float(loss.value) == pytest.approx(parts, rel=1e-5)
    levels = loss.metrics["divergence_0"] + loss.metrics["divergence_1"]
    assert loss.metrics["divergence"] == pytest.approx(levels)


def test_beta_and_free_bits_weigh_the_divergence_in_training_only() -> None:
    data = batch(small())
    plain, heavy, free = (
        scattered(small(noise_share=0.0, **values)) for values in ({}, {"beta": 3.0}, {"free_bits": 50.0})
    )
    losses = [family.phases()[0].loss(data, generator()) for family in (plain, heavy, free)]
    divergence = losses[0].metrics["divergence"]
    assert float((losses[1].value - losses[0].value).detach()) == pytest.approx(2 * divergence, rel=1e-3)
    assert losses[2].value > losses[0].value
    held_out = [float(family.validation_loss(data, generator()).value) for family in (plain, heavy, free)]
    assert held_out[0] == held_out[1] == held_out[2]


def test_noise_is_seen_by_the_encoder_and_never_asked_of_the_decoder() -> None:
    data = batch(small())["target"]
    noisy = add_noise(data, share=0.5, largest=1.0, generator=generator())
    changed = (noisy != data).flatten(1).any(1)
    assert 0 < int(changed.sum()) < len(data)
    assert noisy.abs().max() <= 1
    assert torch.equal(add_noise(data, share=0.0, largest=1.0, generator=generator()), data)
    for values in ({"noise_share": 1.0}, {"noise_share": 1.0, "noise_deviation": 1.5}):
        loss = scattered(small(**values)).phases()[0].loss({"target": data}, generator())
        none = scattered(small(noise_share=0.0)).phases()[0].loss({"target": data}, generator())
        assert loss.value != none.value


def test_black_and_white_keeps_the_mean_and_what_is_so_already() -> None:
    grey = torch.full((2000, 1, 1, 1), 0.4)
    drawn = black_and_white(grey, generator())
    assert set(drawn.unique().tolist()) == {-1.0, 1.0}
    assert float(drawn.mean()) == pytest.approx(0.4, abs=0.06)
    assert torch.equal(black_and_white(drawn, generator(1)), drawn)


def test_untrained_decoder_says_the_mean_image() -> None:
    for likelihood in ("gaussian", "bernoulli", "logistic"):
        config = small(likelihood=likelihood)
        family, data = built(config), batch(config, 64)["target"]
        family.initialise_from_data([{"target": data[:32]}, {"target": data[32:]}])
        latents = [torch.randn(2, *shape, generator=generator()) for shape in config.latent_shapes]
        assert torch.allclose(family.decode_levels(latents)[0], data.mean(0), atol=1e-4)


def test_latents_of_one_level_go_to_an_image_and_come_from_one() -> None:
    config = small(vector_latents=0, latent_channels=(5,))
    family = scattered(config)
    latents = family.encode(batch(config)["target"])
    assert latents.shape == (8, 5, 4, 3)
    assert config.latent_shapes == ((5, 4, 3),)
    said = config.latents()
    assert said is not None and said.sizes == (5, 4, 3)
    assert family.decode(latents).shape == (8, 1, 16, 12)
    ladder = scattered(small())
    assert small().latents() is None
    assert [tuple(level.shape) for level in ladder.encode_levels(batch(small())["target"])] == [
        (8, 6, 1, 1),
        (8, 8, 4, 3),
    ]
    with pytest.raises(UnsupportedError, match="2 levels"):
        ladder.encode(batch(small())["target"])
    with pytest.raises(UnsupportedError, match="2 levels"):
        ladder.decode(latents)


@pytest.mark.parametrize("likelihood", ["gaussian", "bernoulli"])
def test_what_is_unlike_the_training_images_is_stranger(likelihood: str) -> None:
    config = small(likelihood=likelihood, outline_cells=2 if likelihood == "gaussian" else 0)
    family = built(config)
    usual = torch.linspace(-1, 1, 12).expand(24, 1, 16, 12).contiguous()
    family.initialise_from_data([{"target": usual}])
    optimiser = torch.optim.AdamW(family.parameters(), 5e-3)
    (phase,) = family.train().phases()
    assert phase.after_step is not None
    for step in range(24):
        usual = (usual + 0.02 * torch.randn(usual.shape, generator=generator(step))).clamp(-1, 1)
        optimiser.zero_grad()
        phase.loss(family.prepare({"target": usual}, generator(step)), generator(step)).value.backward()
        optimiser.step()
        phase.after_step()
    family.eval()
    both = {"target": torch.cat([usual[:2], usual[:2].flip(-1)])}
    found = family.predict(both, "anomaly", generator())
    assert set(found) == {"score", "reconstruction", "divergence"}
    assert found["score"].shape == (4,)
    assert found["score"][:2].max() < found["score"][2:].min()
    if family.network.outlines is not None:
        alone = family.network.description.distance(family._description(both["target"])[0])
        assert not np.allclose(alone.detach().numpy(), found["score"])
    with pytest.raises(UnsupportedError, match="anomaly"):
        family.predict(both, "mood", generator())


def test_configuration_loads_no_torch_and_survives_json() -> None:
    modules = "makar.families.vae.config, makar.families.vae.options, makar.recipes.autoencoders"
    code = f"import sys, {modules}; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": str(Path("src").resolve())})
    config = small(beta=2.0)
    assert VaeConfig.from_dictionary(json.loads(config.to_json())) == config


def test_text_is_not_accepted_and_impossible_shapes_are_refused() -> None:
    with pytest.raises(ConfigError, match="makes no images"):
        VaeConfig().bound_to(TensorSpec({"target": Slot(kind="tokens", axes=("length",), sizes=(None,))}))
    for values in ({"multipliers": ()}, {"latent_channels": (0,), "vector_latents": 0}, {"latent_channels": (1, 2)}):
        with pytest.raises(ConfigError):
            small(**values)


def test_every_setting_of_the_network_changes_it() -> None:
    plain = small()
    changes = {
        "features": 16,
        "multipliers": (2,),
        "latent_channels": (2,),
        "vector_latents": 4,
        "vector_width": 32,
        "blocks": 2,
        "patch": 2,
        "likelihood": "logistic",
    }
    for name, value in changes.items():
        assert plain.changed(**{name: value}).parameter_count() != plain.parameter_count(), name
    others = (
        "height",
        "width",
        "channels",
        "frames",
        "beta",
        "free_bits",
        "noise_share",
        "noise_deviation",
        "outline_cells",
    )
    covered = {*changes, *others}
    assert covered == {field.name for field in dataclasses.fields(VaeConfig)}


def test_foreign_missing_and_misshapen_tensors_are_listed() -> None:
    family = built(small())
    tensors = dict(family.tensors())
    tensors["foreign"] = torch.zeros(1)
    del tensors["encoder.enter.bias"]
    tensors["data_mean"] = torch.zeros(7, 1, 1)
    with pytest.raises(TensorMismatchError) as caught:
        family.load_tensors(tensors)
    for part in ("foreign", "encoder.enter.bias", "data_mean is (7, 1, 1)"):
        assert part in str(caught.value)


# The exporter of torch still uses a name that torch itself calls deprecated.
@pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning")
@pytest.mark.slow
def test_exported_networks_compute_the_same_in_onnxruntime(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    from makar.artifacts.export_onnx import _export_part, check_part

    for part in scattered(small()).onnx_parts():
        _export_part(part, tmp_path / f"{part.name}.onnx")
        assert check_part(part, tmp_path / f"{part.name}.onnx") < 1e-4


def test_every_frame_of_a_clip_is_an_image_of_its_own():
    sizes = {"height": 16, "width": 12, "channels": 1, "features": 8, "vector_latents": 0, "latent_channels": (3,)}
    images, clips = VaeConfig(**sizes), VaeConfig(**sizes, frames=3)
    slot = Slot(kind="values", axes=("channels", "height", "width"), sizes=(3, 16, 12), frames=3)
    assert images.bound_to(TensorSpec({"target": slot})) == clips
    assert clips.latents().sizes == (9, *images.latents().sizes[1:]) and clips.latents().frames == 3
    assert clips.parameter_count() == images.parameter_count()
    assert clips.training_operations() == 3 * images.training_operations()
    single, whole = scattered(images), scattered(clips)
    clip = batch(images, count=6)["target"]
    together = clip.reshape(2, 3, 16, 12)
    latents = whole.encode(together)
    assert latents.shape == (2, *clips.latents().sizes)
    assert torch.equal(latents.reshape(6, 3, *latents.shape[2:]), single.encode(clip))
    assert torch.equal(whole.decode(latents).reshape(clip.shape), single.decode(single.encode(clip)))
    losses = [
        family.validation_loss({"target": given}, generator()) for family, given in ((single, clip), (whole, together))
    ]
    assert losses[0].value == losses[1].value and losses[0].count == losses[1].count
    whole.initialise_from_data([{"target": together}])
    single.initialise_from_data([{"target": clip}])
    assert torch.equal(whole.network.data_mean, single.network.data_mean)
    options, sampler = whole.options(), whole.sampler(None)
    (_, rebuilt, _), (_, drawn, _) = sampler.sample(options, [{"source": together[0]}, {"source": together[1]}], [1, 2])
    shown = [
        slots["target"]
        for _, slots, _ in single.sampler(None).sample(options, [{"source": one} for one in clip], [1] * 6)
    ]
    assert np.allclose(np.concatenate([rebuilt["target"], drawn["target"]]), np.concatenate(shown), atol=1e-6)
    with pytest.raises(UnsupportedError, match="a clip of shape"):
        list(sampler.sample(options, [{"source": clip[0]}], [1]))
    strange = whole.predict({"target": together}, "anomaly", generator())["score"]
    assert np.allclose(strange, single.predict({"target": clip}, "anomaly", generator())["score"].reshape(2, 3).mean(1))
