"""A real voice of few minutes: what a voice of flite, learned on with it, says, beside the same minutes from nothing.

Run: python benchmarks/voice_adaptation.py [--minutes 15] [--adapt-minutes 30] [--sentences 1400] [--seconds 7] [--commands 30]
    [--model MODEL] [--without-control] [--pocketsphinx FOLDER]

A voice of flite (slt) is trained on pairs of sentences, long enough for what follows; then ``makar train --from`` learns the recordings
of ljspeech100 that are at most ``--seconds`` long (one reader, four and a half minutes). Measured of the model before, after, and of one
that had the same minutes of the same recordings from nothing: the difference of loudness from held-out recordings in their rhythm (``makar
evaluate`` over the same folder), how far its median pitch is from that of the reader, and the share of words that pocketsphinx with a
closed grammar gets wrong of commands, which the reader never said. Bars: words after 0.30; loudness and pitch nearer than before.
"""

import argparse
import gzip
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import spoken
from measure import data_folder, machine, timed, write_result
from speech import FOUND_AGAIN, heard, middle_semitones, recogniser, word_errors

import makar
from makar.codecs.pitch import pitches_hz
from makar.data.sound import Sound
from makar.data.sound_reader import read_sound
from makar.data.wave_file import wave_bytes

WORDS_BAR = 0.30
FRAMES_A_SECOND = 62.5


def reader(place: Path, *, seconds: float) -> tuple[float, float]:
    """Write the recordings of the reader that are short enough, and return how long they are together and their median pitch."""
    folder = data_folder() / "ljspeech100"
    with gzip.open(folder / "metadata.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = {row["file"]: row for row in map(json.loads, lines)}
    place.mkdir(parents=True)
    total, pitches = 0.0, []
    with tarfile.open(folder / "ljspeech100_flac.tar") as archive:
        for member in archive:
            row = rows.get(member.name)
            if row is None or row["samples"] > seconds * row["sr"] or (file := archive.extractfile(member)) is None:
                continue
            sound = read_sound(file.read())
            name = Path(member.name).stem
            (place / f"{name}.wav").write_bytes(wave_bytes(sound))
            (place / f"{name}.txt").write_text(row["normalized"], encoding="utf-8")
            total += sound.seconds
            pitches.append(pitches_hz(sound))
    return total, middle_semitones(np.concatenate(pitches))


def train(home: Path, data: Path, *words: str) -> None:
    command = [sys.executable, "-W", "ignore", "-m", "makar", "train", str(data), *words]
    timed(command, environment={"MAKAR_HOME": str(home)})


def measured(name: str, home: Path, data: Path, commands: list[str], decoder: Any, *, pitch: float) -> dict[str, float]:
    """Return words that are understood wrongly, semitones from the reader, and decibels from the held-out recordings."""
    model = makar.load(name)
    wrong, made = 0, []
    for number, text in enumerate(commands):
        content = model.generate(text, seed=number)[0].content
        sound = Sound(content.samples, content.rate_hz)
        wrong += word_errors(text.split(), heard(decoder, sound))
        made.append(pitches_hz(sound, threshold=FOUND_AGAIN))
    command = [sys.executable, "-W", "ignore", "-m", "makar", "evaluate", name, str(data), "--json"]
    command += ["-o", str(home / f"report-{Path(name).name}")]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env={**os.environ, "MAKAR_HOME": str(home)}
    )
    score = json.loads(done.stdout)["scores"]["loudness_difference"]
    return {
        "word_error": wrong / sum(len(text.split()) for text in commands),
        "semitones_away": middle_semitones(np.concatenate(made)) - pitch,
        "loudness_difference": score["value"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=15, help="of the voice of flite")
    parser.add_argument("--adapt-minutes", type=float, default=30)
    parser.add_argument("--sentences", type=int, default=1400)
    parser.add_argument("--seconds", type=float, default=7.0, help="longest recording of the reader")
    parser.add_argument("--commands", type=int, default=30)
    parser.add_argument("--model", help="a voice that was trained so, instead of training one")
    parser.add_argument("--without-control", action="store_true", help="leave out the model from nothing")
    parser.add_argument("--pocketsphinx", type=Path)
    options = parser.parse_args()
    decoder = recogniser(options.pocketsphinx)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        home, data = folder / "home", folder / "reader"
        os.environ["MAKAR_HOME"] = str(home)
        seconds, pitch = reader(data, seconds=options.seconds)
        frames = 8 * -(-round(options.seconds * FRAMES_A_SECOND) // 8)
        sizes = ["--set", f"stages.0.codec.frames={frames}"]
        before = options.model or str(home / "before")
        if options.model is None:
            sentences = spoken.prose(2 * options.sentences, seed=0)
            pairs = [" ".join(pair) for pair in zip(sentences[::2], sentences[1::2], strict=False)]
            spoken.corpus(folder / "corpus", pairs, voice="slt")
            train(
                home,
                folder / "corpus",
                "--recipe",
                "speech",
                "--for",
                f"{60 * options.minutes:g}s",
                *sizes,
                "-o",
                before,
            )
        names = {"before": before, "after": str(home / "after")}
        minutes = ["--for", f"{60 * options.adapt_minutes:g}s"]
        train(home, data, "--from", before, *minutes, "-o", names["after"])
        if not options.without_control:
            names["from nothing"] = str(home / "nothing")
            train(home, data, "--recipe", "speech", *minutes, *sizes, "-o", names["from nothing"])
        commands = spoken.grammar(options.commands, seed=1)
        sides = {side: measured(name, home, data, commands, decoder, pitch=pitch) for side, name in names.items()}
    found = {
        "machine": machine(), "minutes": options.minutes, "adapt_minutes": options.adapt_minutes, "reader_seconds": seconds,
        "commands": options.commands, "sides": sides, "bars": {"word_error": WORDS_BAR},
    }  # fmt: skip
    print({key: value for key, value in found.items() if key != "machine"})
    write_result("voice-adaptation", found)
    first, after = sides["before"], sides["after"]
    is_nearer = abs(after["semitones_away"]) < abs(first["semitones_away"]) and (
        after["loudness_difference"] < first["loudness_difference"]
    )
    sys.exit(after["word_error"] > WORDS_BAR or not is_nearer)


if __name__ == "__main__":
    main()
