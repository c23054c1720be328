"""Images, and pictures of sounds, as the latents or tokens of a trained autoencoder: an ordinary codec for the stages after it.

Values are scaled to mean 0 and one deviation in every channel (Rombach et al. 2022, arXiv 2112.10752, appendix G, with a mean as in
Karras et al. 2024, arXiv 2312.02696, table 6), kept in half precision, and cut off where a normal distribution has nothing. Tokens are
kept as they are. The encoding is deterministic: of a distribution the autoencoder gives the mean.
"""

import dataclasses
import json
from collections.abc import Iterator, Sequence
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float

from makar.codecs.codec import (
    Autoencoder,
    Codec,
    CodecConfig,
    Component,
    Components,
    LearnedCodec,
    fit_codec,
    load_codec,
)
from makar.codecs.image_config import ImageCodecConfig
from makar.codecs.image_fit import fit_image
from makar.codecs.latent_config import LARGEST_DEVIATIONS, LatentCodecConfig, latent_spec
from makar.data.record import Record, Records, documents_of
from makar.errors import ArtifactError, ConfigError, EmptyDataError, UnsupportedError
from makar.tensor_spec import TARGET, TensorSpec

SAMPLE = 1024
"""Records at most whose latents give mean and deviation."""

TOGETHER = 64
SMALLEST_DEVIATION_SHARE = 1e-3
"""Of the largest deviation of a channel: a channel that never changes must not be divided by zero."""

FILE = "latent_codec.json"
BASE_PREFIX = "base_"


class _Noted(Records):
    """Records on their way to the base's ``fit``, of which those that are read are kept, images in the size that the base gives them."""

    def __init__(self, records: Iterator[Record], base: CodecConfig) -> None:
        self._records = iter(records)
        self._base = base
        self._kept: list[Record] = []

    def __next__(self) -> Record:
        record = next(self._records)
        self._keep(record)
        return record

    def documents(self) -> Iterator[tuple[Record, Iterator[Record]]]:
        for record, whole in documents_of(self._records):
            yield record, self._noted(whole)

    def sample(self) -> list[Record]:
        """Return up to ``SAMPLE`` records with content: what has been read, and more where the base left some."""
        while len(self._kept) < SAMPLE and next(self, None) is not None:
            pass
        return self._kept

    def _noted(self, whole: Iterator[Record]) -> Iterator[Record]:
        for record in whole:
            self._keep(record)
            yield record

    def _keep(self, record: Record) -> None:
        if len(self._kept) >= SAMPLE:
            return
        base, pixels = self._base, record.content
        if (
            isinstance(base, ImageCodecConfig)
            and base.source == "none"
            and pixels is not None
            and 0 not in pixels.shape
        ):
            # A thousand photographs as they come from a camera are tens of gigabytes.
            fitted = fit_image(pixels, height=base.height, width=base.width, fit=base.fit)
            record = dataclasses.replace(record, content=fitted)
        self._kept.append(record)


@runtime_checkable
class CountsClasses(Protocol):
    """A codec that knows its classes and how often each is in the training data."""

    class_counts: dict[str, int]


@runtime_checkable
class ReadsCaptions(Protocol):
    """A codec that turns a description into the tokens of its ``caption``."""

    def encode_caption(self, prompt: str) -> np.ndarray:
        """Return int64 tokens ``[length]``."""


class LatentCodec(LearnedCodec):
    """Latents or tokens of images; made with ``fit_with`` or ``from_files_with``.

    Args:
        config: The settings.
        base: The fitted codec of the images.
        component: What encodes and decodes.
        mean: Of every channel of the latents; empty for tokens.
        deviation: Of every channel of the latents; empty for tokens.
    """

    def __init__(
        self,
        config: LatentCodecConfig,
        *,
        base: Codec,
        component: Component,
        mean: Float[np.ndarray, " channels"],
        deviation: Float[np.ndarray, " channels"],
    ) -> None:
        self.config: LatentCodecConfig = config
        self.base = base
        if component.encoder is None or component.encoded is None:
            raise ConfigError(
                f'"{config.component}" encodes nothing', expected="an earlier stage whose family has encode"
            )
        self._component = component
        self._encoder, self._encoded = component.encoder, component.encoded
        self._mean = mean
        self._deviation = deviation
        self.class_counts: dict[str, int] = base.class_counts if isinstance(base, CountsClasses) else {}
        self.class_names = tuple(self.class_counts)

    @classmethod
    def fit_with(cls, config: LatentCodecConfig, records: Iterator[Record], components: Components) -> Self:
        """Fit the base, then take mean and deviation of the latents of some records.

        Raises:
            EmptyDataError: No record could be encoded.
            ConfigError: The component encodes other images than the base makes.
        """
        noted = _Noted(records, config.base)
        base = fit_codec(config.base, noted, components)
        sample = noted.sample()
        component = components[config.component]
        _check_base(base, component, config.component)
        codec = cls(config, base=base, component=component, mean=np.zeros(0), deviation=np.zeros(0))
        if codec._encoded.kind == "tokens":
            return codec
        latents = [
            values
            for start in range(0, len(sample), TOGETHER)
            for values in codec._latents(codec._images(sample[start : start + TOGETHER]))
        ]
        if not latents:
            raise EmptyDataError("there are no images to encode", expected="at least one")
        channels = np.stack(latents).astype(np.float64).swapaxes(0, 1).reshape(len(latents[0]), -1)
        deviation = channels.std(1)
        smallest = max(SMALLEST_DEVIATION_SHARE * float(deviation.max()), 1e-30)
        return cls(
            config, base=base, component=component, mean=channels.mean(1), deviation=np.maximum(deviation, smallest)
        )

    @classmethod
    def from_files_with(cls, config: LatentCodecConfig, files: dict[str, bytes], components: Components) -> Self:
        """Rebuild a fitted codec.

        Raises:
            ArtifactError: The file is missing or damaged, or was made with another component.
        """
        component = components[config.component]
        inner = {
            name.removeprefix(BASE_PREFIX): content for name, content in files.items() if name.startswith(BASE_PREFIX)
        }
        base = load_codec(config.base, inner, components)
        try:
            found = json.loads(files[FILE])
            stated = str(found["component"])
            mean, deviation = (np.array(found[name], np.float64) for name in ("mean", "deviation"))
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactError(f"{FILE} of the codec cannot be read: {error}", do="get the model again") from error
        latents = component.encoded
        channels = latents.sizes[0] if latents is not None and latents.kind == "values" else 0
        if stated != component.hash or mean.shape != (channels,) or deviation.shape != (channels,):
            raise ArtifactError(
                f'the codec was made with another "{config.component}" than the one beside it',
                expected=stated[:16],
                do="get the model again",
            )
        _check_base(base, component, config.component)
        return cls(config, base=base, component=component, mean=mean, deviation=deviation)

    def files(self) -> dict[str, bytes]:
        """Return the scale of the latents, the hash of the component, and the files of the base."""
        found = {
            "component": self._component.hash,
            "mean": self._mean.tolist(),
            "deviation": self._deviation.tolist(),
        }
        own = {FILE: json.dumps(found, indent=1).encode()}
        return own | {f"{BASE_PREFIX}{name}": content for name, content in self.base.files().items()}

    @property
    def spec(self) -> TensorSpec:
        """The latents as target, and the other slots of the base."""
        return latent_spec(self.config, self.base.spec, self._encoded)

    def counted(self, records: Iterator[Record]) -> Codec:
        """Return the codec with the frequencies of the base counted anew; mean and deviation of the latents stay."""
        return LatentCodec(
            self.config,
            base=self.base.counted(records),
            component=self._component,
            mean=self._mean,
            deviation=self._deviation,
        )

    def remarks(self) -> tuple[str, ...]:
        """Return what the base has to say."""
        return self.base.remarks()

    @property
    def plain(self) -> Codec:
        """The codec of the images."""
        return self.base.plain

    def encode(self, record: Record) -> dict[str, np.ndarray]:
        """Return the slots of the base with ``target`` as float16 latents or unsigned tokens; empty where the base's are."""
        return self.encode_together([record])[0]

    def encode_together(self, records: Sequence[Record]) -> list[dict[str, np.ndarray]]:
        """Return the slots of several records, encoded in batches."""
        # What follows from an image does not follow from its latents, so it is kept.
        slots = [self._whole(self.base.encode(record)) for record in records]
        filled = [one for one in slots if one]
        for start in range(0, len(filled), TOGETHER):
            part = filled[start : start + TOGETHER]
            images = np.stack([self.base.to_model(TARGET, one[TARGET]) for one in part])
            for one, latents in zip(part, self._latents(images), strict=True):
                one[TARGET] = self._kept(latents)
        return slots

    def latents_of(self, content: np.ndarray) -> np.ndarray:
        """Return content as a later stage sees it.

        Args:
            content: float32 ``[channels, height, width]`` in -1..1, as the base makes it; of a clip the channels of all frames.

        Returns:
            float32 latents, or int64 tokens, of the sizes that ``spec`` says.
        """
        return self.to_model(TARGET, self._kept(self._latents(content[None])[0]))

    def encode_caption(self, prompt: str) -> np.ndarray:
        """Return the tokens of a description as the base makes them, int64 ``[length]``.

        Raises:
            UnsupportedError: The base knows no captions.
        """
        if not isinstance(self.base, ReadsCaptions):
            raise UnsupportedError("a description for a codec without captions", expected="a class, or nothing")
        return self.base.encode_caption(prompt)

    def to_model(self, slot: str, values: np.ndarray) -> np.ndarray:
        """Turn kept latents into float32, tokens into int64, and other slots into what the base makes of them."""
        if slot != TARGET:
            return self.base.to_model(slot, values)
        return values.astype(np.float32 if self._encoded.kind == "values" else np.int64)

    @property
    def decodes(self) -> bool:
        """Whether latents lead back to images, and these to content."""
        return isinstance(self._encoder, Autoencoder) and self.base.decodes

    def decode(self, slots: dict[str, np.ndarray]) -> Any:
        """Return the image of one example's latents or tokens.

        Raises:
            UnsupportedError: They lead back to none.
        """
        if self._encoded.kind == "values":
            scale = (self._deviation / self.config.deviation)[:, None, None]
            latents = (slots[TARGET] * scale + self._mean[:, None, None]).astype(np.float32)
        else:
            latents = slots[TARGET].astype(np.int64)
        if not isinstance(self._encoder, Autoencoder):
            raise UnsupportedError(
                f'what "{self.config.component}" makes of images leads back to none',
                expected="a later stage that draws images of it",
            )
        with torch.inference_mode():
            image = self._encoder.decode(torch.from_numpy(latents)[None])[0]
        return self.base.decode({**slots, TARGET: image.float().numpy()})

    def _whole(self, slots: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        if not slots:
            return slots
        batch = {name: values[None] for name, values in slots.items()}
        return {name: values[0] for name, values in self.base.completed(batch).items()}

    def _images(self, records: Sequence[Record]) -> np.ndarray:
        slots = [one for record in records if (one := self.base.encode(record))]
        return np.stack([self.base.to_model(TARGET, one[TARGET]) for one in slots]) if slots else np.zeros(0)

    def _latents(self, images: np.ndarray) -> np.ndarray:
        """Return what the component makes of images ``[batch, channels, height, width]``, as it makes it."""
        if not len(images):
            return np.zeros(0)
        with torch.inference_mode():
            made = self._encoder.encode(torch.from_numpy(np.ascontiguousarray(images)))
        latents = made.numpy() if self._encoded.kind == "tokens" else made.float().numpy()
        if latents.shape[1:] != self._encoded.sizes:
            raise ConfigError(
                f'"{self.config.component}" makes latents {list(latents.shape[1:])}',
                expected=f"{list(self._encoded.sizes)}, as its configuration says",
            )
        return latents

    def _kept(self, latents: np.ndarray) -> np.ndarray:
        if self._encoded.kind == "tokens":
            return latents.astype(np.uint16 if (self._encoded.vocabulary or 0) <= 1 << 16 else np.uint32)
        scaled = (latents - self._mean[:, None, None]) * (self.config.deviation / self._deviation)[:, None, None]
        largest = LARGEST_DEVIATIONS * self.config.deviation
        return np.clip(scaled, -largest, largest).astype(np.float16)


def _check_base(base: Codec, component: Component, name: str) -> None:
    made, wanted = base.spec[TARGET], component.accepts()[TARGET]
    if (made.kind, made.sizes, made.minimum, made.maximum) != (
        wanted.kind,
        wanted.sizes,
        wanted.minimum,
        wanted.maximum,
    ):
        raise ConfigError(
            f'"{name}" encodes {wanted.kind} of {list(wanted.sizes)}, the codec below makes {made.kind} of {list(made.sizes)}',
            expected="the same images for the autoencoder and for the stage after it",
        )
