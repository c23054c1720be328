"""Exact counts of parameters and operations of the reader of captions, and an estimate of its activations; zero without captions."""

from makar.families.diffusion.size import Sizes, affine, attention_parameters

EXPANSION = 4
"""Width of a block's inner layer in widths, as in ``makar.nn.text_encoder``."""

BLOCK_VALUES = 24
"""What a block keeps for its backward pass, in its channels (counted on the built network)."""


def parameter_count(sizes: Sizes) -> int:
    """Return the number of trainable parameters."""
    width = sizes.text_width
    if not width:
        return 0
    block = attention_parameters(sizes, width) + affine(width, EXPANSION * width) + affine(EXPANSION * width, width)
    return (sizes.caption_vocabulary + sizes.caption_length) * width + sizes.caption_layers * block


def forward_operations(sizes: Sizes) -> float:
    """Return operations to read one caption of full length."""
    width, length = sizes.text_width, sizes.caption_length
    block = length * (4 + 2 * EXPANSION) * width * width + 2 * length * length * width
    return 2.0 * sizes.caption_layers * block


def activation_values(sizes: Sizes) -> float:
    """Return about how many values training keeps for one caption."""
    width, length = sizes.text_width, sizes.caption_length
    if not width:
        return 0.0
    heads = max(1, width // sizes.head_width)
    return sizes.caption_layers * (BLOCK_VALUES * length * width + 2.0 * length * length * heads)
