"""Documents in Python: bring an index up to date, search it, ask it."""

import bisect
import contextlib
import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from makar.api.embedders import choose_embedder, embedder_of
from makar.errors import ArtifactError, UsageError
from makar.home import home
from makar.training.progress import ignore_event

if TYPE_CHECKING:
    from makar.api.model import Model
    from makar.data.document import Progress
    from makar.evaluation.report import Report
    from makar.generation.asset import Asset
    from makar.generation.prompt_file import Filled
    from makar.retrieval.answer import Answer
    from makar.retrieval.evidence import Evidence
    from makar.retrieval.index import Index
    from makar.retrieval.indexing import Outcome
    from makar.retrieval.review import Review
    from makar.retrieval.search import Hit

SUFFIX = ".sqlite"
SOURCES = 6
"""Passages that an answer is taken from."""

REVIEWED = 60
_NAME = re.compile(r"[\w.-]+")
_CITATION = re.compile(r"\[\d+\]")


def index_place(name: str | Path) -> Path:
    """Return the file of an index that is no database: a path, or a name in Makar's folder.

    >>> index_place("handbook").name
    'handbook.sqlite'
    """
    path = Path(name)
    if path.suffix == SUFFIX or len(path.parts) != 1:
        return path
    if not _NAME.fullmatch(str(name)):
        raise UsageError(f'an index called "{name}"', expected="letters, digits, dots, hyphens; or the path of a file")
    return home() / "indexes" / f"{name}{SUFFIX}"


def index(
    source: str | Path,
    into: str | Path,
    *,
    encoder: str | Path | None = None,
    base_url: str | None = None,
    change_encoder: bool = False,
    progress: "Progress | None" = None,
) -> "Outcome":
    """Bring an index up to date with documents: what is new or changed is read, what is gone is taken out.

    Args:
        source: A folder, a file, an archive, or ``builtin:python-docs``.
        into: The index, by its name, its file, or ``postgresql://HOST/DATABASE#NAME``; it is made where there is none.
        encoder: What makes vectors, by which passages are found too from then on: a model of the recipe ``embed``, the folder of a sentence
            encoder, or ``openai:NAME``; ``None`` keeps what the index has.
        base_url: For ``openai:NAME``: the address of the endpoint; ``None`` for that of OpenAI.
        change_encoder: Whether the encoder may take the place of another one; every passage then gets another vector.
        progress: Called with the stage, what is done and the total (``None`` when unknown).

    Raises:
        EmptyDataError: There is nothing to read.
        UsageError: There is nothing there, another source of the same name is in the index, or an address is given without an encoder.
        ArtifactError: The vectors of the index are of another encoder.
    """
    from makar.data.builtin.table import built_in_source
    from makar.retrieval.indexing import index_documents
    from makar.retrieval.opening import created, is_database

    built_in = str(source).removeprefix("builtin:")
    found = Path(source) if built_in == str(source) else built_in_source(built_in, medium="text")
    if isinstance(found, Path) and not found.exists():
        raise UsageError(f"there is nothing at {found}", expected="a folder, a file or an archive")
    if encoder is None and (base_url is not None or change_encoder):
        raise UsageError("an address or a change without an encoder", expected="encoder, or --encoder in the shell")
    opened = created(into if is_database(into) else index_place(into))
    with contextlib.closing(opened):
        chosen = (
            embedder_of(opened)
            if encoder is None
            else choose_embedder(opened, encoder, base_url=base_url, changes=change_encoder)
        )
        return index_documents(opened, found, encoder=chosen, progress=progress)


def is_complete(into: str | Path, source: str) -> bool:
    """Return whether an index is there and a built-in source was read into it to its end."""
    from makar.retrieval.opening import opened

    place = index_place(into)
    try:
        with contextlib.closing(opened(place)) as found:
            # Noted when all of it was read.
            return found.about(f"source {source}") is not None
    except ArtifactError:
        return False


def search(question: str, into: str | Path, *, limit: int = 10) -> "list[Hit]":
    """Return the passages of an index that fit a question best, the best first.

    Raises:
        ArtifactError: There is no such index.
    """
    from makar.retrieval.search import search as found

    with contextlib.closing(_opened(into)) as opened:
        return found(opened, question, limit=limit, encoder=embedder_of(opened))


def ask(
    question: str,
    into: str | Path,
    *,
    model: str | Path | None = None,
    limit: int = SOURCES,
    seed: int = 0,
    options: Mapping[str, Any] | None = None,
) -> "Answer":
    """Answer a question out of documents, with citations.

    Args:
        question: What is asked.
        into: The index.
        model: What writes the answer; without one the sentences of the documents are the answer.
        limit: Passages that are looked at.
        seed: Seed of the model's draws.
        options: Controls of the model.

    Raises:
        ArtifactError: There is no such index.
        UsageError: The question is empty, or controls are given without a model.
    """
    from makar.retrieval.answer import extracted
    from makar.retrieval.evidence import Evidence
    from makar.retrieval.search import search as found

    if not question.strip():
        raise UsageError("an empty question", expected="words")
    _check_options(model, options)
    with contextlib.closing(_opened(into)) as opened:
        hits = found(opened, question, limit=limit, encoder=embedder_of(opened))
        evidence = Evidence(opened, hits)
        answer = extracted(question, hits, evidence)
        if model is None or not answer.is_found:
            # What the documents do not say no model is asked to make up.
            return answer
        from makar.api.model import load

        return _written(load(model), question, hits, evidence, name=str(model), seed=seed, options=options)


def evaluate(
    questions: str | Path,
    into: str | Path,
    *,
    model: str | Path | None = None,
    limit: int = SOURCES,
    seed: int = 0,
    options: Mapping[str, Any] | None = None,
    folder: str | Path | None = None,
    on_event: Callable[[dict[str, Any]], None] = ignore_event,
) -> "Report":
    """Measure an index on questions whose answers are known, without a judge: recall, nDCG, MRR, citations, F1 of answers, silence.

    Args:
        questions: A table of them, as ``makar.evaluation.labelled_questions`` describes it.
        into: The index.
        model: What writes the answers; without one the sentences of the documents are the answers.
        limit: Passages that an answer is taken from.
        seed: Seed of the model's draws.
        options: Controls of the model.
        folder: Where the report goes; ``None`` makes ``report-NAME`` in the current folder.
        on_event: Called with what is being measured.

    Raises:
        ArtifactError: There is no such index.
        DataError: The table is none of questions, or names documents of which none is in the index.
        UsageError: There is no such file, or controls are given without a model.
    """
    from makar.evaluation.document_answers import counted, facts_of, measure_answers
    from makar.evaluation.labelled_questions import read_questions
    from makar.evaluation.report import write_report

    _check_options(model, options)
    asked, unused = read_questions(questions)
    write = None
    if model is not None:
        from makar.api.model import load

        loaded = load(model)

        def write(question: str, hits: "Sequence[Hit]", evidence: "Evidence") -> "Answer":
            return _written(loaded, question, hits, evidence, name=str(model), seed=seed, options=options)

    file, name = Path(questions), _name_of(into)
    with contextlib.closing(_opened(into)) as opened:
        encoder = embedder_of(opened)
        findings = measure_answers(opened, asked, encoder=encoder, write=write, limit=limit, on_event=on_event)
        if unused:
            note = f"Columns of {file.name} that were not used: {', '.join(unused)}."
            findings = dataclasses.replace(findings, verdict=(*findings.verdict, note))
        facts = facts_of(
            opened,
            name=name,
            encoder="" if encoder is None else encoder.name,
            by="the documents" if model is None else str(model),
            measured_on=f"{counted(findings.details)} of {file.name}",
            file=file,
        )
    return write_report(facts, findings, Path(f"report-{name}") if folder is None else Path(folder))


def _name_of(into: str | Path) -> str:
    from makar.retrieval.opening import is_database

    return str(into).rpartition("#")[2] if is_database(into) else index_place(into).stem


def _check_options(model: str | Path | None, options: Mapping[str, Any] | None) -> None:
    if options and model is None:
        raise UsageError(
            f"the controls {', '.join(options)} without a model", expected="a model that writes the answer"
        )


def _written(
    model: "Model",
    question: str,
    hits: "Sequence[Hit]",
    evidence: "Evidence",
    *,
    name: str,
    seed: int,
    options: Mapping[str, Any] | None,
) -> "Answer":
    """Return what a model writes of passages, checked against them."""
    from makar.retrieval.answer import checked

    told = _told(model, question, [hit.stored.passage.text for hit in hits], options)
    asset = model.generate([told.prompt], seed=seed, options=options)[0]
    return dataclasses.replace(
        checked(question, str(asset.content), hits, evidence, by=name),
        written=str(asset.content),
        signed=asset.signed,
        left_out=told.left_out,
        is_cut=told.is_cut,
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Told:
    prompt: "Filled"
    left_out: int
    is_cut: bool


def _told(model: "Model", question: str, texts: Sequence[str], options: Mapping[str, Any] | None) -> _Told:
    """Return the question with as many of the best sources as fit into the model's context beside the longest answer."""
    from makar.api.prompts import prompt
    from makar.generation.prompt_file import with_own_options
    from makar.generation.prompts import read_prompts
    from makar.generation.reach import context_of
    from makar.generation.turns import prompt_length

    asking = prompt("ask")

    def asked(left_out: int) -> "Filled":
        return asking.fill({"question": question, "sources": numbered(texts[: len(texts) - left_out])})

    artifact, context = model.artifact, context_of(model.artifact.family_config)
    if not context:
        return _Told(prompt=asked(0), left_out=0, is_cut=False)
    codec, family = artifact.codec(), artifact.family()
    room = context - min(context // 2, int(with_own_options(asked(0), options).get("max_tokens", 0)))

    def fits(left_out: int) -> bool:
        return prompt_length(read_prompts(asked(left_out), codec, family)) <= room

    # More sources are never shorter, so where they begin to fit is found by halving.
    left_out = bisect.bisect_left(range(len(texts) - 1), True, key=fits)
    return _Told(prompt=asked(left_out), left_out=left_out, is_cut=not fits(left_out))


def written_asset(answer: "Answer") -> "Asset":
    """Return what a model wrote as an asset, to save, to judge or to keep.

    Raises:
        UsageError: No model wrote it.
    """
    from makar.generation.asset import Asset

    if answer.signed is None:
        raise UsageError(
            "an answer that no model wrote",
            expected="a model: what is quoted stands in the documents",
            do="--model MODEL",
        )
    return Asset(content=answer.written, medium="text", signed=answer.signed, novelty=None)


def save_answer(answer: "Answer", path: str | Path) -> Path:
    """Write what a model wrote to a file, with its signed manifest beside it.

    Raises:
        UsageError: No model wrote it, or the file exists.
    """
    return written_asset(answer).save(path)


def synthesise(question: str, into: str | Path, *, limit: int = REVIEWED) -> "Review":
    """Return one cited review of what the documents of an index say on a subject.

    Raises:
        ArtifactError: There is no such index.
    """
    from makar.retrieval.evidence import Evidence
    from makar.retrieval.review import review
    from makar.retrieval.search import search as found

    if not question.strip():
        raise UsageError("an empty question", expected="words")
    with contextlib.closing(_opened(into)) as opened:
        hits = found(opened, question, limit=limit, encoder=embedder_of(opened), with_copies=True)
        return review(question, hits, Evidence(opened, hits))


def _opened(into: str | Path) -> "Index":
    from makar.retrieval.opening import is_database, opened

    return opened(into if is_database(into) else index_place(into))


def numbered(texts: Sequence[str]) -> str:
    """Return texts as numbered sources of one line each; what looks like the number of another source is taken out of them."""
    lines = (" ".join(_CITATION.sub("", text).split()) for text in texts)
    return "\n\n".join(f"[{number}] {line}" for number, line in enumerate(lines, 1))
