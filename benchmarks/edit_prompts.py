"""Edit-type prompts, whose output repeats their input: the native decoder against generate() of transformers, greedy, identical text.

    python benchmarks/edit_prompts.py --minutes 15                 trains the editor, measures, writes the result
    python benchmarks/edit_prompts.py --model FOLDER               measures a model that was trained before
    python benchmarks/edit_prompts.py --steps 4 --prompts 1 --tokens 16        a try of seconds (it has learned nothing)

A small model learns to write a list of words again with one word replaced; the words of a task are drawn at random, so that it has to
copy. Measured are held-out tasks. Both sides read the same saved folder, each in its own process with one and with two threads at its
best; transformers also with ``prompt_lookup_num_tokens=10``. Ours once more without guesses, to tell what they bring. Time is wall time of
whole calls, prompt included.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from measure import machine, write_result

WORDS = tuple(
    first + last
    for first in ("ri", "sto", "gar", "win", "pa", "sil", "mor", "let")
    for last in ("ver", "ne", "den", "dow", "per", "ning")
)
BAR, AIM = 2.0, 3.0


def task(draw: np.random.Generator, *, count: int = 24) -> tuple[str, str]:
    """Return a prompt and its answer."""
    words = [WORDS[number] for number in draw.integers(0, len(WORDS), count)]
    old, new = words[int(draw.integers(count))], WORDS[int(draw.integers(len(WORDS)))]
    edited = " ".join(new if word == old else word for word in words)
    return f"Text: {' '.join(words)}\nReplace {old} with {new}.\nResult:", f" {edited}"


def train(folder: Path, *, minutes: float, steps: int | None, tasks: int) -> Path:
    """Train the editor and return its folder."""
    import makar

    draw = np.random.default_rng(1)
    lines = [json.dumps({"text": "".join(task(draw))}) for _ in range(tasks)]
    (folder / "data").mkdir()
    (folder / "data" / "tasks.jsonl").write_text("\n".join(lines), encoding="utf-8")
    run = makar.train(
        folder / "data",
        minutes=None if steps else minutes,
        steps=steps,
        recipe="text",
        output=folder / "editor",
        settings=["stages.0.family.context=512"],
    )
    return run.model.path


def held_out(count: int) -> list[tuple[str, str]]:
    """Return tasks that were not trained on."""
    draw = np.random.default_rng(2)
    return [task(draw) for _ in range(count)]


def run_makar(folder: Path, prompts: int, new_tokens: int, guesses: int) -> dict[str, Any]:
    """Time the sampler."""
    import torch
    from safetensors.torch import load_file
    from tokenizers import Tokenizer

    from makar.families.transformer.decoder import DecoderShape
    from makar.families.transformer.options import TextOptions
    from makar.families.transformer.sampler import Pace, TransformerSampler

    config = json.loads((folder / "config.json").read_text())
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    sampler = TransformerSampler(
        DecoderShape.from_transformers(config),
        load_file(folder / "model.safetensors"),
        end_tokens=(tokenizer.token_to_id("<|endoftext|>"),),
        decode_tokens=lambda tokens: tokenizer.decode(tokens.tolist()),
        pace=Pace(guesses=guesses),
    )
    options = TextOptions(temperature=0.0, max_tokens=new_tokens)

    def call(prompt: str) -> list[int]:
        given = {"target": torch.tensor(tokenizer.encode(prompt).ids)}
        return [token for _, slots, _ in sampler.sample(options, [given], [0]) for token in slots["target"].tolist()]

    return timed(call, prompts)


def run_peer(folder: Path, prompts: int, new_tokens: int, lookup: int) -> dict[str, Any]:
    """Time generate()."""
    import torch
    import transformers

    transformers.logging.set_verbosity_error()
    model: Any = transformers.AutoModelForCausalLM.from_pretrained(folder).eval()
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    end = tokenizer.token_to_id("<|endoftext|>")
    extra = {"prompt_lookup_num_tokens": lookup} if lookup else {}

    def call(prompt: str) -> list[int]:
        ids = torch.tensor([tokenizer.encode(prompt).ids])
        with torch.inference_mode():
            made = model.generate(
                ids,
                attention_mask=torch.ones_like(ids),
                do_sample=False,
                max_new_tokens=new_tokens,
                eos_token_id=end,
                pad_token_id=end,
                **extra,
            )
        tokens = made[0, ids.shape[1] :].tolist()
        return tokens[: tokens.index(end)] if end in tokens else tokens

    return timed(call, prompts)


def timed(call: Any, prompts: int) -> dict[str, Any]:
    """Return all tokens and the rate, after one call to warm up."""
    tasks = held_out(prompts)
    call(tasks[0][0])
    started = time.perf_counter()
    tokens = [call(prompt) for prompt, _ in tasks]
    seconds = time.perf_counter() - started
    return {"tokens": tokens, "tokens_per_second": sum(map(len, tokens)) / seconds}


def in_process(side: str, folder: Path, arguments: argparse.Namespace, threads: int) -> dict[str, Any]:
    """Run one side in a process of its own."""
    source = str(Path(__file__).resolve().parents[1] / "src")
    path = os.pathsep.join(part for part in (source, os.environ.get("PYTHONPATH", "")) if part)
    count = str(threads)
    words = ["--side", side, "--model", str(folder)]
    words += ["--prompts", str(arguments.prompts), "--tokens", str(arguments.tokens)]
    done = subprocess.run(
        [sys.executable, __file__, *words],
        env={**os.environ, "OMP_NUM_THREADS": count, "OPENBLAS_NUM_THREADS": count, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{side} failed:\n{done.stderr}")
    return {**json.loads(done.stdout.splitlines()[-1]), "threads": threads}


SIDES: dict[str, Any] = {
    "makar": lambda folder, prompts, tokens: run_makar(folder, prompts, tokens, 15),
    "makar without guesses": lambda folder, prompts, tokens: run_makar(folder, prompts, tokens, 0),
    "transformers": lambda folder, prompts, tokens: run_peer(folder, prompts, tokens, 0),
    "transformers with lookup": lambda folder, prompts, tokens: run_peer(folder, prompts, tokens, 10),
}


def compare(folder: Path, arguments: argparse.Namespace) -> None:
    """Measure every side, print and write."""
    started_on = machine()
    best: dict[str, dict[str, Any]] = {}
    for _ in range(arguments.rounds):
        for threads in arguments.threads:
            for side in SIDES:
                got = in_process(side, folder, arguments, threads)
                if side not in best or got["tokens_per_second"] > best[side]["tokens_per_second"]:
                    best[side] = got
    if best["makar"]["tokens"] != best["transformers"]["tokens"]:
        raise SystemExit("the texts differ from those of transformers")
    if best["makar"]["tokens"] != best["makar without guesses"]["tokens"]:
        raise SystemExit("guesses changed the text")
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    pairs = zip(best["makar"]["tokens"], held_out(arguments.prompts))
    right = sum(tokenizer.decode(tokens) == answer for tokens, (_, answer) in pairs)
    rates = {side: round(got["tokens_per_second"], 1) for side, got in best.items()}
    ratio = rates["makar"] / rates["transformers"]
    for side, rate in rates.items():
        print(f"{side:26} {rate:9} tokens/s, {best[side]['threads']} threads")
    print(f"{right} of {arguments.prompts} edits right; {ratio:.2f}x transformers (bar {BAR}, aim {AIM})")
    conditions = {"prompts": arguments.prompts, "tokens": arguments.tokens, "rounds": arguments.rounds}
    result = {"machine": started_on, **conditions, "tokens_per_second": rates, "edits_right": right, "ratio": ratio}
    write_result("edit-prompts", {**result, "bar": BAR, "aim": AIM})
    sys.exit(ratio < BAR)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=15.0, help="training of the editor")
    parser.add_argument("--steps", type=int, help="train so many steps instead")
    parser.add_argument("--model", type=Path, help="an editor that was trained before")
    parser.add_argument("--tasks", type=int, default=20_000, help="tasks to learn from")
    parser.add_argument("--prompts", type=int, default=20)
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.side:
        print(json.dumps(SIDES[arguments.side](arguments.model, arguments.prompts, arguments.tokens)))
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.model or train(
            Path(temporary), minutes=arguments.minutes, steps=arguments.steps, tasks=arguments.tasks
        )
        compare(folder, arguments)


if __name__ == "__main__":
    main()
