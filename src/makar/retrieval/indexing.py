"""Brings an index up to date with a folder: what is new or changed is read, what is gone is taken out, the rest is left alone.

A file counts as unchanged by its size and time, or by its hash when only the time differs. Documents are read first and written then,
``TOGETHER`` at once: a parser may take minutes, and another writer waits for one only. A run that is killed goes on there: what it has
written is unchanged the second time. Vectors come last, in batches, for
passages that have none of the model yet; a changed document has new passages and so new vectors, and another model leaves the old
vectors where they are.
"""

import dataclasses
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from makar.data.document import Progress, Skip, Source
from makar.data.entries import Entry, entries
from makar.errors import DataError, EmptyDataError, MakarError, UsageError
from makar.retrieval.chunking import Passage, passages
from makar.retrieval.index import Index, Known
from makar.retrieval.reading import LIMIT_BYTES, Reading, of_markdown, of_text, read_entry
from makar.retrieval.search import Encoder

TOGETHER = 32
HELD_CHARACTERS = 20_000_000
"""From so many on what was read is written, however few documents it is."""

EMBEDDED_TOGETHER = 64


@dataclasses.dataclass(kw_only=True)
class Outcome:
    """What a run of indexing did.

    Attributes:
        added: Documents that were not there.
        changed: Documents that were read again.
        unchanged: Documents that were left alone.
        removed: Documents that are gone.
        embedded: Passages that got a vector.
        skipped: Files that are not used, with the reason.
    """

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    removed: int = 0
    embedded: int = 0
    skipped: list[tuple[str, str]] = dataclasses.field(default_factory=list)


def index_documents(
    index: Index, source: Path | Source, *, encoder: Encoder | None = None, progress: Progress | None = None
) -> Outcome:
    """Bring an index up to date with a folder, a file, an archive, or built-in documents.

    Args:
        index: Where it goes.
        source: What is read; several may be in one index, under the names of their folders.
        encoder: Gives every passage a vector.
        progress: Called with the stage, what is done and the total (``None`` when unknown).

    Raises:
        UsageError: Another folder of the same name is in the index.
        EmptyDataError: There is nothing to read, and nothing of it was in the index before.
    """
    name, place = (source.name, "built in") if isinstance(source, Source) else _place(source)
    noted = index.about(f"source {name}")
    if noted not in (None, place):
        raise UsageError(
            f'the index has another source called "{name}"',
            expected="sources of different names",
            do="index it into another file",
        )
    outcome, known = Outcome(), index.known()
    left = {kept for kept in known if kept == name or kept.startswith((f"{name}/", f"{name}!/"))}
    had_some = bool(left)
    candidates = _built_in(source) if isinstance(source, Source) else _files(source, outcome.skipped)
    for number, changes in _batches(_changes(candidates, known, left, outcome)):
        if changes:
            with index.together():
                for change in changes:
                    change.write(index)
        if progress is not None:
            progress("reading", number, None)
    if left or noted is None:
        with index.together():
            for gone in sorted(left):
                index.remove(gone)
            index.note(f"source {name}", place)
    outcome.removed = len(left)
    if not (outcome.added + outcome.changed + outcome.unchanged) and not had_some:
        reasons = "; ".join(f"{file}: {reason}" for file, reason in outcome.skipped[:5])
        raise EmptyDataError(f"there are no documents in {name}" + (f" ({reasons})" if reasons else ""))
    if encoder is not None:
        outcome.embedded = _embed(index, encoder, progress)
        index.build_graph(encoder.name)
    return outcome


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Candidate:
    name: str
    title: str
    size: int
    modified: int
    form: str
    entry: Entry | None = None
    text: str = ""

    def content_hash(self) -> str:
        if self.entry is None:
            return hashlib.sha256(self.text.encode("utf-8", "replace")).hexdigest()
        if self.entry.path is None and self.entry.file is None:
            # A member of an archive can be read once only; its archive says whether it changed.
            return ""
        return hashlib.sha256(self.entry.whole(limit_bytes=LIMIT_BYTES)).hexdigest()

    def read(self, skip: Skip) -> Reading:
        if self.entry is None:
            return of_markdown(self.text) if self.form == "md" else of_text(self.text)
        return read_entry(self.entry, skip)


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Change:
    """What is to be written of a document: its passages, or none where it only has another time."""

    candidate: _Candidate
    sha256: str
    found: Sequence[Passage] = ()

    def write(self, index: Index) -> None:
        of = self.candidate
        if not self.found:
            index.touch(of.name, size=of.size, modified=of.modified)
            return
        index.replace(
            of.name,
            self.found,
            title=of.title,
            size=of.size,
            modified=of.modified,
            sha256=self.sha256,
            form=of.form,
        )


def _changes(
    candidates: Iterator[_Candidate], known: Mapping[str, Known], left: set[str], outcome: Outcome
) -> Iterator[_Change | None]:
    """Yield what is to be written of each candidate; what will be in the index then is taken out of ``left``."""
    for candidate in candidates:
        of = known.get(candidate.name)
        is_file = candidate.entry is not None
        if of is not None and is_file and (of.size, of.modified) == (candidate.size, candidate.modified):
            change = None
            outcome.unchanged += 1
            left.discard(candidate.name)
        else:
            change = _read(candidate, of, outcome)
            if change is not None:
                left.discard(candidate.name)
        yield change


def _read(candidate: _Candidate, known: Known | None, outcome: Outcome) -> _Change | None:
    """Return what is to be written of a document that may have changed; ``None`` where it cannot be used."""
    try:
        sha256 = candidate.content_hash()
        if known is not None and sha256 and sha256 == known.sha256:
            outcome.unchanged += 1
            return _Change(candidate=candidate, sha256=sha256)
        found = passages(candidate.read(lambda where, why: outcome.skipped.append((where, why))))
    except DataError as error:
        outcome.skipped.append((candidate.name, error.came + (f"; {error.do}" if error.do else "")))
        return None
    except MakarError:
        raise
    except Exception as error:  # what surprises the parser of a format is one file less and not the end of all
        outcome.skipped.append((candidate.name, f"it cannot be read: {type(error).__name__}: {error}"))
        return None
    if not found:
        outcome.skipped.append((candidate.name, "no text"))
        return None
    if known is None:
        outcome.added += 1
    else:
        outcome.changed += 1
    return _Change(candidate=candidate, sha256=sha256, found=found)


def _place(source: Path) -> tuple[str, str]:
    if not source.exists():
        raise UsageError(f"there is nothing at {source}", expected="a folder, a file or an archive")
    whole = source.resolve()
    return whole.name, str(whole)


def _files(source: Path, skipped: list[tuple[str, str]]) -> Iterator[_Candidate]:
    whole = source.resolve()
    is_file = whole.is_file()
    for entry in entries(whole, lambda name, reason: skipped.append((name, reason))):
        outer = whole if is_file else whole / entry.name.partition("!/")[0]
        try:
            modified = outer.stat().st_mtime_ns
        except OSError:
            modified = 0
        yield _Candidate(
            name=entry.name if is_file else f"{whole.name}/{entry.name}",
            title=_title(entry.name),
            size=entry.size_bytes,
            modified=modified,
            form=entry.kind.form if entry.kind.group != "unread" else entry.name.rpartition(".")[2].lower(),
            entry=entry,
        )


def _built_in(source: Source) -> Iterator[_Candidate]:
    for document in source.documents(lambda name, reason: None):
        text = "".join(document.read())
        yield _Candidate(
            name=f"{source.name}/{document.name}",
            title=_title(document.name),
            size=len(text),
            modified=0,
            form="txt",
            text=text,
        )


def _title(name: str) -> str:
    """Return the name of a file in words.

    >>> _title("a/b/The_three-bears.txt")
    'The three bears'
    """
    bare = name.rpartition("/")[2]
    stem = bare.rpartition(".")[0] or bare
    return " ".join(stem.replace("_", " ").replace("-", " ").split())


def _batches(changes: Iterator[_Change | None]) -> Iterator[tuple[int, list[_Change]]]:
    """Yield how many documents were looked at, and what is to be written of the last of them."""
    batch: list[_Change] = []
    held = number = written = 0
    for number, change in enumerate(changes, 1):
        if change is not None:
            batch.append(change)
            held += sum(len(passage.text) for passage in change.found)
        if number - written == TOGETHER or held >= HELD_CHARACTERS:
            yield number, batch
            batch, held, written = [], 0, number
    if number > written:
        yield number, batch


def _embed(index: Index, encoder: Encoder, progress: Progress | None) -> int:
    done = last = 0
    while rows := index.without_vectors(encoder.name, limit=EMBEDDED_TOGETHER, after=last):
        numbers, texts = zip(*rows)
        last = numbers[-1]
        index.add_vectors(encoder.name, numbers, encoder.embed(texts))
        done += len(rows)
        if progress is not None:
            progress("vectors", done, None)
    return done
