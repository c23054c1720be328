"""Exact counts of parameters and operations of the U-Net, and an estimate of its activations, from the configuration alone.

A test compares the first two with the built network. An operation is a multiplication or an addition; norms and activations are left out
of the operations, as usual, being below 3 % of them.
"""

import itertools
from typing import Protocol, runtime_checkable

TIME_WAVES = 64
"""Length of the sines and cosines of the time (``makar.nn.time_embedding``)."""

BLOCK_VALUES = (3, 2)
"""What a block keeps for its backward pass, as multiples of its channels and of its inner channels (counted on the built network)."""

TEMPORAL_VALUES = 7
"""What a temporal convolution keeps: its normed input, three frames of each place, their sum and its activation."""


@runtime_checkable
class Sizes(Protocol):
    """The part of a configuration that sizes depend on."""

    @property
    def frames(self) -> int: ...
    @property
    def frame_channels(self) -> int: ...
    @property
    def seen_channels(self) -> int: ...
    @property
    def vector_channels(self) -> int: ...
    @property
    def context_length(self) -> int: ...
    @property
    def classes(self) -> int: ...
    @property
    def blocks(self) -> int: ...
    @property
    def expansion(self) -> int: ...
    @property
    def patch(self) -> int: ...
    @property
    def head_width(self) -> int: ...
    @property
    def embedding_width(self) -> int: ...
    @property
    def features(self) -> int: ...
    @property
    def patches(self) -> tuple[int, int]: ...
    @property
    def text_width(self) -> int: ...
    @property
    def caption_length(self) -> int: ...
    @property
    def caption_vocabulary(self) -> int: ...
    @property
    def caption_layers(self) -> int: ...
    @property
    def level_widths(self) -> tuple[int, ...]: ...
    @property
    def level_sizes(self) -> tuple[tuple[int, int], ...]: ...
    @property
    def attention_levels(self) -> tuple[int, ...]: ...


def embedding_width(features: int) -> int:
    """Return the length of the vector of time and class that goes with this many features."""
    return max(64, 2 * features)


def parameter_count(sizes: Sizes) -> int:
    """Return the number of trainable parameters."""
    embedding, widths = sizes.embedding_width, sizes.level_widths
    count = embedding_parameters(sizes)
    pixels = sizes.frame_channels * sizes.patch**2
    count += affine(9 * seen_values(sizes), widths[0]) + affine(9 * widths[0], pixels)
    for level, width in enumerate(widths):
        hidden = sizes.expansion * width
        block = affine(embedding, 2 * width) + affine(9 * width, hidden) + affine(9 * hidden, width)
        count += 2 * sizes.blocks * (block + temporal_parameters(sizes, width))
        if level in sizes.attention_levels:
            looking = attention_parameters(sizes, width) + reading_parameters(sizes, width)
            if sizes.frames > 1:
                looking += attention_parameters(sizes, width) + sizes.frames * width
            count += 2 * looking
    for width, below in itertools.pairwise(widths):
        count += affine(4 * width, below) + affine(below, 4 * width) + affine(width, width)
    return count


def forward_operations(sizes: Sizes) -> float:
    """Return operations of one pass over one image."""
    embedding, widths = sizes.embedding_width, sizes.level_widths
    products = TIME_WAVES * embedding + embedding * embedding + sizes.text_width * embedding
    pixels, frames = sizes.frame_channels * sizes.patch**2, sizes.frames
    # Of a clip the places of all frames.
    positions = [frames * rows * columns for rows, columns in sizes.level_sizes]
    products += positions[0] * 9 * (seen_values(sizes) + pixels) * widths[0]
    for level, (width, places) in enumerate(zip(widths, positions)):
        hidden = sizes.expansion * width
        # A vector of the time is made for every frame of its own: what it costs is small.
        products += 2 * sizes.blocks * (frames * embedding * 2 * width + places * 18 * width * hidden)
        if frames > 1:
            products += 2 * sizes.blocks * places * 4 * width * width
        if level in sizes.attention_levels:
            products += 2 * (places * 4 * width * width + 2 * places * places // frames * width)
            if frames > 1:
                products += 2 * places * (4 * width * width + 2 * frames * width)
            products += 2 * reading_products(sizes, width, places)
    for places, width, below in zip(positions[1:], widths[:-1], widths[1:]):
        products += places * (8 * width * below + 4 * width * width)
    return 2.0 * products


def activation_values(sizes: Sizes) -> float:
    """Return about how many values training keeps for one image."""
    outer, inner = BLOCK_VALUES
    values = 0.0
    for level, (width, (rows, columns)) in enumerate(zip(sizes.level_widths, sizes.level_sizes)):
        frames, places = sizes.frames, sizes.frames * rows * columns
        values += 2 * sizes.blocks * places * width * (outer + inner * sizes.expansion) + 8 * places * width
        if frames > 1:
            values += 2 * sizes.blocks * places * width * TEMPORAL_VALUES
        if level in sizes.attention_levels:
            heads = max(1, width // sizes.head_width)
            values += 2 * (places * width * 10 + 2 * places * places // frames * heads)
            if frames > 1:
                values += 2 * (places * width * 10 + 2 * places * frames * heads)
            values += 2 * reading_values(sizes, width, places)
    return values


def seen_values(sizes: Sizes) -> int:
    """Return the values of a patch that the network sees: those of the image, or frame, and those that are given."""
    return sizes.seen_channels * sizes.patch**2


def temporal_parameters(sizes: Sizes, width: int) -> int:
    """Return the parameters of a temporal convolution of ``width`` channels; none where frames do not belong together."""
    return affine(width, 3 * width) + affine(width, width) if sizes.frames > 1 else 0


def embedding_parameters(sizes: Sizes) -> int:
    """Return the parameters of the vector of time, class and caption."""
    embedding = sizes.embedding_width
    count = affine(TIME_WAVES, embedding) + affine(embedding, embedding)
    if sizes.classes:
        count += (sizes.classes + 1) * embedding
    return count + (affine(sizes.text_width, embedding) if sizes.text_width else 0)


def attention_parameters(sizes: Sizes, width: int) -> int:
    """Return the parameters of attention of ``width`` channels to itself."""
    return 3 * width * width + affine(width, width) + max(1, width // sizes.head_width)


def reading_parameters(sizes: Sizes, width: int) -> int:
    """Return the parameters of attention of ``width`` channels to a caption; none without captions."""
    if not sizes.text_width:
        return 0
    return width * width + 2 * width * sizes.text_width + affine(width, width) + max(1, width // sizes.head_width)


def reading_products(sizes: Sizes, width: int, places: int) -> int:
    """Return the multiplications of attention of so many places to a caption; none without captions."""
    if not sizes.text_width:
        return 0
    length = sizes.context_length
    return 2 * places * width * width + 2 * length * sizes.text_width * width + 2 * places * length * width


def reading_values(sizes: Sizes, width: int, places: int) -> float:
    """Return about how many values attention to a caption keeps for its backward pass; none without captions."""
    if not sizes.text_width:
        return 0.0
    length = sizes.context_length
    return places * width * 6 + 2 * places * length * max(1, width // sizes.head_width) + 4 * length * width


def affine(inputs: int, outputs: int) -> int:
    """Return the parameters of a linear layer with a bias."""
    return inputs * outputs + outputs
