"""Backbones as the bonds between their atoms, with a class where labels are used.

Of every residue four vectors in angstroms are kept: N to CA, CA to C, C to O, and C to the N of the next residue, which the last one has
not. Places follow by adding them up, so where a protein lies is no part of it; how it is turned is, and the family turns it as it likes.
Behind the last residue stand zeros, which no bond is. Nothing is mirrored.
"""

import dataclasses
import itertools
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Self

import numpy as np
from jaxtyping import Float

from makar.codecs.backbone_config import AXES, LONGEST_VECTOR, VECTORS, BackboneCodecConfig
from makar.codecs.codec import Codec
from makar.codecs.image import MOST_CLASSES, UNLABELLED
from makar.data.backbone import UNKNOWN_RESIDUE, Backbone
from makar.data.backbone_geometry import CA, C, N, O
from makar.data.record import Record, documents_of
from makar.errors import ArtifactError, ConfigError, EmptyDataError
from makar.tensor_spec import CLASS, TARGET, TensorSpec

FILE = "backbone_codec.json"
LEAST_PART = 4
"""Residues of a part of a longer backbone that is still kept."""


class BackboneCodec(Codec):
    """Backbones of at most some length; made with ``fit`` or ``from_files``.

    Args:
        config: The settings.
        length_counts: Training backbones of each number of residues, by class in the order of the class numbers; without labels of
            one class without a name.
        cut: Training backbones that were longer and have been cut.
    """

    def __init__(
        self, config: BackboneCodecConfig, *, length_counts: Mapping[str, Mapping[int, int]], cut: int = 0
    ) -> None:
        self.config: BackboneCodecConfig = config
        self.length_counts = {name: dict(sorted(counts.items())) for name, counts in length_counts.items()}
        self.class_names = tuple(self.length_counts) if config.use_labels else ()
        self._cut = cut
        self._numbers = {name: number for number, name in enumerate(self.class_names)}

    @classmethod
    def fit(cls, config: BackboneCodecConfig, records: Iterator[Record]) -> Self:
        """Count lengths and classes.

        Raises:
            EmptyDataError: There is no record.
            ConfigError: Labels are asked for and there are none, or too many to be classes.
        """
        lengths: dict[str, Counter[int]] = {}
        cut = 0
        for record, whole in documents_of(iter(records)):
            for full in whole:
                parts = [len(part) for part in _parts(full.content, config.longest)]
                lengths.setdefault(_class_of(record, config), Counter()).update(parts)
                cut += len(parts) > 1
        if not lengths:
            raise EmptyDataError("there are no backbones to learn from", expected="at least one")
        if config.use_labels and (set(lengths) == {UNLABELLED} or len(lengths) > MOST_CLASSES):
            came = "no backbone has a label" if len(lengths) == 1 else f"there are {len(lengths)} different labels"
            raise ConfigError(
                came, expected=f"class folders, at most {MOST_CLASSES}", do='use the recipe "protein-structure"'
            )
        return cls(config, length_counts={name: lengths[name] for name in sorted(lengths)}, cut=cut)

    @classmethod
    def from_files(cls, config: BackboneCodecConfig, files: dict[str, bytes]) -> Self:
        """Rebuild a fitted codec.

        Raises:
            ArtifactError: The file is missing or damaged.
        """
        try:
            lengths, cut = _counts(json.loads(files[FILE]), config)
            return cls(config, length_counts=lengths, cut=cut)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ArtifactError(f"{FILE} of the codec cannot be read: {error}", do="get the model again") from error

    def files(self) -> dict[str, bytes]:
        """Return what was found in the data: how many backbones of each class have how many residues."""
        lengths = {
            name: {str(one): count for one, count in counts.items()} for name, counts in self.length_counts.items()
        }
        found = {"lengths": lengths, "cut": self._cut}
        return {FILE: json.dumps(found, indent=1, ensure_ascii=False).encode()}

    @property
    def class_counts(self) -> dict[str, int]:
        """Training backbones of each class by name; empty without labels."""
        return {name: sum(self.length_counts[name].values()) for name in self.class_names}

    @property
    def spec(self) -> TensorSpec:
        """Bonds in angstroms, and where labels are used a class."""
        return self.config.spec_of(len(self.class_names))

    def remarks(self) -> tuple[str, ...]:
        """Return how many backbones were cut."""
        if not self._cut:
            return ()
        return (
            f"{self._cut} backbones have more than {self.config.longest} residues and were cut into parts: what is learned of them is how "
            "parts run, not how the whole folds",
        )

    def cut(self, records: Iterable[Record]) -> Iterator[Record]:
        """Yield backbones that are not too long: several parts of a longer one, about equally long."""
        for record in records:
            for part in _parts(record.content, self.config.longest):
                yield record if part is record.content else dataclasses.replace(record, content=part)

    def encode(self, record: Record) -> dict[str, np.ndarray]:
        """Return ``target`` float32 ``[3, 4, longest]`` of a backbone (of the beginning of a longer one), with labels ``class``."""
        if record.content is None:
            return {}
        slots = {TARGET: self.bonds(record.content)}
        if self.config.use_labels:
            name = _class_of(record, self.config)
            if name not in self._numbers:
                return {}
            slots[CLASS] = np.array(self._numbers[name], np.int64)
        return slots

    def bonds(self, backbone: Backbone) -> Float[np.ndarray, "3 4 longest"]:
        """Return the bonds of a backbone, or of the beginning of a longer one, in angstroms."""
        atoms = backbone.atoms[: self.config.longest]
        bonds = np.zeros((len(atoms), VECTORS, AXES), np.float32)
        bonds[:, 0] = atoms[:, CA] - atoms[:, N]
        bonds[:, 1] = atoms[:, C] - atoms[:, CA]
        bonds[:, 2] = atoms[:, O] - atoms[:, C]
        bonds[:-1, 3] = atoms[1:, N] - atoms[:-1, C]
        found = np.zeros((AXES, VECTORS, self.config.longest), np.float32)
        found[:, :, : len(atoms)] = bonds.clip(-LONGEST_VECTOR, LONGEST_VECTOR).transpose(2, 1, 0)
        return found

    def counted(self, records: Iterator[Record]) -> "BackboneCodec":
        """Return the codec with lengths and classes counted in other data; classes that are not among its own are left out."""
        lengths: dict[str, Counter[int]] = {name: Counter() for name in self.length_counts}
        for record in self.cut(records):
            name = _class_of(record, self.config)
            if name in lengths:
                lengths[name][len(record.content)] += 1
        # Of a class that is not there the lengths that are known stay, and it counts for nothing.
        counted = {name: dict(counts) or dict.fromkeys(self.length_counts[name], 0) for name, counts in lengths.items()}
        if not any(sum(counts.values()) for counts in counted.values()):
            return self
        return BackboneCodec(self.config, length_counts=counted, cut=self._cut)

    def decode(self, slots: dict[str, np.ndarray]) -> Backbone:
        """Return the backbone of ``target``, of amino acids that are not known."""
        return backbone_of(slots[TARGET])


def backbone_of(bonds: Float[np.ndarray, "3 4 residues"]) -> Backbone:
    """Return the backbone that bonds add up to, its middle at the origin; of residues up to the last that has a bond."""
    there = np.flatnonzero((bonds != 0).any((0, 1)))
    count = int(there[-1]) + 1 if len(there) else 1
    vectors = bonds[:, :, :count].transpose(2, 1, 0).astype(np.float64)
    steps = vectors[:, 0] + vectors[:, 1] + vectors[:, 3]
    n = np.cumsum(steps, 0) - steps
    ca = n + vectors[:, 0]
    c = ca + vectors[:, 1]
    atoms = np.stack([n, ca, c, c + vectors[:, 2]], 1)
    return Backbone((atoms - atoms.mean((0, 1))).astype(np.float32), UNKNOWN_RESIDUE * count)


def _class_of(record: Record, config: BackboneCodecConfig) -> str:
    return (record.label or UNLABELLED) if config.use_labels else ""


def _counts(found: dict[str, Any], config: BackboneCodecConfig) -> tuple[dict[str, dict[int, int]], int]:
    lengths = {
        str(name): {int(length): int(count) for length, count in counts.items()}
        for name, counts in found["lengths"].items()
    }
    if not lengths or (not config.use_labels and set(lengths) != {""}):
        raise ValueError(f"classes {sorted(lengths)[:4]}")
    for counts in lengths.values():
        if not counts or not all(1 <= length <= config.longest for length in counts) or min(counts.values()) < 0:
            raise ValueError(f"lengths {dict(list(counts.items())[:4])}")
    if not any(sum(counts.values()) for counts in lengths.values()):
        raise ValueError("no backbones")
    return lengths, int(found["cut"])


def _parts(backbone: Backbone, longest: int) -> list[Backbone]:
    """Return a backbone that is not too long, or the parts of a longer one."""
    count = -(-len(backbone) // longest)
    if count == 1:
        return [backbone]
    edges = [round(len(backbone) * number / count) for number in range(count + 1)]
    parts = [backbone.part(start, end) for start, end in itertools.pairwise(edges)]
    return [part for part in parts if len(part) >= LEAST_PART]
