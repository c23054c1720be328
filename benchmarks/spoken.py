"""Speech whose words and phone times are known: sentences spoken by the program flite, written as recordings with a .txt beside each.

``grammar`` makes commands of six words as in the GRID corpus (Cooke et al. 2006), a closed grammar that a recogniser can be held to;
``prose`` takes short sentences of the books among the shared data.
"""

import concurrent.futures
import gzip
import itertools
import json
import random
import re
from pathlib import Path

from measure import data_folder

from makar.data.builtin.flite import said
from makar.data.builtin.spoken_sentences import commands

BOOKS = 40


def grammar(count: int, *, seed: int) -> list[str]:
    """Return different commands."""
    return commands(count, draw=random.Random(seed))


def prose(count: int, *, seed: int) -> list[str]:
    """Return sentences of three to nine plain words out of books."""
    found: dict[str, None] = {}
    with gzip.open(data_folder() / "prose_books" / "books.jsonl.gz", "rt", encoding="utf-8") as lines:
        texts = [json.loads(line)["text"] for line in itertools.islice(lines, BOOKS)]
    for text in texts:
        for sentence in re.findall(r"(?<=[.!?] )[A-Z][a-z]*(?: [a-z]+)+[.!?]", " ".join(text.split())):
            if 3 <= len(sentence.split()) <= 9 and len(sentence) <= 48:
                found[sentence] = None
    sentences = list(found)
    random.Random(seed).shuffle(sentences)
    return sentences[:count]


def speak(text: str, path: Path, *, voice: str = "rms") -> list[tuple[str, float]]:
    """Write a recording and return (phone, second at which it ends) of all of its phones."""
    spoken = said(text, voice=voice)
    path.write_bytes(spoken.file)
    return spoken.phones


def corpus(
    folder: Path, sentences: list[str], *, voice: str = "rms", label: str = ""
) -> dict[str, list[tuple[str, float]]]:
    """Write a recording and its words for every sentence, and return the phones by the name of the file."""
    place = folder / label if label else folder
    place.mkdir(parents=True, exist_ok=True)

    def one(numbered: tuple[int, str]) -> tuple[str, list[tuple[str, float]]]:
        number, text = numbered
        name = f"{voice}{number:05d}"
        (place / f"{name}.txt").write_text(text, encoding="utf-8")
        return f"{name}.wav", speak(text, place / f"{name}.wav", voice=voice)

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        return dict(pool.map(one, enumerate(sentences)))
