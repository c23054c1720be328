"""An index is measured on labelled questions: figures that can be counted by hand, differences that are paired, labels that are refused."""

import json

import numpy as np
import pytest

from makar.errors import DataError, UsageError
from makar.evaluation.document_answers import ANY_WORD, NEAREST, WORDS_ALONE, counted, measure_answers
from makar.evaluation.labelled_questions import LabelledQuestion, Place, read_questions
from makar.evaluation.ranking import gain_at, gain_of_names, recall_of_names, reciprocal_rank
from makar.retrieval.answer import checked
from makar.retrieval.chunking import passages
from makar.retrieval.reading import of_text
from makar.retrieval.search import Encoder
from makar.retrieval.sqlite_index import SqliteIndex

DOCUMENTS = {
    "papers/refunds.md": "A refund is paid within 30 days. Shipping is not refunded.",
    "papers/people.txt": "The director is called Ada Byron. She was born in London.",
    "papers/hours.txt": "The shop closes at six in the evening. On Sunday it is shut.",
}


@pytest.fixture
def index(tmp_path):
    """Return an index of three documents of one passage each."""
    made = SqliteIndex.create(tmp_path / "i.sqlite")
    for name, text in DOCUMENTS.items():
        made.replace(name, passages(of_text(text)), title="", size=0, modified=0, sha256="", form="txt")
    return made


def measured(index, *questions, encoder=None, write=None):
    """Return scores by key, and everything."""
    found = measure_answers(index, questions, encoder=encoder, write=write, limit=6, on_event=lambda event: None)
    return {score.key: score for score in found.scores}, found


def test_names_in_their_order_are_measured_as_vectors_of_scores_are():
    grades = {"a": 2.0, "b": 1.0, "gone": 3.0}
    found = ["x", "b", "y", "a"]
    best = 3 / np.log2(2) + 2 / np.log2(3) + 1 / np.log2(4)
    assert gain_of_names(found, grades) == pytest.approx((1 / np.log2(3) + 2 / np.log2(5)) / best)
    # Where everything was found, an order of names is an order of scores.
    every = gain_of_names([*found, "gone"], grades)
    assert every == pytest.approx(gain_at(np.arange(5.0)[::-1], np.array([0.0, 1.0, 0.0, 2.0, 3.0])))
    assert gain_of_names(["a"], {}) == 0 and gain_of_names(["gone", "a", "b"], grades) == pytest.approx(1)
    assert [recall_of_names(found, {"a", "b", "gone"}, first=first) for first in (1, 2, 4)] == [0, 1 / 3, 2 / 3]
    assert reciprocal_rank(found, {"a", "b"}) == 0.5 and reciprocal_rank(found, {"gone"}) == 0


def test_figures_are_those_of_a_count_by_hand(index):
    scores, found = measured(
        index,
        # Names are found by their ends.
        LabelledQuestion(question="When is a refund paid?", answers=("within 30 days",), documents={"refunds.md": 1.0}),
        LabelledQuestion(question="Where was the director born?", answers=("London",), documents={"people.txt": 1.0}),
        LabelledQuestion(question="What is closed?", answers=("the shop",), documents={"papers/hours.txt": 1.0}),
        LabelledQuestion(question="How heavy is Jupiter?", is_answered=False),
        LabelledQuestion(question="Who is the director?", is_answered=False),
    )
    assert scores["document_recall_at_5"].interval.value == 1 and scores["document_mrr"].interval.value == 1
    # Of two questions that the documents do not answer one is answered, as its words are there.
    assert scores["silence"].interval.value == 0.5 and dict(scores["silence"].baselines)[NEAREST].value == 0
    assert scores["citation_recall"].interval.value == pytest.approx(scores["answered"].interval.value)
    assert scores["answered"].interval.low > 0.1
    assert found.details["questions"] == 5 and found.details["without_answer"] == 2
    difference = found.details["differences"]["first_sentence_f1"][NEAREST]
    own, other = scores["first_sentence_f1"].interval.value, dict(scores["first_sentence_f1"].baselines)[NEAREST].value
    assert difference["value"] == pytest.approx(own - other)
    assert counted(found.details) == "5 questions (3 with their documents, 3 with right answers, 2 without an answer)"
    (table,) = found.tables
    assert table.rows[0][3] == "yes" and table.rows[3][3] == "right to be silent" and "silent" in table.rows[4][3]


def test_places_are_held_by_passages_and_citations_that_lead_there(index):
    text = DOCUMENTS["papers/people.txt"]
    start = text.index("She was")
    born = Place(document="people.txt", start=start, end=len(text))
    name = Place(words="the director is called Ada Byron")
    questions = [
        LabelledQuestion(question="Where was she born?", documents={"people.txt": 1.0}, places=(born,)),
        LabelledQuestion(question="Who is the director?", places=(name,)),
    ]
    scores, _ = measured(index, *questions)
    assert scores["passage_recall_at_1"].interval.value == 1 and scores["passage_ndcg_at_10"].interval.value == 1
    assert scores["citation_precision"].interval.value == 1 and scores["citation_recall"].interval.value == 1
    assert "answer_f1" not in scores and "silence" not in scores
    # The right document is not enough where the place is known.
    wrong = Place(document="people.txt", start=0, end=len("The director"))
    scores, _ = measured(
        index, LabelledQuestion(question="Where was she born?", documents={"people.txt": 1.0}, places=(wrong,))
    )
    assert scores["citation_recall"].interval.value == 0 and scores["document_recall_at_1"].interval.value == 1
    assert ANY_WORD in dict(scores["document_mrr"].baselines)


def test_a_place_is_held_by_half_of_it():
    place = Place(document="a", start=100, end=200)
    assert place.is_in("a", 150, 400, "") and not place.is_in("a", 151, 400, "") and not place.is_in("b", 0, 400, "")
    # A sentence inside a long place is there too.
    assert place.is_in("a", 120, 140, "") and not place.is_in("a", 200, 220, "")
    words = Place(words="One two three four five six.")
    assert words.is_in("any", 0, 9, "zero one two three four, five") and not words.is_in(
        "any", 0, 9, "six five four three"
    )
    assert Place(words="Paris").is_in("any", 0, 9, "in paris.") and not Place(words="...").is_in("any", 0, 9, "...")


def test_vectors_are_compared_with_words_alone_and_a_model_with_the_documents_own_sentences(index):
    letters = Encoder(
        name="letters",
        embed=lambda texts: np.array([[text.lower().count(one) + 0.01 for one in "abcdefgh"] for text in texts]),
    )
    rows = index.without_vectors("letters", limit=9)
    index.add_vectors("letters", [row[0] for row in rows], letters.embed([row[1] for row in rows]))
    question = LabelledQuestion(
        question="When is a refund paid?", answers=("within 30 days",), documents={"refunds.md": 1.0}
    )

    def write(asked, hits, evidence):
        return checked(asked, "A refund is paid within 30 days. Jupiter is heavy.", hits, evidence, by="somebody")

    scores, found = measured(index, question, encoder=letters, write=write)
    assert WORDS_ALONE in dict(scores["document_mrr"].baselines)
    sides = [name for name, _ in scores["answer_f1"].baselines]
    assert sides == ["the documents' own sentences", NEAREST] and "first_sentence_f1" not in scores
    assert "unsupported" in found.tables[0].rows[0][1]


def test_documents_that_are_not_there_are_told_or_refused(index):
    known = LabelledQuestion(question="When is a refund paid?", documents={"refunds.md": 1.0})
    scores, found = measured(index, known, LabelledQuestion(question="What is a fox?", documents={"fox.txt": 1.0}))
    assert scores["document_recall_at_5"].interval.value == 0.5 and found.details["missing_documents"] == ["fox.txt"]
    assert any("fox.txt" in line for line in found.verdict)
    with pytest.raises(DataError, match="none of the 1 documents"):
        measured(index, LabelledQuestion(question="What is a fox?", documents={"fox.txt": 1.0}))
    index.replace("more/refunds.md", passages(of_text("Another.")), title="", size=0, modified=0, sha256="", form="txt")
    with pytest.raises(DataError, match="2 documents"):
        measured(index, known)


def written(folder, rows):
    """Write rows as JSON lines."""
    path = folder / "questions.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return path


def test_labels_are_read_as_people_write_them(tmp_path):
    rows = [
        {"question": "a?", "answer": "x", "document": "d", "passage": "some words", "id": 7},
        {"question": "b?", "answers": ["x", "y"], "documents": {"d": 2, "e": 0}},
        {"question": "c?", "answers": {"text": [], "answer_start": []}},
        {"question": "d?", "answerable": False},
        {"question": "e?", "span": {"document": "d", "start": 3, "end": 9}},
    ]
    found, unused = read_questions(written(tmp_path, rows))
    assert unused == ("id",)
    assert found[0].places == (Place(document="d", words="some words"),) and found[0].answers == ("x",)
    assert found[1].documents == {"d": 2.0} and found[1].answers == ("x", "y")
    assert [one.is_answered for one in found] == [True, True, False, False, True]
    assert found[4].documents == {"d": 1.0} and found[4].places[0].end == 9
    table = tmp_path / "questions.csv"
    table.write_text(
        'question,answers,documents,answerable\na?,"[""x"", ""y""]",d,\nb?,x,"[""d"", ""e""]",yes\nc?,,,no\n'
    )
    found, unused = read_questions(table)
    assert found[0].answers == ("x", "y") and set(found[1].documents) == {"d", "e"} and not found[2].is_answered
    assert unused == ()


@pytest.mark.parametrize(
    "row, words",
    [
        ({"answer": "x"}, "question"),
        ({"question": "a?"}, "neither an answer nor"),
        ({"question": "a?", "answer": "x", "answerable": False}, "not answerable and says"),
        ({"question": "a?", "answer": "x", "answerable": "perhaps"}, "perhaps"),
        ({"question": "a?", "span": {"document": "d", "start": 9, "end": 3}}, "span"),
        ({"question": "a?", "documents": {"d": "good"}}, "grades"),
        ({"question": "a?", "answers": [""]}, "no texts"),
    ],
)
def test_labels_that_say_nothing_or_two_things_are_refused(row, words, tmp_path):
    with pytest.raises(DataError, match=words):
        read_questions(written(tmp_path, [row]))
    with pytest.raises(UsageError):
        read_questions(tmp_path / "nowhere.csv")
