"""Clips of real tunes played by Makar's own instruments, with captions of what is known of them: material for models of music as tokens.

Folk tunes (nottingham) and chorales (jsb_chorales) are moved into a key of chance, given a tempo and an instrument of chance, cut at a bar,
and played for four seconds. The caption says tempo, instrument, style and key, for example "a slow organ waltz in G minor"; the style is
the class. One piece in ten is held out with all of its clips. These are rendered tunes and no recordings.
"""

import dataclasses
import gzip
import hashlib
import json
import tarfile
from pathlib import Path

import numpy as np
from measure import data_folder

from makar.data.builtin.tunes import INSTRUMENTS, RATE_HZ, TEMPOS
from makar.data.instruments import sound_of
from makar.data.midi import read_midi
from makar.data.score import DRUMS, Score, score_of_midi, score_of_voices
from makar.data.sound import Sound
from makar.data.wave_file import on_grid, wave_bytes
from makar.errors import DataError
from makar.evaluation.tune_listening import MODES, PROFILES, key_name

SECONDS = 4.0
STYLES = {"jigs": "jig", "reels": "reel", "waltzes": "waltz", "hpps": "hornpipe", "morris": "morris"}
"""By the beginning of the name of a tune; the others say no style."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Clip:
    """A clip: where it is, what is known of it."""

    file: Path
    caption: str
    style: str
    instrument: str
    speed: str
    tonic: int
    mode: str


def pieces() -> list[tuple[str, str, Score]]:
    """Return (name, style, notes) of every tune and chorale."""
    found = []
    with tarfile.open(data_folder() / "nottingham" / "midi.tar.gz") as archive:
        for member in archive:
            name = Path(member.name).stem
            style = next((word for start, word in STYLES.items() if name.startswith(start)), None)
            stream = archive.extractfile(member)
            if style is None or stream is None:
                continue
            try:
                found.append((name, style, score_of_midi(read_midi(stream.read()))))
            except DataError:
                continue
    with gzip.open(data_folder() / "jsb_chorales" / "Jsb16thSeparated.json.gz", "rt") as file:
        parts = json.load(file)
    for part, chorales in parts.items():
        for number, chorale in enumerate(chorales):
            voices = [[int(pitch) if pitch > 0 else None for pitch in row] for row in zip(*chorale)]
            found.append((f"{part}{number}", "chorale", score_of_voices(voices)))
    return found


def written_clips(folder: Path, *, clips: int, seed: int = 0) -> list[Clip]:
    """Write so many clips with their captions, in ``train`` and ``test``, a folder a style, and return what is known of them.

    Args:
        folder: A new folder.
        clips: How many.
        seed: Of what is left to chance.
    """
    made: list[Clip] = []
    every, draw = pieces(), np.random.default_rng(seed)
    by_style = {style: [piece for piece in every if piece[1] == style] for style in (*STYLES.values(), "chorale")}
    while len(made) < clips:
        style = list(by_style)[len(made) % len(by_style)]
        name, _, score = by_style[style][int(draw.integers(len(by_style[style])))]
        instrument, speed = str(draw.choice(list(INSTRUMENTS))), str(draw.choice(list(TEMPOS)))
        clip = _cut(score.moved(int(draw.integers(-5, 7))), INSTRUMENTS[instrument], TEMPOS[speed], draw)
        if len(clip.notes) < 6:
            continue
        tonic, mode = _key(clip)
        split = "test" if hashlib.sha256(name.encode()).digest()[0] % 10 == 0 else "train"
        file = folder / split / style / f"{len(made):05d}.wav"
        file.parent.mkdir(parents=True, exist_ok=True)
        samples = sound_of(clip, rate=RATE_HZ)[: round(SECONDS * RATE_HZ)]
        fade = np.clip((len(samples) - np.arange(len(samples))) / (0.05 * RATE_HZ), 0, 1)
        file.write_bytes(wave_bytes(Sound(on_grid((0.7 * samples * fade).astype(np.float32))[:, None], RATE_HZ)))
        caption = f"a {speed} {instrument} {style} in {key_name(tonic, mode)}"
        file.with_suffix(".txt").write_text(caption, encoding="utf-8")
        made.append(
            Clip(file=file, caption=caption, style=style, instrument=instrument, speed=speed, tonic=tonic, mode=mode)
        )
    return made


def _cut(score: Score, program: int, tempo: int, draw: np.random.Generator) -> Score:
    """Return the notes of four seconds from a bar on, played by one instrument at a tempo."""
    steps = int(np.ceil(SECONDS * tempo * 4 / 60)) + 1
    bars = max(1, (score.steps - steps) // score.bar_steps + 1)
    first = int(draw.integers(bars)) * score.bar_steps
    notes = [
        dataclasses.replace(note, start=note.start - first, program=program)
        for note in score.notes
        if first <= note.start < first + steps and note.program != DRUMS
    ]
    return Score(notes=tuple(sorted(notes)), steps=steps, metre=score.metre, tempo=tempo)


def _key(score: Score) -> tuple[int, str]:
    """Return the key of the notes as written: the profile that fits best how long each note sounds."""
    lengths = np.zeros(12)
    for note in score.notes:
        lengths[note.pitch % 12] += note.duration
    fits = {
        (tonic, mode): float(np.corrcoef(np.roll(PROFILES[mode], tonic), lengths)[0, 1])
        for mode in MODES
        for tonic in range(12)
    }
    return max(fits, key=lambda key: fits[key])
