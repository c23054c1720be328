"""The transformer as a family: it learns, is saved whole, and refuses what does not fit."""

import numpy as np
import pytest
import torch

from makar.codecs.text import TextCodec
from makar.codecs.text_config import ByteCodecConfig
from makar.errors import ConfigError, TensorMismatchError
from makar.families.family import build_family
from makar.families.transformer.config import TransformerConfig

CONFIGS = {
    layout: TransformerConfig(layout=layout, vocabulary=257, context=16, depth=2, width=32, heads=2)
    for layout in ("compact", "mainstream")
}
BOTH_LAYOUTS = pytest.mark.parametrize("layout", CONFIGS)


def built(config, seed=0):
    family = build_family(config)
    family.initialise(torch.Generator().manual_seed(seed))
    return family


def batch(seed=0, length=17):
    return {"target": torch.randint(0, 9, (4, 1), generator=torch.Generator().manual_seed(seed)) + torch.arange(length)}


def trained(family, steps, seed=0):
    (phase,) = family.phases()
    groups = [{"params": group.parameters} for group in phase.groups]
    optimiser = torch.optim.AdamW(groups, lr=1e-2)
    for step in range(steps):
        loss = phase.loss(batch(step), torch.Generator().manual_seed(seed + step))
        optimiser.zero_grad()
        loss.value.backward()
        optimiser.step()
    return family


@BOTH_LAYOUTS
def test_first_loss_is_that_of_guessing_and_falls(layout):
    family = built(CONFIGS[layout])
    generator = torch.Generator()
    first = family.validation_loss(batch(), generator)
    assert first.value.item() == pytest.approx(torch.tensor(257.0).log().item(), abs=0.05)
    assert first.count == 64 and first.unit == "nats/token"
    trained(family, 40)
    assert family.validation_loss(batch(99), generator).value < 1.0


@BOTH_LAYOUTS
def test_every_parameter_is_trained_and_saved_once(layout):
    family = built(CONFIGS[layout])
    in_phase = [parameter for group in family.phases()[0].groups for parameter in group.parameters]
    assert {id(parameter) for parameter in in_phase} == {id(parameter) for parameter in family.parameters()}
    assert len(in_phase) == len(set(map(id, in_phase)))
    assert sum(tensor.numel() for tensor in family.tensors().values()) == family.config.parameter_count()
    before = {name: parameter.clone() for name, parameter in family.named_parameters()}
    trained(family, 3)
    assert [name for name, parameter in family.named_parameters() if torch.equal(parameter, before[name])] == []


@BOTH_LAYOUTS
def test_tensors_rebuild_the_same_network(layout):
    family, other = trained(built(CONFIGS[layout]), 3), built(CONFIGS[layout], seed=1)
    tokens = batch()["target"]
    with torch.no_grad():
        assert not torch.equal(family.network(tokens), other.network(tokens))
        other.load_tensors(family.tensors())
        assert torch.equal(family.network(tokens), other.network(tokens))


def test_tensors_that_do_not_fit_are_all_listed():
    family = built(CONFIGS["compact"])
    tensors = family.tensors()
    before = {name: tensor.clone() for name, tensor in tensors.items()}
    wrong = dict(tensors)
    del wrong["lm_head.weight"]
    wrong["model.layers.9.mlp.fc1.weight"] = torch.zeros(1)
    wrong["model.embed_tokens.weight"] = torch.zeros(3, 32)
    with pytest.raises(TensorMismatchError) as caught:
        family.load_tensors(wrong)
    for part in ("missing lm_head.weight", "unexpected model.layers.9", "model.embed_tokens.weight has shape (3, 32)"):
        assert part in str(caught.value)
    assert all(torch.equal(tensor, before[name]) for name, tensor in family.tensors().items())


@BOTH_LAYOUTS
def test_bfloat16_products_change_the_loss_a_little_and_leave_weights_in_float32(layout):
    family = trained(built(CONFIGS[layout]), 5)
    exact = family.validation_loss(batch(), torch.Generator()).value
    family.precision = "bfloat16"
    rough = family.validation_loss(batch(), torch.Generator()).value
    assert 0 < abs(exact - rough) < 0.02
    trained(family, 1)
    assert {parameter.dtype for parameter in family.parameters()} == {torch.float32}
    with pytest.raises(ConfigError, match="float16"):
        family.precision = "float16"


def test_dropout_follows_the_generator_and_spares_validation():
    family = trained(built(CONFIGS["compact"].changed(dropout=0.5)), 3)
    (phase,) = family.phases()
    losses = [phase.loss(batch(), torch.Generator().manual_seed(seed)).value.item() for seed in (1, 1, 2)]
    assert losses[0] == losses[1] != losses[2]
    validation = [family.validation_loss(batch(), torch.Generator().manual_seed(seed)).value for seed in (1, 2)]
    assert validation[0] == validation[1]


def test_same_seed_gives_the_same_weights_and_another_seed_others():
    first, again, other = (built(CONFIGS["mainstream"], seed=seed).tensors() for seed in (0, 0, 1))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["lm_head.weight"], other["lm_head.weight"])


@BOTH_LAYOUTS
def test_sampler_continues_what_was_learned(layout):
    family = trained(built(CONFIGS[layout]), 60)
    codec = TextCodec.fit(ByteCodecConfig(), iter(()))
    prompt = {"target": torch.arange(3, 9)}
    options = family.options(max_tokens=4, temperature=0.0)
    pieces = [slots["target"] for _, slots, _ in family.sampler(codec).sample(options, [prompt], [0])]
    assert np.concatenate(pieces).tolist() == [9, 10, 11, 12]
