"""Tokens a second of Makar's training step against transformers.Trainer on the same model, at its defaults and at its best.

Run: python benchmarks/trainer_speed.py [--shapes small large] [--steps 40]

Two shapes of decoder: a small one (4 layers of 128, context 64, batch 12) and a larger one (6 layers of 384, context 256, batch 8),
vocabulary 65. The peer is ``transformers.Trainer`` with ``GPT2LMHeadModel`` (the GPT shape as people train it) and with
``Qwen3ForCausalLM`` (exactly the network that Makar's mainstream layout exports), each at the defaults of ``TrainingArguments`` and at the
best of {float32, bf16} x {eager, sdpa}; bf16 is left out on both sides where the processor lacks it. Every side runs in a process of its
own with 1 and with 2 threads, ours also with 2 workers, and counts at its best. Reported is tokens a second after the first quarter of the
steps, which warms caches up; data is random tokens, because speed does not depend on it.
"""

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time

from measure import machine, quick_format, write_result

SHAPES = {
    "small": {"layers": 4, "width": 128, "heads": 4, "context": 64, "batch": 12},
    "large": {"layers": 6, "width": 384, "heads": 6, "context": 256, "batch": 8},
}
VOCABULARY = 65


def peer(shape: dict, architecture: str, attention: str, bf16: bool, steps: int) -> float:
    import torch
    from transformers import (
        GPT2Config,
        GPT2LMHeadModel,
        Qwen3Config,
        Qwen3ForCausalLM,
        Trainer,
        TrainerCallback,
        TrainingArguments,
    )

    torch.manual_seed(0)
    if architecture == "gpt2":
        config = GPT2Config(
            vocab_size=VOCABULARY, n_positions=shape["context"], n_embd=shape["width"], n_layer=shape["layers"], n_head=shape["heads"],
            resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, attn_implementation=attention, bos_token_id=0, eos_token_id=0,
        )  # fmt: skip
        model = GPT2LMHeadModel(config)
    else:
        from makar.families.transformer.config import TransformerConfig

        ours = TransformerConfig(
            layout="mainstream", vocabulary=VOCABULARY, width=shape["width"], depth=shape["layers"], heads=shape["heads"],
            context=shape["context"],
        )  # fmt: skip
        from makar.families.transformer.layouts import transformers_settings

        model = Qwen3ForCausalLM(Qwen3Config(**transformers_settings(ours, tokens={}), attn_implementation=attention))
    tokens = torch.randint(VOCABULARY, (shape["batch"] * steps, shape["context"]))
    rows = [{"input_ids": row, "labels": row} for row in tokens]
    times: list[float] = []

    class Clock(TrainerCallback):
        def on_step_end(self, *arguments: object, **named: object) -> None:
            times.append(time.perf_counter())

    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder, per_device_train_batch_size=shape["batch"], max_steps=steps, bf16=bf16, report_to=[], save_strategy="no",
            logging_strategy="no", use_cpu=True, disable_tqdm=True,
        )  # fmt: skip
        Trainer(model=model, args=arguments, train_dataset=rows, callbacks=[Clock()]).train()
    return _rate(times, shape)


def ours(shape: dict, layout: str, steps: int, workers: int) -> float:
    import functools

    import torch

    from makar.families.family import build_family
    from makar.families.transformer.config import TransformerConfig
    from makar.recipe import OptimisationConfig
    from makar.training.optimiser import build_optimisers
    from makar.training.workers import gradients_of

    config = TransformerConfig(
        layout=layout, vocabulary=VOCABULARY, width=shape["width"], depth=shape["layers"], heads=shape["heads"], context=shape["context"]
    )  # fmt: skip
    family = build_family(config)
    generator = torch.Generator().manual_seed(0)
    family.initialise(generator)
    family.precision = quick_format()
    family.train()
    phase = family.phases()[0]
    optimiser = build_optimisers([phase], OptimisationConfig())[phase.optimiser]
    times: list[float] = []
    tokens = torch.randint(VOCABULARY, (steps, shape["batch"], shape["context"] + 1))
    for window in tokens:
        batch = family.prepare({"target": window}, generator)
        optimiser.clear()
        parts = [{"target": part} for part in batch["target"].chunk(workers)]
        tasks = [functools.partial(loss_of, phase, part, workers) for part in parts]
        gradients_of(tasks, optimiser.parameters, workers=workers)
        optimiser.step(1.0, gradient_clip=1.0)
        times.append(time.perf_counter())
    return _rate(times, shape)


def loss_of(phase, part: dict, workers: int):
    return phase.loss(part, None).value / workers


def _rate(times: list[float], shape: dict) -> float:
    warm = len(times) // 4
    return (len(times) - 1 - warm) * shape["batch"] * shape["context"] / (times[-1] - times[warm])


def best_of_threads(case: dict, steps: int) -> dict[str, float]:
    rates = {}
    for threads in (1, 2):
        done = subprocess.run(
            [sys.executable, "-W", "ignore", __file__, "--case", json.dumps(case), "--steps", str(steps)],
            capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": str(threads)},
        )  # fmt: skip
        if done.returncode:
            sys.exit(done.stderr[-3000:])
        rates[f"{threads} threads"] = float(done.stdout.strip().splitlines()[-1])
    return {**rates, "best": max(rates.values())}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--shapes", nargs="+", choices=SHAPES, default=list(SHAPES))
    parser.add_argument("--case", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case:
        case = json.loads(options.case)
        shape = SHAPES[case["shape"]]
        if case["side"] == "ours":
            print(ours(shape, case["layout"], options.steps, case["workers"]))
        else:
            print(peer(shape, case["architecture"], case["attention"], case["bf16"], options.steps))
        return
    result: dict = {"machine": machine(), "cases": []}
    halves = (False, True) if quick_format() == "bfloat16" else (False,)
    for name in options.shapes:
        peers: dict[str, dict[str, float]] = {}
        for architecture in ("gpt2", "qwen3"):
            rates = {}
            for attention, bf16 in itertools.product(("sdpa", "eager"), halves):
                case = {
                    "side": "peer",
                    "shape": name,
                    "architecture": architecture,
                    "attention": attention,
                    "bf16": bf16,
                }
                rates[f"{attention}, {'bf16' if bf16 else 'float32'}"] = best_of_threads(case, options.steps)
                result["cases"].append({**case, **rates[f"{attention}, {'bf16' if bf16 else 'float32'}"]})
            peers[architecture] = {
                "defaults": rates["sdpa, float32"]["best"],
                "best": max(rate["best"] for rate in rates.values()),
            }
        for layout in ("mainstream", "compact"):
            # As the probe of ``makar train`` does: one thread, two threads inside an operation, or two workers of one thread.
            case = {"side": "ours", "shape": name, "layout": layout, "workers": 1}
            rate = best_of_threads(case, options.steps)
            rate["2 workers"] = best_of_threads({**case, "workers": 2}, options.steps)["1 threads"]
            rate["best"] = max(rate["best"], rate["2 workers"])
            ratios = {
                f"{architecture} {which}": rate["best"] / value
                for architecture, both in peers.items()
                for which, value in both.items()
            }
            result["cases"].append({**case, **rate, "ratios": ratios})
            print(
                name,
                layout,
                f"{rate['best']:.0f} tokens/s;",
                {key: round(value, 2) for key, value in ratios.items()},
                flush=True,
            )
    write_result("-".join(["trainer-speed", *options.shapes]), result)


if __name__ == "__main__":
    main()
