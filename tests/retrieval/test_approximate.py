"""A graph finds nearly what comparing with all finds, belongs to one state of the index, and is only made where it pays."""

import numpy as np
import pytest

from makar.retrieval import approximate
from makar.retrieval.chunking import Passage
from makar.retrieval.search import Encoder, dense
from makar.retrieval.sqlite_index import SqliteIndex

pytest.importorskip("faiss", reason="the extra ann is not installed")
COUNT = 1500


@pytest.fixture
def index(tmp_path):
    index = SqliteIndex.create(tmp_path / "many.sqlite")
    with index.together():
        for number in range(COUNT):
            passage = Passage(start=0, end=4, heading="", page=None, text=f"text {number}")
            index.replace(str(number), [passage], title="", size=0, modified=0, sha256="", form="txt")
    numbers = [number for number, _ in index.without_vectors("drawn", limit=COUNT)]
    vectors = np.random.default_rng(0).standard_normal((COUNT, 24)).astype(np.float32)
    index.add_vectors("drawn", numbers, vectors)
    yield index
    index.close()


def asked(index, seed):
    vector = np.random.default_rng(seed).standard_normal(24).astype(np.float32)
    return dense(index, "?", Encoder(name="drawn", embed=lambda texts: vector[None]), limit=20)


def test_the_graph_finds_nearly_the_same(index, monkeypatch):
    exact = [asked(index, seed) for seed in range(1, 21)]
    assert not approximate.build_graph(index, "drawn"), "there are too few for it to pay"
    monkeypatch.setattr(approximate, "LEAST", 1000)
    assert approximate.build_graph(index, "drawn") and approximate.opened(index, "drawn") is not None
    found = [asked(index, seed) for seed in range(1, 21)]
    shared = np.mean([len(set(one) & set(other)) / 20 for one, other in zip(exact, found)])
    assert shared >= 0.95 and found[0][0] == exact[0][0]


def test_a_graph_of_another_state_is_passed_over(index, monkeypatch):
    monkeypatch.setattr(approximate, "LEAST", 1000)
    approximate.build_graph(index, "drawn")
    first = asked(index, 3)[0]
    (gone,) = index.stored([first])
    index.remove(gone.document)
    assert approximate.opened(index, "drawn") is None
    assert first not in asked(index, 3)
    assert approximate.build_graph(index, "drawn") and first not in asked(index, 3)


def test_what_another_writer_adds_while_a_graph_is_made_is_found(index, monkeypatch):
    monkeypatch.setattr(approximate, "LEAST", 1000)
    read = SqliteIndex.vectors

    def late(self, model):
        held = read(self, model)
        self.remove("3")
        return held

    monkeypatch.setattr(SqliteIndex, "vectors", late)
    approximate.build_graph(index, "drawn")
    assert approximate.opened(index, "drawn") is None
