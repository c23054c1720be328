"""Summaries (dialogsum), answers (fairytaleqa, the section given) and code (django) from nothing, or after spans of prose_books.

Run: python benchmarks/rewriting.py dialogsum|fairytaleqa|django [--minutes 60] [--seeds 0] [--books MINUTES] [--rows FILE]

``makar train --for`` learns from the official training part and ``makar evaluate`` measures on the official test part, beside the first
three lines of a dialogue, the sentence nearest to a question, or the description itself. ``--books`` first learns the language of
prose_books by filling in spans for so many minutes (recipe t5) and goes on from there with the same minutes of pairs. Runs that are in
``--rows`` already are not made again. Ends with 1 where a score that decides (ROUGE-1, 2 and L; ROUGE-L; 45 % letter for letter) is not
above its bar.
"""

import argparse
import gzip
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from measure import data_folder, machine, mean_interval, timed, write_result

COLUMNS = {
    "dialogsum": "",
    "fairytaleqa": "question=question,context=section,answer=answers",
    "django": "source=description,target=code",
}
DECIDE = {
    "dialogsum": {"rouge_1": "first 3 sentences", "rouge_2": "first 3 sentences", "rouge_l": "first 3 sentences"},
    "fairytaleqa": {"rouge_l": "sentence nearest to the question"},
    "django": {"same": 0.45},
}
"""By data: scores that decide, and the baseline or the figure that each has to be above."""


def read(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of a compressed file."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def parts_of(name: str) -> dict[str, list[dict[str, Any]]]:
    """Return the official parts of a data set as rows that makar reads."""
    place = data_folder() / ("django_code" if name == "django" else name)
    if name == "django":
        rows = list(read(place / "django.jsonl.gz"))
        splits = {"train": "train", "validation": "valid", "test": "test"}
        return {part: [row for row in rows if row["split"].startswith(word)] for part, word in splits.items()}
    if name == "dialogsum":
        files = {"train": "train", "validation": "dev", "test": "test"}
        return {part: list(read(place / f"{file}.jsonl.gz")) for part, file in files.items()}
    parts = {}
    for part, file in {"train": "train", "validation": "val", "test": "test"}.items():
        stories = {row["story"]: row["sections"] for row in read(place / f"stories_{file}.jsonl.gz")}
        parts[part] = [
            {"question": row["question"], "section": _sections(stories[row["story"]], row), "answers": row["answers"]}
            for row in read(place / f"qa_{file}.jsonl.gz")
        ]
    return parts


def _sections(story: list[str], row: dict[str, Any]) -> str:
    numbers = [int(number) for number in str(row["sections"]).split(",")]
    return "\n".join(story[number - 1] for number in numbers)


def write_parts(folder: Path, parts: dict[str, list[dict[str, Any]]], *, most: int | None) -> None:
    """Write one table a part; the names say which is which."""
    folder.mkdir()
    for part, rows in parts.items():
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows[:most])
        (folder / f"{part}.jsonl").write_text(lines, encoding="utf-8")


def train(words: list[str], *, minutes: float, steps: int | None, place: Path, seed: int) -> dict[str, Any]:
    """Train by the shell and return what it says."""
    budget = ["--steps", str(steps)] if steps else ["--for", f"{minutes * 60:.0f}s"]
    command = [sys.executable, "-m", "makar", "train", *words, *budget, "--seed", str(seed), "-o", str(place), "--json"]
    answer: dict[str, Any] = json.loads(timed(command)[1])
    return answer


def language(folder: Path, *, minutes: float, steps: int | None, seed: int, recipe: str = "t5") -> list[str]:
    """Learn the language of books and return the words that begin from it; two books that fairytaleqa has too are left out."""
    place = folder / f"language-{recipe}-{seed}"
    if not place.exists():
        books = folder / "books"
        books.mkdir(exist_ok=True)
        for number, row in enumerate(read(next((data_folder() / "prose_books").glob("*.jsonl.gz")))):
            named = json.dumps({key: value for key, value in row.items() if key != "text"}).lower()
            if row.get("split", "train") == "train" and not any(name in named for name in ("grimm", "potter")):
                (books / f"{number}.txt").write_text(row["text"], encoding="utf-8")
        train([str(books), "--recipe", recipe], minutes=minutes, steps=steps, place=place, seed=seed)
    return ["--from", str(place)]


def main() -> None:
    """Measure, compare, write."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("data", choices=sorted(COLUMNS))
    arguments.add_argument("--minutes", type=float, default=60.0)
    arguments.add_argument("--books", type=float, default=0.0, help="minutes of spans of books before")
    arguments.add_argument("--seeds", type=int, nargs="+", default=[0])
    arguments.add_argument("--steps", type=int, help="instead of minutes, to try the script")
    arguments.add_argument("--most", type=int, help="rows of each part, to try the script")
    arguments.add_argument("--rows", type=Path, help="runs that were made; new ones are appended")
    given = arguments.parse_args()
    import makar

    kept = given.rows.read_text().splitlines() if given.rows and given.rows.exists() else []
    rows = [json.loads(line) for line in kept]
    at_start = machine()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_parts(folder / "table", parts_of(given.data), most=given.most)
        for seed in given.seeds:
            key = {"data": given.data, "minutes": given.minutes, "books": given.books, "seed": seed}
            if any(key.items() <= row.items() for row in rows):
                continue
            words = [str(folder / "table"), *(["--columns", COLUMNS[given.data]] if COLUMNS[given.data] else [])]
            if given.books:
                words += language(folder, minutes=given.books, steps=given.steps, seed=seed)
            run = train(words, minutes=given.minutes, steps=given.steps, place=folder / f"model-{seed}", seed=seed)
            model = makar.load(folder / f"model-{seed}")
            report = model.evaluate(folder=folder / "report", samples=given.most or 2000).to_dictionary()
            rows.append({**key, "inner_loss": run["results"][-1]["inner_loss"], "scores": report["scores"]})
            print("; ".join(report["verdict"]), flush=True)
            if given.rows:
                with given.rows.open("a") as file:
                    file.write(json.dumps(rows[-1]) + "\n")
    mine = [
        row
        for row in rows
        if {"data", "books"} <= row.keys() and row["data"] == given.data and row["books"] == given.books
    ]
    decided = {}
    for score, bar in DECIDE[given.data].items():
        value, _ = mean_interval([row["scores"][score]["value"] for row in mine])
        rival = bar if isinstance(bar, float) else mine[0]["scores"][score]["baselines"][bar]["value"]
        decided[score] = {
            "value": value,
            "bar": rival,
            "ratio": value / rival if rival else None,
            "held": value > rival,
        }
    print(json.dumps(decided, indent=1))
    held = all(found["held"] for found in decided.values())
    write_result(f"rewriting-{given.data}", {"machine": at_start, "decided": decided, "held": held, "rows": rows})
    sys.exit(0 if held else 1)


if __name__ == "__main__":
    main()
