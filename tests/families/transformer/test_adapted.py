"""Adapters of decoders: they learn, PEFT gives the same numbers, every setting matters, and what does not fit is refused by name."""

import json

import pytest
import torch

from makar.artifacts.save import save_artifact
from makar.codecs.codec import fit_codec
from makar.codecs.text_config import ByteCodecConfig
from makar.errors import ArtifactError, ConfigError, IntegrityError, TensorMismatchError, UnknownNameError
from makar.families.adapter_config import AdapterConfig, adapter_of
from makar.families.family import build_family
from makar.families.transformer.adapted import adapted_layers
from makar.families.transformer.config import TransformerConfig
from makar.recipe import Recipe, Stage
from makar.tensor_spec import TARGET

CODEC = ByteCodecConfig()
SHAPE = TransformerConfig(context=32, depth=2, width=32, heads=4, key_value_heads=2)
SHAPES = {
    "mainstream": SHAPE,
    "tied llama": SHAPE.changed(query_key_norm=False, tied=True),
    "qwen2": SHAPE.changed(query_key_norm=False, biased=True),
    "compact": SHAPE.changed(layout="compact", key_value_heads=0),
}


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def moved(family, *, size=0.2, seed=1):
    """Return a family whose every learned weight is away from its start."""
    draw = generator(seed)
    with torch.no_grad():
        for parameter in family.parameters():
            parameter.add_(size * torch.randn(parameter.shape, generator=draw))
    return family.eval()


def save(family, place):
    """Save a family as the model of a recipe."""
    codec = fit_codec(CODEC, iter(()))
    stage = Stage(name="model", codec=codec.config, family=family.config)
    recipe = Recipe(name="text", medium="text", summary="a model", stages=(stage,))
    data = {"fingerprint": "0" * 64, "name": "words", "medium": "text"}
    return save_artifact(place, recipe=recipe, codec=codec, family=family, training={"run": ""}, data=data)


@pytest.fixture
def base(tmp_path):
    """Return a function from a shape to a saved model of it."""
    codec = fit_codec(CODEC, iter(()))

    def made(config=SHAPE, name="base", seed=0):
        family = build_family(config.bound_to(codec.spec))
        family.initialise(generator(seed))
        return save(moved(family), tmp_path / name)

    return made


def over(artifact, **values):
    """Return an adapter of a model that begins as that model."""
    adapter = AdapterConfig(base=artifact.hash, **({"rank": 3} | values))
    family = build_family(artifact.family_config.with_adapter(adapter))
    family.initialise(generator())
    return family


def batch(seed=0):
    return {TARGET: torch.randint(256, (4, 17), generator=generator(seed))}


def loss(family):
    (phase,) = family.phases()
    return phase.loss(batch(), generator()).value


@pytest.mark.filterwarnings("ignore::FutureWarning")  # PEFT asks transformers for what that will give up
@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("method", ["lora", "rslora", "dora"])
def test_peft_gives_the_same_numbers_over_the_exported_base(name, method, base, tmp_path):
    transformers, peft = pytest.importorskip("transformers"), pytest.importorskip("peft")
    whole = base(SHAPES[name])
    family = moved(over(whole, method=method, alpha=6.0))
    saved = save(family, tmp_path / "adapter")
    assert {"adapter_config.json", "adapter_model.safetensors"} <= {path.name for path in saved.path.iterdir()}
    tokens = batch()[TARGET]
    theirs = transformers.AutoModelForCausalLM.from_pretrained(whole.path).eval()
    with torch.no_grad():
        plain = theirs(tokens).logits
        wanted = peft.PeftModel.from_pretrained(theirs, str(saved.path)).eval()(tokens).logits
        assert (wanted - plain).abs().max() > 0.05
        for one in (family, family.merged(), saved.family()):
            assert (one.network(tokens) - wanted).abs().max() < 2e-4


@pytest.mark.parametrize("kind", ["lora", "rslora", "dora", "qlora"])
def test_an_adapter_begins_as_its_base_and_learns(kind, base):
    whole = base()
    adapter = adapter_of(kind, base=whole.hash).changed(rank=4)
    family = build_family(whole.family_config.with_adapter(adapter))
    family.initialise(generator())
    family.precision = "float32"
    family.train()
    first = loss(family)
    if kind != "qlora":
        plain = whole.family().validation_loss(batch(), generator()).value
        assert torch.allclose(first, plain, atol=1e-4)
    parameters = [one for group in family.phases()[0].groups for one in group.parameters]
    assert {id(one) for one in parameters} == {id(one) for one in family.parameters()}
    optimiser = torch.optim.Adam(parameters, lr=0.01)
    for _ in range(8):
        optimiser.zero_grad()
        loss(family).backward()
        optimiser.step()
    assert loss(family) < first - 0.05


def test_only_the_adapter_is_counted_moved_and_saved(base):
    family = over(base(), whole=("embed_tokens",))
    names = {name for name, _ in family.named_parameters()}
    assert family.config.parameter_count() == sum(one.numel() for one in family.parameters())
    assert set(family.state_dict()) == names and any(name.endswith("embeddings") for name in names)
    assert sum(tensor.numel() for tensor in family.tensors().values()) == family.config.parameter_count()
    assert family.config.computed_weights() > 5 * over(base()).config.parameter_count()


def test_four_bits_take_an_eighth_and_lose_little(base):
    whole = base()
    families = [over(whole, bits=bits) for bits in (16, 4)]
    losses = []
    for family in families:
        family.precision = "float32"
        losses.append(float(family.train()._loss(batch(), generator()).value.detach()))
    held = [sum(layer.frozen.bytes for layer in adapted_layers(family.network)) for family in families]
    assert held[1] * 32 == held[0] * 4.5
    assert 0 < abs(losses[1] - losses[0]) < 0.05 * losses[0]
    assert families[1].config.frozen_bytes() < families[0].config.frozen_bytes()
    # What is sampled and exported has the exact base, however it was kept while it learned.
    saved = [family.network.saved_tensors() for family in families]
    assert all(torch.equal(saved[0][name], value) for name, value in saved[1].items())


@pytest.mark.parametrize(
    "change",
    [
        {"rank": 5},
        {"alpha": 4.0},
        {"method": "rslora"},
        {"method": "dora"},
        {"targets": ("q_proj",)},
        {"whole": ("lm_head",)},
    ],
)
def test_every_setting_of_an_adapter_changes_what_is_learned(change, base):
    whole = base()
    found = []
    for values in ({}, change):
        family = moved(over(whole, **values))
        found.append(({name: tuple(one.shape) for name, one in family.tensors().items()}, float(loss(family).detach())))
    assert found[0] != found[1]


def test_blocks_that_are_computed_again_give_the_same_and_keep_less():
    plain = SHAPE.changed(vocabulary=256, depth=4, dropout=0.1)
    families = [build_family(plain.changed(recompute=value)).train() for value in (False, True)]
    found, kept = [], []
    for family in families:
        family.initialise(generator())
        held = []

        def pack(tensor, held=held):
            held.append(tensor.numel())
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            value = loss(family)
        kept.append(sum(held))
        parameters = list(family.parameters())
        found.append([value.detach(), *torch.autograd.grad(value, parameters)])
    for one, other in zip(*found):
        assert torch.allclose(one, other, atol=1e-5)
    costs = [one.config.training_operations() for one in families]
    assert costs[0] < costs[1] and families[1].config.activation_bytes() < 0.7 * families[0].config.activation_bytes()


def test_a_layer_that_there_is_not_is_named_with_those_that_there_are(base):
    whole = base()
    with pytest.raises(UnknownNameError, match='"qproj"') as caught:
        over(whole, targets=("qproj",))
    assert 'did you mean "q_proj"' in str(caught.value)
    with pytest.raises(UnknownNameError, match='"fc1"'):
        over(whole, targets=("fc1",))
    with pytest.raises(ConfigError, match="shares the embeddings"):
        over(base(SHAPES["tied llama"], "tied"), whole=("lm_head",))
    with pytest.raises(ConfigError, match="once"):
        AdapterConfig(targets=("q_proj", "q_proj"))
    with pytest.raises(UnknownNameError, match="embeddings"):
        AdapterConfig(whole=("embeddings",))


def test_a_base_that_is_gone_changed_or_another_is_refused(base, tmp_path):
    whole = base()
    config = over(whole).config
    with pytest.raises(ArtifactError, match="not on this machine"):
        build_family(config.changed(adapter=config.adapter.changed(base="ab" * 32)))
    with pytest.raises(IntegrityError, match="whose width is 64; that of its base is 32"):
        build_family(config.changed(width=64))
    with pytest.raises(ConfigError, match="of no model"):
        build_family(config.changed(adapter=config.adapter.changed(base="")))
    saved = save(moved(over(whole)), tmp_path / "adapter")
    with pytest.raises(IntegrityError, match="no whole decoder"):
        build_family(config.changed(adapter=config.adapter.changed(base=saved.hash)))
    path = whole.path / "model.safetensors"
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(IntegrityError, match="does not match its hash"):
        build_family(config)


def test_tensors_of_another_adapter_are_refused_and_listed(base):
    whole = base()
    family, other = over(whole), over(whole, rank=4)
    with pytest.raises(TensorMismatchError, match=r"layers\.0\.self_attn\.q_proj\.lora_A\.weight"):
        family.load_tensors(other.tensors())


def test_settings_for_peft_say_what_was_learned(base):
    family = over(base(), method="dora", alpha=6.0, targets=("q_proj", "down_proj"), whole=("lm_head",))
    codec = fit_codec(CODEC, iter(()))
    settings = json.loads(family.files(codec)["adapter_config.json"])
    assert settings["target_modules"] == ["q_proj", "down_proj"] and settings["modules_to_save"] == ["lm_head"]
    assert (settings["r"], settings["lora_alpha"], settings["use_dora"], settings["use_rslora"]) == (
        3,
        6.0,
        True,
        False,
    )
    assert "config.json" not in family.files(codec)
