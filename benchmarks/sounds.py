"""Sounds of a class that is asked for: does a judge that never met the model hear that class? ``makar train --recipe sound-class``.

Run: python benchmarks/sounds.py [--data effects fsdd esc10] [--minutes 15] [--each 20] [--seed 0]

Three sets with classes: the built-in effects (one tenth held out), spoken digits (fsdd, official parts), and esc10 (fold 5 held out). A
small network learns the classes from the training clips by a spectrogram of its own (other windows and bands than the model's) and
is tested on held-out clips; then it hears as many samples of every class. What counts is its accuracy on the samples as a share of
that on held-out clips, with an interval, and the Frechet distance of its features from the training clips, beside that of the
held-out clips. Controls: noise, and the samples with the classes shuffled. The training is measured from the command line.
"""

import argparse
import gzip
import json
import os
import sys
import tarfile
import tempfile
import time
from pathlib import Path
from typing import Any

import fashion_torchcfm as fashion
import numpy as np
import torch
from measure import data_folder, machine, timed, write_result
from torch import nn

import makar
from makar.data.sound import Sound, resampled
from makar.data.sound_reader import read_sound
from makar.data.wave_file import wave_bytes

BARS = {"effects": 0.8, "fsdd": 0.8, "esc10": 0.6}
JUDGE_RATE, JUDGE_WINDOW, JUDGE_HOP, JUDGE_BANDS, JUDGE_FRAMES = 8000, 400, 160, 40, 96
Clips = list[tuple[Sound, str]]


def clips(name: str) -> tuple[Clips, Clips]:
    """Return (training clips, held-out clips), each with its class."""
    if name == "effects":
        from makar.data.builtin.effects import EACH, KINDS, effect

        every = [(effect(kind, number), kind, number) for number in range(EACH) for kind in KINDS]
        return [(one, kind) for one, kind, number in every if number % 10], [
            (one, kind) for one, kind, number in every if not number % 10
        ]
    folder = data_folder() / name
    with gzip.open(folder / "metadata.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = {row["file"]: row for row in map(json.loads, lines)}
    train: Clips = []
    held_out: Clips = []
    with tarfile.open(next(folder.glob("*.tar"))) as archive:
        for member in archive:
            row = rows.get(Path(member.name).name)
            stream = archive.extractfile(member) if row else None
            if row is None or stream is None:
                continue
            sound = read_sound(stream.read())
            is_test = row["split"] == "test" if name == "fsdd" else row["fold"] == 5
            (held_out if is_test else train).append((sound, row["text"] if name == "fsdd" else row["label_name"]))
    return train, held_out


def seen(sound: Sound) -> np.ndarray:
    """Return what the judge sees: log power in 40 equal bands up to 4 kHz, 20 ms apart, the loudest at 0, float32 ``[bands, frames]``."""
    samples = resampled(sound, JUDGE_RATE).mono()
    frames = max(1, (len(samples) - JUDGE_WINDOW) // JUDGE_HOP + 1)
    padded = np.pad(samples, (0, max(0, JUDGE_WINDOW + (frames - 1) * JUDGE_HOP - len(samples))))
    windows = np.lib.stride_tricks.sliding_window_view(padded, JUDGE_WINDOW)[::JUDGE_HOP][:frames]
    power = np.abs(np.fft.rfft(windows * np.hamming(JUDGE_WINDOW), axis=1))[:, :200] ** 2
    bands = np.log(power.reshape(frames, JUDGE_BANDS, 5).mean(2).T + 1e-8)
    bands = np.maximum(bands - bands.max(), -12) / 6 + 1
    if frames > JUDGE_FRAMES:
        # Longer clips are seen at even moments.
        bands = bands[:, np.linspace(0, frames - 1, JUDGE_FRAMES).astype(int)]
    return np.pad(bands, ((0, 0), (0, JUDGE_FRAMES - bands.shape[1])), constant_values=-1).astype(np.float32)


class Judge(nn.Module):
    """Three convolutions and a head."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inputs, outputs in ((1, 24), (24, 48), (48, 64)):
            layers += [nn.Conv2d(inputs, outputs, 3, stride=2, padding=1), nn.BatchNorm2d(outputs), nn.ReLU()]
        self.body = nn.Sequential(*layers, nn.AdaptiveAvgPool2d((2, 3)), nn.Flatten(), nn.Dropout(0.3))
        self.head = nn.Linear(64 * 6, classes)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(pictures))


def taught(pictures: torch.Tensor, targets: torch.Tensor, classes: int, *, steps: int = 1500) -> Judge:
    """Train a judge on clips that are moved in time and in loudness of bands."""
    torch.manual_seed(0)
    judge = Judge(classes)
    optimiser = torch.optim.AdamW(judge.parameters(), 2e-3, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, total_steps=steps)
    for _ in range(steps):
        pick = torch.randint(len(pictures), (64,))
        batch = torch.roll(pictures[pick], int(torch.randint(-8, 9, ())), dims=-1)
        batch = batch + 0.1 * torch.randn(len(pick), 1, JUDGE_BANDS, 1)
        loss = nn.functional.cross_entropy(judge(batch), targets[pick])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return judge.eval()


def heard(judge: Judge, sounds: list[Sound]) -> tuple[np.ndarray, np.ndarray]:
    """Return (the class that the judge hears, its features) of every sound."""
    with torch.inference_mode():
        pictures = torch.from_numpy(np.stack([seen(sound) for sound in sounds]))[:, None]
        features = torch.cat([judge.body(part) for part in pictures.split(200)])
        return judge.head(features).argmax(1).numpy(), features.double().numpy()[:, :128]


def laid_out(train: Clips, folder: Path) -> Path:
    """Write the training clips as one folder a class."""
    for number, (sound, kind) in enumerate(train):
        place = folder / kind.replace("/", "_") / f"{number:05d}.wav"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(wave_bytes(sound))
    return folder


def measured(name: str, options: argparse.Namespace) -> dict[str, Any]:
    train, held_out = clips(name)
    names = sorted({kind for _, kind in train})
    targets = torch.tensor([names.index(kind) for _, kind in train])
    pictures = torch.from_numpy(np.stack([seen(sound) for sound, _ in train]))[:, None]
    judge = taught(pictures, targets, len(names))
    told, real = heard(judge, [sound for sound, _ in held_out])
    right_real = told == np.array([names.index(kind) for _, kind in held_out])
    _, reference = heard(judge, [sound for sound, _ in train])
    floor = fashion.frechet(real, reference)
    print(
        f"{name}: {len(train)} clips, judge {right_real.mean():.3f} on {len(held_out)} held-out clips, floor {floor:.2f}",
        flush=True,
    )
    with tempfile.TemporaryDirectory() as place:
        folder = laid_out(train, Path(place) / "clips")
        home = Path(place) / "home"
        command = [
            sys.executable, "-W", "ignore", "-m", "makar", "train", str(folder), "--recipe", "sound-class",
            "--for", f"{60 * options.minutes:g}s", "--seed", str(options.seed), "-o", str(home / "model"), "--json",
        ]  # fmt: skip
        seconds, answer = timed(command, environment={"MAKAR_HOME": str(home)})
        os.environ["MAKAR_HOME"] = str(home)
        model = makar.load(str(home / "model"))
        start = time.perf_counter()
        made = [
            Sound(asset.content.samples, asset.content.rate_hz)
            for kind in names
            for asset in model.generate(
                count=options.each, seed=options.seed, options={"label": kind.replace("/", "_")}
            )
        ]
        sampling = time.perf_counter() - start
        if options.sounds:
            for number, sound in enumerate(made):
                if number % options.each < 3:
                    target = (
                        options.sounds
                        / f"{name}-{names[number // options.each].replace('/', '_')}-{number % options.each}.wav"
                    )
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_bytes(wave_bytes(sound))
    asked = np.repeat(np.arange(len(names)), options.each)
    told, features = heard(judge, made)
    right = told == asked
    draw = np.random.default_rng(0)
    shares = [
        draw.choice(right, len(right)).mean() / max(1e-9, draw.choice(right_real, len(right_real)).mean())
        for _ in range(2000)
    ]
    noise = [Sound(draw.standard_normal((8000, 1)).astype(np.float32) * 0.1, JUDGE_RATE) for _ in range(50)]
    plan = json.loads(answer)["plan"]
    found = {
        "data": name,
        "clips": len(train),
        "judge_accuracy": float(right_real.mean()),
        "accuracy_of_samples": float(right.mean()),
        "share": float(right.mean() / right_real.mean()),
        "share_interval": [float(value) for value in np.quantile(shares, [0.025, 0.975])],
        "by_class": {kind: float(right[asked == number].mean()) for number, kind in enumerate(names)},
        "frechet": fashion.frechet(features, reference),
        "frechet_floor": floor,
        "shuffled_classes": float((told == draw.permutation(asked)).mean()),
        "noise_most_heard_as": float(np.bincount(heard(judge, noise)[0], minlength=len(names)).max() / 50),
        "noise_frechet": fashion.frechet(heard(judge, noise)[1], reference),
        "seconds": seconds,
        "sampling_seconds": sampling,
        "parameters": plan["expected"]["parameters"] if "expected" in plan else None,
        "bar": BARS[name],
    }
    print(
        "{data}: share {share:.3f} ({low:.3f} to {high:.3f}), bar {bar}; Frechet {frechet:.2f}, floor {frechet_floor:.2f}, noise "
        "{noise_frechet:.1f}; shuffled {shuffled_classes:.2f}".format(
            low=found["share_interval"][0], high=found["share_interval"][1], **found
        ),
        found["by_class"],
        flush=True,
    )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", default=list(BARS), choices=list(BARS))
    parser.add_argument("--minutes", type=float, default=15)
    parser.add_argument("--each", type=int, default=20, help="samples of every class")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sounds", type=Path, help="a folder for a few samples of every class")
    options = parser.parse_args()
    rows = [measured(name, options) for name in options.data]
    write_result("sounds", {"machine": machine(), "minutes": options.minutes, "seed": options.seed, "rows": rows})
    if any(row["share"] < row["bar"] for row in rows):
        sys.exit(1)


if __name__ == "__main__":
    main()
