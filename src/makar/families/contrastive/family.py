"""Images and captions in one space: zero-shot labels, search by text, and a judge of whether an image shows what was asked for.

Two encoders learn to tell which caption of a batch belongs to which image (``objective``), from images and captions that vary
(``variation``). The larger the batch the harder the question, so batches are never cut into parts for several workers. It makes no images;
what its vectors are good for beyond comparison is the prior and the decoder of the recipe ``dalle2``.

Source: Radford et al. 2021, arXiv 2103.00020; Zhai et al. 2023, arXiv 2303.15343.
"""

from collections.abc import Iterable
from itertools import islice
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from makar.families.contrastive.config import ContrastiveConfig
from makar.families.contrastive.network import CaptionVector, ContrastiveNetwork, ImageVector
from makar.families.contrastive.objective import first_share, same_captions, sigmoid_loss, softmax_loss
from makar.families.contrastive.options import ContrastiveOptions
from makar.families.contrastive.sampler import ContrastiveSampler
from makar.families.contrastive.variation import mirrored, noisy, shifted, shortened
from makar.families.family import Batch, Family, Loss, OnnxPart, ParameterGroup, Phase
from makar.families.logits_hook import LogitsHook, refuse_hook
from makar.nn.initialisation import initialise_modules
from makar.tensor_spec import CAPTION, NO_CAPTION_TOKEN, PADDING_TOKEN, TARGET

STATISTICS_BATCHES = 64
"""Batches looked at for mean and deviation of the data."""

SMALLEST_DEVIATION = 0.05
READING_RATE = 0.25
"""Learning rate of the transformer that reads captions, as a share of that of the rest; see ``makar.nn.text_encoder``."""

WHOLE_CAPTION = "whole_caption"
"""In a prepared batch: captions before they were shortened, which say what is the same."""

_TYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


class ContrastiveFamily(Family):
    """A pair of encoders.

    Args:
        config: Sizes, bound to what the codec makes.
    """

    options: ClassVar[type[ContrastiveOptions]] = ContrastiveOptions
    creates: ClassVar[bool] = False

    def __init__(self, config: ContrastiveConfig) -> None:
        super().__init__()
        self.config: ContrastiveConfig = config
        self.precision = "float32"
        self.network = ContrastiveNetwork(config)

    def initialise(self, generator: torch.Generator) -> None:
        """Draw every weight."""
        initialise_modules(self.network, generator)
        self.network.start()

    def initialise_from_data(self, batches: Iterable[Batch]) -> None:
        """Take mean and deviation of each channel from a few batches."""
        count, total, squares = 0, torch.zeros(()), torch.zeros(())
        for batch in islice(batches, STATISTICS_BATCHES):
            values = batch[TARGET].double().transpose(0, 1).flatten(1)
            count += values.shape[1]
            total, squares = total + values.sum(1), squares + values.square().sum(1)
        if not count:
            return
        mean = total / count
        deviation = (squares / count - mean.square()).clamp(min=0).sqrt().clamp(min=SMALLEST_DEVIATION)
        self.network.data_mean.copy_(mean[:, None, None])
        self.network.data_deviation.copy_(deviation[:, None, None])

    def phases(self) -> list[Phase]:
        """One phase: which image and which caption belong together."""
        network = self.network
        single = [network.sharpness, *([] if network.offset is None else [network.offset])]
        reading = list(network.reader.blocks.parameters())
        apart = {id(part) for part in (*single, *reading)}
        groups = [
            ParameterGroup(parameters=[part for part in self.parameters() if id(part) not in apart]),
            ParameterGroup(parameters=single, weight_decay=0.0),
        ]
        if reading:
            groups.append(ParameterGroup(parameters=reading, learning_rate_scale=READING_RATE))
        return [Phase(name="pairs", groups=groups, loss=self._loss)]

    def prepare(self, batch: Batch, generator: torch.Generator) -> Batch:
        """Vary images and captions."""
        config, images = self.config, batch[TARGET]
        images = shifted(images, config.shift, generator)
        images = mirrored(images, generator) if config.flip else images
        captions = shortened(batch[CAPTION], config.token_dropout, generator)
        return {TARGET: noisy(images, config.noise, generator), CAPTION: captions, WHOLE_CAPTION: batch[CAPTION]}

    def _loss(self, batch: Batch, generator: torch.Generator) -> Loss:
        self._compute()
        images = self.network.images(batch[TARGET], dropout=self.config.dropout, generator=generator)
        return self._said(images, batch[CAPTION], right=same_captions(batch[WHOLE_CAPTION]))

    def validation_loss(self, batch: Batch, generator: torch.Generator) -> Loss:
        """Return the loss with whole captions and images as they are; it grows with the number of images in the batch."""
        del generator
        self._compute()
        with torch.no_grad():
            tokens = batch[CAPTION]
            return self._said(self.network.images(batch[TARGET]), tokens, right=same_captions(tokens))

    def _said(self, images: Tensor, tokens: Tensor, *, right: Tensor) -> Loss:
        logits = self.network.logits(images, self._read(tokens))
        value = (softmax_loss if self.config.objective == "softmax" else sigmoid_loss)(logits, right)
        metrics = {
            "first": float(first_share(logits.detach(), right)),
            "sharpness": float(self.network.scale().detach()),
        }
        return Loss(value=value, count=len(tokens), unit="nats/image", metrics=metrics)

    def _read(self, tokens: Tensor) -> Tensor:
        """Read captions no further than the longest of them."""
        return self.network.captions(tokens[:, : max(1, int((tokens != PADDING_TOKEN).sum(1).max()))])

    def embed_images(self, images: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch vector"]:
        """Return vectors of length 1 of images in -1..1."""
        self._compute()
        with torch.no_grad():
            return self.network.images(images)

    def encode(self, images: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch vector 1 1"]:
        """Return vectors as images of one pixel, for stages that learn from them; nothing leads back to images."""
        return self.embed_images(images)[:, :, None, None]

    def embed_captions(self, tokens: Int[Tensor, "batch length"]) -> Float[Tensor, "batch vector"]:
        """Return vectors of length 1 of captions, padded at the end."""
        self._compute()
        with torch.no_grad():
            return self._read(tokens)

    def predict(self, batch: Batch, what: str, generator: torch.Generator) -> dict[str, np.ndarray]:
        """Compare every image with every caption of the batch; the two need not be equally many.

        Returns:
            ``"similarity"`` gives ``similarity``, the cosine, ``"labels"`` gives ``probability``, which adds up to 1 over the
            captions; float64 ``[images, captions]``.
        """
        if what not in self.predictions:
            return super().predict(batch, what, generator)
        similar = (self.embed_images(batch[TARGET]) @ self.embed_captions(batch[CAPTION]).T).double()
        if what == "similarity":
            return {"similarity": similar.cpu().numpy()}
        return {"probability": torch.softmax(self.network.scale().detach().double() * similar, 1).cpu().numpy()}

    def _compute(self) -> None:
        self.network.compute_type = _TYPES[self.precision]

    def sampler(self, codec: Any, *, hook: LogitsHook | None = None) -> ContrastiveSampler:
        """Return a sampler that says what makes images."""
        del codec
        refuse_hook(hook)
        return ContrastiveSampler()

    def tensors(self) -> dict[str, Tensor]:
        """Return weights, and the statistics of the data, under the names of the network's parts."""
        return dict(self.network.state_dict())

    def onnx_parts(self) -> list[OnnxPart]:
        """Return ``image`` and ``caption``, each to its vector."""
        config = self.config
        network = ContrastiveNetwork(config).eval()
        network.load_state_dict({name: value.detach().float().cpu() for name, value in self.tensors().items()})
        caption = torch.full((2, config.caption_length), PADDING_TOKEN, dtype=torch.int64)
        caption[:, 0] = NO_CAPTION_TOKEN
        return [
            OnnxPart(
                name="image",
                module=ImageVector(network),
                inputs={"image": torch.zeros(2, config.channels, config.height, config.width)},
                outputs=("vector",),
                dynamic={"image": {0: "batch"}},
            ),
            OnnxPart(
                name="caption",
                module=CaptionVector(network),
                inputs={"caption": caption},
                outputs=("vector",),
                dynamic={"caption": {0: "batch"}},
            ),
        ]
