"""Largest resident memory of ``makar train`` on one large text file or on many images, reading, store and training included.

Run: python benchmarks/memory.py [--megabytes 2000 | --images 1000000] [--seconds 60]; ends with 1 when the bar is missed

The text is the prose of the books in the data folder, again and again, as one document. The images are blends of two of fashion_mnist,
shifted, each a PNG file of its own in a folder of its class.
"""

import argparse
import gzip
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
from measure import data_folder, machine, write_result
from PIL import Image

BAR_BYTES = 2_000_000_000


def exit_code(largest_resident_bytes: int) -> int:
    """Return 0 when the bar is held, 1 when it is missed."""
    return 0 if largest_resident_bytes <= BAR_BYTES else 1


def write_text(path: Path, size: int) -> None:
    """Write so many bytes of prose."""
    with gzip.open(data_folder() / "prose_books" / "books.jsonl.gz", "rt", encoding="utf-8") as lines:
        books = [json.loads(line)["text"].encode() for line in lines]
    with path.open("wb") as file:
        while file.tell() < size:
            for book in books:
                file.write(book + b"\n\n")


def write_images(folder: Path, count: int) -> None:
    """Write so many different small images in ten folders."""
    with np.load(data_folder() / "fashion_mnist" / "fashion_mnist.npz") as file:
        images, labels = file["train_images"].astype(np.float32), file["train_labels"]
    for label in range(10):
        (folder / str(label)).mkdir(parents=True)
    draw = np.random.default_rng(0)
    for number in range(count):
        first, second = draw.integers(len(images), size=2)
        shift = tuple(draw.integers(-4, 5, size=2))
        mixed = np.roll(images[first] * 0.6 + images[second] * 0.4, shift, axis=(0, 1))
        Image.fromarray(mixed.astype(np.uint8)).save(
            folder / str(labels[first]) / f"{number:07d}.png", compress_level=1
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=2000)
    parser.add_argument("--images", type=int, help="so many images instead of text")
    parser.add_argument("--seconds", type=int, default=60)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / ("images" if options.images else "prose.txt")
        if options.images:
            write_images(data, options.images)
        else:
            write_text(data, options.megabytes * 1_000_000)
        command = [
            sys.executable,
            "-m",
            "makar",
            "train",
            str(data),
            "--for",
            f"{options.seconds}s",
            "-o",
            f"{folder}/model",
        ]
        start, most = time.monotonic(), 0
        with (Path(folder) / "log").open("wb") as log:
            process = subprocess.Popen(
                command, env={**os.environ, "MAKAR_HOME": f"{folder}/home"}, stdout=log, stderr=subprocess.STDOUT
            )
            watched = psutil.Process(process.pid)
            while process.poll() is None:
                try:
                    # Pages of the memory-mapped store are shared with the disk cache and can be taken back at any time.
                    memory = watched.memory_info()
                    most = max(most, memory.rss)
                except psutil.NoSuchProcess:
                    break
                time.sleep(0.1)
        if process.returncode:
            sys.exit((Path(folder) / "log").read_text()[-3000:])
        result = {
            "machine": machine(),
            **({"images": options.images} if options.images else {"megabytes": options.megabytes}),
            "largest_resident_bytes": most,
            "total_seconds": time.monotonic() - start,
        }
    what = f"{options.images:,} images" if options.images else f"{options.megabytes} MB of text"
    print(f"{what}: at most {most / 1e9:.2f} GB resident (bar 2 GB), {result['total_seconds']:.0f} s in all")
    write_result(
        "memory-images" if options.images else "memory",
        {**result, "bar_bytes": BAR_BYTES, "held": exit_code(most) == 0},
    )
    sys.exit(exit_code(most))


if __name__ == "__main__":
    main()
