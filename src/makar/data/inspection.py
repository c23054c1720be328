"""What a data set is: found, used, skipped and why, copies, languages, sizes, licences, labels, parts; ready for a table or JSON."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from makar.data.document import Found
from makar.data.examination import Examination
from makar.data.record import UNKNOWN_LICENCE
from makar.data.splitting import CUT, DUPLICATE, HELD_OUT, INNER, NEAR, TRAIN, UNUSED, Decision, stretch_lengths
from makar.data.video_reader import FOLDER_RATE_HZ

SHOWN_LABELS = 1000
SHOWN_REASONS = 4
UNITS = {"image": "images", "sound": "sounds", "structure": "structures", "video": "videos"}
"""What is counted of media that have no characters."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Inspection:
    """Everything that ``makar inspect`` shows.

    Attributes:
        name: Name of the data set.
        medium: One of ``MEDIA``.
        task: The task of language that the tables are labelled for; empty for none.
        roles: The column of each role of that task.
        source: What was typed.
        fingerprint: sha256 over every file and the options.
        files: Files by format: ``{"files": count, "bytes": count}``.
        documents: Documents that can be read.
        used: Documents in one of the three parts.
        skipped: ``{"reason", "count", "examples"}``, most frequent first.
        duplicates: ``exact``, ``near``, each also ``_across_split``, and ``compared`` (documents looked at for near copies).
        splits: Documents and sizes of ``train``, ``inner`` and ``held_out``, ``origin`` and what is left ``unused``.
        languages: Documents by language, among those looked at.
        sizes: Totals and the spread: characters and bytes, or heights, widths and channels, or seconds and rates, or all of these.
        licences: Documents by licence, ``NOASSERTION`` where nobody says.
        licence_statements: Where a licence is stated.
        labels: Documents by label.
        captions: Documents with a caption.
        times: Recordings with times beside them of when what is spoken: how many ``recordings``, how many with ``phones`` and ``words``;
            empty where there are none.
        pairs: Images that come with the image that they are to be made from: their ``count``, those in ``train``, what the two kinds are
            called (``from``, ``to``), and how many images are ``alone``, with ``examples``; empty where there are no pairs.
        notes: How the data was read.
        warnings: What a reader should know before training.
    """

    name: str
    medium: str
    task: str
    roles: dict[str, str]
    source: str
    fingerprint: str
    files: dict[str, dict[str, int]]
    documents: int
    used: int
    skipped: list[dict[str, Any]]
    duplicates: dict[str, int]
    splits: dict[str, Any]
    languages: dict[str, int]
    sizes: dict[str, Any]
    licences: dict[str, int]
    licence_statements: list[dict[str, Any]]
    labels: dict[str, int]
    captions: int
    times: dict[str, int]
    pairs: dict[str, Any]
    notes: list[str]
    warnings: list[str]

    @property
    def left_out(self) -> str:
        """What is not learned from and why, for the end of a sentence; empty where all is used."""
        said = [f"{skipped['count']:,} {skipped['reason']}" for skipped in self.skipped[:SHOWN_REASONS]]
        return f"; left out, as makar inspect shows: {'; '.join(said)}" if said else ""

    def to_dictionary(self) -> dict[str, Any]:
        """Return plain values that JSON can hold."""
        return dataclasses.asdict(self)


def make_inspection(
    *, name: str, medium: str, source: str, fingerprint: str, found: Found, seen: Examination, decision: Decision
) -> Inspection:
    """Put together what the passes found."""
    used = decision.codes <= CUT
    return Inspection(
        name=name,
        medium=medium,
        task=found.task,
        roles=dict(found.roles),
        source=source,
        fingerprint=fingerprint,
        files={form: {"files": found.files[form], "bytes": found.bytes[form]} for form in sorted(found.files)},
        documents=int((decision.codes <= NEAR).sum()),
        used=int(used.sum()),
        skipped=_skipped(seen, decision),
        duplicates={
            **{
                key: decision.counts.get(key, 0) for key in ("exact", "exact_across_split", "near", "near_across_split")
            },
            "compared": seen.compared,
        },
        splits=_splits(seen, decision, medium),
        languages=_languages(seen, decision),
        sizes=_sizes(seen, decision, medium),
        licences=dict(seen.licences.most_common()),
        licence_statements=found.licences[:200],
        labels=dict(sorted(seen.labels.items())[:SHOWN_LABELS]),
        captions=seen.captions,
        times=dict(seen.times),
        pairs=_pairs(found, seen, decision),
        notes=list(found.notes),
        warnings=_warnings(found, seen, decision),
    )


def _skipped(seen: Examination, decision: Decision) -> list[dict[str, Any]]:
    rows = [
        {"reason": reason, "count": count, "examples": examples}
        for reason, (count, examples) in seen.skipped.reasons.items()
    ]
    for code, reason in (
        (DUPLICATE, "exact copy of another document"),
        (NEAR, "held out, but a near copy is in the training part"),
        (UNUSED, "official validation part, not used because there is a test part"),
    ):
        count = int((decision.codes == code).sum())
        if count:
            rows.append({"reason": reason, "count": count, "examples": []})
    return sorted(rows, key=lambda row: -int(str(row["count"])))


def _pairs(found: Found, seen: Examination, decision: Decision) -> dict[str, Any]:
    if not found.pair_names:
        return {}
    paired, (alone, examples) = seen.paired > 0, seen.alone
    first, second = found.pair_names
    return {
        "count": int((paired & (decision.codes <= CUT)).sum()),
        "train": int((paired & (decision.codes == TRAIN)).sum()),
        "from": first,
        "to": second,
        "alone": alone,
        "examples": examples,
    }


def _splits(seen: Examination, decision: Decision, medium: str) -> dict[str, Any]:
    unit = UNITS.get(medium, "characters")
    splits: dict[str, Any] = {"origin": decision.origin}
    for name, code in (("train", TRAIN), ("inner", INNER), ("held_out", HELD_OUT)):
        mask = decision.codes == code
        splits[name] = {"documents": int(mask.sum()), unit: int(seen.sizes[mask].sum())}
    for index, places in decision.places.items():
        lengths = stretch_lengths(places, int(seen.sizes[index]))
        for name, code in (("train", TRAIN), ("inner", INNER), ("held_out", HELD_OUT)):
            splits[name][unit] += lengths[code]
    splits["cut_documents"] = len(decision.places)
    if decision.counts.get("unused_validation"):
        splits["unused"] = {"validation": decision.counts["unused_validation"]}
    return splits


def _languages(seen: Examination, decision: Decision) -> dict[str, int]:
    codes = seen.languages[(decision.codes <= CUT) & (seen.languages > 0)]
    counts = np.bincount(codes, minlength=len(seen.language_names) + 1)
    found = {name: int(counts[place + 1]) for place, name in enumerate(seen.language_names) if counts[place + 1]}
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def _sizes(seen: Examination, decision: Decision, medium: str) -> dict[str, Any]:
    if medium == "sound":
        return _durations(seen, decision)
    if medium == "video":
        return _clips(seen, decision)
    if medium == "structure":
        return _chains(seen, decision)
    if medium != "image":
        sizes = seen.sizes[decision.codes <= CUT]
        return {
            "characters": int(sizes.sum()),
            "bytes": int(seen.byte_sizes[decision.codes <= CUT].sum()),
            "document_characters": {
                "least": int(sizes.min()),
                "median": int(np.median(sizes)),
                "most": int(sizes.max()),
            },
        }
    channels: dict[str, int] = {}
    for (_, _, count), images in seen.shapes.items():
        channels[str(count)] = channels.get(str(count), 0) + images
    heights, widths = _spread(seen.shapes, 0), _spread(seen.shapes, 1)
    return {
        "images": int((decision.codes <= CUT).sum()),
        "bytes": int(seen.byte_sizes[decision.codes <= CUT].sum()),
        "height": heights,
        "width": widths,
        "channels": channels,
    }


def _durations(seen: Examination, decision: Decision) -> dict[str, Any]:
    """Return how many sounds there are, how long they are, and at which rates they were recorded."""
    pieces = sorted((shape[1] / 1000, count) for shape, count in seen.shapes.items())
    cumulated = np.cumsum([count for _, count in pieces])

    def quantile(share: float) -> float:
        return pieces[int(np.searchsorted(cumulated, cumulated[-1] * share))][0]

    rates: dict[str, int] = {}
    channels: dict[str, int] = {}
    for (rate, _, count), documents in seen.shapes.items():
        rates[str(rate)] = rates.get(str(rate), 0) + documents
        channels[str(count)] = channels.get(str(count), 0) + documents
    return {
        "sounds": int((decision.codes <= CUT).sum()),
        "bytes": int(seen.byte_sizes[decision.codes <= CUT].sum()),
        "seconds": {
            "least": pieces[0][0],
            "median": quantile(0.5),
            "most_but_5%": quantile(0.95),
            "most": pieces[-1][0],
        },
        "rates_hz": rates,
        "channels": channels,
    }


def _clips(seen: Examination, decision: Decision) -> dict[str, Any]:
    """Return how many videos there are, how large and long they are, and how many frames a second they have; and how many pictures."""
    moving = {shape: documents for shape, documents in seen.shapes.items() if shape[4]}
    pictures = sum(seen.shapes.values()) - sum(moving.values())
    # Of pictures alone the times are those of a folder of them.
    times = moving or {
        (*shape[:3], round(1000 / FOLDER_RATE_HZ), round(1000 * FOLDER_RATE_HZ)): 1 for shape in seen.shapes
    }
    channels: dict[str, int] = {}
    for shape, documents in seen.shapes.items():
        channels[str(shape[2])] = channels.get(str(shape[2]), 0) + documents
    return {
        "videos": int((decision.codes <= CUT).sum()),
        **({"pictures_among_them": pictures} if pictures else {}),
        "bytes": int(seen.byte_sizes[decision.codes <= CUT].sum()),
        "height": _spread(seen.shapes, 0),
        "width": _spread(seen.shapes, 1),
        "channels": channels,
        "seconds": {name: value / 1000 for name, value in _spread(times, 3).items()},
        "rate_hz": {name: value / 1000 for name, value in _spread(times, 4).items()},
    }


def _chains(seen: Examination, decision: Decision) -> dict[str, Any]:
    """Return how many structures there are, and how many unbroken stretches of how many residues are in them."""
    stretches = sorted((shape[0], count) for shape, count in seen.shapes.items())
    cumulated = np.cumsum([count for _, count in stretches])
    usual = stretches[int(np.searchsorted(cumulated, cumulated[-1] * 0.95))][0]
    spread = _spread(seen.shapes, 0)
    return {
        "structures": int((decision.codes <= CUT).sum()),
        "bytes": int(seen.byte_sizes[decision.codes <= CUT].sum()),
        "stretches": int(cumulated[-1]),
        "residues": {
            "least": spread["least"],
            "median": spread["median"],
            "most_but_5%": usual,
            "most": spread["most"],
        },
    }


def _spread(shapes: Mapping[tuple[int, ...], int], axis: int) -> dict[str, int]:
    pairs = sorted((shape[axis], images) for shape, images in shapes.items())
    cumulated = np.cumsum([images for _, images in pairs])
    median = pairs[int(np.searchsorted(cumulated, cumulated[-1] / 2))][0]
    return {"least": pairs[0][0], "median": median, "most": pairs[-1][0]}


def _warnings(found: Found, seen: Examination, decision: Decision) -> list[str]:
    warnings = [*found.warnings, *decision.warnings]
    unknown = seen.licences.get(UNKNOWN_LICENCE, 0)
    if unknown:
        warnings.append(f"the licence of {unknown} documents is unknown ({UNKNOWN_LICENCE})")
    if 1 < seen.compared < int((decision.codes <= NEAR).sum()):
        warnings.append(f"near copies were looked for among the first {seen.compared} documents only")
    exact = decision.counts.get("exact_across_split", 0)
    if exact:
        warnings.append(
            f"{exact} held-out documents are exact copies of training documents and were left out of the held-out part"
        )
    near = decision.counts.get("near_across_split", 0)
    if near:
        warnings.append(f"{near} held-out documents are near copies of training documents")
    return warnings
