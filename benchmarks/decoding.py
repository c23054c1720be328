"""Decoding speed of makar against transformers' generate() on the identical saved model, batch 1, greedy, and the cost of int8 in bits.

    python benchmarks/decoding.py                                  speed; writes benchmarks/results/YYYY-MM-DD-decoding.json
    python benchmarks/decoding.py --model FOLDER --text FILE       bits/byte of a trained model in float32, bfloat16 and int8

Models have random weights: speed does not depend on their values. They are saved by transformers and read from that folder by both
sides. Every side runs in its own process with 1 and with 2 threads, transformers also with each cache and attention it offers; each is
taken at its best over all of that and over ``--rounds`` interleaved rounds, so that a busy moment hurts nobody for good. Time is wall
time of a whole call, prompt included. In float32 the tokens must be equal.
"""

import argparse
import datetime
import json
import math
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

PROMPT_TOKENS = 16
WARM_UP_TOKENS = 32
SHAPES: dict[str, dict[str, int | str]] = {
    "2M": {"layout": "mainstream", "width": 192, "depth": 4, "heads": 6, "hidden": 512, "vocabulary": 2048},
    "2M-compact": {"layout": "compact", "width": 192, "depth": 4, "heads": 6, "hidden": 512, "vocabulary": 1024},
    "25M": {"layout": "mainstream", "width": 512, "depth": 7, "heads": 8, "hidden": 1408, "vocabulary": 4096},
}
BARS = {("2M", "float32"): (6, 10), ("25M", "float32"): (1.5, 2), ("25M", "int8"): (3, 4)}
PEER_SETTINGS = [(cache, attention) for cache in ("dynamic", "static") for attention in ("sdpa", "eager")]


def make_model(name: str, folder: Path) -> int:
    """Save a model with random weights and return its number of parameters."""
    import torch
    import transformers

    shape = SHAPES[name]
    sizes: dict[str, Any] = {
        "vocab_size": shape["vocabulary"],
        "hidden_size": shape["width"],
        "intermediate_size": shape["hidden"],
        "num_hidden_layers": shape["depth"],
        "num_attention_heads": shape["heads"],
        "num_key_value_heads": shape["heads"],
        "max_position_embeddings": 512,
        "initializer_range": 0.08,
    }
    torch.manual_seed(0)
    if shape["layout"] == "mainstream":
        head_width = int(shape["width"]) // int(shape["heads"])
        config = transformers.Qwen3Config(**sizes, head_dim=head_width, tie_word_embeddings=True)
        model: Any = transformers.Qwen3ForCausalLM(config)
    else:
        model = transformers.NanoChatForCausalLM(transformers.NanoChatConfig(**sizes))
    model.save_pretrained(folder)
    return sum(parameter.numel() for parameter in model.parameters())


def prompt_tokens(vocabulary: int) -> list[int]:
    """Return the same prompt for everybody."""
    return [(7 * index + 3) % vocabulary for index in range(PROMPT_TOKENS)]


def run_peer(folder: Path, new_tokens: int) -> dict[str, Any]:
    """Time generate() in each of its settings; the fastest counts."""
    import torch
    import transformers

    transformers.logging.set_verbosity_error()
    best: dict[str, Any] = {"tokens_per_second": 0.0}
    for cache, attention in PEER_SETTINGS:
        model: Any = transformers.AutoModelForCausalLM.from_pretrained(folder, attn_implementation=attention).eval()
        ids = torch.tensor([prompt_tokens(model.config.vocab_size)])

        def call(count: int, model: Any = model, ids: Any = ids, cache: str = cache) -> list[int]:
            with torch.inference_mode():
                made = model.generate(
                    ids,
                    attention_mask=torch.ones_like(ids),
                    do_sample=False,
                    max_new_tokens=count,
                    min_new_tokens=count,
                    eos_token_id=None,
                    pad_token_id=0,
                    cache_implementation=cache,
                )
            return made[0, PROMPT_TOKENS:].tolist()

        call(WARM_UP_TOKENS)
        started = time.perf_counter()
        tokens = call(new_tokens)
        rate = new_tokens / (time.perf_counter() - started)
        if rate > best["tokens_per_second"]:
            best = {"tokens_per_second": rate, "tokens": tokens, "setting": f"{cache} cache, {attention}"}
    return best


def run_makar(folder: Path, new_tokens: int, precision: str) -> dict[str, Any]:
    """Time the sampler, streaming and decoding to text included."""
    import torch
    from safetensors.torch import load_file

    from makar.families.transformer.decoder import DecoderShape
    from makar.families.transformer.options import TextOptions
    from makar.families.transformer.sampler import TransformerSampler

    shape = DecoderShape.from_transformers(json.loads((folder / "config.json").read_text()))
    sampler = TransformerSampler(
        shape,
        load_file(folder / "model.safetensors"),
        end_tokens=(),  # nothing ends the text early, as on the other side
        decode_tokens=lambda tokens: "".join(map(chr, tokens)),
    )
    prompt = {"target": torch.tensor(prompt_tokens(shape.vocabulary))}

    def call(count: int) -> list[int]:
        options = TextOptions(temperature=0.0, max_tokens=count, precision=precision)
        return [token for _, slots, _ in sampler.sample(options, [prompt], [0]) for token in slots["target"].tolist()]

    call(WARM_UP_TOKENS)
    started = time.perf_counter()
    tokens = call(new_tokens)
    rate = new_tokens / (time.perf_counter() - started)
    return {"tokens_per_second": rate, "tokens": tokens, "setting": precision}


def in_process(side: str, folder: Path, *, threads: int, new_tokens: int) -> dict[str, Any]:
    """Run one side in a process of its own, because NumPy's BLAS fixes its threads when it is loaded."""
    count = str(threads)
    source = str(Path(__file__).resolve().parents[1] / "src")
    path = os.pathsep.join(part for part in (source, os.environ.get("PYTHONPATH", "")) if part)
    done = subprocess.run(
        [sys.executable, __file__, "--side", side, "--model", str(folder), "--tokens", str(new_tokens)],
        env={**os.environ, "OMP_NUM_THREADS": count, "OPENBLAS_NUM_THREADS": count, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{side} failed:\n{done.stderr}")
    return {**json.loads(done.stdout.splitlines()[-1]), "threads": threads}


def compare(arguments: argparse.Namespace) -> None:
    """Measure every shape and write the table and the JSON file."""
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        for name in arguments.shapes:
            folder = Path(temporary) / name
            parameters = make_model(name, folder)
            sides = ["transformers", "float32", "int8"]
            best: dict[str, dict[str, Any]] = {}
            for _ in range(arguments.rounds):
                for threads in arguments.threads:
                    for side in sides:
                        got = in_process(side, folder, threads=threads, new_tokens=arguments.tokens)
                        if side not in best or got["tokens_per_second"] > best[side]["tokens_per_second"]:
                            best[side] = got
            if best["float32"]["tokens"] != best["transformers"]["tokens"]:
                raise SystemExit(f"{name}: the float32 tokens differ from those of transformers")
            for precision in ("float32", "int8"):
                bar, aim = BARS.get((name, precision), (None, None))
                peer, ours = best["transformers"], best[precision]
                rows.append(
                    {
                        "model": name,
                        "parameters": parameters,
                        "precision": precision,
                        "peer_tokens_per_second": round(peer["tokens_per_second"], 1),
                        "peer_setting": f"{peer['setting']}, {peer['threads']} threads",
                        "tokens_per_second": round(ours["tokens_per_second"], 1),
                        "threads": ours["threads"],
                        "ratio": round(ours["tokens_per_second"] / peer["tokens_per_second"], 2),
                        "bar": bar,
                        "aim": aim,
                    }
                )
    print(f"{'model':11} {'precision':10} {'transformers':>13} {'makar':>9} {'ratio':>7}   bar   aim")
    for row in rows:
        peer_rate, rate, ratio = row["peer_tokens_per_second"], row["tokens_per_second"], row["ratio"]
        goal = f"{row['bar'] or '-':>5} {row['aim'] or '-':>5}"
        print(f"{row['model']:11} {row['precision']:10} {peer_rate:13} {rate:9} {ratio:6.2f}x {goal}")
    write_result("decoding", {"new_tokens": arguments.tokens, "rounds": arguments.rounds, "rows": rows})


def measure_bits(folder: Path, text_file: Path, limit_bytes: int) -> None:
    """Print and write bits per byte of a trained model in each precision, on windows of its context."""
    import torch
    from safetensors.torch import load_file
    from tokenizers import Tokenizer

    from makar.families.transformer.block_decoder import all_logits
    from makar.families.transformer.decoder import DecoderShape, pack_weights

    shape = DecoderShape.from_transformers(json.loads((folder / "config.json").read_text()))
    tensors = load_file(folder / "model.safetensors")
    text = text_file.read_bytes()[:limit_bytes].decode(errors="ignore")
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokens = torch.tensor(tokenizer.encode(text, add_special_tokens=False).ids)
    bits: dict[str, float] = {}
    for precision in ("float32", "bfloat16", "int8"):
        weights, nats = pack_weights(shape, tensors, precision=precision), 0.0
        for start in range(0, len(tokens) - 1, shape.context_length):
            window = tokens[start : start + shape.context_length + 1]
            with torch.inference_mode():
                logits = all_logits(weights, window[:-1])
            nats += float(torch.nn.functional.cross_entropy(logits, window[1:], reduction="sum"))
        bits[precision] = nats / math.log(2) / len(text.encode())
    worse = {name: round(100 * (value / bits["float32"] - 1), 3) for name, value in bits.items()}
    rounded = {name: round(value, 5) for name, value in bits.items()}
    result = {"tokens": len(tokens), "bits_per_byte": rounded, "percent_worse": worse, "bar_percent": 1.0}
    write_result("decoding-precision", result)


def write_result(name: str, result: dict[str, Any]) -> None:
    """Write a dated file beside the benchmarks and print it as one line."""
    today = datetime.date.today().isoformat()
    result = {"date": today, "machine": machine(), **result}
    path = Path(__file__).parent / "results" / f"{today}-{name}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result))


def machine() -> str:
    """Return processor, cores and versions."""
    import numpy
    import torch
    import transformers

    versions = f"torch {torch.__version__}, numpy {numpy.__version__}, transformers {transformers.__version__}"
    return f"{platform.machine()}, {os.cpu_count()} cores, {torch.backends.cpu.get_cpu_capability()}, {versions}"


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", nargs="+", choices=SHAPES, default=list(SHAPES))
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tokens", type=int, default=256)
    parser.add_argument("--model", type=Path, help="a trained model's folder, with --text")
    parser.add_argument("--text", type=Path, help="text that the model has not seen")
    parser.add_argument("--limit-bytes", type=int, default=200_000)
    parser.add_argument("--side", choices=["transformers", "float32", "int8"], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.side == "transformers":
        print(json.dumps(run_peer(arguments.model, arguments.tokens)))
    elif arguments.side:
        print(json.dumps(run_makar(arguments.model, arguments.tokens, arguments.side)))
    elif bool(arguments.model) != bool(arguments.text):
        parser.error("--model and --text go together")
    elif arguments.model:
        measure_bits(arguments.model, arguments.text, arguments.limit_bytes)
    else:
        compare(arguments)


if __name__ == "__main__":
    main()
