"""Finds whether an item stands in the training data as a whole: sorted hashes of what identifies each item.

A molecule is a short line, and a model that has learned chemistry shares most of every line with its data: what counts is whether the whole
is the same. A line is looked for as it was written and, where RDKit is installed, in RDKit's one spelling of it, which is how published
lists of molecules are mostly written; 64 bits of a hash confuse two of ten million items once in 400,000 such lists.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from makar.codecs.chemistry import canonical, has_rdkit
from makar.codecs.codec import Codec
from makar.data.store import Store, write_arrays
from makar.novelty.text_index import decoded_texts

HASHES, RECORDS = "members.hashes", "members.records"


def build_member_index(
    store: Store, codec: Codec, folder: Path, *, progress: Callable[[int, int], None] | None = None
) -> None:
    """Write the hashes of a store's items to a folder.

    Args:
        store: Training store whose ``target`` slot holds tokens.
        codec: Turns tokens into content.
        folder: Where they go.
        progress: Called with the number of records read and their total.
    """
    hashes = np.zeros(len(store), "<u8")
    for record, content in decoded_texts(store, codec):
        hashes[record] = _hash(content)
        if progress is not None and record % 4096 == 0:
            progress(record, len(store))
    order = np.argsort(hashes, kind="stable")
    write_arrays(folder / HASHES, [hashes[order]])
    write_arrays(folder / RECORDS, [order.astype("<i8")])


class MemberIndex:
    """Finished hashes, opened for looking up.

    Args:
        folder: Where they are.
        medium: What the items are.
    """

    def __init__(self, folder: Path, *, medium: str) -> None:
        self.medium = medium
        self._hashes = np.fromfile(folder / HASHES, "<u8")
        self._records = np.fromfile(folder / RECORDS, "<i8")

    def find(self, content: str) -> int | None:
        """Return the number of a training record that is the same item, ``None`` where there is none."""
        spellings = [content]
        if self.medium == "molecule" and has_rdkit() and (one := canonical(content)) is not None:
            spellings.append(one)
        for spelling in spellings:
            place = int(np.searchsorted(self._hashes, _hash(spelling)))
            if place < len(self._hashes) and self._hashes[place] == _hash(spelling):
                return int(self._records[place])
        return None


def _hash(content: str) -> np.uint64:
    return np.uint64(int.from_bytes(hashlib.sha256(content.encode()).digest()[:8], "little"))
