"""Decoding where some tokens are single bytes: a row of them is read as UTF-8 by Python, so that a text is always that of its parts.

The decoder of the `tokenizers` library turns every byte of a row into U+FFFD when the row as a whole is no UTF-8, so that a letter that was
shown already would change when a broken byte follows it. Python replaces what is broken and nothing else.
"""

import functools
from collections.abc import Callable, Mapping, Sequence


def decode_runs(tokens: Sequence[int], byte_of: Mapping[int, int], decode: Callable[[list[int]], str]) -> str:
    """Return the text of tokens of which some are single bytes.

    Args:
        tokens: The tokens.
        byte_of: From the tokens that are bytes to their bytes.
        decode: Gives the text of a row of the others.
    """
    parts: list[str] = []
    held, others = bytearray(), list[int]()
    for token in tokens:
        byte = byte_of.get(token)
        if byte is None:
            if held:
                parts.append(held.decode(errors="replace"))
                held.clear()
            others.append(token)
        else:
            if others:
                parts.append(decode(others))
                others = []
            held.append(byte)
    if held:
        parts.append(held.decode(errors="replace"))
    if others:
        parts.append(decode(others))
    return "".join(parts)


def byte_tokens(token_of: Callable[[str], int | None]) -> dict[int, int]:
    """Return the tokens that are single bytes, ``<0x41>``, with their bytes.

    Args:
        token_of: From the name of a token to its number.
    """
    found = {byte: token_of(f"<0x{byte:02X}>") for byte in range(256)}
    return {token: byte for byte, token in found.items() if token is not None}


@functools.cache
def byte_characters() -> tuple[str, ...]:
    """Return the character that stands for each byte in the alphabet of GPT-2: printable ones themselves, others from 256 on."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = iter(range(256, 512))
    return tuple(chr(byte) if byte in printable else chr(next(others)) for byte in range(256))


@functools.cache
def _byte_of_character() -> dict[str, int]:
    return {character: byte for byte, character in enumerate(byte_characters())}


def bytes_of_name(name: str) -> bytes:
    """Return the bytes that a token stands for whose name is written in the alphabet of GPT-2.

    >>> bytes_of_name("\u0120a")
    b' a'
    """
    known = _byte_of_character()
    return b"".join(bytes([known[letter]]) if letter in known else letter.encode() for letter in name)
