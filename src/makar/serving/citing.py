"""Answers from documents in the shape of POST /v1/responses: the text with a ``file_citation`` for every sentence that has a source.

The annotation of OpenAI says where in the answer it belongs. Beside that stand the span of the sentence in the answer (``start_index``,
``end_index``) and that of its source in the text of the file (``start``, ``end``, counted as ``/content`` of the file gives it), with the
words, the page and the headings. A sentence that no source says is marked in the text and named in ``makar.unsupported``.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

from makar.api.knowledge import numbered
from makar.api.prompts import prompt
from makar.generation.prompt_file import PromptFile
from makar.retrieval.answer import NOT_HERE, Answer, checked, extracted
from makar.retrieval.evidence import Evidence
from makar.serving.response_tools import FileSearch
from makar.serving.store_search import Find, Together, find
from makar.serving.stores import Stores

PROMPT = "ask"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cited:
    """The text of an answer with its citations.

    Attributes:
        text: What is said.
        annotations: In OpenAI's shape.
        unsupported: Spans of sentences without a source, and why.
    """

    text: str
    annotations: list[dict[str, Any]]
    unsupported: list[dict[str, Any]]


class Sources:
    """What was found for a question.

    Args:
        question: What was asked.
        finds: The passages, the best first.
        evidence: Over these.
    """

    def __init__(self, question: str, finds: Sequence[Find], evidence: Evidence) -> None:
        self._question = question
        self._finds = finds
        self._evidence = evidence
        self._extract = extracted(question, evidence.hits, evidence)

    @property
    def is_found(self) -> bool:
        """Whether the documents say something."""
        return self._extract.is_found

    def options(self) -> dict[str, Any]:
        """Return the controls that the prompt wants where a request says nothing."""
        return dict(prompt(PROMPT).options)

    def turns(self) -> list[dict[str, str]]:
        """Return what a model that writes the answer is told: the turn of the system, and the question with its sources."""
        return self._turns(prompt(PROMPT), len(self._finds))

    def shorter(self) -> list[dict[str, str]]:
        """Return the question again, with fewer and fewer of the best sources down to one, for a model that cannot look back on all."""
        file = prompt(PROMPT)
        return [self._turns(file, count)[-1] for count in range(len(self._finds) - 1, 0, -1)]

    def _turns(self, file: PromptFile, count: int) -> list[dict[str, str]]:
        sources = numbered([one.hit.stored.passage.text for one in self._finds[:count]])
        filled = file.fill({"question": self._question, "sources": sources})
        return [{"role": turn["role"], "content": turn["content"]} for turn in filled.messages]

    def extract(self) -> Cited:
        """Return the answer in sentences of the documents."""
        return self._cited(self._extract)

    def check(self, text: str, *, by: str) -> Cited:
        """Return what a model wrote with its citations, after every sentence was checked."""
        return self._cited(checked(self._question, text, self._evidence.hits, self._evidence, by=by))

    def _cited(self, answer: Answer) -> Cited:
        if not answer.is_found:
            return Cited(text=NOT_HERE, annotations=[], unsupported=[])
        names = {one.file.file: one.file.filename for one in self._finds}
        places = {citation.number: citation for citation in answer.citations}
        text, annotations, unsupported = "", list[dict[str, Any]](), list[dict[str, Any]]()
        for said in answer.sentences:
            start = len(text) + bool(text)
            text = f"{text} {said.text}" if text else said.text
            span = {"start_index": start, "end_index": len(text)}
            if said.problem:
                unsupported.append({**span, "problem": said.problem, "support": said.support})
                text += f" [unsupported: {said.problem}]"
            for number in said.citations:
                source = places[number]
                annotations.append(
                    {
                        "type": "file_citation",
                        "index": span["end_index"],
                        "file_id": source.document,
                        "filename": names[source.document],
                        **span,
                        "start": source.start,
                        "end": source.end,
                        "quote": source.text,
                        "page": source.page,
                        "heading": source.heading,
                    }
                )
        return Cited(text=text, annotations=annotations, unsupported=unsupported)


async def sources_of(stores: Stores, search: FileSearch, question: str) -> tuple[Sources, list[Find], tuple[str, ...]]:
    """Return what is found for a question, the finds themselves, and what was looked for.

    Raises:
        Problem: A store is not there.
    """
    wanted = search.wanted(question)
    finds = await find(stores, search.stores, wanted)
    together = Together([stores.index(name) for name in dict.fromkeys(search.stores)])
    made = await stores.in_thread(lambda: Sources(question, finds, Evidence(together, [one.hit for one in finds])))
    return made, finds, wanted.queries


def search_item(search: FileSearch, finds: Sequence[Find], queries: Sequence[str], *, name: str) -> dict[str, Any]:
    """Return a search as an item of an answer.

    Args:
        search: What was asked.
        finds: What was found.
        queries: What was looked for.
        name: Id of the item.
    """
    shown = [
        {
            "file_id": one.file.file,
            "filename": one.file.filename,
            "score": one.score,
            "text": one.hit.stored.passage.text,
            "attributes": one.file.attributes,
        }
        for one in finds
    ]
    return {
        "id": name,
        "type": "file_search_call",
        "status": "completed",
        "queries": list(queries),
        "results": shown if search.shows_results else None,
    }
