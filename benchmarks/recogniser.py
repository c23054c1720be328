"""How much of new sentences a recogniser understands after minutes of training, beside a general recogniser and beside looking them up.

Run: python benchmarks/recogniser.py [--minutes 15] [--sentences 1400] [--held-out 50] [--model MODEL] [--pocketsphinx FOLDER]

The corpus is that of ``speech.py``: spoken by flite (voice rms), a third commands of a closed grammar, the others sentences out of books.
``makar train --recipe recogniser --for`` learns it; commands and sentences that are not in it are spoken and written down. Beside it:
pocketsphinx with its general model and its own model of language, the transcript of the training recording that sounds most alike, the same
sentences in a voice that was never heard (slt), white noise and silence (how many give any text). Bars: word error of commands 0.10, of
prose 0.45; no text from silence.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import spoken
from measure import machine, timed, write_result

import makar
from makar.data.sound import Sound
from makar.data.sound_reader import read_sound
from makar.data.wave_file import wave_bytes
from makar.evaluation.word_errors import word_error

BARS = {"commands": 0.10, "prose": 0.45}
RATE = 16_000


def general_recogniser(folder: Path | None) -> Any:
    if folder is not None:
        sys.path.insert(0, str(folder))
    try:
        from pocketsphinx import Decoder
    except ImportError:
        return None
    return Decoder(loglevel="FATAL")


def dictated(decoder: Any, sound: Sound) -> str:
    samples = np.pad(sound.mono(), RATE // 10)
    decoder.start_utt()
    decoder.process_raw((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes(), full_utt=True)
    decoder.end_utt()
    found = decoder.hyp()
    return found.hypstr if found else ""


def vector(model: Any, sound: Sound) -> np.ndarray:
    """Return the picture of a sound less its mean, of length 1."""
    picture = model.artifact.codec().picture(sound)[::4, ::4, 0].astype(np.float32).ravel()
    picture -= picture.mean()
    return picture / max(float(np.linalg.norm(picture)), 1e-6)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=15)
    parser.add_argument("--sentences", type=int, default=1400)
    parser.add_argument("--held-out", type=int, default=50)
    parser.add_argument("--model", help="a model that was trained so, instead of training one")
    parser.add_argument("--pocketsphinx", type=Path)
    options = parser.parse_args()
    third = options.sentences // 3
    commands = spoken.grammar(third + options.held_out, seed=0)
    prose = spoken.prose(options.sentences - third + options.held_out, seed=0)
    learned = commands[:third] + prose[: options.sentences - third]
    new = {"commands": commands[third:], "prose": prose[options.sentences - third :]}
    decoder = general_recogniser(options.pocketsphinx)
    with tempfile.TemporaryDirectory() as place:
        folder, seconds = Path(place), 0.0
        spoken.corpus(folder / "corpus", learned)
        name = options.model
        if name is None:
            name = str(folder / "home" / "model")
            command = [
                sys.executable, "-W", "ignore", "-m", "makar", "train", str(folder / "corpus"), "--recipe", "recogniser",
                "--for", f"{60 * options.minutes:g}s", "-o", name,
            ]  # fmt: skip
            seconds, _ = timed(command, environment={"MAKAR_HOME": str(folder / "home")})
            os.environ["MAKAR_HOME"] = str(folder / "home")
        model = makar.load(name)
        known = sorted((folder / "corpus").glob("*.wav"))
        table = np.stack([vector(model, read_sound(path.read_bytes())) for path in known])
        errors: dict[str, dict[str, Any]] = {}
        for kind, texts in new.items():
            said: dict[str, list[str]] = {"makar": [], "makar, unheard voice": [], "nearest": [], "pocketsphinx": []}
            for text in texts:
                spoken.speak(text, folder / "rms.wav")
                spoken.speak(text, folder / "slt.wav", voice="slt")
                sound = read_sound((folder / "rms.wav").read_bytes())
                said["makar"].append(model.predict(folder / "rms.wav")[0]["text"])
                said["makar, unheard voice"].append(model.predict(folder / "slt.wav")[0]["text"])
                nearest = known[int((table @ vector(model, sound)).argmax())]
                said["nearest"].append(nearest.with_suffix(".txt").read_text(encoding="utf-8"))
                if decoder is not None:
                    said["pocketsphinx"].append(dictated(decoder, sound))
            errors[kind] = {
                side: word_error(texts, found).to_dictionary()
                for side, found in said.items()
                if len(found) == len(texts)
            }
        draw = np.random.default_rng(0)
        nothing = {
            kind: [
                bool(
                    model.predict(wave_bytes(Sound(draw.normal(0, level, (3 * RATE, 1)).astype(np.float32), RATE)))[0][
                        "text"
                    ]
                )
                for _ in range(10)
            ]
            for kind, level in (("noise", 0.1), ("silence", 0.0))
        }
    found = {
        "machine": machine(), "minutes": options.minutes, "sentences": len(learned), "held_out": options.held_out,
        "parameters": sum(one.numel() for one in model.artifact.family().parameters()), "word_error": errors,
        "texts_of": {kind: float(np.mean(texts)) for kind, texts in nothing.items()}, "seconds": seconds, "bars": BARS,
    }  # fmt: skip
    print({key: value for key, value in found.items() if key != "machine"})
    write_result("recogniser", found)
    missed = [kind for kind, bar in BARS.items() if errors[kind]["makar"]["value"] > bar] + ["silence"] * any(
        nothing["silence"]
    )
    print("missed:", ", ".join(missed) or "none")
    sys.exit(bool(missed))


if __name__ == "__main__":
    main()
