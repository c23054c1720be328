"""A judge of answers on human preferences (hh, PandaLM), split by prompt, beside a judge that only counts characters: held-out accuracy.

Run: python benchmarks/reward_model.py [--minutes 10] [--seed 0] [--from MODEL]

hh: the 2,312 human pairs of the official harmless test part, split by a hash of the prompt. PandaLM: 999 pairs with three annotators; pairs
without a majority are left out. Prints accuracy with its interval and the accuracy of preferring the longer answer. The interval is that of
the held-out pairs, which differ in their prompts. Ends with 1 where the judge is not above length.
"""

import argparse
import collections
import gzip
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from measure import data_folder, machine, timed, write_result


def lines(name: str) -> list[dict[str, Any]]:
    """Return the rows of a table of preferences."""
    with gzip.open(data_folder() / "preferences" / f"{name}.jsonl.gz", "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def hh() -> list[dict[str, str]]:
    """Return the pairs of Anthropic's harmless part."""
    return [{name: row[name] for name in ("chosen", "rejected")} for row in lines("hh_harmless_base_test")]


def pandalm() -> list[dict[str, str]]:
    """Return the pairs of PandaLM on which most annotators prefer one side."""
    found = []
    for row in lines("pandalm_human_testset"):
        votes = collections.Counter(str(row[f"annotator{number}"]) for number in (1, 2, 3))
        winner, count = votes.most_common(1)[0]
        if count < 2 or winner not in ("1", "2"):
            continue
        prompt = "\n\n".join(text for text in (row["instruction"], row["input"]) if text)
        better, worse = ("response1", "response2") if winner == "1" else ("response2", "response1")
        found.append({"prompt": prompt, "chosen": row[better], "rejected": row[worse]})
    return found


SETS = {"hh": hh, "pandalm": pandalm}


def main() -> None:
    """Train a judge on each set, measure, write."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--minutes", type=float, default=10.0)
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--from", dest="parent", help="model to begin from")
    arguments.add_argument("--steps", type=int, help="instead of minutes, to try the script")
    arguments.add_argument("--rows", type=int, help="pairs of each set, to try the script")
    arguments.add_argument("--set", action="append", default=[], help="PATH=VALUE, as of makar train")
    given = arguments.parse_args()
    import makar

    result: dict[str, Any] = {"machine": machine(), "minutes": given.minutes, "seed": given.seed, "sets": {}}
    budget = ["--steps", str(given.steps)] if given.steps else ["--for", f"{given.minutes * 60:.0f}s"]
    for name, read in SETS.items():
        with tempfile.TemporaryDirectory() as folder:
            table = Path(folder) / f"{name}.jsonl"
            table.write_text("\n".join(map(json.dumps, read()[: given.rows])), encoding="utf-8")
            words = [
                "train",
                str(table),
                "--recipe",
                "reward",
                "--seed",
                str(given.seed),
                "-o",
                f"{folder}/judge",
                *budget,
            ]
            words += ["--from", given.parent] if given.parent else []
            words += [word for setting in given.set for word in ("--set", setting)]
            seconds, _ = timed([sys.executable, "-m", "makar", *words])
            report = makar.load(f"{folder}/judge").evaluate(folder=f"{folder}/report").to_dictionary()
        told = report["scores"]["told_right"]
        length = told["baselines"]["length alone"]
        result["sets"][name] = {"seconds_in_all": seconds, "told_right": told, "details": report["details"]}
        print(
            f"{name}: {told['value']:.3f} ({told['low']:.3f} to {told['high']:.3f}), length alone {length['value']:.3f}, "
            f"ratio {told['value'] / length['value']:.2f}"
        )
    result["held"] = all(found["told_right"]["low"] > found["told_right"]["baselines"]["length alone"]["value"]
                         for found in result["sets"].values())  # fmt: skip
    write_result("reward-model", result)
    sys.exit(0 if result["held"] else 1)


if __name__ == "__main__":
    main()
