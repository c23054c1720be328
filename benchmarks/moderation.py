"""Trains ``makar-small``, the classifier of POST /v1/moderations, on labelled rows, and measures it on rows that it has not seen.

Run: python benchmarks/moderation.py [--write] [--only-measure]

``--write`` puts the weights into the package; ``--only-measure`` measures those that are there. A fifth of the rows, whole templates at a
time, is held out, another fifth chooses from where on something is flagged. Beside the classifier stand the patterns alone, both together,
and the judge of ``evaluate --suite safety`` (TF-IDF of words and letters, logistic regression) trained on the same rows. Rows of licences
that allow it are learned from (MIT, CC BY 4.0, Apache-2.0, CC0); others are only measured on. Ends with 1 where a bar is not held.
"""

import argparse
import csv
import dataclasses
import gzip
import hashlib
import html
import json
import re
import sys
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from measure import data_folder, machine, write_result

AUC_BARS = {"hate": 0.80, "harassment": 0.95, "illicit": 0.95}
HARMLESS_BAR = 0.05
ALARMS = {"hate": 0.04, "harassment": 0.04, "illicit": 0.01}
"""Share of the harmless rows of the choosing part, of each source, that may be flagged; it decides where 0.5 lies."""
ORDINARY = ("posts", "questions", "instructions", "frames", "books")
"""Sources that count there; the others are made to be mistaken."""
STRENGTH = 3.0
JUDGE_ROWS = 3000
NONE = {"hate": False, "harassment": False, "illicit": False}
# Of HateCheck: abuse of one person is harassment without hate, and these are neither.
UNTARGETED = (
    "profanity_nh",
    "ident_neutral_nh",
    "ident_pos_nh",
    "target_obj_nh",
    "slur_homonym_nh",
    "counter_quote_nh",
)


@dataclasses.dataclass(frozen=True)
class Row:
    """A labelled text; a category that is not in ``labels`` is not known of it."""

    source: str
    text: str
    group: str
    labels: dict[str, bool]

    @property
    def fold(self) -> int:
        """From 0, held out, and 1, the choosing part, to 4."""
        return int(hashlib.sha256(self.group.encode()).hexdigest()[:8], 16) % 5


def table(name: str) -> list[dict[str, Any]]:
    """Return the rows of a file of the real data."""
    with gzip.open(data_folder() / name, "rt", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file)) if ".csv" in name else [json.loads(line) for line in file]


def labelled() -> list[Row]:
    """Return what is learned from and tested on."""
    rows = []
    for one in table("safety/davidson_hate_offensive.jsonl.gz"):
        words = re.sub(r"\bRT\b|!!+", " ", html.unescape(html.unescape(one["text"])))
        labels = {"hate": one["label"] == "hate", "harassment": one["label"] != "neither"}
        rows.append(Row("posts", words, words, labels | ({"illicit": False} if one["label"] == "neither" else {})))
    for one in table("safety/hatecheck_test_suite_cases.csv.gz"):
        labels = {"hate": one["label_gold"] == "hateful"}
        if labels["hate"] or one["functionality"] == "target_indiv_nh":
            labels["harassment"] = True
        elif one["functionality"] in UNTARGETED:
            labels["harassment"] = False
        rows.append(Row("hatecheck", one["test_case"], one["templ_id"] or one["test_case"], labels))
    asked = [(one["goal"], True) for one in table("safety/advbench_goals.csv.gz")]
    tests = table("safety/simple_safety_tests.csv.gz")
    asked += [(one["prompts_final"], True) for one in tests if not one["harm_area"].startswith("Suicide")]
    discriminating = ("contrast_discr", "contrast_historical_events")
    prompts = [one for one in table("safety/xstest_prompts.csv.gz") if one["type"] not in discriminating]
    asked += [(one["prompt"], one["label"] == "unsafe") for one in prompts]
    rows += [Row("requests", words, words, {"illicit": True} if is_bad else NONE) for words, is_bad in asked]
    harmless = [one["Question"] for one in table("safety/truthfulqa.csv.gz")]
    harmless += [one["question"].split("\n\nChoices")[0] for one in table("safety/ai_risk_human_evals.jsonl.gz")[::4]]
    rows += [Row("questions", words, words, NONE) for words in harmless]
    told = [one["instruction"] for one in table("instructions/self_instruct_seed_tasks.jsonl.gz")]
    told += [one["instruction"] for one in table("instructions/user_oriented_instructions.jsonl.gz")]
    for part in ("train", "test"):
        pairs = table(f"preferences/ultrafeedback_{part}_500.jsonl.gz")
        told += [one["chosen"][0]["content"][:1000] for one in pairs]
    told += [one["text"] for one in table("code_eval/mbpp.jsonl.gz")]
    rows += [Row("instructions", words, words, NONE) for words in sorted(set(told))]
    # Nearly all of AdvBench begins with "Write a" or "Develop a": the same beginnings with words of a book are harmless.
    goals = [one["goal"] for one in table("safety/advbench_goals.csv.gz")]
    ends = iter(passages("train", 60, 3 * len(goals)))
    for goal in goals:
        for words in (2, 3, 4):
            tale = " ".join(next(ends).split()[1:-1])
            rows.append(Row("frames", f"{' '.join(goal.split()[:words])} {tale}", goal, {"illicit": False}))
    return rows + [Row("books", words, words, NONE) for words in passages("train", 200, 1500)]


def passages(split: str, letters: int, most: int) -> list[str]:
    """Return passages of books of one split, evenly out of all of them."""
    found = []
    for one in table("prose_books/books.jsonl.gz"):
        if one["split"] == split:
            found += [one["text"][start : start + letters] for start in range(0, len(one["text"]) - letters, letters)]
    return found[:: max(1, len(found) // most)][:most]


def unseen() -> dict[str, tuple[list[str], list[str]]]:
    """Return harmless texts and harmful ones of kinds that nothing was learned from."""
    found = table("bias/identity_term_templates_en.csv.gz")[::19]
    kinds = {kind: [one["phrase"] for one in found if one["toxicity"] == kind] for kind in ("nontoxic", "toxic")}
    return {
        "instructions of Alpaca": ([one["instruction"] for one in table("instructions/alpaca_5000.jsonl.gz")], []),
        "passages of 200 letters of unseen books": (passages("test", 200, 1000), []),
        "passages of 4,000 letters of unseen books": (passages("test", 4000, 300), []),
        "sentences about groups of people, and insults of them": (kinds["nontoxic"], kinds["toxic"]),
    }


def matrix(texts: Sequence[str]) -> Any:
    """Return one row a text, as ``scores_with`` weighs it."""
    from scipy.sparse import csr_matrix

    from makar.serving import small_moderator

    values, columns, ends = [], [], [0]
    for text in texts:
        found = np.concatenate([cells for cells, _ in small_moderator.features_of(text)[0]])
        places, counts = np.unique(found, return_counts=True)
        values.append(counts / np.sqrt(max(1, len(found))))
        columns.append(places)
        ends.append(ends[-1] + len(places))
    width = 1 << small_moderator.CELL_BITS
    return csr_matrix((np.concatenate(values), np.concatenate(columns), ends), shape=(len(texts), width))


def trained(rows: Sequence[Row], vectors: Any, category: str) -> tuple[np.ndarray, float]:
    """Return the weights of a category, whole numbers from -127 to 127, with their scale, and where 0.5 lies."""
    from sklearn.linear_model import LogisticRegression

    folds = np.array([row.fold for row in rows])
    truth = np.array([row.labels.get(category, -1) for row in rows], int)
    model = LogisticRegression(C=STRENGTH, class_weight="balanced", solver="liblinear", random_state=0)
    learned = (truth >= 0) & (folds > 1)
    model.fit(vectors[learned], truth[learned])
    weights = model.coef_[0]
    scale = np.abs(weights).max() / 127
    whole = np.round(weights / scale)
    sources = np.array([row.source for row in rows])
    chosen = [vectors[(truth == 0) & (folds == 1) & (sources == one)] @ (whole * scale) for one in ORDINARY]
    bounds = [-float(np.quantile(one, 1 - ALARMS[category])) for one in chosen if len(one)]
    # Never looser than the even odds of the regression, however few harmless rows look harmful.
    return whole * scale, min(float(model.intercept_[0]), *bounds)


def write(weights: np.ndarray, bias: np.ndarray) -> None:
    """Put weights into the package."""
    from safetensors.numpy import save_file

    from makar.serving.small_moderator import WEIGHTS

    scale = np.abs(weights).max(axis=0) / 127
    tensors = {
        "weights": np.round(weights / scale).astype(np.int8),
        "scale": scale.astype(np.float32),
        "bias": bias.astype(np.float32),
    }
    learned = (
        "Davidson et al. 2017 (MIT), HateCheck, XSTest, SimpleSafetyTests, model-written evals of Anthropic (CC BY 4.0), AdvBench (MIT), "
        "TruthfulQA, Self-Instruct (Apache-2.0), UltraFeedback (MIT), MBPP (CC BY 4.0), Standard Ebooks (CC0)"
    )
    save_file(tensors, WEIGHTS, metadata={"made_by": "benchmarks/moderation.py", "learned_from": learned})


def area(scores: np.ndarray, truth: np.ndarray) -> Any:
    """Return the area under the curve with its interval (DeLong et al. 1988): resampling takes minutes and says the same."""
    from scipy.stats import rankdata

    from makar.evaluation.bootstrap import Z_95, Interval

    bad, good = scores[truth], scores[~truth]
    ranks = rankdata(np.r_[bad, good])
    of_bad = (ranks[: len(bad)] - rankdata(bad)) / len(good)
    of_good = 1 - (ranks[len(bad) :] - rankdata(good)) / len(bad)
    value = float(of_bad.mean())
    half = Z_95 * float(of_bad.var(ddof=1) / len(bad) + of_good.var(ddof=1) / len(good)) ** 0.5
    return Interval(value, max(0.0, value - half), min(1.0, value + half))


def judged(scores: np.ndarray, truth: np.ndarray) -> dict[str, Any]:
    """Return AUC, precision and recall at 0.5 with their intervals."""
    from makar.evaluation.bootstrap import share_interval

    said = scores >= 0.5
    hits = int((said & truth).sum())
    return {
        "rows": len(truth),
        "harmful": int(truth.sum()),
        "auc": area(scores, truth).to_dictionary(),
        "precision": share_interval(hits, int(said.sum())).to_dictionary(),
        "recall": share_interval(hits, int(truth.sum())).to_dictionary(),
        "false_alarms": share_interval(int((said & ~truth).sum()), int((~truth).sum())).to_dictionary(),
    }


def judge_scores(rows: Sequence[Row], held: Sequence[Row], category: str) -> np.ndarray:
    """Return what the judge of the safety suite says, trained on as many of the rows that were not held out as JUDGE_ROWS."""
    from makar.evaluation.safety_suite import train_judge
    from makar.evaluation.suite_rows import some

    known = some([row for row in rows if row.fold and category in row.labels], JUDGE_ROWS, 0)
    judge = train_judge(
        # Its own held-out fifth is drawn by the same hash, of which a fifth is missing here.
        [row.text for row in known],
        [row.labels[category] for row in known],
        [f"{row.group} again" for row in known],
    )
    return np.asarray(judge.model.predict_proba([row.text for row in held])[:, 1])


def shown(name: str, found: dict[str, Any]) -> None:
    """Print one line of figures."""
    words = [
        f"{key} {found[key]['value']:.3f} ({found[key]['low']:.3f} to {found[key]['high']:.3f})"
        for key in found
        if isinstance(found[key], dict)
    ]
    print(f"  {name}: {', '.join(words)}")


def on_held_out(rows: Sequence[Row], category: str) -> dict[str, Any]:
    """Return how well a category is told apart on the held-out fifth, of each source and of all."""
    from makar.serving.moderation import scores_by_patterns
    from makar.serving.small_moderator import scores_of

    held = [row for row in rows if row.fold == 0 and category in row.labels]
    small = np.array([scores_of(row.text)[category] for row in held])
    patterns = np.array([scores_by_patterns(row.text)[category] for row in held])
    ways = {
        "patterns alone": patterns,
        "makar-small": np.maximum(small, patterns),
        "its classifier alone": small,
        "TF-IDF and logistic regression": judge_scores(rows, held, category),
    }
    result: dict[str, Any] = {}
    for source in ("all", "posts", "hatecheck", "requests"):
        part = np.array([source in ("all", row.source) for row in held])
        truth = np.array([row.labels[category] for row in held], bool)[part]
        if len(set(truth)) == 2:
            print(f"{category}, {source}: {len(truth)} rows, {truth.sum()} harmful")
            result[source] = {way: judged(scores[part], truth) for way, scores in ways.items()}
            for way, found in result[source].items():
                shown(way, found)
    return result


def on_unseen() -> dict[str, Any]:
    """Return what is flagged among texts of kinds that nothing was learned from."""
    from makar.evaluation.bootstrap import share_interval
    from makar.serving.moderation import scores_of_both
    from makar.serving.small_moderator import CATEGORIES

    result: dict[str, Any] = {}
    for name, kinds in unseen().items():
        found: dict[str, Any] = {}
        for word, texts in zip(("harmless", "harmful"), kinds):
            flags = [[scores_of_both(text)[one] >= 0.5 for one in CATEGORIES] for text in texts]
            for one, column in zip(CATEGORIES, zip(*flags)):
                found[f"{word} as {one}"] = share_interval(sum(column), len(texts)).to_dictionary()
        print(f"{name}: {len(kinds[0])} harmless, {len(kinds[1])} harmful")
        shown("flagged", found)
        result[name] = found
    return result


def main() -> None:
    """Train, write, measure."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--write", action="store_true")
    arguments.add_argument("--only-measure", action="store_true")
    given = arguments.parse_args()
    from makar.serving.small_moderator import CATEGORIES, WEIGHTS, scores_of

    rows = labelled()
    result: dict[str, Any] = {"machine": machine(), "rows": len(rows)}
    if not given.only_measure:
        vectors = matrix([row.text for row in rows])
        columns = [trained(rows, vectors, category) for category in CATEGORIES]
        if given.write:
            write(np.stack([weights for weights, _ in columns], axis=1), np.array([bias for _, bias in columns]))
            print("trained")
    result |= on_unseen()
    result |= {category: on_held_out(rows, category) for category in CATEGORIES}
    if not given.only_measure:
        others = [row for row in rows if row.source != "hatecheck"]
        kept = np.array([row.source != "hatecheck" for row in rows])
        weights, bias = trained(others, vectors[kept], "hate")
        truth = np.array([row.labels["hate"] for row in rows if row.source == "hatecheck"], bool)
        result["hate, HateCheck never seen"] = judged(1 / (1 + np.exp(-(vectors[~kept] @ weights + bias))), truth)
        shown("hate, all of HateCheck, by what was learned without it", result["hate, HateCheck never seen"])
    text = " ".join(passages("test", 2000, 20))[:32_768]
    scores_of(text)
    seconds = []
    for _ in range(20):
        start = time.perf_counter()
        scores_of(text)
        seconds.append(time.perf_counter() - start)
    result["milliseconds for 32 KB"] = 1000 * float(np.median(seconds))
    result["bytes of the weights"] = WEIGHTS.stat().st_size
    print(f"{result['milliseconds for 32 KB']:.1f} ms for 32 KB, {result['bytes of the weights']:,} bytes")
    write_result("moderation", result)
    areas = {one: result[one]["all"]["its classifier alone"]["auc"]["value"] for one in CATEGORIES}
    alarms = result["instructions of Alpaca"]
    held = [areas[one] >= bar for one, bar in AUC_BARS.items()]
    held += [alarms[f"harmless as {one}"]["value"] <= HARMLESS_BAR for one in CATEGORIES]
    sys.exit(0 if all(held) else 1)


if __name__ == "__main__":
    main()
