"""How good the answers of `makar ask` are on fairytaleqa, without a judge: citations, words of the answer, and silence.

Run: python benchmarks/citations.py [--most N]

The sections of all 278 tales are documents, the questions those of the official test part, without being told the tale. Measured: how many
citations lead into a section that holds the answer (precision), for how many questions one does (recall), F1 of the words of the answer;
beside the sentence most like the question of the passage that fits best. Then the same questions against an index of the tales of the
training part, which do not hold the answers: how often that is said. Bar: F1 of the first sentence above that of the best one, the
interval of the paired difference above 0. Ends with 1 where it is missed.
"""

import argparse
import dataclasses
import sys
import tempfile
from pathlib import Path

import numpy as np
from measure import data_folder, machine, write_result
from retrieval import interval, lines, made, tales

from makar.evaluation.citations import Asked, answer_f1, citation_scores
from makar.evaluation.text_answers import nearest_sentences
from makar.retrieval.answer import Answer, Said, extracted
from makar.retrieval.evidence import Evidence
from makar.retrieval.search import search
from makar.retrieval.sqlite_index import SqliteIndex

SOURCES = 6


def asked_of(index: SqliteIndex, rows: list[dict], *, here: bool) -> tuple[list[Asked], list[Asked]]:
    """Return our answers and the sentences most like the questions; ``here`` says whether the tales of the answers are in the index."""
    ours, passages = [], []
    for row in rows:
        hits = search(index, row["question"], limit=SOURCES)
        sources = (
            frozenset(f"{row['story']}#{number.strip()}" for number in str(row["sections"]).split(","))
            if here
            else frozenset()
        )
        answer = extracted(row["question"], hits, Evidence(index, hits))
        ours.append(Asked(answer=answer, right=tuple(row["answers"]), sources=sources))
        passages.append((row["question"], hits[0].stored.passage.text if hits else "nothing"))
    nearest = []
    for one, sentence in zip(ours, nearest_sentences(passages), strict=True):
        said = (Said(text=sentence, citations=(), support=1.0),)
        answer = Answer(question=one.answer.question, sentences=said, citations=())
        nearest.append(Asked(answer=answer, right=one.right, sources=one.sources))
    return ours, nearest


def main() -> int:
    """Ask, measure, print, write; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--most", type=int, help="questions, to try the script")
    given = parser.parse_args()
    rows = lines(data_folder() / "fairytaleqa" / "qa_test.jsonl.gz")[: given.most]
    train = {row["story"] for row in lines(data_folder() / "fairytaleqa" / "stories_train.jsonl.gz")}
    with tempfile.TemporaryDirectory() as folder:
        whole = made(Path(folder) / "tales.sqlite", tales(), None)
        ours, nearest = asked_of(whole, rows, here=True)
        others = [one for one in tales() if one[0].partition("#")[0] in train]
        elsewhere, _ = asked_of(made(Path(folder) / "others.sqlite", others, None), rows, here=False)
    scores = citation_scores([*ours, *elsewhere])
    # What is compared is one sentence on both sides: the first of ours. All of ours is told beside it.
    firsts = [
        dataclasses.replace(one, answer=dataclasses.replace(one.answer, sentences=one.answer.sentences[:1]))
        for one in ours
    ]
    own, rival = answer_f1(firsts), answer_f1(nearest)
    result = {
        "machine": machine(),
        "scores": scores.to_dictionary(),
        "f1": {
            "whole answer": interval(answer_f1(ours)),
            "first sentence": interval(own),
            "best sentence": interval(rival),
            "difference": interval(own - rival),
        },
    }
    for name in ("precision", "recall", "answered", "silence"):
        print(f"{name:12} {getattr(scores, name)}")
    for name, (value, low, high) in result["f1"].items():
        print(f"F1 {name:16} {value:.4f} ({low:.4f} to {high:.4f})")
    print(f"ratio of F1 to that of the best sentence {np.mean(own) / np.mean(rival):.2f}")
    held = result["f1"]["difference"][1] > 0
    write_result("citations", result | {"held": bool(held)})
    return int(not held)


if __name__ == "__main__":
    sys.exit(main())
