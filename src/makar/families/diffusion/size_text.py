"""Exact counts of parameters and operations of the readers of captions and vectors, and an estimate of their activations."""

from makar.families.diffusion.size import Sizes, affine, attention_parameters

EXPANSION = 4
"""Width of a block's inner layer in widths, as in ``makar.nn.text_encoder``."""

VECTOR_TOKENS = 4
"""Tokens that a vector is read as, as in ``makar.nn.vector_reader``."""

BLOCK_VALUES = 24
"""What a block keeps for its backward pass, in its channels (counted on the built network)."""


def parameter_count(sizes: Sizes) -> int:
    """Return the number of trainable parameters; 0 without captions and vectors."""
    width = sizes.text_width
    vector = affine(sizes.vector_channels, (VECTOR_TOKENS + 1) * width) if sizes.vector_channels else 0
    if not sizes.caption_length:
        return vector
    block = attention_parameters(sizes, width) + affine(width, EXPANSION * width) + affine(EXPANSION * width, width)
    return vector + (sizes.caption_vocabulary + sizes.caption_length) * width + sizes.caption_layers * block


def forward_operations(sizes: Sizes) -> float:
    """Return operations to read one caption of full length and one vector."""
    width, length = sizes.text_width, sizes.caption_length
    vector = sizes.vector_channels * (VECTOR_TOKENS + 1) * width
    block = length * (4 + 2 * EXPANSION) * width * width + 2 * length * length * width
    return 2.0 * (vector + (sizes.caption_layers * block if length else 0))


def activation_values(sizes: Sizes) -> float:
    """Return about how many values training keeps for one caption."""
    width, length = sizes.text_width, sizes.caption_length
    if not length:
        return 0.0
    heads = max(1, width // sizes.head_width)
    return sizes.caption_layers * (BLOCK_VALUES * length * width + 2.0 * length * length * heads)
