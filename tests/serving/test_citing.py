"""Answers out of vector stores: what a model that writes them is told."""

from pathlib import Path

from makar.api.model import load
from makar.retrieval.chunking import passages
from makar.retrieval.evidence import Evidence
from makar.retrieval.reading import of_text
from makar.retrieval.search import search
from makar.retrieval.sqlite_index import SqliteIndex
from makar.serving.citing import Sources
from makar.serving.store_files import StoreFile
from makar.serving.store_search import Find
from makar.serving.work import begin
from tests.serving.server import talker

QUESTION = "When is a refund paid?"


def sources_in(place: Path) -> Sources:
    """Return what is found in three documents of about 500 characters."""
    index = SqliteIndex.create(place)
    for number in range(3):
        said = f"A refund of kind {number} is paid within {number + 7} days. " + "The shop is closed on holidays. " * 14
        index.replace(str(number), passages(of_text(said)), title="", size=1, modified=1, sha256="", form="txt")
    hits = search(index, QUESTION, limit=6)
    row = StoreFile(
        store="vs", file="file", batch=None, status="completed", created=0, filename="a.txt", attributes={}, chunking={}
    )
    return Sources(QUESTION, [Find(file=row, hit=hit, score=1.0) for hit in hits], Evidence(index, hits))


def test_a_model_that_cannot_look_back_on_all_sources_is_told_the_best(own_folder: Path) -> None:
    sources = sources_in(own_folder / "index.sqlite")
    (system, asked), shorter = sources.turns(), sources.shorter()
    assert [sum(f"[{number}]" in turn["content"] for number in (1, 2, 3)) for turn in (asked, *shorter)] == [3, 2, 1]
    before = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hi."}]
    ask = {
        "do": "chat",
        "turns": [system, *before, asked],
        "shorter": shorter,
        "options": {"max_tokens": 20},
        "defaults": {},
        "likelihoods": None,
    }
    for context, left_out in ((4096, 0), (1700, 1), (1200, 2)):
        model = load(talker(own_folder / str(context), context=context).path)
        begun = next(begin(model, ask, print))["begin"]
        assert begun.get("left_out_sources", 0) == left_out
        # One byte is one token, and the answer has 20.
        assert begun["prompt_tokens"] <= context - 20
        assert not begun["is_cut"]
