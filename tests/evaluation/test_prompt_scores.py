"""Prompts scored and improved: rows find their places, intervals are of the difference, and what wins by luck is not kept."""

import dataclasses
import json
import time

import pytest

import makar
from makar.api.labels import guidance_of
from makar.api.prompts import agree
from makar.errors import DataError, UsageError
from makar.evaluation.prompt_scores import Case, PromptScore, cases_of, check_prompts, labels_of
from makar.evaluation.prompt_search import candidates, improve
from makar.generation.prompt_file import parse_prompt, read_prompt
from tests.cli.conftest import models, place  # noqa: F401  the small models of the shell's tests

PROMPT = parse_prompt(b'+++\n[variables]\ntext = "a text"\n+++\n{{text}}\nLabel:\n', name="plain")
CASES = [Case(values={"text": f"text {number}"}, expected="ab"[number % 2]) for number in range(60)]


class Judge:
    """Finds a prompt right as often as it has examples, up to eight of ten; it can be told to be slow, or blind to examples."""

    def __init__(self, *, seconds=0.0, sees_examples=True):
        self.seconds, self.sees_examples, self.asked = seconds, sees_examples, 0

    def score(self, prompt, cases, *, until=None):
        """Score a prompt."""
        self.asked += len(cases)
        time.sleep(self.seconds)
        good = min(len(prompt.examples) + 1, 8) if self.sees_examples else 5
        right = tuple(int(case.values["text"].split()[1]) // 2 % 10 < good for case in cases)
        return PromptScore(prompt=prompt, right=right, seconds=self.seconds)


def test_columns_find_their_places_and_labels_are_told_from_texts():
    rows = [{"review": "x", "text": "fine", "label": 1}, {"review": "x", "text": "bad", "label": 0}]
    assert cases_of(rows, PROMPT) == [
        Case(values={"text": "fine"}, expected="1"),
        Case(values={"text": "bad"}, expected="0"),
    ]
    summary = read_prompt("summary")
    assert cases_of([{"text": "long", "length": "one word", "answer": "a"}], summary)[0].values["length"] == "one word"
    gaps = [{"text": "a", "length": None, "answer": "b"}, {"text": "c", "answer": "d"}]
    assert [case.values for case in cases_of(gaps, summary)] == [{"text": "a"}, {"text": "c"}]
    with pytest.raises(DataError, match="right answers"):
        cases_of([{"text": "x"}], PROMPT)
    with pytest.raises(DataError):
        cases_of([{"words": "x", "label": "a"}], read_prompt("support"))
    assert labels_of(CASES) == ("a", "b")
    assert labels_of([dataclasses.replace(case, expected=str(number)) for number, case in enumerate(CASES)]) == ()


@pytest.mark.parametrize("row", [{"text": "b"}, {"text": "b", "label": None}, {"text": " ", "label": "y"}])
def test_a_row_without_what_is_asked_for_is_named(row, tmp_path):
    with pytest.raises(DataError, match="row 2 has no"):
        cases_of([{"text": "a", "label": "x"}, row], PROMPT)
    (tmp_path / "solved.jsonl").write_text('{"text": "a", "label": "x"}\n' + json.dumps(row) + "\n", encoding="utf-8")
    with pytest.raises(DataError, match="row 2 has no"):
        guidance_of(tmp_path / "solved.jsonl")


def test_a_gain_is_measured_row_by_row():
    one, two = (PromptScore(prompt=PROMPT, right=right, seconds=0) for right in ((True,) * 30, (False, True) * 15))
    gain = one.gain_over(two)
    assert gain.value == 0.5 and 0.3 < gain.low < 0.5 < gain.high < 0.7
    assert two.gain_over(two).low == two.gain_over(two).high == 0.0
    few = [PromptScore(prompt=PROMPT, right=right, seconds=0) for right in ((True,), (False,))]
    gain = few[0].gain_over(few[1])
    assert (gain.value, gain.low, gain.high) == (1.0, -1.0, 1.0), "one row shows nothing"
    with pytest.raises(DataError):
        one.gain_over(PromptScore(prompt=PROMPT, right=(), seconds=0))
    with pytest.raises(UsageError):
        check_prompts([PROMPT, PROMPT])


def test_a_better_prompt_is_found_and_shown_to_be_better_on_other_rows():
    rounds = []
    found = improve(Judge(), PROMPT, CASES, seconds=60, on_round=lambda *values: rounds.append(values))
    assert len(found.prompt.examples) == 8 and found.prompt.version != PROMPT.version
    assert found.gain.low > 0 and found.after.share.value > found.before.share.value + 0.4
    assert [rows for _, rows, _ in rounds] == [8, 16, 20][: len(rounds)]
    examples = {example["text"] for example in found.prompt.examples}
    assert len(found.after.right) == 20 and len(examples) == 8


def test_without_a_better_one_or_without_time_the_first_stays():
    blind = improve(Judge(sees_examples=False), PROMPT, CASES, seconds=60)
    assert blind.prompt == PROMPT and blind.gain.value == 0
    slow = Judge(seconds=0.02)
    assert improve(slow, PROMPT, CASES, seconds=0.001).prompt == PROMPT
    assert slow.asked <= 8 + 40
    with pytest.raises(DataError, match="at least"):
        improve(Judge(), PROMPT, CASES[:5], seconds=1)


def test_candidates_are_different_and_the_first_is_the_prompt_itself():
    import numpy as np

    found = candidates(PROMPT, CASES[:20], np.random.default_rng(0))
    assert found[0] == PROMPT and len({one.version for one in found}) == len(found) > 20


def test_a_story_keeps_its_state_in_a_model_that_has_learned_nothing(place):  # noqa: F811
    pytest.importorskip("llguidance")
    model, state = makar.load("writer"), {}
    for choice in ("the story begins", "open the door"):
        filled = makar.prompt("story")(setting="a lighthouse", state=json.dumps(state), choice=choice)
        assert json.dumps(state) in filled.text
        asset = model.generate(filled, options={"max_tokens": 400})[0]
        scene = json.loads(asset.content)
        assert 2 <= len(scene["choices"]) <= 3
        state = scene["state"]
        assert set(state) == {"place", "carries", "happened"}
        assert asset.manifest["template"]["values"]["choice"] == choice
        assert asset.manifest["template"]["version"] == makar.prompt("story").version


def test_answers_of_one_prompt_are_counted(place):  # noqa: F811
    vote, assets = agree(makar.load("writer"), "In which", count=5, answer=str.strip, options={"max_tokens": 1})
    assert sum(vote.counts.values()) == len(assets) == 5 and vote.counts[vote.answer] == max(vote.counts.values())
