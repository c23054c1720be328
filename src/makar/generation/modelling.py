"""A backbone on its way out: as the file that leaves, marked as made by a model, and as the picture that lies beside it."""

import numpy as np

from makar.data.backbone import Backbone
from makar.data.structure_writer import FORMS, structure_bytes
from makar.generation.backbone_picture import backbone_picture
from makar.generation.piece import PICTURE, signed_rendering
from makar.provenance.content import Structure, describe_content
from makar.provenance.embedding import png_bytes

USUAL_FORM = "pdb"
STRUCTURE_SUFFIXES = tuple(FORMS.values())
WARNING = "MADE BY A MODEL, NOT OBSERVED. NOT EVIDENCE THAT ANY PROTEIN FOLDS SO."


def modelled(backbone: Backbone, source_type: str, form: str | None) -> Structure:
    """Return a backbone with its file.

    Args:
        backbone: The backbone.
        source_type: The IPTC word for how it came about; it stands in the file too.
        form: Of ``makar.data.structure_writer.FORMS``; ``None`` takes PDB, which needs nothing.
    """
    chosen = form or USUAL_FORM
    # Lines of PDB have room for the last word of the address only.
    remarks = (WARNING, f"MAKAR {source_type.rpartition('/')[2]}", *_unknown(backbone))
    return Structure(
        atoms=backbone.atoms,
        residues=backbone.residues,
        form=chosen,
        file=structure_bytes(backbone, form=chosen, remarks=remarks),
    )


def structure_renderings(structure: Structure, manifest: dict) -> dict[str, bytes]:
    """Return the files that lie beside a structure, by suffix: its picture.

    Args:
        structure: The structure.
        manifest: What was signed of it; the rendering says the same, and which structure it shows.
    """
    pixels: np.ndarray = backbone_picture(Backbone(structure.atoms, structure.residues))
    return {
        PICTURE: png_bytes(pixels, signed_rendering(manifest, "trace and torsions", describe_content(pixels))),
    }


def _unknown(backbone: Backbone) -> tuple[str, ...]:
    is_known = set(backbone.residues) != {"X"}
    return () if is_known else ("AMINO ACIDS ARE NOT KNOWN; GLY STANDS FOR ANY.",)
