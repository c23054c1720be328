"""Many requests at once: `makar serve` against `transformers serve` on the same saved model.

    python benchmarks/server_peers.py                       writes benchmarks/results/YYYY-MM-DD-server-peers.json
    python benchmarks/server_peers.py --shape 2M --tokens 16 --chats 4 --rounds 1        a try of a minute

A model of the mainstream layout with random weights (speed does not depend on their values) is saved once; both servers open that folder
and are asked for completions of the same prompts on 127.0.0.1, by as many threads as requests, a connection each, and one after
another. Greedy, so that neither draws; tokens are what each counts in `usage`. Ours runs in float32 and in float32-batched; the peer as it
comes and with `--continuous-batching`, where it runs. Servers run one at a time with every processor; the best round of each counts, and
the best setting of each side is compared.
"""

import argparse
import concurrent.futures
import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from editor import make_model
from measure import machine, write_result
from server_latency import SHAPES, Server, connection_to

BAR = 1.5
SETTINGS = {
    "makar float32": ["--set", "precision=float32"],
    "makar float32-batched": ["--set", "precision=float32-batched"],
    "transformers": [],
    "transformers continuous": ["--continuous-batching"],
}


def asked(connection: http.client.HTTPConnection, model: str, *, tokens: int, number: int) -> int:
    """Ask for one completion and return how many tokens it has."""
    body = {"model": model, "prompt": f"def number_{number}(value):\n    ", "max_tokens": tokens, "temperature": 0.0}
    # A connection that stood idle may have been closed by the server.
    connection.close()
    connection.request("POST", "/v1/completions", json.dumps(body), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    said = answer.read()
    if answer.status != 200:
        raise RuntimeError(said.decode()[:500])
    count: int = json.loads(said)["usage"]["completion_tokens"]
    return count


def rates(address: str, model: str, *, chats: int, tokens: int, rounds: int) -> dict[str, float]:
    """Return the best tokens a second one after another and at once."""
    best = {"one_after_another": 0.0, "at_once": 0.0}
    connections = [connection_to(address) for _ in range(chats)]
    asked(connections[0], model, tokens=2, number=0)
    with concurrent.futures.ThreadPoolExecutor(chats) as pool:
        for _ in range(rounds):
            started = time.perf_counter()
            made = sum(asked(connections[0], model, tokens=tokens, number=number) for number in range(min(chats, 8)))
            best["one_after_another"] = max(best["one_after_another"], made / (time.perf_counter() - started))
            started = time.perf_counter()
            found = pool.map(
                lambda number: asked(connections[number], model, tokens=tokens, number=number), range(chats)
            )
            best["at_once"] = max(best["at_once"], sum(found) / (time.perf_counter() - started))
    return best


@contextmanager
def transformers_server(folder: Path, words: list[str]) -> Iterator[str]:
    """Serve the folder with transformers and yield its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(Path(sys.executable).parent / "transformers"), "serve", str(folder), "--host", "127.0.0.1"]
    command += ["--port", str(port), "--device", "cpu", "--dtype", "float32", *words]
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=said, text=True)
        address = f"http://127.0.0.1:{port}"
        try:
            for _ in range(240):
                if process.poll() is not None:
                    said.seek(0)
                    raise RuntimeError(said.read()[-500:])
                try:
                    connection = connection_to(address)
                    connection.request("GET", "/health")
                    if connection.getresponse().status == 200:
                        break
                except OSError:
                    time.sleep(0.5)
            yield address
        finally:
            process.terminate()
            process.wait(60)


def measured(setting: str, folder: Path, **how: int) -> dict[str, Any]:
    """Return the rates of one server with one setting, or why there are none."""
    words = SETTINGS[setting]
    if setting.startswith("makar"):
        server = Server(folder.name, *words)
        try:
            return rates(server.address, folder.name, **how)
        finally:
            server.stop()
    try:
        with transformers_server(folder, words) as address:
            return rates(address, str(folder), **how)
    except (RuntimeError, OSError, http.client.HTTPException) as error:
        return {"one_after_another": 0.0, "at_once": 0.0, "why": str(error)}


def main() -> None:
    """Measure every setting, compare, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=SHAPES, default="25M")
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--chats", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    about = machine()
    with tempfile.TemporaryDirectory() as place:
        os.environ["MAKAR_HOME"] = place
        folder = Path(place) / "models" / "bench"
        parameters = make_model(given.shape, folder)
        found = {}
        for setting in SETTINGS:
            found[setting] = measured(setting, folder, chats=given.chats, tokens=given.tokens, rounds=given.rounds)
            print(setting, found[setting], flush=True)
    best = {
        side: max(rate["at_once"] for setting, rate in found.items() if setting.startswith(side))
        for side in ("makar", "transformers")
    }
    if not all(best.values()):
        sys.exit(f"one side did not run, so nothing is compared: {found}")
    ratio = best["makar"] / best["transformers"]
    print(f"{given.chats} requests at once: {best}, {ratio:.2f}x (bar {BAR})")
    conditions = {name: getattr(given, name) for name in ("shape", "tokens", "chats", "rounds")}
    result = {"machine": about, **conditions, "parameters": parameters, "found": found, "ratio": ratio, "bar": BAR}
    write_result("server-peers", result)
    sys.exit(ratio < BAR)


if __name__ == "__main__":
    main()
