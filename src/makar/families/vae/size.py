"""Exact counts of parameters and operations of the variational autoencoder, from the configuration alone; no torch."""

import dataclasses
from typing import Protocol, runtime_checkable

from makar.families.autoencoder_size import (
    Levels,
    affine,
    decoder_parameters,
    encoder_operations,
    encoder_parameters,
)
from makar.families.autoencoder_size import activation_values as values_of_levels

LATENT_VALUES = 4.0
"""What a level of latents keeps for its backward pass, as a multiple of the level's channels (counted on the built network)."""


@runtime_checkable
class Sizes(Protocol):
    """The part of a configuration that sizes depend on."""

    @property
    def channels(self) -> int: ...
    @property
    def patch(self) -> int: ...
    @property
    def likelihood(self) -> str: ...
    @property
    def outputs(self) -> int: ...
    @property
    def level_widths(self) -> tuple[int, ...]: ...
    @property
    def latent_channels(self) -> tuple[int, ...]: ...
    @property
    def vector_latents(self) -> int: ...
    @property
    def vector_width(self) -> int: ...
    @property
    def latent_levels(self) -> tuple[int, ...]: ...
    @property
    def encoder_shape(self) -> Levels: ...


def parameter_count(sizes: Sizes) -> int:
    """Return the number of trainable parameters."""
    encoder, decoder = sizes.encoder_shape, _decoder_shape(sizes)
    count = encoder_parameters(encoder) + decoder_parameters(decoder)
    count += encoder.places[-1] * encoder.widths[-1]
    for level in sizes.latent_levels:
        width, channels = sizes.level_widths[level], sizes.latent_channels[level]
        count += affine(2 * width, width) + affine(width, 2 * channels) + affine(channels, width)
    if sizes.vector_latents:
        vector, flat = sizes.vector_width, encoder.places[-1] * encoder.widths[-1]
        count += affine(flat, vector) + affine(vector, flat) + 4 * affine(vector, vector) + vector
        count += affine(vector, 2 * sizes.vector_latents) + affine(sizes.vector_latents, vector)
    return count + (sizes.channels if sizes.likelihood == "gaussian" else 0)


def forward_operations(sizes: Sizes) -> float:
    """Return operations of encoding and decoding one image."""
    encoder = sizes.encoder_shape
    products = 0.0
    for level in sizes.latent_levels:
        width, channels = sizes.level_widths[level], sizes.latent_channels[level]
        products += encoder.places[level] * (2 * width * width + 3 * channels * width)
    if sizes.vector_latents:
        vector, flat = sizes.vector_width, encoder.places[-1] * encoder.widths[-1]
        products += 2 * flat * vector + 4 * vector * vector + 3 * vector * sizes.vector_latents
    return encoder_operations(encoder) + encoder_operations(_decoder_shape(sizes)) + 2.0 * products


def activation_values(sizes: Sizes) -> float:
    """Return about how many values training keeps for one image."""
    encoder = sizes.encoder_shape
    values = values_of_levels(encoder) + values_of_levels(_decoder_shape(sizes))
    for level in sizes.latent_levels:
        values += encoder.places[level] * (
            LATENT_VALUES * sizes.level_widths[level] + 12 * sizes.latent_channels[level]
        )
    return values


def _decoder_shape(sizes: Sizes) -> Levels:
    return dataclasses.replace(sizes.encoder_shape, pixels=sizes.outputs * sizes.patch**2)
