"""Images with their vectors, sounds with their coarse tokens: what the base makes, and as source what another stage draws.

The stage that is named (the prior of ``dalle2``, ``jukebox`` and ``musiclm``) learned to draw vectors or tokens from captions or classes;
its codec turns images into such vectors, sounds into such tokens. Training takes those of the data, generation asks ``imagine_from``,
variations ask ``encode_source``. Vectors are divided by the limit of the stage that draws them, so that they lie in -1..1 as every source
does; tokens are handed on as they are.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from makar.codecs.codec import Codec, Component, Components, LearnedCodec, Maker, fit_codec, load_codec
from makar.codecs.embedded_config import EmbeddedCodecConfig
from makar.codecs.latent import CountsClasses, ReadsCaptions
from makar.data.record import Record
from makar.errors import ArtifactError, ConfigError, UnsupportedError
from makar.tensor_spec import CAPTION, NO_CAPTION_TOKEN, PADDING_TOKEN, SOURCE, TARGET, TensorSpec

FILE = "embedded_codec.json"
BASE_PREFIX = "base_"


class EmbeddedCodec(LearnedCodec):
    """Images with their vectors, sounds with their tokens; made with ``fit_with`` or ``from_files_with``.

    Args:
        config: The settings.
        base: The fitted codec of what the source is given for.
        component: The stage that draws sources.
    """

    def __init__(self, config: EmbeddedCodecConfig, *, base: Codec, component: Component) -> None:
        if component.maker is None or component.codec is None:
            raise ConfigError(
                f'"{config.component}" draws no sources for codec "{config.kind}"',
                expected="an earlier stage that makes vectors or tokens, over a codec of images or sounds",
            )
        self.config: EmbeddedCodecConfig = config
        self.base = base
        self.class_counts: dict[str, int] = base.class_counts if isinstance(base, CountsClasses) else {}
        self.class_names = tuple(self.class_counts)
        self._component = component
        self._maker: Maker = component.maker
        self._drawn: Codec = component.codec
        self._slot = self._drawn.spec[TARGET]

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
        """The slots of the base, and the vector or the tokens as source."""
        return self.config.spec_over(self.base.spec, self._component)

    def remarks(self) -> tuple[str, ...]:
        """Return what the base has to say."""
        return self.base.remarks()

    @property
    def plain(self) -> Codec:
        """The codec of the content itself."""
        return self.base.plain

    def encode(self, record: Record) -> dict[str, np.ndarray]:
        """Return the slots of the base with ``source``, a vector as float16 or tokens as they are kept; empty where the base's are."""
        return self.encode_together([record])[0]

    def encode_together(self, records: Sequence[Record]) -> list[dict[str, np.ndarray]]:
        """Return the slots of several records, their sources computed in batches."""
        slots = self.base.encode_together(records)
        filled = [number for number, one in enumerate(slots) if one]
        sources = self._drawn.encode_together([records[number] for number in filled])
        for number, source in zip(filled, sources, strict=True):
            # What the base can use, the codec of the source can: both are of the same data.
            slots[number] = {**slots[number], SOURCE: self._kept(source[TARGET])} if source else {}
        return slots

    def _kept(self, drawn: np.ndarray) -> np.ndarray:
        if self._slot.kind == "tokens":
            return drawn
        return (drawn.astype(np.float32) / self._slot.maximum).astype(np.float16)

    def encode_caption(self, prompt: str) -> np.ndarray:
        """Return the tokens of a description as the base makes them, int64 ``[length]``.

        Raises:
            UnsupportedError: The base knows no captions.
        """
        if not isinstance(self.base, ReadsCaptions):
            raise UnsupportedError("a description for a codec without captions", expected="a class, or nothing")
        return self.base.encode_caption(prompt)

    def encode_source(self, content: Any) -> np.ndarray:
        """Return the source of an image or a sound: a vector float32 ``[channels, 1, 1]``, or tokens int64.

        Args:
            content: uint8 ``[rows, columns, channels]`` of any size, or a sound.
        """
        medium = self.plain.config.media[0]
        label = next(iter(self.class_counts), None)
        record = Record(
            id="given", medium=medium, content=content, document="given", source="given", split="train", label=label
        )
        drawn = self._drawn.encode(record)[TARGET]
        return drawn.astype(np.int64) if self._slot.kind == "tokens" else drawn.astype(np.float32) / self._slot.maximum

    def imagine(self, captions: list[Tensor | None], seeds: list[int]) -> Tensor:
        """Return a vector for each caption, float32 ``[batch, channels, 1, 1]``; the same seed gives the same one.

        Args:
            captions: Tokens; ``None`` leaves everything open.
            seeds: One an example.
        """
        length = self.base.spec[CAPTION].sizes[0]
        nothing = torch.full((int(length or 1),), PADDING_TOKEN, dtype=torch.int64)
        nothing[0] = NO_CAPTION_TOKEN
        prompts = [{CAPTION: nothing if caption is None else caption.cpu()} for caption in captions]
        return torch.stack(self.imagine_from(prompts, seeds, {})) / self._slot.maximum

    def imagine_from(
        self, prompts: Sequence[Mapping[str, Tensor]], seeds: Sequence[int], options: Mapping[str, Any]
    ) -> list[Tensor]:
        """Return what the stage draws of prompts as it draws it; the same seed gives the same.

        Args:
            prompts: Slots of that stage, one dictionary an example.
            seeds: One an example.
            options: Controls of that stage by name.
        """
        return self._maker.make(prompts, seeds, options)

    def to_model(self, slot: str, values: np.ndarray) -> np.ndarray:
        """Turn kept vectors into float32 and tokens into int64, and other slots into what the base makes of them."""
        if slot == SOURCE:
            return values.astype(np.int64 if self._slot.kind == "tokens" else np.float32)
        return self.base.to_model(slot, values)

    def decode(self, slots: dict[str, np.ndarray]) -> Any:
        """Return the image or the sound; its source says nothing more."""
        return self.base.decode({name: values for name, values in slots.items() if name != SOURCE})
