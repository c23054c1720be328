"""Scripts: who says what, chapters, Markdown, and what is refused."""

import pytest

from makar.errors import UsageError
from makar.generation.script import read_script


def said(text, *voices):
    return [(line.voice, line.text, line.chapter) for line in read_script(text, voices or ("Ann",)).lines]


def test_names_speak_and_go_on_until_another_does():
    text = "Ann: Hello\nthere.\n\nBOB: Hi.\nann: And?\n\nNobody named."
    assert said(text, "Ann", "Bob") == [(0, "Hello there.", 0), (1, "Hi.", 0), (0, "And?", 0), (0, "Nobody named.", 0)]


def test_headings_are_chapters_and_are_not_spoken():
    script = read_script("Before.\n# One #\nfirst\n## Two\nAnn: second", ["Ann"])
    assert script.titles == ("", "One", "Two")
    assert [(line.text, line.chapter) for line in script.lines] == [("Before.", 0), ("first", 1), ("second", 2)]


def test_marks_of_markdown_are_not_spoken():
    assert said("- **Very** [good](http://x.example)\n\n---\n\n> `quoted`") == [(0, "Very good", 0), (0, "quoted", 0)]


def test_a_colon_in_a_text_makes_nobody_speak():
    assert said("Note: this is read.\nAt 10:30 too.") == [(0, "Note: this is read. At 10:30 too.", 0)]


def test_numbers_and_names_with_low_lines_are_kept():
    assert said("It was\n1984. Then\n\n2. __a__ snake_case") == [(0, "It was 1984. Then", 0), (0, "a snake_case", 0)]


def test_what_is_nothing_without_its_marks_is_not_said():
    assert said("Hello.\n\n![](a.png)\n\n___\n[](http://x)\nBye.") == [(0, "Hello.", 0), (0, "Bye.", 0)]


def test_names_in_bold_and_behind_bullets_and_alone_speak():
    text = "**Ann:** Hello\n**BOB:** Hi\n- Ann: And?\n*Bob*: Yes.\n\nAnn:\nWell."
    lines = [(0, "Hello", 0), (1, "Hi", 0), (0, "And?", 0), (1, "Yes.", 0), (0, "Well.", 0)]
    assert said(text, "Ann", "Bob") == lines
    with pytest.raises(UsageError, match="CAROL"):
        read_script("_CAROL_: hi", ["Ann"])


@pytest.mark.parametrize(
    "text, word", [("", "nothing"), ("# Title", "nothing"), ("---\n", "nothing"), ("ZOE: hi", "ZOE")]
)
def test_what_nobody_can_say_is_refused(text, word):
    with pytest.raises(UsageError, match=word):
        read_script(text, ["Ann"])


def test_too_long_a_script_is_refused():
    with pytest.raises(UsageError, match="characters"):
        read_script("a " * 200_000, ["Ann"])
