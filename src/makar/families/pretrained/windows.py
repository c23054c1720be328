"""Cuts a text that is longer than a network reads into windows that overlap by half."""

from tokenizers import Encoding

from makar.errors import UnsupportedError

Window = tuple[list[int], list[int], list[int | None]]
"""Ids, types, and places in the whole."""


def windows_of(encoding: Encoding, limit: int, *, kept: int | None = None) -> list[Window]:
    """Return the windows of a text; what begins and ends the whole begins and ends each of them.

    Args:
        encoding: The whole text.
        limit: Tokens that are read at once; 0 reads all.
        kept: Tokens that stand before each; ``None`` for those that are special.

    Raises:
        UnsupportedError: What stands around a text leaves it no room.
    """
    ids, types, count = encoding.ids, encoding.type_ids, len(encoding.ids)
    special = encoding.special_tokens_mask
    before = next((at for at, mark in enumerate(special) if not mark), 0) if kept is None else kept
    after = next((at for at, mark in enumerate(reversed(special)) if not mark), 0)
    limit = limit or count
    room = limit - before - after
    if count <= limit:
        return [(ids, types, list(range(count)))]
    if room < 2:
        raise UnsupportedError(
            f"a question of {before} tokens for a network of {limit} positions", expected="a shorter question"
        )
    found = []
    body = list(range(before, count - after))
    for start in range(0, len(body), max(1, room // 2)):
        places = [*range(before), *body[start : start + room], *range(count - after, count)]
        found.append(([ids[at] for at in places], [types[at] for at in places], list[int | None](places)))
        if start + room >= len(body):
            break
    return found
