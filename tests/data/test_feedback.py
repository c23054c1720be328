"""The table of feedback keeps what people say, gives it back and takes it back; orders, thumbs and stars become pairs."""

import hashlib
import io
import sqlite3
import threading

import numpy as np
import pytest
from PIL import Image

from makar.data.feedback.judgement import SUFFIXES, Judged, Judgement, turns_from
from makar.data.feedback.preferences import liked, preferences
from makar.data.feedback.sessions import Session, Sessions
from makar.data.feedback.table import FeedbackTable, Wanted
from makar.data.sound import Sound
from makar.data.wave_file import wave_bytes
from makar.errors import DataError, OutOfSpaceError, UsageError


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("MAKAR_HOME", str(tmp_path / "home"))


def text(words, model="poe"):
    return Judged(hash=hashlib.sha256(words.encode()).hexdigest(), text=words, model=model, model_hash="ab" * 32)


def picture(colour):
    buffer = io.BytesIO()
    Image.fromarray(np.full((4, 4, 3), colour, np.uint8)).save(buffer, "PNG")
    return Judged(hash=f"{colour:064x}", png=buffer.getvalue())


def wave(hertz):
    samples = np.sin(2 * np.pi * hertz * np.arange(4000) / 8000).astype(np.float32)[:, None] / 2
    file = wave_bytes(Sound(samples=samples, rate_hz=8000))
    return Judged(hash=hashlib.sha256(file).hexdigest(), file=file)


def said(kind, items, value, *, rater="ann", prompt="Who?", consent=True, medium=None):
    return Judgement(
        kind=kind,
        medium=medium or items[0].judged_as,
        items=tuple(items),
        value=tuple(value),
        rater=rater,
        consent=consent,
        prompt=turns_from(prompt),
    )


def test_what_is_put_in_comes_out_with_its_content():
    table = FeedbackTable()
    assert table.rows() == [] and table.counts() == {} and table.last_id() == "" and not table.path.exists()
    judgements = [
        said("thumb", [text("I.")], [1]),
        said("stars", [picture(3)], [4], rater="bob", prompt=""),
        said("ranking", [text("a"), text("b"), text("c")], [2, 1, 2], consent=False),
        said("edit", [text("teh"), text("the", model="")], [2, 1]),
    ]
    assert table.add(judgements) == 4 and table.add(judgements) == 0
    assert table.rows(content=True) == judgements
    assert table.rows(newest=True, limit=1)[0].id == judgements[-1].id
    assert [item.text for item in table.rows()[0].items] == [None]
    assert table.counts() == {"thumb": 1, "stars": 1, "ranking": 1, "edit": 1}
    assert table.content(judgements[1].items[0].hash).png == judgements[1].items[0].png
    assert [Judgement.from_dictionary(one.to_dictionary(content=True)) for one in judgements] == judgements
    wanted = [
        (Wanted(rater="bob"), 1), (Wanted(kind="thumb"), 1), (Wanted(medium="image"), 1), (Wanted(model="poe"), 3),
        (Wanted(consent=True), 3), (Wanted(after=judgements[1].id), 2), (Wanted(until=judgements[1].id), 2),
        (Wanted(model="ab" * 32), 3),
    ]  # fmt: skip
    assert [len(table.rows(one)) for one, _ in wanted] == [count for _, count in wanted]


def test_what_is_taken_back_is_gone_unless_somebody_else_judged_it():
    table = FeedbackTable()
    mine, theirs = said("thumb", [text("one")], [1]), said("thumb", [text("one")], [0], rater="bob")
    alone = said("thumb", [text("two")], [1])
    table.add([mine, theirs, alone])
    assert table.remove([mine.id, alone.id]) == 2
    assert table.content(text("one").hash).text == "one"
    with pytest.raises(UsageError, match="was judged"):
        table.content(text("two").hash)
    with pytest.raises(UsageError, match="there is no feedback"):
        table.one(mine.id)


@pytest.mark.parametrize(
    "kind, count, value",
    [
        ("thumb", 1, [2]), ("thumb", 2, [1, 0]), ("stars", 1, [0]), ("stars", 1, [6]), ("pair", 2, [0, 1]), ("pair", 1, [1]),
        ("pair", 2, [1]), ("ranking", 3, [1, 2, 4]), ("edit", 2, [1, 2]), ("applause", 1, [1]), ("thumb", 1, [True]),
    ],
)  # fmt: skip
def test_values_that_fit_nothing_are_refused(kind, count, value):
    with pytest.raises(UsageError):
        said(kind, [text(str(number)) for number in range(count)], value)


def test_names_and_content_of_any_kind_are_refused():
    for rater in ("", " ", "a\nb", "x" * 101):
        with pytest.raises(UsageError):
            said("thumb", [text("a")], [1], rater=rater)
    with pytest.raises(UsageError, match="no hash"):
        Judged(hash="../../etc/passwd")
    with pytest.raises(UsageError, match="no PNG"):
        Judged(hash="0" * 64, png=b"GIF89a")
    with pytest.raises(UsageError, match="prompt"):
        turns_from([{"role": "assistant", "content": "I am last"}])
    with pytest.raises(UsageError, match="not known"):
        FeedbackTable().add([said("thumb", [Judged(hash="0" * 64)], [1])])
    assert FeedbackTable().rows() == []


def test_a_damaged_or_newer_table_is_said_and_never_overwritten():
    table = FeedbackTable()
    table.add([said("thumb", [text("a")], [1])])
    with sqlite3.connect(table.path) as connection:
        connection.execute("pragma user_version = 99")
    connection.close()
    with pytest.raises(DataError, match="schema 99"):
        table.rows()
    table.path.write_bytes(b"no database" * 1000)
    with pytest.raises(DataError, match="damaged"):
        table.add([said("thumb", [text("b")], [1])])
    assert table.path.read_bytes().startswith(b"no database")


def test_a_table_that_knew_no_files_learns_of_them():
    table = FeedbackTable()
    before = said("thumb", [picture(7)], [1])
    table.add([before])
    with sqlite3.connect(table.path) as connection:
        connection.execute("alter table contents drop column file")
        connection.execute("pragma user_version = 1")
    connection.close()
    heard = wave(440)
    table.add([said("stars", [heard], [4])])
    old, new = table.rows(content=True)
    assert (old, new.items) == (before, (heard,)) and new.items[0].type == "audio/wav"
    assert table.content(heard.hash).file == heard.file
    with pytest.raises(UsageError, match="other content"):
        said("stars", [heard], [4], medium="text")


def test_a_full_disk_is_called_that_and_loses_nothing(monkeypatch):
    table = FeedbackTable()
    table.add([said("thumb", [text("a")], [1])])
    connect = sqlite3.connect

    def small(*words, **more):
        connection = connect(*words, **more)
        (pages,) = connection.execute("pragma page_count").fetchone()
        connection.execute(f"pragma max_page_count = {pages + 2}")
        return connection

    with monkeypatch.context() as patch, pytest.raises(OutOfSpaceError, match="full"):
        patch.setattr(sqlite3, "connect", small)
        table.add([said("thumb", [text("b " * 100_000)], [1])])
    assert [row.items[0].text for row in table.rows(content=True)] == ["a"]
    table.add([said("thumb", [text("c")], [1])])


def test_several_writers_lose_nothing():
    def write(name):
        for number in range(5):
            FeedbackTable().add([said("thumb", [text(f"{name} {number}")], [1], rater=name)])

    threads = [threading.Thread(target=write, args=(f"rater{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert FeedbackTable().counts() == {"thumb": 20}


def pairs_of(judgements):
    return [(pair.chosen.text, pair.rejected.text) for pair in preferences(judgements)]


def test_orders_edits_thumbs_and_stars_become_pairs():
    a, b, c = text("a"), text("b"), text("c")
    assert pairs_of([said("ranking", [a, b, c], [2, 1, 2])]) == [("b", "a"), ("b", "c")]
    assert pairs_of([said("pair", [a, b], [1, 1])]) == []
    assert pairs_of([said("edit", [a, b], [2, 1])]) == [("b", "a")]
    assert pairs_of([said("thumb", [a], [1]), said("thumb", [b], [0])]) == [("a", "b")]
    assert pairs_of([said("stars", [a], [2]), said("stars", [b], [5]), said("stars", [c], [2])]) == [
        ("b", "a"),
        ("b", "c"),
    ]
    # Not of two people, not of two prompts, not of a thumb and stars.
    assert pairs_of([said("thumb", [a], [1]), said("thumb", [b], [0], rater="bob")]) == []
    assert pairs_of([said("thumb", [a], [1]), said("thumb", [b], [0], prompt="What?")]) == []
    assert pairs_of([said("thumb", [a], [1]), said("stars", [b], [1])]) == []


def test_the_later_word_of_one_person_counts():
    a, b = text("a"), text("b")
    assert pairs_of([said("pair", [a, b], [1, 2]), said("pair", [b, a], [1, 2])]) == [("b", "a")]
    assert pairs_of([said("thumb", [a], [0]), said("thumb", [b], [1]), said("thumb", [a], [1])]) in ([], [("b", "a")])
    assert len(pairs_of([said("pair", [a, b], [1, 2]), said("pair", [b, a], [1, 2], rater="bob")])) == 2


def test_things_are_liked_by_everything_that_was_said_of_them():
    a, b, c = text("a"), text("b"), text("c")
    shares = {
        one.item.text: one.share for one in liked([said("ranking", [a, b, c], [1, 2, 3]), said("thumb", [a], [1])])
    }
    assert shares["a"] == pytest.approx((1 + 1 + 0.5) / 3) and shares["b"] == 0.5 and shares["c"] == pytest.approx(0.25)
    once, often = (
        {one.item.text: one.share for one in liked([said("thumb", [a], [1])] * count)}["a"] for count in (1, 9)
    )
    assert 0.5 < once < often < 1


def test_a_session_shows_every_pair_once_to_each_rater_and_balances():
    sessions = Sessions(FeedbackTable())
    session = Session(models=("x", "y", "z"), prompts=("p", "q"), medium="text")
    sessions.begin(session)
    assert sessions.one(session.id) == session and sessions.all() == [session]
    shown = []
    while (pair := sessions.draw(session, "ann")) is not None:
        assert sessions.draw(session, "ann") == pair, "the one that waits"
        if not shown:
            with pytest.raises(UsageError, match="not shown"):
                sessions.judge(pair, "left", consent=True)
        for model in (pair.first, pair.second):
            sessions.keep_answer(session, pair.unit, model, text(f"{model} {pair.unit}", model=session.models[model]))
        sessions.judge(pair, "left", consent=True)
        with pytest.raises(UsageError, match="already"):
            sessions.judge(pair, "right", consent=True)
        shown.append((pair.unit, *sorted((pair.first, pair.second))))
    assert len(shown) == len(set(shown)) == 6 == sessions.judged(session)
    assert {pair[1:] for pair in shown[:3]} == {(0, 1), (0, 2), (1, 2)}, (
        "the models that were compared least come first"
    )
    assert sessions.draw(session, "bob") is not None
    rows = FeedbackTable().rows(content=True)
    assert all(row.session == session.id and row.kind == "pair" and row.value == (1, 2) for row in rows)
    assert rows[0].items[0].model in session.models and rows[0].prompt_text in "pq"


def test_who_stands_on_the_left_is_drawn_by_lot():
    sessions = Sessions(FeedbackTable())
    session = Session(models=("x", "y"), prompts=("p",), rounds=40, medium="text")
    sessions.begin(session)
    sides = []
    for unit in range(40):
        pair = sessions.draw(session, f"rater {unit}")
        sides.append(pair.first)
    # 40 coins: fewer than 5 or more than 35 of one side come once in ten million sessions.
    assert 5 <= sum(sides) <= 35


def test_a_session_wants_two_models_and_some_units():
    for words in (
        {"models": ("x",)},
        {"models": ("x", "x")},
        {"models": ("x", "y"), "prompts": ()},
        {"models": ("x", "y"), "rounds": 0},
    ):
        with pytest.raises(UsageError):
            Session(medium="text", **words)


@pytest.mark.parametrize(
    "head, kind, medium",
    [
        (b"RIFF\0\0\0\0WAVE", "audio/wav", "sound"),
        (b"RIFF\0\0\0\0WEBP", "image/webp", "video"),
        (b"GIF89a", "image/gif", "video"),
        (b"\x1a\x45\xdf\xa3", "video/webm", "video"),
        (b"\0\0\0\x20ftypisom", "video/mp4", "video"),
        (b"MThd\0\0", "audio/midi", "music"),
        (b"what?", "application/octet-stream", "text"),
    ],
)
def test_files_are_told_by_their_beginning(head, kind, medium):
    item = Judged(hash="0" * 64, file=head)
    assert (item.type, item.judged_as) == (kind, medium) and SUFFIXES[kind].startswith(".")
