"""Extractive summaries against the first three sentences: dialogsum, and the sections of fairytaleqa; untrained and trained; ROUGE-1, 2, L.

Run: python benchmarks/extractive_summaries.py [--seconds 30] [--steps N] [--most N]

The right text of a section of fairytaleqa is what readers were asked about it: the answers to its questions (first annotator, questions
about one section only), one after the other. ``builtin:extractive`` is measured as it is, the recipe ``extract`` after ``--seconds`` on
the official training part, both on the whole official test part; both and the baseline give three sentences. Intervals are those of the
difference over the same texts drawn anew (95 %). Ends with 1 where the untrained model is below the baseline on any of the figures.
"""

import argparse
import collections
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from measure import data_folder, machine, write_result
from rewriting import parts_of as pairs_of
from rewriting import read, write_parts

SENTENCES = 3


def sections(part: str) -> list[dict[str, Any]]:
    """Return the sections of fairytaleqa with the answers to their questions as the right text."""
    place = data_folder() / "fairytaleqa"
    stories = {row["story"]: row["sections"] for row in read(place / f"stories_{part}.jsonl.gz")}
    answers: dict[tuple[str, int], list[str]] = collections.defaultdict(list)
    for row in read(place / f"qa_{part}.jsonl.gz"):
        numbers = str(row["sections"]).split(",")
        if len(numbers) == 1:
            answers[row["story"], int(numbers[0])].append(row["answers"][0].strip().rstrip(".") + ".")
    return [
        {"source": stories[story][number - 1], "summary": " ".join(found)} for (story, number), found in answers.items()
    ]


def parts_of(name: str) -> dict[str, list[dict[str, Any]]]:
    """Return the official parts of a data set as rows that makar reads."""
    if name == "dialogsum":
        return pairs_of(name)
    return {part: sections(file) for part, file in {"train": "train", "validation": "val", "test": "test"}.items()}


def right_texts(row: dict[str, Any]) -> list[str]:
    """Return the right texts of a row."""
    return [str(text) for key, text in sorted(row.items()) if key.startswith("summary")]


def measure(model: Any, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return ROUGE of a model, of the first sentences, and of the difference, each with its interval."""
    from makar.evaluation.bootstrap import mean_interval
    from makar.evaluation.rewriting import lead
    from makar.evaluation.rewriting_scores import rouge

    sources = [row.get("source") or row["dialogue"] for row in rows]
    references = [right_texts(row) for row in rows]
    made = [asset.content for asset in model.generate_each(sources, options={"sentences": SENTENCES})]
    ours, theirs = rouge(made, references), rouge([lead(source) for source in sources], references)
    return {
        key: {
            "model": mean_interval(100 * ours[key]).to_dictionary(),
            "first_sentences": mean_interval(100 * theirs[key]).to_dictionary(),
            "difference": mean_interval(100 * (ours[key] - theirs[key])).to_dictionary(),
            "ratio": float(ours[key].mean() / theirs[key].mean()),
        }
        for key in ("1", "2", "L")
    }


def main() -> None:
    """Measure, compare, write."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--seconds", type=float, default=30.0, help="of training")
    arguments.add_argument("--steps", type=int, help="instead of seconds, the same on every machine")
    arguments.add_argument("--most", type=int, help="rows of each part, to try the script")
    given = arguments.parse_args()
    import makar

    at_start = machine()
    found: dict[str, Any] = {}
    for name in ("dialogsum", "fairytaleqa"):
        parts = parts_of(name)
        rows = parts["test"][: given.most]
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            write_parts(folder / "table", parts, most=given.most)
            budget = {"steps": given.steps} if given.steps else {"minutes": given.seconds / 60}
            run = makar.train(folder / "table", recipe="extract", output=folder / "model", **budget)
            found[name] = {
                "texts": len(rows),
                "untrained": measure(makar.load("builtin:extractive"), rows),
                "trained": measure(run.model, rows),
            }
        print(name, json.dumps(found[name], indent=1), flush=True)
    held = all(scores["ratio"] >= 1 for data in found.values() for scores in data["untrained"].values())
    write_result(
        "extractive-summaries",
        {"machine": at_start, "seconds": given.seconds, "steps": given.steps, "held": held, "data": found},
    )
    sys.exit(0 if held else 1)


if __name__ == "__main__":
    main()
