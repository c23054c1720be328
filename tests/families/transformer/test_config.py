"""Sizes and costs of a transformer are known before it exists."""

import subprocess
import sys

import pytest

from makar.config import with_settings
from makar.errors import ConfigError, UnknownNameError
from makar.families.family import build_family
from makar.families.transformer.config import LARGEST_CONTEXT, TransformerConfig
from makar.tensor_spec import Slot, TensorSpec, mismatches

CONFIGS = [
    TransformerConfig(layout="compact", vocabulary=50, width=64, heads=4, depth=3),
    TransformerConfig(layout="mainstream", vocabulary=50, width=64, heads=4, depth=3, key_value_heads=2),
    TransformerConfig(layout="mainstream", vocabulary=50, width=96, heads=2, depth=1, tied=True, hidden=40),
]


def made(vocabulary):
    return TensorSpec({"target": Slot(kind="tokens", axes=("length",), sizes=(None,), vocabulary=vocabulary)})


@pytest.mark.parametrize("config", CONFIGS)
def test_parameter_count_is_exact(config):
    assert config.parameter_count() == sum(p.numel() for p in build_family(config).parameters())


@pytest.mark.parametrize("config", CONFIGS)
def test_operations_are_six_a_matrix_weight_and_attention(config):
    family = build_family(config)
    matrices = sum(p.numel() for p in family.network.blocks.parameters() if p.ndim == 2) + 50 * config.width
    assert config.training_operations() == 6 * matrices + 6 * config.depth * config.width * config.context


@pytest.mark.parametrize("layout", ["compact", "mainstream"])
@pytest.mark.parametrize("parameters", [60_000, 300_000, 1_000_000, 25_000_000, 300_000_000])
def test_scaling_comes_close_and_grows_both_ways(layout, parameters):
    config = TransformerConfig(layout=layout, vocabulary=100).scaled_to(parameters)
    assert config.parameter_count() == pytest.approx(parameters, rel=0.25)
    assert config.width % config.heads == 0 and config.layout == layout and config.vocabulary == 100
    larger = config.scaled_to(parameters * 8)
    assert larger.width > config.width and larger.depth >= config.depth


def test_scaling_keeps_about_the_share_of_key_value_heads():
    config = TransformerConfig(vocabulary=100, heads=4, key_value_heads=2).scaled_to(30_000_000)
    assert config.heads % config.key_value_heads == 0
    assert 2 <= config.heads / config.key_value_heads <= 3


def test_binding_takes_the_vocabulary_and_then_accepts_no_other():
    config = TransformerConfig().bound_to(made(77))
    assert config.vocabulary == 77
    assert mismatches(made(77), config.accepts()) == []
    assert mismatches(made(78), config.accepts())
    assert mismatches(made(78), TransformerConfig().accepts()) == []


def test_activation_bytes_follow_the_sizes():
    small = TransformerConfig(vocabulary=100)
    for name in ("context", "depth", "width"):
        assert small.changed(**{name: 2 * getattr(small, name)}).activation_bytes() > 1.5 * small.activation_bytes()


def test_window_is_the_context():
    assert TransformerConfig(context=33).window_length == 33


def test_shapes_that_do_not_divide_are_refused():
    with pytest.raises(ConfigError, match="context"):
        TransformerConfig(context=LARGEST_CONTEXT + 1)
    with pytest.raises(ConfigError, match="width 100"):
        TransformerConfig(width=100, heads=3)
    with pytest.raises(ConfigError, match="cannot share"):
        TransformerConfig(heads=4, key_value_heads=3)
    with pytest.raises(ConfigError, match="vocabulary"):
        build_family(TransformerConfig())
    with pytest.raises(UnknownNameError, match="width"):
        with_settings(TransformerConfig(), ["widht=3"])


def test_config_recipe_and_codec_config_import_no_torch():
    code = "import makar.recipes.text, sys; makar.recipes.text.text(); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
