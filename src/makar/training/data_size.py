"""How much a data set holds for training: guessed from the inspection, or read from the finished stores; no torch."""

import dataclasses
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from makar.codecs.backbone_config import BackboneCodecConfig
from makar.codecs.chat_config import ROLES, ChatCodecConfig, chat_spec
from makar.codecs.codec import Codec, CodecConfig
from makar.codecs.hearing_config import HearingConfig
from makar.codecs.image_config import HALVES, PAIRED, ImageCodecConfig, estimated_slots, source_slot
from makar.codecs.pair_config import PairCodecConfig
from makar.codecs.prompted_image_config import PromptedImageCodecConfig
from makar.codecs.text_config import BpeCodecConfig, ByteCodecConfig, CharacterCodecConfig
from makar.codecs.text_rows_config import FURTHER, TextRowsConfig
from makar.codecs.video_config import VideoCodecConfig
from makar.data.record import WRITTEN, Split
from makar.data.store import Store
from makar.errors import EmptyDataError
from makar.tensor_spec import SOURCE, TARGET, Slot, TensorSpec

if TYPE_CHECKING:
    from makar.data.dataset import DataSet

BYTES_A_TOKEN = {256: 1.0, 1024: 2.3, 2048: 2.7, 4096: 3.1, 8192: 3.5}
"""About, for European prose, by size of the vocabulary."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class DataSize:
    """How much there is to learn from.

    Attributes:
        items: Tokens or images of the training part.
        content_bytes: Bytes of training text, or all numbers of the training images as the family sees them.
        store_bytes: On disk, encoded.
        spec: Slots of the data.
        fingerprint: Hash of the data set.
    """

    items: int
    content_bytes: int
    store_bytes: int
    spec: TensorSpec
    fingerprint: str


def estimated_size(codec: CodecConfig, dataset: "DataSet") -> DataSize:
    """Return the size of the data as the inspection lets it be guessed, without encoding anything."""
    inspection = dataset.inspection
    if isinstance(codec, ImageCodecConfig):
        images = int(inspection.pairs["train"] if codec.source in PAIRED else inspection.splits["train"]["images"])
        channels = codec.channels or max((int(count) for count in inspection.sizes["channels"]), default=3)
        # The codec drops an alpha that is opaque and repeats grey and alpha as colour; three is the usual outcome.
        channels = channels if channels in (1, 3) or codec.channels else 3
        channels = 3 if codec.source == "grey" else channels
        shape = (channels, codec.height, codec.width)
        slots = estimated_slots(codec, shape, inspection.labels)
        source = source_slot(codec, channels=channels)
        if source is not None:
            slots[SOURCE] = source
        return DataSize(
            items=images,
            content_bytes=images * math.prod(shape),
            store_bytes=images * math.prod(shape) * (2 if codec.source in (*PAIRED, *HALVES) else 1),
            spec=TensorSpec(slots),
            fingerprint=dataset.fingerprint,
        )
    if isinstance(codec, HearingConfig) and (spec := codec.estimated_spec(inspection.labels)) is not None:
        sounds = int(inspection.splits["train"]["sounds"])
        return DataSize(
            items=sounds,
            content_bytes=sounds * math.prod(size or 1 for size in spec[TARGET].sizes),
            store_bytes=sounds * sum(math.prod(size or 1 for size in slot.sizes) for slot in spec.slots.values()),
            spec=spec,
            fingerprint=dataset.fingerprint,
        )
    if isinstance(codec, BackboneCodecConfig):
        # A file may hold several chains, and a long one is cut.
        residues = inspection.sizes["residues"]
        chains = float(inspection.sizes["stretches"]) / max(1, int(inspection.sizes["structures"]))
        parts = max(1, round(int(residues["median"]) / codec.longest))
        backbones = max(1, round(int(inspection.splits["train"]["structures"]) * chains * parts))
        spec = codec.estimated_spec(inspection.labels)
        values = math.prod(size or 1 for size in spec[TARGET].sizes)
        return DataSize(
            items=backbones,
            content_bytes=backbones * values,
            store_bytes=4 * backbones * values,
            spec=spec,
            fingerprint=dataset.fingerprint,
        )
    if isinstance(codec, VideoCodecConfig):
        # A long video is cut into several clips; of a middling one it is known how many.
        parts = max(1, int(float(inspection.sizes["seconds"]["median"]) / codec.seconds))
        clips = int(inspection.splits["train"]["videos"]) * parts
        channels = 1 if set(inspection.sizes["channels"]) == {"1"} else 3
        spec = codec.estimated_spec(inspection.labels, channels=channels)
        size_bytes = clips * math.prod(size or 1 for size in spec[TARGET].sizes)
        return DataSize(
            items=clips,
            content_bytes=size_bytes,
            store_bytes=size_bytes,
            spec=spec,
            fingerprint=dataset.fingerprint,
        )
    if isinstance(codec, PromptedImageCodecConfig):
        images = int(inspection.splits["train"]["images"])
        return DataSize(
            items=images,
            content_bytes=images * 3 * codec.height * codec.width,
            store_bytes=images * (3 * codec.height * codec.width + 2 * codec.caption_bytes),
            spec=codec.spec(),
            fingerprint=dataset.fingerprint,
        )
    if isinstance(codec, ChatCodecConfig):
        said = estimated_size(codec.base, dataset)
        rows = max(1, int(dataset.inspection.splits["train"]["documents"]))
        vocabulary = (said.spec[TARGET].vocabulary or 256) + len(ROLES)
        spec = chat_spec(codec.makes, vocabulary=vocabulary, usual=max(1, min(codec.longest, said.items // rows)))
        # Beside each token lies its mark.
        return dataclasses.replace(said, spec=spec, store_bytes=said.store_bytes + said.items)
    content_bytes = text_bytes(dataset)
    if (guessed := codec.estimated_spec(inspection.labels)) is not None:
        rows = int(inspection.splits["train"]["documents"])
        values = sum(math.prod(size or 1 for size in slot.sizes) for slot in guessed.slots.values())
        return DataSize(
            items=rows,
            content_bytes=content_bytes,
            store_bytes=2 * rows * values,
            spec=guessed,
            fingerprint=dataset.fingerprint,
        )
    vocabulary = codec.vocabulary_size if isinstance(codec, BpeCodecConfig | PairCodecConfig | TextRowsConfig) else 256
    nearest = min(BYTES_A_TOKEN, key=lambda known: abs(math.log(known / vocabulary)))
    tokens = int(content_bytes / BYTES_A_TOKEN[nearest])
    further = FURTHER if isinstance(codec, TextRowsConfig) else 0
    slot = Slot(kind="tokens", axes=("length",), sizes=(None,), vocabulary=vocabulary + further)
    slots = {TARGET: slot}
    if isinstance(codec, PairCodecConfig) and codec.needed_task:
        # Which share of the text is the source is only known when it is read.
        tokens //= 2
        usual = max(1, tokens // max(1, int(inspection.splits["train"]["documents"])))
        slots = {SOURCE: dataclasses.replace(slot, usual=usual), TARGET: dataclasses.replace(slot, usual=usual)}
    return DataSize(
        items=tokens,
        content_bytes=content_bytes,
        store_bytes=2 * tokens * len(slots),
        spec=TensorSpec(slots),
        fingerprint=dataset.fingerprint,
    )


def measured_size(dataset: "DataSet", *, codec: Codec, stores: Mapping[Split, Store]) -> DataSize:
    """Return the size of the data as the finished stores hold it."""
    train = stores["train"]
    target = train.columns[TARGET] if len(train) else None
    if target is None:
        raise EmptyDataError("the training part is empty", expected="at least one example")
    spec = codec.spec
    # A stream is counted in tokens; everything else in examples.
    is_stream = spec[TARGET].kind == "tokens" and spec[TARGET].sizes[:1] == (None,)
    items = int(target.values.size) if is_stream else len(train)
    return DataSize(
        items=items,
        content_bytes=text_bytes(dataset)
        if dataset.medium in WRITTEN
        else items * math.prod(axis or 1 for axis in spec[TARGET].sizes),
        store_bytes=sum(column.values.nbytes for store in stores.values() for column in store.columns.values()),
        spec=spec,
        fingerprint=dataset.fingerprint,
    )


def estimated_store_bytes(codec: CodecConfig, dataset: "DataSet") -> int:
    """Return the disk space that building the stores of a data set takes at most, as the inspection lets it be guessed.

    Finished parts and the whole that they are joined to are on the disk at the same time, and the splits that are not trained on come
    to less than a quarter of the training part.
    """
    known = (
        ImageCodecConfig, PromptedImageCodecConfig, BpeCodecConfig, ByteCodecConfig, CharacterCodecConfig, ChatCodecConfig,
        PairCodecConfig, VideoCodecConfig, BackboneCodecConfig,
    )  # fmt: skip
    if not isinstance(codec, known):
        return 0  # what a codec of a plug-in makes of the data is only known when it has made it
    return int(2 * 1.25 * estimated_size(codec, dataset).store_bytes)


def text_bytes(dataset: "DataSet") -> int:
    """Return bytes of training text: its characters, times the bytes a character takes in this data."""
    sizes = dataset.inspection.sizes
    characters = int(dataset.inspection.splits["train"]["characters"])
    return int(characters * max(1.0, sizes["bytes"] / max(1, sizes["characters"])))
