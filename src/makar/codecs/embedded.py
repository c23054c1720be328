"""Images with their vectors: pixels and captions as the base makes them, and as source the vector of another stage.

The stage that is named (the prior of ``dalle2``) learned to draw vectors from captions; its codec turns images into such vectors. Training
takes those of the images, generation asks ``imagine``, variations ask ``encode_source``. Vectors are divided by the limit of the stage that
draws them, so that they lie in -1..1 as every source does.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from makar.codecs.codec import Codec, Component, Components, LearnedCodec, Maker, fit_codec, load_codec
from makar.codecs.embedded_config import EmbeddedCodecConfig
from makar.codecs.image import ImageCodec
from makar.data.record import Record
from makar.errors import ArtifactError, ConfigError
from makar.tensor_spec import CAPTION, NO_CAPTION_TOKEN, PADDING_TOKEN, SOURCE, TARGET, TensorSpec

FILE = "embedded_codec.json"
BASE_PREFIX = "base_"


class EmbeddedCodec(LearnedCodec):
    """Images with their vectors; made with ``fit_with`` or ``from_files_with``.

    Args:
        config: The settings.
        base: The fitted codec of the images.
        component: The stage that draws vectors.
    """

    def __init__(self, config: EmbeddedCodecConfig, *, base: Codec, component: Component) -> None:
        if component.maker is None or component.codec is None or not isinstance(base, ImageCodec):
            raise ConfigError(
                f'"{config.component}" draws no vectors for codec "{config.kind}"',
                expected="an earlier stage that makes vectors from captions, over a codec of images",
            )
        self.config: EmbeddedCodecConfig = config
        self.base = base
        self.class_counts: dict[str, int] = base.class_counts
        self.class_names = base.class_names
        self._component = component
        self._maker: Maker = component.maker
        self._vectors: Codec = component.codec
        self._limit = self._vectors.spec[TARGET].maximum

    @classmethod
    def fit_with(cls, config: EmbeddedCodecConfig, records: Iterator[Record], components: Components) -> Self:
        """Fit the base; the vectors were fitted with their own stage."""
        return cls(config, base=fit_codec(config.base, records, components), component=components[config.component])

    @classmethod
    def from_files_with(cls, config: EmbeddedCodecConfig, files: dict[str, bytes], components: Components) -> Self:
        """Rebuild a fitted codec.

        Raises:
            ArtifactError: The file is missing or damaged, or was made with another component.
        """
        component = components[config.component]
        inner = {
            name.removeprefix(BASE_PREFIX): content for name, content in files.items() if name.startswith(BASE_PREFIX)
        }
        try:
            stated = str(json.loads(files[FILE])["component"])
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactError(f"{FILE} of the codec cannot be read: {error}", do="get the model again") from error
        if stated != component.hash:
            raise ArtifactError(
                f'the codec was made with another "{config.component}" than the one beside it',
                expected=stated[:16],
                do="get the model again",
            )
        return cls(config, base=load_codec(config.base, inner, components), component=component)

    def counted(self, records: Iterator[Record]) -> Codec:
        """Return the codec with the frequencies of the base counted anew; the vectors stay."""
        return EmbeddedCodec(self.config, base=self.base.counted(records), component=self._component)

    def files(self) -> dict[str, bytes]:
        """Return the hash of the component and the files of the base."""
        own = {FILE: json.dumps({"component": self._component.hash}).encode()}
        return own | {f"{BASE_PREFIX}{name}": content for name, content in self.base.files().items()}

    @property
    def spec(self) -> TensorSpec:
        """The slots of the base, and the vector as source."""
        return self.config.spec_over(self.base.spec, self._component)

    @property
    def plain(self) -> Codec:
        """The codec of the images."""
        return self.base.plain

    def encode(self, record: Record) -> dict[str, np.ndarray]:
        """Return the slots of the base with ``source``, the vector of the image as float16; empty where the base's are."""
        return self.encode_together([record])[0]

    def encode_together(self, records: Sequence[Record]) -> list[dict[str, np.ndarray]]:
        """Return the slots of several records, their vectors computed in batches."""
        slots = self.base.encode_together(records)
        filled = [number for number, one in enumerate(slots) if one]
        vectors = self._vectors.encode_together([records[number] for number in filled])
        for number, vector in zip(filled, vectors, strict=True):
            slots[number][SOURCE] = (vector[TARGET].astype(np.float32) / self._limit).astype(np.float16)
        return slots

    def encode_caption(self, prompt: str) -> np.ndarray:
        """Return the tokens of a description as the base makes them, int64 ``[length]``."""
        return self.base.encode_caption(prompt)

    def encode_source(self, pixels: np.ndarray) -> np.ndarray:
        """Return the vector of an image, float32 ``[channels, 1, 1]``.

        Args:
            pixels: uint8 ``[rows, columns, channels]`` of any size.
        """
        record = Record(
            id="given", medium="image", content=pixels, document="given", source="given", split="train", label=None
        )
        return self._vectors.encode(record)[TARGET].astype(np.float32) / self._limit

    def imagine(self, captions: list[Tensor | None], seeds: list[int]) -> Tensor:
        """Return a vector for each caption, float32 ``[batch, channels, 1, 1]``; the same seed gives the same one.

        Args:
            captions: Tokens; ``None`` leaves everything open.
            seeds: One an example.
        """
        length = self.base.spec[CAPTION].sizes[0]
        nothing = torch.full((int(length or 1),), PADDING_TOKEN, dtype=torch.int64)
        nothing[0] = NO_CAPTION_TOKEN
        rows = torch.stack([nothing if caption is None else caption.cpu() for caption in captions])
        return self._maker.make(rows, seeds) / self._limit

    def to_model(self, slot: str, values: np.ndarray) -> np.ndarray:
        """Turn kept vectors into float32, and other slots into what the base makes of them."""
        return values.astype(np.float32) if slot == SOURCE else self.base.to_model(slot, values)

    def decode(self, slots: dict[str, np.ndarray]) -> Any:
        """Return the image; its vector says nothing more."""
        return self.base.decode({name: values for name, values in slots.items() if name != SOURCE})
