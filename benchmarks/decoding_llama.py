"""Decoding speed against llama.cpp: the same model of 110 million parameters, our int8 and its Q8_0, batch 1, tokens a second.

Run: python benchmarks/decoding_llama.py --llama-bench PROGRAM [--tokens 128] [--rounds 3]

The model has random weights, on which speed does not depend; its vocabulary are 8,192 pairs learned from text. It is saved by makar and
exported by ``makar export --to gguf``, so both sides read the same numbers. llama.cpp is measured by its own ``llama-bench``, with 1 and 2
threads, three repetitions each, ours by the sampler with streaming in a process of its own with 1 and 2 threads; the best of each counts.
Ends with 1 where ours is below 0.6 of its speed.
"""

import argparse
import gzip
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from decoding import in_process
from measure import data_folder, machine, timed, write_result

SHAPE = {"width": 768, "depth": 12, "heads": 12, "hidden": 3072, "context": 512}
VOCABULARY = 8192
BAR, AIM = 0.6, 0.9


def make_model(folder: Path) -> int:
    """Save a model of ours with random weights and return its number of parameters."""
    import torch

    from makar.artifacts.save import save_artifact
    from makar.codecs.codec import fit_codec
    from makar.codecs.text_config import BpeCodecConfig
    from makar.data.record import Record
    from makar.families.family import build_family
    from makar.families.transformer.config import TransformerConfig
    from makar.recipe import Recipe, Stage

    with gzip.open(data_folder() / "tiny_shakespeare" / "input.txt.gz", "rt", encoding="utf-8") as file:
        text = file.read()
    record = Record(id="0" * 16, medium="text", content=text, document="text", source="text", split="train")
    codec = fit_codec(BpeCodecConfig(vocabulary_size=VOCABULARY), iter([record]))
    config = TransformerConfig(layout="mainstream", tied=True, **SHAPE).bound_to(codec.spec)
    family = build_family(config)
    generator = torch.Generator().manual_seed(0)
    family.initialise(generator)
    with torch.no_grad():
        for parameter in family.parameters():
            if parameter.ndim > 1:
                parameter.normal_(std=0.02, generator=generator)
    stage = Stage(name="model", codec=codec.config, family=config)
    recipe = Recipe(name="text", medium="text", summary="random weights", stages=(stage,))
    data = {"fingerprint": "0" * 64, "name": "none", "medium": "text"}
    save_artifact(folder, recipe=recipe, codec=codec, family=family, training={"run": ""}, data=data)
    return sum(parameter.numel() for parameter in family.parameters())


def main() -> None:
    """Measure both sides, print the ratio, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--llama-bench", required=True, help="the program of llama.cpp that measures itself")
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        model, exported = Path(place) / "model", Path(place) / "exported"
        parameters = make_model(model)
        export = [sys.executable, "-m", "makar", "export", str(model), str(exported), "--to", "gguf"]
        timed([*export, "--precision", "int8"])
        file = next(exported.glob("*.gguf"))
        sides: dict[str, list[float]] = {"llama.cpp": [], "makar": []}
        for _ in range(given.rounds):
            for threads in (1, 2):
                words = [
                    "-m",
                    str(file),
                    "-t",
                    str(threads),
                    "-p",
                    "0",
                    "-n",
                    str(given.tokens),
                    "-r",
                    "3",
                    "-o",
                    "json",
                ]
                done = subprocess.run([given.llama_bench, *words], capture_output=True, text=True, check=True)
                sides["llama.cpp"].append(json.loads(done.stdout)[0]["avg_ts"])
                ours = in_process("int8", model, threads=threads, new_tokens=given.tokens)
                sides["makar"].append(ours["tokens_per_second"])
                print({side: round(rates[-1], 1) for side, rates in sides.items()}, threads, "threads", flush=True)
    best = {side: max(rates) for side, rates in sides.items()}
    ratio = best["makar"] / best["llama.cpp"]
    print(f"{parameters / 1e6:.0f} M parameters, tokens a second {best}; ratio {ratio:.2f} (bar {BAR}, aim {AIM})")
    result = {
        "machine": machine(),
        "parameters": parameters,
        "best": best,
        "all": sides,
        "ratio": ratio,
        "held": ratio >= BAR,
    }
    write_result("decoding-llama", result)
    sys.exit(0 if ratio >= BAR else 1)


if __name__ == "__main__":
    main()
