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
import subprocess
from pathlib import Path

from measure import data_folder

BOOKS = 40
GRAMMAR = (
    ["bin", "lay", "place", "set"], ["blue", "green", "red", "white"], ["at", "by", "in", "with"],
    ["alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel", "india", "juliet", "kilo", "lima"],
    ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"], ["again", "now", "please", "soon"],
)  # fmt: skip


def grammar(count: int, *, seed: int) -> list[str]:
    """Return different commands."""
    draw = random.Random(seed)
    found: dict[str, None] = {}
    while len(found) < count:
        found[" ".join(draw.choice(words) for words in GRAMMAR)] = None
    return list(found)


def grammar_jsgf() -> str:
    """Return the grammar as a recogniser reads it."""
    return (
        "#JSGF V1.0; grammar commands; public <command> = "
        + " ".join(f"({' | '.join(words)})" for words in GRAMMAR)
        + ";"
    )


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
    command = ["flite", "-psdur", "-voice", voice, "-t", f" {text}", "-o", str(path)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [(phone, float(end)) for phone, end in (word.split(":") for word in said.split())]


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
