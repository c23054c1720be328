"""Settings of the codec of protein backbones; no torch."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

from makar.codecs.codec import CodecConfig
from makar.config import setting
from makar.tensor_spec import CLASS, TARGET, Slot, TensorSpec

AXES, VECTORS = 3, 4
"""Of every residue the bonds N-CA, CA-C, C-O and that from C to the next N, each along x, y and z."""

LONGEST_VECTOR = 2.0
"""Along one axis, in angstroms."""

LEAST_LONGEST = 8
USUAL_LONGEST = 64
"""Of proteins, most of which are longer: what attends to everything else costs four times as much when it is twice as long."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class BackboneCodecConfig(CodecConfig):
    """Settings of the codec of backbones."""

    kind: ClassVar[str] = "backbone"
    target: ClassVar[str] = "makar.codecs.backbone:BackboneCodec"
    media: ClassVar[tuple[str, ...]] = ("structure",)

    longest: int = setting(
        USUAL_LONGEST,
        meaning="residues of the longest backbone; a longer one is cut into several",
        minimum=LEAST_LONGEST,
        maximum=1024,
    )
    use_labels: bool = setting(False, meaning="learn the class of every backbone, so that one can be asked for")

    def estimated_spec(self, labels: Mapping[str, int]) -> TensorSpec:
        """Return what the codec will make, as far as the inspection lets it be guessed."""
        return self.spec_of(len(labels))

    def spec_of(self, classes: int) -> TensorSpec:
        """Return what the codec makes of data with so many classes."""
        slots = {
            TARGET: Slot(
                kind="values",
                axes=("axes", "vectors", "residues"),
                sizes=(AXES, VECTORS, self.longest),
                minimum=-LONGEST_VECTOR,
                maximum=LONGEST_VECTOR,
            )
        }
        if self.use_labels:
            slots[CLASS] = Slot(kind="tokens", axes=(), sizes=(), vocabulary=max(1, classes))
        return TensorSpec(slots)


def choose_backbone_codec(sizes: Mapping[str, Any], codec: BackboneCodecConfig) -> BackboneCodecConfig:
    """Return the codec for a data set: as long as the longest of it, and at most ``USUAL_LONGEST``.

    Args:
        sizes: What the inspection found of numbers of residues.
        codec: The codec of the recipe, whose other settings stay.
    """
    wanted = -(-int(sizes["residues"]["most"]) // 4) * 4
    return codec.changed(longest=min(USUAL_LONGEST, max(LEAST_LONGEST, wanted)))
