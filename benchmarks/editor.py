"""How soon an editor has its completion: the 95th percentile of the time from a request with prefix and suffix to the whole answer.

    python benchmarks/editor.py                                     writes benchmarks/results/YYYY-MM-DD-editor.json
    python benchmarks/editor.py --shape 2M --requests 10            a try of a minute

A model of code with random weights (speed does not depend on their values) is saved and served by `makar serve` on 127.0.0.1. What is
asked is what plugins for completion ask of an OpenAI-compatible server (minuet-ai.nvim's `openai_fim_compatible`, llm.nvim and Continue
with `/v1/completions`): `prompt`, `suffix`, `max_tokens`, `stop` and `stream`, at places of real source code, this repository's own, one
request after the other on one connection, as somebody types. Every other request is given up after its first event, as an editor does
when a key is pressed before the answer came; those are not counted, but the next one has to be as quick.
"""

import argparse
import json
import random
import tempfile
import time
from pathlib import Path
from typing import Any

from measure import machine, write_result
from server_latency import SHAPES, Server, connection_to, pieces

BAR_SECONDS = 0.3
CONTEXT = 512
BEFORE, AFTER = 900, 300
"""Characters of a file before and behind the cursor."""

HERE = Path(__file__).parents[1] / "src" / "makar"
SOURCES = sorted(path for path in HERE.rglob("*.py") if path.stat().st_size > BEFORE + AFTER)


def make_model(shape: str, folder: Path) -> int:
    """Save a model of code with random weights, and a vocabulary learned on this repository; return its parameters."""
    import torch

    from makar.artifacts.save import save_artifact
    from makar.codecs.codec import fit_codec
    from makar.codecs.text_config import END_TOKEN, INFILL_TOKENS, code_codec
    from makar.data.record import Record
    from makar.families.family import build_family
    from makar.families.transformer.config import TransformerConfig
    from makar.recipe import Recipe, Stage

    records = (
        Record(id=str(number), medium="code", content=path.read_text(), document="d", source="d.py", split="train")
        for number, path in enumerate(SOURCES[:80])
    )
    codec = fit_codec(code_codec(2048), records)
    marks = (*INFILL_TOKENS, END_TOKEN)
    config = TransformerConfig(context=CONTEXT, infill_share=0.5, infill_tokens=marks, **SHAPES[shape]).bound_to(
        codec.spec
    )
    family = build_family(config)
    family.initialise(torch.Generator().manual_seed(0))
    stage = Stage(name="model", codec=codec.config, family=config)
    recipe = Recipe(name="code", medium="code", summary="random weights", stages=(stage,))
    data = {"fingerprint": "00" * 32, "name": "nothing"}
    save_artifact(folder, recipe=recipe, codec=codec, family=family, training={"run": ""}, data=data)
    return sum(parameter.numel() for parameter in family.parameters())


def asked(number: int, model: str, tokens: int) -> dict[str, Any]:
    """Return a request at some place of some file."""
    draw = random.Random(number)
    text = draw.choice(SOURCES).read_text(encoding="utf-8")
    place = draw.randrange(len(text) // 4, len(text))
    return {
        "model": model,
        "prompt": text[max(0, place - BEFORE) : place],
        "suffix": text[place : place + AFTER],
        "max_tokens": tokens,
        "stop": ["\n\n"],
        "temperature": 0.0,
        "seed": number,
    }


def measured(address: str, model: str, *, requests: int, tokens: int) -> list[float]:
    """Return the seconds of every request that was waited for."""
    found, connection = [], connection_to(address)
    for number in range(requests + 1):
        body = asked(number, model, tokens)
        given_up = connection_to(address)
        next(pieces(given_up, "/v1/completions", asked(-number - 1, model, tokens)))
        given_up.close()
        started = time.perf_counter()
        text = "".join(event["choices"][0]["text"] for _, event in pieces(connection, "/v1/completions", body))
        found.append(time.perf_counter() - started)
        assert isinstance(text, str)
    # The first one loads the model.
    return found[1:]


def percentile(values: list[float], share: float) -> float:
    """Return the value that a share of the values does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--shape", choices=SHAPES, default="25M")
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--tokens", type=int, default=16, help="longest completion; editors ask for a line or two")
    parser.add_argument("--set", action="append", default=[], help="handed to makar serve")
    given = parser.parse_args()
    about = machine()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "coder"
        parameters = make_model(given.shape, folder)
        server = Server(str(folder), *(word for one in given.set for word in ("--set", one)))
        try:
            seconds = measured(server.address, "coder", requests=given.requests, tokens=given.tokens)
        finally:
            server.stop()
    late = percentile(seconds, 0.95)
    result = {
        "machine": about,
        "parameters": parameters,
        "tokens": given.tokens,
        "requests": len(seconds),
        "median_seconds": percentile(seconds, 0.5),
        "p95_seconds": late,
        "bar_seconds": BAR_SECONDS,
        "held": late < BAR_SECONDS,
    }
    print(json.dumps({name: value for name, value in result.items() if name != "machine"}, indent=1))
    write_result("editor", result)
    raise SystemExit(0 if result["held"] else 1)


if __name__ == "__main__":
    main()
