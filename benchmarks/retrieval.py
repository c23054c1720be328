"""How well `makar ask` finds: nDCG@10 on ir_cranfield, and the right section among all tales of fairytaleqa, beside plain FTS5.

Run: python benchmarks/retrieval.py [--encoder MODEL] [--documents 0]

Cranfield: 1,400 abstracts, 225 questions with judgements; documents in the order of their best passages. fairytaleqa: the sections of
all 278 tales are documents, the questions are those of the test part; a question counts as answered when a section that its answer is in
is among the first five. Plain FTS5 is the same table asked for any word of the question, stop words too; the difference is paired by
question, with an interval by bootstrap. ``--encoder`` adds the search by vectors and compares it with words alone. ``--documents N``
times questions against an index of N passages made of the tales again and again. Bars: 0.36, 0.76 with the interval of the difference
above 0, and 50 ms for 95 % of the questions. It ends with 1 where one is missed.
"""

import argparse
import gzip
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from measure import data_folder, machine, write_result

from makar.evaluation.ranking import gain_of_names
from makar.retrieval.chunking import passages
from makar.retrieval.reading import of_text
from makar.retrieval.search import Encoder, any_word, search
from makar.retrieval.sqlite_index import SqliteIndex

FIRST = 30
Find = Callable[[SqliteIndex, str], list[str]]


def lines(path: Path) -> list[dict]:
    """Return the rows of a file of JSON lines."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def made(path: Path, documents: list[tuple[str, str, str]], encoder: Encoder | None) -> SqliteIndex:
    """Return an index of documents given by name, title and text."""
    index = SqliteIndex.create(path)
    with index.together():
        for name, title, text in documents:
            index.replace(name, passages(of_text(text)), title=title, size=0, modified=0, sha256="", form="txt")
    while encoder is not None and (rows := index.without_vectors(encoder.name, limit=64)):
        numbers, texts = zip(*rows, strict=True)
        index.add_vectors(encoder.name, numbers, encoder.embed(texts))
    return index


def plain(index: SqliteIndex, question: str) -> list[str]:
    """Return documents by any word of the question, as anybody would ask FTS5."""
    return list(dict.fromkeys(stored.document for stored in any_word(index, question, limit=FIRST)))


def ours(encoder: Encoder | None = None) -> Find:
    """Return our search, as documents."""

    def find(index: SqliteIndex, question: str) -> list[str]:
        hits = search(index, question, limit=FIRST, encoder=encoder)
        return list(dict.fromkeys(hit.stored.document for hit in hits))

    return find


def cranfield(place: Path, encoder: Encoder | None) -> tuple[SqliteIndex, dict[str, str], dict[str, dict[str, int]]]:
    """Return the index, the questions and what was judged relevant."""
    folder = data_folder() / "ir_cranfield"
    documents = [
        (row["_id"], row["title"], row["text"].removeprefix(row["title"]).strip() or row["title"] or "-")
        for row in lines(folder / "corpus.jsonl.gz")
    ]
    judged: dict[str, dict[str, int]] = {}
    with gzip.open(folder / "qrels.trec.txt.gz", "rt", encoding="utf-8") as file:
        for line in file:
            question, _, document, grade = line.split()
            judged.setdefault(question, {})[document] = max(0, int(grade))
    questions = {row["_id"]: row["text"] for row in lines(folder / "queries.jsonl.gz")}
    return made(place, documents, encoder), questions, judged


def gains(index: SqliteIndex, questions: dict[str, str], judged: dict[str, dict[str, int]], find: Find) -> np.ndarray:
    """Return nDCG@10 of every question that has a relevant document."""
    found = []
    for name, question in questions.items():
        grades = judged.get(name, {})
        if any(grades.values()):
            found.append(gain_of_names(find(index, question), grades))
    return np.array(found)


def tales(repeat: int = 1) -> list[tuple[str, str, str]]:
    """Return the sections of all tales as documents."""
    return [
        (f"{row['story']}#{number}" + f"/{turn}" * bool(turn), row["story"].replace("-", " "), text)
        for turn in range(repeat)
        for part in ("train", "val", "test")
        for row in lines(data_folder() / "fairytaleqa" / f"stories_{part}.jsonl.gz")
        for number, text in enumerate(row["sections"], 1)
    ]


def recalled(index: SqliteIndex, rows: list[dict], find: Find) -> np.ndarray:
    """Return for every question whether a section with its answer is among the first five."""
    found = []
    for row in rows:
        wanted = {f"{row['story']}#{number.strip()}" for number in str(row["sections"]).split(",")}
        found.append(bool(wanted & set(find(index, row["question"])[:5])))
    return np.array(found, float)


def interval(values: np.ndarray) -> list[float]:
    """Return the mean and its 95 % interval by bootstrap."""
    draws = np.random.default_rng(0).integers(0, len(values), (2000, len(values)))
    low, high = np.quantile(values[draws].mean(1), [0.025, 0.975])
    return [round(float(value), 4) for value in (values.mean(), low, high)]


def main() -> int:
    """Measure, print, write; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", help="a model of the recipe embed")
    parser.add_argument(
        "--documents", type=int, default=0, help="passages of the index that questions are timed against"
    )
    options = parser.parse_args()
    encoder = None
    if options.encoder:
        import makar

        model = makar.load(options.encoder)
        encoder = Encoder(name=model.artifact.hash[:16], embed=model.embed)
    result: dict = {"machine": machine(), "encoder": options.encoder is not None}
    rows = lines(data_folder() / "fairytaleqa" / "qa_test.jsonl.gz")
    sides: dict[str, Find] = {"plain FTS5": plain, "words": ours()}
    if encoder is not None:
        sides["words and vectors"] = ours(encoder)
    with tempfile.TemporaryDirectory() as folder:
        index, questions, judged = cranfield(Path(folder) / "cranfield.sqlite", encoder)
        found = {name: gains(index, questions, judged, find) for name, find in sides.items()}
        sections = made(Path(folder) / "tales.sqlite", tales(), encoder)
        right = {name: recalled(sections, rows, find) for name, find in sides.items()}
        for title, values in (("cranfield nDCG@10", found), ("fairytaleqa recall@5", right)):
            result[title] = {name: interval(one) for name, one in values.items()}
            base = "words" if encoder is not None else "plain FTS5"
            last = list(values)[-1]
            result[title][f"{last} less {base}"] = interval(values[last] - values[base])
            for name, one in result[title].items():
                print(f"{title:22} {name:32} {one[0]:.4f} ({one[1]:.4f} to {one[2]:.4f})")
        if options.documents:
            large = Path(folder) / "large.sqlite"
            begin = time.perf_counter()
            index = made(large, tales(-(-options.documents // 5146)), None)
            took = time.perf_counter() - begin
            seconds = []
            for row in rows[:300]:
                start = time.perf_counter()
                search(index, row["question"], limit=6)
                seconds.append(time.perf_counter() - start)
            documents, count = index.counts()
            result["latency"] = {
                "passages": count,
                "documents_per_second": documents / took,
                "milliseconds_median": float(np.median(seconds) * 1e3),
                "milliseconds_95": float(np.quantile(seconds, 0.95) * 1e3),
            }
            print(result["latency"])
    last = list(sides)[-1]
    gain = result["fairytaleqa recall@5"]
    held = result["cranfield nDCG@10"]["words"][0] >= 0.36 and gain[last][0] >= 0.76 and list(gain.values())[-1][1] > 0
    held = held and result.get("latency", {}).get("milliseconds_95", 0.0) < 50
    result["held"] = bool(held)
    write_result("retrieval", result)
    return int(not held)


if __name__ == "__main__":
    sys.exit(main())
