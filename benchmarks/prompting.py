"""Zero-shot, few-shot, chain of thought and self-consistency, each against plain prompting, on sums of three numbers, with a model of ours.

Run: python benchmarks/prompting.py [--steps 1500] [--largest 30] [--problems 200] [--votes 7] [--seeds 0]

A chat model learns from nothing how such questions are asked: bare (``3+14+8``), in words (``What is 3+14+8?``), behind examples, and
with ``Step by step:``, where the answer shows the sum of the first two before the whole. Problems of the held-out part were in no
conversation, in no order of their numbers. Each way of asking gets the same problems; success is the last number of the answer. The row
``plain`` is the bare question; the others stand beside it with the difference over the same problems and its 95 % interval.
Self-consistency draws answers step by step and takes the one that most agree on (Wang et al. 2022, arXiv 2203.11171; Wei et al. 2022,
arXiv 2201.11903). This is a figure of a small model that was taught these forms, not of prompting in general.
"""

import argparse
import json
import os
import random
import tempfile
from pathlib import Path
from typing import Any

from measure import machine, write_result

EXAMPLES = 2
Problem = tuple[int, int, int]


def split(largest: int, *, problems: int, seed: int) -> tuple[list[Problem], list[Problem]]:
    """Return problems to learn from, and held-out ones of which no order was learned."""
    draw = random.Random(seed)
    kinds = [(a, b, c) for a in range(largest) for b in range(a, largest) for c in range(b, largest)]
    draw.shuffle(kinds)
    cut = min(problems, len(kinds) // 5)
    held_out = [tuple(draw.sample(kind, 3)) for kind in kinds[:cut]]
    learned = [tuple(draw.sample(kind, 3)) for kind in kinds[cut:] for _ in range(2)]
    return learned, held_out  # type: ignore[return-value]


def bare(problem: Problem) -> str:
    """Return the bare question."""
    return "+".join(map(str, problem))


def behind_examples(problem: Problem, others: list[Problem]) -> str:
    """Return the question behind others that are answered."""
    return " ".join(f"{bare(other)}={sum(other)}" for other in others) + f" {bare(problem)}="


def asked(problem: Problem, others: list[Problem]) -> dict[str, str]:
    """Return the question in each way of asking."""
    return {
        "plain": bare(problem),
        "zero-shot, in words": f"What is {bare(problem)}?",
        "few-shot": behind_examples(problem, others),
        "chain of thought": f"{bare(problem)} Step by step:",
    }


def conversations(problems: list[Problem], *, seed: int) -> list[dict[str, str]]:
    """Return rows to learn from: each problem in one of the ways, drawn."""
    draw = random.Random(seed)
    rows = []
    for problem in problems:
        a, b, c = problem
        way, prompt = draw.choice(list(asked(problem, draw.sample(problems, EXAMPLES)).items()))
        steps = f"{a}+{b}={a + b}, {a + b}+{c}={a + b + c}"
        rows.append({"prompt": prompt, "response": steps if way == "chain of thought" else str(a + b + c)})
    return rows


def measured(
    model: Any, problems: list[Problem], examples: list[Problem], *, votes: int, seed: int
) -> dict[str, list[float]]:
    """Return whether each problem was solved, by way of asking."""
    from makar.api.prompts import agree
    from makar.families.conversation.verifiable import last_number

    draw = random.Random(seed)
    questions = [asked(problem, draw.sample(examples, EXAMPLES)) for problem in problems]
    greedy = {"temperature": 0.0, "max_tokens": 40}
    found: dict[str, list[float]] = {}
    for way in questions[0]:
        answers = model.generate_each([question[way] for question in questions], options=greedy)
        found[way] = [
            float(last_number(asset.new_text) == sum(problem)) for asset, problem in zip(answers, problems, strict=True)
        ]
    drawn = {"temperature": 0.7, "max_tokens": 40}
    agreed = [
        agree(
            model,
            question["chain of thought"],
            count=votes,
            answer=lambda text: str(last_number(text) or ""),
            seed=seed,
            options=drawn,
        )[0].answer
        for question in questions
    ]
    found[f"self-consistency of {votes}"] = [
        float(last_number(answer) == sum(problem)) for answer, problem in zip(agreed, problems)
    ]
    return found


def main() -> None:
    """Train, ask, compare, write."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--steps", type=int, default=1500)
    arguments.add_argument("--largest", type=int, default=30)
    arguments.add_argument("--problems", type=int, default=200)
    arguments.add_argument("--votes", type=int, default=7)
    arguments.add_argument("--width", type=int, default=128)
    arguments.add_argument("--seeds", type=int, nargs="+", default=[0])
    given = arguments.parse_args()
    result: dict[str, Any] = {"machine": machine(), **vars(given), "runs": []}
    with tempfile.TemporaryDirectory() as folder:
        os.environ["MAKAR_HOME"] = f"{folder}/home"
        import numpy as np

        import makar
        from makar.evaluation.bootstrap import mean_interval

        shape = [
            f"stages.0.family.decoder.{text}" for text in (f"width={given.width}", "heads=4", "depth=3", "dropout=0")
        ]
        for seed in given.seeds:
            learned, held_out = split(given.largest, problems=given.problems, seed=seed)
            talks = Path(folder) / f"talks-{seed}.jsonl"
            talks.write_text("\n".join(map(json.dumps, conversations(learned, seed=seed))), encoding="utf-8")
            settings = [*shape, "stages.0.optimisation.batch_size=64", "stages.0.optimisation.learning_rate=0.003"]
            run = makar.train(talks, steps=given.steps, output=f"solver-{seed}", seed=seed, settings=settings)
            solved = measured(run.model, held_out, learned, votes=given.votes, seed=seed)
            plain = np.array(solved["plain"])
            rows = {
                way: {
                    "solved": mean_interval(np.array(values)).to_dictionary(),
                    "beyond_plain": mean_interval(np.array(values) - plain).to_dictionary(),
                }
                for way, values in solved.items()
            }
            for way, row in rows.items():
                share, gain = row["solved"], row["beyond_plain"]
                print(
                    f"seed {seed} {way}: {share['value']:.3f} ({share['low']:.3f} to {share['high']:.3f}), "
                    f"beyond plain {gain['value']:+.3f} ({gain['low']:+.3f} to {gain['high']:+.3f})",
                    flush=True,
                )
            result["runs"].append({"seed": seed, "ways": rows})
    write_result("prompting", result)


if __name__ == "__main__":
    main()
