"""Human preferences (hh, PandaLM), split by prompt: a judge of answers, and a model tuned by them (DPO), beside counting characters.

Run: python benchmarks/reward_model.py [--minutes 10] [--base-minutes 20] [--seed 0] [--only reward dpo] [--from MODEL]

hh: the 2,312 human pairs of the official harmless test part, split by a hash of the prompt. PandaLM: 999 pairs with three annotators; pairs
without a majority are left out. The judge (recipe ``reward``) begins from nothing or from ``--from``. What is tuned (recipe ``dpo``) is a
chat model that learned from 5,000 instructions of alpaca for ``--base-minutes``; it tells a pair by what it has become likelier to say
(implicit reward, Rafailov et al. 2023). Prints held-out accuracy with its interval, and that of preferring the longer answer. Ends with 1
where the interval of one is not above length.
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

METHODS = ("reward", "dpo")


def lines(path: str) -> list[dict[str, Any]]:
    """Return the rows of a table."""
    with gzip.open(data_folder() / f"{path}.jsonl.gz", "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def hh() -> list[dict[str, str]]:
    """Return the pairs of Anthropic's harmless part."""
    rows = lines("preferences/hh_harmless_base_test")
    return [{name: row[name] for name in ("chosen", "rejected")} for row in rows]


def pandalm() -> list[dict[str, str]]:
    """Return the pairs of PandaLM on which most annotators prefer one side."""
    found = []
    for row in lines("preferences/pandalm_human_testset"):
        votes = collections.Counter(str(row[f"annotator{number}"]) for number in (1, 2, 3))
        winner, count = votes.most_common(1)[0]
        if count < 2 or winner not in ("1", "2"):
            continue
        prompt = "\n\n".join(text for text in (row["instruction"], row["input"]) if text)
        better, worse = ("response1", "response2") if winner == "1" else ("response2", "response1")
        found.append({"prompt": prompt, "chosen": row[better], "rejected": row[worse]})
    return found


SETS = {"hh": hh, "pandalm": pandalm}


def train(folder: Path, rows: list[dict[str, Any]], name: str, *words: str) -> tuple[Path, float]:
    """Train by the shell on a table; return the model and the seconds in all."""
    table = folder / f"{name}.jsonl"
    table.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    place = folder / f"{name}-model"
    seconds, _ = timed([sys.executable, "-m", "makar", "train", str(table), "-o", str(place), *words])
    return place, seconds


def main() -> None:
    """Train a judge and a speaker on each set, measure, write."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--minutes", type=float, default=10.0)
    arguments.add_argument("--base-minutes", type=float, default=20.0, help="of the chat model that is tuned")
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--only", nargs="+", choices=METHODS, default=METHODS)
    arguments.add_argument("--from", dest="parent", help="model to begin a judge from")
    arguments.add_argument("--steps", type=int, help="instead of minutes, to try the script")
    arguments.add_argument("--rows", type=int, help="pairs of each set, to try the script")
    arguments.add_argument("--set", action="append", default=[], help="PATH=VALUE, as of makar train")
    given = arguments.parse_args()
    import makar

    def budget(minutes: float) -> list[str]:
        time = ["--steps", str(given.steps)] if given.steps else ["--for", f"{minutes * 60:.0f}s"]
        return [*time, "--seed", str(given.seed)]

    result: dict[str, Any] = {"machine": machine(), "minutes": given.minutes, "seed": given.seed, "sets": {}}
    held = []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        parents = {"reward": given.parent}
        if "dpo" in given.only:
            rows = lines("instructions/alpaca_5000")[: given.rows]
            parents["dpo"] = str(train(folder, rows, "base", "--recipe", "chat", *budget(given.base_minutes))[0])
        for name, read in SETS.items():
            for method in given.only:
                words = ["--recipe", method, *budget(given.minutes)]
                words += ["--from", parents[method]] if parents[method] else []
                words += [word for setting in given.set for word in ("--set", setting)]
                model, seconds = train(folder, read()[: given.rows], f"{name}-{method}", *words)
                report = makar.load(model).evaluate(folder=f"{folder}/report").to_dictionary()
                told = report["scores"]["told_right"]
                length = told["baselines"]["length alone"]["value"]
                found = {"seconds_in_all": seconds, "told_right": told, "details": report["details"]}
                result["sets"][f"{name}-{method}"] = found
                print(
                    f"{name} {method}: {told['value']:.3f} ({told['low']:.3f} to {told['high']:.3f}), "
                    f"length alone {length:.3f}, ratio {told['value'] / length:.2f}",
                    flush=True,
                )
                held.append(told["low"] > length)
    result["held"] = all(held)
    write_result("reward-model", result)
    sys.exit(0 if result["held"] else 1)


if __name__ == "__main__":
    main()
