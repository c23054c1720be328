"""Blind comparison: the win rate is that of the models and not of their sides, and no judge can see whose answer it has."""

import dataclasses

import pytest
import torch

import makar
from makar.api.blind import compare, read_prompts
from makar.errors import DataError, EmptyDataError, UnsupportedError, UsageError
from makar.evaluation.blind import EVEN, LEFT, RIGHT, BlindComparison, Duel
from makar.evaluation.blind_judges import asked, judge_of, person
from tests.contract import samples

SHORT, LONG = "One fox. Two hens. Three dogs. Four cats.", "A wolf ran. It rained. The sun shone. We ate. All slept."
PROMPTS = [f"{SHORT} {number}. {LONG}" for number in range(12)]
FIRST = "builtin:extractive"


class Two:
    """The built-in model with one sentence, to be compared with itself with three."""

    def __init__(self, monkeypatch):
        from makar.evaluation import blind

        self.calls = []

        def generate(artifact, *, prompts, seed, options=None):
            model = makar.load(FIRST)
            sentences = len(self.calls) % 2 * 2 + 1  # the new model is asked first and says one sentence
            self.calls.append(sentences)
            return model.generate_each(prompts, seed=seed, options={"sentences": sentences})

        monkeypatch.setattr(blind, "generate", generate)


def test_the_win_rate_does_not_depend_on_the_side(monkeypatch):
    Two(monkeypatch)
    found = compare(FIRST, FIRST, PROMPTS, judge=lambda prompt, left, right: LEFT if len(left) < len(right) else RIGHT)
    assert found.win_rate.value == 1 and found.keeps and found.longer_rate.value == 0
    assert 0 < found.left_rate.value < 1
    assert {duel.new_was_left for duel in found.duels} == {True, False}


def test_a_judge_who_looks_at_the_place_alone_is_found_out(monkeypatch):
    Two(monkeypatch)
    found = compare(FIRST, FIRST, PROMPTS, judge=lambda prompt, left, right: LEFT)
    assert found.left_rate.value == 1 and 0 < found.win_rate.value < 1 and not found.keeps


def test_answers_that_are_the_same_are_even_and_not_shown():
    def judge(prompt, left, right):
        raise AssertionError("it was asked")

    found = compare(FIRST, FIRST, PROMPTS[:3], judge=judge)
    assert found.win_rate.value == EVEN and not found.keeps and found.left_rate is None
    values = found.to_dictionary()
    assert values["even"] == values["prompts"] == 3 and values["verdict"] == "discard"


def test_a_model_that_always_says_a_finds_nothing(monkeypatch):
    from makar.evaluation import blind_judges

    said = iter(["A", "A", "The better one is B.", "A", "no idea", "EVEN"])

    @dataclasses.dataclass
    class Said:
        new_text: str

    monkeypatch.setattr(blind_judges, "generate", lambda artifact, **asked: iter([Said(next(said))]))
    judge = asked(makar.load(FIRST).artifact, seed=0)
    assert [judge("who?", "x", "y") for _ in range(3)] == [EVEN, RIGHT, EVEN]


def test_a_person_may_type_wrongly_and_stop():
    typed = iter(["c", "A", "b", "=", "q"])
    shown = []
    judge = person(lambda question: next(typed), shown.append)
    assert [judge("who?", "x", "y") for _ in range(4)] == [LEFT, RIGHT, EVEN, None]
    assert "who?" in shown[0] and "builtin" not in "".join(shown)


def test_a_comparison_that_is_stopped_keeps_what_was_judged(monkeypatch):
    Two(monkeypatch)
    said = iter([LEFT, RIGHT, None])
    assert len(compare(FIRST, FIRST, PROMPTS, judge=lambda *pair: next(said)).duels) == 2
    Two(monkeypatch)
    with pytest.raises(EmptyDataError, match="judged"):
        compare(FIRST, FIRST, PROMPTS, judge=lambda *pair: None)


@pytest.mark.parametrize(
    "won, keeps", [([1.0] * 12, True), ([1.0, 0.0] * 6, False), ([0.5] * 12, False), ([1.0], False), ([1.0] * 3, False)]
)
def test_the_whole_interval_has_to_lie_above_one_half(won, keeps):
    duels = tuple(Duel(prompt="p", new="a", old="bb", won=one, new_was_left=True) for one in won)
    assert BlindComparison(new="n", old="o", judge="j", duels=duels).keeps == keeps


def test_prompts_are_lines_or_a_column(tmp_path):
    (tmp_path / "a.txt").write_text("one\n\n two\n", encoding="utf-8")
    (tmp_path / "a.jsonl").write_text('{"instruction": "one"}\n{"instruction": ""}\n', encoding="utf-8")
    (tmp_path / "b.csv").write_text("smell\nx\n", encoding="utf-8")
    assert read_prompts(tmp_path / "a.txt") == ["one", " two"] and read_prompts(tmp_path / "a.jsonl") == ["one"]
    with pytest.raises(DataError, match="prompts"):
        read_prompts(tmp_path / "b.csv")
    with pytest.raises(UsageError, match="prompts"):
        read_prompts(tmp_path / "none.txt")
    with pytest.raises(EmptyDataError, match="no prompt"):
        compare(FIRST, FIRST, ["  "], judge=lambda *pair: LEFT)


def test_what_neither_scores_nor_writes_is_no_judge():
    with pytest.raises(UnsupportedError, match="cannot judge"):
        judge_of(makar.load(FIRST).artifact, seed=0)


def test_a_reward_model_prefers_what_it_scores_higher_on_either_side():
    codec, config = samples.fitted_stage("reward", 0)
    family = samples.new_family(config)
    with torch.no_grad():
        # A fresh network looks at the last token alone.
        for parameter in family.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)))

    class Judge:
        medium = "text"

        def family(self):
            return family

        def codec(self):
            return codec

    judge = judge_of(Judge(), seed=0)
    first, second = (family.read_text(text, codec, query="who?")["score"] for text in ("a fox", "two hens"))
    assert judge("who?", "a fox", "two hens") == (LEFT if first > second else RIGHT)
    assert judge("who?", "two hens", "a fox") == 1 - judge("who?", "a fox", "two hens")
    assert judge("who?", "a fox", "a fox") == EVEN
