"""A thousand requests while clients go away and the model's process is killed: none is lost without an error, and how soon it is back.

    python benchmarks/server_faults.py                  writes benchmarks/results/YYYY-MM-DD-server-faults.json
    python benchmarks/server_faults.py --requests 60 --kills 2          a try of a minute

Eight threads send completions, whole or streamed. A share of the clients closes its connection in the middle. Meanwhile the process of the
model is killed (SIGKILL) again and again; after each kill the time to the next request that is answered is measured. Every request has to
end in one of four ways: answered, an error of the server in words (status, or an event in the stream), the client's own going away, or a
connection that was refused. One that ends without any of these, or not at all within a minute, is lost. In the end no work may be left, and
the memory of the front is compared with that after the first tenth.
"""

import argparse
import concurrent.futures
import http.client
import json
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
from measure import machine, write_result
from server_latency import SHAPES, Server, connection_to, make_model

BACK_BAR_SECONDS = 5.0
GOES_SHARE = 0.2
PATIENCE_SECONDS = 60


def one(address: str, number: int, *, tokens: int) -> str:
    """Send one request and say how it ended."""
    draw = random.Random(number)
    is_streamed, goes = draw.random() < 0.7, draw.random() < GOES_SHARE
    body = {"model": "bench", "prompt": f"Number {number}", "max_tokens": tokens, "seed": number, "stream": is_streamed}
    connection = connection_to(address)
    connection.timeout = PATIENCE_SECONDS
    try:
        connection.request("POST", "/v1/completions", json.dumps(body), {"Content-Type": "application/json"})
        if goes and not is_streamed:
            time.sleep(draw.random() * 0.2)
            return "gone"
        answer = connection.getresponse()
        if answer.status != 200:
            return "error" if "error" in json.loads(answer.read()) else "lost"
        if not is_streamed:
            return "answered" if json.loads(answer.read())["choices"] else "lost"
        return _followed(answer, goes_after=draw.randrange(3) if goes else None)
    except (TimeoutError, ValueError, http.client.HTTPException):
        return "lost"
    except OSError:
        return "refused"
    finally:
        connection.close()


def _followed(answer: http.client.HTTPResponse, *, goes_after: int | None) -> str:
    count = 0
    for line in answer:
        if line.startswith(b"data: [DONE]"):
            return "answered"
        if line.startswith(b"data: {"):
            count += 1
            if "error" in json.loads(line[6:]):
                return "error"
            if goes_after is not None and count > goes_after:
                return "gone"
    return "lost"


def worker_of(server: Server) -> psutil.Process | None:
    """Return the process of the model."""
    children = psutil.Process(server.process.pid).children()
    return children[0] if children else None


def kill_and_wait(server: Server, number: int) -> float:
    """Kill the process of the model and return the seconds until a request is answered again."""
    process = worker_of(server)
    if process is not None:
        process.send_signal(signal.SIGKILL)
    started = time.perf_counter()
    while one(server.address, 10_000_000 + number, tokens=1) not in ("answered", "gone"):
        if time.perf_counter() - started > PATIENCE_SECONDS:
            raise SystemExit("the server did not come back")
        time.sleep(0.02)
    return time.perf_counter() - started


def busy(address: str) -> float:
    """Return how many pieces of work the model has."""
    connection = connection_to(address)
    connection.request("GET", "/metrics")
    lines = connection.getresponse().read().decode().splitlines()
    connection.close()
    return sum(float(line.split()[-1]) for line in lines if line.startswith(("makar_model_busy", "makar_waiting ")))


def main() -> None:
    """Read the command line, measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--shape", choices=SHAPES, default="2M")
    arguments = parser.parse_args()
    started_on = machine()
    endings: Counter[str] = Counter()
    back: list[float] = []
    memory: list[int] = []
    lock = threading.Lock()
    with tempfile.TemporaryDirectory() as temporary:
        os.environ["MAKAR_HOME"] = temporary
        make_model(arguments.shape, Path(temporary) / "models" / "bench")
        server = Server("bench")

        def send(number: int) -> None:
            ending = one(server.address, number, tokens=arguments.tokens)
            with lock:
                endings[ending] += 1

        try:
            with concurrent.futures.ThreadPoolExecutor(8) as pool:
                waiting = [pool.submit(send, number) for number in range(arguments.requests)]
                for kill in range(arguments.kills):
                    share = (kill + 1) / (arguments.kills + 1)
                    while sum(endings.values()) < share * arguments.requests:
                        time.sleep(0.02)
                    memory.append(psutil.Process(server.process.pid).memory_info().rss)
                    back.append(kill_and_wait(server, kill))
                for one_of_them in waiting:
                    one_of_them.result()
            end = time.monotonic() + 10
            while busy(server.address) and time.monotonic() < end:
                time.sleep(0.05)
            left = busy(server.address)
            memory.append(psutil.Process(server.process.pid).memory_info().rss)
        finally:
            server.stop()
    growth = memory[-1] / memory[0] - 1
    print(
        f"{arguments.requests} requests: {dict(sorted(endings.items()))}; lost {endings['lost']} (bar 0); work left {left:g}"
    )
    print(
        f"back after a kill: at most {max(back):.2f} s (bar {BACK_BAR_SECONDS} s); memory of the front {100 * growth:+.1f} %"
    )
    result: dict[str, Any] = {
        "machine": started_on,
        "conditions": {name: getattr(arguments, name) for name in ("requests", "kills", "tokens", "shape")},
        "endings": dict(endings),
        "work_left": left,
        "back_seconds": back,
        "memory_growth": growth,
        "bars": {"lost": 0, "back_seconds": BACK_BAR_SECONDS},
    }
    write_result("server-faults", result)
    if endings["lost"] or left or max(back) >= BACK_BAR_SECONDS:
        sys.exit(1)


if __name__ == "__main__":
    main()
