"""Words mean the same whatever the codec, the case and the kind of quotation mark."""

import pytest

from makar.novelty.words import PATTERN, WordHasher, word_ends


@pytest.mark.parametrize(
    ("text", "count"),
    [("It was dark.", 4), ("x = a[0]", 6), ("漢字かな", 4), ("", 0), ("don't", 3), ("snake_case 3.5", 4)],
)
def test_words_are_counted(text: str, count: int) -> None:
    assert len(WordHasher()(text)) == count == len(word_ends(text))


def test_case_space_and_quotation_marks_do_not_matter() -> None:
    hasher = WordHasher()
    assert hasher("“It WAS  dark”").tolist() == hasher('"it was\ndark"').tolist()
    assert hasher("it was dork").tolist() != hasher("it was dark").tolist()


def test_no_word_is_hashed_to_the_end_of_a_document() -> None:
    words = WordHasher()(" ".join(str(number) for number in range(200_000)))
    assert words.min() >= 1
    assert len(set(words.tolist())) > 60_000


def test_the_hash_does_not_depend_on_the_process() -> None:
    assert WordHasher()("makar a poet").tolist() == [WordHasher()(word)[0] for word in PATTERN.findall("makar a poet")]
