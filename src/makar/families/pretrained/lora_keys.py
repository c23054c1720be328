"""The three layouts of LoRA files, read to one form: which layer of which component, its two matrices, and its alpha.

``diffusers`` names ``unet.down_blocks.0...to_q.lora_A.weight`` (earlier ``.lora.down.weight``), ``peft`` the same below
``base_model.model.`` without the component, ``kohya`` ``lora_unet_down_blocks_0_..._to_q.lora_down.weight`` with underscores for dots and
an ``alpha`` a layer. A name with underscores is looked up among the names that the network has, so nothing is guessed. What matches nothing
is returned too: a file that fits in part is refused by whoever reads it.
"""

import dataclasses
import re
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from makar.families.pretrained.unet_names import original_name

PEFT_PREFIX = "base_model.model."
KOHYA_PREFIXES = {
    "lora_unet_": ("unet", "transformer"),
    "lora_transformer_": ("transformer",),
    "lora_te1_": ("text_encoder",),
    "lora_te2_": ("text_encoder_2",),
    "lora_te3_": ("text_encoder_3",),
    "lora_te_": ("text_encoder",),
}
COMPONENTS = ("unet", "transformer", "text_encoder", "text_encoder_2", "text_encoder_3")
INNER_TEXT = "text_model."
"""Outer name of a CLIP text encoder that some versions of transformers have and others have not."""

_PAIR = re.compile(
    r"^(?P<name>.+?)\.(?:(?P<old>processor\.to_(?:q|k|v|out)_lora)\.(?P<part1>down|up)|"
    r"(?:lora_|lora\.|lora_linear_layer\.)(?P<part2>A|B|down|up)(?:\.default)?)\.weight$"
)
_DOWN = {"A", "down"}


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class LoraLayer:
    """What a file adds to one layer: ``up @ down * alpha / rank``.

    Attributes:
        component: Component of the pipeline.
        module: Name of the layer in it.
        down: ``[rank, inputs, ...]``.
        up: ``[outputs, rank, ...]``.
        alpha: ``None`` where the file does not say; then the rank.
    """

    component: str
    module: str
    down: Tensor
    up: Tensor
    alpha: float | None

    def change(self) -> Tensor:
        """Return what is added to the weight, float32 ``[outputs, inputs * kernel]``."""
        rank = self.down.shape[0]
        scale = 1.0 if self.alpha is None else self.alpha / rank
        return scale * (self.up.float().flatten(1) @ self.down.float().flatten(1))


@dataclasses.dataclass(frozen=True, kw_only=True)
class LoraLayers:
    """What was read of a file.

    Attributes:
        layout: ``"diffusers"``, ``"peft"`` or ``"kohya"``.
        layers: What matches.
        unmatched: Keys that match nothing, or layers of another shape, each with the reason.
    """

    layout: str
    layers: tuple[LoraLayer, ...]
    unmatched: tuple[str, ...]


def layout_of(names: Mapping[str, object]) -> str:
    """Return the layout of the keys of a file.

    >>> layout_of({"lora_unet_mid_block_x.lora_down.weight": 0}), layout_of({"unet.x.lora_A.weight": 0})
    ('kohya', 'diffusers')
    """
    if any(name.startswith(tuple(KOHYA_PREFIXES)) for name in names):
        return "kohya"
    return "peft" if any(name.startswith(PEFT_PREFIX) for name in names) else "diffusers"


def read_layers(tensors: Mapping[str, Tensor], networks: Mapping[str, nn.Module]) -> LoraLayers:
    """Match the keys of a file with the layers of a pipeline.

    Args:
        tensors: The content of the file.
        networks: Components of the pipeline by name.
    """
    layout = layout_of(tensors)
    parts: dict[str, dict[str, Tensor]] = {}
    unmatched: list[str] = []
    for key, tensor in tensors.items():
        name, part = _split(key)
        if part:
            parts.setdefault(name, {})[part] = tensor
        else:
            unmatched.append(key)
    table = _kohya_names(networks) if layout == "kohya" else _dotted_names(networks)
    layers: list[LoraLayer] = []
    for name, found in parts.items():
        place = table.get(name.removeprefix(PEFT_PREFIX) if layout == "peft" else name)
        problem = _problem(found, place, networks)
        if problem or place is None:
            unmatched.append(f"{name} ({problem})")
            continue
        alpha = float(found["alpha"]) if "alpha" in found else None
        layers.append(LoraLayer(component=place[0], module=place[1], down=found["down"], up=found["up"], alpha=alpha))
    return LoraLayers(layout=layout, layers=tuple(layers), unmatched=tuple(unmatched))


def _split(key: str) -> tuple[str, str]:
    """Return the name of the layer and ``"down"``, ``"up"``, ``"alpha"`` or nothing."""
    if key.endswith(".alpha"):
        return key.removesuffix(".alpha"), "alpha"
    found = _PAIR.match(key)
    if found is None:
        return key, ""
    name, part = found["name"], found["part1"] or found["part2"]
    if found["old"]:
        # Before 2023 the matrices were kept in the processor of the attention.
        which = found["old"].removeprefix("processor.").removesuffix("_lora")
        name = f"{name}.{which}{'.0' if which == 'to_out' else ''}"
    return name, "down" if part in _DOWN else "up"


def _problem(found: Mapping[str, Tensor], place: tuple[str, str] | None, networks: Mapping[str, nn.Module]) -> str:
    if place is None:
        return "no such layer"
    if not {"down", "up"} <= set(found):
        return "only one of its two matrices"
    weight = networks[place[0]].get_submodule(place[1]).weight
    assert isinstance(weight, Tensor)
    down, up = found["down"], found["up"]
    wanted = (weight.shape[0], weight[0].numel())
    if down.ndim < 2 or up.ndim < 2 or (up.shape[0], down[0].numel()) != wanted or up[0].numel() != down.shape[0]:
        return f"{list(up.shape)} and {list(down.shape)} for a weight of {list(weight.shape)}"
    return ""


def _layers(networks: Mapping[str, nn.Module]) -> list[tuple[str, str]]:
    return [
        (component, name)
        for component, network in networks.items()
        for name, module in network.named_modules()
        if isinstance(module, nn.Linear | nn.Conv2d)
    ]


def _dotted_names(networks: Mapping[str, nn.Module]) -> dict[str, tuple[str, str]]:
    """Return the places of layers by name, with the component before it and, as PEFT writes it, without."""
    table: dict[str, tuple[str, str]] = {}
    for component, name in _layers(networks):
        for alias in _aliases(component, name):
            table[f"{component}.{alias}"] = (component, name)
            table.setdefault(alias, (component, name))
    return table


def _kohya_names(networks: Mapping[str, nn.Module]) -> dict[str, tuple[str, str]]:
    table: dict[str, tuple[str, str]] = {}
    layers = _layers(networks)
    with_attention = {name.split(".attentions.")[0] for _, name in layers if ".attentions." in name}
    for component, name in layers:
        aliases = _aliases(component, name)
        if component == "unet":
            has_attention = name.split(".upsamplers.")[0] in with_attention
            first = original_name(name, layers_a_block=_layers_a_block(networks["unet"]), has_attention=has_attention)
            aliases += [first] if first else []
        for prefix, components in KOHYA_PREFIXES.items():
            if component in components:
                table |= {prefix + alias.replace(".", "_"): (component, name) for alias in aliases}
    return table


def _aliases(component: str, name: str) -> list[str]:
    if not component.startswith("text_encoder"):
        return [name]
    return [name, name.removeprefix(INNER_TEXT), INNER_TEXT + name.removeprefix(INNER_TEXT)]


def _layers_a_block(unet: nn.Module) -> int:
    """Return the residual layers of the first block on the way down; every U-Net with first names has as many in all."""
    return sum(re.fullmatch(r"down_blocks\.0\.resnets\.\d+", name) is not None for name, _ in unet.named_modules())


def peft_to_diffusers(tensors: Mapping[str, Tensor], *, component: str) -> dict[str, Tensor]:
    """Return an adapter of one component under the names of diffusers."""
    return {f"{component}.{name.removeprefix(PEFT_PREFIX)}": tensor for name, tensor in tensors.items()}


def peft_to_kohya(tensors: Mapping[str, Tensor], *, alpha: float) -> dict[str, Tensor]:
    """Return an adapter of a U-Net under the names of kohya, with an alpha a layer."""
    found: dict[str, Tensor] = {}
    for key, tensor in tensors.items():
        name, part = _split(key.removeprefix(PEFT_PREFIX))
        flat = "lora_unet_" + name.replace(".", "_")
        found[f"{flat}.lora_{part}.weight"] = tensor
        found[f"{flat}.alpha"] = torch.tensor(alpha)
    return found
