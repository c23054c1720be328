"""What every family keeps, for every stage of every recipe, built in or brought by a plug-in."""

import json

import numpy as np
import pytest
import torch

from makar import registry
from makar.artifacts.export_onnx import write_family
from makar.codecs.codec import Autoencoder, Encoder
from makar.data.backbone import Backbone
from makar.data.clip import Clip
from makar.data.sound import Sound
from makar.data.store import build_store
from makar.errors import TensorMismatchError, UnsupportedError, UsageError
from makar.families.edits import EDITS
from makar.families.estimates import Estimate, ShowsEstimates, told_steps
from makar.generation.frames import BetweenImages, BetweenSeeds
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
    store = build_store(tmp_path / "store", samples.rows_for(codec.config, medium) * 3, codec.encode, key="contract")
    return codec, config, BatchSource(store, codec, family=config, seed=0).batch(0, 3)


@pytest.fixture
def creating(case):
    """Return the case of a family that makes examples from nothing; the others are asked by the test below."""
    codec, config, batch = case
    if not samples.new_family(config).creates:
        pytest.skip("this family makes nothing from nothing")
    return codec, config, batch


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
def test_what_it_can_do_is_known_without_torch_and_named_in_the_table(case):
    _, config, _ = case
    family = samples.new_family(config)
    assert family.edits == config.edits and family.predictions == config.predictions
    assert set(config.edits) <= set(EDITS)


@every_stage
def test_every_edit_that_it_names_is_done_and_no_other(case):
    codec, config, batch = case
    family = samples.new_family(config).eval()
    sampler, options = family.sampler(codec), family.options.from_dictionary(_short(family))
    image = batch["target"][0]
    is_image, is_grid = image.ndim == 3, codec.plain is not codec and image.ndim == 2
    image = image.float() if is_image else image
    slots = {"source": batch["source"][0] if "source" in batch else image, "known": image}
    slots["reference"] = image.flip(-1)
    if is_image:
        slots["mask"] = (torch.arange(image.shape[-1]) >= image.shape[-1] // 2).float().expand(1, *image.shape[1:])
    elif is_grid:
        # Tokens are drawn row by row: only the end can be made anew.
        slots["mask"] = (torch.arange(len(image)) >= len(image) // 2).float()[None, :, None].expand(1, *image.shape)
    for name, edit in EDITS.items():
        if not edit.slots:
            continue
        has_source = "source" in batch and bool(config.edits)
        is_told = is_image or is_grid or (has_source and set(edit.slots) == {"source"})
        prompt = {slot: slots[slot] for slot in edit.slots if is_told}
        controls = (
            options.changed(edit=name) if "edit" in options.__dataclass_fields__ and name in config.edits else options
        )
        if name in config.edits:
            made = next(found["target"] for _, found, _ in sampler.sample(controls, [prompt], [0]))
            # A sound is as short as it was asked to be.
            is_cut = "seconds" in options.__dataclass_fields__ and 0 < made.size < image.numel()
            assert (made.shape == tuple(image.shape) or is_cut) and np.isfinite(made).all()
            if name == "inpaint":
                stays = np.broadcast_to(slots["mask"].numpy()[0] == 0, made.shape)
                assert (stays.any() or image[0].numel() == 1) and np.array_equal(made[stays], image.numpy()[stays])
        elif prompt and not any(EDITS[other].slots == edit.slots for other in config.edits):
            with pytest.raises(UsageError):
                list(sampler.sample(options, [prompt], [0]))
    assert ("interpolate" in config.edits) == isinstance(sampler, BetweenImages)
    assert ("interpolate-seeds" in config.edits) == isinstance(sampler, BetweenSeeds)


@every_stage
def test_it_shows_estimates_where_it_says_so_and_they_change_nothing(case):
    codec, config, _ = case
    family = samples.new_family(config).eval()
    sampler = family.sampler(codec)
    assert config.previews == isinstance(sampler, ShowsEstimates)
    if not config.previews or not family.creates:
        return
    seen: list[Estimate] = []
    options = family.options.from_dictionary(_short(family))
    (plain,) = (found["target"] for _, found, _ in sampler.sample(options, [{}], [0]))
    sampler.watch(seen.append, most=1)
    (made,) = (found["target"] for _, found, _ in sampler.sample(options, [{}], [0]))
    assert np.array_equal(plain, made) and all(one.slots["target"].shape == made.shape for one in seen)
    assert [one.step - 1 for one in seen] == told_steps(options.steps, 1)


@every_stage
def test_every_prediction_that_it_names_is_made_and_no_other(case):
    _, config, batch = case
    family = samples.new_family(config).eval()
    family.initialise_from_data([batch])
    for what in config.predictions:
        found = family.predict(batch, what, _generator())
        again = family.predict(batch, what, _generator())
        assert found and all(len(values) == len(batch["target"]) for values in found.values())
        assert all(np.array_equal(found[name], again[name]) for name in found)
    with pytest.raises(UsageError, match="smell"):
        family.predict(batch, "smell", _generator())


@every_stage
def test_a_family_that_says_what_it_encodes_does(case):
    _, config, batch = case
    latents = config.latents()
    if latents is None:
        return
    family = samples.new_family(config).eval()
    family.initialise_from_data([batch])
    with torch.inference_mode():
        made = family.encode(batch["target"])
        again = family.encode(batch["target"])
    assert tuple(made.shape) == (len(batch["target"]), *latents.sizes) and torch.equal(made, again)
    assert made.dtype == (torch.int64 if latents.kind == "tokens" else torch.float32)
    if not isinstance(family, Autoencoder):
        # It encodes for the stage after it, and nothing leads back.
        assert isinstance(family, Encoder)
        return
    with torch.inference_mode():
        images = family.decode(made)
    assert images.shape == batch["target"].shape and images.dtype == torch.float32
    assert images.min() >= -1 and images.max() <= 1


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
def test_same_seed_gives_same_sample_and_another_seed_another(creating):
    codec, config, _ = creating
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
def test_a_sample_does_not_depend_on_what_else_is_made(creating):
    codec, config, _ = creating
    family = samples.new_family(config).eval()
    alone = _samples(family, codec, [7])[0]
    among = _samples(family, codec, [5, 6, 7])[2]
    for slot in alone:
        assert alone[slot].shape == among[slot].shape
        assert np.allclose(alone[slot], among[slot], atol=1e-4)


@every_stage
def test_samples_can_be_decoded(creating):
    codec, config, _ = creating
    if not codec.decodes:
        pytest.skip("what this stage makes is for the stage after it")
    for slots in _samples(samples.new_family(config).eval(), codec, [1, 2]):
        content = codec.decode(slots)
        assert isinstance(content, str | Sound | Clip | Backbone) or content.dtype == np.uint8


@every_stage
def test_a_family_that_creates_nothing_says_so_and_names_what_does(case):
    codec, config, _ = case
    family = samples.new_family(config).eval()
    if family.creates:
        pytest.skip("this family makes examples from nothing")
    with pytest.raises(UsageError) as caught:
        _samples(family, codec, [1])
    assert any(f'"{name}"' in caught.value.do for name in registry.names("recipes"))
    assert family.edits or family.predictions


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


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # the exporter warns about its own dependencies
@every_stage
def test_every_family_goes_out_as_onnx(case, tmp_path):
    pytest.importorskip("onnxruntime")
    _, config, _ = case
    described = write_family(samples.new_family(config).eval(), tmp_path, component="")
    assert described and all((tmp_path / part["file"]).stat().st_size for part in described)


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


def shortest_seconds(options):
    """Return how short a sound can be asked for, if one can be."""
    field = options.__dataclass_fields__.get("seconds")
    return None if field is None else max(0.003, field.metadata["minimum"] or 0)


def _short(family):
    """Return controls that keep a sample short, as far as the family has them."""
    known = family.options.__dataclass_fields__
    # A distilled model has its own number of steps.
    steps = family.config.to_dictionary().get("student_steps", 3) if family.config.teacher() is not None else 3
    wanted = {"max_tokens": 24, "steps": steps, "temperature": 1.0, "seconds": shortest_seconds(family.options)}
    return {name: value for name, value in wanted.items() if name in known}
