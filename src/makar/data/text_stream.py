"""Text out of bytes in parts: encoding found, byte order mark and line ends normalised, no part above about a megabyte.

Encoding: byte order mark, else UTF-8 when it is valid, else what charset-normalizer finds in the lines that are not ASCII; the
Windows form of Latin-1 wins where it gives the same letters or is as likely. A file that was ASCII for its first megabytes and
turns out not to be UTF-8 is looked at again from there. Memory: a few megabytes whatever the length of a line.
"""

import codecs
import warnings
from collections.abc import Callable, Iterator
from typing import IO

from makar.data.sniffing import looks_utf16

CHUNK_BYTES = 1 << 20
PART_CHARACTERS = 1_000_000
SAMPLE_BYTES = 16_384


def decoded(stream: IO[bytes], *, warn: Callable[[str], None] | None = None) -> Iterator[str]:
    """Yield the text of a stream in chunks, with ``\\n`` line ends.

    Args:
        stream: Bytes from the start of a text file.
        warn: Called with a sentence when another encoding than UTF-8 is used or bytes could not be decoded.
    """
    chunk = stream.read(CHUNK_BYTES)
    encoding, skipped = _marked_encoding(chunk)
    chunk = chunk[skipped:]
    strict = encoding is None
    decoder = codecs.getincrementaldecoder(encoding or "utf-8")("strict" if strict else "replace")
    ascii_so_far, pending_return, replaced = True, False, 0
    while True:
        following = stream.read(CHUNK_BYTES)
        try:
            state = decoder.getstate()
            text = decoder.decode(chunk, final=not following)
        except UnicodeDecodeError:
            # Everything before this chunk was ASCII: nothing decoded so far would have been different.
            name = _guessed_encoding(state[0] + chunk) if ascii_so_far else "utf-8"
            if warn is not None and name != "utf-8":
                warn(f"read as {name}")
            strict = False
            decoder = codecs.getincrementaldecoder(name)("replace")
            text = decoder.decode(state[0] + chunk, final=not following)
        ascii_so_far = ascii_so_far and text.isascii()
        if not strict:
            replaced += text.count("\ufffd")
        if pending_return:
            text = "\r" + text
        pending_return = text.endswith("\r") and bool(following)
        if pending_return:
            text = text[:-1]
        if "\r" in text:
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        if text:
            yield text
        if not following:
            break
        chunk = following
    if replaced and warn is not None:
        warn(f"{replaced} characters could not be decoded")


def parts(chunks: Iterator[str], *, limit: int = PART_CHARACTERS) -> Iterator[str]:
    """Yield text in parts of at most ``limit`` characters that end at a paragraph, a line or a word where there is one."""
    buffer = ""
    for chunk in chunks:
        buffer += chunk
        while len(buffer) > limit:
            end = _boundary(buffer, limit)
            yield buffer[:end]
            buffer = buffer[end:]
    if buffer:
        yield buffer


def divided(pieces: Iterator[str], places: list[int], *, slack: int) -> Iterator[tuple[int, str]]:
    """Yield a document's text with the number of the stretch it belongs to.

    Each place moves on to the next end of a paragraph, line or word within ``slack``. The result does not depend on how the
    document came in pieces.

    Args:
        pieces: The document in order.
        places: Where stretches end, in characters, ascending; the last stretch goes to the end.
        slack: How many characters a place may move on; 0 cuts exactly.
    """
    stretch, position, buffer = 0, 0, ""
    for piece in _with_end(pieces):
        buffer += piece or ""
        while stretch < len(places):
            # A place that the one before has passed by moving on begins where that one ended.
            wanted = max(0, places[stretch] - position)
            if piece is not None and len(buffer) < wanted + slack:
                break
            offset = min(len(buffer), wanted)
            end = offset + _next_boundary(buffer[offset : offset + slack])
            if end:
                yield stretch, buffer[:end]
            stretch, position, buffer = stretch + 1, position + end, buffer[end:]
        # Before the next place the text is of no further use for moving it.
        done = len(buffer) if stretch == len(places) else min(len(buffer), max(0, places[stretch] - position))
        if done:
            yield stretch, buffer[:done]
            position, buffer = position + done, buffer[done:]


def repaired(text: str) -> str:
    """Return text without lone surrogates, which no file can hold, and with ``\\n`` line ends."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    try:
        text.encode()
    except UnicodeEncodeError:
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def _with_end(pieces: Iterator[str]) -> Iterator[str | None]:
    yield from pieces
    yield None


def _boundary(text: str, limit: int) -> int:
    for mark in ("\n\n", "\n", " "):
        place = text.rfind(mark, limit * 3 // 4, limit)
        if place >= 0:
            return place + len(mark)
    return limit


def _next_boundary(text: str) -> int:
    for mark in ("\n\n", "\n", " "):
        place = text.find(mark)
        if place >= 0:
            return place + len(mark)
    return 0


def _marked_encoding(chunk: bytes) -> tuple[str | None, int]:
    if chunk.startswith(codecs.BOM_UTF8):
        return None, 3
    if chunk.startswith(codecs.BOM_UTF16_LE):
        return "utf-16-le", 2
    if chunk.startswith(codecs.BOM_UTF16_BE):
        return "utf-16-be", 2
    return looks_utf16(chunk[:SAMPLE_BYTES]), 0


def _guessed_encoding(chunk: bytes) -> str:
    from charset_normalizer import from_bytes

    sample = bytearray()
    for line in chunk.split(b"\n"):
        if not line.isascii():
            first = next(index for index, byte in enumerate(line) if byte > 127)
            sample += line[max(0, first - 500) : first + 1500] + b"\n"
        if len(sample) > SAMPLE_BYTES:
            break
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        matches = list(from_bytes(bytes(sample)))
    if not matches:
        return "cp1252"
    best = matches[0]
    if any(m.encoding == "cp1252" and m.chaos <= best.chaos and m.coherence >= best.coherence for m in matches):
        return "cp1252"
    if best.encoding == "utf_8":
        return "utf-8"
    same = bytes(sample).decode("cp1252", "replace") == bytes(sample).decode(best.encoding, "replace")
    return "cp1252" if same else best.encoding
