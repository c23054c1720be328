"""Does reading first help? ``bert`` after masking and ``t5`` after spans, each against the same network from nothing, on several tasks.

Run: python benchmarks/pretraining.py bert|t5 [--tasks TASK ...] [--first-minutes 30 | --first MODEL] [--minutes 5] [--labels N]
     [--seeds 0] [--rows FILE]

The language is that of prose_books (the training part; two books that fairytaleqa has too are left out). What was learned there is then
trained on with the pairs or labels of a task, and the same shape begins from nothing with the same data, for equal time (or ``--steps``):
emotion, sst2, wikiann and marking answers in fairytaleqa for ``bert``, dialogsum and fairytaleqa with the section given for ``t5``. Both
sides are measured on the official test part. Ends with 1 where fewer than two tasks are better with intervals apart for every seed.
"""

import argparse
import gzip
import itertools
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from measure import machine, write_result
from rewriting import COLUMNS, language, train, write_parts
from rewriting import parts_of as pairs_of
from text_tasks import CLASSES, copied

TASKS = {
    "bert": {"emotion": "accuracy", "sst2": "accuracy", "wikiann": "entity_f1", "fairytaleqa": "answer_f1"},
    "t5": {"dialogsum": "rouge_l", "fairytaleqa": "rouge_l"},
}
RECIPES = {
    "bert": {"emotion": "classify", "sst2": "classify", "wikiann": "tag", "fairytaleqa": "find-answer"},
    "t5": {"dialogsum": "rewrite", "fairytaleqa": "answer"},
}
ALONE = {"classify": ("grams=0", "readers=1"), "tag": ("features=false",)}
"""By recipe, settings of both sides that leave out what would be learned beside the network."""
SHAPE = {
    "bert": ("width", "heads", "depth", "hidden"),
    "t5": ("width", "heads", "encoder_depth", "decoder_depth", "hidden"),
}


def data_of(name: str, folder: Path, most: int | None, labels: int | None = None) -> list[str]:
    """Return the words that name a task's data.

    Args:
        name: The task.
        folder: Where it is laid out.
        most: Rows of each part of a task of pairs.
        labels: Rows of the training part; ``None`` takes all.
    """
    if name == "wikiann" or name in CLASSES:
        parts, prefix = (("train", "dev", "test"), "en.") if name == "wikiann" else (CLASSES[name], "")
        place = copied(folder, name, parts, prefix=prefix)
        if labels is not None:
            file = place / "train.jsonl.gz"
            with gzip.open(file, "rt", encoding="utf-8") as rows:
                kept = list(itertools.islice(rows, labels))
            with gzip.open(file, "wt", encoding="utf-8") as rows:
                rows.writelines(kept)
        return [str(place)]
    place = folder / f"{name}-data"
    if not place.exists():
        parts_of = pairs_of(name)
        write_parts(place, parts_of | {"train": parts_of["train"][:labels]}, most=most)
    return [str(place), *(["--columns", COLUMNS[name]] if COLUMNS[name] else [])]


def settings(kind: str, recipe: str, sizes: Any | None) -> list[str]:
    """Return the words that set the shape of a network, and leave out what would be learned beside it."""
    shape = [] if sizes is None else [f"{name}={getattr(sizes, name)}" for name in SHAPE[kind]]
    return [word for text in (*ALONE.get(recipe, ()), *shape) for word in ("--set", f"stages.0.family.{text}")]


def main() -> None:
    """Read, train on, measure, compare, write."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("kind", choices=sorted(TASKS))
    arguments.add_argument("--tasks", nargs="+", help="some of the tasks")
    arguments.add_argument("--first-minutes", type=float, default=30.0)
    arguments.add_argument("--first", type=Path, help="a model that has read already, instead of reading anew")
    arguments.add_argument("--minutes", type=float, default=5.0)
    arguments.add_argument("--seeds", type=int, nargs="+", default=[0])
    arguments.add_argument("--labels", type=int, help="rows of the training part of a task, its first; without it all")
    arguments.add_argument("--first-steps", type=int, help="instead of minutes")
    arguments.add_argument("--steps", type=int, help="instead of minutes: equal steps for both sides")
    arguments.add_argument("--most", type=int, help="rows of each part and texts to measure, to try the script")
    arguments.add_argument("--rows", type=Path, help="runs that were made; new ones are appended")
    given = arguments.parse_args()
    import makar

    rows = (
        [json.loads(line) for line in given.rows.read_text().splitlines()] if given.rows and given.rows.exists() else []
    )
    at_start = machine()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for seed in given.seeds:
            how = {"minutes": given.first_minutes, "steps": given.first_steps, "seed": seed}
            first = ["--from", str(given.first)] if given.first else language(folder, recipe=given.kind, **how)
            sizes = makar.load(first[1]).artifact.family_config
            for task, score in TASKS[given.kind].items():
                key = {"kind": given.kind, "task": task, "seed": seed, "labels": given.labels}
                recipe = RECIPES[given.kind][task]
                if (given.tasks and task not in given.tasks) or any(key.items() <= row.items() for row in rows):
                    continue
                found = {}
                sides = {
                    "read before": [*first, *settings(given.kind, recipe, None)],
                    "from nothing": settings(given.kind, recipe, sizes),
                }
                for side, more in sides.items():
                    place = folder / f"{task}-{side.replace(' ', '-')}-{seed}"
                    words = [*data_of(task, folder, given.most, given.labels), "--recipe", recipe, *more]
                    train(words, minutes=given.minutes, steps=given.steps, place=place, seed=seed)
                    report = makar.load(place).evaluate(folder=folder / "report", samples=given.most or 2000)
                    found[side] = report.to_dictionary()["scores"][score]
                rows.append(key | {"score": score, "sides": found})
                read, plain = found["read before"], found["from nothing"]
                beside = "".join(f", {who} {one['value']:.4g}" for who, one in plain.get("baselines", {}).items())
                values = f"read before {read['value']:.4g}, from nothing {plain['value']:.4g}{beside}"
                print(f"{task} seed {seed} {score}: {values}", flush=True)
                if given.rows:
                    with given.rows.open("a") as file:
                        file.write(json.dumps(rows[-1]) + "\n")
    mine = [row for row in rows if row["kind"] == given.kind and row.get("labels") == given.labels]
    apart: dict[str, bool] = {}
    for row in mine:
        sides = row["sides"]
        apart[row["task"]] = (
            apart.get(row["task"], True) and sides["read before"]["low"] > sides["from nothing"]["high"]
        )
    held = sum(apart.values()) >= 2
    write_result(
        f"pretraining-{given.kind}", {"machine": at_start, **vars(given) | {"rows": mine}, "apart": apart, "held": held}
    )
    sys.exit(0 if held else 1)


if __name__ == "__main__":
    main()
