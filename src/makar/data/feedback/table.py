"""The one table of feedback: a SQLite file in Makar's folder with every judgement, what was judged, and the blind comparisons going on.

What is judged is kept once, by its hash. Nothing here is ever thrown away by itself: a damaged or newer file is an error that says so, and
a judgement goes only when somebody takes it back; then goes, too, what it alone had judged. Several processes may write: SQLite makes them
take turns.
"""

import contextlib
import dataclasses
import json
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from makar.data.feedback.judgement import ID, Judged, Judgement, turns_from
from makar.data.sqlite_errors import said
from makar.errors import DataError, UsageError
from makar.home import home

SCHEMA = 2
WAIT_SECONDS = 30.0

_TABLES = """
create table contents (hash text primary key, text text, png blob, file blob);
create table judgements (
    id text primary key, time text not null, kind text not null, medium text not null, prompt text not null, value text not null,
    rater text not null, consent integer not null, session text not null, note text not null
);
create index judgements_by_session on judgements(session);
create index judgements_by_rater on judgements(rater);
create table items (
    judgement text not null references judgements(id) on delete cascade, place integer not null, hash text not null,
    model text not null, model_hash text not null, manifest text not null, primary key (judgement, place)
);
create index items_by_hash on items(hash);
create table sessions (id text primary key, time text not null, settings text not null);
create table answers (
    session text not null references sessions(id) on delete cascade, unit integer not null, model integer not null,
    hash text not null, model_hash text not null, manifest text not null, primary key (session, unit, model)
);
create table pairs (
    id text primary key, session text not null references sessions(id) on delete cascade, unit integer not null,
    first integer not null, second integer not null, rater text not null, judgement text
);
"""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """Which judgements are looked at; what is empty says nothing.

    Attributes:
        rater: Who judged.
        model: A model that made one of the things.
        kind: Thumbs, stars and so on.
        medium: Of what was judged.
        session: Blind comparison.
        consent: Whether only those that may be learned from.
        after: Only later ones than this id.
        until: Only this id and earlier ones.
    """

    rater: str = ""
    model: str = ""
    kind: str = ""
    medium: str = ""
    session: str = ""
    consent: bool = False
    after: str = ""
    until: str = ""

    def where(self) -> tuple[str, list[Any]]:
        """Return the condition in SQL, and its values."""
        parts, values = ["1"], []
        for name in ("rater", "kind", "medium", "session"):
            if given := getattr(self, name):
                parts.append(f"{name} = ?")
                values.append(given)
        if self.model:
            parts.append("exists (select 1 from items where judgement = id and (model = ? or model_hash = ?))")
            values += [self.model, self.model]
        if self.consent:
            parts.append("consent = 1")
        if self.after:
            parts.append("id > ?")
            values.append(self.after)
        if self.until:
            parts.append("id <= ?")
            values.append(self.until)
        return " and ".join(parts), values


EVERYTHING = Wanted()


class FeedbackTable:
    """The table; it is made when something is put into it."""

    def __init__(self) -> None:
        self.path: Path = home() / "feedback.sqlite"

    def add(self, judgements: Sequence[Judgement]) -> int:
        """Put judgements in, all or none; those that are there already stay as they are. Returns how many were new.

        Raises:
            OutOfSpaceError: The disk is full.
            UsageError: What was judged is named by a hash alone, and not known.
        """
        with self.writing() as connection:
            return sum(put(connection, judgement) for judgement in judgements)

    def rows(
        self, wanted: Wanted = EVERYTHING, *, content: bool = False, newest: bool = False, limit: int = 0
    ) -> list[Judgement]:
        """Return judgements, the oldest first.

        Args:
            wanted: Which.
            content: Whether what was judged comes with them.
            newest: The newest first.
            limit: How many at most; 0 is all.
        """
        if not self.path.exists():
            return []
        where, values = wanted.where()
        order = f"order by id{' desc' * newest}" + (f" limit {int(limit)}" if limit else "")
        with self.reading() as connection:
            found = connection.execute(
                "select id, time, kind, medium, prompt, value, rater, consent, session, note from judgements"
                f" where {where} {order}",
                values,
            ).fetchall()
            return [_judgement(connection, row, content=content) for row in found]

    def one(self, id_: str, *, content: bool = False) -> Judgement:
        """Return a judgement.

        Raises:
            UsageError: There is none.
        """
        found = self.rows(Wanted(until=id_), newest=True, limit=1, content=content) if ID.fullmatch(id_) else []
        if not found or found[0].id != id_:
            raise UsageError(f"there is no feedback {id_[:60]!a}", expected="an id", do="makar feedback list")
        return found[0]

    def remove(self, ids: Sequence[str]) -> int:
        """Take judgements out, and what nobody else has judged; returns how many there were."""
        if not self.path.exists():
            return 0
        with self.writing() as connection:
            gone = sum(connection.execute("delete from judgements where id = ?", (one,)).rowcount for one in ids)
            connection.execute(
                "delete from contents where hash not in (select hash from items) and hash not in (select hash from answers)"
            )
        return gone

    def content(self, hash_: str) -> Judged:
        """Return something that was judged, by its hash, as it was judged last.

        Raises:
            UsageError: Nothing of that hash was judged.
        """
        row = None
        if self.path.exists():
            with self.reading() as connection:
                row = connection.execute(
                    "select text, png, file, coalesce(model, ''), coalesce(model_hash, ''), coalesce(manifest, '') from contents"
                    " left join items using (hash) where hash = ? order by judgement desc limit 1",
                    (hash_,),
                ).fetchone()
        if row is None:
            raise UsageError(f"nothing with the hash {hash_[:70]!a} was judged", expected="a hash out of a list")
        text, png, file, model, model_hash, manifest = row
        return Judged(hash=hash_, text=text, png=png, file=file, model=model, model_hash=model_hash, manifest=manifest)

    def counts(self, wanted: Wanted = EVERYTHING) -> dict[str, int]:
        """Return how many judgements there are of each kind."""
        if not self.path.exists():
            return {}
        where, values = wanted.where()
        with self.reading() as connection:
            rows = connection.execute(f"select kind, count(*) from judgements where {where} group by kind", values)
            return {str(kind): int(count) for kind, count in rows}

    def last_id(self, wanted: Wanted = EVERYTHING) -> str:
        """Return the id of the newest judgement; empty where there is none."""
        if not self.path.exists():
            return ""
        where, values = wanted.where()
        with self.reading() as connection:
            return str(connection.execute(f"select max(id) from judgements where {where}", values).fetchone()[0] or "")

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Have a connection."""
        with said(self.path), contextlib.closing(self._connected()) as connection:
            yield connection

    @contextlib.contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Make everything that is written inside one transaction.

        Raises:
            OutOfSpaceError: The disk is full.
            MakarError: Another process does not let go of the table.
        """
        with said(self.path), contextlib.closing(self._connected()) as connection:
            connection.execute("begin immediate")
            try:
                yield connection
            except BaseException:
                # Of a full disk SQLite takes everything back by itself.
                if connection.in_transaction:
                    connection.execute("rollback")
                raise
            connection.execute("commit")

    def _connected(self) -> sqlite3.Connection:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(self.path, timeout=WAIT_SECONDS, isolation_level=None)
        try:
            connection.execute("pragma foreign_keys = on")
            connection.execute("pragma trusted_schema = off")
            if _version(connection) == 0:
                connection.execute("begin immediate")
                # Another process may have made it in the meantime.
                if _version(connection) == 0:
                    for statement in filter(str.strip, _TABLES.split(";\n")):
                        connection.execute(statement)
                    connection.execute(f"pragma user_version = {SCHEMA}")
                connection.execute("commit")
            if _version(connection) == 1:
                _grow(connection)
            if (version := _version(connection)) != SCHEMA:
                raise DataError(f"{self.path} has schema {version}", expected=str(SCHEMA), do="use a newer Makar")
        except BaseException:
            connection.close()
            raise
        return connection


def _grow(connection: sqlite3.Connection) -> None:
    """Bring a table of the first schema, which knew texts and images, to the second, which knows other files too."""
    connection.execute("begin immediate")
    # Another process may have done it in the meantime.
    if _version(connection) == 1:
        connection.execute("alter table contents add column file blob")
        connection.execute(f"pragma user_version = {SCHEMA}")
    connection.execute("commit")


def put(connection: sqlite3.Connection, judgement: Judgement) -> bool:
    """Put one judgement in; returns whether it was new.

    Raises:
        UsageError: What was judged is named by a hash alone, and not known.
    """
    for item in judgement.items:
        keep_content(connection, item)
    values = (
        judgement.id, judgement.time, judgement.kind, judgement.medium, json.dumps(judgement.prompt, ensure_ascii=False),
        json.dumps(judgement.value), judgement.rater, judgement.consent, judgement.session, judgement.note,
    )  # fmt: skip
    marks = ", ".join("?" * len(values))
    if not connection.execute(f"insert or ignore into judgements values ({marks})", values).rowcount:
        return False
    connection.executemany(
        "insert into items values (?, ?, ?, ?, ?, ?)",
        [
            (judgement.id, place, item.hash, item.model, item.model_hash, item.manifest)
            for place, item in enumerate(judgement.items)
        ],
    )
    return True


def keep_content(connection: sqlite3.Connection, item: Judged) -> None:
    """Keep what something shows; of one that is named by its hash alone it has to be there.

    Raises:
        UsageError: It is not.
    """
    if not item.has_content:
        if not connection.execute("select 1 from contents where hash = ?", (item.hash,)).fetchone():
            raise UsageError(f"what has the hash {item.hash} is not known", expected="a text or a file beside the hash")
        return
    values = (item.hash, item.text, item.png, item.file)
    connection.execute("insert or ignore into contents (hash, text, png, file) values (?, ?, ?, ?)", values)


def _judgement(connection: sqlite3.Connection, row: tuple[Any, ...], *, content: bool) -> Judgement:
    id_, time, kind, medium, prompt, value, rater, consent, session, note = row
    shown = (
        ", text, png, file from items left join contents using (hash)" if content else ", null, null, null from items"
    )
    items = connection.execute(
        f"select hash, model, model_hash, manifest{shown} where judgement = ? order by place", (id_,)
    )
    names = ("hash", "model", "model_hash", "manifest", "text", "png", "file")
    return Judgement(
        id=id_,
        time=time,
        kind=kind,
        medium=medium,
        prompt=turns_from(json.loads(prompt)),
        items=tuple(Judged(**dict(zip(names, item, strict=True))) for item in items),
        value=tuple(json.loads(value)),
        rater=rater,
        consent=bool(consent),
        session=session,
        note=note,
    )


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("pragma user_version").fetchone()[0])
