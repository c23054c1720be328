"""``evaluate --suite humaneval|mbpp``: pass@k of a model that writes programs, each run with its tests in the sandbox.

Samples of one problem that are equal are run once, and one that does not parse is not run, because it cannot pass. The n-gram model of
bytes writes as many where the training data is on this machine.
"""

import dataclasses
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from makar.artifacts.artifact import Artifact
from makar.evaluation.bootstrap import Interval
from makar.evaluation.findings import Findings, Score, Table
from makar.evaluation.material import OnEvent, own_stores, run_folder
from makar.evaluation.ngram import MOST_ORDER, NgramModel
from makar.evaluation.ngram_writing import continued
from makar.evaluation.pass_at_k import mean_pass_at_k
from makar.evaluation.programming_problems import Problem, read_problems
from makar.evaluation.python_functions import parsed
from makar.evaluation.text_baselines import joined_texts
from makar.families.conversation.verifiable import code_in
from makar.generation.generate import generate
from makar.generation.prompts import answers
from makar.sandbox.limits import Limits
from makar.sandbox.run import run_to_end

SAMPLES = 10
KS = (1, 10, 100)
TOKENS, NGRAM_BYTES, NGRAM_TRAINING_BYTES = 200, 500, 4 << 20
ANSWER_TOKENS = 1024
"""Of a model that talks, which explains besides."""
ONE, SEVERAL = 0.2, 0.8
"""Temperature of one sample a problem, and of several (Chen et al. 2021, section 3.3)."""

LIMITS = Limits(wall_seconds=20.0, cpu_seconds=5, memory_bytes=1 << 30)
SHOWN = 20


@dataclasses.dataclass(frozen=True, kw_only=True)
class Solved:
    """What became of the samples of every problem.

    Attributes:
        counts: How many samples of each problem passed.
        parsing: How many of all samples were Python.
        not_held: What the sandbox could not hold on this machine.
    """

    counts: tuple[int, ...]
    parsing: int
    not_held: tuple[str, ...]


def measure_suite(
    artifact: Artifact, suite: str, path: Path, *, samples: int, seed: int, on_event: OnEvent
) -> tuple[Findings, str]:
    """Measure a model on a suite of programming problems.

    Args:
        artifact: The model.
        suite: ``"humaneval"`` or ``"mbpp"``.
        path: The file of problems.
        samples: Samples a problem; 0 takes 10.
        seed: Seed of the first sample of every problem.
        on_event: Called with what is being done.

    Returns:
        What was found, and in words what it was measured on.
    """
    problems = read_problems(suite, path)
    count = samples or SAMPLES
    temperature = ONE if count == 1 else SEVERAL

    def say(what: str, done: int) -> None:
        on_event({"event": "evaluation", "measuring": what, "done": done, "total": len(problems)})

    # What answers says more than the program: it is not stopped, and its code is read out of the answer.
    talks = answers(artifact.codec(), artifact.family_config)
    written = []
    for number, problem in enumerate(problems):
        say("writing programs", number)
        options: dict[str, Any] = {"temperature": temperature}
        options |= {"max_tokens": ANSWER_TOKENS} if talks else {"max_tokens": TOKENS, "stop": problem.stop}
        assets = generate(artifact, prompts=problem.prompt, count=count, seed=seed, options=options)
        written.append([code_in(asset.new_text) if talks else asset.new_text for asset in assets])
    solved = run_programs(problems, written, lambda done: say("running programs", done))
    baseline = _ngram_solved(artifact, problems, count, seed, temperature)
    ks = [k for k in KS if k <= count]
    scores = tuple(_score(k, count, solved, baseline) for k in ks)
    passed = [problem.id for problem, right in zip(problems, solved.counts) if right]
    sentence = (
        f"It solves {scores[0].interval.value:.1%} of {len(problems)} problems of {suite} with one sample"
        + (f" and {scores[-1].interval.value:.1%} with {ks[-1]}" if len(ks) > 1 else "")
        + ("" if baseline is None else f" (n-gram: {scores[0].baselines[0][1].value:.1%})")
        + f"; {solved.parsing / (len(problems) * count):.0%} of the programs are Python."
    )
    held = (
        ()
        if not solved.not_held
        else ("The sandbox did not hold everything here: " + "; ".join(solved.not_held) + ".",)
    )
    table = Table(
        key="solved",
        caption="Problems that some sample solves",
        columns=("problem", "samples"),
        rows=tuple((problem.id, str(right)) for problem, right in zip(problems, solved.counts) if right)[:SHOWN],
    )
    findings = Findings(
        verdict=(sentence, *held),
        scores=scores,
        tables=(table,) if passed else (),
        details={
            "suite": suite,
            "problems": len(problems),
            "samples": count,
            "temperature": temperature,
            "solved": passed,
        },
    )
    return findings, f"{len(problems)} problems of {suite}, {count} samples each"


def run_programs(problems: Sequence[Problem], written: Sequence[Sequence[str]], say: Callable[[int], None]) -> Solved:
    """Run what was written for each problem with its tests.

    Args:
        problems: The problems.
        written: The samples of each.
        say: Called with the number of problems that are done.
    """
    counts, parsing = [], 0
    not_held: tuple[str, ...] = ()
    for number, (problem, samples) in enumerate(zip(problems, written, strict=True)):
        right = 0
        for text, times in Counter(samples).items():
            program = problem.program(text)
            if parsed(program) is None:
                continue
            parsing += times
            # Whoever leaves before the last test with a happy face has not passed it.
            has_passed, outcome = run_to_end(program, limits=LIMITS)
            not_held = outcome.not_held
            right += times * has_passed
        counts.append(right)
        say(number + 1)
    return Solved(counts=tuple(counts), parsing=parsing, not_held=not_held)


def _score(k: int, count: int, solved: Solved, baseline: Solved | None) -> Score:
    return Score(
        key=f"pass_at_{k}",
        name=f"pass@{k}",
        interval=mean_pass_at_k(count, solved.counts, k),
        better="higher",
        meaning=f"Probability that at least one of {k} samples passes all tests of a problem; unbiased, from {count} samples each.",
        baselines=() if baseline is None else (("n-gram", _of_baseline(k, count, baseline)),),
    )


def _of_baseline(k: int, count: int, baseline: Solved) -> Interval:
    return mean_pass_at_k(count, baseline.counts, k)


def _ngram_solved(
    artifact: Artifact, problems: Sequence[Problem], count: int, seed: int, temperature: float
) -> Solved | None:
    train = own_stores(run_folder(artifact)).get("train")
    if train is None:
        return None
    model = NgramModel(joined_texts(train, artifact.codec(), NGRAM_TRAINING_BYTES), order=MOST_ORDER)
    prompts = [problem.prompt.encode() for problem in problems for _ in range(count)]
    stops = [tuple(stop.encode() for stop in problem.stop) for problem in problems for _ in range(count)]
    texts = continued(
        model,
        prompts,
        most_bytes=NGRAM_BYTES,
        temperature=temperature,
        generator=np.random.default_rng(seed),
        is_over=lambda index, text: text.endswith(stops[index]),
    )
    whole = [_before(text, stop).decode("utf-8", "replace") for text, stop in zip(texts, stops)]
    written = [whole[start : start + count] for start in range(0, len(whole), count)]
    return run_programs(problems, written, lambda done: None)


def _before(text: bytes, stops: tuple[bytes, ...]) -> bytes:
    for stop in stops:
        text = text.split(stop)[0]
    return text
