"""Sixteen requests at once against one at a time: total tokens a second of the native decoder, in each precision, with the same texts.

    python benchmarks/concurrent_requests.py                       writes benchmarks/results/YYYY-MM-DD-concurrent-requests.json
    python benchmarks/concurrent_requests.py --shapes 2M --tokens 16 --rounds 1        a try of seconds

Models have random weights: speed does not depend on their values. Each request is a thread that asks the sampler as a server would; all
of them share one running batch. One at a time is the same requests one after the other. Every round measures both; the best round of
each counts. The bar is for the model of 110 million parameters; what is held against it is the best precision at once over the best
precision one at a time. Texts must be equal in every precision.
"""

import argparse
import json
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from decoding import SHAPES, make_model
from measure import machine, write_result

PRECISIONS = ("float32", "float32-batched", "bfloat16", "int8")
SHAPES["110M"] = {"layout": "mainstream", "width": 768, "depth": 12, "heads": 12, "hidden": 3072, "vocabulary": 8192}
BAR, AIM = 4.0, 8.0


def measure(folder: Path, precision: str, *, requests: int, new_tokens: int, rounds: int) -> dict[str, float]:
    """Return tokens a second one at a time and at once."""
    import torch
    from safetensors.torch import load_file

    from makar.families.transformer.decoder import DecoderShape
    from makar.families.transformer.options import TextOptions
    from makar.families.transformer.sampler import Pace, TransformerSampler
    from makar.families.transformer.shared_decoding import SharedDecoding

    shape = DecoderShape.from_transformers(json.loads((folder / "config.json").read_text()))
    shared = SharedDecoding()
    settings: dict[str, Any] = {
        "end_tokens": (),  # nothing ends a text early
        "decode_tokens": lambda tokens: " ".join(map(str, tokens)),
    }
    tensors = load_file(folder / "model.safetensors")
    alone = TransformerSampler(shape, tensors, **settings, pace=Pace(slots=requests))
    together = TransformerSampler(shape, tensors, **settings, pace=Pace(slots=requests, shared=shared))
    options = TextOptions(max_tokens=new_tokens, precision=precision)
    prompts = [
        [(7 * place + 11 * number) % shape.vocabulary for place in range(16 + number)] for number in range(requests)
    ]

    def ask(sampler: TransformerSampler, number: int) -> list[int]:
        prompt = {"target": torch.tensor(prompts[number])}
        return [
            token for _, slots, _ in sampler.sample(options, [prompt], [number]) for token in slots["target"].tolist()
        ]

    def one_at_a_time() -> list[list[int]]:
        return [ask(alone, number) for number in range(requests)]

    def at_once() -> list[list[int]]:
        found: list[list[int]] = [[]] * requests

        def run(number: int) -> None:
            found[number] = ask(together, number)

        threads = [threading.Thread(target=run, args=(number,)) for number in range(requests)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return found

    ask(alone, 0), ask(together, 0)
    best = {"one_at_a_time": 0.0, "at_once": 0.0}
    for _ in range(rounds):
        texts = []
        for name, way in (("one_at_a_time", one_at_a_time), ("at_once", at_once)):
            started = time.perf_counter()
            texts.append(way())
            rate = requests * new_tokens / (time.perf_counter() - started)
            best[name] = max(best[name], rate)
        if texts[0] != texts[1]:
            raise SystemExit(f"{precision}: the texts at once differ from those one at a time")
    return best


def main() -> None:
    """Read the command line, measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", nargs="+", choices=SHAPES, default=["2M", "25M", "110M"])
    parser.add_argument("--requests", type=int, default=16)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    started_on = machine()
    rows = []
    for name in arguments.shapes:
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            parameters = make_model(name, folder)
            rates = {
                precision: measure(
                    folder,
                    precision,
                    requests=arguments.requests,
                    new_tokens=arguments.tokens,
                    rounds=arguments.rounds,
                )
                for precision in PRECISIONS
            }
        most = {way: max(rate[way] for rate in rates.values()) for way in ("one_at_a_time", "at_once")}
        ratio = most["at_once"] / most["one_at_a_time"]
        rows.append({"model": name, "parameters": parameters, "tokens_per_second": rates, "ratio_of_best": ratio})
        for precision, rate in rates.items():
            own = rate["at_once"] / rate["one_at_a_time"]
            print(f"{name:6} {precision:15} {rate['one_at_a_time']:9.1f} {rate['at_once']:9.1f} tokens/s  {own:5.2f}x")
        print(f"{name:6} best against best {ratio:.2f}x (bar {BAR}, aim {AIM})")
    conditions = {name: getattr(arguments, name) for name in ("requests", "tokens", "rounds")}
    write_result("concurrent-requests", {"machine": started_on, **conditions, "bar": BAR, "aim": AIM, "rows": rows})
    sys.exit(any(row["ratio_of_best"] < BAR for row in rows if row["model"] == "110M"))


if __name__ == "__main__":
    main()
