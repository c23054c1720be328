"""The image family: sizes that are promised, losses that are comparable, tensors that come back, and the exported network."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from makar.codecs.image import ImageCodec
from makar.codecs.image_config import ImageCodecConfig
from makar.errors import ConfigError, TensorMismatchError, UnknownNameError
from makar.families.diffusion.condition import Condition
from makar.families.diffusion.config import DiffusionConfig
from makar.families.diffusion.family import DiffusionFamily
from makar.families.family import Batch, build_family
from makar.tensor_spec import Slot, TensorSpec, mismatches

SHAPES = [
    DiffusionConfig(height=28, width=28, channels=1, classes=10, features=16, embedding_width=64),
    DiffusionConfig(height=17, width=30, channels=3, features=32, multipliers=(1, 2, 3), blocks=1),
    DiffusionConfig(height=16, width=16, channels=4, features=16, patch=1, expansion=2, attention_positions=0),
    DiffusionConfig(height=64, width=48, channels=3, features=16, patch=4, multipliers=(2,), head_width=16),
    DiffusionConfig(height=20, width=16, features=32, caption_length=7, caption_vocabulary=300, caption_width=32),
    DiffusionConfig(
        height=17, width=30, features=64, network="dit", blocks=2, expansion=4, classes=5, objective="ddpm"
    ),
    DiffusionConfig(
        features=32, network="dit", patch=4, caption_length=5, caption_vocabulary=9, caption_width=64, caption_layers=1
    ),
]


def small(classes: int = 3, **values: object) -> DiffusionConfig:
    sizes = {"height": 16, "width": 20, "channels": 1, "classes": classes, "features": 16, "blocks": 1}
    return DiffusionConfig(**{**sizes, **values})


def captioned(**values: object) -> DiffusionConfig:
    return small(**{"classes": 0, "caption_length": 5, "caption_vocabulary": 20, "caption_width": 32, **values})


def built(config: DiffusionConfig, seed: int = 0) -> DiffusionFamily:
    family = build_family(config)
    assert isinstance(family, DiffusionFamily)
    family.initialise(torch.Generator().manual_seed(seed))
    return family


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def batch(config: DiffusionConfig, count: int = 8) -> Batch:
    data = torch.randn(count, config.channels, config.height, config.width, generator=generator(9)).clamp(-1, 1)
    slots = {"target": data}
    if config.classes:
        slots["class"] = torch.arange(count) % config.classes
    if config.caption_length:
        # Every word is there: the counts are those of captions of full length.
        shape = (count, config.caption_length)
        slots["caption"] = torch.randint(2, config.caption_vocabulary, shape, generator=generator(8))
    return slots


@pytest.mark.parametrize("config", SHAPES)
def test_configuration_knows_the_exact_number_of_parameters(config: DiffusionConfig) -> None:
    assert config.parameter_count() == sum(parameter.numel() for parameter in build_family(config).parameters())


@pytest.mark.parametrize("config", SHAPES)
def test_configuration_knows_the_operations_of_a_forward_pass(config: DiffusionConfig) -> None:
    family = built(config)
    with FlopCounterMode(display=False) as counter:
        family.validation_loss(batch(config, 2), generator())
    assert counter.get_total_flops() / 2 == pytest.approx(config.training_operations() / 3, rel=1e-6)


@pytest.mark.parametrize("config", [SHAPES[0], SHAPES[1], SHAPES[4], SHAPES[5], SHAPES[6]])
def test_activation_estimate_is_right_within_a_third(config: DiffusionConfig) -> None:
    family, kept = built(config), {}
    family.precision = "bfloat16"
    weights = {parameter.data_ptr() for parameter in family.parameters()}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = (tensor, storage.nbytes())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        family.phases()[0].loss(batch(config, 32), generator())
    measured = sum(size for _, size in kept.values()) / 32
    assert config.activation_bytes() == pytest.approx(measured, rel=0.34)


def test_scaling_comes_near_to_the_parameters_asked_for() -> None:
    for parameters in (300_000, 1_000_000, 5_000_000):
        assert small().scaled_to(parameters).parameter_count() == pytest.approx(parameters, rel=0.25)


def test_binding_takes_sizes_from_the_codec() -> None:
    codec = ImageCodec(
        ImageCodecConfig(height=18, width=22, channels=3, use_labels=True), class_counts={"a": 1, "b": 2}
    )
    bound = DiffusionConfig().bound_to(codec.spec)
    assert (bound.height, bound.width, bound.channels, bound.classes) == (18, 22, 3, 2)
    assert mismatches(codec.spec, bound.accepts()) == []


def test_text_and_captions_are_not_accepted() -> None:
    with pytest.raises(ConfigError, match="makes no images"):
        DiffusionConfig().bound_to(TensorSpec({"target": Slot(kind="tokens", axes=("length",), sizes=(None,))}))
    target = DiffusionConfig().accepts()["target"]
    caption = Slot(kind="tokens", axes=("length",), sizes=(None,), vocabulary=9)
    assert any(
        "caption" in reason
        for reason in mismatches(TensorSpec({"target": target, "caption": caption}), DiffusionConfig().accepts())
    )


def test_configuration_loads_no_torch_and_survives_json() -> None:
    modules = "makar.families.diffusion.config, makar.families.diffusion.options, makar.recipes.image"
    code = f"import sys, {modules}; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": str(Path("src").resolve())})
    config = small(flip=True)
    assert DiffusionConfig.from_dictionary(json.loads(config.to_json())) == config


def test_untrained_network_is_the_best_linear_guess_for_gaussian_data() -> None:
    family, config = built(small(classes=0)), small(classes=0)
    data = 0.3 + 0.2 * torch.randn(64, 1, config.height, config.width, generator=generator(1))
    family.initialise_from_data([{"target": data[:32]}, {"target": data[32:]}])
    assert float(family.network.data_mean) == pytest.approx(0.3, abs=0.01)
    assert float(family.network.data_deviation) == pytest.approx(0.2, abs=0.01)
    time, mean, deviation = torch.full((4,), 0.3), 0.3, 0.2
    point = torch.randn(4, 1, config.height, config.width, generator=generator(2))
    variance = (0.3 * deviation) ** 2 + 0.7**2
    exact = mean + (0.3 * deviation**2 - 0.7) / variance * (point - 0.3 * mean)
    assert torch.allclose(family.velocity(point, time, Condition()), exact, atol=0.02)


def test_training_lowers_the_loss_in_both_precisions() -> None:
    config = small()
    for precision in ("float32", "bfloat16"):
        family = built(config)
        family.precision = precision
        data = {"target": torch.ones(16, 1, 16, 20) * torch.linspace(-1, 1, 20), "class": torch.arange(16) % 3}
        family.initialise_from_data([data])
        before = float(family.validation_loss(data, generator()).value)
        optimiser = torch.optim.AdamW(family.parameters(), 3e-3)
        phase = family.phases()[0]
        for step in range(30):
            optimiser.zero_grad()
            phase.loss(family.prepare(data, generator(step)), generator(step)).value.backward()
            optimiser.step()
        assert float(family.validation_loss(data, generator()).value) < 0.75 * before


@pytest.mark.parametrize(
    "config",
    [
        small(),
        small(objective="ddpm"),
        small(network="dit", blocks=2),
        captioned(classes=3),
        captioned(network="dit", objective="ddpm"),
    ],
    ids=["unet", "ddpm", "dit", "unet with captions", "dit with captions"],
)
def test_every_parameter_learns(config: DiffusionConfig) -> None:
    family = built(config)
    with torch.no_grad():
        # Branches start at zero, which hides what is behind them.
        for parameter in family.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator(3)))
    family.phases()[0].loss(batch(config), generator()).value.backward()
    for name, parameter in family.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name


def test_validation_loss_is_the_same_every_time_and_training_loss_is_not() -> None:
    family, data = built(small()), batch(small())
    assert family.validation_loss(data, generator(4)).value == family.validation_loss(data, generator(4)).value
    loss = family.phases()[0].loss
    assert loss(data, generator(4)).value != loss(data, generator(5)).value


def test_flip_mirrors_about_half_of_the_images_and_only_when_asked() -> None:
    config = small(flip=True)
    data = batch(config, 200)
    mirrored = built(config).prepare(data, generator())["target"]
    changed = (mirrored != data["target"]).flatten(1).any(1)
    assert 60 < int(changed.sum()) < 140
    assert torch.equal(mirrored[changed], data["target"][changed].flip(-1))
    assert built(small()).prepare(data, generator())["target"] is data["target"]


def test_class_dropout_hides_captions() -> None:
    data = batch(captioned())
    other = {**data, "caption": data["caption"].flip(0)}
    for share, hidden in ((1.0, True), (0.0, False)):
        family = built(captioned(class_dropout=share))
        with torch.no_grad():
            for parameter in family.network.parameters():
                parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator(3)))
        loss = family.phases()[0].loss
        assert bool(loss(data, generator()).value == loss(other, generator()).value) == hidden
        assert family.validation_loss(data, generator()).value != family.validation_loss(other, generator()).value


def test_class_dropout_hides_classes() -> None:
    data = batch(small())
    family = built(small(class_dropout=1.0))
    with torch.no_grad():
        family.network.unet.embedding.class_vectors.add_(1.0)
        for parameter in family.network.parameters():
            parameter.add_(0.05)
    other = {**data, "class": (data["class"] + 1) % 3}
    loss = family.phases()[0].loss
    assert loss(data, generator()).value == loss(other, generator()).value
    assert family.validation_loss(data, generator()).value != family.validation_loss(other, generator()).value


def test_time_settings_change_the_loss() -> None:
    data = batch(small())
    plain = built(small()).phases()[0].loss(data, generator()).value
    for values in ({"time_mean": 1.0}, {"time_deviation": 0.0}):
        assert built(small(**values)).phases()[0].loss(data, generator()).value != plain


def test_same_generator_gives_same_weights() -> None:
    for first, second in zip(built(small(), 3).parameters(), built(small(), 3).parameters()):
        assert torch.equal(first, second)


def test_tensors_bring_the_model_back() -> None:
    family, other = built(small(), 1), built(small(), 2)
    family.initialise_from_data([batch(small())])
    other.load_tensors({name: value.clone() for name, value in family.tensors().items()})
    data = batch(small())
    assert family.validation_loss(data, generator()).value == other.validation_loss(data, generator()).value


def test_foreign_missing_and_misshapen_tensors_are_listed() -> None:
    family = built(small())
    tensors = dict(family.tensors())
    tensors["network.foreign"] = torch.zeros(1)
    del tensors["unet.enter.bias"]
    tensors["data_mean"] = torch.zeros(7, 1, 1)
    with pytest.raises(TensorMismatchError) as caught:
        family.load_tensors(tensors)
    for part in ("network.foreign", "unet.enter.bias", "data_mean is (7, 1, 1)"):
        assert part in str(caught.value)


# The exporter of torch still uses a name that torch itself calls deprecated.
@pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning")
@pytest.mark.parametrize(
    "config",
    [
        pytest.param(small(classes=0), id="unet", marks=pytest.mark.slow),
        pytest.param(small(), id="classes", marks=pytest.mark.slow),
        pytest.param(captioned(objective="ddpm"), id="captions", marks=pytest.mark.slow),
        pytest.param(captioned(classes=3, network="dit", blocks=2), id="dit", marks=pytest.mark.slow),
    ],
)
def test_exported_network_computes_the_same_in_onnxruntime(config: DiffusionConfig, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    family = built(config)
    with torch.no_grad():
        for parameter in family.parameters():
            parameter.add_(0.02 * torch.randn(parameter.shape, generator=generator(3)))
    (part,) = family.onnx_parts()
    shapes = {name: dict.fromkeys(axes, torch.export.Dim.DYNAMIC) for name, axes in part.dynamic.items()}
    program = torch.onnx.export(
        part.module,
        args=tuple(part.inputs.values()),
        input_names=list(part.inputs),
        dynamo=True,
        dynamic_shapes=tuple(shapes.values()),
        output_names=list(part.outputs),
        verbose=False,
    )
    assert program is not None
    program.save(str(tmp_path / "velocity.onnx"))
    session = onnxruntime.InferenceSession(str(tmp_path / "velocity.onnx"), providers=["CPUExecutionProvider"])
    point = torch.randn(5, 1, 16, 20, generator=generator(6))
    time = torch.linspace(0, 1, 5)
    label = torch.tensor([0, 1, 2, 3, 1]) if config.classes else None
    caption = torch.tensor([[2, 3, 4, 5, 6], [9, 0, 0, 0, 0], [1, 0, 0, 0, 0], [7, 7, 7, 0, 0], [2, 3, 0, 0, 0]])
    feeds = {"point": point, "time": time, "label": label, "caption": caption if config.caption_length else None}
    (found,) = session.run(None, {name: value.numpy() for name, value in feeds.items() if value is not None})
    with torch.no_grad():
        expected = family.velocity(point, time, family.condition(label, feeds["caption"])).numpy()
    assert np.abs(found - expected).max() < 1e-4 * max(1, np.abs(expected).max())


def test_every_setting_of_the_network_changes_it() -> None:
    plain = small()
    changes = {"features": 32, "multipliers": (1, 1), "blocks": 2, "expansion": 2, "patch": 1, "embedding_width": 64}
    for name, value in changes.items():
        assert plain.changed(**{name: value}).parameter_count() != plain.parameter_count(), name
    assert plain.changed(attention_positions=0).parameter_count() < plain.parameter_count()
    assert plain.changed(head_width=8).parameter_count() > plain.parameter_count()
    assert plain.changed(limit=2.0).accepts() != plain.accepts()
    assert plain.changed(network="dit").parameter_count() != plain.parameter_count()
    words = {"caption_length": 6, "caption_vocabulary": 21, "caption_width": 16, "caption_layers": 1}
    for name, value in words.items():
        assert captioned(**{name: value}).parameter_count() != captioned().parameter_count(), name
    fields = {field.name for field in dataclasses.fields(DiffusionConfig)}
    covered = {*changes, *words, "attention_positions", "head_width", "height", "width", "channels", "classes"}
    # These do not change its size; tests of the loss and of the sampler show what they do.
    covered |= {name for name in fields if name.startswith("source_")}  # tests/families/diffusion/test_source.py
    covered |= {
        "distilled",
        "guided",
        "student_steps",
        "judged",
        "control",
    }  # tests/families/diffusion/test_distillation.py, test_judging.py and test_control.py
    covered |= {"frames", "picture_weight"}  # tests/families/diffusion/test_clips.py and test_pictures_among_clips.py
    covered |= {"preference"}  # tests/api/test_feedback_training.py
    covered |= {"class_dropout", "time_mean", "time_deviation", "flip", "network", "objective", "limit"}
    assert covered == fields


def test_impossible_shapes_are_refused() -> None:
    with pytest.raises(ConfigError, match="multipliers"):
        small(multipliers=())
    with pytest.raises(ConfigError, match="heads"):
        DiffusionConfig(features=56, head_width=32)
    with pytest.raises(ConfigError, match="heads"):
        small(network="dit", features=80, head_width=24)
    with pytest.raises(ConfigError, match="vocabulary"):
        small(caption_length=4)
    for values in ({"patch": 3}, {"network": "resnet"}, {"objective": "edm"}):
        with pytest.raises(UnknownNameError):
            small(**values)


@pytest.mark.parametrize(
    "values",
    [
        {"network": "dit", "multipliers": (1, 2, 2)},
        {"network": "dit", "attention_positions": 0},
        {"objective": "ddpm", "time_mean": 1.0},
        {"objective": "ddpm", "time_deviation": 0.0},
    ],
    ids=str,
)
def test_a_setting_that_would_be_ignored_is_refused(values: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="left at"):
        small(**values)
