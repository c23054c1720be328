"""Small stores for the novelty and evaluation tests, with the simplest codecs that keep the contract."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import numpy as np

from makar.codecs.codec import Codec
from makar.data.record import Record
from makar.data.store import Store, build_store
from makar.tensor_spec import Slot, TensorSpec


class BytesCodec(Codec):
    """Bytes of UTF-8 and 256 as the end."""

    @classmethod
    def fit(cls, config: Any, records: Iterator[Record]) -> Self:
        return cls()

    @classmethod
    def from_files(cls, config: Any, files: dict[str, bytes]) -> Self:
        return cls()

    def files(self) -> dict[str, bytes]:
        return {}

    @property
    def spec(self) -> TensorSpec:
        return TensorSpec({"target": Slot(kind="tokens", axes=("length",), sizes=(None,), vocabulary=257)})

    def encode(self, record: Record) -> dict[str, np.ndarray]:
        return {"target": np.append(np.frombuffer(record.content.encode(), np.uint8), 256).astype(np.uint16)}

    def decode(self, slots: dict[str, np.ndarray]) -> str:
        tokens = np.asarray(slots["target"])
        return tokens[tokens < 256].astype(np.uint8).tobytes().decode(errors="replace")

    def token_byte_lengths(self) -> np.ndarray:
        return np.append(np.ones(256, np.int64), 0)


class PixelCodec(BytesCodec):
    """uint8 pixels as they are."""

    def encode(self, record: Record) -> dict[str, np.ndarray]:
        return {"target": np.ascontiguousarray(record.content.transpose(2, 0, 1))}

    def decode(self, slots: dict[str, np.ndarray]) -> Any:
        return slots["target"].transpose(1, 2, 0)


def text_store(path: Path, texts: list[str], *, licence: str = "CC0-1.0", split: Any = "train") -> Store:
    """Return a store of texts, each its own document ``text-N.txt``."""
    return build_store(
        path, _records(texts, "text", licence, split), BytesCodec().encode, key=_key(texts), allow_empty=True
    )


def image_store(path: Path, images: np.ndarray, labels: list[int] | None = None, *, split: Any = "train") -> Store:
    """Return a store of images uint8 ``[items, height, width, channels]``, with a class slot where labels are given."""

    def encode(record: Record) -> dict[str, np.ndarray]:
        slots = PixelCodec().encode(record)
        if labels is not None:
            slots["class"] = np.array(labels[int(record.id)], np.int64)
        return slots

    return build_store(path, _records(list(images), "image", "CC0-1.0", split), encode, key=_key([str(images.sum())]))


def _records(contents: list[Any], medium: str, licence: str, split: Any) -> Iterator[Record]:
    for number, content in enumerate(contents):
        name = f"{medium}-{number}.txt"
        yield Record(
            id=str(number), medium=medium, content=content, document=name, source=name, split=split, licence=licence
        )


def _key(values: list[str]) -> str:
    return str(len(json.dumps(values))) + json.dumps(values)[:200]


def random_words(generator: np.random.Generator, count: int, *, vocabulary: int = 3000) -> str:
    """Return text of random words, so that long spans never repeat by chance."""
    return " ".join(f"w{number}" for number in generator.integers(0, vocabulary, count))


def smooth_images(
    generator: np.random.Generator, count: int, *, size: int = 28, channels: int = 1, waves: int = 6
) -> np.ndarray:
    """Return images of a few random waves each, uint8 ``[count, size, size, channels]``."""
    y, x = np.mgrid[:size, :size] / size
    frequency = generator.uniform(-4, 4, (2, count, 1, 1, channels, waves))
    phase = generator.uniform(0, 2 * np.pi, (count, 1, 1, channels, waves))
    angle = 2 * np.pi * (frequency[0] * x[None, :, :, None, None] + frequency[1] * y[None, :, :, None, None]) + phase
    values = np.cos(angle).sum(-1)
    return (127.5 + 127.5 * values / np.abs(values).max((1, 2, 3), keepdims=True)).astype(np.uint8)
