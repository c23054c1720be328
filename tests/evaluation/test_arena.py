"""The ranking of models by people: closed forms, a reference, and that nothing is decided too early."""

import numpy as np
import pytest

from makar.evaluation.arena import Comparison, rank
from makar.evaluation.rater_agreement import agreement


def duels(first, second, wins, losses, ties=0):
    said = [1.0] * wins + [0.0] * losses + [0.5] * ties
    return [Comparison(first=first, second=second, won=won, group=f"{first}{second}{n}") for n, won in enumerate(said)]


def test_two_models_have_the_log_odds_of_their_wins():
    ranking = rank(duels("a", "b", 30, 10))
    (duel,) = ranking.duels
    # With two wins added each way: 32 to 12.
    assert duel.better == "a" and duel.difference.value == pytest.approx(np.log(32 / 12), abs=2e-3)
    assert duel.win_rate.value == pytest.approx(32 / 44, abs=1e-3)
    assert duel.verdict == "decided" and duel.difference.low < duel.difference.value < duel.difference.high
    assert [one.model for one in ranking.models] == ["a", "b"] and ranking.models[0].wins == 30
    assert sum(one.strength.value for one in ranking.models) == pytest.approx(0, abs=1e-6)


def test_strengths_agree_with_maximum_likelihood_by_logistic_regression():
    from sklearn.linear_model import LogisticRegression

    draw = np.random.default_rng(0)
    true = {"a": 1.0, "b": 0.2, "c": -0.4, "d": -0.8}
    names, found = list(true), []
    for number in range(600):
        one, other = draw.choice(4, 2, replace=False)
        won = draw.random() < 1 / (1 + np.exp(true[names[other]] - true[names[one]]))
        found.append(Comparison(first=names[one], second=names[other], won=float(won), group=str(number)))
    ranking = rank(found)
    rows = np.zeros((len(found), 4))
    for row, one in zip(rows, found):
        row[names.index(one.first)], row[names.index(one.second)] = 1, -1
    fitted = LogisticRegression(fit_intercept=False, C=1e6).fit(rows, [one.won for one in found]).coef_[0]
    ours = {one.model: one.strength.value for one in ranking.models}
    assert np.allclose([ours[name] for name in names], fitted - fitted.mean(), atol=0.1)
    assert all(one.strength.low < true[one.model] < one.strength.high for one in ranking.models)


def test_nothing_is_decided_while_little_is_known():
    assert rank([]).models == ()
    for wins, losses, decided in ((1, 0, False), (3, 0, False), (12, 0, True), (6, 5, False), (0, 0, False)):
        (duel,) = rank(duels("a", "b", wins, losses, ties=not wins)).duels
        assert (duel.verdict == "decided") == decided, (wins, losses)


def test_the_share_of_false_decisions_is_small():
    draw = np.random.default_rng(1)
    wrong = 0
    for _ in range(60):
        wins = int(draw.binomial(20, 0.5))
        (duel,) = rank(duels("a", "b", wins, 20 - wins)).duels
        wrong += duel.verdict == "decided"
    assert wrong <= 8, "5 % of equal models, give or take"


def test_models_that_never_met_are_not_compared():
    ranking = rank(duels("a", "b", 40, 2) + duels("c", "d", 40, 2))
    assert ranking.duel("a", "b").verdict == ranking.duel("c", "d").verdict == "decided"
    assert ranking.duel("a", "d").verdict == "not yet decided" and not ranking.duel("a", "d").are_linked
    linked = rank(duels("a", "b", 40, 2) + duels("b", "c", 40, 2))
    assert linked.duel("a", "c").verdict == "decided" and linked.duel("a", "c").comparisons == 0


def test_what_many_say_of_the_same_answers_counts_as_one_thing():
    apart = duels("a", "b", 12, 4)
    together = [
        Comparison(first="a", second="b", won=one.won, group=str(number // 8)) for number, one in enumerate(apart)
    ]
    width = [rank(found).duels[0].difference for found in (apart, together)]
    assert width[1].high - width[1].low > width[0].high - width[0].low


def test_alpha_of_published_data():
    # Krippendorff 2011, section C (nominal data, four observers, missing values): 0.743; as interval data, section E: 0.849.
    rows = [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3],
        [None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None],
    ]
    units = [
        {f"rater {name}": float(value) for name, value in enumerate(column) if value is not None}
        for column in zip(*rows)
    ]
    names, numbers = (agreement(units, are_names=kind) for kind in (True, False))
    assert names.alpha.value == pytest.approx(0.743, abs=1e-3) and numbers.alpha.value == pytest.approx(0.849, abs=1e-3)
    assert names.units == 11 and names.raters == 4 and names.alpha.low < names.alpha.value <= names.alpha.high


def test_agreement_of_few_or_of_one_mind_is_unknown():
    assert agreement([{"a": 1.0}, {"b": 0.0}], are_names=True).alpha is None
    assert agreement([{"a": 1.0, "b": 1.0}] * 5, are_names=True).alpha is None
    half = [{"a": 1.0, "b": 1.0}] * 5 + [{"a": 0.0, "b": 0.0}] * 5
    assert agreement(half, are_names=True).alpha.value == 1.0
    against = [{"a": 1.0, "b": 0.0}] * 5 + [{"a": 0.0, "b": 1.0}] * 5
    assert agreement(against, are_names=True).alpha.value < 0
