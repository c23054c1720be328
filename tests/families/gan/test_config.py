"""Sizes that the settings promise without torch: parameters, operations, levels; and what they bind to and refuse."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from makar.errors import ConfigError
from makar.families.gan.config import GanConfig, halved_sizes
from makar.families.gan.dcgan_config import DcganConfig
from makar.families.gan.stylegan_config import StyleganConfig
from makar.tensor_spec import Slot, TensorSpec, mismatches
from tests.families.gan.models import KINDS, built, codec, config, generator

SHAPES = [
    {"height": 28, "width": 28, "channels": 1, "classes": 10, "features": 16},
    {"height": 17, "width": 30, "channels": 3, "features": 8, "latent_width": 24},
    {"height": 64, "width": 48, "channels": 4, "features": 8},
    {"height": 8, "width": 8, "features": 8},
]
SETTINGS = [kind(**shape) for kind in KINDS.values() for shape in SHAPES]
SETTINGS += [DcganConfig(features=8, judge_norm="none"), StyleganConfig(features=8, patch=4, mapping_layers=5)]


@pytest.mark.parametrize("settings", SETTINGS)
def test_configuration_knows_the_exact_number_of_parameters(settings: GanConfig) -> None:
    assert settings.parameter_count() == sum(parameter.numel() for parameter in built(settings).parameters())


@pytest.mark.parametrize("settings", SETTINGS)
def test_configuration_knows_the_operations_of_both_networks(settings: GanConfig) -> None:
    family = built(settings).eval()
    label = torch.arange(2) if settings.classes else None
    with FlopCounterMode(display=False) as making:
        made = family.make(2, label, generator())
    with FlopCounterMode(display=False) as judging:
        family.answers(made, label)
    found = (making.get_total_flops() / 2, judging.get_total_flops() / 2)
    assert found == pytest.approx(settings.forward_operations(), rel=1e-6)
    assert made.shape == (2, settings.channels, settings.height, settings.width)


@pytest.mark.parametrize("kind", KINDS)
def test_operations_of_a_step_are_those_that_are_counted(kind: str) -> None:
    # The counter of torch cannot follow derivatives inside a loss, so the penalties are left out here.
    settings = config(kind, height=28, width=28, features=16, penalised="none")
    family = built(settings)
    data = {"target": torch.zeros(4, 1, 28, 28)}
    with FlopCounterMode(display=False) as counter:
        for phase in family.phases():
            mine = {id(item) for group in phase.groups for item in group.parameters}
            for parameter in family.parameters():
                parameter.requires_grad_(id(parameter) in mine)
            phase.loss(data, generator()).value.backward()
    # First layers have no way back to the image in one phase and need one in another: a rule of thumb, not an identity.
    assert counter.get_total_flops() / 4 == pytest.approx(settings.training_operations(), rel=0.2)


@pytest.mark.parametrize("kind", KINDS)
def test_penalties_cost_and_lazy_ones_cost_less(kind: str) -> None:
    costs = [
        config(kind, **values).training_operations()
        for values in (
            {"penalised": "none"},
            {"penalised": "real"},
            {"penalised": "both"},
            {"penalised": "both", "penalty_every": 1},
        )
    ]
    assert costs == sorted(costs) and len(set(costs)) == 4


def test_levels_halve_down_to_about_four() -> None:
    assert halved_sizes(28, 28) == ((28, 28), (14, 14), (7, 7), (4, 4))
    assert halved_sizes(3, 9) == ((3, 9),)
    assert DcganConfig(height=64, width=64).level_widths == (32, 64, 128, 256)
    assert StyleganConfig(height=28, width=28).level_sizes == ((14, 14), (7, 7), (4, 4))


@pytest.mark.parametrize("kind", KINDS)
def test_scaling_comes_near_to_the_parameters_asked_for(kind: str) -> None:
    for parameters in (300_000, 1_000_000, 5_000_000):
        assert config(kind).scaled_to(parameters).parameter_count() == pytest.approx(parameters, rel=0.35)


@pytest.mark.parametrize("kind", KINDS)
def test_binding_takes_sizes_from_the_codec(kind: str) -> None:
    made = codec(config(kind, 3, height=18, width=22, channels=3)).spec
    bound = KINDS[kind]().bound_to(made)
    assert (bound.height, bound.width, bound.channels, bound.classes) == (18, 22, 3, 3)
    assert mismatches(made, bound.accepts()) == []
    with pytest.raises(ConfigError, match="makes no images"):
        bound.bound_to(TensorSpec({"target": Slot(kind="tokens", axes=("length",), sizes=(None,))}))


@pytest.mark.parametrize("kind", KINDS)
def test_configuration_survives_json(kind: str) -> None:
    settings = config(kind, flip=True, augmentation=0.3)
    assert KINDS[kind].from_dictionary(json.loads(settings.to_json())) == settings


def test_configurations_and_recipes_load_no_torch() -> None:
    modules = "makar.families.gan.options, makar.families.gan.dcgan_config, makar.recipes.gan"
    code = f"import sys, {modules}; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": str(Path("src").resolve())})


@pytest.mark.parametrize("kind", KINDS)
def test_every_setting_of_the_networks_changes_them(kind: str) -> None:
    plain = config(kind)
    changes = {"features": 16, "latent_width": 24, "channels": 3, "height": 28, "width": 40, "classes": 2}
    changes |= {"judge_norm": "none"} if kind == "dcgan" else {"patch": 1, "mapping_layers": 3}
    for name, value in changes.items():
        changed = plain.changed(**{name: value})
        assert changed.parameter_count() != plain.parameter_count(), name
        assert changed.parameter_count() == sum(item.numel() for item in built(changed).parameters()), name
    # The others change the losses: see test_family.
    others = {"objective", "penalised", "penalty", "penalty_every", "augmentation", "flip", "mixing"}
    assert {field.name for field in dataclasses.fields(plain)} <= changes.keys() | others
