"""Blind comparisons in Python: everybody sees the same answers, in any medium, and only what was seen is agreed on."""

import dataclasses

import pytest

from makar.api import arena
from makar.data.feedback.sessions import Session, Sessions
from makar.data.feedback.table import FeedbackTable
from tests.data.test_feedback import text, wave


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("MAKAR_HOME", str(tmp_path / "home"))


def begun(**words):
    session = Session(models=("x", "y"), **words)
    Sessions(FeedbackTable()).begin(session)
    return session


def of_model(item, session, model):
    return dataclasses.replace(item, model=session.models[model], model_hash=f"{model}" * 64)


def test_sounds_that_were_answered_before_are_shown_again_and_to_others():
    session = begun(medium="sound")
    asked = []

    def sounds(session, unit, model):
        asked.append(model)
        return of_model(wave(300 + 100 * model), session, model)

    first, again, other = (arena.next_pair(session.id, rater=who, answer=sounds) for who in ("ann", "ann", "bob"))
    assert len(asked) == 2
    assert {first.left.file, first.right.file} == {wave(300).file, wave(400).file}
    assert (again.left, again.right) == (first.left, first.right)
    assert {other.left.file, other.right.file} == {first.left.file, first.right.file}
    assert arena.judge(again.pair.id, "left", consent=True).medium == "sound"


def test_people_agree_only_on_pairs_that_they_saw():
    session = begun(prompts=("a", "b", "c"), medium="text")

    def texts(session, unit, model):
        return of_model(text(f"{unit} {model if unit else ' '}".strip()), session, model)

    for rater, prefers in (("ann", "x"), ("bob", "y")):
        while (shown := arena.next_pair(session.id, rater=rater, answer=texts)) is not None:
            assert shown.prompt != "a", "the answers to it are the same"
            arena.judge(shown.pair.id, "left" if shown.left.model == prefers else "right", consent=True)
    found = arena.ranking(session=session.id)
    assert found.agreement["pairs"].units == 2 and found.agreement["pairs"].alpha.value < 0
    assert sum(one.ties for one in found.ranking.models) == 4, "in the ranking they are even"
