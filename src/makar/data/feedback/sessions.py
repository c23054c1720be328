"""Blind comparisons: models answer the same prompts, and people see two answers at a time without knowing whose they are.

A session has units, a prompt with a seed each; every model answers every unit once, with the same seed, when the answer is first wanted.
Whom a rater sees next: the two models that were compared least, at the unit that was shown least, by lot where several are; a coin decides
who stands on the left. A pair has an id that says nothing of the models, and a rater who comes back gets the pair that waits. Two answers
that are the same to the letter are even and are not shown (as in ``makar.evaluation.blind``).
"""

import dataclasses
import itertools
import json
import secrets
import sqlite3
from collections import Counter
from datetime import UTC, datetime
from typing import Any, Self

from makar.data.feedback.judgement import PAIR, Judged, Judgement, check_line, turns_from
from makar.data.feedback.table import FeedbackTable, keep_content, put
from makar.errors import UsageError

LEFT, RIGHT, TIE = "left", "right", "tie"
VALUES = {LEFT: (1, 2), RIGHT: (2, 1), TIE: (1, 1)}
MOST_MODELS, MOST_PROMPTS, MOST_UNITS = 16, 2000, 10_000
LONGEST_PROMPT = 100_000


@dataclasses.dataclass(frozen=True, kw_only=True)
class Session:
    """One blind comparison.

    Attributes:
        models: Names of the models, two or more.
        prompts: What they are asked; an empty text asks for anything.
        medium: What they make.
        rounds: Answers to each prompt, with different seeds.
        seed: Of the first unit.
        options: Controls of the models.
        id: Its name.
        time: When it began, in UTC.
    """

    models: tuple[str, ...]
    prompts: tuple[str, ...] = ("",)
    medium: str
    rounds: int = 1
    seed: int = 0
    options: dict[str, Any] = dataclasses.field(default_factory=dict)
    id: str = dataclasses.field(default_factory=lambda: f"arena-{secrets.token_hex(8)}")
    time: str = dataclasses.field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))

    def __post_init__(self) -> None:
        if not 2 <= len(self.models) <= MOST_MODELS or len(set(self.models)) < len(self.models):
            raise UsageError(
                f"a comparison of {', '.join(self.models)}", expected=f"2 to {MOST_MODELS} different models"
            )
        if not 1 <= len(self.prompts) <= MOST_PROMPTS or any(len(one) > LONGEST_PROMPT for one in self.prompts):
            raise UsageError(
                f"{len(self.prompts)} prompts", expected=f"1 to {MOST_PROMPTS} of at most {LONGEST_PROMPT}"
            )
        if not self.rounds >= 1 or self.units > MOST_UNITS or self.seed < 0:
            raise UsageError(
                f"{self.rounds} rounds from seed {self.seed}", expected=f"at most {MOST_UNITS} units in all"
            )

    @property
    def units(self) -> int:
        """How many answers each model gives."""
        return len(self.prompts) * self.rounds

    def prompt_of(self, unit: int) -> str:
        """What is asked in a unit."""
        return self.prompts[unit % len(self.prompts)]

    def seed_of(self, unit: int) -> int:
        """The seed of every model in a unit."""
        return self.seed + unit

    def to_dictionary(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return dataclasses.asdict(self) | {"models": list(self.models), "prompts": list(self.prompts)}

    @classmethod
    def from_dictionary(cls, values: dict[str, Any]) -> Self:
        """Return what ``to_dictionary`` described."""
        return cls(**values | {"models": tuple(values["models"]), "prompts": tuple(values["prompts"])})


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """Two answers that somebody is to compare.

    Attributes:
        id: Says nothing of the models.
        session: Its session.
        unit: Which prompt and seed.
        first: Number of the model on the left.
        second: Number of the model on the right.
        rater: Who is to compare.
        judgement: Id of what was said; ``None`` while it waits.
    """

    id: str
    session: str
    unit: int
    first: int
    second: int
    rater: str
    judgement: str | None = None


class Sessions:
    """The blind comparisons of this machine.

    Args:
        table: Where they are kept.
    """

    def __init__(self, table: FeedbackTable) -> None:
        self._table = table

    def begin(self, session: Session) -> None:
        """Keep a new session."""
        with self._table.writing() as connection:
            values = json.dumps(session.to_dictionary(), ensure_ascii=False)
            connection.execute("insert into sessions values (?, ?, ?)", (session.id, session.time, values))

    def all(self) -> list[Session]:
        """Return every session, the newest first."""
        if not self._table.path.exists():
            return []
        with self._table.reading() as connection:
            rows = connection.execute("select settings from sessions order by time desc, id").fetchall()
        return [Session.from_dictionary(json.loads(row[0])) for row in rows]

    def one(self, id_: str) -> Session:
        """Return a session.

        Raises:
            UsageError: There is none.
        """
        row = None
        if self._table.path.exists():
            with self._table.reading() as connection:
                row = connection.execute("select settings from sessions where id = ?", (id_,)).fetchone()
        if row is None:
            raise UsageError(f"there is no comparison {id_[:60]!a}", expected="the id of one that was begun")
        return Session.from_dictionary(json.loads(row[0]))

    def draw(self, session: Session, rater: str) -> Pair | None:
        """Return the next pair for a rater: the one that waits, or a new one; ``None`` where everything was shown."""
        check_line(rater, what="the name of the one who judges", most=100)
        with self._table.writing() as connection:
            rows = connection.execute(f"select {_COLUMNS} from pairs where session = ?", (session.id,)).fetchall()
            pairs = [_pair(row) for row in rows]
            mine = [pair for pair in pairs if pair.rater == rater]
            waiting = next((pair for pair in mine if pair.judgement is None), None)
            if waiting is not None:
                return waiting
            seen = {(pair.unit, *sorted((pair.first, pair.second))) for pair in mine}
            models = Counter(tuple(sorted((pair.first, pair.second))) for pair in pairs)
            units = Counter(pair.unit for pair in pairs)
            lot = secrets.SystemRandom()
            open_ones = [
                (models[one, other], units[unit], lot.random(), unit, one, other)
                for unit in range(session.units)
                for one, other in itertools.combinations(range(len(session.models)), 2)
                if (unit, one, other) not in seen
            ]
            if not open_ones:
                return None
            *_, unit, one, other = min(open_ones)
            if lot.random() < 0.5:
                one, other = other, one
            pair = Pair(
                id=f"pair-{secrets.token_hex(12)}", session=session.id, unit=unit, first=one, second=other, rater=rater
            )
            connection.execute(
                "insert into pairs values (?, ?, ?, ?, ?, ?, null)", (pair.id, session.id, unit, one, other, rater)
            )
            return pair

    def pair(self, id_: str) -> Pair:
        """Return a pair.

        Raises:
            UsageError: There is none.
        """
        row = None
        if self._table.path.exists():
            with self._table.reading() as connection:
                row = connection.execute(f"select {_COLUMNS} from pairs where id = ?", (id_,)).fetchone()
        if row is None:
            raise UsageError(f"there is no pair {id_[:60]!a}", expected="the id of one that was drawn")
        return _pair(row)

    def answer(self, session: Session, unit: int, model: int) -> Judged | None:
        """Return what a model answered; ``None`` while it has not."""
        with self._table.reading() as connection:
            row = connection.execute(
                "select hash, model_hash, manifest, text, png, file from answers left join contents using (hash)"
                " where session = ? and unit = ? and model = ?",
                (session.id, unit, model),
            ).fetchone()
        if row is None:
            return None
        hash_, model_hash, manifest, text, png, file = row
        return Judged(
            hash=hash_,
            text=text,
            png=png,
            file=file,
            model=session.models[model],
            model_hash=model_hash,
            manifest=manifest,
        )

    def keep_answer(self, session: Session, unit: int, model: int, item: Judged) -> None:
        """Keep what a model answered; an answer that is there already stays."""
        with self._table.writing() as connection:
            keep_content(connection, item)
            connection.execute(
                "insert or ignore into answers values (?, ?, ?, ?, ?, ?)",
                (session.id, unit, model, item.hash, item.model_hash, item.manifest),
            )

    def judge(self, pair: Pair, said: str, *, consent: bool, note: str = "") -> Judgement:
        """Keep what a rater said of a pair.

        Args:
            pair: The pair, both of whose answers are there.
            said: ``"left"``, ``"right"`` or ``"tie"``.
            consent: Whether may be learned from it.
            note: Words beside it.

        Raises:
            UsageError: It was judged already, or something else was said.
        """
        if said not in VALUES:
            raise UsageError(f"{said[:40]!a} was said of a pair", expected=", ".join(VALUES))
        session = self.one(pair.session)
        items = [self.answer(session, pair.unit, model) for model in (pair.first, pair.second)]
        if items[0] is None or items[1] is None:
            raise UsageError("a pair whose answers were not shown", expected="a pair that was looked at")
        judgement = Judgement(
            kind=PAIR,
            medium=session.medium,
            prompt=turns_from(session.prompt_of(pair.unit)),
            items=(items[0], items[1]),
            value=VALUES[said],
            rater=pair.rater,
            consent=consent,
            session=session.id,
            note=note,
        )
        with self._table.writing() as connection:
            done = connection.execute(
                "update pairs set judgement = ? where id = ? and judgement is null", (judgement.id, pair.id)
            )
            if not done.rowcount:
                raise UsageError("this pair was judged already", expected="one that waits", do="draw the next one")
            put(connection, judgement)
        return judgement

    def judged(self, session: Session) -> int:
        """Return how many pairs were judged."""
        with self._table.reading() as connection:
            return _count(connection, session.id)


_COLUMNS = "id, session, unit, first, second, rater, judgement"


def _pair(row: tuple[Any, ...]) -> Pair:
    return Pair(**dict(zip(_COLUMNS.split(", "), row, strict=True)))


def _count(connection: sqlite3.Connection, session: str) -> int:
    row = connection.execute("select count(*) from pairs where session = ? and judgement is not null", (session,))
    return int(row.fetchone()[0])
