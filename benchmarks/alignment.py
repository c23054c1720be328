"""Boundaries of phones that the codec of speech finds, against those that flite prints of its own recordings.

Run: python benchmarks/alignment.py [--sentences 1400]. Needs the program flite. A third of the sentences are commands of a closed grammar,
the others are out of books. Of the text and the recording alone everything is found; recordings whose phones flite printed
differently from what it speaks are left out of the figure. The control is an even division. Bar: 30 ms; aim: 16 ms; in four minutes.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import spoken
from measure import machine, write_result

from makar.codecs.alignment import features_of, learned_aligner
from makar.codecs.units import units_of
from makar.data.phones import PHONES
from makar.data.sound_reader import read_sound

BAR_SECONDS = 0.030


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sentences", type=int, default=1400)
    options = parser.parse_args()
    third = options.sentences // 3
    sentences = spoken.grammar(third, seed=0) + spoken.prose(options.sentences - third, seed=0)
    numbers = {phone: number for number, phone in enumerate(PHONES)}
    with tempfile.TemporaryDirectory() as place:
        truth = spoken.corpus(Path(place), sentences)
        names = sorted(truth)
        sounds = [read_sound((Path(place) / name).read_bytes()) for name in names]
        orders = [
            np.array(
                [numbers[unit] for unit in units_of((Path(place) / name).with_suffix(".txt").read_text(), "phones")]
            )
            for name in names
        ]
    processor = time.process_time()
    features = [features_of(sound) for sound in sounds]
    aligner = learned_aligner(features, orders, units=len(PHONES))
    processor = time.process_time() - processor
    errors, even, compared = [], [], 0
    for name, order, part in zip(names, orders, features, strict=True):
        if [PHONES[number] for number in order] != [phone for phone, _ in truth[name]]:
            continue
        ends = np.array([end for _, end in truth[name]])
        compared += 1
        errors.append((aligner.ends(part, order) - ends)[:-1])
        even.append((np.linspace(0, ends[-1], len(ends) + 1)[1:] - ends)[:-1])
    away = np.abs(np.concatenate(errors))
    per_recording = np.array([np.abs(one).mean() for one in errors])
    draw = np.random.default_rng(0)
    means = [draw.choice(per_recording, len(per_recording)).mean() for _ in range(2000)]
    found = {
        "machine": machine(),
        "recordings": len(names),
        "compared": compared,
        "minutes_of_sound": sum(sound.seconds for sound in sounds) / 60,
        "boundaries": len(away),
        "mean_error_seconds": float(away.mean()),
        "interval_over_recordings": [float(value) for value in np.quantile(means, [0.025, 0.975])],
        "median_error_seconds": float(np.median(away)),
        "bias_seconds": float(np.concatenate(errors).mean()),
        "within_32_ms": float((away <= 0.032).mean()),
        "even_division_seconds": float(np.abs(np.concatenate(even)).mean()),
        "processor_seconds": processor,
        "bar_seconds": BAR_SECONDS,
    }
    print({name: value for name, value in found.items() if name != "machine"})
    write_result("alignment", found)
    sys.exit(found["mean_error_seconds"] > BAR_SECONDS)


if __name__ == "__main__":
    main()
