"""Readers of text on real data, each beside what a sceptic would use: sst2, emotion, sms_spam, wikiann, and an encoder that read before.

Run: python benchmarks/text_tasks.py [--minutes 5] [--tag-minutes 15] [--seeds 1] [--only sst2 ...]

``makar train --for`` on the training part, ``makar evaluate`` on the official test part; sms_spam has none, so Makar holds a part out. The
classifiers stand beside TF-IDF with logistic regression on the same texts, the tagger beside the most frequent tag of each word and beside
what can be seen of words alone. ``bert`` reads prose_books for as many minutes as the classifier has, and then emotion and sst2 are learned
from it and by the same network from nothing, for the same minutes each. Ends with 1 where a bar is not held: at or above the baseline each,
F1 of spam 0.93, entity F1 0.70, and an encoder that read before better than the same from nothing with intervals apart.
"""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from measure import data_folder, machine, timed, write_result

CLASSES = {"sst2": ("train", "dev", "test"), "emotion": ("train", "validation", "test"), "sms_spam": ("sms",)}
RIVAL = "TF-IDF and logistic regression"
USUAL = "most frequent tag of each word"
SPAM_BAR, ENTITY_BAR = 0.93, 0.70


def copied(folder: Path, name: str, parts: tuple[str, ...], *, prefix: str = "") -> Path:
    """Return a folder of its own with some parts of a data set, whose names say what they are for."""
    place = folder / f"{name}-data"
    place.mkdir(exist_ok=True)
    for part in parts:
        shutil.copyfile(data_folder() / name / f"{prefix}{part}.jsonl.gz", place / f"{part}.jsonl.gz")
    return place


def trained(folder: Path, name: str, data: Path, budget: list[str], *more: str) -> Any:
    """Return the report of a model that ``makar train`` made, with the seconds that it took in all."""
    import makar

    words = ["train", str(data), "-o", str(folder / name), *budget, *more]
    seconds, _ = timed([sys.executable, "-m", "makar", *words])
    report = makar.load(folder / name).evaluate(folder=folder / f"report-{name}").to_dictionary()
    return {"seconds_in_all": seconds, "scores": report["scores"], "verdict": report["verdict"]}


def main() -> None:
    """Train, measure, compare, write."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--minutes", type=float, default=5.0)
    arguments.add_argument("--tag-minutes", type=float, default=15.0)
    arguments.add_argument("--seeds", type=int, default=1)
    arguments.add_argument("--steps", type=int, help="instead of minutes, to try the script")
    arguments.add_argument("--only", nargs="*", help=f"some of {', '.join((*CLASSES, 'wikiann', 'bert'))}")
    given = arguments.parse_args()
    import makar

    result: dict[str, Any] = {"machine": machine(), "minutes": given.minutes, "tag_minutes": given.tag_minutes}
    held: dict[str, bool] = {}

    def budget(minutes: float) -> list[str]:
        return ["--steps", str(given.steps)] if given.steps else ["--for", f"{60 * minutes:.0f}s"]

    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for seed in range(given.seeds):
            more = ("--seed", str(seed))
            for name, parts in CLASSES.items():
                if given.only and name not in given.only:
                    continue
                data = copied(folder, name, parts)
                found = trained(folder, f"{name}-{seed}", data, budget(given.minutes), *more)
                result[f"{name}-{seed}"] = found
                for key in ("accuracy", "macro_f1"):
                    score = found["scores"][key]
                    rival = score["baselines"][RIVAL]["value"]
                    print(
                        f"{name} seed {seed} {key}: {score['value']:.3f}, {RIVAL} {rival:.3f}, ratio {score['value'] / rival:.3f}"
                    )
                    held[f"{name}-{seed}-{key}"] = score["value"] >= rival
                if name == "sms_spam":
                    held[f"spam-{seed}"] = found["scores"]["macro_f1"]["value"] >= SPAM_BAR
            if not given.only or "wikiann" in given.only:
                data = copied(folder, "wikiann", ("train", "dev", "test"), prefix="en.")
                found = trained(folder, f"wikiann-{seed}", data, budget(given.tag_minutes), *more)
                result[f"wikiann-{seed}"] = found
                score = found["scores"]["entity_f1"]
                usual = score["baselines"][USUAL]["value"]
                print(
                    f"wikiann seed {seed} entity F1: {score['value']:.3f}, {USUAL} {usual:.3f}, ratio {score['value'] / usual:.2f}"
                )
                held[f"wikiann-{seed}"] = score["value"] >= ENTITY_BAR
            if not given.only or "bert" in given.only:
                books = folder / "books"
                books.mkdir(exist_ok=True)
                for path in (data_folder() / "prose_books").glob("*.jsonl.gz"):
                    shutil.copyfile(path, books / path.name)
                reader = f"reader-{seed}"
                result[reader] = trained(folder, reader, books, budget(given.minutes), "--recipe", "bert", *more)
                sizes = makar.load(folder / reader).artifact.family_config
                same = [
                    word
                    for size in ("width", "heads", "depth")
                    for word in ("--set", f"stages.0.family.{size}={getattr(sizes, size)}")
                ]
                for name in ("emotion", "sst2"):
                    data, words = copied(folder, name, CLASSES[name]), budget(given.minutes)
                    alone = ("--set", "stages.0.family.grams=0", "--set", "stages.0.family.readers=1")
                    begun = ("--from", str(folder / reader), "--recipe", "classify")
                    both = {
                        "from nothing": trained(folder, f"{name}-plain-{seed}", data, words, *alone, *same, *more),
                        "read before": trained(folder, f"{name}-begun-{seed}", data, words, *begun, *alone, *more),
                    }
                    result[f"{name}-from-bert-{seed}"] = both
                    plain, read = (one["scores"]["accuracy"] for one in both.values())
                    print(f"{name} seed {seed}: read before {read['value']:.3f}, from nothing {plain['value']:.3f}")
                    held[f"{name}-from-bert-{seed}"] = read["low"] > plain["high"]
    result["held"] = held
    write_result("text-tasks", result)
    sys.exit(0 if all(held.values()) else 1)


if __name__ == "__main__":
    main()
