"""Engines of text side by side on the same saved model: numbers, greedy text, and tokens a second alone and in company.

    python benchmarks/engines.py [--model NAME] [--tokens 128] [--rounds 5] [--precisions float32,int8]

Bars: with llama.cpp and with OpenVINO every logit is within 5e-3 of torch's in float32, and the greedy texts are equal up to ties (at the
first token that differs the two were within 1e-3 of each other). Beside them, as nothing is promised of it, the pace in float32, bfloat16
and int8: each engine in interleaved rounds, the best of which counts, alone and with eight texts at a time. Without ``--model`` the model
has random weights of the size of a small recipe: speed does not depend on their values. Needs one of the extras ``llamacpp`` and
``openvino``, and leaves out what is absent; writes benchmarks/results/YYYY-MM-DD-engines.json; ends with 1 where a bar is missed.
"""

import argparse
import importlib.util
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from measure import machine, write_result

import makar
from makar.api.engines import use_engine
from makar.api.model import Model
from makar.artifacts.save import save_artifact
from makar.codecs.codec import fit_codec
from makar.codecs.text_config import ByteCodecConfig
from makar.families.family import build_family
from makar.families.transformer.config import TransformerConfig
from makar.families.transformer.reading import WeightsReader
from makar.recipe import Recipe, Stage

PROMPT = "To be, or not to be, that is the question: whether 'tis nobler in the mind to suffer"
TOLERANCE, TIE = 5e-3, 1e-3
TOGETHER = 8
BESIDE = {"llama.cpp": "llama_cpp", "openvino": "openvino"}
OTHERS = tuple(name for name, package in BESIDE.items() if importlib.util.find_spec(package) is not None)
ENGINES, PRECISIONS = ("torch", *OTHERS), ("float32", "bfloat16", "int8")


def random_model(folder: Path) -> Model:
    """Save a model of bytes of 25 million random weights."""
    codec = ByteCodecConfig()
    fitted = fit_codec(codec, iter(()))
    config = TransformerConfig(context=1024, depth=8, width=512, heads=8).bound_to(fitted.spec)
    family = build_family(config)
    generator = torch.Generator().manual_seed(0)
    family.initialise(generator)
    with torch.no_grad():
        # Some matrices begin at zero, and logits of zero agree on every engine.
        for parameter in family.parameters():
            parameter.add_(0.03 * torch.randn(parameter.shape, generator=generator))
    stage = Stage(name="model", codec=codec, family=config)
    recipe = Recipe(name="text", medium="text", summary="random weights", stages=(stage,))
    data = {"fingerprint": "ab" * 32, "name": "none"}
    save_artifact(folder, recipe=recipe, codec=fitted, family=family, training={"run": ""}, data=data)
    return makar.load(folder)


def differences(model: Model, engine: str) -> dict[str, Any]:
    """Return how far the logits of an engine are from torch's over a text, and whether greedy texts are equal up to ties."""
    artifact = model.artifact
    codec, family = artifact.codec(), artifact.family("cpu")
    tokens = [int(token) for token in codec.encode_text(PROMPT)]
    options = {"temperature": 0, "max_tokens": 64}
    texts = {}
    for name in ("torch", engine):
        use_engine(model, name)
        texts[name] = model.generate(PROMPT, options=options)[0].new_text
    spread = 0.0
    whole = [int(token) for token in codec.encode_text(PROMPT + texts["torch"])]
    weights = family.sampler(codec).weights("float32", positions=len(whole))
    ours = WeightsReader(weights, slots=1, capacity=len(whole))
    theirs = family._engine.reader("float32", slots=1, stretch=1.0)
    largest, gap = 0.0, 0.0
    for place, token in enumerate(whole):
        mine, other = (reader.append([[token]], [0])[0][0] for reader in (ours, theirs))
        largest, spread = max(largest, float((mine - other).abs().max())), max(spread, float(mine.std()))
        if place >= len(tokens) - 1 and int(mine.argmax()) != int(other.argmax()):
            gap = max(gap, float(mine.max() - mine[int(other.argmax())]))
    use_engine(model, "torch")
    return {
        "engine": engine,
        "largest_difference": largest,
        "spread_of_logits": spread,
        "texts_are_equal": texts["torch"] == texts[engine],
        "widest_tie": gap,
    }


def paces(model: Model, *, tokens: int, rounds: int, precisions: Sequence[str]) -> list[dict[str, Any]]:
    """Return tokens a second of each engine and precision, alone and in company, the best of interleaved rounds."""
    best: dict[tuple[str, str, int], float] = {}
    for _ in range(rounds):
        for precision in precisions:
            for engine in ENGINES:
                use_engine(model, engine, precision=precision)
                # What is made ready once is not part of the pace.
                model.generate(PROMPT, options={"max_tokens": 1, "precision": precision})
                for count in (1, TOGETHER):
                    options = {"temperature": 1.0, "top_p": 1.0, "max_tokens": tokens, "precision": precision}
                    started = time.perf_counter()
                    made = model.generate(PROMPT, count=count, options=options)
                    seconds = time.perf_counter() - started
                    written = sum(len(model.artifact.codec().encode_text(one.new_text)) for one in made)
                    key = (engine, precision, count)
                    best[key] = max(best.get(key, 0.0), written / seconds)
    use_engine(model, "torch")
    names = ("engine", "precision", "texts", "tokens_a_second")
    return [dict(zip(names, (*key, pace))) for key, pace in sorted(best.items())]


def main() -> None:
    """Compare the engines."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", help="name or folder of a model of text; none makes one of random weights")
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--precisions", type=lambda text: text.split(","), default=PRECISIONS)
    given = parser.parse_args()
    if not OTHERS:
        parser.error("no engine beside torch is installed: pip install 'makar[llamacpp,openvino]'")
    with tempfile.TemporaryDirectory(prefix="makar-engines-") as folder:
        model = makar.load(given.model) if given.model else random_model(Path(folder) / "random")
        found = [differences(model, engine) for engine in OTHERS]
        table = paces(model, tokens=given.tokens, rounds=given.rounds, precisions=given.precisions)
    for row in found:
        far = f"largest difference of a logit {row['largest_difference']:.1e}, bar {TOLERANCE:.0e}"
        print(f"{row['engine']}: {far}; their spread {row['spread_of_logits']:.2f}")
        print(f"greedy texts equal: {row['texts_are_equal']}; widest tie {row['widest_tie']:.1e}, bar {TIE:.0e}")
    for row in table:
        words = f"{row['engine']:10} {row['precision']:9} {row['texts']} at a time"
        print(f"{words} {row['tokens_a_second']:8.0f} tokens a second")
    is_held = all(row["largest_difference"] <= TOLERANCE and row["widest_tie"] <= TIE for row in found)
    write_result("engines", {"machine": machine(), "parity": found, "pace": table, "bars_are_held": is_held})
    sys.exit(0 if is_held else 1)


if __name__ == "__main__":
    main()
