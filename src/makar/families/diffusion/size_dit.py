"""Exact counts of parameters and operations of the DiT, and an estimate of its activations; see ``size`` for what is counted."""

from makar.families.diffusion.size import (
    TIME_WAVES,
    Sizes,
    affine,
    attention_parameters,
    embedding_parameters,
    reading_parameters,
    reading_products,
    reading_values,
    seen_values,
)

BLOCK_VALUES = (14, 2)
"""What a block keeps for its backward pass, as multiples of its channels and of its inner channels (counted on the built network)."""


def embedding_width(features: int) -> int:
    """Return the length of the vector of time and condition that goes with this many features: as many, as published."""
    return max(64, features)


def parameter_count(sizes: Sizes) -> int:
    """Return the number of trainable parameters."""
    width, embedding, hidden = sizes.features, sizes.embedding_width, sizes.expansion * sizes.features
    pixels = sizes.frame_channels * sizes.patch**2
    block = affine(embedding, 6 * width) + affine(width, hidden) + affine(hidden, width)
    block += attention_parameters(sizes, width) + reading_parameters(sizes, width)
    ends = affine(seen_values(sizes), width) + affine(width, pixels) + affine(embedding, 2 * width)
    return embedding_parameters(sizes) + ends + sizes.blocks * block


def forward_operations(sizes: Sizes) -> float:
    """Return operations of one pass over one image."""
    width, embedding, hidden = sizes.features, sizes.embedding_width, sizes.expansion * sizes.features
    places = sizes.patches[0] * sizes.patches[1]
    products = TIME_WAVES * embedding + embedding * embedding + sizes.text_width * embedding
    ends = seen_values(sizes) + sizes.frame_channels * sizes.patch**2
    products += places * ends * width + embedding * 2 * width
    block = embedding * 6 * width + places * (4 * width * width + 2 * width * hidden) + 2 * places * places * width
    block += reading_products(sizes, width, places)
    return 2.0 * (products + sizes.blocks * block)


def activation_values(sizes: Sizes) -> float:
    """Return about how many values training keeps for one image."""
    outer, inner = BLOCK_VALUES
    width, places = sizes.features, sizes.patches[0] * sizes.patches[1]
    block = places * width * (outer + inner * sizes.expansion)
    heads = max(1, width // sizes.head_width)
    values = block + 2.0 * places * places * heads + reading_values(sizes, width, places)
    return sizes.blocks * values + 4.0 * places * width
