"""Which document is learned from, which chooses the weights and which is for the report; decided once, kept as one byte each.

* An official test part (else the validation part) is held out; the other official part is not used.
* Otherwise whole documents are held out by the hash of their content: the same document is on the same side on every machine and
  whatever is added later.
* Fewer than ``FEW`` documents of text, or one that holds more than a quarter of everything, are cut instead: the end is held out.
* The inner part is always cut from the training part in the same ways, but from a document that is cut as stretches spread over it: the
  end of a play has people of its own, and a model that never met them would be chosen, and would write, as if they did not exist.
* Documents of one group, such as the two images of a pair, are always in the same part.
* Copies are used once. The copy in the training part stays, so that nothing held out has been learned.
"""

import dataclasses
import itertools

import numpy as np

from makar.data.record import WHOLE
from makar.errors import DataError

TRAIN, INNER, HELD_OUT, CUT, UNUSED, DUPLICATE, NEAR, EMPTY, UNREADABLE, REFUSED = range(10)
NO_SPLIT, OFFICIAL_TRAIN, OFFICIAL_VALIDATION, OFFICIAL_TEST = range(4)
OFFICIAL_CODES = {None: NO_SPLIT, "train": OFFICIAL_TRAIN, "validation": OFFICIAL_VALIDATION, "test": OFFICIAL_TEST}

FEW = 20
LARGE_SHARE = 0.25
INNER_SHARE = 0.03
ROWS = "row"
"""What stands for the medium of rows of a labelled table: none is cut, and an official part that is held out stays whole, so that scores
on it can be compared with published ones."""
INNER_LIMIT = {"image": 2000, "sound": 2000, "structure": 2000, "video": 500}
"""How much of a medium chooses the weights at the most: images, sounds, structures, videos; characters of all others."""

INNER_CHARACTERS = 2_000_000
STRETCH_CHARACTERS = 2000
MOST_STRETCHES = 32
LEAST_CHARACTERS = 200
LEAST_IMAGES = 3
_ODD = np.uint64(0x9E3779B97F4A7C15)


@dataclasses.dataclass(kw_only=True)
class Decision:
    """What happens to every document.

    Attributes:
        codes: ``uint8 [documents]``: ``TRAIN``, ``INNER`` ... ``REFUSED``.
        places: For documents that are ``CUT``: where stretches end, in characters; see ``split_of_stretch``.
        origin: How the held-out part came about.
        counts: Documents that were copies, near copies, and copies across the split.
        warnings: What a reader should know.
    """

    codes: np.ndarray
    places: dict[int, list[int]] = dataclasses.field(default_factory=dict)
    origin: str = ""
    counts: dict[str, int] = dataclasses.field(default_factory=dict)
    warnings: list[str] = dataclasses.field(default_factory=list)


def split_of_stretch(stretch: int, places: list[int]) -> int:
    """Return whether a stretch of a cut document is ``TRAIN``, ``INNER`` or, the last one, ``HELD_OUT``; the first two take turns."""
    return HELD_OUT if stretch == len(places) else (TRAIN, INNER)[stretch % 2]


def stretch_lengths(places: list[int], length: int) -> dict[int, int]:
    """Return the characters of a cut document in each of the three parts."""
    lengths = {TRAIN: 0, INNER: 0, HELD_OUT: 0}
    for stretch, (start, end) in enumerate(itertools.pairwise([0, *places, length])):
        lengths[split_of_stretch(stretch, places)] += end - start
    return lengths


def decide(
    codes: np.ndarray,
    *,
    digests: np.ndarray,
    sizes: np.ndarray,
    officials: np.ndarray,
    pairs: np.ndarray,
    groups: np.ndarray,
    medium: str,
    held_out_share: float,
) -> Decision:
    """Decide on every document.

    Args:
        codes: ``uint8 [documents]``, 0 where the document can be used, else why not; changed in place.
        digests: ``uint64 [documents]``, hashes of the normalised content.
        sizes: ``[documents]``, characters of a text, 1 for an image, a sound or a video.
        officials: ``uint8 [documents]``, ``NO_SPLIT`` to ``OFFICIAL_TEST``.
        pairs: ``int64 [pairs, 2]``, documents that nearly agree.
        groups: ``uint64 [documents]``, the same number for documents that belong together, 0 for those that stand alone.
        medium: What is ``WHOLE``, and ``ROWS``, cannot be cut.
        held_out_share: Share to hold out where the data does not say.

    Raises:
        DataError: Too little is left for three parts.
    """
    decision = Decision(codes=codes)
    is_whole = medium in (*WHOLE, ROWS)
    if medium == ROWS:
        digests, pairs = _official_kept(decision, digests, officials, pairs)
    _drop_copies(decision, digests, officials)
    held_out = _official(decision, officials)
    # What belongs together is drawn by one number.
    digests = np.where(groups > 0, groups, digests)
    usable = np.flatnonzero(codes == TRAIN)
    total = int(sizes[codes <= CUT].sum())
    _check_enough(len(np.flatnonzero(codes <= CUT)), total, medium)
    if held_out is None:
        decision.origin = "stable hash of whole documents"
        if is_whole or len(usable) >= FEW:
            large = np.zeros(len(usable), bool) if is_whole else _large(usable, sizes)
            whole = usable[~large]
            target = held_out_share * sizes[whole].sum()
            chosen = whole[_chosen(digests[whole], sizes[whole], held_out_share, target)]
            codes[chosen] = HELD_OUT
            _cut(decision, usable[large], sizes, held_out_share, medium)
            if large.any():
                decision.origin += ", and the end of documents that hold more than a quarter of everything"
        else:
            decision.origin = f"the end of each document (fewer than {FEW})"
            _cut(decision, usable, sizes, held_out_share, medium)
    else:
        decision.origin = held_out
        if not is_whole and len(usable) < FEW:
            _cut(decision, usable, sizes, 0.0, medium)
    _choose_inner(decision, digests, sizes, medium)
    _separate_near(decision, pairs, groups)
    _check_parts(decision, sizes)
    return decision


def _official_kept(
    decision: Decision, digests: np.ndarray, officials: np.ndarray, pairs: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return hashes and near pairs in which no document of an official held-out part is a copy of anything; say how many are."""
    official = officials > OFFICIAL_TRAIN
    count = int(np.isin(digests[official], digests[~official & (decision.codes == TRAIN)]).sum())
    if count:
        decision.warnings.append(
            f"{count} rows of the official validation and test parts are also in the training part; they are kept, as in published scores"
        )
    numbers = np.arange(1, len(digests) + 1, dtype=np.uint64)
    return np.where(official, numbers, digests), pairs[~official[pairs].any(axis=1)] if len(pairs) else pairs


def _drop_copies(decision: Decision, digests: np.ndarray, officials: np.ndarray) -> None:
    usable = np.flatnonzero(decision.codes == TRAIN)
    order = usable[np.lexsort((officials[usable] > OFFICIAL_TRAIN, digests[usable]))]
    same = np.r_[False, digests[order[1:]] == digests[order[:-1]]] if len(order) else np.zeros(0, bool)
    copies = order[same]
    starts = np.maximum.accumulate(np.where(same, 0, np.arange(len(order)))) if len(order) else order
    kept = order[starts[same]] if len(order) else order
    decision.codes[copies] = DUPLICATE
    across = (officials[copies] > OFFICIAL_TRAIN) != (officials[kept] > OFFICIAL_TRAIN)
    decision.counts["exact"] = len(copies)
    decision.counts["exact_across_split"] = int(across.sum())


def _official(decision: Decision, officials: np.ndarray) -> str | None:
    """Hold out what the data holds out; the sentence that says so, or ``None`` where there is no such part."""
    usable = decision.codes == TRAIN
    present = {code: int((usable & (officials == code)).sum()) for code in range(4)}
    held_out = OFFICIAL_TEST if present[OFFICIAL_TEST] else OFFICIAL_VALIDATION
    if not present[held_out]:
        return None
    if not present[OFFICIAL_TRAIN]:
        decision.warnings.append("only a validation or test part was found, no training part: everything is split anew")
        return None
    decision.codes[usable & (officials == held_out)] = HELD_OUT
    if held_out == OFFICIAL_TEST and present[OFFICIAL_VALIDATION]:
        decision.codes[usable & (officials == OFFICIAL_VALIDATION)] = UNUSED
        decision.counts["unused_validation"] = present[OFFICIAL_VALIDATION]
    if present[NO_SPLIT]:
        decision.warnings.append(f"{present[NO_SPLIT]} documents belong to no official part and are learned from")
    return "official test part" if held_out == OFFICIAL_TEST else "official validation part"


def _large(usable: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    return sizes[usable] > LARGE_SHARE * sizes[usable].sum()


def _chosen(digests: np.ndarray, sizes: np.ndarray, share: float, target: float) -> np.ndarray:
    """Choose documents below a threshold of their hash; at least one, and neither far below nor far above the target."""
    if share <= 0 or len(digests) < 2:
        return np.zeros(len(digests), bool)
    threshold = np.uint64(min(share, 0.5) * float(1 << 53)) << np.uint64(11)
    chosen = digests < threshold
    total = float(sizes[chosen].sum())
    if 0.4 * target <= total <= 2.5 * target and chosen.any():
        return chosen
    # By chance too few or too many: the same order of hashes, as far as the target goes.
    order = np.argsort(digests, kind="stable")
    cumulated = np.cumsum(sizes[order])
    count = int(np.clip(np.searchsorted(cumulated, target) + 1, 1, max(1, len(digests) // 3)))
    return digests <= digests[order[count - 1]]


def _cut(decision: Decision, documents: np.ndarray, sizes: np.ndarray, held_out_share: float, medium: str) -> None:
    total = max(1, int(sizes[documents].sum()))
    inner_share = min(INNER_SHARE, INNER_LIMIT.get(medium, INNER_CHARACTERS) / total)
    # A few hundred characters say nothing about a model; a short text gives up to a tenth.
    inner_share = max(inner_share, min(0.1, 2000 / total))
    for index in documents.tolist():
        length = int(sizes[index])
        end = round(length * (1 - held_out_share))
        inner = min(end, round(length * inner_share))
        count = max(1, min(MOST_STRETCHES, inner // STRETCH_CHARACTERS))
        starts = [round((end * (2 * number + 1) / count - inner / count) / 2) for number in range(count)]
        stretches = [place for start in starts for place in (start, start + inner // count)]
        decision.places[index] = [*stretches, end]
        decision.codes[index] = CUT


def _choose_inner(decision: Decision, digests: np.ndarray, sizes: np.ndarray, medium: str) -> None:
    training = np.flatnonzero(decision.codes == TRAIN)
    if not len(training):
        return
    total = float(sizes[training].sum())
    cut = sum(stretch_lengths(places, int(sizes[index]))[TRAIN] for index, places in decision.places.items())
    if decision.places and total < cut:
        return
    share = min(INNER_SHARE, INNER_LIMIT.get(medium, INNER_CHARACTERS) / total)
    # Multiplied by an odd number the hash draws anew, independent of what was held out.
    with np.errstate(over="ignore"):
        drawn = digests[training] * _ODD
    chosen = _chosen(drawn, sizes[training], share, share * total)
    decision.codes[training[chosen]] = INNER


def _separate_near(decision: Decision, pairs: np.ndarray, groups: np.ndarray) -> None:
    codes = decision.codes
    pairs = pairs[(codes[pairs] <= CUT).all(axis=1)] if len(pairs) else pairs
    # The two images of a pair may well look alike.
    pairs = pairs[(groups[pairs[:, 0]] != groups[pairs[:, 1]]) | (groups[pairs[:, 0]] == 0)]
    decision.counts["near"] = len(np.unique(pairs[:, 1])) if len(pairs) else 0
    decision.counts["near_across_split"] = 0
    if not len(pairs):
        return
    # The inner part was cut from the training part: what is nearly in both goes back.
    for side in (0, 1):
        back = pairs[(codes[pairs[:, side]] == INNER) & (codes[pairs[:, 1 - side]] == TRAIN), side]
        back = _with_group(back, groups, codes == INNER)
        if len(np.unique(back)) < (codes == INNER).sum():
            codes[back] = TRAIN
    learned = codes <= INNER
    both = [pairs[(codes[pairs[:, side]] == HELD_OUT) & learned[pairs[:, 1 - side]], side] for side in (0, 1)]
    near = _with_group(np.unique(np.concatenate(both)), groups, codes == HELD_OUT)
    decision.counts["near_across_split"] = len(near)
    if len(near) < (codes == HELD_OUT).sum():
        codes[near] = NEAR
    elif len(near):
        decision.warnings.append("everything held out has a near copy in the training part; scores will be too good")


def _with_group(chosen: np.ndarray, groups: np.ndarray, among: np.ndarray) -> np.ndarray:
    """Return documents and those that belong to them, of the same part."""
    own = groups[chosen]
    return np.union1d(chosen, np.flatnonzero(among & np.isin(groups, own[own > 0])))


def _check_enough(documents: int, total: int, medium: str) -> None:
    if medium in (*WHOLE, ROWS) and documents < LEAST_IMAGES:
        raise DataError(
            f"only {documents} usable {medium}{'s' * (documents != 1)}",
            expected=f"at least {LEAST_IMAGES}: to learn from, to choose the weights, and to hold out for the report",
            do=f"add {medium}s",
        )
    if medium not in (*WHOLE, ROWS) and total < LEAST_CHARACTERS:
        raise DataError(
            f"only {total} usable characters of {medium}",
            expected=f"at least {LEAST_CHARACTERS}, better 100,000",
            do=f"add {medium}",
        )


def _check_parts(decision: Decision, sizes: np.ndarray) -> None:
    cut_held_out = any(places[-1] < int(sizes[index]) for index, places in decision.places.items())
    has = {code: bool((decision.codes == code).any()) for code in (TRAIN, INNER, HELD_OUT)}
    missing = [
        name
        for name, code, by_cut in (
            ("to learn from", TRAIN, bool(decision.places)),
            ("to choose the weights", INNER, bool(decision.places)),
            ("to hold out for the report", HELD_OUT, cut_held_out),
        )
        if not has[code] and not by_cut
    ]
    if missing:
        raise DataError(
            f"after copies were taken out nothing is left {' or '.join(missing)}",
            expected="different documents in each part",
            do="add documents, or remove the folders or columns that name the parts",
        )
