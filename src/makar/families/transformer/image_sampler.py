"""Draws the tokens of images, all images of a batch one place further at a time, guided where asked.

Guidance works on logits: what is asked for has l = u + g (c - u) with the logits c of the stream that is told and u of the one that is not
(Gafni et al. 2022, arXiv 2203.13131, section 3.4, after Ho and Salimans 2022, arXiv 2207.12598); both streams go through the same
tokens. A negative prompt takes the place of the second. Each image has a generator of its own and rows that are computed as if they
were alone.

Of an image that is given everything before the part that is made anew stays: what is made may lean on what was drawn before it and on
nothing else, so the new part has to go on to the last row.
"""

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from makar.errors import UnsupportedError
from makar.families.asked import Asked, Asking
from makar.families.family import Batch, Sampler
from makar.families.logits_hook import LogitsHook
from makar.families.transformer.decoder import DecoderShape, pack_weights
from makar.families.transformer.image_config import ImageTransformerConfig
from makar.families.transformer.image_stream import text_tokens
from makar.families.transformer.layouts import transformers_settings
from makar.families.transformer.network import TransformerNetwork
from makar.families.transformer.options import TextOptions
from makar.families.transformer.prefix_decoder import PrefixDecoder
from makar.families.transformer.quantised import pack_product
from makar.families.transformer.sampling import choose, strategies
from makar.families.transformer.token_options import TokenOptions
from makar.tensor_spec import KNOWN, MASK, TARGET

TOGETHER = 16
"""Images drawn together; more would only need more memory, as rows are computed one by one."""


@dataclasses.dataclass(kw_only=True)
class _Image:
    """One image in the making."""

    index: int
    asked: Asked
    generator: torch.Generator
    known: list[int]
    tokens: list[int] = dataclasses.field(default_factory=list)


class ImageTokenSampler(Sampler):
    """Makes images as grids of tokens.

    Args:
        config: Sizes of the model.
        network: The decoder; its weights are copied.
        places: Vectors of the places.
        asking: Reads what images are asked to be.
        hooks: Applied to the logits of image tokens after the filters.
    """

    def __init__(
        self,
        config: ImageTransformerConfig,
        network: TransformerNetwork,
        *,
        places: Float[Tensor, "places width"],
        asking: Asking,
        hooks: Sequence[LogitsHook] = (),
    ) -> None:
        self._config = config
        self._places = places
        self._asking = asking
        self._hooks = tuple(hooks)
        shape = DecoderShape.from_transformers(transformers_settings(config.decoder, tokens={}))
        device = str(network.embeddings.device)
        packed = pack_weights(shape, network.saved_tensors(), device=device)
        # Only image tokens are ever drawn.
        head = pack_product(network.head[config.content_start :].detach(), precision="float32")
        self._weights = dataclasses.replace(
            packed, head=head, shape=dataclasses.replace(shape, vocabulary=config.codes)
        )

    def sample(
        self, options: TokenOptions, prompts: list[Batch], seeds: list[int]
    ) -> Iterator[tuple[int, dict[str, np.ndarray], bool]]:
        """Make one image for every seed, from nothing or going on from what its prompt hands in.

        Yields:
            (index, {"target": int64 ``[rows, columns]``}, True), in order.

        Raises:
            UnsupportedError: Guidance, a label, a mask or another slot that this model cannot honour.
            UnknownNameError: The label is not a class of the model.
        """
        images = [
            self._begun(options, index, prompts[index] if prompts else {}, seed) for index, seed in enumerate(seeds)
        ]
        shape = (self._config.rows, self._config.columns)
        for start in range(0, len(images), TOGETHER):
            part = images[start : start + TOGETHER]
            self._draw(options, part)
            for image in part:
                yield image.index, {TARGET: np.array(image.tokens, np.int64).reshape(shape)}, True

    def _begun(self, options: TokenOptions, index: int, prompt: Batch, seed: int) -> _Image:
        generator = torch.Generator().manual_seed(seed)
        draw = torch.rand((), generator=generator)
        known = self._known(prompt)
        rest = {name: value for name, value in prompt.items() if name not in (KNOWN, MASK)}
        asked = self._asking.read(options, rest, draw, is_edit=bool(known))
        return _Image(index=index, asked=asked, generator=generator, known=known)

    def _known(self, prompt: Batch) -> list[int]:
        """Return the tokens that stay, those of the places before the part that is made anew."""
        if KNOWN not in prompt and MASK not in prompt:
            return []
        config, shape = self._config, (self._config.rows, self._config.columns)
        if KNOWN not in prompt or MASK not in prompt:
            raise UnsupportedError("a mask without an image, or an image without a mask", expected="both")
        known, mask = prompt[KNOWN], prompt[MASK]
        if tuple(known.shape) != shape or tuple(mask.shape) != (1, *shape):
            raise UnsupportedError(f"known of shape {list(known.shape)}", expected=f"{list(shape)}, that of the model")
        is_new = mask.flatten() > 0
        first = int(is_new.int().argmax()) if is_new.any() else config.content_positions
        if not is_new[first:].all():
            raise UnsupportedError(
                "this model draws an image row by row from the top, and can only make its end anew",
                expected="a part that goes on to the bottom of the image, or a border below it",
                do='train with the recipe "flow" or "image-text", which fill any part',
            )
        return [int(token) for token in known.flatten()[:first]]

    @torch.inference_mode()
    def _draw(self, options: TokenOptions, images: list[_Image]) -> None:
        config = self._config
        guidance = self._asking.guidance(options, [image.asked for image in images])
        told = [image.asked for image in images]
        untold = [self._asking.nothing(options.negative_prompt)] * len(images) if guidance != 1.0 else []
        decoder = PrefixDecoder(
            self._weights, rows=len(told) + len(untold), positions=config.longest_text + config.content_positions
        )
        begun = [
            decoder.begin(row, self._beginning(label, caption)) for row, (label, caption) in enumerate([*told, *untold])
        ]
        logits = torch.stack(begun)
        chain = strategies(
            TextOptions(temperature=options.temperature, top_k=options.top_k, top_p=options.top_p), self._hooks
        )
        for place in range(config.content_positions):
            for row, image in enumerate(images):
                if place < len(image.known):
                    image.tokens.append(image.known[place])
                    continue
                found = logits[row]
                if untold:
                    without = logits[len(images) + row]
                    found = without + guidance * (found - without)
                image.tokens.append(choose(found.clone(), image.tokens, chain=chain, generator=image.generator))
            if place + 1 < config.content_positions:
                last = torch.tensor([image.tokens[-1] for image in images])
                vectors = self._weights.embedding[config.content_start + last.to(self._places.device)]
                vectors = vectors + self._places[place + 1]
                logits = decoder.step(range(len(begun)), vectors.repeat(2, 1) if untold else vectors)

    def _beginning(self, label: int | None, caption: Tensor | None) -> Tensor:
        """Return the vectors of class, caption and the end of the text, which is the place of the first image token."""
        tokens = text_tokens(self._config, label, caption).to(self._places.device)
        # The rows after the first: the last position predicts the first place.
        place = functional.pad(self._places[:1], (0, 0, len(tokens) - 1, 0))
        return self._weights.embedding[tokens] + place
