"""Pictures as uint8 arrays of one size, channels first, with a class where labels are used and tokens where captions are.

The channels are the least that hold a sample of the data, so grey photographs saved as colour cost a third. Where only some
images have a label, the others form a class of their own named ``UNLABELLED``: nothing is dropped and nothing is guessed. An image
without a caption has the token for none.
"""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any, Self

import numpy as np

from makar.codecs.alpha import model_values, pixels_of
from makar.codecs.caption_tokens import CaptionTokens
from makar.codecs.codec import Codec
from makar.codecs.image_config import COMPUTED, HALVES, PAIRED, ImageCodecConfig, source_slot
from makar.codecs.image_fit import channels_needed, fit_image, with_channels
from makar.codecs.image_sources import source_of_images
from makar.data.record import Record, Records, documents_of, is_sampled
from makar.errors import ArtifactError, ConfigError, EmptyDataError, UnsupportedError
from makar.tensor_spec import CAPTION, CLASS, SCORE, SOURCE, TARGET, Slot, TensorSpec

MOST_CLASSES = 1000
UNLABELLED = "unlabelled"
FILE = "image_codec.json"
CAPTION_FILE = "caption_tokenizer.json"


class ImageCodec(Codec):
    """Images of one size; made with ``fit`` or ``from_files``.

    Args:
        config: The settings, with ``channels`` found.
        class_counts: Training images of each class by name, in the order of the class numbers; empty without labels.
        captions: Turns captions into tokens; ``None`` without captions.
    """

    def __init__(
        self, config: ImageCodecConfig, *, class_counts: dict[str, int], captions: CaptionTokens | None = None
    ) -> None:
        self.config: ImageCodecConfig = config
        self.class_counts = class_counts
        self.class_names = tuple(class_counts)
        self._captions = captions
        self._numbers = {name: number for number, name in enumerate(self.class_names)}

    @classmethod
    def fit(cls, config: ImageCodecConfig, records: Iterator[Record]) -> Self:
        """Find the number of channels, the names of the classes and the tokens of the captions.

        Raises:
            EmptyDataError: There is no record.
            ConfigError: Labels are asked for and there are none, or too many to be classes; or captions, and there are none.
        """
        counts: Counter[str] = Counter()
        needed = following = 0

        def looked_at() -> Iterator[Record]:
            nonlocal needed, following
            for record, whole in documents_of(iter(records)):
                counts[record.label or UNLABELLED] += 1
                # Of folders of pairs, all files of the first come before those that have a pair: counted from there.
                if is_sampled(following):
                    images = (image for full in whole for image in pair_of(full, config.source) or ())
                    needed = max([needed, *map(channels_needed, images)])
                following += needed > 0
                yield record

        captions, every = None, looked_at()
        if config.use_captions:
            said = (record.caption for record in every)
            captions = CaptionTokens.fit(
                (caption for caption in said if caption),
                length=config.caption_length,
                vocabulary=config.caption_vocabulary,
            )
        for _ in every:
            # Captions are read as far as they are needed, everything else to the end.
            pass
        if not needed:
            raise EmptyDataError(
                f"there are no {'pairs of ' * (config.source in PAIRED)}images to learn from", expected="at least one"
            )
        if config.source == "grey" and needed == 1:
            raise ConfigError(
                "the images are grey already", expected="images in colour, from which colours can be learned"
            )
        if not config.channels:
            # Colours are learned of what is opaque: transparency is laid over white.
            config = config.changed(channels=3 if config.source == "grey" else needed)
        if not config.use_labels:
            return cls(config, class_counts={}, captions=captions)
        if set(counts) == {UNLABELLED}:
            raise ConfigError(
                "no image has a label", expected="class folders or a label column", do='use the recipe "image"'
            )
        if len(counts) > MOST_CLASSES:
            raise ConfigError(
                f"there are {len(counts)} different labels",
                expected=f"at most {MOST_CLASSES} classes",
                do='use the recipe "image"',
            )
        return cls(config, class_counts={name: counts[name] for name in sorted(counts)}, captions=captions)

    @classmethod
    def from_files(cls, config: ImageCodecConfig, files: dict[str, bytes]) -> Self:
        """Rebuild a fitted codec.

        Raises:
            ArtifactError: The file is missing or damaged.
        """
        try:
            found = json.loads(files[FILE])
            captions = None
            if config.use_captions:
                captions = CaptionTokens.from_file(
                    files[CAPTION_FILE], length=config.caption_length, vocabulary=config.caption_vocabulary
                )
            return cls(
                config.changed(channels=found["channels"]), class_counts=dict(found["classes"]), captions=captions
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactError(f"{FILE} of the codec cannot be read: {error}", do="get the model again") from error

    def files(self) -> dict[str, bytes]:
        """Return what was found in the data: the channels, the classes with their counts, the tokens of the captions."""
        found = {"channels": self.config.channels, "classes": self.class_counts}
        files = {FILE: json.dumps(found, indent=1, ensure_ascii=False).encode()}
        return files if self._captions is None else {**files, CAPTION_FILE: self._captions.file()}

    @property
    def spec(self) -> TensorSpec:
        """Pixels from -1 to 1, and where they are used a class, a row of tokens of the caption, a score, and the source."""
        config = self.config
        sizes = (config.channels, config.height, config.width)
        slots = {TARGET: Slot(kind="values", axes=("channels", "height", "width"), sizes=sizes)}
        if config.use_labels:
            slots[CLASS] = Slot(kind="tokens", axes=(), sizes=(), vocabulary=len(self.class_names))
        if self._captions is not None:
            slots[CAPTION] = Slot(
                kind="tokens",
                axes=("length",),
                sizes=(self._captions.length,),
                vocabulary=self._captions.vocabulary,
            )
        if config.use_scores:
            slots[SCORE] = Slot(kind="values", axes=(), sizes=(), minimum=0.0, maximum=1.0)
        source = source_slot(config, channels=config.channels)
        return TensorSpec(slots if source is None else {**slots, SOURCE: source})

    def encode(self, record: Record) -> dict[str, np.ndarray]:
        """Return ``target`` uint8 ``[channels, height, width]``, with labels ``class`` as an int64 scalar, with captions ``caption``, and
        with scores ``score`` as a float32 scalar.

        A record whose label was in no training image is left out: there is no number for it. So is one without the other image of its
        pair where the source is that; otherwise it is in ``source``, uint8 ``[channels, height, width]``.
        """
        config = self.config
        images = pair_of(record, config.source)
        if images is None:
            return {}
        slots: dict[str, np.ndarray] = {}
        if config.use_labels:
            number = self._numbers.get(record.label or UNLABELLED)
            if number is None:
                return {}
            slots[CLASS] = np.asarray(number, np.int64)
        if self._captions is not None:
            # Half the bytes, and no more than 100,000 tokens are ever learned.
            slots[CAPTION] = self._captions.encode(record.caption).astype(np.uint32)
        if config.use_scores:
            slots[SCORE] = np.asarray((record.roles or {}).get("score", 1.0), np.float32)
        for name, pixels in zip((TARGET, SOURCE), images):
            slots[name] = self._fitted(pixels)
        return slots

    def _fitted(self, pixels: np.ndarray) -> np.ndarray:
        fit: Any = self.config.fit
        fitted = fit_image(pixels, height=self.config.height, width=self.config.width, fit=fit)
        return np.ascontiguousarray(with_channels(fitted, self.config.channels).transpose(2, 0, 1))

    def completed(self, stored: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return a batch of stored slots with ``source``, uint8 ``[batch, channels, height, width]``, where the codec has one."""
        if self.config.source not in COMPUTED:
            return stored
        return {**stored, SOURCE: source_of_images(stored[TARGET], self.config)}

    def counted(self, records: Iterator[Record]) -> "ImageCodec":
        """Return the codec with the images of each class counted in other data; a class that is not there has none."""
        if not self.class_names:
            return self
        every = records.without_content() if isinstance(records, Records) else records
        counts = Counter(record.label or UNLABELLED for record in every)
        return ImageCodec(
            self.config, class_counts={name: counts[name] for name in self.class_names}, captions=self._captions
        )

    def encode_caption(self, prompt: str) -> np.ndarray:
        """Return the tokens of a prompt, int64 ``[caption_length]``.

        Raises:
            UnsupportedError: The codec knows no captions, or the prompt is too long.
        """
        if self._captions is None:
            raise UnsupportedError("this model knows no captions", do='train with the recipe "image-text"')
        return self._captions.encode_prompt(prompt)

    def decode_caption(self, tokens: np.ndarray) -> str:
        """Return the words of a row of caption tokens, in the form in which captions are read.

        Raises:
            UnsupportedError: The codec knows no captions.
        """
        if self._captions is None:
            raise UnsupportedError("this model knows no captions", do='train with the recipe "image-text" or "caption"')
        return self._captions.decode(tokens)

    def to_model(self, slot: str, values: np.ndarray) -> np.ndarray:
        """Turn uint8 0..255 into float32 -1..1, colours multiplied by opacity where there is one; classes stay what they are."""
        return model_values(values) if slot in (TARGET, SOURCE) else values

    def decode(self, slots: dict[str, np.ndarray]) -> np.ndarray:
        """Return uint8 ``[height, width, channels]`` from ``target`` in -1..1; values outside are clipped."""
        return pixels_of(slots[TARGET])


def pair_of(record: Record, source: str) -> tuple[np.ndarray, ...] | None:
    """Return the image of a record, and the one that it is to be made from where the data holds that.

    Args:
        record: The record.
        source: Of ``SOURCES``.

    Returns:
        One or two images uint8 ``[rows, columns, channels]``; ``None`` where one of them is not there.
    """
    pixels = record.content
    if pixels is None or 0 in pixels.shape:
        return None
    if source in PAIRED:
        both = (pixels, record.pair)
        return None if record.pair is None else both if source == "pair" else both[::-1]
    if source in HALVES:
        middle = pixels.shape[1] // 2
        if not middle:
            return None
        left, right = pixels[:, :middle], pixels[:, -middle:]
        return (right, left) if source == "left" else (left, right)
    return (pixels,)
