"""Sentences and passages: nothing is lost, borders are those of sentences and sections, and long things are cut."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from makar.data.sentences import sentence_spans
from makar.retrieval.chunking import passages
from makar.retrieval.reading import of_markdown, of_text


def sentences(text: str) -> list[str]:
    return [text[start:end] for start, end in sentence_spans(text)]


def test_short_forms_numbers_and_initials_end_no_sentence() -> None:
    text = "Dr. A. Smith measured 3.5 m, e.g. here. Was it right? Yes!"
    assert sentences(text) == ["Dr. A. Smith measured 3.5 m, e.g. here.", "Was it right?", "Yes!"]


def test_quotes_scripts_without_spaces_lists_and_turns_have_their_sentences() -> None:
    assert sentences('"Go!" he said. "Why?" She went.') == ['"Go!" he said.', '"Why?"', "She went."]
    assert sentences("今日は雨。明日は雪！") == ["今日は雨。", "明日は雪！"]
    assert sentences("Ann: Hello\nBob: Good day") == ["Ann: Hello", "Bob: Good day"]
    assert sentences("Points:\n- one\n- two") == ["Points:", "- one", "- two"]


@given(st.text(alphabet="ab .!?\n你。#-", max_size=400))
def test_no_letter_is_lost_and_spans_are_in_order(text: str) -> None:
    spans = sentence_spans(text)
    assert all(first[1] <= second[0] for first, second in itertools.pairwise(spans))
    assert "".join("".join(text[start:end].split()) for start, end in spans) == "".join(text.split())
    found = passages(of_text(text), words=8)
    held = set().union(*(range(one.start, one.end) for one in found)) if found else set()
    assert all(place in held for place, letter in enumerate(text) if not letter.isspace())


def test_passages_overlap_by_whole_sentences_and_never_cross_a_heading() -> None:
    body = " ".join(f"Sentence number {number} has six words." for number in range(30))
    reading = of_markdown(f"# A\n{body}\n# B\n{body}")
    found = passages(reading, words=40)
    assert {one.heading for one in found} == {"A", "B"}
    inner = [one for one in found if one.heading == "A"]
    assert all(second.start < first.end for first, second in itertools.pairwise(inner))
    assert all(reading.text[one.start : one.end] == one.text and one.text.endswith(".") for one in found)
    assert all(len(one.text.split()) <= 50 for one in found)


def test_a_text_without_ends_and_spaces_is_cut() -> None:
    assert all(len(one.text) <= 8 * 40 + 40 for one in passages(of_text("x" * 100_000), words=8))
    assert max(len(one.text) for one in passages(of_text("雨" * 5000), words=20)) <= 80
