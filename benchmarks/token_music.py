"""Music as tokens: do jukebox, musiclm and musicgen make the style, the instrument and the key that they are asked for?

Run: python benchmarks/token_music.py [--minutes 30] [--recipes jukebox musiclm musicgen] [--clips 3000] [--samples 96] [--seed 0]

Clips of real tunes and chorales played by Makar's own instruments (``rendered_tunes``), one piece in ten held out. Each recipe is one
`makar train --for`; then sounds are made for held-out captions (jukebox: for their styles). A judge that never met the model (``sounds``)
hears style and instrument; the key is found from the samples (Krumhansl). Beside each share stand chance, the same sounds with what was
asked for shuffled, held-out clips themselves, and a model that took one step. Codes in use are counted in the tokens of held-out clips, and
the longest copied run of tokens stands beside that of held-out clips. Ends with 1 where fewer than 80 % of the codes of a codebook are
used, where more codebooks do not come nearer, or where the interval of a share reaches down to chance or to the shuffled share.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from measure import data_folder, machine, timed, write_result
from rendered_tunes import Clip, written_clips
from sounds import heard, seen, taught

import makar
from makar.codecs.codec import Autoencoder
from makar.codecs.embedded import EmbeddedCodec
from makar.codecs.sound import SoundCodec
from makar.data.record import Record
from makar.data.sound import Sound
from makar.data.sound_reader import read_sound
from makar.evaluation.bootstrap import share_interval
from makar.evaluation.sound_codes import rebuilt_by_codebooks, usage_scores
from makar.evaluation.sound_tokens import longest_run
from makar.evaluation.tune_listening import key_of
from makar.tensor_spec import TARGET

RECIPES = ("jukebox", "musiclm", "musicgen")
LEAST_USAGE = 0.8


class Ears:
    """What hears style, instrument and key of a clip.

    Args:
        clips: What the judges of style and instrument learn from.
        steps: Steps of their trainings.
    """

    def __init__(self, clips: list[Clip], *, steps: int) -> None:
        pictures = torch.from_numpy(np.stack([seen(read_sound(clip.file.read_bytes())) for clip in clips]))[:, None]
        self.judges = {}
        for what in ("style", "instrument"):
            names = sorted({known_of(clip, what) for clip in clips})
            targets = torch.tensor([names.index(known_of(clip, what)) for clip in clips])
            self.judges[what] = (names, taught(pictures, targets, len(names), steps=steps))

    def hear(self, sounds: list[Sound]) -> dict[str, list[Any]]:
        """Return what is heard of every sound."""
        keys = [key_of(sound) for sound in sounds]
        found: dict[str, list[Any]] = {"tonic": [key[0] for key in keys], "mode": [key[1] for key in keys]}
        for what, (names, judge) in self.judges.items():
            found[what] = [names[number] for number in heard(judge, sounds)[0]]
        return found

    def chance(self, what: str) -> float:
        """Return the share that a guess gets right."""
        return {"tonic": 1 / 12, "mode": 1 / 2}.get(what) or 1 / len(self.judges[what][0])


def known_of(clip: Clip, what: str) -> Any:
    """Return what is known of a clip by name."""
    return {"style": clip.style, "instrument": clip.instrument, "tonic": clip.tonic, "mode": clip.mode}[what]


def shares(ears: Ears, told: dict[str, list[Any]], asked: list[Clip], kinds: tuple[str, ...]) -> dict[str, Any]:
    """Return of each kind the share that is as asked for with its interval, that with the asked-for ones shuffled, and chance."""
    found = {}
    order = np.random.default_rng(0).permutation(len(asked))
    for what in kinds:
        wanted = [known_of(clip, what) for clip in asked]
        right = share_interval(sum(one == other for one, other in zip(told[what], wanted)), len(wanted))
        shuffled = np.mean([told[what][place] == wanted[order[place]] for place in range(len(wanted))])
        found[what] = {**right.to_dictionary(), "shuffled": float(shuffled), "chance": ears.chance(what)}
    return found


def tokens_of(codec: Any, clips: list[Clip]) -> np.ndarray:
    """Return the tokens of clips, ``[clips, codebooks, moments]``."""
    base = codec.base if isinstance(codec, EmbeddedCodec) else codec
    records = [
        Record(
            id=clip.file.name, medium="sound", content=read_sound(clip.file.read_bytes()), document=clip.file.name,
            source=clip.file.name, split="held_out", label=clip.style, caption=clip.caption,
        )
        for clip in clips
    ]  # fmt: skip
    return np.stack([slots[TARGET] for slots in base.encode_together(records)]).astype(np.int64)


def made_for(model: Any, recipe: str, asked: list[Clip], seed: int) -> list[Sound]:
    """Return a sound for every clip: of its style, or of its caption."""
    assets = [
        model.generate(clip.style if recipe == "jukebox" else clip.caption, seed=seed + number)[0]
        for number, clip in enumerate(asked)
    ]
    return [Sound(asset.content.samples, asset.content.rate_hz) for asset in assets]


def measured(recipe: str, options: argparse.Namespace, clips: list[Clip], ears: Ears, place: Path) -> dict[str, Any]:
    """Train a recipe and measure it beside its controls."""
    kinds = ("style",) if recipe == "jukebox" else ("style", "instrument", "tonic", "mode")
    held_out = [clip for clip in clips if "test" in clip.file.parts]
    learned = [clip for clip in clips if "train" in clip.file.parts]
    asked = [held_out[number] for number in np.linspace(0, len(held_out) - 1, options.samples).astype(int)]
    home = place / "home"
    os.environ["MAKAR_HOME"] = str(home)
    base = [sys.executable, "-W", "ignore", "-m", "makar", "train", str(place / "clips"), "--recipe", recipe]
    seconds, _ = timed(
        [*base, "--for", f"{60 * options.minutes:g}s", "--seed", str(options.seed), "-o", str(home / recipe), "--json"],
        environment={"MAKAR_HOME": str(home)},
    )
    subprocess.run([*base, "--steps", "1", "-o", str(home / f"{recipe}-untrained")], check=True, capture_output=True)
    model, untrained = makar.load(str(home / recipe)), makar.load(str(home / f"{recipe}-untrained"))
    sounds = made_for(model, recipe, asked, options.seed)
    codec = model.artifact.codec()
    real = tokens_of(codec, held_out)
    usage = usage_scores(real, codes=codec.spec[TARGET].vocabulary or 1)
    train = tokens_of(codec, learned[:2000])[:, 0]
    plain, tokeniser = codec.plain, model.artifact.components()["tokens"].family
    assert isinstance(plain, SoundCodec) and isinstance(tokeniser, Autoencoder)
    drawn = [plain.picture(read_sound(clip.file.read_bytes())).transpose(2, 0, 1) for clip in held_out[:128]]
    pictures = plain.to_model(TARGET, np.stack(drawn))
    _, _, away = rebuilt_by_codebooks(tokeniser, pictures)
    row: dict[str, Any] = {
        "recipe": recipe,
        "seconds": seconds,
        "shares": shares(ears, ears.hear(sounds), asked, kinds),
        "untrained": shares(ears, ears.hear(made_for(untrained, recipe, asked[:32], 0)), asked[:32], kinds),
        "held_out": shares(ears, ears.hear([read_sound(clip.file.read_bytes()) for clip in asked]), asked, kinds),
        "usage": usage[0].interval.to_dictionary(),
        "difference_db": [float(values.mean()) for values in away],
        "perplexity": usage[1].interval.to_dictionary(),
        "longest_run": float(np.mean([longest_run(row[0], train) for row in tokens_of_sounds(codec, sounds)])),
        "longest_run_held_out": float(np.mean([longest_run(row[0], train) for row in real[: len(sounds)]])),
    }
    runs = row["longest_run"], row["longest_run_held_out"]
    rebuilt = ", ".join(f"{value:.2f}" for value in row["difference_db"])
    print(f"{recipe}: codes in use {row['usage']['value']:.2f}; {rebuilt} dB away with 1, 2 ... codebooks")
    print(f"  longest run {runs[0]:.1f} (held out {runs[1]:.1f})")
    for what, found in row["shares"].items():
        interval = f"{found['value']:.3f} ({found['low']:.3f} to {found['high']:.3f})"
        beside = f"untrained {row['untrained'][what]['value']:.3f}, held-out clips {row['held_out'][what]['value']:.3f}"
        floor = f"chance {found['chance']:.3f}, shuffled {found['shuffled']:.3f}"
        print(f"  {what}: {interval}, {floor}, {beside}", flush=True)
    return row


def tokens_of_sounds(codec: Any, sounds: list[Sound]) -> np.ndarray:
    """Return the tokens of sounds that were made."""
    base = codec.base if isinstance(codec, EmbeddedCodec) else codec
    label = next(iter(codec.class_names), None)
    records = [
        Record(id=str(number), medium="sound", content=sound, document="", source="", split="held_out", label=label)
        for number, sound in enumerate(sounds)
    ]
    return np.stack([slots[TARGET] for slots in base.encode_together(records)]).astype(np.int64)


def missed(row: dict[str, Any]) -> list[str]:
    """Return the bars that a row does not reach."""
    found = []
    if row["usage"]["value"] < LEAST_USAGE:
        found.append(f"{row['recipe']}: {row['usage']['value']:.2f} of the codes are used, bar {LEAST_USAGE}")
    if row["difference_db"] != sorted(row["difference_db"], reverse=True):
        found.append(f"{row['recipe']}: more codebooks do not always come nearer: {row['difference_db']}")
    for what in ("style", "tonic"):
        share = row["shares"].get(what)
        floor = 0.0 if share is None else max(share["chance"], share["shuffled"])
        if share is not None and share["low"] <= floor:
            found.append(f"{row['recipe']}: {what} from {share['low']:.3f}, chance or shuffled {floor:.3f}")
    return found


def main() -> None:
    """Measure and end with 1 where a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--recipes", nargs="+", default=list(RECIPES), choices=list(RECIPES))
    parser.add_argument("--clips", type=int, default=3000)
    parser.add_argument("--samples", type=int, default=96)
    parser.add_argument("--judge-steps", type=int, default=1500, help="fewer only to try the script")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    data_folder()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        clips = written_clips(place / "clips", clips=options.clips)
        ears = Ears([clip for clip in clips if "train" in clip.file.parts], steps=options.judge_steps)
        rows = [measured(recipe, options, clips, ears, place) for recipe in options.recipes]
    write_result(
        "token_music",
        {"machine": machine(), "minutes": options.minutes, "clips": options.clips, "seed": options.seed, "rows": rows},
    )
    below = [bar for row in rows for bar in missed(row)]
    print("\n".join(below))
    sys.exit(1 if below else 0)


if __name__ == "__main__":
    main()
