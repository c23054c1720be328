"""Films: does sound at another speed keep its pitch and its times, is what is kept exact, and how fast are films written?

Run: python benchmarks/films.py [--seconds 10] [--pocketsphinx FOLDER] [--sentences 20]

Pitch: tones from 80 to 2,000 Hz at six speeds, the largest error in cents beside that of resampling; evenness: how much the loudness of
the tones goes up and down, in decibels, beside the same windows laid over each other without looking for where they agree (control).
Times: noise bursts and where they come. Speech (ljspeech100, with pocketsphinx): errors in the words of real sentences as recorded,
slower and faster, and faster without looking. Exact: pictures and samples of a cut of an MKV. Bars: 10 cents, half of the control's
unevenness, 30 ms, and exactness.
"""

import argparse
import gzip
import json
import os
import re
import sys
import tarfile
import tempfile
import time
from pathlib import Path

import numpy as np
from measure import machine, write_result
from recogniser import dictated, general_recogniser

import makar
from makar.data.clip import Clip
from makar.data.film_sound import read_track
from makar.data.sound import Sound, resampled
from makar.data.sound_reader import read_sound
from makar.data.video_file import CODINGS, video_bytes
from makar.data.video_reader import read_clip
from makar.data.wave_file import on_grid
from makar.evaluation.word_errors import word_error
from makar.generation import stretching

BARS = {"cents": 10.0, "unevenness_share": 0.5, "milliseconds": 30.0}
RATE_HZ, SECONDS = 16_000, 3
SPEEDS, TONES_HZ = (0.5, 0.75, 0.9, 1.1, 1.5, 2.0), (80, 150, 300, 440, 1000, 2000)
HEIGHT, WIDTH, FRAMES_HZ = 360, 640, 25.0


def tone(hertz: float) -> Sound:
    wave = 0.3 * np.sin(2 * np.pi * hertz * np.arange(SECONDS * RATE_HZ) / RATE_HZ)
    return Sound(wave.astype(np.float32)[:, None], RATE_HZ)


def pitch(sound: Sound) -> float:
    power = np.abs(np.fft.rfft(sound.samples[:, 0] * np.hanning(len(sound.samples)), 1 << 20))
    return float(power.argmax() * sound.rate_hz / (1 << 20))


def unevenness_db(sound: Sound) -> float:
    inner = sound.samples[RATE_HZ // 4 : -RATE_HZ // 4, 0].astype(np.float64)
    power = np.convolve(inner**2, np.ones(400) / 400, "valid")
    return float(10 * np.log10(power.max() / max(power.min(), 1e-12)))


def stretched(sound: Sound, speed: float, **further: bool) -> Sound:
    return stretching.at_speed(sound, speed, samples=round(len(sound.samples) / speed), **further)


def tones() -> dict[str, float]:
    pairs = [(hertz, speed) for hertz in TONES_HZ for speed in SPEEDS]
    made = [stretched(tone(hertz), speed) for hertz, speed in pairs]
    reach, stretching.REACH_SECONDS = stretching.REACH_SECONDS, 0.0
    control = [stretched(tone(hertz), speed) for hertz, speed in pairs]
    stretching.REACH_SECONDS = reach
    moved = [stretched(tone(hertz), speed, shift_pitch=True) for hertz, speed in pairs]

    def cents(sounds: list[Sound]) -> float:
        return max(abs(1200 * np.log2(pitch(sound) / hertz)) for sound, (hertz, _) in zip(sounds, pairs, strict=True))

    return {
        "cents": cents(made),
        "cents_of_resampling": cents(moved),
        "unevenness_db": max(map(unevenness_db, made)),
        "unevenness_db_without_looking": max(map(unevenness_db, control)),
    }


def times() -> float:
    draw, worst = np.random.default_rng(0), 0.0
    for speed in SPEEDS:
        places = np.array([0.4, 1.1, 2.3])
        samples = np.zeros((SECONDS * RATE_HZ, 1), np.float32)
        for place in places:
            samples[round(place * RATE_HZ) :][:800, 0] = draw.uniform(-0.5, 0.5, 800)
        loud = np.abs(stretched(Sound(samples, RATE_HZ), speed).samples[:, 0]) > 0.1
        for place in places / speed:
            around = np.flatnonzero(loud[round((place - 0.1) * RATE_HZ) :])[0] / RATE_HZ - 0.1
            worst = max(worst, abs(around))
    return 1000 * worst


def speech(folder: Path | None, count: int) -> dict[str, float]:
    """Return the share of wrong words of sentences at several speeds; nothing where nobody listens."""
    decoder = general_recogniser(folder)
    place = Path(os.environ.get("MAKAR_DATA", "")) / "ljspeech100"
    if decoder is None or not place.is_dir():
        return {}
    with gzip.open(place / "metadata.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    wanted, heard = [], {name: [] for name in ("1", "0.8", "1.25", "1.25 without looking")}
    with tarfile.open(place / "ljspeech100_flac.tar") as archive:
        for row in sorted(rows, key=lambda row: len(row["normalized"]))[:count]:
            file = archive.extractfile(row["file"])
            assert file is not None
            sound = resampled(read_sound(file.read()), RATE_HZ)
            wanted.append(" ".join(re.findall("[a-z']+", row["normalized"].lower())))
            for name, said in heard.items():
                reach = stretching.REACH_SECONDS
                stretching.REACH_SECONDS = 0.0 if "without" in name else reach
                said.append(dictated(decoder, stretched(sound, float(name.split()[0]))))
                stretching.REACH_SECONDS = reach
    return {name: word_error(wanted, said).value for name, said in heard.items()}


def exactness(place: Path) -> bool:
    draw = np.random.default_rng(0)
    frames = draw.integers(0, 255, (24, 36, 50, 3), np.uint8)
    sound = Sound(on_grid(draw.uniform(-0.5, 0.5, (2 * RATE_HZ, 2)).astype(np.float32)), RATE_HZ)
    (place / "film.mkv").write_bytes(video_bytes(Clip(frames, 12.0), "mkv", comment="", sound=sound))
    (cut,) = makar.edit_film(place / "film.mkv", {"start": 0.5, "end": 1.5}, form="mkv")
    kept = read_clip(cut.content.file, most_frames=99).frames
    track = read_track(cut.content.file)
    return np.array_equal(kept, frames[6:18]) and np.array_equal(
        track.samples if track is not None else None, sound.samples[RATE_HZ // 2 : 3 * RATE_HZ // 2]
    )


def speeds(place: Path, seconds: float) -> dict[str, float]:
    """Return how many seconds of film of 640 x 360 pixels are read and written in one, by form."""
    across = np.linspace(0, 255, WIDTH)[None, :, None] * np.ones((HEIGHT, 1, 3))
    frames = np.stack([np.roll(across, 7 * number, 1).astype(np.uint8) for number in range(round(seconds * FRAMES_HZ))])
    (place / "long.mkv").write_bytes(video_bytes(Clip(frames, FRAMES_HZ), "mkv", comment="", sound=tone(440)))
    found = {}
    for form in CODINGS:
        started = time.perf_counter()
        makar.edit_film(place / "long.mkv", {"speed": 1.25}, form=form)
        found[form] = seconds / (time.perf_counter() - started)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10, help="length of the film that is written")
    parser.add_argument("--pocketsphinx", type=Path)
    parser.add_argument("--sentences", type=int, default=20, help="the shortest, read at four speeds")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = tones() | {"milliseconds": times(), "exact": exactness(Path(folder))}
        rows["word_error_at_speed"] = speech(options.pocketsphinx, options.sentences)
        rows["film_seconds_a_second"] = speeds(Path(folder), options.seconds)
    for name, value in rows.items():
        print(f"{name}: {value}", flush=True)
    write_result("films", {"machine": machine(), "rows": rows, "bars": BARS})
    is_even = rows["unevenness_db"] <= BARS["unevenness_share"] * rows["unevenness_db_without_looking"]
    if not (
        rows["exact"] and is_even and rows["cents"] <= BARS["cents"] and rows["milliseconds"] <= BARS["milliseconds"]
    ):
        sys.exit(1)


if __name__ == "__main__":
    main()
