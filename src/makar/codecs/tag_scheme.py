"""Tags that mark entities: begin, inside, outside (IOB2), whatever of the known schemes the data have; and entities from tags.

``B-PER I-PER O`` is one person of two words. IOB1 (an entity may begin with inside), BIOES and BILOU (its last word and single words have
marks of their own) say the same and are rewritten. An inside that follows no entity of its kind begins one, as conlleval and seqeval count
(Ramshaw and Marcus 1995, arXiv cmp-lg/9505040; Nakayama 2018, seqeval). Tags of another form (parts of speech) are left as they are.
"""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

OUTSIDE = "O"
_TAG = re.compile(r"([BIESLU])-(.+)")
_BEGINS = "BSU"


class Entity(NamedTuple):
    """An entity: its kind, its first word, and the word after its last."""

    kind: str
    start: int
    end: int


def marks_entities(tags: Iterable[str]) -> bool:
    """Return whether every tag is outside or marks a part of an entity, and one does."""
    kinds = {tag for tag in tags if tag != OUTSIDE}
    return bool(kinds) and all(_TAG.fullmatch(tag) for tag in kinds)


def normal_tags(tags: Sequence[str]) -> list[str]:
    """Return tags in the scheme of begin, inside and outside.

    >>> normal_tags(["I-PER", "E-PER", "O", "S-LOC", "I-ORG"])
    ['B-PER', 'I-PER', 'O', 'B-LOC', 'B-ORG']
    """
    found, before, closed = [], "", True
    for tag in tags:
        match = _TAG.fullmatch(tag)
        if match is None:
            found.append(OUTSIDE)
            before, closed = "", True
            continue
        mark, kind = match.groups()
        begins = mark in _BEGINS or kind != before or closed
        found.append(f"{'B' if begins else 'I'}-{kind}")
        before, closed = kind, mark in "ESLU"
    return found


def entities_of(tags: Sequence[str]) -> list[Entity]:
    """Return the entities that tags mark, in order.

    >>> entities_of(["B-PER", "I-PER", "O", "I-LOC"])
    [Entity(kind='PER', start=0, end=2), Entity(kind='LOC', start=3, end=4)]
    """
    found: list[Entity] = []
    for place, tag in enumerate(normal_tags(tags)):
        if tag == OUTSIDE:
            continue
        if tag.startswith("B-"):
            found.append(Entity(tag[2:], place, place + 1))
        else:
            found[-1] = found[-1]._replace(end=place + 1)
    return found


def allowed_before(number: int) -> tuple[int, ...] | None:
    """Return the tags after which one may come, where tags are numbered outside, begin, inside, begin, inside ...; ``None``: after any.

    >>> allowed_before(4), allowed_before(3)
    ((3, 4), None)
    """
    return (number - 1, number) if number and number % 2 == 0 else None
