"""Indexing and asking 100,000 passages: ours against LangChain with FAISS and llama-index as it comes, with the same vectors.

Run: python benchmarks/retrieval_peers.py --peers PYTHON [--chunks 100000] [--questions 200]

PYTHON is that of an environment of its own with numpy, faiss-cpu, langchain-community and llama-index-core. The passages are the sections
of fairytaleqa again and again, each with a number before it; the vectors, 384 numbers, are drawn once and read by every side, so that no
side computes any. Each side begins with nothing and ends with what it needs on the disk; then questions are asked one after the other,
after ten to warm up. Ours also finds by words, which the others do not. Bars: at least twice as many passages a second as each peer, and
95 % of the questions answered within 50 ms. It ends with 1 where one is missed.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

WIDTH, WARM, FIRST = 384, 10, 6


class Clock:
    """Seconds on the wall and of the processor: on a busy machine only the second say anything."""

    def __init__(self) -> None:
        self._begun = time.perf_counter(), time.process_time()

    def read(self) -> tuple[float, float]:
        """Return both since the start."""
        return time.perf_counter() - self._begun[0], time.process_time() - self._begun[1]


class Drawn:
    """Vectors by text, drawn before."""

    def __init__(self, folder: Path) -> None:
        self.texts: list[str] = json.loads((folder / "texts.json").read_text(encoding="utf-8"))
        self.questions: list[str] = json.loads((folder / "questions.json").read_text(encoding="utf-8"))
        self.vectors = np.load(folder / "vectors.npy")
        self._known = {text: number for number, text in enumerate([*self.texts, *self.questions])}

    def embed(self, texts: list[str]) -> np.ndarray:
        """Return the vectors of texts, float32 ``[texts, 384]``."""
        return self.vectors[[self._known[text] for text in texts]]


def ours(drawn: Drawn, folder: Path) -> dict[str, Any]:
    """Index and ask with Makar."""
    from makar.retrieval.chunking import Passage
    from makar.retrieval.search import Encoder, search
    from makar.retrieval.sqlite_index import SqliteIndex

    begin = Clock()
    index = SqliteIndex.create(folder / "ours.sqlite")
    together = 512
    for start in range(0, len(drawn.texts), together):
        part = drawn.texts[start : start + together]
        with index.together():
            for number, text in enumerate(part, start):
                passage = Passage(start=0, end=len(text), heading="", page=None, text=text)
                index.replace(str(number), [passage], title="", size=0, modified=0, sha256="", form="txt")
    last = 0
    while rows := index.without_vectors("drawn", limit=together, after=last):
        numbers, texts = zip(*rows, strict=True)
        last = numbers[-1]
        index.add_vectors("drawn", numbers, drawn.embed(list(texts)))
    took = begin.read()
    encoder = Encoder(name="drawn", embed=lambda texts: drawn.embed(list(texts)))
    return timed(took, drawn, lambda question: search(index, question, limit=FIRST, encoder=encoder))


def langchain(drawn: Drawn, folder: Path) -> dict[str, Any]:
    """Index and ask with LangChain's FAISS store."""
    from langchain_community.vectorstores import FAISS
    from langchain_core.documents import Document
    from langchain_core.embeddings import Embeddings

    class Known(Embeddings):
        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            return drawn.embed(texts).tolist()

        def embed_query(self, text: str) -> list[float]:
            return drawn.embed([text])[0].tolist()

    begin = Clock()
    documents = [Document(page_content=text, metadata={"name": str(number)}) for number, text in enumerate(drawn.texts)]
    store = FAISS.from_documents(documents, Known())
    store.save_local(str(folder / "langchain"))
    took = begin.read()
    return timed(took, drawn, lambda question: store.similarity_search(question, k=FIRST))


def llama_index(drawn: Drawn, folder: Path) -> dict[str, Any]:
    """Index and ask with llama-index and the store that it takes by itself."""
    from llama_index.core import VectorStoreIndex
    from llama_index.core.base.embeddings.base import BaseEmbedding
    from llama_index.core.schema import TextNode

    class Known(BaseEmbedding):
        def _get_query_embedding(self, query: str) -> list[float]:
            return drawn.embed([query])[0].tolist()

        async def _aget_query_embedding(self, query: str) -> list[float]:
            return self._get_query_embedding(query)

        def _get_text_embedding(self, text: str) -> list[float]:
            return drawn.embed([text])[0].tolist()

        def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
            return drawn.embed(texts).tolist()

    begin = Clock()
    nodes = [TextNode(text=text, id_=str(number)) for number, text in enumerate(drawn.texts)]
    index = VectorStoreIndex(nodes, embed_model=Known(embed_batch_size=512))
    index.storage_context.persist(str(folder / "llama-index"))
    took = begin.read()
    retriever = index.as_retriever(similarity_top_k=FIRST)
    return timed(took, drawn, retriever.retrieve)


def timed(took: tuple[float, float], drawn: Drawn, ask: Any) -> dict[str, Any]:
    """Ask every question and return the figures of a side."""
    seconds = []
    for number, question in enumerate([*drawn.questions[:WARM], *drawn.questions]):
        start = time.perf_counter()
        found = ask(question)
        if number >= WARM:
            seconds.append(time.perf_counter() - start)
        assert len(found) == FIRST, "every side finds as many"
    return {
        "seconds_to_index": took[0],
        "processor_seconds_to_index": took[1],
        "passages_per_second": len(drawn.texts) / took[0],
        "milliseconds_median": float(np.median(seconds) * 1e3),
        "milliseconds_95": float(np.quantile(seconds, 0.95) * 1e3),
    }


SIDES = {"ours": ours, "langchain": langchain, "llama-index": llama_index}


def draw(folder: Path, chunks: int, questions: int) -> None:
    """Write texts, questions and vectors for every side."""
    from measure import data_folder
    from retrieval import lines, tales

    sections = [text for _, _, text in tales()]
    texts = [f"{number}. {sections[number % len(sections)]}" for number in range(chunks)]
    asked = [row["question"] for row in lines(data_folder() / "fairytaleqa" / "qa_test.jsonl.gz")]
    asked = list(dict.fromkeys(asked))[:questions]
    vectors = np.random.default_rng(0).standard_normal((len(texts) + len(asked), WIDTH), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    np.save(folder / "vectors.npy", vectors)
    (folder / "texts.json").write_text(json.dumps(texts), encoding="utf-8")
    (folder / "questions.json").write_text(json.dumps(asked), encoding="utf-8")


def main() -> int:
    """Measure every side in a process of its own, print, write; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", help="the Python of the environment with the peers")
    parser.add_argument("--chunks", type=int, default=100_000)
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--side", choices=list(SIDES), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.side:
        print(json.dumps(SIDES[given.side](Drawn(given.folder), given.folder)))
        return 0
    from measure import machine, write_result

    if not given.peers:
        parser.error("--peers names the Python of the environment with the peers")
    result: dict[str, Any] = {"machine": machine(), "chunks": given.chunks, "sides": {}}
    with tempfile.TemporaryDirectory() as place:
        draw(Path(place), given.chunks, given.questions)
        for side in SIDES:
            python = sys.executable if side == "ours" else given.peers
            words = [python, __file__, "--side", side, "--folder", place]
            done = subprocess.run(words, capture_output=True, text=True)
            if done.returncode:
                sys.exit(f"{side} failed:\n{done.stderr[-3000:]}")
            result["sides"][side] = json.loads(done.stdout.splitlines()[-1])
            print(f"{side:12} {result['sides'][side]}", flush=True)
    own = result["sides"]["ours"]
    ratios = {
        side: own["passages_per_second"] / figures["passages_per_second"]
        for side, figures in result["sides"].items()
        if side != "ours"
    }
    for side, ratio in ratios.items():
        spent = result["sides"][side]["processor_seconds_to_index"] / own["processor_seconds_to_index"]
        print(f"ratio of passages a second to {side} {ratio:.2f}; of processor time {spent:.2f}")
    result["ratios"] = ratios
    held = min(ratios.values()) >= 2 and own["milliseconds_95"] < 50
    write_result("retrieval-peers", result | {"held": bool(held)})
    return int(not held)


if __name__ == "__main__":
    sys.exit(main())
