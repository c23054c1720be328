"""``makar index`` and ``makar ask`` from the shell."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from makar.api.knowledge import index_place
from makar.cli.app import run
from makar.data.builtin import table
from makar.data.document import Document, Skip, Source
from makar.retrieval import indexing
from makar.retrieval.sqlite_index import SqliteIndex


@pytest.fixture
def papers(tmp_path: Path) -> Path:
    folder = tmp_path / "papers"
    folder.mkdir()
    (folder / "rules.md").write_text("# Refunds\n\nA refund is paid within 30 days. Shipping is not refunded.\n")
    (folder / "people.txt").write_text("The director is called Ada Byron. She was born in London.\n")
    return folder


def said(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> str:
    assert run([str(word) for word in words]) == code
    return capsys.readouterr().out


def test_documents_are_indexed_once_and_asked(papers: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "2 added" in said(capsys, "index", papers, "-o", "rules")
    assert "2 unchanged" in said(capsys, "index", papers, "-o", "rules")
    out = said(capsys, "ask", "When is a refund paid?", "--in", "rules")
    assert out.startswith("A refund is paid within 30 days. [1]")
    assert "papers/rules.md, Refunds" in out
    found = json.loads(said(capsys, "ask", "Who is the director?", "--in", "rules", "--json"))
    assert found["is_found"]
    assert found["citations"][0]["document"] == "papers/people.txt"
    assert "not in these documents" in said(capsys, "ask", "How heavy is Jupiter?", "--in", "rules")


class Manual(Source):
    """A built-in source of two documents, whose reader is interrupted before the second the first time."""

    name = "python-docs"
    medium = "text"
    interruptions = 1

    def identity(self) -> Iterator[str]:
        """Yield what it holds."""
        yield "if, with"

    def documents(self, skip: Skip) -> Iterator[Document]:
        """Yield them."""
        yield Document(name="if.txt", read=lambda: ["The if statement chooses what is run."])
        if self.interruptions:
            self.interruptions -= 1
            raise KeyboardInterrupt
        yield Document(name="with.txt", read=lambda: ["The with statement opens and closes a block."])


def test_a_first_question_that_is_interrupted_is_answered_the_next_time(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    manual = Manual()
    monkeypatch.setattr(table, "built_in_source", lambda name, medium: manual)
    monkeypatch.setattr(indexing, "TOGETHER", 1)
    said(capsys, "ask", "What does the with statement do?", code=130)
    assert SqliteIndex.open(index_place("python-docs")).counts()[0] == 1
    assert "closes a block" in said(capsys, "ask", "What does the with statement do?")
    manual.interruptions = 1
    # It is complete, and read no more.
    assert "chooses" in said(capsys, "ask", "What does the if statement do?")


def test_where_an_answer_goes_is_looked_at_before_a_model_is_asked(
    papers: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said(capsys, "index", papers, "-o", "rules")
    told = ["ask", "How heavy is Jupiter?", "--in", "rules", "--model", "nobody", "-o"]
    assert run([*told, str(papers / "people.txt")]) == 2
    assert "people.txt" in capsys.readouterr().err
    assert run([*told, str(papers / "answer.png")]) == 2
    assert "named as an image" in capsys.readouterr().err
    assert run([*told, str(papers / "answer.txt")]) == 0
    assert "nothing was saved" in capsys.readouterr().err
    assert not (papers / "answer.txt").exists()


def test_fewer_passages_and_a_review(papers: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said(capsys, "index", papers, "-o", papers / "own.sqlite")
    review = said(capsys, "ask", "refund", "--in", papers / "own.sqlite", "--synthesise")
    assert "Said by one document only" in review
    assert json.loads(said(capsys, "ask", "refund", "--in", papers / "own.sqlite", "--synthesise", "--json"))["points"]


def test_wrong_use_is_explained(papers: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["ask", "anything", "--in", "nowhere"]) == 1
    assert "makar index" in capsys.readouterr().err
    assert run(["ask", " ", "--in", "nowhere"]) == 2
    assert run(["ask", "x", "--in", "nowhere", "--seed", "3"]) == 2
    assert run(["ask", "x", "--in", "nowhere", "--synthesise", "--model", "m"]) == 2
    assert run(["index", str(papers / "missing"), "-o", "x"]) == 2
    assert not index_place("x").exists()
    assert run(["index", str(papers), "-o", "a b"]) == 2


def test_an_index_is_measured_on_questions_whose_answers_are_known(
    papers: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said(capsys, "index", papers, "-o", "rules")
    questions = tmp_path / "questions.csv"
    questions.write_text(
        "question,answer,document,answerable,who\nWhen is a refund paid?,within 30 days,rules.md,,me\n"
        "Where was the director born?,London,people.txt,,me\nHow heavy is Jupiter?,,,false,me\n"
    )
    told = ["ask", "--evaluate", questions, "--in", "rules", "-o", tmp_path / "report"]
    found = json.loads(said(capsys, *told, "--json"))
    assert found["scores"]["document_mrr"]["value"] == 1 and found["scores"]["silence"]["value"] == 1
    assert found["index"] == "rules" and "any word (FTS5)" in found["scores"]["document_mrr"]["baselines"]
    out = said(capsys, *told)
    assert "Silence: 1.000" in out and "not used: who" in out
    page = (tmp_path / "report" / "report.html").read_text()
    assert "An index of documents" in page and "How new it is" not in page and "this index" in page
    assert run(["ask", "What?", "--evaluate", str(questions), "--in", "rules"]) == 2
    assert run(["ask", "--evaluate", str(questions), "--in", "rules", "--synthesise"]) == 2
    assert run(["ask", "--in", "rules"]) == 2
    assert "makar ask" in capsys.readouterr().err
