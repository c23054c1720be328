"""Answers marked in passages (fairytaleqa) and texts found by meaning (ir_cranfield), from nothing, beside what a sceptic would use.

Run: python benchmarks/finding.py fairytaleqa|cranfield [--minutes 15] [--seeds 0] [--steps N --most N]

fairytaleqa: the recipe ``find-answer`` on the official training part with the section given, measured on the official test part beside the
sentence of the section most like the question. cranfield: the recipe ``embed`` on the 1,400 abstracts alone, without a question or a
judgement, then nDCG@10 of the 225 questions against BM25 on the same texts, and of the sum of both orders. The bar: F1 of answers above
that of the nearest sentence; for cranfield the ratio is printed and nothing is asked. Ends with 1 where a bar is missed.
"""

import argparse
import collections
import gzip
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from measure import data_folder, machine, mean_interval, write_result
from rewriting import parts_of, read, train, write_parts

NEAREST = "sentence most like the question"
QUESTIONS = "question=question,context=section,answer=answers"
FUSED = 60
"""Added to every place before orders are added up (Cormack et al. 2009, reciprocal rank fusion)."""


def answers(folder: Path, given: argparse.Namespace, seed: int) -> dict[str, Any]:
    """Train on questions and return the scores on the official test part."""
    import makar

    table, place = folder / "table", folder / f"finder-{seed}"
    if not table.exists():
        write_parts(table, parts_of("fairytaleqa"), most=given.most)
    words = [str(table), "--columns", QUESTIONS, "--recipe", "find-answer"]
    train(words, minutes=given.minutes, steps=given.steps, place=place, seed=seed)
    report = makar.load(place).evaluate(folder=folder / "report").to_dictionary()
    print("; ".join(report["verdict"]), flush=True)
    return dict(report["scores"])


def cranfield() -> tuple[dict[str, str], dict[str, str], dict[str, dict[str, int]]]:
    """Return abstracts and questions by name, and how good each judged abstract is for each question."""
    place = data_folder() / "ir_cranfield"
    texts = {row["_id"]: row["text"] for row in read(place / "corpus.jsonl.gz") if row["text"].strip()}
    questions = {row["_id"]: row["text"] for row in read(place / "queries.jsonl.gz")}
    judged: dict[str, dict[str, int]] = collections.defaultdict(dict)
    with gzip.open(place / "qrels.trec.txt.gz", "rt") as lines:
        for line in lines:
            question, _, document, grade = line.split()
            judged[question][document] = int(grade)
    return texts, questions, judged


def retrieval(folder: Path, given: argparse.Namespace, seed: int) -> dict[str, Any]:
    """Train on abstracts and return nDCG@10 of vectors, of BM25 and of both."""
    import makar
    from makar.evaluation.bm25 import Bm25
    from makar.evaluation.ranking import gain_at

    texts, questions, judged = cranfield()
    data, place = folder / "abstracts.jsonl", folder / f"embedder-{seed}"
    data.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts.values()), encoding="utf-8")
    train([str(data), "--recipe", "embed"], minutes=given.minutes, steps=given.steps, place=place, seed=seed)
    model = makar.load(place)
    documents = model.embed(list(texts.values()))
    words = Bm25(list(texts.values()))
    asked = [name for name in questions if name in judged][: given.most]
    names = list(texts)
    found: dict[str, list[float]] = {"vectors": [], "BM25": [], "both": []}
    for name, vector in zip(asked, model.embed([questions[name] for name in asked]), strict=True):
        gains = np.array([judged[name].get(one, 0) for one in names], np.float64)
        scores = {"vectors": documents @ vector, "BM25": words.scores(questions[name])}
        places = [np.argsort(np.argsort(-score, kind="stable"), kind="stable") for score in scores.values()]
        scores["both"] = sum(1.0 / (FUSED + place) for place in places)
        for who, score in scores.items():
            found[who].append(gain_at(score, gains))
    means = {who: mean_interval(values) for who, values in found.items()}
    for who, (value, half) in means.items():
        print(f"cranfield seed {seed} {who}: nDCG@10 {value:.3f} +- {half:.3f}", flush=True)
    print(f"ratio of vectors to BM25 {means['vectors'][0] / means['BM25'][0]:.2f}")
    return {"dimensions": documents.shape[1], **{who: value for who, (value, _) in means.items()}}


def main() -> None:
    """Train, measure, compare, write."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("data", choices=("fairytaleqa", "cranfield"))
    arguments.add_argument("--minutes", type=float, default=15.0)
    arguments.add_argument("--seeds", type=int, nargs="+", default=[0])
    arguments.add_argument("--steps", type=int, help="instead of minutes, to try the script")
    arguments.add_argument("--most", type=int, help="rows of each part, or questions, to try the script")
    given = arguments.parse_args()
    result: dict[str, Any] = {"machine": machine(), "data": given.data, "minutes": given.minutes, "runs": []}
    held = True
    with tempfile.TemporaryDirectory() as place:
        for seed in given.seeds:
            scores = (answers if given.data == "fairytaleqa" else retrieval)(Path(place), given, seed)
            result["runs"].append({"seed": seed, **scores})
            if given.data == "fairytaleqa":
                own, rival = scores["answer_f1"]["value"], scores["answer_f1"]["baselines"][NEAREST]["value"]
                print(f"seed {seed} F1 of answers {own:.3f}, {NEAREST} {rival:.3f}, ratio {own / rival:.2f}")
                held = held and own > rival
    result["held"] = held
    write_result(f"finding-{given.data}", result)
    sys.exit(0 if held else 1)


if __name__ == "__main__":
    main()
