"""Keep or discard: better with its interval above zero, worse at nothing, and what is unknown decides nothing."""

from types import SimpleNamespace

import pytest

from makar.evaluation import promotion
from makar.evaluation.bootstrap import Interval
from makar.evaluation.promotion import BETTER, NOT_WORSE, Check, Promotion


def check(wanted, low, high, allowed=0.0):
    """Return a check whose gain lies between two figures."""
    return Check(name="x", wanted=wanted, gain=Interval((low + high) / 2, low, high), unit="share", allowed=allowed)


@pytest.mark.parametrize(
    "checks, keeps",
    [
        ([check(BETTER, 0.1, 0.2)], True),
        ([check(BETTER, -0.1, 0.3)], False),
        ([check(BETTER, 0.1, 0.2), check(NOT_WORSE, -0.2, 0.1)], True),
        ([check(BETTER, 0.1, 0.2), check(NOT_WORSE, -0.2, -0.1)], False),
        ([check(BETTER, 0.1, 0.2), check(NOT_WORSE, -0.03, -0.01, allowed=-0.02)], True),
        ([check(BETTER, 0.1, 0.2), check(NOT_WORSE, -0.05, -0.03, allowed=-0.02)], False),
        ([check(BETTER, 0.1, 0.2), Check(name="y", wanted=NOT_WORSE, gain=None, unit="", why="not here")], True),
        ([Check(name="y", wanted=BETTER, gain=None, unit="", why="not here")], False),
        ([check(BETTER, 0.1, 0.2), check(BETTER, -0.3, 0.3)], True),
        ([check(BETTER, 0.1, 0.2), check(BETTER, -0.3, 0.0)], True),
        ([check(BETTER, 0.1, 0.2), check(BETTER, -0.3, -0.1)], False),
        ([check(BETTER, -0.1, 0.2), check(BETTER, -0.3, 0.3)], False),
    ],
)
def test_the_checks_decide(checks, keeps):
    found = Promotion(new="new", old="old", checks=tuple(checks))
    assert found.keeps == keeps and found.to_dictionary()["verdict"] == ("keep" if keeps else "discard")


def test_what_is_not_sure_either_way_is_undecided():
    said = [check(BETTER, *bounds).verdict for bounds in ((0.1, 0.2), (0.0, 0.2), (-0.1, 0.1), (-0.2, -0.1))]
    assert said == ["passed", "undecided", "undecided", "failed"]


def test_an_answer_without_words_stays_beside_the_answer_of_the_other_model(monkeypatch):
    copied = [["copied", "", "copied"], ["", "copied", "copied"]]
    monkeypatch.setattr(promotion, "_said", lambda artifact, *given, **more: copied[artifact.number])
    index = SimpleNamespace(
        check_many=lambda texts: [SimpleNamespace(share_13=float(text == "copied")) for text in texts]
    )
    sides = [
        SimpleNamespace(number=n, codec=lambda: SimpleNamespace(spec={"target": SimpleNamespace(vocabulary=9)}))
        for n in range(2)
    ]
    material = SimpleNamespace(
        novelty=index,
        samples=3,
        seed=0,
        artifact=sides[0],
        codec=sides[0].codec(),
        held_out=SimpleNamespace(columns={}),
    )
    gain = promotion._memorisation(material, sides[1]).gain
    assert gain.value == 0 and (gain.low, gain.high) != (0, 0), "three pairs, of which two differ"
