"""Text comes out of any usual encoding, in parts that add up to the whole, in bounded memory."""

import io
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from makar.data.text_stream import PART_CHARACTERS, decoded, divided, parts, repaired

FRENCH = "Où est le garçon ? L'été dernier, nous étions à la plage ; c'était très agréable. « Hélas ! »\n" * 20


def decode(content, warnings=None):
    return "".join(decoded(io.BytesIO(content), warn=None if warnings is None else warnings.append))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "latin-1", "cp1252"])
def test_text_in_usual_encodings_is_read_right(encoding):
    assert decode(FRENCH.encode(encoding)) == FRENCH


def test_cyrillic_in_its_old_encoding_is_read_right():
    text = "Привет, как дела? Это русский текст о море и о лете, и в нём много слов.\n" * 5
    assert decode(text.encode("cp1251")) == text


def test_an_encoding_that_shows_late_is_found():
    text = "plain words\n" * 200_000 + FRENCH
    warnings = []
    assert decode(text.encode("latin-1"), warnings) == text
    assert warnings == ["read as cp1252"]


def test_bytes_that_fit_no_encoding_are_counted():
    warnings = []
    text = decode("grün ".encode() * 300_000 + b"\xff\xfe\xfd" + "grün".encode(), warnings)
    assert text.count("\ufffd") == 3
    assert "3 characters could not be decoded" in warnings


def test_letters_cut_by_the_reading_are_whole():
    text = "x" + "é" * (3 << 19) + "€" * 10
    assert decode(text.encode()) == text


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_line_ends_become_one(ends):
    text = ("a line" + ends) * 200_000
    assert decode(text.encode()) == "a line\n" * 200_000


def test_parts_add_up_and_are_small():
    text = "".join(f"Sentence number {number} of many.\n" for number in range(120_000))
    found = list(parts(iter([text])))
    assert "".join(found) == text
    assert len(found) > 2 and all(len(part) <= PART_CHARACTERS for part in found)
    assert all(part.endswith("\n") for part in found)


@given(
    st.text(alphabet="ab \n", max_size=200),
    st.lists(st.integers(0, 220), max_size=3),
    st.integers(0, 20),
    st.lists(st.integers(1, 50), min_size=1, max_size=8),
)
def test_a_divided_text_adds_up_however_it_comes(text, places, slack, lengths):
    places = sorted(places)
    pieces, rest = [], text
    for length in lengths:
        pieces.append(rest[:length])
        rest = rest[length:]
    pieces.append(rest)

    def stretches(items):
        found = [""] * (len(places) + 1)
        for stretch, piece in divided(iter(items), places, slack=slack):
            found[stretch] += piece
        return found

    whole = stretches([text])
    assert "".join(whole) == text
    assert stretches(pieces) == whole
    if places and slack == 0:
        assert len(whole[0]) == min(places[0], len(text))


def test_places_move_to_the_next_paragraph():
    text = "one one one\n\ntwo two two\n\nthree"
    first = "".join(piece for stretch, piece in divided(iter([text]), [5], slack=20) if stretch == 0)
    assert first == "one one one\n\n"


def test_lone_surrogates_are_replaced():
    assert repaired("a\ud800b") == "a\ufffdb"
    assert repaired("a\r\nb") == "a\nb"


def endless(count, chunk=b"word " * 1000):
    class Stream(io.RawIOBase):
        left = count

        def readable(self):
            return True

        def readinto(self, buffer):
            size = min(len(buffer), self.left)
            buffer[:size] = (chunk * (size // len(chunk) + 1))[:size]
            self.left -= size
            return size

    return io.BufferedReader(Stream())


@pytest.mark.parametrize("count", [20 << 20, pytest.param(500 << 20, marks=pytest.mark.slow)])
def test_one_huge_line_streams_in_little_memory(count):
    tracemalloc.start()
    total = sum(len(part) for part in parts(decoded(endless(count))))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert total == count
    assert peak < 16 << 20
