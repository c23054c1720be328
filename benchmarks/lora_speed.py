"""LoRA of rank 16 on the same model with the same batches: tokens a second and peak memory, ours against PEFT and TRL's SFTTrainer.

Run: python benchmarks/lora_speed.py [--shape 100M] [--steps 24] [--trl PYTHON]

The base has random weights: speed and memory do not depend on them. Ours and transformers open the same saved folder. The peers are a
plain loop over a model of PEFT (AdamW, attention sdpa and eager) and, where ``--trl`` names the Python of an environment with torch,
transformers, peft and trl, its SFTTrainer. Products are in bfloat16, by autocast, where the processor has it, else in float32. Every side
runs in a process of its own with 1 and with 2 threads, ours also with 2 workers; the best rate of each counts, with the peak of resident
memory of that process, everything included.
Reported are tokens a second after the first quarter of the steps, and the loss of the first step, which has to agree. Ends with 1 where
ours is not 1.3 times as fast, or takes more memory than the peer that takes least.
"""

import argparse
import functools
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from measure import machine, quick_format, write_result

SHAPES: dict[str, dict[str, int]] = {
    "tiny": {"depth": 2, "width": 64, "heads": 2, "hidden": 192, "vocabulary": 512, "context": 64, "batch": 4},
    "12M": {"depth": 6, "width": 384, "heads": 6, "hidden": 1024, "vocabulary": 4096, "context": 256, "batch": 4},
    "100M": {"depth": 12, "width": 768, "heads": 12, "hidden": 2048, "vocabulary": 8192, "context": 256, "batch": 8},
    "1B": {"depth": 22, "width": 2048, "heads": 32, "hidden": 5632, "vocabulary": 8192, "context": 256, "batch": 1},
}
RANK, ALPHA = 16, 32
BAR = 1.3


def make_base(folder: Path, shape: dict[str, int]) -> None:
    """Save a model of ours with random weights; transformers opens the folder as a Qwen 3."""
    import torch

    from makar.artifacts.save import save_artifact
    from makar.codecs.codec import fit_codec
    from makar.codecs.text_config import ByteCodecConfig
    from makar.families.family import build_family
    from makar.families.transformer.config import TransformerConfig
    from makar.recipe import Recipe, Stage

    sizes = {name: value for name, value in shape.items() if name != "batch"}
    config = TransformerConfig(layout="mainstream", tied=True, **sizes)
    family = build_family(config)
    generator = torch.Generator().manual_seed(0)
    family.initialise(generator)
    with torch.no_grad():
        for parameter in family.parameters():
            if parameter.ndim > 1:
                # One tensor at a time: a base of a thousand million weights must not be here twice.
                parameter.normal_(std=0.02, generator=generator)
    codec = fit_codec(ByteCodecConfig(), iter(()))
    stage = Stage(name="model", codec=codec.config, family=config)
    recipe = Recipe(name="text", medium="text", summary="a base with random weights", stages=(stage,))
    data = {"fingerprint": "0" * 64, "name": "none", "medium": "text"}
    save_artifact(folder, recipe=recipe, codec=codec, family=family, training={"run": ""}, data=data)


def batches(shape: dict[str, int], steps: int) -> Any:
    """Return the same tokens for every side, ``[steps, batch, context + 1]``."""
    import torch

    sizes = (steps, shape["batch"], shape["context"] + 1)
    return torch.randint(shape["vocabulary"], sizes, generator=torch.Generator().manual_seed(1))


def ours(
    base: Path, shape: dict[str, int], *, steps: int, workers: int, bits: int = 16, recompute: bool = False
) -> Any:
    """Take steps with our adapter and return times and first loss."""
    import torch

    from makar.artifacts.load import load_artifact
    from makar.families.adapter_config import AdapterConfig
    from makar.families.family import build_family
    from makar.recipe import OptimisationConfig
    from makar.training.optimiser import build_optimisers
    from makar.training.workers import gradients_of

    artifact = load_artifact(base, verify=False)
    adapter = AdapterConfig(base=artifact.hash, rank=RANK, alpha=float(ALPHA), bits=bits)
    family = build_family(artifact.family_config.with_adapter(adapter).changed(recompute=recompute))
    family.initialise(torch.Generator().manual_seed(0))
    family.precision = quick_format()
    (phase,) = family.train().phases()
    optimiser = build_optimisers([phase], OptimisationConfig(learning_rate=2e-4))[phase.optimiser]
    times, first = [], None
    for window in batches(shape, steps):
        optimiser.clear()
        tasks = [functools.partial(_share, phase, part, workers) for part in window.chunk(workers)]
        loss = gradients_of(tasks, optimiser.parameters, workers=workers)
        optimiser.step(1.0, gradient_clip=1.0)
        first = float(loss) if first is None else first
        times.append(time.perf_counter())
    return times, first


def _share(phase: Any, part: Any, workers: int) -> Any:
    return phase.loss({"target": part}, None).value / workers


def peft_loop(base: Path, shape: dict[str, int], *, steps: int, attention: str) -> Any:
    """Take steps with PEFT in a plain loop and return times and first loss."""
    import torch
    import transformers
    from peft import LoraConfig, get_peft_model

    network = transformers.AutoModelForCausalLM.from_pretrained(
        base, attn_implementation=attention, dtype=torch.float32
    )
    model = get_peft_model(network, LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules="all-linear")).train()
    learned = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(learned, lr=2e-4, fused=True)
    times, first, half = [], None, quick_format() == "bfloat16"
    for window in batches(shape, steps):
        optimiser.zero_grad(set_to_none=True)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
            loss = model(input_ids=window[:, :-1], labels=window[:, :-1], use_cache=False).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(learned, 1.0)
        optimiser.step()
        first = float(loss.detach()) if first is None else first
        times.append(time.perf_counter())
    return times, first


def trl_trainer(base: Path, shape: dict[str, int], *, steps: int) -> Any:
    """Take steps with TRL's SFTTrainer and return times and no loss: it draws its batches in an order of its own."""
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
    from trl import SFTConfig, SFTTrainer

    rows = [row[:-1].tolist() for window in batches(shape, steps) for row in window]
    times: list[float] = []

    class Clock(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, *arguments: object, **named: object) -> None:
            times.append(time.perf_counter())

    with tempfile.TemporaryDirectory() as place:
        settings = SFTConfig(
            output_dir=place, max_steps=steps, per_device_train_batch_size=shape["batch"], use_cpu=True,
            bf16=quick_format() == "bfloat16", report_to=[], save_strategy="no", logging_strategy="no", disable_tqdm=True,
            max_length=shape["context"],
            learning_rate=2e-4, dataset_kwargs={"skip_prepare_dataset": True}, gradient_checkpointing=False,
        )  # fmt: skip
        SFTTrainer(
            model=AutoModelForCausalLM.from_pretrained(base), args=settings, callbacks=[Clock()],
            train_dataset=Dataset.from_dict({"input_ids": rows, "labels": rows}),
            processing_class=AutoTokenizer.from_pretrained(base),
            peft_config=LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules="all-linear", task_type="CAUSAL_LM"),
        ).train()  # fmt: skip
    return times, None


def run_case(case: dict[str, Any]) -> dict[str, Any]:
    """Carry out one case in this process."""
    shape, base = SHAPES[case["shape"]], Path(case["base"])
    sides = {"ours": ours, "peft": peft_loop, "trl": trl_trainer}
    times, first = sides[case["side"]](base, shape, steps=case["steps"], **case["how"])
    warm = len(times) // 4
    tokens = (len(times) - 1 - warm) * shape["batch"] * shape["context"]
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    found = re.search(r"^VmHWM:\s*(\d+) kB", status, re.MULTILINE)
    assert found is not None, "Linux says what a process has held at most"
    return {
        "tokens_per_second": tokens / (times[-1] - times[warm]),
        "peak_bytes": 1024 * int(found[1]),
        "first_loss": first,
    }


def measured(case: dict[str, Any], *, python: str, threads: int, home: Path) -> dict[str, Any]:
    """Carry out one case in a process of its own."""
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": str(threads),
        "MAKAR_HOME": str(home),
        "TOKENIZERS_PARALLELISM": "false",
    }
    words = [python, "-W", "ignore", __file__, "--case", json.dumps(case)]
    done = subprocess.run(words, capture_output=True, text=True, env=environment)
    if done.returncode:
        sys.exit(done.stderr[-3000:])
    return {**case["how"], "threads": threads, **json.loads(done.stdout.strip().splitlines()[-1])}


def main() -> None:
    """Measure every side and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=SHAPES, default="100M")
    parser.add_argument("--steps", type=int, default=24)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--trl", help="Python of an environment with trl")
    parser.add_argument("--case", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.case:
        print(json.dumps(run_case(json.loads(given.case))))
        return
    sides: list[tuple[str, str, dict[str, Any]]] = [("ours", sys.executable, {"workers": 1})]
    if max(given.threads) > 1:
        sides.append(("ours", sys.executable, {"workers": 2}))
    sides += [("peft", sys.executable, {"attention": attention}) for attention in ("sdpa", "eager")]
    sides += [("trl", given.trl, {})] if given.trl else []
    result: dict[str, Any] = {
        "machine": machine(),
        "format": quick_format(),
        "shape": given.shape,
        "steps": given.steps,
        "cases": {},
    }
    with tempfile.TemporaryDirectory() as place:
        home = Path(place) / "home"
        os.environ["MAKAR_HOME"] = str(home)
        make_base(Path(place) / "base", SHAPES[given.shape])
        for side, python, how in sides:
            case = {
                "side": side,
                "shape": given.shape,
                "steps": given.steps,
                "base": str(Path(place) / "base"),
                "how": how,
            }
            # Workers have a thread each.
            for threads in [1] if how.get("workers", 1) > 1 else given.threads:
                found = measured(case, python=python, threads=threads, home=home)
                result["cases"].setdefault(side, []).append(found)
                print(side, found, flush=True)
    best = {side: max(found, key=lambda one: one["tokens_per_second"]) for side, found in result["cases"].items()}
    peers = [one for side, one in best.items() if side != "ours"]
    ratio = best["ours"]["tokens_per_second"] / max(one["tokens_per_second"] for one in peers)
    memory = best["ours"]["peak_bytes"] / min(one["peak_bytes"] for one in peers)
    result |= {"best": best, "speed_ratio": ratio, "memory_ratio": memory, "bar": BAR}
    print(f"ours {ratio:.2f} times the fastest peer, {memory:.2f} times the memory of the one that takes least")
    write_result("lora-speed", result)
    if ratio < BAR or memory > 1:
        sys.exit(1)


if __name__ == "__main__":
    main()
