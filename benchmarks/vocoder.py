"""How near a trained vocoder comes to recordings, beside Griffin and Lim from the same pictures: distances of spectra, words understood.

Run: python benchmarks/vocoder.py [--minutes 10] [--sentences 1400] [--commands 50] [--recipe vocoder]
    [--model MODEL] [--set NAME=VALUE] [--pocketsphinx FOLDER]

The corpus is that of ``speech.py``, spoken by flite (voice rms). ``makar train --recipe vocoder --for`` learns it; commands that are not in
it are spoken by flite, turned into their pictures and made sounds of again. Log-spectral distance and mel distance to the recording are
measured as in ``makar evaluate``, and pocketsphinx is asked what was said. Bars: both distances below those of Griffin-Lim, word error not
above its.
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
from measure import machine, timed, write_result
from speech import heard, recogniser, word_errors

from makar.artifacts.load import load_artifact
from makar.codecs.hearing import drawn_picture, played_picture
from makar.data.sound_reader import read_sound
from makar.evaluation.spectral import log_spectral_distance, mel_distance
from makar.generation.vocoding import Vocoder

WORDS = 6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--sentences", type=int, default=1400)
    parser.add_argument("--commands", type=int, default=50)
    parser.add_argument("--model", help="a model that was trained so, instead of training one")
    parser.add_argument("--set", dest="settings", action="append", default=[], help="a setting of the training")
    parser.add_argument("--recipe", choices=("vocoder", "wavenet-vocoder"), default="vocoder")
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
                "--for", f"{60 * options.minutes:g}s", "-o", name, *[word for text in options.settings for word in ("--set", text)],
            ]  # fmt: skip
            seconds, _ = timed(command, environment={"MAKAR_HOME": str(folder / "home")})
            os.environ["MAKAR_HOME"] = str(folder / "home")
        artifact = load_artifact(name)
        vocoder, config = Vocoder(artifact), artifact.codec().config
        found: dict[str, list[tuple[float, float, float]]] = {"makar": [], "Griffin-Lim": []}
        taken = {"makar": 0.0, "Griffin-Lim": 0.0}
        heard_seconds = 0.0
        real_wrong: list[int] = []
        for text in commands:
            spoken.speak(text, folder / "real.wav")
            real = read_sound((folder / "real.wav").read_bytes())
            frames = -(-len(real.samples) * config.rate_hz // (real.rate_hz * config.hop))
            drawn = drawn_picture(real, config.changed(frames=max(frames, config.frames)))[:, :frames, 0]
            heard_seconds += real.seconds
            ways: dict[str, Any] = {
                "makar": lambda drawn=drawn: vocoder.play(drawn, config),
                "Griffin-Lim": lambda drawn=drawn: played_picture(drawn, config),
            }
            for side, way in ways.items():
                start = time.process_time()
                made = way()
                taken[side] += time.process_time() - start
                wrong = word_errors(text.split(), heard(decoder, made)) / WORDS
                found[side].append((log_spectral_distance(made, real, config), mel_distance(made, real, config), wrong))
            real_wrong.append(word_errors(text.split(), heard(decoder, real)))
    names = ("log_spectral_distance", "mel_distance", "word_error")
    sides = {
        side: dict(zip(names, np.array(values).mean(0).tolist(), strict=True)) | {"real_time_factor": taken[side] / heard_seconds}
        for side, values in found.items()
    }  # fmt: skip
    ours, theirs = sides["makar"], sides["Griffin-Lim"]
    held = (
        ours["log_spectral_distance"] < theirs["log_spectral_distance"]
        and ours["mel_distance"] < theirs["mel_distance"]
        and ours["word_error"] <= theirs["word_error"] + 1 / (WORDS * len(commands))
    )
    result = {
        "machine": machine(), "minutes": options.minutes, "sentences": len(learned), "commands": len(commands), "seconds": seconds,
        "recipe": artifact.recipe.name, "settings": options.settings, "sides": sides,
        "word_error_of_recordings": float(np.mean(real_wrong)) / WORDS, "held": held,
    }  # fmt: skip
    print({key: value for key, value in result.items() if key != "machine"})
    write_result(artifact.recipe.name, result)
    sys.exit(not held)


if __name__ == "__main__":
    main()
