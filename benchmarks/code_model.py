"""A model of code on Python's standard library: bits a byte against xz, functions that parse, freely and with the syntax kept, exact
lines, planted mistakes.

Run: python benchmarks/code_model.py [--minutes 30] [--samples 200] [--bugs 200] [--seed 0] [--set PATH=VALUE ...]

The library is cut by module (every tenth of the modules in the order of a hash is held out). xz has seen the training code: the bits are
those that the held-out code adds to it, with a dictionary that reaches over everything. A mistake is one token of held-out code changed,
left out, or taken for another; whoever ranks lines gets the word of the parser and of a checker (pyflakes) first, the model and the n-gram
model of bytes alike.
"""

import argparse
import hashlib
import io
import json
import keyword
import lzma
import math
import os
import random
import sys
import tempfile
import tokenize
from pathlib import Path

import numpy as np
from measure import machine, timed, write_result

from makar.artifacts.load import load_artifact
from makar.data.builtin.python_code import library_files
from makar.evaluation.bootstrap import share_interval
from makar.evaluation.ngram import NgramModel
from makar.generation.bugs import ranked_lines
from makar.generation.python_source import doubtful_lines, unparsable_lines

BARS = {
    "below_xz": (0.15, 0.25),
    "functions_that_parse": (0.8, None),
    "functions_that_parse_syntax": (0.8, None),
    "bugs_in_top": (0.5, None),
}
TOP_SHARE = 0.05
HELD_OUT = 10
LINES = range(60, 500)
SWAPS = {
    "+": "-", "-": "+", "*": "/", "<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "==", "and": "or",
    "or": "and", "True": "False", "False": "True", "is": "==", "in": "is", "+=": "-=",
}  # fmt: skip
KINDS = ("operator", "name", "typo", "dropped", "number")


def split_library() -> tuple[dict[str, str], dict[str, str]]:
    """Return the modules to learn from and those held out, by name."""
    parts: tuple[dict[str, str], dict[str, str]] = ({}, {})
    for name, path in library_files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big")
        parts[number % HELD_OUT == 0][name] = text
    return parts


def lay_out(folder: Path, parts: tuple[dict[str, str], dict[str, str]]) -> Path:
    """Write the modules as a data folder with the usual names of splits."""
    for part, texts in zip(("train", "test"), parts):
        for name, text in texts.items():
            place = folder / part / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text, encoding="utf-8", newline="")
    return folder


def xz_bits(train: str, held_out: str) -> float:
    """Return bits a byte of held-out code for xz after the training code."""
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "dict_size": 64 << 20}]

    def size(text: str) -> int:
        return len(lzma.compress(text.encode(), format=lzma.FORMAT_RAW, filters=filters))

    return 8 * (size(train + held_out) - size(train)) / len(held_out.encode())


def planted(source: str, kind: str, draw: random.Random) -> tuple[str, int] | None:
    """Return source with one token wrong and the number of its line, ``None`` where there is no token for that kind."""
    tokens = [one for one in tokenize.generate_tokens(io.StringIO(source).readline) if one.string.strip()]
    names = sorted({one.string for one in tokens if one.type == tokenize.NAME and not keyword.iskeyword(one.string)})
    choices = [(one, new) for one in tokens if (new := changed(one, kind, names, draw)) is not None]
    if not choices:
        return None
    token, new = draw.choice(choices)
    lines = source.splitlines(keepends=True)
    row, column = token.start
    line = lines[row - 1]
    lines[row - 1] = line[:column] + new + line[column + len(token.string) :]
    return "".join(lines), row


def changed(token: tokenize.TokenInfo, kind: str, names: list[str], draw: random.Random) -> str | None:
    """Return what a token becomes, ``None`` where this kind does not apply to it."""
    text = token.string
    is_name = token.type == tokenize.NAME and not keyword.iskeyword(text)
    if kind == "operator":
        return SWAPS.get(text)
    if kind == "name" and is_name:
        return draw.choice([name for name in names if name != text] or [None])
    if kind == "typo" and is_name and len(text) >= 4:
        place = draw.randrange(len(text) - 1)
        new = text[:place] + text[place + 1] + text[place] + text[place + 2 :]
        return new if new != text and new.isidentifier() else None
    if kind == "dropped" and (is_name or token.type == tokenize.OP):
        return ""
    if kind == "number" and token.type == tokenize.NUMBER and text.isdecimal():
        return str(int(text) + draw.choice((-1, 1))) if int(text) else "1"
    return None


def ngram_ranking(model: NgramModel, source: str) -> list[int]:
    """Return the numbers of the lines that say something, the most surprising first; what parser and checker say before all."""
    wrong = {one.number for one in unparsable_lines(source)}
    doubtful = set() if wrong else {one.number for one in doubtful_lines(source)}
    bits = model.bits(source.encode())[-1]
    scores, start = {}, 0
    for number, line in enumerate(source.splitlines(keepends=True), start=1):
        end = start + len(line.encode())
        if line.strip():
            scores[number] = float(bits[start:end].max())
        start = end
    return sorted(scores, key=lambda number: (number not in wrong, number not in doubtful, -scores[number], number))


def planted_bugs(model: Path, parts: tuple[dict[str, str], dict[str, str]], *, count: int, seed: int) -> dict:
    """Return how often the line of a planted mistake is among the first lines, by kind, for the model and the n-gram model."""
    artifact = load_artifact(model)
    ngram = NgramModel("\0".join(parts[0].values()).encode()[: 4 << 20], order=7)
    texts = [text for _, text in sorted(parts[1].items()) if len(text.splitlines()) in LINES]
    draw = random.Random(seed)
    found: dict[str, dict[str, list[bool]]] = {who: {kind: [] for kind in KINDS} for who in ("model", "ngram")}
    parsing = []
    while len(parsing) < count:
        kind = KINDS[len(parsing) % len(KINDS)]
        made = planted(draw.choice(texts), kind, draw)
        if made is None:
            continue
        source, number = made
        parsing.append(not unparsable_lines(source))
        rankings = {
            "model": [one.line for one in ranked_lines(artifact, source, is_python=True)],
            "ngram": ngram_ranking(ngram, source),
        }
        for who, ranking in rankings.items():
            top = ranking[: max(1, math.ceil(TOP_SHARE * len(ranking)))]
            found[who][kind].append(number in top)
        print(f"\r{len(parsing)} of {count} mistakes", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    result: dict = {"count": count, "top_share": TOP_SHARE, "still_parses": float(np.mean(parsing))}
    for who, kinds in found.items():
        hits = [hit for one in kinds.values() for hit in one]
        result[who] = {
            "in_top": share_interval(sum(hits), len(hits)).to_dictionary(),
            "by_kind": {kind: float(np.mean(one)) if one else None for kind, one in kinds.items()},
        }
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--samples", type=int, default=200)
    parser.add_argument("--bugs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--set", action="append", default=[], metavar="PATH=VALUE")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        parts = split_library()
        data, model = lay_out(Path(place) / "library", parts), Path(place) / "model"
        home = {"MAKAR_HOME": place}
        os.environ.update(home)
        train = [
            sys.executable,
            "-m",
            "makar",
            "train",
            str(data),
            "--for",
            f"{options.minutes * 60:.0f}s",
            "-o",
            str(model),
        ]
        settings = [word for setting in options.set for word in ("--set", setting)]
        seconds, _ = timed([*train, "--seed", str(options.seed), "--json", *settings], environment=home)
        samples = ["--samples", str(options.samples), "--seed", str(options.seed), "-o", f"{place}/report", "--json"]
        _, report = timed([sys.executable, "-m", "makar", "evaluate", str(model), *samples], environment=home)
        scores = json.loads(report)["scores"]
        bugs = planted_bugs(model, parts, count=options.bugs, seed=options.seed)
        xz = xz_bits("".join(parts[0].values()), "".join(parts[1].values()))
        recipe = load_artifact(model).recipe.stages[-1]
    below = 1 - scores["bits_per_byte"]["value"] / xz
    result = {
        "machine": machine(),
        "minutes": options.minutes,
        "seed": options.seed,
        "settings": options.set,
        "total_seconds": seconds,
        "modules": [len(part) for part in parts],
        "bytes": [sum(len(text.encode()) for text in part.values()) for part in parts],
        "family": recipe.family.to_dictionary(),
        "codec": recipe.codec.to_dictionary(),
        "scores": scores,
        "xz_bits_per_byte": xz,
        "below_xz": below,
        "planted": bugs,
        "bars": BARS,
    }
    figures = {
        "below_xz": below,
        "functions_that_parse": scores["functions_that_parse"]["value"],
        "functions_that_parse_syntax": scores["functions_that_parse_syntax"]["value"],
        "bugs_in_top": bugs["model"]["in_top"]["value"],
    }
    result["figures"] = figures
    print(f"bits a byte {scores['bits_per_byte']['value']:.3f}, xz after the training code {xz:.3f}")
    print(
        f"lines filled exactly {scores['exact_lines']['value']:.2f}; mistakes, n-gram {bugs['ngram']['in_top']['value']:.2f}"
    )
    for name, value in figures.items():
        bar, aim = BARS[name]
        print(f"{name}: {value:.3f} (bar {bar}{'' if aim is None else f', aim {aim}'})")
    write_result("code-model", result)
    sys.exit(0 if all(value >= BARS[name][0] for name, value in figures.items()) else 1)


if __name__ == "__main__":
    main()
