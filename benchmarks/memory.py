"""Largest resident memory of ``makar train`` on one large text file, reading, store and training included.

Run: python benchmarks/memory.py [--megabytes 2000] [--seconds 60]; ends with 1 when the bar is missed

The file is the prose of the books in the data folder, again and again, as one document.
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

import psutil
from measure import data_folder, machine, write_result

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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=2000)
    parser.add_argument("--seconds", type=int, default=60)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder) / "prose.txt"
        write_text(text, options.megabytes * 1_000_000)
        command = [
            sys.executable,
            "-m",
            "makar",
            "train",
            str(text),
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
            "megabytes": options.megabytes,
            "largest_resident_bytes": most,
            "total_seconds": time.monotonic() - start,
        }
    print(
        f"{options.megabytes} MB of text: at most {most / 1e9:.2f} GB resident (bar 2 GB), {result['total_seconds']:.0f} s in all"
    )
    write_result("memory", {**result, "bar_bytes": BAR_BYTES, "held": exit_code(most) == 0})
    sys.exit(exit_code(most))


if __name__ == "__main__":
    main()
