"""Holes of 0.3 s in held-out spoken digits, filled by ``makar edit``, against silence, interpolation, prediction and interpolated bands.

Run: python benchmarks/sound_holes.py [--minutes 6] [--clips 124] [--seed 0] [--model MODEL] [--sounds FOLDER]

A try of seconds: --minutes 0.3 --clips 6. A model is trained by ``makar train --recipe sound``, without classes, on the official training
part of fsdd. Of every held-out clip of at least 0.45 s a hole of 0.3 s, at a place by seed that leaves 50 ms at each end, is silenced and
filled. The others: silence; a straight line from the last sample to the first; what linear prediction (Burg, order 32) hears coming from
both sides, the one faded into the other; and the model's own way with bands that lead in a straight line from what is before the hole to
what is behind it, so that all but the model is the same. Samples outside the hole are equal, bit for bit, or the benchmark fails.

* jump of samples: how much the step into and out of the hole differs from that of the untouched clip there, in shares of its
  root mean square. A line makes no step at all, where speech makes one.
* jump of spectrum: how much the difference between the 16 ms before a border and those after it, in decibels over 16 bands, differs from
  that of the untouched clip.
* the digit that a judge hears who learned them from the training clips by a spectrogram of its own (``sounds.py``).
* log-spectral distance to the truth in the hole, in decibels. One sample of what may have been there need not be nearer than a mean.

All are paired over clips, with an interval by bootstrap. The bar: smaller jumps and more digits heard than by interpolation.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from measure import machine, timed, write_result
from sounds import Clips, clips, heard, seen, taught

import makar
from makar.artifacts.artifact import Artifact
from makar.data.linear_prediction import continued
from makar.data.sound import Sound
from makar.data.wave_file import on_grid, wave_bytes
from makar.generation.sound_edit import filling

HOLE_SECONDS, LEAST_SECONDS, MARGIN_SECONDS = 0.3, 0.45, 0.05
BORDER_SECONDS, BORDER_BANDS = 0.016, 16
RANGE_DB = 60.0
MODEL, LINE = "model", "interpolation"
SMALLER = ("jump of samples", "jump of spectrum", "log-spectral distance")
BAR = ("jump of samples", "jump of spectrum", "digit")


def fills(clip: Sound, first: int, last: int, artifact: Artifact) -> dict[str, np.ndarray]:
    """Return what the ways without a model put into a hole from one sample up to another, each ``[last - first]``."""
    samples, count = clip.samples[:, 0], last - first
    along = (np.arange(count) + 1) / (count + 1)
    from_left = continued(samples[:first], count)
    from_right = continued(samples[last:][::-1], count)[::-1]
    # Of two that do not know of each other the powers add up.
    faded = np.cos(along * np.pi / 2) * from_left + np.sin(along * np.pi / 2) * from_right
    silenced = np.array(clip.samples)
    silenced[first:last] = 0
    codec: Any = artifact.codec()
    place = (first / clip.rate_hz, last / clip.rate_hz)
    slots, change = filling(Sound(silenced, clip.rate_hz), place, codec, {})
    bands = codec.pictures.decode({"target": slots["known"].numpy()})[:, :, 0].astype(float)
    (new,) = np.nonzero(slots["mask"].numpy()[0, 0])
    ends = (max(0, new[0] - 1), min(bands.shape[1] - 1, new[-1] + 1))
    share = (new - ends[0]) / (ends[1] - ends[0])
    bands[:, new] = (1 - share) * bands[:, [ends[0]]] + share * bands[:, [ends[1]]]
    whole = change.finish(np.round(bands).astype(np.uint8)[:, :, None])
    return {
        "silence": np.zeros(count),
        LINE: samples[first - 1] + (samples[last] - samples[first - 1]) * along,
        "linear prediction": np.clip(faded, -1, 1),
        "interpolated bands": whole.samples[first:last, 0],
    }


def band_decibels(samples: np.ndarray, loudest: float) -> np.ndarray:
    """Return the power of 16 even bands of one short window in decibels, not less than 60 below the loudest."""
    power = np.abs(np.fft.rfft(samples * np.hanning(len(samples)))[1:]) ** 2
    return 10 * np.log10(np.maximum(power.reshape(BORDER_BANDS, -1).mean(1), loudest * 10 ** (-RANGE_DB / 10)) + 1e-20)


def jumps(samples: np.ndarray, border: int, rate_hz: int, loudest: float) -> tuple[float, float]:
    """Return (step of the samples, step of the spectrum in decibels) where a sample begins something new."""
    reach = round(BORDER_SECONDS * rate_hz)
    sides = [
        band_decibels(side, loudest) for side in (samples[border - reach : border], samples[border : border + reach])
    ]
    return float(abs(samples[border] - samples[border - 1])), float(np.sqrt(np.square(sides[1] - sides[0]).mean()))


def spectrum(samples: np.ndarray) -> np.ndarray:
    """Return the power of windows of 256 samples, 64 apart, ``[windows, frequencies]``."""
    windows = np.lib.stride_tricks.sliding_window_view(samples, 256)[::64]
    return np.abs(np.fft.rfft(windows * np.hanning(256), axis=1)) ** 2


def measures(made: np.ndarray, truth: np.ndarray, first: int, last: int, rate_hz: int) -> dict[str, float]:
    """Return what is measured on the samples of a repaired clip beside those of the untouched one."""
    reach = round(BORDER_SECONDS * rate_hz)
    windows = np.lib.stride_tricks.sliding_window_view(truth, reach)[:: reach // 2]
    loudest = max(float((np.abs(np.fft.rfft(window * np.hanning(reach))) ** 2).max()) for window in windows)
    own, new = ([jumps(samples, border, rate_hz, loudest) for border in (first, last)] for samples in (truth, made))
    apart = np.abs(np.array(new) - np.array(own)).mean(0)
    least = spectrum(truth).max() * 10 ** (-RANGE_DB / 10)
    there, here = (10 * np.log10(spectrum(samples[first:last]) + least) for samples in (truth, made))
    return {
        "jump of samples": float(apart[0] / np.sqrt(np.square(truth).mean())),
        "jump of spectrum": float(apart[1]),
        "log-spectral distance": float(np.sqrt(np.square(here - there).mean(1)).mean()),
    }


def interval(values: np.ndarray) -> dict[str, float]:
    """Return a mean over clips with its interval of 95 % by bootstrap."""
    draws = np.random.default_rng(0).integers(len(values), size=(2000, len(values)))
    low, high = np.percentile(values[draws].mean(1), [2.5, 97.5])
    return {"mean": round(float(values.mean()), 4), "low": round(float(low), 4), "high": round(float(high), 4)}


def repaired(
    model: makar.Model, held_out: Clips, options: argparse.Namespace
) -> dict[str, list[tuple[Sound, int, int]]]:
    """Return every clip by the way that its hole was filled, with the first sample of the hole and the one behind it."""
    draw = np.random.default_rng(options.seed)
    found: dict[str, list[tuple[Sound, int, int]]] = {}
    for number, (clip, digit) in enumerate(held_out):
        rate = clip.rate_hz
        start = draw.uniform(MARGIN_SECONDS, clip.seconds - MARGIN_SECONDS - HOLE_SECONDS)
        first, last = round(start * rate), round(start * rate) + round(HOLE_SECONDS * rate)
        silenced = np.array(clip.samples)
        silenced[first:last] = 0
        how = {"from_second": first / rate, "to_second": last / rate}
        given = wave_bytes(Sound(silenced, rate))
        asset = model.edit(given, how=how, seed=options.seed + number)[0]  # type: ignore[arg-type]
        ways = {MODEL: asset.content.samples}
        for way, new in fills(clip, first, last, model.artifact).items():
            ways[way] = np.array(clip.samples)
            ways[way][first:last, 0] = on_grid(new.astype(np.float32))
        for way, samples in {"untouched": clip.samples, **ways}.items():
            assert np.array_equal(samples[:first], clip.samples[:first]), f"{way} changed a sample before the hole"
            assert np.array_equal(samples[last:], clip.samples[last:]), f"{way} changed a sample behind the hole"
            found.setdefault(way, []).append((Sound(samples, rate), first, last))
            if options.sounds and number < 3:
                options.sounds.mkdir(parents=True, exist_ok=True)
                (options.sounds / f"{number}-{digit}-{way.replace(' ', '-')}.wav").write_bytes(
                    wave_bytes(Sound(samples, rate))
                )
    return found


def compared(found: dict[str, list[tuple[Sound, int, int]]], right: dict[str, np.ndarray]) -> dict[str, Any]:
    """Return the measures of every way, and those of the model less those of the others, over the same clips."""
    truth = [sound.samples[:, 0] for sound, _, _ in found["untouched"]]
    values = {
        way: [
            measures(sound.samples[:, 0], own, first, last, sound.rate_hz)
            for (sound, first, last), own in zip(rows, truth)
        ]
        for way, rows in found.items()
    }
    table = {way: {name: np.array([row[name] for row in rows]) for name in SMALLER} for way, rows in values.items()}
    for way, hits in right.items():
        table[way]["digit"] = hits.astype(float)
    others = [way for way in table if way not in (MODEL, "untouched")]
    return {
        "ways": {way: {name: interval(row) for name, row in rows.items()} for way, rows in table.items()},
        "model_less": {
            way: {name: interval(table[MODEL][name] - row) for name, row in table[way].items()} for way in others
        },
    }


def is_better(name: str, less: dict[str, float], *, clearly: bool = False) -> bool:
    """Return whether a difference speaks for the model, or does so with its whole interval."""
    if name in SMALLER:
        return less["high" if clearly else "mean"] < 0
    return less["low" if clearly else "mean"] > 0


def main() -> None:
    """Train, cut, fill, compare; ends with 1 where the model is no better than interpolation."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=6.0)
    parser.add_argument("--clips", type=int, default=124, help="at most so many held-out clips")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", help="a model trained before; by default one is trained")
    parser.add_argument("--sounds", type=Path, help="a folder for the first three clips, filled in every way")
    options = parser.parse_args()
    train, every = clips("fsdd")
    names = sorted({digit for _, digit in train})
    pictures = torch.from_numpy(np.stack([seen(sound) for sound, _ in train]))[:, None]
    judge = taught(pictures, torch.tensor([names.index(digit) for _, digit in train]), len(names))
    long = [(sound, digit) for sound, digit in every if sound.seconds >= LEAST_SECONDS]
    held_out = [long[place] for place in np.random.default_rng(1).permutation(len(long))[: options.clips]]
    with tempfile.TemporaryDirectory() as place:
        if options.model:
            model = makar.load(options.model)
        else:
            model = trained(train, Path(place), options)
        found = repaired(model, held_out, options)
    asked = np.array([names.index(digit) for _, digit in held_out])
    right = {way: heard(judge, [sound for sound, _, _ in rows])[0] == asked for way, rows in found.items()}
    result = compared(found, right)
    for way, row in result["ways"].items():
        print(
            f"{way:20s}",
            *(f"{name} {one['mean']:7.3f} ({one['low']:.3f} to {one['high']:.3f})" for name, one in row.items()),
        )
    less = result["model_less"]
    lost = [name for name in BAR if not is_better(name, less[LINE][name])]
    clear = {
        way: [name for name, one in row.items() if is_better(name, one, clearly=True)] for way, row in less.items()
    }
    for way, row in clear.items():
        print(f"clearly better than {way}: {', '.join(row) or 'in nothing'}")
    result |= {"clips": len(held_out), "clearly_better": clear, "lost": lost, "is_trained_here": not options.model}
    write_result(
        "sound-holes",
        {
            "machine": machine(),
            "minutes": options.minutes,
            "is_trained_here": not options.model,
            "seed": options.seed,
            **result,
        },
    )
    sys.exit(f"no better than interpolation: {', '.join(lost)}" if lost else 0)


def trained(train: Clips, place: Path, options: argparse.Namespace) -> makar.Model:
    """Train a model of the training clips from the command line, without their classes."""
    folder = place / "clips"
    folder.mkdir()
    for number, (sound, _) in enumerate(train):
        (folder / f"{number:05d}.wav").write_bytes(wave_bytes(sound))
    command = [
        sys.executable, "-W", "ignore", "-m", "makar", "train", str(folder), "--recipe", "sound",
        "--for", f"{60 * options.minutes:g}s", "--seed", str(options.seed), "-o", str(place / "model"), "--json",
    ]  # fmt: skip
    _, answer = timed(command, environment={"MAKAR_HOME": str(place / "home")})
    return makar.load(str(json.loads(answer)["model"]))


if __name__ == "__main__":
    main()
