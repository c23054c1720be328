"""Tables that are labelled for a task of language: the shapes of published data sets are told apart, and rows come out whole."""

import json

import pytest

from makar.data.dataset import open_dataset
from makar.data.label_remarks import mixed_labels, why_unlabelled
from makar.data.table_columns import choose_columns
from makar.data.task_cells import score_of
from makar.data.task_columns import chosen_by_hand, columns_of, find_task
from makar.data.task_rows import row_roles
from makar.errors import DataError, UnknownNameError, UsageError
from tests.data.test_dataset import all_records, prose, write
from tests.data.test_layouts import lines

TURNS = [{"role": "user", "content": "Say hello."}, {"role": "assistant", "content": "Hello."}]
SHARED = [{"from": "human", "value": "Say hello."}, {"from": "gpt", "value": "Hello."}]
TALK = "\n\nHuman: Say hello.\n\nAssistant: Why?\n\nHuman: Please.\n\nAssistant: {}"
TURNS_OF_TALK = (
    {"role": "user", "content": "Say hello."},
    {"role": "assistant", "content": "Why?"},
    {"role": "user", "content": "Please."},
)
ASKED, ANSWERED = {"role": "user", "content": "2+2?"}, {"role": "assistant", "content": "4"}
CALL = {"type": "function", "function": {"name": "add", "arguments": '{"to": 2}'}}
ROWS = {
    "messages": ("converse", {"messages": TURNS}, {"messages": tuple(TURNS)}),
    "share": ("converse", {"conversations": SHARED}, {"messages": tuple(TURNS)}),
    "alpaca": (
        "converse",
        {"instruction": "Add.", "input": "1 and 2", "output": "3"},
        {"messages": ({"role": "user", "content": "Add.\n\n1 and 2"}, {"role": "assistant", "content": "3"})},
    ),
    "system": (
        "converse",
        {"system": "Be kind.", "prompt": "Hi", "response": "Hello"},
        {
            "messages": (
                {"role": "system", "content": "Be kind."},
                {"role": "user", "content": "Hi"},
                {"role": "assistant", "content": "Hello"},
            )
        },
    ),
    "tags": (
        "tag",
        {"tokens": ["Ada", "ran"], "tags": ["B-PER", "O"]},
        {"tokens": ("Ada", "ran"), "tags": ("B-PER", "O")},
    ),
    "squad": (
        "answer",
        {"question": "Who?", "context": "Ada ran.", "answers": {"text": ["Ada"], "answer_start": [0]}},
        {"question": "Who?", "context": "Ada ran.", "answers": ("Ada",)},
    ),
    "squad 2.0": (
        "answer",
        {"question": "Who?", "context": "It ran.", "answers": {"text": [], "answer_start": []}},
        {"question": "Who?", "context": "It ran.", "answers": ()},
    ),
    "stars": ("grade", {"review": "a good film", "stars": 4}, {"text": "a good film", "score": 4.0}),
    "similarity": (
        "compare",
        {"sentence1": "a dog", "sentence2": "a hound", "score": "4.5"},
        {"first": "a dog", "second": "a hound", "similarity": 4.5},
    ),
    "paraphrases": (
        "compare",
        {"sentence1": "a dog", "sentence2": "a hound"},
        {"first": "a dog", "second": "a hound", "similarity": 1.0},
    ),
    "languages": ("rewrite", {"en": "a dog", "de": "ein Hund"}, {"source": "a dog", "targets": ("ein Hund",)}),
    "summaries": (
        "rewrite",
        {"dialogue": "A: Hi. B: Hi.", "summary1": "They greet.", "summary2": "A greets B."},
        {"source": "A: Hi. B: Hi.", "targets": ("They greet.", "A greets B.")},
    ),
    "label": ("classify", {"text": "good film", "label": 1}, {"text": "good film", "labels": ("1",)}),
    "labels": (
        "classify",
        {"sentence": "a hot fox", "labels": ["hot", "fox"]},
        {"text": "a hot fox", "labels": ("hot", "fox")},
    ),
    "prompted": (
        "prefer",
        {"prompt": "Say hello.", "chosen": "Hello.", "rejected": "No."},
        {"messages": ({"role": "user", "content": "Say hello."},), "chosen": "Hello.", "rejected": "No."},
    ),
    "transcripts": (
        "prefer",
        {"chosen": TALK.format("Hello."), "rejected": TALK.format("No.")},
        {"messages": TURNS_OF_TALK, "chosen": "Hello.", "rejected": "No."},
    ),
    "turns": (
        "prefer",
        {"chosen": TURNS, "rejected": [TURNS[0], {"role": "assistant", "content": "No."}]},
        {"messages": (TURNS[0],), "chosen": "Hello.", "rejected": "No."},
    ),
    "turns to turns": (
        "prefer",
        {"prompt": [ASKED], "chosen": [ANSWERED], "rejected": [{"role": "assistant", "content": "5"}]},
        {"messages": (ASKED,), "chosen": "4", "rejected": "5"},
    ),
    "completed turns": ("converse", {"prompt": [ASKED], "completion": [ANSWERED]}, {"messages": (ASKED, ANSWERED)}),
    "bad": (
        "rate",
        {"prompt": "2+2?", "completion": "5", "label": False},
        {"messages": (ASKED,), "response": "5", "score": 0.0},
    ),
    "good turns": (
        "rate",
        {"prompt": [ASKED], "completion": [ANSWERED], "label": "True"},
        {"messages": (ASKED,), "response": "4", "score": 1.0},
    ),
    "dolly": (
        "converse",
        {"instruction": "Who ran?", "context": "Ada ran.", "response": "Ada", "category": "closed_qa"},
        {"messages": ({"role": "user", "content": "Who ran?\n\nAda ran."}, {"role": "assistant", "content": "Ada"})},
    ),
    "developer and tool": (
        "converse",
        {
            "messages": [
                {"role": "developer", "content": "Be brief."},
                ASKED,
                {"role": "assistant", "content": None, "tool_calls": [CALL]},
                {"role": "tool", "content": "4"},
                {"role": "assistant", "content": "Again:", "tool_calls": [CALL]},
                {"role": "assistant", "content": "Done.", "tool_calls": None},
            ]
        },
        {
            "messages": (
                {"role": "system", "content": "Be brief."},
                ASKED,
                {"role": "assistant", "content": '{"name": "add", "arguments": {"to": 2}}'},
                {"role": "tool", "content": "4"},
                {"role": "assistant", "content": 'Again:\n{"name": "add", "arguments": {"to": 2}}'},
                {"role": "assistant", "content": "Done."},
            )
        },
    ),
}


@pytest.mark.parametrize("name", ROWS)
def test_the_shapes_of_published_data_are_told_and_read(name):
    task, row, roles = ROWS[name]
    found = find_task({column: [cell] * 3 for column, cell in row.items()})
    assert found is not None and found.task == task
    assert row_roles(row, found, None) == roles


@pytest.mark.parametrize(
    "columns",
    [
        {"text": ["a long novel " * 1000], "label": ["Austen"]},
        {"text": ["one", "two", "three", "four"], "label": ["a", "b", "c", "d"]},
        {"tokens": [["a", "b"]], "tags": [["O"]]},
        {"title": ["words"], "number": [3]},
        {"en": ["only one language"]},
        {"question": ["What?"], "context": ["There."]},
        {"chosen": ["yes"]},
        {"text": ["a long novel " * 1000], "stars": [4]},
        {"review": ["words"], "stars": ["many"]},
        {"sentence1": ["only one"]},
    ],
)
def test_what_is_not_labelled_for_a_task_is_not_taken_for_it(columns):
    assert find_task(columns) is None


@pytest.mark.parametrize(
    ("task", "row"),
    [
        ("classify", {"text": "  ", "label": "a"}),
        ("classify", {"text": "words", "label": None}),
        ("tag", {"tokens": ["a", "b"], "tags": ["O"]}),
        ("answer", {"question": "Who?", "context": "Ada.", "answer": []}),
        ("rewrite", {"source": "a", "target": ""}),
        ("compare", {"first": "a", "second": " ", "similarity": 1}),
        ("compare", {"first": "a", "second": "b", "similarity": "much"}),
        ("grade", {"text": "a film", "score": "good film"}),
        ("grade", {"text": "", "score": 1}),
        ("converse", {"messages": [{"role": "user"}]}),
        ("prefer", {"chosen": TALK.format("Hello."), "rejected": "Another talk"}),
        ("prefer", {"chosen": TURNS, "rejected": TURNS[:1]}),
        ("converse", {"prompt": [ASKED], "response": [{"role": "assistant", "content": " "}]}),
        ("converse", {"messages": [ASKED, {"role": "assistant", "content": None, "tool_calls": [{"type": "code"}]}]}),
        ("rate", {"prompt": "2+2?", "response": [ASKED], "score": 1}),
        ("rate", {"prompt": "2+2?", "response": "4", "score": "nan"}),
    ],
)
def test_rows_with_an_empty_or_wrong_role_are_left_out(task, row):
    assert row_roles(row, chosen_by_hand({column: column for column in row}, list(row)), None) is None
    assert chosen_by_hand({column: column for column in row}, list(row)).task == task


def test_numbers_of_classes_get_their_names():
    found = find_task({"text": ["a", "b"], "label": [0, 0]})
    assert found is not None and row_roles({"text": "a", "label": 1}, found, ["no", "yes"]) == {
        "text": "a",
        "labels": ("yes",),
    }


def test_columns_by_hand():
    assert columns_of(" source = de , target=en ") == {"source": "de", "target": "en"} and columns_of("") == {}
    for typed in ("source", "source=", "=de"):
        with pytest.raises(UsageError, match="columns"):
            columns_of(typed)
    with pytest.raises(UnknownNameError, match="sauce"):
        chosen_by_hand({"sauce": "de"}, ["de"])
    with pytest.raises(UnknownNameError, match="dee"):
        chosen_by_hand({"source": "dee"}, ["de"])
    with pytest.raises(UsageError, match="no one task"):
        chosen_by_hand({"source": "a", "label": "b"}, ["a", "b"])


def everything(dataset):
    """Return the records of all three parts."""
    return [record for records in all_records(dataset).values() for record in records]


def table(tmp_path, rows, name="all.jsonl"):
    return write(tmp_path, {name: lines(rows)})


def test_rows_come_whole_with_their_roles(tmp_path):
    dataset = open_dataset(table(tmp_path, [{"en": f"dog {number}", "de": f"Hund {number}"} for number in range(40)]))
    assert dataset.task == dataset.inspection.task == "rewrite" and dataset.inspection.roles == {
        "source": "en",
        "target": "de",
    }
    records = everything(dataset)
    assert len(records) == 40 and all(record.roles["source"].startswith("dog") for record in records)
    assert {record.content for record in records} == {f"dog {number}\n\nHund {number}" for number in range(40)}
    swapped = open_dataset(tmp_path, columns="source=de,target=en")
    assert all(record.roles["source"].startswith("Hund") for record in everything(swapped))
    assert swapped.fingerprint != dataset.fingerprint


def test_questions_about_one_passage_stay_together_and_none_is_a_copy(tmp_path):
    rows = [
        {"question": f"Who was {asked}?", "context": prose(passage), "answer": str(asked)}
        for passage in range(20)
        for asked in range(6)
    ]
    dataset = open_dataset(table(tmp_path, rows))
    parts = {split: list(dataset.records(split)) for split in ("train", "inner", "held_out")}
    assert sum(map(len, parts.values())) == 120
    passages = [{record.roles["context"] for record in records} for records in parts.values()]
    assert not passages[0] & passages[2] and not passages[0] & passages[1] and not passages[1] & passages[2]


def test_an_official_test_part_stays_whole_and_its_copies_are_counted(tmp_path):
    rows = [{"text": prose(number), "label": number % 2, "split": "train"} for number in range(40)]
    rows += [{"text": prose(number), "label": number % 2, "split": "test"} for number in (3, 3, 100, 101)]
    dataset = open_dataset(table(tmp_path, rows))
    assert len(list(dataset.records("held_out"))) == 4
    assert any(
        "3 rows of the official" in warning or "2 rows of the official" in warning
        for warning in dataset.inspection.warnings
    )
    assert dataset.inspection.labels == {"0": 21, "1": 23}


def test_code_of_a_description_is_code_and_one_line_of_two_descriptions_no_copy(tmp_path):
    rows = [
        {"description": f"add {number} to x in words {number}", "code": f"x = x + {number % 20}"}
        for number in range(60)
    ]
    dataset = open_dataset(table(tmp_path, rows))
    assert (dataset.medium, dataset.task, dataset.inspection.duplicates["exact"]) == ("code", "rewrite", 0)
    assert {record.content for record in everything(dataset)} == {f"x = x + {number}" for number in range(20)}


def test_tables_that_differ_are_plain_text_and_that_is_said(tmp_path):
    write(tmp_path, {"a.jsonl": lines([{"text": prose(number), "label": number % 2} for number in range(30)])})
    write(tmp_path, {"b.jsonl": lines([{"text": prose(100 + number)} for number in range(30)])})
    dataset = open_dataset(tmp_path)
    assert dataset.task == "" and any("not all of the data" in warning for warning in dataset.inspection.warnings)
    assert all(record.roles is None for record in everything(dataset))


def test_two_rows_are_too_few(tmp_path):
    with pytest.raises(DataError, match="usable row"):
        open_dataset(table(tmp_path, [{"en": "a dog", "de": "ein Hund"}]))


def test_columns_need_a_table():
    with pytest.raises(UsageError, match="has none"):
        open_dataset(["a text"] * 5, columns="source=a,target=b")


def test_a_table_is_json_clean(tmp_path):
    dataset = open_dataset(
        table(tmp_path, [{"text": prose(number), "label": "ab"[number % 2]} for number in range(30)])
    )
    assert json.loads(json.dumps(dataset.inspection.to_dictionary()))["task"] == "classify"


def test_files_of_conll_are_sentences_of_words_with_tags(tmp_path):
    text = (
        "-DOCSTART- -X- O O\n\nAda NNP I-NP B-PER\nran VBD I-VP O\n\n# sent_id = 2\n"
        "In\tIN\tO\nLondon\tNNP\tB-LOC\n\n\n" + "word O\n\n" * 30
    )
    write(tmp_path, {"train.conll": text})
    dataset = open_dataset(tmp_path)
    assert dataset.task == "tag"
    rows = [record.roles for split in ("train", "inner", "held_out") for record in dataset.records(split)]
    assert {"tokens": ("Ada", "ran"), "tags": ("B-PER", "O")} in rows
    assert {"tokens": ("In", "London"), "tags": ("O", "B-LOC")} in rows


def test_answers_with_a_rating_are_told_apart():
    for cells in ([1, 5, 3], ["up", "down", "👍"], [True, False, True], ["4.5", "2", "1"]):
        values = {"prompt": ["Hi", "Ho", "Ha"], "response": ["a", "b", "c"], "rating": cells}
        columns = find_task(values)
        assert columns is not None and columns.task == "rate"
        found = row_roles({name: column[0] for name, column in values.items()}, columns, None)
        assert found["response"] == "a" and found["messages"] == ({"role": "user", "content": "Hi"},)
        assert found["score"] == {1: 1.0, "up": 1.0, "4.5": 4.5}[cells[0]]
    assert find_task({"prompt": ["Hi"], "response": ["a"], "rating": ["purple"]}).task == "converse"
    assert find_task({"review": ["fine"], "stars": [4]}).task == "grade"


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "Hi", "chosen": "same", "rejected": "same"},
        {"prompt": "Hi", "chosen": "", "rejected": "other"},
        {"messages": [{"role": "user", "content": "Hi"}]},
        {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": " "}]},
    ],
)
def test_rows_that_teach_nothing_are_left_out(row):
    whole = (
        {name: [cell if cell else "x"] for name, cell in row.items()} | {"rejected": ["y"]} if "chosen" in row else {}
    )
    columns = find_task(whole or {"messages": [row["messages"]]})
    assert columns is not None and row_roles(row, columns, None) is None


@pytest.mark.parametrize("cell", ["nan", "NaN", float("nan"), float("inf"), "-inf", 10**400, None, [1]])
def test_what_no_number_can_be_compared_with_is_no_score(cell):
    assert score_of(cell) is None and score_of("4.5") == 4.5


def test_a_class_beside_an_answer_is_no_thumb():
    columns = find_task({"prompt": ["Hi", "Ho"], "completion": ["a", "b"], "label": ["art", "sport"]})
    assert columns is not None and columns.task == "converse"


@pytest.mark.parametrize(
    ("task", "row", "gap"),
    [
        ("classify", {"text": "a fine film", "label": "good"}, {"text": "  "}),
        ("classify", {"text": "a fine film", "label": 1}, {"text": float("nan")}),
        ("classify", {"text": "a fine film", "labels": ["joy", "awe"]}, {"labels": []}),
        ("classify", {"text": "a fine film", "label": 1.0}, {"label": float("nan")}),
        ("converse", {"instruction": "Add.", "input": "1 and 2", "output": "3"}, {"output": " "}),
        ("converse", {"messages": TURNS}, {"messages": []}),
    ],
)
def test_a_cell_without_anything_in_it_hides_no_task(task, row, gap):
    columns = choose_columns(iter([row] * 40 + [row | gap]))
    assert columns.task is not None and columns.task.task == task


def test_numbers_of_classes_that_became_floats_keep_their_names():
    columns = chosen_by_hand({"text": "text", "label": "label"}, ["text", "label"])
    row = {"text": "a fine film", "label": 1.0}
    assert row_roles(row, columns, None)["labels"] == ("1",)
    assert row_roles(row, columns, ["no", "yes"])["labels"] == ("yes",)
    assert row_roles(row | {"label": 0.5}, columns, None) is None


@pytest.mark.parametrize(
    ("label", "text", "said"),
    [
        (lambda number: {"a": 1} if number == 3 else "b", "a film with a plot", "holds what is no label: {'a': 1}"),
        (lambda number: f"c{number}", "a film with a plot", "12 different values in 12 rows"),
        (lambda number: "ab"[number % 2], "a novel " * 800, "characters in the mean, more than 4,000"),
    ],
)
def test_it_is_said_why_texts_with_labels_are_no_classes(tmp_path, label, text, said):
    found = [{"text": f"{text} {number}", "label": label(number)} for number in range(12)]
    (note,) = open_dataset(table(tmp_path, found)).inspection.notes
    assert "read as plain text and not as classes" in note and said in note
    assert not why_unlabelled({"text": ["a film"], "number": [3]})


def test_labels_of_several_kinds_are_said(tmp_path):
    found = [{"text": f"a film {at}", "label": label} for at, label in enumerate([1, "1", True, 1] * 9)]
    warnings = open_dataset(table(tmp_path, found)).inspection.warnings
    assert any("numbers (1), texts ('1'), truths (True)" in warning for warning in warnings)
    assert not mixed_labels(["a", ["b", "c"], "d"])


def test_a_row_with_commas_that_nobody_quoted_is_left_out(tmp_path):
    good = "".join(f"a film {at},{'ab'[at % 2]}\n" for at in range(8))
    (tmp_path / "a.csv").write_text(f"text,label\n{good}long, and dull,a\nshort,b,\n", encoding="utf-8")
    found = open_dataset(tmp_path / "a.csv").inspection
    assert set(found.labels) == {"a", "b"} and sum(found.labels.values()) == 9
    assert any("3 cells under 2 names" in reason for reason in map(str, found.skipped))


def test_a_column_of_text_that_is_empty_is_called_empty(tmp_path):
    with pytest.raises(DataError, match='the column "text" is empty'):
        open_dataset(table(tmp_path, [{"text": " ", "label": "a"}] * 9))


@pytest.mark.parametrize("broken", [0, 3])
def test_a_broken_line_of_json_lines_is_left_out_wherever_it_stands(tmp_path, broken):
    rows = [json.dumps({"text": f"a film with a plot {at}", "label": "ab"[at % 2]}) for at in range(20)]
    rows[broken] = "{broken"
    found = open_dataset(write(tmp_path, {"a.jsonl": "\n".join(rows)})).inspection
    assert found.documents == 19 and "a line that is not valid JSON" in str(found.skipped)
    assert found.left_out == "; left out, as makar inspect shows: 1 a line that is not valid JSON"
