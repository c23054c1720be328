"""What every family keeps, for every stage of every recipe, built in or brought by a plug-in."""

import json

import numpy as np
import pytest
import torch

from makar import registry
from makar.data.store import build_store
from makar.errors import TensorMismatchError, UnsupportedError, UsageError
from makar.recipe import Stage, check_fit
from makar.tensor_spec import TARGET, Slot, TensorSpec
from makar.training.batches import BatchSource
from tests.contract import samples

every_stage = pytest.mark.parametrize("recipe, index", samples.stage_cases())


@pytest.fixture
def case(recipe, index, tmp_path):
    """Return (codec, configuration, a batch of real records)."""
    codec, config = samples.fitted_stage(recipe, index)
    medium = registry.load("recipes", recipe)().medium
    store = build_store(tmp_path / "store", samples.records(medium) * 3, codec.encode, key="contract")
    return codec, config, BatchSource(store, codec, family=config, seed=0).batch(0, 3)


def _generator(seed=0):
    return torch.Generator().manual_seed(seed)


@every_stage
def test_configuration_comes_back_from_json(case):
    _, config, _ = case
    assert registry.config_class(config.kind).from_dictionary(json.loads(config.to_json())) == config


@every_stage
def test_parameter_count_is_that_of_the_network(case):
    _, config, _ = case
    family = samples.new_family(config)
    assert config.parameter_count() == sum(item.numel() for item in family.parameters() if item.requires_grad)


@every_stage
def test_cost_and_memory_grow_with_size(case):
    _, config, _ = case
    larger = config.scaled_to(20 * config.parameter_count())
    assert larger.parameter_count() > 5 * config.parameter_count()
    assert larger.training_operations() > config.training_operations() > 0
    assert larger.activation_bytes() >= config.activation_bytes() > 0


@every_stage
def test_it_accepts_what_its_codec_makes_and_nothing_else(recipe, index, case):
    codec, config, _ = case
    stage = registry.load("recipes", recipe)().stages[index]
    fitting = Stage.from_dictionary(stage.to_dictionary() | {"family": config.to_dictionary()})
    check_fit(fitting, codec.spec)
    foreign = TensorSpec({**codec.spec.slots, "smell": Slot(kind="values", axes=(), sizes=())})
    with pytest.raises(UsageError, match="smell"):
        check_fit(fitting, foreign)


@every_stage
def test_same_generator_draws_same_weights(case):
    _, config, _ = case
    first, second = (samples.new_family(config).tensors() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)


@every_stage
def test_every_phase_gives_every_parameter_a_finite_gradient(case):
    _, config, batch = case
    family = samples.new_family(config).train()
    family.initialise_from_data([batch])
    shared = family.prepare(batch, _generator())
    for phase in family.phases():
        loss = phase.loss(phase.batch(shared, _generator()) if phase.batch else shared, _generator())
        assert loss.count > 0 and loss.unit and torch.isfinite(loss.value)
        loss.value.backward()
        for group in phase.groups:
            for parameter in group.parameters:
                assert parameter.grad is not None and torch.isfinite(parameter.grad).all()


@every_stage
def test_every_parameter_is_in_a_phase(case):
    _, config, _ = case
    family = samples.new_family(config)
    trained = {id(item) for phase in family.phases() for group in phase.groups for item in group.parameters}
    assert trained == {id(item) for item in family.parameters() if item.requires_grad}


@every_stage
def test_validation_loss_repeats(case):
    _, config, batch = case
    family = samples.new_family(config).eval()
    first, second = (float(family.validation_loss(batch, _generator()).value) for _ in range(2))
    assert first == second


@every_stage
def test_tensors_rebuild_the_family(case):
    _, config, batch = case
    family = samples.new_family(config).eval()
    other = samples.new_family(config, seed=1).eval()
    with torch.no_grad():
        # A fresh network may answer zero whatever the other weights are.
        for parameter in family.parameters():
            parameter.add_(0.02 * torch.randn(parameter.shape, generator=_generator()))
    assert float(other.validation_loss(batch, _generator()).value) != float(
        family.validation_loss(batch, _generator()).value
    )
    other.load_tensors({name: tensor.clone() for name, tensor in family.tensors().items()})
    assert float(other.validation_loss(batch, _generator()).value) == float(
        family.validation_loss(batch, _generator()).value
    )


@every_stage
def test_tensors_that_do_not_fit_are_refused_and_listed(case):
    _, config, _ = case
    family = samples.new_family(config)
    tensors = family.tensors()
    name = next(iter(tensors))
    for wrong in (
        {key: value for key, value in tensors.items() if key != name},
        {**tensors, "foreign": torch.zeros(1)},
        {**tensors, name: torch.zeros(tensors[name].numel() + 1)},
    ):
        with pytest.raises(TensorMismatchError, match="foreign" if "foreign" in wrong else name.replace(".", r"\.")):
            family.load_tensors(wrong)


@every_stage
def test_same_seed_gives_same_sample_and_another_seed_another(case):
    codec, config, _ = case
    family = samples.new_family(config).eval()
    with torch.no_grad():
        for parameter in family.parameters():
            parameter.add_(0.02 * torch.randn(parameter.shape, generator=_generator()))
    first = _samples(family, codec, [7])[0]
    again = _samples(family, codec, [7])[0]
    other = _samples(family, codec, [8])[0]
    assert first.keys() == again.keys()
    assert all(np.array_equal(first[slot], again[slot]) for slot in first)
    assert any(first[slot].shape != other[slot].shape or not np.array_equal(first[slot], other[slot]) for slot in first)


@every_stage
def test_a_sample_does_not_depend_on_what_else_is_made(case):
    codec, config, _ = case
    family = samples.new_family(config).eval()
    alone = _samples(family, codec, [7])[0]
    among = _samples(family, codec, [5, 6, 7])[2]
    for slot in alone:
        assert alone[slot].shape == among[slot].shape
        assert np.allclose(alone[slot], among[slot], atol=1e-4)


@every_stage
def test_samples_can_be_decoded(case):
    codec, config, _ = case
    for slots in _samples(samples.new_family(config).eval(), codec, [1, 2]):
        content = codec.decode(slots)
        assert isinstance(content, str) or content.dtype == np.uint8


@every_stage
def test_unknown_controls_are_refused(case):
    _, config, _ = case
    with pytest.raises(UsageError):
        samples.new_family(config).options.from_dictionary({"warp_factor": 9})


@every_stage
def test_a_hook_on_the_logits_is_honoured_or_refused(case):
    codec, config, _ = case
    family = samples.new_family(config).eval()

    def only_the_first(logits, history):
        del history
        return torch.where(torch.arange(len(logits)) == 0, 0.0, float("-inf"))

    try:
        family.sampler(codec, hook=only_the_first)
    except UnsupportedError:
        return
    plain, marked = _samples(family, codec, [3])[0], _samples(family, codec, [3], hook=only_the_first)[0]
    assert not np.array_equal(plain[TARGET], marked[TARGET]) and not marked[TARGET].any()


@every_stage
def test_onnx_parts_run(case):
    _, config, _ = case
    family = samples.new_family(config).eval()
    parts = family.onnx_parts()
    assert parts
    for part in parts:
        with torch.no_grad():
            result = part.module.eval()(*part.inputs.values())
        assert len(part.outputs) == (1 if isinstance(result, torch.Tensor) else len(result))


def _samples(family, codec, seeds, *, hook=None):
    """Return the slots of one example a seed, pieces of a streaming sampler joined."""
    options = family.options.from_dictionary(_short(family))
    parts = {}
    for index, slots, _ in family.sampler(codec, hook=hook).sample(options, [{} for _ in seeds], seeds):
        parts.setdefault(index, []).append(slots)
    return [
        {
            slot: np.concatenate([piece[slot] for piece in pieces]) if len(pieces) > 1 else pieces[0][slot]
            for slot in pieces[0]
        }
        for pieces in (parts[index] for index in range(len(seeds)))
    ]


def _short(family):
    """Return controls that keep a sample short, as far as the family has them."""
    known = family.options.__dataclass_fields__
    return {name: value for name, value in {"max_tokens": 24, "steps": 3}.items() if name in known}
