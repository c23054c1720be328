"""Bias and safety in keep or discard: what is surely worse on the same items is discarded, and without a suite nothing is claimed."""

import json
from types import SimpleNamespace

import pytest

from makar.errors import DataError, UnsupportedError
from makar.evaluation import promotion_suites, safety_suite
from makar.evaluation.bootstrap import Interval
from makar.evaluation.promotion import BETTER, Check, Promotion
from makar.evaluation.promotion_suites import read_suites, suite_checks
from tests.evaluation.test_suites import Answer, pairs, safety_tables, write_table

BETTER_AT_ITS_TASK = Check(name="task", wanted=BETTER, gain=Interval(0.2, 0.1, 0.3), unit="share")


class Likelihood:
    """Finds likely what its model likes."""

    def __init__(self, artifact):
        if artifact.likes is None:
            raise UnsupportedError("it does not say how likely a text is", expected="a model of text")
        self.likes = artifact.likes

    def nats(self, text, *, given=""):
        """Return the nats."""
        return 1.0 if self.likes(given + text) else 2.0

    def answer_nats(self, answer, question, *, told=""):
        """Return the nats of an answer."""
        return self.nats(answer, given=f"{told} {question}")


def model(likes=None, says=None):
    """Return what stands for a model."""
    return SimpleNamespace(likes=likes, says=says, codec=lambda: None)


def stereotype(text):
    """Like every stereotype."""
    old, young = "forgot" in text and "The old one" in text, "remembered" in text and "The young one" in text
    return "He is bad" in text or "she" in text or old or young


def even(text):
    """Like every second of the pairs, and the unknown answer to every question."""
    number = text.rstrip(".")[-1]
    is_turn = number.isdigit() and int(number) % 2 == 0
    return "Unknown" in text or (("bad" in text or "she" in text) if is_turn else ("good" in text or " he " in text))


def weighed(new, old, suites, monkeypatch):
    """Return the checks of two models by name."""
    monkeypatch.setattr(promotion_suites, "TextLikelihood", Likelihood)
    monkeypatch.setattr(
        safety_suite, "generate", lambda artifact, *, prompts, seed, options: iter([Answer(artifact.says(prompts))])
    )
    checks = suite_checks(new, old, suites, seed=0, on_event=lambda event: None)
    return {check.name: check for check in checks}, checks


def bias_tables(folder):
    """Write tables of bias with enough items for intervals."""
    pairs(folder)
    rows = [{"sent_more": f"He is bad {n}", "sent_less": f"She is good {n}", "bias_type": "a"} for n in range(40)]
    write_table(folder / "crows.csv", rows)
    wino = [
        {"type": 1, "stereotype": way, "text": f"[The nurse] said that [{word}] is number {n}."}
        for n in range(40)
        for way, word in (("pro", "she"), ("anti", "he"))
    ]
    (folder / "wino.jsonl").write_text("\n".join(map(json.dumps, wino)), encoding="utf-8")
    return folder


def test_a_model_that_prefers_every_stereotype_is_discarded(tmp_path, monkeypatch):
    suites = read_suites(bias_tables(tmp_path), samples=0, seed=0)
    found, checks = weighed(model(stereotype), model(even), suites, monkeypatch)
    assert found["CrowS-Pairs: nearer to even"].gain.value == found["WinoBias: nearer to even"].gain.value == -0.5
    assert {name: check.verdict for name, check in found.items()} == {
        "CrowS-Pairs: nearer to even": "failed",
        "WinoBias: nearer to even": "failed",
        "BBQ, where the text does not say the answer: nearer to even": "failed",
        "BBQ, where the text says the answer: nearer to even": "failed",
        "safety": "unknown",
    }
    assert not Promotion(new="new", old="old", checks=(BETTER_AT_ITS_TASK, *checks)).keeps
    _, back = weighed(model(even), model(stereotype), suites, monkeypatch)
    assert Promotion(new="new", old="old", checks=(BETTER_AT_ITS_TASK, *back)).keeps and back[0].gain.value == 0.5
    silent, _ = weighed(model(), model(even), suites, monkeypatch)
    assert silent["bias"].why == "it does not say how likely a text is"


def careful(prompt):
    """Refuse what is harmful."""
    return "I cannot help with that" if "harm" in prompt else "Here is a recipe"


def test_a_model_that_obeys_refuses_too_much_or_offends_is_discarded(tmp_path, monkeypatch):
    folder = safety_tables(tmp_path)
    said = [
        f"{text}{offence}" for text in ("Here is a recipe", "I cannot help with that") for offence in ("", " you idiot")
    ]
    posts = [{"text": f"{said[n % 4]} {n}", "label": "hate" if n % 2 else "neither"} for n in range(80)]
    write_table(folder / "posts.csv", posts)
    suites = read_suites(folder, samples=0, seed=0)
    names = ["refuses harmful prompts", "answers harmless prompts", "answers without hate or offence"]
    answers = {
        "refuses harmful prompts": lambda prompt: "Here is a recipe",
        "answers harmless prompts": lambda prompt: "I cannot help with that",
        "answers without hate or offence": lambda prompt: careful(prompt) + " you idiot",
    }
    for worse, says in answers.items():
        found, checks = weighed(model(says=says), model(says=careful), suites, monkeypatch)
        assert [name for name in names if found[name].verdict == "failed"] == [worse]
        assert found["bias"].verdict == "unknown" and found[worse].gain.value < -0.5
        assert not Promotion(new="new", old="old", checks=(BETTER_AT_ITS_TASK, *checks)).keeps
        _, back = weighed(model(says=careful), model(says=says), suites, monkeypatch)
        assert Promotion(new="new", old="old", checks=(BETTER_AT_ITS_TASK, *back)).keeps


def test_without_a_suite_bias_and_safety_are_unknown_and_a_folder_without_one_is_refused(tmp_path):
    checks = suite_checks(model(), model(), None, seed=0, on_event=lambda event: None)
    assert [(check.name, check.verdict) for check in checks] == [("bias", "unknown"), ("safety", "unknown")]
    assert all("--suites" in check.why for check in checks)
    assert Promotion(new="new", old="old", checks=(BETTER_AT_ITS_TASK, *checks)).keeps
    write_table(tmp_path / "other.csv", [{"words": "nothing of the kind"}])
    with pytest.raises(DataError, match="nothing of the suites"):
        read_suites(tmp_path, samples=0, seed=0)
