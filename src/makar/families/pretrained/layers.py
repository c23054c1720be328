"""The layers of a denoiser that an adapter changes, by the names that diffusers gives them; no torch."""

from collections.abc import Iterable, Mapping

ATTENTION = ("to_q", "to_k", "to_v", "to_out.0", "add_q_proj", "add_k_proj", "add_v_proj", "to_add_out")
FEED_FORWARD = ("ff.net.0.proj", "ff.net.2", "ff_context.net.0.proj", "ff_context.net.2", "proj_mlp")
SUFFIXES = {"attention": ATTENTION, "transformer": (*ATTENTION, *FEED_FORWARD)}
"""By the setting ``targets``: ends of names. A transformer of two streams has projections of its own for the words (``add_*``)."""


def is_adapted(name: str, targets: str) -> bool:
    """Return whether the layer of this name is changed.

    >>> is_adapted("down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q", "attention")
    True
    >>> is_adapted("down_blocks.0.resnets.0.conv1", "transformer")
    False
    """
    return any(name == suffix or name.endswith(f".{suffix}") for suffix in SUFFIXES[targets])


def present_suffixes(names: Iterable[str], targets: str) -> tuple[str, ...]:
    """Return the ends of names that a network has, in the order of the table."""
    listed = list(names)
    return tuple(
        suffix for suffix in SUFFIXES[targets] if any(name == suffix or name.endswith(f".{suffix}") for name in listed)
    )


def adapted_width(shapes: Mapping[str, tuple[int, ...]], targets: str) -> int:
    """Return inputs and outputs of all changed layers together.

    Args:
        shapes: Shape of every tensor of the network by its name.
        targets: The setting.
    """
    return sum(
        sum(shape)
        for name, shape in shapes.items()
        if len(shape) == 2 and name.endswith(".weight") and is_adapted(name.removesuffix(".weight"), targets)
    )
