"""Partial images: what they cost, how soon the first is there, and whether they are of the image that comes.

    python benchmarks/previews.py                           writes benchmarks/results/YYYY-MM-DD-previews.json
    python benchmarks/previews.py --steps 20 --images 2     a try of a minute

A diffusion of ``builtin:digits`` is trained for ``--steps`` steps and served by ``makar serve``. Images of the same seeds are made over
HTTP with no partial image and with three, in turn. Reported are the medians of the time, the share of it after which the first
preview came, and how far each preview is from its finished image (mean difference of a pixel), beside the control: how far that is
from the finished image of another seed. Bars: three previews take at most a tenth longer, the first is there before half of the time,
every finished image is the same with and without them, and each preview is nearer to its image than the one before, the last nearer than
half the control. It ends with 1 where a bar is missed.
"""

import argparse
import base64
import io
import os
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Any

import numpy as np
from measure import machine, write_result
from PIL import Image
from server_latency import Server, connection_to, pieces

LONGER_BAR, FIRST_BAR, NEAR_BAR = 1.1, 0.5, 0.5
MOST = 3


def made(address: str, body: dict[str, Any]) -> tuple[float, list[tuple[float, np.ndarray]]]:
    """Return (seconds in all, [(seconds, pixels) of every event]) of one image."""
    connection = connection_to(address)
    found = []
    for seconds, event in pieces(connection, "/v1/images/generations", body):
        pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(event["b64_json"])))).astype(float)
        found.append((seconds, pixels))
    connection.close()
    return found[-1][0], found


def main() -> int:
    """Measure, write the result and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=400, help="of the training")
    parser.add_argument("--images", type=int, default=24)
    parser.add_argument("--solver-steps", type=int, default=20)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        os.environ["MAKAR_HOME"] = home
        words = ["train", "builtin:digits", "--recipe", "flow", "--steps", str(options.steps)]
        subprocess.run([sys.executable, "-m", "makar", *words, "-o", "digits"], check=True, stdout=subprocess.DEVNULL)
        server = Server("digits")
        try:
            plain, shown, firsts, far, others, same = [], [], [], [], [], []
            last: np.ndarray | None = None
            for seed in range(-1, options.images):
                asked = {
                    "model": "digits",
                    "prompt": "",
                    "seed": max(seed, 0),
                    "steps": options.solver_steps,
                    "store": False,
                }
                without, (*_, (_, image)) = made(server.address, asked)
                time.sleep(0.05)
                took, events = made(server.address, asked | {"partial_images": MOST})
                if seed < 0:
                    # The first of all loads code and warms the caches.
                    continue
                plain.append(without)
                shown.append(took)
                firsts.append(events[0][0] / took)
                far.append([float(np.abs(one - image).mean()) for _, one in events[:-1]])
                same.append(bool(np.array_equal(events[-1][1], image)))
                if last is not None:
                    others.append(float(np.abs(last - image).mean()))
                last = image
        finally:
            server.stop()
    longer = statistics.median(shown) / statistics.median(plain)
    nearer = [float(statistics.median(column)) for column in zip(*far)]
    control, first = statistics.median(others), statistics.median(firsts)
    bars = {
        "longer": longer <= LONGER_BAR,
        "first": first <= FIRST_BAR,
        "same": all(same),
        "nearer": nearer == sorted(nearer, reverse=True) and nearer[-1] <= NEAR_BAR * control,
    }
    print(
        f"an image: {statistics.median(plain):.3f} s, with {MOST} previews {longer:.3f} times that (bar {LONGER_BAR})"
    )
    print(f"the first preview after {100 * first:.0f} % of the time (bar {100 * FIRST_BAR:.0f} %)")
    print(f"from the finished image: {', '.join(f'{one:.1f}' for one in nearer)}; another image {control:.1f}")
    print(f"the same image with and without: {sum(same)} of {len(same)}")
    figures: dict[str, Any] = {"seconds": statistics.median(plain), "times_longer": longer, "first_share": first}
    figures |= {"distance": nearer, "distance_of_another": control, "same": sum(same), "images": len(same)}
    write_result("previews", {"machine": machine(), "options": vars(options), **figures, "bars": bars})
    for name, is_held in bars.items():
        if not is_held:
            print(f"MISSED: {name}")
    return 0 if all(bars.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
