"""Parts of the server by themselves: shelves, figures, tools, messages, forms, fields."""

import asyncio
import base64
import errno
import json
import sqlite3

import pytest
from fastapi import Request

from makar.errors import MakarError, OutOfSpaceError
from makar.generation.library import Library
from makar.serving.bodies import ignored_header, read_fields, schema_of
from makar.serving.fields import ChatFields, longest_answer
from makar.serving.figures import Figures
from makar.serving.front import begun
from makar.serving.image_fields import ImageFields, edit_words, form_values
from makar.serving.keeping import manifest_headers
from makar.serving.messages import Tools, form_of, turns_of
from makar.serving.problems import Problem, problem_of
from makar.serving.shelf import LOOKS_EVERY, Shelf
from makar.serving.texts import completion_likelihoods, token_text
from makar.serving.tuning_fields import TuningFields, tuning_of
from makar.serving.uploads import limit_of, page
from makar.serving.videos import VideoFields, shape_of
from tests.generation.test_library import entry

TOOLS = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]


def test_a_page_goes_on_behind_what_was_deleted_meanwhile():
    rows = [{"id": f"file-00{number}"} for number in (9, 8, 6, 5, 3, 2)]

    def shown(query):
        request = Request({"type": "http", "query_string": query.encode(), "headers": []})
        return [int(one["id"][-1]) for one in page(rows, request)["data"]]

    assert shown("limit=3") == [9, 8, 6] and shown("limit=3&after=file-006") == [5, 3, 2]
    assert shown("limit=3&after=file-007") == [6, 5, 3] and shown("after=file-001") == []
    assert shown("order=asc&after=file-004") == [5, 6, 8, 9] and shown("order=asc&after=file-010") == []


def test_a_shelf_gives_up_the_oldest_and_looks_up_only_its_own_ids(tmp_path):
    shelf = Shelf(tmp_path / "shelf", kind="file-", most=3, forgets=True)
    names = []
    for number in range(LOOKS_EVERY + 1):
        names.append(shelf.new_id())
        shelf.put(names[-1], {"id": names[-1], "number": number}, b"content")
    assert names == sorted(names) and shelf.names() == names[-3:]
    assert [one["number"] for one in shelf.all()] == [LOOKS_EVERY, LOOKS_EVERY - 1, LOOKS_EVERY - 2]
    assert shelf.content(names[-1]) == b"content" and not shelf.content_path(names[0]).exists()
    for name in ("../" + names[-1], "resp_" + "0" * 24, "file-" + "z" * 24, "", "file-" + "0" * 24):
        with pytest.raises(Problem, match="there is no"):
            shelf.get(name)
    shelf.remove(names[-1])
    assert shelf.names() == names[-3:-1]


def test_a_shelf_of_what_others_wait_for_refuses_what_would_be_too_much(tmp_path):
    shelf = Shelf(tmp_path / "shelf", kind="file-", most=3)
    names = [shelf.new_id() for _ in range(4)]
    for name in names[:3]:
        shelf.put(name, {"id": name})
    with pytest.raises(Problem, match="3 of file are kept") as found:
        shelf.put(names[3], {})
    shelf.put(names[0], {"id": names[0], "changed": True})
    assert found.value.status == 409 and shelf.names() == names[:3] and shelf.get(names[0])["changed"]
    shelf.remove(names[1])
    shelf.put(names[3], {})
    assert shelf.names() == [names[0], names[2], names[3]]


def test_the_longest_answer_is_what_the_first_field_says_and_never_nothing():
    fields = ChatFields(model="m", messages=[], max_tokens=7)
    names = ("max_completion_tokens", "max_tokens")
    assert longest_answer(fields, *names) == 7 and longest_answer(fields.changed(max_tokens=None), *names) is None
    assert longest_answer(fields.changed(max_completion_tokens=3), *names) == 3
    with pytest.raises(MakarError, match="max_tokens is 0"):
        longest_answer(fields.changed(max_tokens=0), *names)


def test_a_full_disk_is_said_to_be_full_and_leaves_nothing(tmp_path, monkeypatch):
    shelf = Shelf(tmp_path, kind="file-")

    def full(*places, **words):
        raise OSError(errno.ENOSPC, "no space")

    for name in ("tempfile.mkstemp", "pathlib.Path.replace"):
        with monkeypatch.context() as patch, pytest.raises(OutOfSpaceError) as found:
            patch.setattr(name, full)
            shelf.put(shelf.new_id(), {})
        assert problem_of(found.value)["status"] == 507 and list(tmp_path.iterdir()) == []


def test_what_goes_wrong_in_the_middle_of_a_stream_is_its_last_event():
    async def pieces():
        yield b"data: 1\n\n"
        raise OutOfSpaceError("the disk is full")

    async def waits():
        await asyncio.Event().wait()

    async def read():
        answer = await begun(Request({"type": "http"}, receive=waits), pieces(), {})
        return [piece async for piece in answer.body_iterator]

    first, last = asyncio.run(read())
    assert first == b"data: 1\n\n" and json.loads(last.removeprefix(b"data: "))["error"]["code"] == "disk_full"


def test_figures_are_in_the_format_of_prometheus():
    figures = Figures()
    figures.answered('/v1/"odd"\\', "POST", 200, 0.02)
    figures.tokens("poe", asked=3, made=5)
    figures.first_token("poe", 100.0)
    lines = figures.text([("makar_waiting", "How many wait.", [({}, 2.0)])]).splitlines()
    assert 'makar_requests_total{path="/v1/\\"odd\\"\\\\",method="POST",status="200"} 1' in lines
    assert 'makar_tokens_total{model="poe",kind="completion"} 5' in lines and "makar_waiting 2" in lines
    assert 'makar_first_token_seconds_bucket{model="poe",le="+Inf"} 1' in lines
    assert 'makar_first_token_seconds_bucket{model="poe",le="60"} 0' in lines
    assert sum(line.startswith("# TYPE makar_request_seconds ") for line in lines) == 1


@pytest.mark.parametrize(
    "text, is_call",
    [
        ('{"name": "look", "arguments": {"a": 1}}', True),
        (' {"name": "look", "arguments": {}}\n', True),
        ('{"name": "listen", "arguments": {}}', False),
        ('{"name": "look", "arguments": 3}', False),
        ('{"name": "look"}', False),
        ('{"name": "look", "arguments": {}} indeed', False),
        ("look", False),
        ("", False),
    ],
)
def test_an_answer_is_a_call_only_where_it_is_one(text, is_call):
    assert bool(Tools(TOOLS, "auto").calls_in(text)) == is_call
    assert not Tools(TOOLS, "none").calls_in(text) and not Tools(None, None).calls_in(text)


def test_functions_are_told_to_the_model_and_may_be_forced():
    assert "look" in Tools(TOOLS, "auto").turns()[0]["content"] and Tools(TOOLS, "none").turns() == []
    assert Tools(TOOLS, "required").controls()["tools"][0]["name"] == "look" and not Tools(TOOLS, None).controls()
    flat = [{"type": "function", "name": "look"}]
    assert Tools(flat, {"type": "function", "name": "look"}).controls()
    with pytest.raises(MakarError, match="names none"):
        Tools(TOOLS, {"type": "function", "function": {"name": "listen"}})


def test_messages_become_turns():
    call = {"id": "1", "type": "function", "function": {"name": "look", "arguments": '{"a": 1}'}}
    turns = turns_of(
        [
            {"role": "developer", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "Hel"}, {"type": "text", "text": "lo"}]},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "content": "42", "tool_call_id": "1"},
        ]
    )
    assert [turn["role"] for turn in turns] == ["system", "user", "assistant", "tool"]
    assert turns[1]["content"] == "Hello" and json.loads(turns[2]["content"]) == {"name": "look", "arguments": {"a": 1}}


def test_arguments_that_no_client_sends_are_taken_as_the_text_that_they_are():
    for said in ("[" * 100_000, '{"a": "\\ud800"}'):
        call = {"function": {"name": "look", "arguments": said}}
        (turn,) = turns_of([{"role": "assistant", "content": None, "tool_calls": [call]}])
        assert json.loads(turn["content"])["arguments"] == said


def test_the_forms_of_both_routes_are_read_alike():
    schema = {"type": "object"}
    with pytest.raises(MakarError, match="no object"):
        form_of("json_object")
    assert form_of(None) == {} == form_of({"type": "text"})
    assert form_of({"type": "json_schema", "json_schema": {"schema": schema}}) == {"json_schema": schema}
    assert form_of({"type": "json_schema", "name": "x", "schema": schema}) == {"json_schema": schema}


def test_fields_that_nothing_reads_are_named_without_breaking_the_header():
    fields, ignored = read_fields(
        ChatFields, {"model": "m", "messages": [], "temperature": None, "ü\r\nx: y": 1, "b": 2}
    )
    assert fields.temperature is None and ignored == ["b", "ü\r\nx: y"]
    (value,) = ignored_header(ignored).values()
    assert value.isascii() and "\n" not in value and ignored_header([]) == {}
    described = schema_of(ChatFields)
    assert described["properties"]["messages"]["type"] == "array" and described["properties"]["n"]["minimum"] == 1


def test_a_form_is_read_by_the_types_of_its_fields():
    values = form_values(
        ImageFields, {"prompt": "3", "n": "2", "stream": "true", "steps": "4", "size": "auto", "x": "1"}
    )
    assert values == {"prompt": "3", "n": 2, "stream": True, "steps": 4, "size": "auto", "x": "1"}
    assert edit_words({"box": "[1, 2, 3, 4]", "operation": "denoise", "n": "1"}) == {
        "box": [1, 2, 3, 4],
        "operation": "denoise",
    }
    for text in ("two", "1" * 5000, "[" * 100_000):
        with pytest.raises(MakarError):
            form_values(ImageFields, {"n": text})
    # What a body of JSON may not hold, no field of a form may.
    for text in ('{"\\ud800": 1}', '{"a": "\\u0000"}', '{"guidance": NaN}', '{"a": 1e999}', "[" * 70 + "]" * 70):
        with pytest.raises(MakarError, match="controls"):
            form_values(ImageFields, {"controls": text})


def test_a_manifest_that_is_too_long_for_a_header_is_left_where_it_is_kept():
    signed = {"manifest": {"prompt": "\u0436" * 800}}
    (sent,) = manifest_headers(signed, asset="abc", is_kept=True).values()
    assert json.loads(base64.b64decode(sent)) == signed and len(sent) < 8000
    signed["manifest"]["prompt"] *= 6
    assert manifest_headers(signed, asset="abc", is_kept=True) == {
        "x-makar-manifest-at": "/makar/v1/assets/abc/manifest"
    }
    (said,) = manifest_headers(signed, asset="abc", is_kept=False).values()
    assert "store" in said


def test_a_limit_of_a_list_is_kept_however_it_is_written():
    assert limit_of("00000020", most=20) == 20
    for text in ("21", "00000119999", "1" * 5000, "0", "-1", "", "\u0663"):
        with pytest.raises(MakarError, match="the limit"):
            limit_of(text, most=20)


def test_a_database_on_a_full_disk_is_said_to_be_full(tmp_path):
    database = sqlite3.connect(tmp_path / "small")
    database.execute("pragma max_page_count = 2")
    database.execute("create table kept (content)")
    with pytest.raises(sqlite3.OperationalError) as found:
        database.execute("insert into kept values (?)", (b"x" * 100_000,))
    database.execute("begin immediate")
    held = sqlite3.connect(tmp_path / "small", timeout=0)
    with pytest.raises(sqlite3.OperationalError) as busy:
        held.execute("insert into kept values (1)")
    database.close()
    held.close()
    assert problem_of(found.value)["status"] == 507 and problem_of(busy.value)["status"] == 503
    assert problem_of(sqlite3.OperationalError("no such table"))["status"] == 500


def test_what_is_wrong_with_the_library_has_the_status_that_says_so(tmp_path):
    library = Library(tmp_path / "library.sqlite")
    (tmp_path / "library.sqlite").mkdir()
    (tmp_path / "newer.sqlite").touch()
    with sqlite3.connect(tmp_path / "newer.sqlite") as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    newer = Library(tmp_path / "newer.sqlite")
    found = []
    for ask in (lambda: library.get("x"), lambda: library.keep(entry(1)), lambda: newer.keep(entry(1))):
        with pytest.raises(MakarError) as refused:
            ask()
        said = problem_of(refused.value)
        found.append((said["status"], said["error"]["code"], said["error"]["param"]))
    assert found == [(404, "not_found", "id"), (503, "library_busy", None), (409, "newer_library", None)]


def test_a_clip_is_as_large_and_long_as_the_model_or_its_controls_say():
    assert shape_of(VideoFields(), {"size": [32, 24], "seconds": 1.5}) == ("32x24", "1.5")
    free = {"size": None, "seconds": None}
    assert shape_of(VideoFields(size="auto"), free) == ("auto", "auto")
    for fields in ({"size": "32x24"}, {"seconds": "4"}):
        with pytest.raises(MakarError, match="auto"):
            shape_of(VideoFields(**fields), free)


def test_likelihoods_of_parts_of_a_letter_stand_at_its_place():
    entries = [{"bytes": list(part), "logprob": -1.0, "top": []} for part in (b"a", b"\xc3", b"\xbc", b"b")]
    shown = completion_likelihoods(entries, 2)
    assert shown["tokens"] == ["a", "bytes:\\xc3", "bytes:\\xbc", "b"] and shown["text_offset"] == [2, 3, 3, 3]
    assert token_text(entries[0]) == "a"


def test_a_training_is_as_long_as_was_asked_for():
    fields = {"model": "m", "training_file": "f"}
    assert tuning_of(TuningFields(**fields)).length == ("--steps", "200")
    assert tuning_of(TuningFields(**fields, hyperparameters={"minutes": 2.5})).length == ("--for", "2.5m")
    method = {"type": "dpo", "dpo": {"hyperparameters": {"steps": 7, "beta": "auto"}}}
    made = tuning_of(TuningFields(**fields, method=method))
    assert made.length == ("--steps", "7") and made.recipe == "dpo"
