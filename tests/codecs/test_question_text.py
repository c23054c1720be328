"""Questions about passages as rows: where answers are found, what is said of others, and that all scripts keep their places."""

import numpy as np
import pytest

from makar.codecs.codec import fit_codec
from makar.codecs.question_text import answer_places
from makar.codecs.question_text_config import GIVEN, NONE, UNKNOWN, QuestionTextCodecConfig
from makar.data.record import Record
from makar.errors import ConfigError
from makar.tensor_spec import ANSWER, SPAN, TARGET

PASSAGE = "Ada lives in London. Bob lives in Paris, near the river. London is large."


def row(question, *answers, context=PASSAGE):
    roles = {"question": question, "context": context, "answers": answers}
    return Record(id="", medium="text", content=context, document="", source="", split="train", roles=roles)


ROWS = [row("Where does Ada live?", "London"), row("Where does Bob live?", "paris"), row("Who is in London?", "Ada")]


def codec(rows=ROWS, **settings):
    return fit_codec(QuestionTextCodecConfig(vocabulary_size=290, **settings), iter(rows))


def test_the_places_of_an_answer_are_those_of_its_words():
    fitted = codec()
    for one, answer in zip(ROWS, ("London", "Paris", "Ada"), strict=True):
        made = fitted.encode(one)
        assert made[SPAN][1] == GIVEN
        first, last = made[SPAN][2:4].astype(int)
        assert fitted.rows.decode(made[TARGET][first - 1 : last]).strip(" ,.") == answer
        assert fitted.parts_of(made) == (one.roles["question"], PASSAGE)
        assert fitted.answers_of(made[ANSWER]) == list(one.roles["answers"])
    # London is named twice.
    assert np.count_nonzero(fitted.encode(ROWS[0])[SPAN][2:]) == 4


@pytest.mark.parametrize(
    ("answer", "place", "exact"),
    [
        ("Paris", "Paris", True),
        ("PARIS", "Paris", True),
        ("near a river", "near the river", False),
        ("Berlin", None, False),
        ("", None, False),
        ("Lon", None, False),
    ],
)
def test_answers_are_found_as_they_are_nearly_or_not_at_all(answer, place, exact):
    found, said = answer_places(PASSAGE, [answer])
    assert [PASSAGE[start:end] for start, end in found[:1]] == ([] if place is None else [place]) and said == exact


@pytest.mark.parametrize(
    ("context", "answer"),
    [
        ("אדה גרה בלונדון. בוב גר בפריז ליד הנהר.", "בפריז"),
        ("エイダは東京に住む。ボブは大阪に住む。", "大阪"),
        ("A fox \U0001f98a met a bear \U0001f43b at noon.", "a bear \U0001f43b"),
    ],
)
def test_other_scripts_keep_their_places(context, answer):
    fitted = codec([*ROWS, row("?", answer, context=context)])
    made = fitted.encode(row("?", answer, context=context))
    first, last = (number - 1 - len(fitted.question_tokens("?")) for number in made[SPAN][2:4].astype(int))
    _, places = fitted.passage(context)
    assert context[places[first][0] : places[last][1]].strip() == answer


def test_what_is_not_there_is_said_and_kept_apart_from_what_has_no_answer():
    fitted = codec([*ROWS, row("Why?", "because"), row("Who flies?"), row("Where?", "near a river")])
    said = " ".join(fitted.remarks())
    assert said.count("16.7%") == 3 and fitted.some_have_none and not codec().some_have_none
    assert fitted.encode(row("Why?", "because"))[SPAN][1] == UNKNOWN
    assert fitted.encode(row("Who flies?"))[SPAN][1] == NONE
    assert fitted.answers_of(fitted.encode(row("Who flies?"))[ANSWER]) == [""]


def test_a_passage_that_is_too_long_is_cut_off_and_that_is_said():
    short = codec(length=24)
    assert any("100.0%" in sentence and "24 tokens" in sentence for sentence in short.remarks())
    assert short.encode(row("Who?", "London is large"))[SPAN][1] == UNKNOWN
    assert codec([row("Who?", "Ada")]).encode(row("Who? " * 500, "Ada"))[SPAN][1] == UNKNOWN


def test_rows_without_questions_are_refused_and_left_out():
    with pytest.raises(ConfigError, match="question"):
        codec([])
    bare = Record(id="", medium="text", content="a", document="", source="", split="train", roles={"text": "a"})
    assert codec().encode(bare) == {}
