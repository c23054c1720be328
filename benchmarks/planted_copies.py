"""Copies planted in the output: how many are found and sourced, and how often something new is called a copy.

    MAKAR_DATA=... python benchmarks/planted_copies.py [--text NAME ...] [--images NAME ...] [--train 60000]

Text: 50 passages of 60 words from the training part, each hidden in 200 words of held-out text. Images: 200 training images after each
of: nothing, noise of 0.03, gain of 0.8, a shift by half a pixel, a crop of 90 % from a random place, a flip; and all of them together.
The limit is set on one half of the held-out items (1,000 of every second image) and the false alarms are counted on the other half,
at least 1,000 items. Prints a table and writes benchmarks/results/DATE-planted-copies.json.
"""

import argparse
import datetime
import gzip
import io
import json
import os
import platform
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as functional

from makar.codecs.codec import Codec, fit_codec
from makar.codecs.image_config import ImageCodecConfig
from makar.codecs.text_config import ByteCodecConfig
from makar.data.record import Record
from makar.data.store import build_store
from makar.novelty.index import NoveltyIndex, text_windows

PASSAGES = 50
PASSAGE_WORDS = 60
HOST_WORDS = 200
COPIES = 200
MOST_TESTED = 2000


def records(contents: list, medium: str, split: str) -> Iterator[Record]:
    """Yield records, each a document of its own."""
    for number, content in enumerate(contents):
        name = f"{split}-{number}"
        yield Record(
            id=name, medium=medium, content=content, document=name, source=name, split=split, licence="CC0-1.0"
        )


def index_of(train: list, held_out: list, codec: Codec, medium: str, folder: Path) -> tuple[NoveltyIndex, float]:
    """Return the index of these contents and the seconds it took."""
    stores = [
        build_store(folder / name, records(part, medium, name), codec.encode, key=name)
        for name, part in (("train", train), ("held_out", held_out))
    ]
    start = time.perf_counter()
    index = NoveltyIndex.build(*stores, codec, medium=medium, folder=folder / "index")
    return index, time.perf_counter() - start


def texts(data: Path, name: str) -> tuple[list[str], list[str]]:
    """Return training and held-out documents."""
    if name == "tiny_shakespeare":
        text = gzip.decompress((data / name / "input.txt.gz").read_bytes()).decode()
        cut = int(0.9 * len(text))
        train = text[:cut]
        # Parts, so that a source can be wrong.
        return [train[start : start + 20_000] for start in range(0, cut, 20_000)], [text[cut:]]
    with gzip.open(data / name / "books.jsonl.gz", "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    return (
        [row["text"] for row in rows if row["split"] == "train"],
        [row["text"] for row in rows if row["split"] != "train"],
    )


def measure_text(data: Path, name: str, folder: Path) -> dict:
    """Plant passages and count."""
    train, held_out = texts(data, name)
    codec = fit_codec(ByteCodecConfig(), records(train, "text", "train"))
    half = [document[: len(document) // 2] for document in held_out]
    rest = [document[len(document) // 2 :] for document in held_out]
    index, build_seconds = index_of(train, half, codec, "text", folder)
    store = build_store(folder / "rest", records(rest, "text", "rest"), codec.encode, key="rest")
    windows = text_windows(store, codec, words=HOST_WORDS, most=MOST_TESTED)
    generator = np.random.default_rng(0)
    found = sourced = 0
    for number in range(PASSAGES):
        document = int(generator.integers(len(train)))
        words = train[document].split()
        start = int(generator.integers(len(words) - PASSAGE_WORDS))
        passage = " ".join(words[start : start + PASSAGE_WORDS])
        host = windows[number % len(windows)].split(" ")
        place = int(generator.integers(len(host)))
        novelty = index.check(" ".join([*host[:place], passage, *host[place:]]))
        found += novelty.is_copy and novelty.longest_span >= PASSAGE_WORDS
        sourced += any(
            passage in " ".join(train[int(near.source.split("-")[1])].split()) for near in novelty.nearest[:1]
        )
    start_time = time.perf_counter()
    tested = index.check_many(windows)
    seconds = time.perf_counter() - start_time
    return {
        "data": name,
        "passages": PASSAGES,
        "found": found / PASSAGES,
        "sourced": sourced / PASSAGES,
        "limit_words": index.threshold,
        "calibration_items": index.items,
        "tested_items": len(windows),
        "false_alarms": float(np.mean([one.is_copy for one in tested])),
        "human_share_13": index.baseline["share_13"],
        "build_seconds": round(build_seconds, 2),
        "milliseconds_an_item": round(1000 * seconds / len(windows), 2),
    }


def images(data: Path, name: str, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return training and test images, uint8 ``[items, height, width, channels]``."""
    if name == "fashion_mnist":
        arrays = np.load(data / name / "fashion_mnist.npz")
        return arrays["train_images"][:count].reshape(-1, 28, 28, 1), arrays["test_images"].reshape(-1, 28, 28, 1)
    import pyarrow.parquet
    from PIL import Image

    parts = []
    for part in ("train", "test"):
        table = pyarrow.parquet.read_table(data / name / f"{part}.parquet").slice(0, count)
        column = next(column for column in table.column_names if "im" in column)
        cells = [cell["bytes"] if isinstance(cell, dict) else cell for cell in table[column].to_pylist()]
        parts.append(np.stack([np.asarray(Image.open(io.BytesIO(cell)).convert("RGB")) for cell in cells]))
    return parts[0], parts[1]


def changes(originals: np.ndarray) -> dict[str, np.ndarray]:
    """Return the images after each change, uint8."""
    generator = torch.Generator().manual_seed(0)
    values = torch.from_numpy(np.ascontiguousarray(originals.transpose(0, 3, 1, 2))).float() / 255
    height, width = values.shape[2:]

    def noise(some: torch.Tensor) -> torch.Tensor:
        return some + 0.03 * torch.randn(some.shape, generator=generator)

    def shift(some: torch.Tensor) -> torch.Tensor:
        return functional.avg_pool2d(functional.pad(some, (1, 0, 1, 0), mode="replicate"), 2, 1)

    def crop(some: torch.Tensor) -> torch.Tensor:
        tall, wide = round(0.9 * height), round(0.9 * width)
        cut = []
        for one in some:
            top = int(torch.randint(height - tall + 1, (), generator=generator))
            left = int(torch.randint(width - wide + 1, (), generator=generator))
            part = one[None, :, top : top + tall, left : left + wide]
            cut.append(functional.interpolate(part, size=(height, width), mode="bilinear", align_corners=False))
        return torch.cat(cut)

    changed = {
        "none": values,
        "noise 0.03": noise(values),
        "gain 0.8": values * 0.8,
        "half-pixel shift": shift(values),
        "crop 90 %": crop(values),
        "flip": values.flip(3),
        "all together": noise(crop(shift(values.flip(3))) * 0.8),
    }
    return {
        name: (some.clamp(0, 1) * 255).round().byte().numpy().transpose(0, 2, 3, 1) for name, some in changed.items()
    }


def measure_images(data: Path, name: str, count: int, folder: Path) -> dict:
    """Plant changed training images and count."""
    train, test = images(data, name, count)
    codec = fit_codec(
        ImageCodecConfig(height=train.shape[1], width=train.shape[2], channels=train.shape[3], use_labels=False),
        records(list(train[:100]), "image", "train"),
    )
    index, build_seconds = index_of(list(train), list(test[::2]), codec, "image", folder)
    chosen = np.random.default_rng(0).choice(len(train), COPIES, replace=False)
    found = {}
    for change, copies in changes(train[chosen]).items():
        checked = index.check_many(list(copies))
        right = [one.nearest[0].source == f"train-{number}" for one, number in zip(checked, chosen)]
        found[change] = {
            "found": float(np.mean([one.is_copy for one in checked])),
            "found_and_sourced": float(np.mean([one.is_copy and ok for one, ok in zip(checked, right)])),
        }
    start = time.perf_counter()
    tested = index.check_many(list(test[1::2][:MOST_TESTED]))
    seconds = time.perf_counter() - start
    return {
        "data": name,
        "training_images": len(train),
        "copies_of_each": COPIES,
        "changes": found,
        "limit": index.threshold,
        "calibration_items": index.items,
        "tested_items": len(tested),
        "false_alarms": float(np.mean([one.is_copy for one in tested])),
        "build_seconds": round(build_seconds, 2),
        "milliseconds_an_item": round(1000 * seconds / len(tested), 2),
    }


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--text", nargs="*", default=["tiny_shakespeare", "prose_books"])
    parser.add_argument("--images", nargs="*", default=["fashion_mnist", "cifar10"])
    parser.add_argument("--train", type=int, default=60_000, help="number of training images")
    arguments = parser.parse_args()
    data = Path(os.environ["MAKAR_DATA"])
    results = []
    for name in [*arguments.text, *arguments.images]:
        with tempfile.TemporaryDirectory() as folder:
            is_text = name in arguments.text
            result = (
                measure_text(data, name, Path(folder))
                if is_text
                else measure_images(data, name, arguments.train, Path(folder))
            )
        results.append(result)
        print(json.dumps(result, indent=1), flush=True)
    day = f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}"
    place = Path(__file__).parent / "results" / f"{day}-planted-copies.json"
    place.parent.mkdir(exist_ok=True)
    machine = {"machine": platform.machine(), "cores": os.cpu_count(), "threads": torch.get_num_threads()}
    place.write_text(json.dumps({"date": day, **machine, "results": results}, indent=1) + "\n", encoding="utf-8")
    print(place)


if __name__ == "__main__":
    main()
