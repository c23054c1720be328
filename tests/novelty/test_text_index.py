"""Verbatim spans are found, sourced and measured, whatever the shards, the case and the ends of documents."""

import numpy as np
import pytest

from makar.novelty import text_index
from makar.novelty.text_index import TextIndex, build_text_index, covered_share, read_source, write_sources
from tests.novelty.samples import BytesCodec, random_words, text_store


@pytest.fixture
def texts():
    generator = np.random.default_rng(1)
    return [random_words(generator, 4000) for _ in range(6)]


def built(folder, texts, **settings):
    store = text_store(folder / "store", texts)
    (folder / "index").mkdir()
    assert build_text_index(store, BytesCodec(), folder / "index", **settings) == 6 * 4000
    write_sources(store, folder / "index")
    return TextIndex(folder / "index")


def planted(texts, document, start, words):
    return " ".join(texts[document].split()[start : start + words])


def test_a_planted_passage_is_measured_and_sourced(tmp_path, texts):
    index = built(tmp_path, texts)
    passage = planted(texts, 4, 1234, 60)
    match = index.match("entirely other things " + passage.upper() + " and then nothing known")
    assert match.words == 3 + 60 + 4
    assert match.longest == match.spans[0].length == 60
    assert (match.share_13, match.share_50) == (60 / 67, 60 / 67)
    assert (match.spans[0].start, match.spans[0].record) == (3, 4)
    assert match.spans[0].passage == passage.upper()[:200]
    assert read_source(tmp_path / "index", 4)["source"] == "text-4.txt"


def test_new_text_has_no_long_span(tmp_path, texts):
    match = built(tmp_path, texts).match(random_words(np.random.default_rng(2), 500))
    assert match.longest <= 4
    assert match.share_13 == match.share_50 == 0


def test_a_span_does_not_cross_the_end_of_a_document(tmp_path, texts):
    index = built(tmp_path, texts)
    across = planted(texts, 0, 3980, 20) + " " + planted(texts, 1, 0, 20)
    match = index.match(across)
    assert match.longest == 20
    assert {span.record for span in match.spans[:2]} == {0, 1}


def test_several_shards_find_what_one_finds(tmp_path, texts, monkeypatch):
    monkeypatch.setattr(text_index, "OVERLAP", 100)
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    one = built(tmp_path / "a", texts)
    many = built(tmp_path / "b", texts, shard_words=1500)
    assert len(list((tmp_path / "b" / "index").glob("*.words"))) > 12
    for start in range(1400, 1600, 7):
        passage = planted(texts, 2, start, 90)
        assert many.match(passage).longest == one.match(passage).longest == 90
        assert many.match(passage).spans[0].record == 2


def test_many_texts_at_once_are_measured_as_alone(tmp_path, texts):
    index = built(tmp_path, texts)
    queries = [planted(texts, 0, 10, 30), "", random_words(np.random.default_rng(3), 100), planted(texts, 5, 0, 14)]
    assert index.match_many(queries) == [index.match(query) for query in queries]
    assert index.match_many([]) == []


@pytest.mark.parametrize(
    ("lengths", "least", "share"),
    [([3, 2, 1, 0], 3, 0.75), ([3, 2, 1, 0], 4, 0.0), ([2, 1, 2, 1], 2, 1.0), ([], 1, 0.0), ([5, 1, 1, 1], 5, 1.0)],
)
def test_covered_share_is_that_of_the_marked_positions(lengths, least, share):
    assert covered_share(np.array(lengths, np.int64), least) == share
