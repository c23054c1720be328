"""Captions of emoji that were held out by code point, beside the caption of the nearest training image: CIDEr-D and BLEU-4.

Run: python benchmarks/captioning.py [--minutes 10] [--seed 0]

``makar train --recipe caption --for`` learns from images of five drawing styles with captions of name and keywords; ``makar evaluate``
describes the held-out images. No code point of these is in the training split in any style, so the right words are often words that
were never seen; the caption of the training image that is nearest in pixels is what a model has to beat. Ends with 1 where CIDEr-D or
BLEU is not above it.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from emoji_captions import rows, write_table
from measure import machine, timed, write_result

RIVAL = "nearest training image"


def main() -> None:
    """Train, describe, compare, write."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--minutes", type=float, default=10.0)
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--steps", type=int, help="instead of minutes, to try the script")
    given = arguments.parse_args()
    import makar

    result = {"machine": machine(), "minutes": given.minutes, "seed": given.seed}
    with tempfile.TemporaryDirectory() as folder:
        table = write_table(Path(folder), rows(), with_style=False)
        budget = ["--steps", str(given.steps)] if given.steps else ["--for", f"{given.minutes * 60:.0f}s"]
        words = ["train", str(table), "--recipe", "caption", "--seed", str(given.seed), "-o", f"{folder}/describer"]
        result["seconds_in_all"], _ = timed([sys.executable, "-m", "makar", *words, *budget])
        report = makar.load(f"{folder}/describer").evaluate(folder=f"{folder}/report").to_dictionary()
    result["scores"] = report["scores"]
    ratios = {}
    for key in ("cider", "bleu"):
        score = report["scores"][key]
        rival = score["baselines"][RIVAL]["value"]
        ratios[key] = score["value"] / rival if rival else None
        print(f"{key}: {score['value']:.3f} ({score['low']:.3f} to {score['high']:.3f}), {RIVAL} {rival:.3f}")
    result["times_the_rival"] = ratios
    result["held"] = all(ratio is not None and ratio > 1 for ratio in ratios.values())
    print("; ".join(report["verdict"]))
    write_result("captioning", result)
    sys.exit(0 if result["held"] else 1)


if __name__ == "__main__":
    main()
