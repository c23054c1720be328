"""What the server adds: time to the first token over the same in this process, and many chats at once against one after another.

    python benchmarks/server_latency.py                     writes benchmarks/results/YYYY-MM-DD-server-latency.json
    python benchmarks/server_latency.py --shape 2M --tokens 16 --rounds 3 --chats 8         a try of a minute

A model with random weights (speed does not depend on their values) is saved and served by `makar serve` on 127.0.0.1. To the first token:
the time from asking to the first text of a streamed completion, over HTTP with a connection that is kept, and of `Model.stream` here, one
of each in turn; reported is the difference of the medians. At once: as many threads as chats, each with an own connection, against the same
chats one after another on one connection; tokens a second of all together.
"""

import argparse
import concurrent.futures
import http.client
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from measure import machine, write_result

FIRST_BAR_SECONDS, RATIO_BAR = 0.015, 4.0
SHAPES = {
    "2M": {"width": 128, "depth": 4, "heads": 4},
    "25M": {"width": 384, "depth": 12, "heads": 6},
    "110M": {"width": 768, "depth": 14, "heads": 12},
}


def make_model(shape: str, folder: Path) -> int:
    """Save a model of bytes with random weights and return its parameters."""
    import torch

    from makar.artifacts.save import save_artifact
    from makar.codecs.codec import fit_codec
    from makar.codecs.text_config import ByteCodecConfig
    from makar.families.family import build_family
    from makar.families.transformer.config import TransformerConfig
    from makar.recipe import Recipe, Stage

    codec = fit_codec(ByteCodecConfig(), iter(()))
    config = TransformerConfig(context=1024, **SHAPES[shape]).bound_to(codec.spec)
    family = build_family(config)
    family.initialise(torch.Generator().manual_seed(0))
    stage = Stage(name="model", codec=codec.config, family=config)
    recipe = Recipe(name="text", medium="text", summary="random weights", stages=(stage,))
    data = {"fingerprint": "00" * 32, "name": "nothing"}
    save_artifact(folder, recipe=recipe, codec=codec, family=family, training={"run": ""}, data=data)
    return sum(parameter.numel() for parameter in family.parameters())


class Server:
    """`makar serve` with one model."""

    def __init__(self, *words: str) -> None:
        command = [sys.executable, "-m", "makar", "serve", *words, "--port", "0"]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert self.process.stderr is not None
        for line in self.process.stderr:
            if found := re.search(r"API on (http://\S+)/v1", line):
                self.address = found[1]
                return
        raise SystemExit("the server did not start")

    def stop(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait(30)


def connection_to(address: str) -> http.client.HTTPConnection:
    """Return a connection."""
    parts = urlsplit(address)
    assert parts.hostname is not None
    return http.client.HTTPConnection(parts.hostname, parts.port, timeout=600)


def pieces(connection: http.client.HTTPConnection, path: str, body: dict[str, Any]) -> Iterator[tuple[float, Any]]:
    """Yield (seconds since asking, event) of a streamed answer."""
    started = time.perf_counter()
    connection.request("POST", path, json.dumps(body | {"stream": True}), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    if answer.status != 200:
        raise SystemExit(answer.read().decode())
    for line in answer:
        if line.startswith(b"data: {"):
            yield time.perf_counter() - started, json.loads(line[6:])
    answer.read()


def first_over_http(
    connection: http.client.HTTPConnection, model: str, prompt: str, *, tokens: int, seed: int
) -> float:
    """Return the seconds to the first text."""
    body = {"model": model, "prompt": prompt, "max_tokens": tokens, "seed": seed}
    first = 0.0
    for seconds, event in pieces(connection, "/v1/completions", body):
        if not first and event["choices"] and event["choices"][0]["text"]:
            first = seconds
    return first


def first_here(model: Any, prompt: str, *, tokens: int, seed: int) -> float:
    """Return the seconds to the first text in this process."""
    started = time.perf_counter()
    stream = model.stream(prompt, seed=seed, options={"max_tokens": tokens})
    next(stream)
    first = time.perf_counter() - started
    for _ in stream:
        pass
    return first


def chat(connection: http.client.HTTPConnection, model: str, *, tokens: int, number: int) -> int:
    """Have one chat and return its tokens."""
    body = {
        "model": model,
        "messages": [{"role": "user", "content": f"Tell me of number {number}, and of its friends."}],
        "max_tokens": tokens,
        "seed": number,
        # Never the token that ends a text, so that every answer is as long.
        "logit_bias": {"256": -100},
        "stream_options": {"include_usage": True},
    }
    used = 0
    for _, event in pieces(connection, "/v1/chat/completions", body):
        used = (event.get("usage") or {}).get("completion_tokens", used)
    return used


def rates(address: str, model: str, *, chats: int, tokens: int) -> dict[str, float]:
    """Return tokens a second one after another and at once."""
    connection = connection_to(address)
    started = time.perf_counter()
    made = sum(chat(connection, model, tokens=tokens, number=number) for number in range(chats))
    alone = made / (time.perf_counter() - started)
    connections = [connection_to(address) for _ in range(chats)]
    with concurrent.futures.ThreadPoolExecutor(chats) as pool:
        started = time.perf_counter()
        found = pool.map(lambda number: chat(connections[number], model, tokens=tokens, number=number), range(chats))
        together = sum(found) / (time.perf_counter() - started)
    return {"one_after_another": alone, "at_once": together, "ratio": together / alone}


def main() -> None:
    """Read the command line, measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=SHAPES, default="25M")
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--chats", type=int, default=32)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="for example precision=int8")
    arguments = parser.parse_args()
    started_on = machine()
    with tempfile.TemporaryDirectory() as temporary:
        os.environ["MAKAR_HOME"] = temporary
        import makar

        parameters = make_model(arguments.shape, Path(temporary) / "models" / "bench")
        model = makar.load("bench")
        words = [word for assignment in arguments.set for word in ("--set", assignment)]
        server = Server("bench", *words)
        try:
            prompt, tokens = "In the beginning there was a small model, and it said: ", arguments.tokens
            connection = connection_to(server.address)
            first_over_http(connection, "bench", prompt, tokens=2, seed=0), first_here(model, prompt, tokens=2, seed=0)
            over_http, here = [], []
            for seed in range(arguments.rounds):
                over_http.append(first_over_http(connection, "bench", prompt, tokens=4, seed=seed))
                here.append(first_here(model, prompt, tokens=4, seed=seed))
            added = statistics.median(over_http) - statistics.median(here)
            found = rates(server.address, "bench", chats=arguments.chats, tokens=tokens)
        finally:
            server.stop()
    print(
        f"{arguments.shape}: first token {1000 * statistics.median(here):.1f} ms here, added by the server {1000 * added:.1f} ms"
    )
    print(f"(bar {1000 * FIRST_BAR_SECONDS:.0f} ms)")
    print(
        f"{arguments.chats} chats: one after another {found['one_after_another']:.1f}, at once {found['at_once']:.1f} tokens/s: "
        f"{found['ratio']:.2f}x (bar {RATIO_BAR})"
    )
    result = {
        "machine": started_on,
        "conditions": {name: getattr(arguments, name) for name in ("shape", "tokens", "rounds", "chats", "set")},
        "parameters": parameters,
        "first_token_seconds": {"http": over_http, "here": here, "added": added, "bar": FIRST_BAR_SECONDS},
        "chats": found | {"bar": RATIO_BAR},
    }
    write_result("server-latency", result)
    if added >= FIRST_BAR_SECONDS or found["ratio"] < RATIO_BAR:
        sys.exit(1)


if __name__ == "__main__":
    main()
