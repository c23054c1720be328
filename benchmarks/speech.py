"""How well a recogniser understands a voice: word error on commands of a closed grammar, and the real-time factor.

Run: python benchmarks/speech.py [--recipe speech] [--minutes 15] [--sentences 1400] [--commands 50] [--steps 10] [--model MODEL]
    [--vocoder MODEL] [--pocketsphinx FOLDER]

The corpus is spoken by flite (voice rms): a third commands of the grammar, the others sentences out of books. ``makar train --recipe
speech --for`` (or tacotron, vits) learns it; commands that are not in it are spoken with durations of our own, brought to sound by
Griffin-Lim or a vocoder, and understood by pocketsphinx, which knows nothing of the model. Beside it: flite's own recordings, those through
picture and back, noise. pocketsphinx 5 is looked for in ``--pocketsphinx`` (pip install --target FOLDER pocketsphinx==5.1.1). Bar: 0.10;
aim: 0.03; of tacotron 0.30, and of vits 0.30 for recordings that go through its latents and back.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import spoken
import torch
from measure import machine, timed, write_result

import makar
from makar.data.sound import Sound, resampled
from makar.data.sound_reader import read_sound

BARS = {"speech": 0.10, "tacotron": 0.30, "vits": 0.30}
REBUILT = "through latents and back"
RATE = 16_000


def recogniser(folder: Path | None) -> Any:
    if folder is not None:
        sys.path.insert(0, str(folder))
    from pocketsphinx import Decoder

    with tempfile.NamedTemporaryFile("w", suffix=".gram", delete=False) as file:
        file.write(spoken.grammar_jsgf())
    return Decoder(jsgf=file.name, loglevel="FATAL")


def heard(decoder: Any, sound: Sound) -> list[str]:
    """Return the words that are understood."""
    samples = np.pad(resampled(sound, RATE).mono(), RATE // 10)
    decoder.start_utt()
    decoder.process_raw((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes(), full_utt=True)
    decoder.end_utt()
    found = decoder.hyp()
    return found.hypstr.split() if found else []


def word_errors(wanted: list[str], found: list[str]) -> int:
    """Return the least number of words to change, leave out or put in."""
    row = list(range(len(found) + 1))
    for number, word in enumerate(wanted, 1):
        before, row[0] = row[0], number
        for place, other in enumerate(found, 1):
            before, row[place] = row[place], min(row[place] + 1, row[place - 1] + 1, before + (word != other))
    return row[-1]


def rebuilt(model: Any, real: Sound) -> Sound:
    """Return a recording by way of the mean latents of VITS."""
    codec = model.artifact.codec()
    picture = codec.to_model("target", codec.picture(real).transpose(2, 0, 1))[None, :, 0]
    made = model.artifact.family().rebuild(torch.from_numpy(np.ascontiguousarray(picture)))[0].numpy()
    return Sound(np.ascontiguousarray(made[: len(real.samples)])[:, None], codec.config.rate_hz)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", choices=tuple(BARS), default="speech")
    parser.add_argument("--vocoder", help="a model that finds how pictures sound, in the place of Griffin-Lim")
    parser.add_argument("--minutes", type=float, default=15)
    parser.add_argument("--sentences", type=int, default=1400)
    parser.add_argument("--commands", type=int, default=50)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--model", help="a model that was trained so, instead of training one")
    parser.add_argument("--pocketsphinx", type=Path)
    options = parser.parse_args()
    decoder = recogniser(options.pocketsphinx)
    third = options.sentences // 3
    every = spoken.grammar(third + options.commands, seed=0)
    learned, commands = every[:third] + spoken.prose(options.sentences - third, seed=0), every[third:]
    with tempfile.TemporaryDirectory() as place:
        folder, seconds = Path(place), 0.0
        name = options.model
        if name is None:
            spoken.corpus(folder / "corpus", learned)
            name = str(folder / "home" / "model")
            command = [
                sys.executable, "-W", "ignore", "-m", "makar", "train", str(folder / "corpus"), "--recipe", options.recipe,
                "--for", f"{60 * options.minutes:g}s", "-o", name,
            ]  # fmt: skip
            seconds, _ = timed(command, environment={"MAKAR_HOME": str(folder / "home")})
            os.environ["MAKAR_HOME"] = str(folder / "home")
        model = makar.load(name)
        recipe = model.artifact.recipe.name.removesuffix("-voices")
        controls = {"steps": options.steps} if recipe == "speech" else {}
        controls |= {"vocoder": options.vocoder} if options.vocoder else {}
        codec: Any = model.artifact.codec()
        wrong: dict[str, list[int]] = {"makar": [], "flite": [], "flite through picture and back": [], "noise": []}
        made_seconds, processor = 0.0, 0.0
        draw = np.random.default_rng(0)
        for number, text in enumerate(commands):
            start = time.perf_counter()
            content = model.generate(text, seed=number, options=controls)[0].content
            processor += time.perf_counter() - start
            made_seconds += content.seconds
            spoken.speak(text, folder / "real.wav")
            real = read_sound((folder / "real.wav").read_bytes())
            back = codec.decode({"target": codec.to_model("target", codec.picture(real).transpose(2, 0, 1))})
            noise = Sound(draw.normal(0, 0.1, real.samples.shape).astype(np.float32), real.rate_hz)
            sounds = {
                "makar": Sound(content.samples, content.rate_hz),
                "flite": real,
                "flite through picture and back": back,
                "noise": noise,
            }
            if recipe == "vits":
                sounds[REBUILT] = rebuilt(model, real)
            for side, sound in sounds.items():
                wrong.setdefault(side, []).append(word_errors(text.split(), heard(decoder, sound)))
    rates = {side: float(np.mean(counts) / 6) for side, counts in wrong.items()}
    means = [draw.choice(wrong["makar"], len(commands)).mean() / 6 for _ in range(2000)]
    found = {
        "machine": machine(), "minutes": options.minutes, "sentences": len(learned), "commands": len(commands), "steps": options.steps,
        "word_error": rates, "interval": [float(value) for value in np.quantile(means, [0.025, 0.975])],
        "real_time_factor": processor / made_seconds, "seconds": seconds, "recipe": recipe, "vocoder": bool(options.vocoder),
        "bar": BARS[recipe],
    }  # fmt: skip
    print({key: value for key, value in found.items() if key != "machine"})
    parts = ["speech", *([recipe] if recipe != "speech" else []), *(["vocoder"] if options.vocoder else [])]
    write_result("-".join(parts), found)
    sys.exit(rates[REBUILT if recipe == "vits" else "makar"] > BARS[recipe])


if __name__ == "__main__":
    main()
