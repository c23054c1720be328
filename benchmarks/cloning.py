"""Whether a voice that was learned from few sentences sounds like its speaker, by an encoder of speakers that was trained on other data.

Run: python benchmarks/cloning.py [--minutes 10] [--clone-minutes 3] [--sentences 1000] [--examples 40] [--targets 3] [--by-example]

Speakers are the four voices of flite, each higher or lower: read at another rate, pitch, formants and pace change together, as between
a child and a grown-up. A voice (rms as it is) is trained; then ``makar train --from`` it learns each target, a speaker that it never
heard, from few sentences, with the consent record that ``--voice-of`` asks for. The judge is three dilated convolutions with pooled mean
and deviation and a margin between speakers (additive margin softmax, Wang et al. 2018, arXiv 1801.05599), trained on other speakers and
sentences; how well it tells speakers that it never heard is printed first, as the error at which as many are taken for the same as are
not. A clone passes where it is nearer to its target than to 95 % of the other speakers. Beside it: the voice before cloning, and the
target's own recordings.

With ``--by-example`` nothing is trained for a target: ``makar train --recipe speech-clone`` learns from other speakers and sentences than
the judge, and speaks after one recording of the target, that of the consent. Beside it: that recording, and the same sentences spoken
after the recording of another target.

Bars: judge 0.15, clones nearer than 95 % of others, all targets. These speakers are far apart: it says nothing of real people.
"""

import argparse
import itertools
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import spoken
import torch
import torch.nn.functional as F
from measure import machine, timed, write_result
from torch import Tensor, nn

import makar
from makar.data.sound import Sound
from makar.data.sound_reader import read_sound
from makar.data.spectrogram import mel_decibels
from makar.data.wave_file import on_grid, wave_bytes

BARS = {"equal_error": 0.15, "nearer_than": 0.95}
RATE, HOP, MELS, FRAMES = 16_000, 256, 64, 96
VOICES = ("rms", "slt", "awb", "kal16")
HEARD, UNHEARD = (0.68, 0.74, 0.81, 0.89, 0.97, 1.06, 1.16, 1.27, 1.39), (0.78, 0.9, 1.0, 1.12, 1.33)
"""How much higher the speakers are that the judge learns, and those that it never hears."""

LEARNED = (0.66, 0.71, 0.75, 0.84, 0.93, 1.02, 1.09, 1.2, 1.3, 1.37)
"""With ``--by-example``: those that the model learns, none of whom the judge knows or is asked about."""

BASE = ("rms", 1.0)
MARGIN, SCALE = 0.2, 20.0


def say(text: str, speaker: tuple[str, float], path: Path) -> Sound:
    """Return a sentence of a speaker at 16 kHz, and write it."""
    voice, factor = speaker
    spoken.speak(text, path, voice=voice)
    sound = read_sound(path.read_bytes())
    length = round(len(sound.samples) / factor)
    places = np.arange(length) * factor
    samples = np.interp(places, np.arange(len(sound.samples)), sound.mono()).astype(np.float32)
    made = Sound(on_grid(samples)[:, None], RATE)
    path.write_bytes(wave_bytes(made))
    return made


def picture(sound: Sound) -> np.ndarray:
    """Return what the judge sees: bands of a part in the middle, each without the mean of all, float32 ``[mels, frames]``."""
    seen = mel_decibels(sound.mono(), rate_hz=RATE, hop=HOP, mels=MELS)
    seen = np.maximum(seen, seen.max() - 60.0)
    start = max(0, (seen.shape[1] - FRAMES) // 2)
    part = (
        np.resize(seen[:, start : start + FRAMES], (MELS, FRAMES))
        if seen.shape[1] < FRAMES
        else seen[:, start : start + FRAMES]
    )
    return ((part - part.mean()) / 20.0).astype(np.float32)


class Judge(nn.Module):
    """From pictures to vectors of length 1."""

    def __init__(self, speakers: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Conv1d(inputs, 96, 3, dilation=dilation, padding=dilation)
            for inputs, dilation in ((MELS, 1), (96, 2), (96, 4))
        )
        self.leave = nn.Linear(192, 64)
        self.speakers = nn.Parameter(torch.randn(speakers, 64))

    def forward(self, seen: Tensor) -> Tensor:
        for layer in self.layers:
            seen = F.relu(layer(seen))
        return F.normalize(self.leave(torch.cat([seen.mean(2), seen.std(2)], 1)), dim=1)


def trained_judge(pictures: Tensor, speakers: Tensor, *, steps: int) -> Judge:
    torch.manual_seed(0)
    judge = Judge(int(speakers.max()) + 1)
    optimiser = torch.optim.AdamW(judge.parameters(), lr=2e-3)
    for _ in range(steps):
        chosen = torch.randint(0, len(pictures), (64,))
        likeness = judge(pictures[chosen]) @ F.normalize(judge.speakers, dim=1).T
        margin = MARGIN * F.one_hot(speakers[chosen], likeness.shape[1])
        loss = F.cross_entropy(SCALE * (likeness - margin), speakers[chosen])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return judge.eval()


def equal_error(vectors: np.ndarray, speakers: np.ndarray) -> float:
    """Return the share of pairs that is judged wrongly where as many are wrong either way."""
    same, other = [], []
    for a, b in itertools.combinations(range(len(vectors)), 2):
        (same if speakers[a] == speakers[b] else other).append(float(vectors[a] @ vectors[b]))
    limits = np.sort(same)
    wrong = [
        max(np.mean(np.array(same) < limit), np.mean(np.array(other) >= limit))
        for limit in limits[:: max(1, len(limits) // 200)]
    ]
    return float(min(wrong))


def train(folder: Path, *words: str) -> float:
    command = [sys.executable, "-W", "ignore", "-m", "makar", "train", *words]
    seconds, _ = timed(command, environment={"MAKAR_HOME": str(folder / "home")})
    return seconds


def agreement(folder: Path, target: tuple[str, float]) -> tuple[str, Path, Path]:
    """Return name, recording and record of a target who agrees."""
    who = f"{target[0]} at {target[1]:g}"
    recording = folder / f"{target[0]}{target[1]:g}.wav"
    say(f"I am {target[0]}, and I agree: a model learns this voice and speaks with it.", target, recording)
    record = recording.with_suffix(".consent.json")
    agree = ["consent", "record", str(recording), "--who", who, "--scope", "voice", "-o", str(record)]
    subprocess.run([sys.executable, "-m", "makar", *agree], check=True, capture_output=True)
    return who, recording, record


def by_example(
    folder: Path, learned: list[str], targets: list[tuple[str, float]], new: list[str], *, minutes: float
) -> dict[tuple[str, float], dict[str, np.ndarray]]:
    """Return what the judge sees of every target: spoken after one recording of it, of another, and the recording itself."""
    speakers = list(itertools.product(VOICES, LEARNED))
    for number, text in enumerate(learned):
        speaker = speakers[number % len(speakers)]
        place = folder / "speakers" / f"{speaker[0]} {speaker[1]:g}"
        place.mkdir(parents=True, exist_ok=True)
        say(text, speaker, place / f"{number:05d}.wav")
        (place / f"{number:05d}.txt").write_text(text, encoding="utf-8")
    name = str(folder / "home" / "anyone")
    train(folder, str(folder / "speakers"), "--recipe", "speech-clone", "--for", f"{60 * minutes:g}s", "-o", name)
    model = makar.load(name)
    agreed = {target: agreement(folder, target) for target in targets}
    spoken_as: dict[tuple[str, float], np.ndarray] = {}
    for target, (who, recording, record) in agreed.items():
        voice = makar.agreed_voice(recording, who=who, consent=record)
        said = [
            model.generate(text, seed=place, options={"example": voice})[0].content for place, text in enumerate(new)
        ]
        spoken_as[target] = np.stack([picture(Sound(one.samples, one.rate_hz)) for one in said])
    return {
        target: {
            "clone": spoken_as[target],
            "another's example": spoken_as[targets[(place + 1) % len(targets)]],
            "the example itself": picture(read_sound(agreed[target][1].read_bytes()))[None],
        }
        for place, target in enumerate(targets)
    }


def by_training(
    folder: Path,
    learned: list[str],
    examples: list[str],
    targets: list[tuple[str, float]],
    new: list[str],
    options: argparse.Namespace,
) -> dict[tuple[str, float], dict[str, np.ndarray]]:
    """Return what the judge sees of every target: spoken after further training on few sentences, and before it."""
    spoken.corpus(folder / "corpus", learned)
    base = str(folder / "home" / "base")
    train(folder, str(folder / "corpus"), "--recipe", "speech", "--for", f"{60 * options.minutes:g}s", "-o", base)
    found: dict[tuple[str, float], dict[str, np.ndarray]] = {}
    for number, target in enumerate(targets):
        data = folder / f"examples{number}"
        data.mkdir()
        for place, text in enumerate(examples):
            say(text, target, data / f"{place:03d}.wav")
            (data / f"{place:03d}.txt").write_text(text, encoding="utf-8")
        who, _, record = agreement(folder, target)
        clone = str(folder / "home" / f"clone{number}")
        words = [
            "--from",
            base,
            "--for",
            f"{60 * options.clone_minutes:g}s",
            "--voice-of",
            who,
            "--consent",
            str(record),
        ]
        train(folder, str(data), *words, "-o", clone)
        found[target] = {}
        for side, name in (("clone", clone), ("before", base)):
            model = makar.load(name)
            said = [model.generate(text, seed=place)[0].content for place, text in enumerate(new)]
            found[target][side] = np.stack([picture(Sound(one.samples, one.rate_hz)) for one in said])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--clone-minutes", type=float, default=3)
    parser.add_argument("--sentences", type=int, default=1000)
    parser.add_argument("--examples", type=int, default=40)
    parser.add_argument("--targets", type=int, default=3)
    parser.add_argument("--judged", type=int, default=12, help="sentences a speaker for the judge")
    parser.add_argument("--judge-steps", type=int, default=800)
    parser.add_argument("--by-example", action="store_true", help="speak after one recording, without training")
    options = parser.parse_args()
    heard = list(itertools.product(VOICES, HEARD))
    unheard = [speaker for speaker in itertools.product(VOICES, UNHEARD) if speaker != BASE]
    every = [*heard, *unheard]
    others = [speaker for speaker in unheard if speaker[0] != BASE[0]]
    targets = [others[place] for place in np.random.default_rng(0).permutation(len(others))[: options.targets]]
    texts = spoken.prose(options.sentences + options.examples + options.judged + 20, seed=0)
    learned, texts = texts[: options.sentences], texts[options.sentences :]
    examples, judged, new = texts[: options.examples], texts[options.examples : -20], texts[-20:]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        os.environ["MAKAR_HOME"] = str(folder / "home")
        clips = {
            speaker: np.stack([picture(say(text, speaker, folder / "one.wav")) for text in judged])
            for speaker in [*every, BASE]
        }
        seen = torch.from_numpy(np.concatenate([clips[speaker] for speaker in heard]))
        judge = trained_judge(seen, torch.arange(len(heard)).repeat_interleave(len(judged)), steps=options.judge_steps)

        def vectors(pictures: np.ndarray) -> np.ndarray:
            with torch.no_grad():
                found: np.ndarray = judge(torch.from_numpy(pictures)).numpy()
            return found

        names = np.repeat(np.arange(len(unheard)), len(judged))
        error = equal_error(vectors(np.concatenate([clips[speaker] for speaker in unheard])), names)
        centres = {speaker: vectors(pictures).mean(0) for speaker, pictures in clips.items()}

        def nearer_than(pictures: np.ndarray, target: tuple[str, float]) -> tuple[float, float]:
            """Return the share of other speakers that the target is nearer than, and the likeness to the target."""
            mean = vectors(pictures).mean(0)
            likeness = {
                name: float(mean @ centre / np.linalg.norm(mean) / np.linalg.norm(centre))
                for name, centre in centres.items()
            }
            others = [value for name, value in likeness.items() if name != target]
            return float(np.mean([likeness[target] > value for value in others])), likeness[target]

        heard_of: dict[tuple[str, float], dict[str, np.ndarray]]
        if options.by_example:
            heard_of = by_example(folder, learned, targets, new, minutes=options.minutes)
        else:
            heard_of = by_training(folder, learned, examples, targets, new, options)
        found: dict[str, Any] = {}
        for target, sides in heard_of.items():
            sides["own recordings"] = np.stack([picture(say(text, target, folder / "one.wav")) for text in new])
            found[f"{target[0]} at {target[1]:g}"] = {
                side: dict(zip(("nearer_than", "likeness"), nearer_than(pictures, target), strict=True))
                for side, pictures in sides.items()
            }
    result = {
        "machine": machine(), "minutes": options.minutes, "clone_minutes": options.clone_minutes, "examples": options.examples,
        "by_example": options.by_example,
        "speakers": {"heard": len(heard), "unheard": len(unheard)}, "equal_error": error, "targets": found, "bars": BARS,
    }  # fmt: skip
    print({key: value for key, value in result.items() if key != "machine"})
    write_result("cloning-by-example" if options.by_example else "cloning", result)
    sys.exit(
        error > BARS["equal_error"] or any(one["clone"]["nearer_than"] < BARS["nearer_than"] for one in found.values())
    )


if __name__ == "__main__":
    main()
