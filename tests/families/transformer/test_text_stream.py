"""A stream never shows half a character nor a part of a stop text, and loses nothing else."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from makar.families.transformer.text_stream import TextStream

PIECES = ["a", "b", "ab", "END", "E", "N", "D", "\n", " ", "é", "naïve ", "日本", "🦊", ""]


def decode_pieces(tokens: np.ndarray) -> str:
    return "".join(PIECES[token] for token in tokens)


def decode_bytes(tokens: np.ndarray) -> str:
    return bytes(tokens.tolist()).decode(errors="replace")


def test_bytes_come_out_as_whole_characters() -> None:
    stream = TextStream(decode_bytes)
    seen = []
    for byte in "aé🦊b".encode():
        stream.add(byte)
        seen.append(stream.take()[1])
    assert seen == ["a", "", "é", "", "", "", "🦊", "b"]


def test_broken_bytes_come_out_at_the_end() -> None:
    stream = TextStream(decode_bytes)
    for byte in b"a\xf0\x9f":
        stream.add(byte)
    assert stream.take() == ([], "")
    tokens, text = stream.finish()
    assert tokens == [97, 0xF0, 0x9F]
    assert text == "a\ufffd"


def test_stop_text_across_tokens_is_never_shown() -> None:
    stream = TextStream(decode_pieces, stop=("END",))
    seen = []
    for token in (0, 4, 5, 0, 4, 5, 6, 1):
        if not stream.stopped:
            stream.add(token)
            seen.append(stream.take()[1])
    assert seen == ["a", "", "", "ENa", "", "", ""]
    assert stream.stopped
    assert stream.finish() == ([], "")


def test_stop_text_inside_a_token_cuts_its_text_and_keeps_the_token() -> None:
    stream = TextStream(lambda tokens: "word. Next" * len(tokens), stop=(".",))
    stream.add(0)
    assert stream.stopped
    assert stream.finish() == ([0], "word")


def test_the_earliest_of_several_stop_texts_wins() -> None:
    stream = TextStream(lambda tokens: "a END b STOP" * len(tokens), stop=("STOP", "END"))
    stream.add(0)
    assert stream.finish()[1] == "a "


@given(
    some.lists(some.integers(0, len(PIECES) - 1), max_size=30),
    some.sampled_from([(), ("END",), ("aba", "\n "), ("é",)]),
)
def test_text_is_everything_before_the_first_stop_text(tokens: list[int], stop: tuple[str, ...]) -> None:
    stream = TextStream(decode_pieces, stop=stop)
    pieces, kept = [], []
    for token in tokens:
        stream.add(token)
        new, text = stream.take()
        pieces.append(text)
        kept += new
        shown = "".join(pieces)
        assert not any(text in shown for text in stop)
        assert decode_pieces(np.array(kept, dtype=int)).startswith(shown)
        if stream.stopped:
            break
    new, text = stream.finish()
    shown, kept = "".join(pieces) + text, kept + new
    whole = decode_pieces(np.array(tokens, dtype=int))
    ends = [whole.find(text) for text in stop if text in whole]
    assert shown == (whole[: min(ends)] if ends else whole)
    if not ends:
        assert kept == tokens


@given(some.text(max_size=20), some.binary(max_size=6))
def test_streamed_bytes_join_to_the_whole_text(text: str, junk: bytes) -> None:
    data = text.encode("utf-8", errors="ignore") + junk
    stream = TextStream(decode_bytes)
    shown = ""
    for byte in data:
        stream.add(byte)
        piece = stream.take()[1]
        assert not piece.endswith("\ufffd")
        shown += piece
    assert shown + stream.finish()[1] == data.decode(errors="replace")


@pytest.mark.parametrize("stop", [(), ("x",)])
def test_finishing_twice_gives_nothing_more(stop: tuple[str, ...]) -> None:
    stream = TextStream(decode_bytes, stop=stop)
    stream.add(97)
    assert stream.finish() == ([97], "a")
    assert stream.finish() == ([], "")
