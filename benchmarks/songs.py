"""Songs with words: are the words sung that a model is asked for, as an independent recogniser hears them?

Run: python benchmarks/songs.py [--minutes 30] [--songs 100] [--guidance 1 2] [--model MODEL] [--pocketsphinx FOLDER] [--seed 0]

Songs of the bootstrap voice (``makar.data.builtin.songs``: flite's voice, moved onto a melody), one in ten held out, written as a folder
of recordings with the words and their times beside each. One ``makar train --recipe jukebox-lyrics --for``; then held-out words are sung,
at the times of their songs and from the text alone, and understood by pocketsphinx, which knows nothing of the model and is held to the
grammar of the songs. Beside the word error: held-out songs themselves; these through picture and tokens and back; the same sounds held
against the words of other songs; songs of the same model that was told no words. Also, how far the times that the alignment search finds
are from the true ones, with the times of the words given and without. pocketsphinx 5 is looked for in ``--pocketsphinx`` (pip install
--target FOLDER pocketsphinx==5.1.1). Ends with 1 where the interval of the word error reaches up to that against words of others.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from measure import machine, timed, write_result
from speech import heard

import makar
from makar.codecs.alignment import features_of
from makar.codecs.lyrics import Listener, stretches_of, sung_ends
from makar.codecs.sound import SoundCodec
from makar.data.builtin.songs import WORDS, Song, song
from makar.data.builtin.tunes import STYLES
from makar.data.record import Record
from makar.data.sound import Sound
from makar.data.wave_file import wave_bytes
from makar.evaluation.bootstrap import Interval
from makar.evaluation.word_errors import word_error
from makar.generation.generate import make_assets
from makar.generation.jobs import make_jobs
from makar.generation.prompts import Prompt
from makar.generation.request import Request
from makar.tensor_spec import CLASS, LYRICS, TARGET

RECIPE = "jukebox-lyrics"
ALIGNED = 30
"""Songs of each style whose times are compared."""


def recogniser(folder: Path | None) -> Any:
    """Return a recogniser of the grammar of the songs."""
    if folder is not None:
        sys.path.insert(0, str(folder))
    from pocketsphinx import Decoder

    rows = " ".join(f"({' | '.join(row)})" for row in WORDS)
    with tempfile.NamedTemporaryFile("w", suffix=".gram", delete=False) as file:
        file.write(f"#JSGF V1.0; grammar songs; public <song> = {rows};")
    return Decoder(jsgf=file.name, loglevel="FATAL")


def write(folder: Path, each: int) -> None:
    """Write songs with their words, one in ten to be held out."""
    for style in STYLES:
        for number in range(each):
            one, part = song(style, number), "test" if number % 10 == 9 else "train"
            file = folder / part / style / f"{number:03d}.wav"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(wave_bytes(one.sound))
            file.with_suffix(".txt").write_text(one.timed, encoding="utf-8")


def record_of(style: str, one: Song, *, timed_words: bool = True) -> Record:
    """Return a song as a codec gets it."""
    words = one.timed if timed_words else one.words
    return Record(
        id=one.words,
        medium="sound",
        content=one.sound,
        document="",
        source="",
        split="train",
        label=style,
        caption=words,
    )


def boundary_errors(each: int) -> dict[str, dict[str, float]]:
    """Return how far the ends of units that are found are from the true ones, in milliseconds."""
    songs = [(style, song(style, number)) for style in STYLES for number in range(each)]
    found = {}
    for name, is_timed in (("times of words given", True), ("no times", False)):
        listener = Listener()
        records = [record_of(style, one, timed_words=is_timed) for style, one in songs]
        for record in records:
            listener.hear(record)
        lyrics, away = listener.learned(), []
        for record, (_, one) in zip(records, songs, strict=True):
            stretches = stretches_of(record.caption, lyrics.units, seconds=one.sound.seconds)
            ends = np.concatenate(sung_ends(lyrics.aligner, features_of(one.sound), stretches))
            true = np.array([end for _, end in one.phones])
            away += [np.abs(ends - true)[:-1]] if len(ends) == len(true) else []
        whole = 1000 * np.concatenate(away)
        found[name] = {"mean_ms": float(whole.mean()), "median_ms": float(np.median(whole))}
    return found


def sung_by(model: Any, prompts: list[Prompt], options: dict[str, Any], seed: int) -> list[Sound]:
    """Return what a model makes of prompts."""
    request = Request(model.artifact, options=options or None, novelty=None, refuse_copies=False)
    return [
        Sound(one.content.samples, one.content.rate_hz) for one in make_assets(request, make_jobs(prompts, 1, seed))
    ]


def prompts_of(codec: Any, asked: list[tuple[str, Song]], *, known_times: bool | None) -> list[Prompt]:
    """Return what is asked for: style and words, at the times of their song or at the pace of the model; ``None`` leaves words open."""
    plain = codec.plain
    found = []
    for style, one in asked:
        slots = {CLASS: torch.tensor(codec.class_names.index(style))}
        if known_times:
            told = plain.encode(record_of(style, one))[LYRICS]
            slots[LYRICS] = torch.from_numpy(plain.to_model(LYRICS, told))
        elif known_times is not None:
            slots[LYRICS] = torch.from_numpy(plain.encode_lyrics(one.words))
        found.append(Prompt(stated=None, slots=slots))
    return found


def back(codec: Any, asked: list[tuple[str, Song]], *, through_tokens: bool) -> list[Sound]:
    """Return songs that went the way through a picture, and through the tokens of it, and back."""
    base = codec.base if through_tokens else codec.plain
    assert isinstance(codec.plain, SoundCodec), "songs are sounds"
    slots = base.encode_together([record_of(style, one) for style, one in asked])
    return [base.decode({TARGET: base.to_model(TARGET, one[TARGET])}) for one in slots]


def main() -> None:
    """Measure and end with 1 where the words are not heard."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--songs", type=int, default=100, help="of each style")
    parser.add_argument("--guidance", type=float, nargs="+", default=[1.0, 2.0])
    parser.add_argument("--model", help="a model that was trained so, instead of training one")
    parser.add_argument("--pocketsphinx", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    decoder = recogniser(options.pocketsphinx)
    seconds = 0.0
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        name = options.model or str(place / "model")
        if options.model is None:
            write(place / "songs", options.songs)
            os.environ["MAKAR_HOME"] = str(place / "home")
            command = [
                sys.executable, "-W", "ignore", "-m", "makar", "train", str(place / "songs"), "--recipe", RECIPE,
                "--for", f"{60 * options.minutes:g}s", "--seed", str(options.seed), "-o", name,
            ]  # fmt: skip
            seconds, _ = timed(command, environment={"MAKAR_HOME": os.environ["MAKAR_HOME"]})
        asked = [(style, song(style, number)) for number in range(9, options.songs, 10) for style in STYLES]
        model = makar.load(name)
        codec: Any = model.artifact.codec()
        open_ones = prompts_of(codec, asked, known_times=None)
        sides = {
            "songs": [one.sound for _, one in asked],
            "songs through picture and back": back(codec, asked, through_tokens=False),
            "songs through tokens and back": back(codec, asked, through_tokens=True),
            "sung, told no words": sung_by(model, open_ones, {}, options.seed),
        }
        for weight in options.guidance:
            for kind, known in (("times of the song", True), ("text alone", False)):
                prompts = prompts_of(codec, asked, known_times=known)
                made = sung_by(model, prompts, {"guidance": weight}, options.seed)
                sides[f"sung, {kind}, guidance {weight:g}"] = made
    wanted = [one.words for _, one in asked]
    # A third of the songs further on: none its own, and of another style.
    moved = len(wanted) // 3 + 1
    others = wanted[moved:] + wanted[:moved]
    rows: dict[str, dict[str, Any]] = {}
    for side, sounds in sides.items():
        found = [" ".join(heard(decoder, sound)) for sound in sounds]
        own, shuffled = word_error(wanted, found), word_error(others, found)
        rows[side] = {"word_error": own.to_dictionary(), "against_words_of_others": shuffled.to_dictionary()}
        print(f"{side}: word error {said(own)}, against words of others {said(shuffled)}", flush=True)
    found_times = boundary_errors(min(options.songs, ALIGNED))
    print("ends of units:", found_times)
    write_result(
        "songs",
        {
            "machine": machine(), "minutes": options.minutes, "songs": 3 * options.songs, "held_out": len(asked), "seconds": seconds,
            "seed": options.seed, "rows": rows, "boundaries": found_times,
        },
    )  # fmt: skip
    best = rows[f"sung, text alone, guidance {options.guidance[-1]:g}"]
    sys.exit(best["word_error"]["high"] >= best["against_words_of_others"]["value"])


def said(error: Interval) -> str:
    return f"{error.value:.3f} ({error.low:.3f} to {error.high:.3f})"


if __name__ == "__main__":
    main()
