"""Writes the captions of images with a static cache, greedily; and says that a network that describes images makes none."""

import dataclasses
from collections.abc import Iterator
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from makar.config import Config
from makar.errors import UnsupportedError
from makar.families.family import Batch, Sampler
from makar.families.transformer.decoder import DecoderShape, pack_weights
from makar.families.transformer.layouts import transformers_settings
from makar.families.transformer.network import TransformerNetwork
from makar.families.transformer.prefix_decoder import PrefixDecoder
from makar.tensor_spec import NO_CAPTION_TOKEN, PADDING_TOKEN


@dataclasses.dataclass(frozen=True, kw_only=True)
class CaptionerOptions(Config):
    """No controls."""

    kind: ClassVar[str] = ""


class CaptionerSampler(Sampler):
    """Refuses to make images."""

    def sample(
        self, options: CaptionerOptions, prompts: list[Batch], seeds: list[int]
    ) -> Iterator[tuple[int, dict[str, np.ndarray], bool]]:
        """Refuse.

        Raises:
            UnsupportedError: Always; it names what describes an image, and what makes one.
        """
        del options, prompts, seeds
        raise UnsupportedError(
            "this model describes images and makes none",
            expected="makar predict, with images to describe",
            do='to make images of what you describe, train with the recipe "image-text" or "dalle"',
        )


def likeliest_captions(
    network: TransformerNetwork, prefix: Float[Tensor, "batch places width"], *, longest: int
) -> np.ndarray:
    """Return the likeliest token after the likeliest token, int64 ``[batch, longest]``, filled up after the end.

    Args:
        network: The decoder.
        prefix: What the image says, one vector a place.
        longest: Tokens of a caption at most.
    """
    shape = DecoderShape.from_transformers(transformers_settings(network.config, tokens={}))
    weights = pack_weights(shape, network.saved_tensors(), device=str(prefix.device))
    decoder = PrefixDecoder(weights, rows=len(prefix), positions=prefix.shape[1] + longest)
    # What the whole image says is part of every word; see the family.
    whole = prefix.mean(1)
    begin = weights.embedding[NO_CAPTION_TOKEN] + whole
    logits = torch.stack(
        [decoder.begin(row, torch.cat([vectors, begin[row, None]])) for row, vectors in enumerate(prefix)]
    )
    captions = np.full((len(prefix), longest), PADDING_TOKEN, np.int64)
    going = list(range(len(prefix)))
    for place in range(longest):
        logits[:, NO_CAPTION_TOKEN] = float("-inf")
        chosen = logits.argmax(1)
        captions[going, place] = chosen.numpy()
        stays = [number for number, token in enumerate(chosen.tolist()) if token != PADDING_TOKEN]
        going, chosen = [going[number] for number in stays], chosen[stays]
        if not going or place + 1 == longest:
            break
        logits = decoder.step(going, weights.embedding[chosen.to(prefix.device)] + whole[going])
    return captions
