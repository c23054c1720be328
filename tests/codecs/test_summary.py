"""What is seen of sentences, which of them a summary is nearest to, and texts with summaries as arrays."""

import numpy as np
import pytest

from makar.codecs.codec import fit_codec
from makar.codecs.sentence_features import STAY, SentenceVectors, sentence_features
from makar.codecs.sentence_oracle import oracle
from makar.codecs.summary_config import SENTENCE_FEATURES, SummaryCodecConfig
from makar.data.record import Record
from makar.errors import DataError, EmptyDataError
from makar.tensor_spec import CHOSEN, FEATURES, SOURCE, TARGET

SENTENCES = ["The fox ran home.", "It rained.", "A fox is fast.", "The fox ran and ran home fast."]


def row(source, *targets, split="train"):
    return Record(
        id="",
        medium="text",
        content=source,
        document="",
        source="",
        split=split,
        roles={"source": source, "targets": targets},
    )


def seen(sentences):
    rows, _ = sentence_features(sentences)
    return {name: rows[:, number] for number, name in enumerate(SENTENCE_FEATURES)}


def test_centrality_is_the_fixed_point_of_the_walk():
    vectors = SentenceVectors.of([sentence.lower().strip(".").split() for sentence in SENTENCES])
    likeness = np.stack([vectors.likeness(number) for number in range(len(SENTENCES))])
    assert np.allclose(np.diag(likeness), 1) and np.allclose(likeness, likeness.T)
    others = likeness - np.eye(len(SENTENCES))
    leads = others.sum(1, keepdims=True)
    walk = (1 - STAY) / len(SENTENCES) + STAY * np.divide(
        others, leads, out=np.zeros_like(others), where=leads > 1e-9
    ).T
    values, places = np.linalg.eig(walk)
    fixed = np.abs(places[:, np.argmax(values.real)].real)
    assert np.allclose(vectors.centrality(), fixed / fixed.sum(), atol=1e-4)


def test_what_is_seen_of_sentences_is_where_they_stand_and_what_they_say():
    found = seen(SENTENCES)
    assert found["first"].tolist() == pytest.approx([1, 1 / 2, 1 / 3, 1 / 4])
    assert found["early"][-1] == 0 and found["last"][-1] == 1
    assert found["central"].argmin() == 1 and found["longest"].argmax() == 3
    assert found["own"][1] == 1 and found["new"][0] == 1
    assert seen(["Who ran?", "Ann Fox ran 5 miles."])["question"].tolist() == [1, 0]
    assert seen(["Who ran?", "Ann Fox ran 5 miles."])["names"][1] == pytest.approx(1 / 5)


@pytest.mark.parametrize("sentences", [["One."], ["..."], ["...", "!?"], ["same"] * 3, ["東京", "🦊", "a"]])
def test_little_text_and_text_without_words_give_finite_numbers(sentences):
    rows, vectors = sentence_features(sentences)
    assert rows.shape == (len(sentences), len(SENTENCE_FEATURES)) and rows.min() >= 0 and rows.max() <= 1
    assert np.isfinite(rows).all() and vectors.centrality().sum() == pytest.approx(1)


def test_the_oracle_takes_what_helps_and_no_more():
    assert oracle(["It rained.", "A fox ran.", "Home by the hill."], "The fox ran home") == [1, 2]
    assert oracle(SENTENCES, SENTENCES[2]) == [2]
    assert oracle(SENTENCES, "nothing of this") == [] and oracle([], "x") == []


def test_a_text_with_its_summary_becomes_bytes_numbers_and_marks():
    text = " ".join(SENTENCES)
    codec = fit_codec(SummaryCodecConfig(), iter([row(text, SENTENCES[2], "other")]))
    slots = codec.encode(row(text, SENTENCES[2], "other", split="held_out"))
    assert codec.decode_tokens(slots[SOURCE]) == text and codec.texts(slots[TARGET]) == [SENTENCES[2], "other"]
    assert slots[CHOSEN].tolist() == [0, 0, 1, 0] and len(slots[FEATURES]) == 4 * len(SENTENCE_FEATURES)
    assert codec.texts(codec.encode(row(text, SENTENCES[2], "other"))[TARGET]) == [SENTENCES[2]]
    assert codec.spec[CHOSEN].usual == 4


@pytest.mark.parametrize("record", [row("", "x"), row(" \n ", "x"), row("words")])
def test_rows_without_a_text_or_a_summary_are_left_out(record):
    codec = fit_codec(SummaryCodecConfig(), iter([row("A text.", "text")]))
    assert codec.encode(record) == {}
    with pytest.raises(EmptyDataError, match="summary"):
        fit_codec(SummaryCodecConfig(), iter([record]))


def test_half_a_letter_is_refused():
    codec = fit_codec(SummaryCodecConfig(), iter([row("A text.", "text")]))
    with pytest.raises(DataError, match="Unicode"):
        codec.encode_source("\ud800")
