"""The metrics survive a kill at any byte, and hold JSON only."""

import json
import math

import pytest

from makar.training.progress import EventLog, ignore_event, read_curve


def log(path):
    return EventLog(path, stage="model", on_event=ignore_event, consumed=lambda: 1.0)


@pytest.mark.parametrize("torn", [b'{"event": "prog', b'{"event": "progress", "stage": "\xc3', b"\n", b""])
def test_an_event_after_a_torn_line_stands_in_a_line_of_its_own(tmp_path, torn):
    path = tmp_path / "metrics.jsonl"
    log(path).emit("progress", step=1, loss=2.0)
    path.write_bytes(path.read_bytes() + torn)
    log(path).emit("progress", step=2, loss=1.5)
    log(path).emit("validation", step=3, inner_loss=1.4)
    assert [line["step"] for line in read_curve(path)] == [1, 2, 3]


def test_letters_that_end_lines_elsewhere_end_none_here(tmp_path):
    path = tmp_path / "metrics.jsonl"
    log(path).emit("progress", step=1, sample="a\u2028b\x85c")
    assert [line["step"] for line in read_curve(path)] == [1]


def test_what_is_no_number_is_null_in_the_file_and_untouched_for_who_watches(tmp_path):
    path, seen = tmp_path / "metrics.jsonl", []
    events = EventLog(path, stage="model", on_event=seen.append, consumed=lambda: 1.0)
    events.emit("validation", step=1, inner_loss=math.nan, others=[math.inf, {"deep": -math.inf}])

    def refuse(name):
        raise AssertionError(name)

    (line,) = (json.loads(text, parse_constant=refuse) for text in path.read_text().splitlines())
    assert line["inner_loss"] is None and line["others"] == [None, {"deep": None}]
    assert math.isnan(seen[0]["inner_loss"])
