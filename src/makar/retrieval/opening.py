"""Which index is meant: a file, or ``postgresql://HOST/DATABASE#NAME``."""

from pathlib import Path

from makar.retrieval.index import Index
from makar.retrieval.sqlite_index import SqliteIndex

DATABASES = ("postgresql://", "postgres://")


def is_database(place: str | Path) -> bool:
    """Return whether an index is in a database and not in a file."""
    return str(place).startswith(DATABASES)


def opened(place: str | Path) -> Index:
    """Open an index.

    Raises:
        ArtifactError: There is none, or it is of another version.
    """
    if not is_database(place):
        return SqliteIndex.open(Path(place))
    from makar.retrieval.postgres_index import PostgresIndex

    return PostgresIndex.open(str(place))


def created(place: str | Path) -> Index:
    """Open an index, or make an empty one.

    Raises:
        ArtifactError: What is there is no index, or one of another version.
    """
    if not is_database(place):
        return SqliteIndex.create(Path(place))
    from makar.retrieval.postgres_index import PostgresIndex

    return PostgresIndex.create(str(place))
