"""Scores of texts made from others agree with the programs that defined them, text by text and added up."""

import numpy as np
import pytest
from sacrebleu.metrics import BLEU, CHRF

from makar.evaluation.rewriting import lead, nearest_sentence
from makar.evaluation.rewriting_scores import answer_scores, bleu, chrf, common_length, rouge, signatures

TEXTS = [
    "the quick brown fox jumps over the lazy dog .",
    "Ein Mann mit Hut, der etwas anstarrt.",
    "Nothing in common",
    "the the the the",
    "Two men, 3 dogs and a cat's toy run",
]
RIGHT = [
    ["the fast brown fox jumped over the lazy dog .", "a quick fox jumps over a dog"],
    ["Ein Mann mit einem Hut, der etwas anstarrt."],
    ["Völlig anders hier"],
    ["the cat is on the mat", "there is a cat on the mat"],
    ["Two men, 3 dogs and a cat run"],
]


def streams(references):
    most = max(map(len, references))
    return [[right[number] if number < len(right) else None for right in references] for number in range(most)]


def test_bleu_and_chrf_are_those_of_sacrebleu():
    assert bleu(TEXTS, RIGHT).interval().value == pytest.approx(BLEU().corpus_score(TEXTS, streams(RIGHT)).score)
    single = [right[:1] for right in RIGHT]
    assert chrf(TEXTS, single).interval().value == pytest.approx(CHRF().corpus_score(TEXTS, streams(single)).score)
    assert chrf(TEXTS, RIGHT).interval().value == pytest.approx(CHRF().corpus_score(TEXTS, streams(RIGHT)).score)


def test_signatures_say_how_many_right_texts_there_were():
    one, two = [["a"]], [["a", "b"], ["c", "d"]]
    assert signatures(one)["bleu"].startswith("nrefs:1|") and "tok:13a" in signatures(one)["bleu"]
    assert signatures(two)["chrf"].startswith("nrefs:2|") and "nc:6" in signatures(two)["chrf"]
    assert signatures([*one, *two])["bleu"].startswith("nrefs:var|")


def test_rouge_is_that_of_the_reference_program():
    scorer = pytest.importorskip("rouge_score.rouge_scorer").RougeScorer(["rouge1", "rouge2", "rougeL"])
    ascii_only = [0, 2, 3, 4]
    found = rouge(TEXTS, RIGHT)
    for number in ascii_only:
        best = scorer.score_multi([text.replace("ö", "o") for text in RIGHT[number]], TEXTS[number])
        for name, values in found.items():
            assert values[number] == pytest.approx(best[f"rouge{name}"].fmeasure)


def test_the_right_text_scores_most_and_none_scores_nothing():
    perfect = [right[0] for right in RIGHT]
    assert bleu(perfect, RIGHT).interval().value == pytest.approx(100)
    assert all(np.allclose(values, 1) for values in rouge(perfect, RIGHT).values())
    empty = [""] * len(RIGHT)
    assert bleu(empty, RIGHT).interval().value == 0 and chrf(empty, RIGHT).interval().value == 0
    assert not any(values.any() for values in rouge(empty, RIGHT).values())


def test_an_interval_holds_the_figure():
    interval = bleu(TEXTS, RIGHT).interval()
    assert interval.low <= interval.value <= interval.high and interval.low < interval.high


def test_common_subsequences_agree_with_the_table_method():
    draw = np.random.default_rng(0)
    for _ in range(50):
        first, second = (list(draw.choice(list("abcd"), draw.integers(0, 70))) for _ in range(2))
        table = np.zeros((len(first) + 1, len(second) + 1), int)
        for row, one in enumerate(first):
            for column, other in enumerate(second):
                before = table[row, column] + 1 if one == other else max(table[row, column + 1], table[row + 1, column])
                table[row + 1, column + 1] = before
        assert common_length(first, second) == table[-1, -1]


def test_answers_are_compared_without_case_articles_and_punctuation():
    exact, overlap = answer_scores(["The golden hair!", "a dog"], [["golden hair"], ["the big dog", "cat"]])
    assert exact.tolist() == [1, 0] and overlap == pytest.approx([1, 2 / 3])


def test_baselines_take_lines_of_a_conversation_and_sentences_of_prose():
    assert lead("#1: Hi.\n#2: Yes. No.\n#1: Go.\n#2: Bye.") == "#1: Hi. #2: Yes. No. #1: Go."
    assert lead("One. Two! Three? Four.") == "One. Two! Three?"
    assert nearest_sentence("Who had a dog?\n\nIt rained. The man had a dog. He slept.") == "The man had a dog."
    assert nearest_sentence("Who?\n\n") == ""
