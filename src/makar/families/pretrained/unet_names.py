"""Names of the layers of a U-Net in the first code of Stable Diffusion, which LoRA files of kohya for XL use, from those of diffusers.

There the blocks are numbered through: ``input_blocks`` of residual layers, attention and reductions in turn, ``middle_block`` and
``output_blocks``. Source: the published configurations of Rombach et al. 2022 (arXiv 2112.10752) and Podell et al. 2023 (2307.01952).
"""

import re

RESIDUAL = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
OUTSIDE = {
    "conv_in": "input_blocks.0.0",
    "conv_out": "out.2",
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
}
PLACES = {"resnets": 0, "attentions": 1}
MIDDLE = {("resnets", 0): 0, ("attentions", 0): 1, ("resnets", 1): 2}


def original_name(name: str, *, layers_a_block: int, has_attention: bool = True) -> str | None:
    """Return the first name of a layer, ``None`` where it has none.

    Args:
        name: In diffusers.
        layers_a_block: ``layers_per_block`` of the U-Net.
        has_attention: Whether the block that the layer lies in has attention; it decides the place of an enlargement.

    >>> original_name("down_blocks.1.attentions.0.proj_in", layers_a_block=2)
    'input_blocks.4.1.proj_in'
    >>> original_name("up_blocks.0.resnets.2.conv1", layers_a_block=2)
    'output_blocks.2.0.in_layers.2'
    """
    if name in OUTSIDE:
        return OUTSIDE[name]
    found = re.fullmatch(r"(down_blocks\.|up_blocks\.|mid_block)(\d*)\.?(\w+)\.(\d+)\.(.+)", name)
    if found is None:
        return None
    side, block, part, layer, rest = found[1], int(found[2] or 0), found[3], int(found[4]), found[5]
    inner = RESIDUAL.get(rest, rest) if part == "resnets" else rest
    if side == "mid_block":
        place = MIDDLE.get((part, layer))
        return None if place is None else f"middle_block.{place}.{inner}"
    if side == "down_blocks.":
        start = block * (layers_a_block + 1)
        if part == "downsamplers":
            return f"input_blocks.{start + layers_a_block + 1}.0.op"
        return f"input_blocks.{start + layer + 1}.{PLACES[part]}.{inner}" if part in PLACES else None
    start = block * (layers_a_block + 1)
    if part == "upsamplers":
        return f"output_blocks.{start + layers_a_block}.{2 if has_attention else 1}.{rest}"
    return f"output_blocks.{start + layer}.{PLACES[part]}.{inner}" if part in PLACES else None
