"""How well a recogniser understands a voice, of commands and of free text, the real-time factor, and whether pitch and energy obey.

Run: python benchmarks/speech.py [--recipe speech] [--minutes 15] [--sentences 1400] [--commands 50] [--steps 10] [--model MODEL]
    [--vocoder MODEL] [--dictated 20] [--moved 10] [--pocketsphinx FOLDER]

The corpus is spoken by flite (voice rms): a third commands of the grammar, the others sentences out of books. ``makar train --recipe
speech --for`` (or tacotron, vits) learns it; commands that are not in it are spoken with durations of our own, brought to sound by
Griffin-Lim or a vocoder, and understood by pocketsphinx, which knows nothing of the model. Beside it: flite's own recordings, those through
picture and back, noise. Free text is sentences out of
books that were not learned, understood without a grammar (its own model of language): the share of letters that are wrong. Pitch and energy
are moved by -2 and 2 semitones, -6 and 3 decibels, with the same seed; what is heard of it is the middle of the differences between the
median pitch, and the level, of each recording and of the one that was left as it is. Beside it: what is heard where nothing is asked and
another seed is taken. pocketsphinx 5 is looked for in ``--pocketsphinx`` (pip install --target FOLDER pocketsphinx==5.1.1). Bar: 0.10;
aim: 0.03; of tacotron 0.30, and of vits 0.30 for recordings that go through its latents and back; heard within 1 semitone and 2 decibels
of what was asked.
"""

import argparse
import os
import re
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
from makar.codecs.pitch import pitches_hz, semitones
from makar.codecs.prosody import track_of
from makar.data.builtin.spoken_sentences import jsgf
from makar.data.sound import Sound, resampled
from makar.data.sound_reader import read_sound

BARS = {"speech": 0.10, "tacotron": 0.30, "vits": 0.30}
ASKED = {"pitch": (-2.0, 2.0), "energy": (-6.0, 3.0)}
FOUND_AGAIN = 0.4
"""Threshold of YIN for sounds whose phases Griffin-Lim found: they are less periodic than those of a throat."""

MOVED_BARS = {"pitch": 1.0, "energy": 2.0}
REBUILT = "through latents and back"
RATE = 16_000


def recogniser(folder: Path | None, *, is_free: bool = False) -> Any:
    """Return a recogniser of the grammar, or of any text."""
    if folder is not None and str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    from pocketsphinx import Decoder

    if is_free:
        return Decoder(loglevel="FATAL")
    with tempfile.NamedTemporaryFile("w", suffix=".gram", delete=False) as file:
        file.write(jsgf())
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


def letters(text: str) -> list[str]:
    """Return the letters of a text and the spaces between its words."""
    return list(" ".join(re.sub("[^a-z' ]", " ", text.lower()).split()))


def letter_errors(decoder: Any, text: str, sound: Sound) -> float:
    """Return the share of the letters of a text that are understood wrongly."""
    wanted = letters(text)
    return word_errors(wanted, letters(" ".join(heard(decoder, sound)))) / len(wanted)


def dictation(model: Any, decoder: Any, texts: list[str], controls: dict[str, Any], folder: Path) -> dict[str, float]:
    """Return the mean share of wrong letters of the model, of the recordings, and of these through picture and back."""
    codec: Any = model.artifact.codec()
    wrong: dict[str, list[float]] = {}
    for number, text in enumerate(texts):
        content = model.generate(text, seed=number, options=controls)[0].content
        spoken.speak(text, folder / "real.wav")
        real = read_sound((folder / "real.wav").read_bytes())
        sounds = {"makar": Sound(content.samples, content.rate_hz), "flite": real}
        if real.seconds <= codec.config.seconds:
            sounds["flite through picture and back"] = through_picture(codec, real)
        for side, sound in sounds.items():
            wrong.setdefault(side, []).append(letter_errors(decoder, text, sound))
    return {side: float(np.mean(shares)) for side, shares in wrong.items()}


def through_picture(codec: Any, real: Sound) -> Sound:
    back: Sound = codec.decode({"target": codec.to_model("target", codec.picture(real).transpose(2, 0, 1))})
    return back


def heights(model: Any, texts: list[str], controls: dict[str, Any], *, further: int = 0) -> np.ndarray:
    """Return median pitch in semitones and level in decibels of every text, float64 ``[texts, 2]``."""
    found = []
    for number, text in enumerate(texts):
        content = model.generate(text, seed=number + further, options=controls)[0].content
        made = Sound(content.samples, content.rate_hz)
        pitch = pitches_hz(made, threshold=FOUND_AGAIN)
        found.append((middle_semitones(pitch), track_of(made).level.energy))
    return np.array(found)


def middle_semitones(pitch: np.ndarray) -> float:
    """Return the median of what is known of a pitch."""
    known = pitch[~np.isnan(pitch)]
    return float(np.median(semitones(known))) if len(known) else float("nan")


def moved(model: Any, texts: list[str], controls: dict[str, Any]) -> dict[str, dict[str, float]]:
    """Return by pitch and energy what is heard of what was asked, in semitones and decibels."""
    plain = heights(model, texts, controls)
    other = heights(model, texts, controls, further=1000)
    found: dict[str, dict[str, float]] = {}
    for place, (name, asked) in enumerate(ASKED.items()):
        found[name] = {"another seed": float(np.nanmedian(other[:, place] - plain[:, place]))}
        for much in asked:
            away = heights(model, texts, controls | {name: much})[:, place] - plain[:, place]
            found[name][f"{much:+g}"] = float(np.nanmedian(away))
    return found


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
    parser.add_argument("--dictated", type=int, default=20, help="sentences of free text")
    parser.add_argument("--moved", type=int, default=10, help="commands whose pitch and energy are moved")
    parser.add_argument("--pocketsphinx", type=Path)
    options = parser.parse_args()
    decoder = recogniser(options.pocketsphinx)
    third = options.sentences // 3
    every = spoken.grammar(third + options.commands, seed=0)
    sentences = spoken.prose(options.sentences - third + options.dictated, seed=0)
    learned, commands = every[:third] + sentences[: options.sentences - third], every[third:]
    free = sentences[options.sentences - third :]
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
            back = through_picture(codec, real)
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
        general = recogniser(options.pocketsphinx, is_free=True)
        wrong_letters = dictation(model, general, free, controls, folder) if free else {}
        obeyed = moved(model, commands[: options.moved], controls) if codec.config.use_prosody and options.moved else {}
    rates = {side: float(np.mean(counts) / 6) for side, counts in wrong.items()}
    means = [draw.choice(wrong["makar"], len(commands)).mean() / 6 for _ in range(2000)]
    found = {
        "machine": machine(), "minutes": options.minutes, "sentences": len(learned), "commands": len(commands), "steps": options.steps,
        "word_error": rates, "interval": [float(value) for value in np.quantile(means, [0.025, 0.975])],
        "real_time_factor": processor / made_seconds, "seconds": seconds, "recipe": recipe, "vocoder": bool(options.vocoder),
        "bar": BARS[recipe], "dictation_letter_error": wrong_letters, "moved": obeyed, "moved_bars": MOVED_BARS,
    }  # fmt: skip
    print({key: value for key, value in found.items() if key != "machine"})
    parts = ["speech", *([recipe] if recipe != "speech" else []), *(["vocoder"] if options.vocoder else [])]
    write_result("-".join(parts), found)
    missed = [
        f"{name} {much}: {much_heard:+.1f}"
        for name, sides in obeyed.items()
        for much, much_heard in sides.items()
        if much != "another seed" and abs(much_heard - float(much)) > MOVED_BARS[name]
    ]
    print("moved otherwise than asked:", ", ".join(missed) or "nothing")
    sys.exit(bool(missed) or rates[REBUILT if recipe == "vits" else "makar"] > BARS[recipe])


if __name__ == "__main__":
    main()
