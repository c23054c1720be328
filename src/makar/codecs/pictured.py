"""What codecs have in common whose examples are kept as pictures: class and caption are left to the codec of images."""

from collections.abc import Iterator
from typing import Any, Self

import numpy as np

from makar.codecs.codec import Codec
from makar.codecs.image import ImageCodec
from makar.data.record import Record, Records


class PicturedCodec(Codec):
    """A codec of what is kept as pictures, made of its settings and of ``pictures``.

    Args:
        config: The settings.
        pictures: The codec of the pictures.
    """

    def __init__(self, config: Any, *, pictures: ImageCodec) -> None:
        self.config = config
        self.pictures = pictures

    @property
    def class_counts(self) -> dict[str, int]:
        """Training examples of each class by name."""
        return self.pictures.class_counts

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes in the order of their numbers."""
        return self.pictures.class_names

    def counted(self, records: Iterator[Record]) -> Self:
        """Return the codec with the examples of each class counted in other data."""
        if not self.class_names:
            return self
        every = records.without_content() if isinstance(records, Records) else records
        return type(self)(self.config, pictures=self.pictures.counted(every))

    def encode_caption(self, prompt: str) -> np.ndarray:
        """Return the tokens of a prompt, int64 ``[caption_length]``."""
        return self.pictures.encode_caption(prompt)

    def decode_caption(self, tokens: np.ndarray) -> str:
        """Return the words of a row of caption tokens."""
        return self.pictures.decode_caption(tokens)
