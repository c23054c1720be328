"""``makar feedback`` from the shell: what is laid down to be compared, and what a list says."""

import dataclasses
import getpass
import json
import stat
import tempfile

import pytest

from makar.api import feedback
from makar.data.feedback.judgement import Judgement
from makar.data.feedback.sessions import Session, Sessions
from makar.data.feedback.table import FeedbackTable
from tests.cli.small_models import see
from tests.data.test_feedback import picture, said, text, wave


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("MAKAR_HOME", str(tmp_path / "home"))


def test_what_is_compared_is_laid_where_nobody_else_can_put_links(tmp_path, monkeypatch):
    shared, mine = tmp_path / "shared", tmp_path / "mine"
    trap = shared / f"makar-compare-{getpass.getuser()}"
    trap.mkdir(parents=True)
    mine.write_text("mine", encoding="utf-8")
    (trap / "A.png").symlink_to(mine)
    monkeypatch.setattr(tempfile, "tempdir", str(shared))
    sessions, session = Sessions(FeedbackTable()), Session(models=("x", "y"), medium="image")
    sessions.begin(session)
    for model, item in enumerate((picture(3), picture(200))):
        sessions.keep_answer(session, 0, model, dataclasses.replace(item, model="xy"[model], model_hash="ab" * 32))
    found = []

    def look(*words, **more):
        (place,) = (path for path in shared.iterdir() if path != trap)
        found.extend((sorted(path.name for path in place.iterdir()), stat.S_IMODE(place.stat().st_mode)))
        return "a"

    monkeypatch.setattr("typer.prompt", look)
    see("feedback", "compare", "--session", session.id, "--rater", "ann")
    assert found == [["A.png", "B.png"], 0o700]
    assert mine.read_text(encoding="utf-8") == "mine" and list(shared.iterdir()) == [trap]


def test_a_list_says_what_was_judged():
    FeedbackTable().add([said("thumb", [one], [1]) for one in (wave(300), picture(3), text("Words."))])
    shown = see("feedback", "list").output
    assert all(words in shown for words in ("sound ", "image ", "poe: Words."))


def test_an_export_reads_few_at_a_time_and_is_whole(tmp_path, monkeypatch):
    judgements = [said("thumb", [text(str(number))], [number % 2], consent=number > 0) for number in range(5)]
    judgements.append(said("pair", [picture(3), picture(9)], [1, 2]))
    FeedbackTable().add(judgements)
    monkeypatch.setattr(feedback, "READ_TOGETHER", 2)
    held, rows = [], FeedbackTable.rows
    monkeypatch.setattr(
        FeedbackTable, "rows", lambda self, *words, **more: held.append(rows(self, *words, **more)) or held[-1]
    )
    see("feedback", "export", tmp_path / "all.jsonl")
    lines = (tmp_path / "all.jsonl").read_text(encoding="utf-8").splitlines()
    assert [Judgement.from_dictionary(json.loads(line)) for line in lines] == judgements
    assert [len(found) for found in held] == [2, 2, 2, 0]
    assert see("feedback", "export", tmp_path / "two.jsonl", "--form", "preferences", "--json").values["lines"] == 4
