"""The autoencoder of tokens: sizes, tokens to images and back, a codebook that learns and stays alive, no samples, exported networks."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from makar.errors import ConfigError, UnsupportedError
from makar.families.family import Batch, build_family
from makar.families.vqvae.config import VqvaeConfig
from makar.families.vqvae.family import VqvaeFamily
from makar.families.vqvae.options import VqvaeOptions

SHAPES = [
    VqvaeConfig(height=28, width=28, channels=1, features=16, codes=64),
    VqvaeConfig(height=17, width=30, channels=3, features=16, patch=2, multipliers=(1, 2), quantiser="finite-scalar"),
]
BOTH = pytest.mark.parametrize("quantiser", ["codebook", "finite-scalar"])


def small(**values: object) -> VqvaeConfig:
    settings = {"height": 16, "width": 12, "channels": 1, "features": 16, "blocks": 1, "codes": 32, "code_width": 8}
    return VqvaeConfig(**{**settings, **values})


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def built(config: VqvaeConfig, seed: int = 0) -> VqvaeFamily:
    family = build_family(config)
    assert isinstance(family, VqvaeFamily)
    family.initialise(generator(seed))
    return family


def batch(config: VqvaeConfig, count: int = 16, seed: int = 9) -> Batch:
    shape = (count, config.channels, config.height // 4, config.width // 4)
    coarse = torch.rand(shape, generator=generator(seed)) * 2 - 1
    return {"target": torch.nn.functional.interpolate(coarse, (config.height, config.width))}


def train(family: VqvaeFamily, data: Batch, steps: int = 60) -> None:
    family.initialise_from_data([data])
    (phase,) = family.phases()
    optimiser = torch.optim.AdamW(family.parameters(), 4e-3)
    for step in range(steps):
        optimiser.zero_grad()
        phase.loss(data, generator(step)).value.backward()
        optimiser.step()
        if phase.after_step is not None:
            phase.after_step()


@pytest.mark.parametrize("config", SHAPES)
def test_configuration_knows_parameters_and_operations(config: VqvaeConfig) -> None:
    family = built(config)
    assert config.parameter_count() == sum(parameter.numel() for parameter in family.parameters())
    with FlopCounterMode(display=False) as counter:
        family.phases()[0].loss(batch(config, 2), generator())
    searched = 4.0 * config.shape.places[-1] * config.codes * config.vector_width * (config.quantiser == "codebook")
    expected = (config.training_operations() - searched) / 3 + searched
    assert counter.get_total_flops() / 2 == pytest.approx(expected, rel=1e-6)


@BOTH
def test_images_become_tokens_and_tokens_images(quantiser: str) -> None:
    config = small(quantiser=quantiser)
    family, data = built(config), batch(config)
    family.initialise_from_data([data])
    tokens = family.encode(data["target"])
    assert tokens.shape == (16, *config.latents().sizes) == (16, *config.token_shape)
    assert tokens.dtype == torch.int64
    assert 0 <= int(tokens.min()) <= int(tokens.max()) < config.vocabulary
    images = family.decode(tokens)
    assert images.shape == data["target"].shape
    assert images.abs().max() <= 1


@BOTH
def test_training_lowers_the_error_and_uses_many_codes(quantiser: str) -> None:
    config = small(quantiser=quantiser, scalar_levels=(5, 5, 5))
    family, data = built(config), batch(config)
    family.initialise_from_data([data])
    before = float(family.validation_loss(data, generator()).value)
    train(family, data)
    loss = family.validation_loss(data, generator())
    assert loss.unit == "mse"
    assert float(loss.value) < 0.5 * before
    assert loss.metrics["perplexity"] > 8
    rebuilt = family.decode(family.encode(data["target"]))
    assert float((rebuilt - data["target"]).square().mean()) == pytest.approx(float(loss.value), rel=1e-3)


def test_a_codebook_that_is_far_away_is_brought_back_by_restarts_and_not_without() -> None:
    used = []
    for restart_share in (0.0, 0.2):
        config = small(restart_share=restart_share, decay=0.9)
        family, data = built(config), batch(config)
        train(family, data, steps=1)
        family.network.quantiser.vectors[4:] = 50.0
        (phase,) = family.phases()
        for step in range(60):
            phase.loss(data, generator(step))
            assert phase.after_step is not None
            phase.after_step()
        used.append(family.validation_loss(data, generator()).metrics["perplexity"])
    assert used[0] <= 4
    assert used[1] > 8


def test_validation_moves_no_code() -> None:
    family, data = built(small()), batch(small())
    family.initialise_from_data([data])
    before = family.network.quantiser.vectors.clone()
    family.validation_loss(data, generator())
    after_step = family.phases()[0].after_step
    assert after_step is not None
    after_step()
    assert torch.equal(family.network.quantiser.vectors, before)


def test_the_codes_are_saved_and_checkpointed() -> None:
    family = built(small())
    assert {"quantiser.vectors", "quantiser.counts"} <= set(family.tensors())
    assert {"network.quantiser.vectors", "network.quantiser.counts"} <= set(family.state_dict())


@BOTH
def test_every_parameter_learns(quantiser: str) -> None:
    family = built(small(quantiser=quantiser))
    with torch.no_grad():
        for parameter in family.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator(3)))
    family.phases()[0].loss(batch(small()), generator()).value.backward()
    for name, parameter in family.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name


def test_a_given_image_is_rebuilt_and_nothing_is_made_from_nothing() -> None:
    config = small()
    family, data = built(config), batch(config, 3)["target"]
    train(family, {"target": data}, steps=3)
    sampler = family.sampler(None)
    made = list(sampler.sample(VqvaeOptions(), [{"source": image} for image in data], [1, 2, 3]))
    expected = family.decode(family.encode(data)).numpy()
    assert np.allclose(np.stack([slots["target"] for _, slots, _ in made]), expected, atol=1e-5)
    with pytest.raises(UnsupportedError, match='recipe "image" or "vae"'):
        list(sampler.sample(VqvaeOptions(), [], [1]))
    with pytest.raises(UnsupportedError, match="mask"):
        list(sampler.sample(VqvaeOptions(), [{"source": data[0], "mask": data[0]}], [1]))
    with pytest.raises(UnsupportedError, match="shape"):
        list(sampler.sample(VqvaeOptions(), [{"source": data[0, :, 1:]}], [1]))


def test_every_setting_changes_the_model_or_its_training() -> None:
    plain = small()
    changes = {
        "features": 32,
        "multipliers": (2,),
        "blocks": 2,
        "patch": 2,
        "code_width": 16,
        "quantiser": "finite-scalar",
    }
    for name, value in changes.items():
        assert plain.changed(**{name: value}).parameter_count() != plain.parameter_count(), name
    scalars = small(quantiser="finite-scalar")
    assert scalars.changed(scalar_levels=(4, 4)).vocabulary == 16 != scalars.vocabulary == 1000
    assert plain.changed(codes=64).vocabulary == 64
    data = batch(plain)

    def codes_after_a_step(config: VqvaeConfig) -> tuple[float, torch.Tensor]:
        family = built(config)
        family.initialise_from_data([data])
        (phase,) = family.phases()
        loss = phase.loss(data, generator())
        assert phase.after_step is not None
        phase.after_step()
        quantiser = family.network.quantiser
        return float(loss.value.detach()), quantiser.vectors.clone()

    loss, codes = codes_after_a_step(plain)
    assert codes_after_a_step(plain.changed(commitment=1.0))[0] != loss
    assert not torch.equal(codes_after_a_step(plain.changed(decay=0.5))[1], codes)
    assert not torch.equal(codes_after_a_step(plain.changed(restart_share=1.0))[1], codes)
    covered = {
        *changes,
        "codes",
        "scalar_levels",
        "commitment",
        "decay",
        "restart_share",
        "height",
        "width",
        "channels",
    }
    assert covered == {field.name for field in dataclasses.fields(VqvaeConfig)}


def test_configuration_survives_json_and_impossible_ones_are_refused() -> None:
    config = small(scalar_levels=(3, 3))
    assert VqvaeConfig.from_dictionary(json.loads(config.to_json())) == config
    for values in ({"multipliers": ()}, {"scalar_levels": (1, 4)}, {"scalar_levels": ()}):
        with pytest.raises(ConfigError):
            small(**values)


# The exporter of torch still uses a name that torch itself calls deprecated.
@pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning")
@pytest.mark.slow
@BOTH
def test_exported_networks_compute_the_same_in_onnxruntime(quantiser: str, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    from makar.artifacts.export_onnx import _export_part, check_part

    family = built(small(quantiser=quantiser))
    family.initialise_from_data([batch(small())])
    for part in family.onnx_parts():
        _export_part(part, tmp_path / f"{part.name}.onnx")
        assert check_part(part, tmp_path / f"{part.name}.onnx") < 1e-4
