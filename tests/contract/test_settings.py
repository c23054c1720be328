"""Every setting does something: each field of a codec, a family, an optimisation and its sampling controls is changed, and what is built
differs.

A field is tried with a few other values (twice, half, one more, the least, every choice) until one makes a difference that can be seen:
in the encoding of real records, in the shapes, losses and samples of a network, or in the weights after a few steps. Settings that need
another one to matter are tried on top of that one.
"""

import dataclasses
import functools
import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch

import makar
from makar import registry
from makar.codecs.codec import fit_codec
from makar.codecs.image_config import ImageCodecConfig
from makar.config import Config, setting
from makar.data.store import build_store
from makar.errors import ConfigError, MakarError
from makar.recipe import OptimisationConfig
from makar.registry import config_class
from makar.training.batches import BatchSource
from tests.cli.small_models import write_images
from tests.contract import samples
from tests.contract.shown_elsewhere import SHOWN_ELSEWHERE
from tests.contract.test_families import shortest_seconds

GROUNDS = {
    "classifier": [{}, {"grams": 0}],
    "tagger": [{}, {"features": False}],
    "regressor": [{}, {"grams": 0}],
    "embedder": [{}, {"learns": "text"}],
    "policy": [{}, {"method": "ppo"}],
    "molecule": [{}, {"properties": "odd"}],
    "sound": [{}, {"use_captions": True}],
    "speech": [{}, {"use_prosody": True}],
    "wave": [{}, {"use_pictures": True}],
    "vocoder": [{}, {"judge_channels": 2}],
    "sound-transformer": [{}, {"source_dropout": 0.5}],
    "video": [{}, {"use_captions": True}],
    "transformer": [
        {},
        {"layout": "compact"},
        {"heads": 2},
        {"head_channels": 8},
        {"query_key_norm": False},
        {"rotary_scaling": (2.0,)},
    ],
    "image": [{}, {"use_captions": True}, {"source": "reduced"}],
    "vqvae": [{}, {"quantiser": "finite-scalar"}],
    "seq2seq": [{}, {"learns": "spans", "marks": 40}],
    "text-pair": [{}, {"longest_source": 40, "longest_target": 40}],
    "pretrained": [{}, {"class_prompt": "a fox", "class_images": 2}],
}
"""By kind: settings on top of which the others are tried; a cap of the logits is only there in one layout."""

CONTROL_GROUNDS = {
    "towards": {"towards_seed": 5},
    "mix_from": {"mix_seed": 5},
    "beams": {"temperature": 0.0},
    "length_penalty": {"temperature": 0.0},
    "no_repeat": {"no_repeat": 0},
}
"""By control: other controls that it needs to matter."""

OPTIMISATION = {
    "learning_rate": 1e-3,
    "batch_size": 8,
    "beta_1": 0.5,
    "beta_2": 0.5,
    "weight_decay": 0.5,
    "warmup_steps": 1,
    "descent_share": 0.0,
    "gradient_clip": 1e-3,
    "accumulate": 2,
    "average_share": 0.5,
    "precision": "float32",
}


def others(field, value):
    """Return other values of a field that are worth a try."""
    least, most, choices = (field.metadata[name] for name in ("minimum", "maximum", "choices"))
    if choices:
        found = list(choices)
    elif isinstance(value, bool):
        found = [not value]
    elif isinstance(value, int):
        found = [value * 2, value + 1, value // 2, least]
    elif isinstance(value, float):
        found = [value * 2, value + 0.3, value / 2, least, most, *([100.0] if most is None else [])]
    elif value is None and least is not None and most is not None:
        found = [least, most, (least + most) / 2]
    elif isinstance(value, Config):
        found = [other for inner in dataclasses.fields(value) for other in changed(value, inner)]
    elif isinstance(value, tuple):
        found = [value[:-1], value + value[-1:], value[::-1], ("e",), ("a", "t")]
        if value and all(isinstance(part, int) for part in value):
            found.append(tuple(2 * part for part in value))
    else:
        # Nothing was set: a name of a class, a seed, a share; those of another type are refused.
        found = ["odd", "even", 5, 0.25]
    inside = [other for other in found if other is not None and other != value]
    if isinstance(value, int | float) and not choices:
        inside = [other for other in inside if (least is None or other >= least) and (most is None or other <= most)]
    return inside


def changed(config, field):
    """Yield copies of a configuration with another value of one field, those that are valid."""
    for value in others(field, getattr(config, field.name)):
        try:
            yield config.changed(**{field.name: value})
        except ConfigError:
            continue


def matters(config, name, look):
    """Return whether another value of a field changes what is looked at."""
    field = next(field for field in dataclasses.fields(config) if field.name == name)
    before = look(config)
    return any(look(other) != before for other in changed(config, field))


def grounds(config):
    """Yield the configuration, and those on top of which some settings begin to matter."""
    for values in GROUNDS.get(config.kind, [{}]):
        try:
            yield config.changed(**values)
        except ConfigError:
            continue


def is_shown_elsewhere(kind, name):
    """Return whether another test shows a setting, which must at least speak of it."""
    if (kind, name) not in SHOWN_ELSEWHERE:
        return False
    assert name in (Path(__file__).parents[1] / SHOWN_ELSEWHERE[kind, name]).read_text(encoding="utf-8")
    return True


def fields_of(table):
    """Return (name in the registry, field) for every configuration of a table."""
    return [
        (name, field.name) for name in registry.names(table) for field in dataclasses.fields(registry.load(table, name))
    ]


# --- codecs -----------------------------------------------------------------------------------------------------------------------


def encoded(config, medium):
    """Return what a codec makes of real records, as plain values."""
    records = samples.records(medium)
    try:
        codec = fit_codec(config, iter(records), samples.codec_components(registry.load("codecs", config.kind)()))
        arrays = [codec.encode(record) for record in records]
    except MakarError as error:
        return type(error).__name__
    slots = {name: (slot.kind, slot.axes, slot.sizes, slot.vocabulary) for name, slot in codec.spec.slots.items()}
    return slots, [
        {name: (array.shape, array.tobytes()) for name, array in row.items()} for row in map(_arrays, arrays)
    ]


def _arrays(row):
    return {name: np.asarray(array) for name, array in row.items()}


@pytest.mark.parametrize("kind, name", fields_of("codecs"))
def test_every_setting_of_a_codec_changes_the_encoding(kind, name):
    if is_shown_elsewhere(kind, name):
        return
    plain = registry.load("codecs", kind)()
    looks = [functools.partial(encoded, medium=medium) for medium in plain.media]
    assert any(matters(config, name, look) for config in grounds(plain) for look in looks)


# --- families ---------------------------------------------------------------------------------------------------------------------


@functools.cache
def cases(kind):
    """Return (codec, tiny configuration, medium) of every stage of a recipe that uses a family."""
    found = []
    for recipe, index in (case.values for case in samples.stage_cases()):
        codec, config = samples.fitted_stage(recipe, index)
        if config.kind == kind:
            made = registry.load("recipes", recipe)()
            found.append((codec, config, made.medium))
            if isinstance(codec.plain.config, ImageCodecConfig) and not codec.plain.config.use_labels:
                # What a recipe does not do by itself it may be told to do.
                found.append((*samples.fitted_stage(recipe, index, labelled=True), made.medium))
    return found


def new_network(config):
    """Return a family whose weights are all different from their start, so that nothing is hidden behind a zero."""
    family = samples.new_family(config)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in family.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))
    return family.eval()


def drawn(family, codec, options, prompt=None):
    """Return the slots of two samples as plain values."""
    parts = {}
    for index, slots, _ in family.sampler(codec).sample(options, [prompt or {}] * 2, [1, 2]):
        for name, array in slots.items():
            parts.setdefault((index, name), []).append((array.shape, array.tobytes()))
    joined = {}
    for (index, name), pieces in parts.items():
        joined[index, name] = (pieces[0][0] if len(pieces) == 1 else None, b"".join(piece for _, piece in pieces))
    return joined


def short(family):
    """Return options that keep samples short."""
    known = {field.name for field in dataclasses.fields(family.options)}
    # A distilled model has its own number of steps.
    steps = family.config.to_dictionary().get("student_steps", 3) if family.config.teacher() is not None else 3
    wanted = {"max_tokens": 40, "steps": steps, "temperature": 1.0, "top_p": 1.0}
    wanted["seconds"] = shortest_seconds(family.options)
    return family.options(**{name: value for name, value in wanted.items() if name in known})


def behaviour(config, codec, batch):
    """Return shapes, losses, samples and files of a family, as plain values."""
    try:
        family = new_network(config)
        seen = [{name: tuple(tensor.shape) for name, tensor in family.tensors().items()}, config.window_length]
        seen += [sorted(family.files(codec).items()), config.edits]
        if family.creates:
            seen.append(drawn(family, codec, short(family)))
        elif "source" in batch and not family.predictions:
            seen.append(drawn(family, codec, short(family), {"source": batch["source"][0]}))
        for what in () if family.creates else family.predictions:
            said = family.predict(batch, what, torch.Generator().manual_seed(4))
            seen += [(name, values.shape, values.tobytes()) for name, values in sorted(said.items())]
        family.train()
        for phase in family.phases():
            generator = torch.Generator().manual_seed(2)
            shared = family.prepare(dict(batch), generator)
            own = shared if phase.batch is None else phase.batch(shared, generator)
            seen.append(phase.loss(own, generator).value.detach().item())
        seen.append(family.validation_loss(batch, torch.Generator().manual_seed(3)).value.item())
    except (MakarError, RuntimeError, ValueError, LookupError, TypeError) as error:
        # What fits no more is another behaviour too.
        return type(error).__name__
    return seen


@pytest.fixture(scope="module")
def batches(tmp_path_factory):
    """Return a function that gives a batch of real records for a codec and a family."""
    known = {}

    def batch(codec, config, medium):
        key = (id(codec), config.kind)
        if key not in known:
            records = samples.rows_for(codec.config, medium) * 3
            store = build_store(tmp_path_factory.mktemp("store") / "s", records, codec.encode, key="settings")
            known[key] = BatchSource(store, codec, family=config, seed=0).batch(0, 3)
        return known[key]

    return batch


@pytest.mark.parametrize("kind, name", fields_of("families"))
def test_every_setting_of_a_family_changes_what_it_does(kind, name, batches):
    if kind == "pretrained":
        pytest.importorskip("diffusers", reason="the extra diffusers is not installed")
    if is_shown_elsewhere(kind, name):
        return
    assert cases(kind), f"no recipe uses {kind}"
    for codec, config, medium in cases(kind):
        look = functools.partial(behaviour, codec=codec, batch=batches(codec, config, medium))
        if any(matters(ground, name, look) for ground in grounds(config)):
            return
    pytest.fail(f"{name} changes nothing")


def options_of():
    """Return (family, control) for every sampling control."""
    kinds = [kind for kind in registry.names("families") if cases(kind)]
    return [
        (kind, field.name)
        for kind in kinds
        for field in dataclasses.fields(samples.new_family(cases(kind)[0][1]).options)
    ]


@pytest.mark.parametrize("kind, name", options_of())
def test_every_control_changes_the_sample(kind, name):
    def look(options):
        try:
            return drawn(family, codec, options, prompt)
        except MakarError:
            return before

    if is_shown_elsewhere(kind, name):
        return
    for codec, config, _ in cases(kind):
        family = new_network(config)
        options = short(family).changed(**CONTROL_GROUNDS.get(name, {}))
        # Some controls hold only where an image is given.
        takes = {"image-to-image", "reconstruct", "translate"} & set(family.edits)
        shown = codec.spec["source" if "source" in codec.spec else "target"]
        is_text = shown.sizes == (None,)
        source = torch.arange(1, 9) if is_text else torch.zeros(shown.sizes)
        given = [{"source": source}] if takes or "source" in codec.spec else []
        if "restyle" in family.edits:
            given.append(given[0] | {"reference": torch.ones(shown.sizes)})
        for prompt in [*([{}] if family.creates else []), *given]:
            before = drawn(family, codec, options, prompt)
            if matters(options, name, look):
                return
    pytest.fail(f"{name} changes nothing")


# --- optimisation -----------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Return a function from settings of the optimisation to the hash of the weights after six steps on real pictures."""
    folder = write_images(tmp_path_factory.mktemp("data") / "images")
    home = tmp_path_factory.mktemp("home")

    @functools.cache
    def weights(assignment):
        tiny = ["family.features=8", "family.head_width=8", "optimisation.batch_size=4", *assignment]
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("MAKAR_HOME", str(home))
            run = makar.train(folder, steps=6, output="model", settings=[f"stages.0.{text}" for text in tiny])
            return hashlib.sha256((run.model.path / "model.safetensors").read_bytes()).hexdigest()

    return weights


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(OptimisationConfig)])
def test_every_setting_of_the_optimisation_changes_the_weights(name, trained):
    # On a machine with fast bfloat16 that is what "auto" takes, elsewhere float32.
    usual = ("optimisation.precision=bfloat16",) if name == "precision" else ()
    assert trained((f"optimisation.{name}={OPTIMISATION[name]}",)) != trained(usual)


# --- the twin ---------------------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, kw_only=True)
class WithDeadField(Config):
    """A configuration with a field that nothing reads."""

    used: int = setting(3, meaning="is read", minimum=1)
    dead: int = setting(3, meaning="is not read", minimum=1)


def test_a_setting_that_nothing_reads_is_found():
    assert matters(WithDeadField(), "used", lambda config: config.used * 2)
    assert not matters(WithDeadField(), "dead", lambda config: config.used * 2)


def test_every_configuration_of_the_registry_is_looked_at():
    assert {config_class(kind).kind for kind, _ in [*fields_of("codecs"), *fields_of("families")]} <= {
        *registry.names("codecs"),
        *registry.names("families"),
    }
    assert set(OPTIMISATION) == {field.name for field in dataclasses.fields(OptimisationConfig)}
