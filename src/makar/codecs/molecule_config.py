"""Settings of the codec of molecules; no torch."""

import dataclasses
from typing import ClassVar

from makar.codecs.codec import CodecConfig
from makar.config import setting


@dataclasses.dataclass(frozen=True, kw_only=True)
class MoleculeCodecConfig(CodecConfig):
    """Molecules as SMILES: an atom, a bond, a branch or a ring is one token; properties may be told before."""

    kind: ClassVar[str] = "molecule"
    target: ClassVar[str] = "makar.codecs.molecule:MoleculeCodec"
    media: ClassVar[tuple[str, ...]] = ("molecule",)

    properties: str = setting(
        "",
        meaning="what is told of a molecule, with commas between: names of columns of numbers, or what RDKit computes: "
        "logp, qed, weight, tpsa, rings, heavy_atoms, donors, acceptors, rotatable",
    )
    bins: int = setting(16, meaning="tokens of a property, each for as many training molecules", minimum=2, maximum=256)
    untold: float = setting(
        0.15, meaning="share of the molecules of which a property is not told", minimum=0.0, maximum=0.9
    )

    @property
    def names(self) -> tuple[str, ...]:
        """The properties, in the order in which they are told."""
        return tuple(name.strip() for name in self.properties.split(",") if name.strip())
