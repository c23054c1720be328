"""Learning from rewards that can be checked, GRPO and PPO, on generated arithmetic: held-out success before and after, three seeds each.

Run: python benchmarks/reinforce.py [--task larger] [--chat-steps 2000] [--steps 150] [--seeds 3]

A chat model learns from nothing how an answer looks, from data that is right only by chance (task ``larger``: one of the two numbers asked
about; ``sum``: the sum, or a number near it). Then it is tuned by a reward for the right answer and nothing else. Prompts of the held-out
tenth are never tried. Prints success before and after with intervals; the guard (divergence, length, variety) is in the result. Ends with 1
where a seed of a method has no clear gain.
"""

import argparse
import json
import os
import random
import sys
import tempfile
from pathlib import Path
from typing import Any

from measure import machine, write_result

METHODS = ("grpo", "ppo")


def rows(task: str, *, largest: int, seed: int) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """Return rows whose answers are right by chance, and the same prompts with right answers."""
    draw = random.Random(seed)
    pairs = [(a, b) for a in range(largest) for b in range(largest) if a != b]
    draw.shuffle(pairs)
    pairs = pairs[:3000]
    chance, right = [], []
    for a, b in pairs:
        prompt = f"{a} or {b}" if task == "larger" else f"{a}+{b}"
        wanted = max(a, b) if task == "larger" else a + b
        guess = draw.choice((a, b)) if task == "larger" else wanted + draw.choice((-1, 0, 0, 1))
        chance.append({"prompt": prompt, "response": str(guess)})
        right.append({"prompt": prompt, "response": str(wanted)})
    return chance, right


def write(path: Path, lines: list[dict[str, str]]) -> Path:
    """Write rows as JSON lines."""
    path.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    return path


def main() -> None:
    """Train, tune, compare, write."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--task", choices=("larger", "sum"), default="larger")
    arguments.add_argument("--largest", type=int, default=100)
    arguments.add_argument("--chat-steps", type=int, default=2000)
    arguments.add_argument("--steps", type=int, default=150)
    arguments.add_argument("--seeds", type=int, default=3)
    arguments.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS)
    given = arguments.parse_args()
    result: dict[str, Any] = {"machine": machine(), **vars(given), "runs": []}
    with tempfile.TemporaryDirectory() as folder:
        os.environ["MAKAR_HOME"] = f"{folder}/home"
        import makar

        small = [f"stages.0.family.decoder.{text}" for text in ("heads=2", "width=64", "depth=2", "dropout=0")]
        for seed in range(given.seeds):
            chance, right = rows(given.task, largest=given.largest, seed=seed)
            talks = write(Path(folder) / f"chance-{seed}.jsonl", chance)
            tried = write(Path(folder) / f"right-{seed}.jsonl", right)
            settings = [*small, "stages.0.optimisation.batch_size=64", "stages.0.optimisation.learning_rate=0.004"]
            makar.train(talks, steps=given.chat_steps, output=f"talker-{seed}", seed=seed, settings=settings)
            for method in given.methods:
                name = f"{method}-{seed}"
                settings = ["stages.0.family.longest_answer=5", "stages.0.optimisation.learning_rate=0.001"]
                makar.train(
                    tried, steps=given.steps, output=name, seed=seed, settings=settings, recipe=method,
                    from_model=f"talker-{seed}",
                )  # fmt: skip
                report = makar.load(name).evaluate(folder=f"{folder}/report-{name}").to_dictionary()
                success, guard = report["scores"]["success"], report["scores"].get("divergence")
                before = next(iter(success["baselines"].values()))
                run = {"method": method, "seed": seed, "before": before, "after": success, "divergence": guard}
                result["runs"].append(run | {"details": report["details"]})
                print(
                    f"{name}: {before['value']:.3f} -> {success['value']:.3f} ({success['low']:.3f} to {success['high']:.3f})"
                )
    result["held"] = all(run["after"]["low"] > run["before"]["high"] for run in result["runs"])
    write_result("reinforce", result)
    sys.exit(0 if result["held"] else 1)


if __name__ == "__main__":
    main()
