"""Images as the second half of a stream of tokens: a decoder transformer reads class and caption and predicts the image, place by place.

The loss is the surprise at caption tokens and at image tokens, weighted 1 to 7 as published (Ramesh et al. 2021, arXiv 2102.12092, section
2.2); each is predicted among its own range of the vocabulary. The position that predicts a place knows it by a learned vector of its row
and column. Class and caption are forgotten in a share of the examples, so that the same network also knows images in general and can be
guided (Ho and Salimans 2022, arXiv 2207.12598).
"""

import copy
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from makar.families.asked import Asking
from makar.families.family import Batch, Family, Loss, OnnxPart, ParameterGroup, Phase
from makar.families.logits_hook import LogitsHook
from makar.families.transformer.family import PRECISIONS
from makar.families.transformer.image_config import ImageTransformerConfig
from makar.families.transformer.image_sampler import ImageTokenSampler
from makar.families.transformer.image_stream import ImageStream, image_stream
from makar.families.transformer.network import TransformerNetwork
from makar.families.transformer.objective import parameter_groups
from makar.families.transformer.start import LARGEST_VOCABULARY, count_pairs, start_from_pairs
from makar.families.transformer.token_options import TokenOptions
from makar.families.transformer.worded_stream import END_TOKEN, some_forgotten
from makar.nn.cross_entropy import linear_cross_entropy
from makar.nn.grid_places import GridPlaces
from makar.tensor_spec import CAPTION, CLASS, TARGET

UNIT = "nats/token"


class ImageTransformerFamily(Family):
    """A decoder transformer over caption and image tokens.

    Args:
        config: Sizes, bound to what the codec makes.
    """

    options: ClassVar[type[TokenOptions]] = TokenOptions
    concurrent: ClassVar[bool] = True

    def __init__(self, config: ImageTransformerConfig) -> None:
        super().__init__()
        self.config: ImageTransformerConfig = config
        self.precision = "float32"
        self.network = TransformerNetwork(config.decoder)
        self.places = GridPlaces(config.rows, config.columns, config.width)

    def initialise(self, generator: torch.Generator) -> None:
        """Draw every weight; places start alike."""
        self.network.initialise(generator)
        self.places.initialise(generator)

    def initialise_from_data(self, batches: Iterable[Batch]) -> None:
        """Start at the probabilities of which image token follows which; see ``start.py``."""
        config = self.config
        if config.decoder.vocabulary > LARGEST_VOCABULARY:
            return
        rows = []
        for batch in batches:
            image = batch[TARGET].cpu().flatten(1) + config.content_start
            rows.append(torch.cat([torch.full_like(image[:, :1], END_TOKEN), image], 1))
        counts = count_pairs(rows, config.decoder.vocabulary)
        if counts.sum() > 0:
            start_from_pairs(self.network, counts, torch.Generator().manual_seed(0))

    def phases(self) -> list[Phase]:
        """Return the one phase: every parameter minimises the surprise at text and image."""
        groups = [*parameter_groups(self.network), _undecayed(self.places)]
        return [Phase(name="next_token", groups=groups, loss=self._loss)]

    def _loss(self, batch: Batch, generator: torch.Generator) -> Loss:
        config = self.config
        label, caption = some_forgotten(
            config,
            batch=len(batch[TARGET]),
            label=batch.get(CLASS),
            caption=batch.get(CAPTION),
            generator=generator,
        )
        rows = image_stream(config, batch[TARGET], label=label, caption=caption)
        stream = self._stream(rows, generator)
        image = self._image_loss(stream, rows, batch[TARGET])
        metrics = {"image": float(image.detach())}
        value = image
        if config.caption_length:
            text = self._text_loss(stream, rows)
            metrics["text"] = float(text.detach())
            value = config.text_weight * text + (1 - config.text_weight) * image
        return Loss(value=value, count=batch[TARGET].numel(), unit=UNIT, metrics=metrics)

    def validation_loss(self, batch: Batch, generator: torch.Generator) -> Loss:
        """Return the surprise at the image alone, with every class and caption known."""
        del generator
        with torch.no_grad():
            rows = image_stream(self.config, batch[TARGET], label=batch.get(CLASS), caption=batch.get(CAPTION))
            value = self._image_loss(self._stream(rows, None), rows, batch[TARGET])
        return Loss(value=value, count=batch[TARGET].numel(), unit=UNIT)

    def _stream(self, rows: ImageStream, generator: torch.Generator | None) -> Tensor:
        vectors = functional.embedding(rows.tokens, self.network.embeddings)
        places = self.places().expand(vectors.shape[0], -1, -1)
        index = rows.image[..., None].expand_as(places)
        return self.network.stream_of(
            vectors.scatter_add(1, index, places), dtype=PRECISIONS[self.precision], generator=generator
        )

    def _image_loss(self, stream: Tensor, rows: ImageStream, image: Tensor) -> Tensor:
        x = stream.gather(1, rows.image[..., None].expand(-1, -1, stream.shape[-1]))
        head = self.network.head[self.config.content_start :]
        return linear_cross_entropy(x.flatten(0, 1), head, image.flatten())

    def _text_loss(self, stream: Tensor, rows: ImageStream) -> Tensor:
        head = self.network.head[: self.config.class_start]
        return linear_cross_entropy(stream[:, :-1][rows.text], head, rows.tokens[:, 1:][rows.text])

    def sampler(self, codec: Any, *, hook: LogitsHook | None = None) -> ImageTokenSampler:
        """Return a sampler over a copy of the current weights; the hook sees the logits of image tokens, after the filters."""
        config = self.config
        counts: dict[str, int] = codec.class_counts if config.classes else {}
        encode: Callable[[str], Any] | None = codec.encode_caption if config.caption_length else None
        return ImageTokenSampler(
            config,
            self.network,
            places=self.places().detach(),
            asking=Asking(config, class_counts=counts, encode_caption=encode),
            hooks=() if hook is None else (hook,),
        )

    def tensors(self) -> dict[str, Tensor]:
        """Return the weights under the names of the family's parts."""
        return dict(self.state_dict())

    def onnx_parts(self) -> list[OnnxPart]:
        """Return the network from text and image tokens to the logits of every image token."""
        config = self.config
        text = torch.zeros(2, 3 + config.longest_text, dtype=torch.int64)
        text[:, -1] = END_TOKEN
        image = torch.arange(2 * config.content_positions).view(2, config.content_positions) % config.codes
        return [
            OnnxPart(
                name="model",
                module=_ImageLogits(config, copy.deepcopy(self.network), copy.deepcopy(self.places)).eval(),
                inputs={"text": text, "image": image},
                outputs=("logits",),
                dynamic={"text": {0: "batch", 1: "length"}, "image": {0: "batch"}},
            )
        ]


class _ImageLogits(nn.Module):
    """From the text and all image tokens, of which later ones count for nothing, to the logits at every place."""

    def __init__(self, config: ImageTransformerConfig, network: TransformerNetwork, places: GridPlaces) -> None:
        super().__init__()
        self.config, self.network, self.places = config, network, places

    def forward(
        self, text: Int[Tensor, "batch length"], image: Int[Tensor, "batch places"]
    ) -> Float[Tensor, "batch places codes"]:
        start = self.config.content_start
        tokens = torch.cat([text, start + image[:, :-1]], 1)
        vectors = functional.embedding(tokens, self.network.embeddings)
        before = torch.zeros_like(vectors[:, : text.shape[1] - 1])
        places = self.places().expand(image.shape[0], -1, -1)
        stream = self.network.stream_of(vectors + torch.cat([before, places], 1))
        return stream[:, text.shape[1] - 1 :] @ self.network.head[start:].T


def _undecayed(places: GridPlaces) -> ParameterGroup:
    return ParameterGroup(parameters=list(places.parameters()), weight_decay=0.0)
