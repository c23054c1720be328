"""Recipes for sequences of science in a notation of their own: the decoder of text over other symbols."""

from makar.codecs.molecule_config import MoleculeCodecConfig
from makar.codecs.protein_config import ProteinCodecConfig
from makar.recipe import Recipe, Stage
from makar.recipes.text import text_family_for

USUAL_SYMBOLS = 64
"""Different symbols of about 100,000 drug-like molecules; what is known before the data are."""

AMINO_ACIDS = 27
"""Letters, and the end."""


def molecule() -> Recipe:
    """Return the recipe that learns to write molecules."""
    family, optimisation = text_family_for(4e12, tokens=4_000_000, vocabulary=USUAL_SYMBOLS)
    stage = Stage(
        name="model", codec=MoleculeCodecConfig(), family=family.changed(vocabulary=0), optimisation=optimisation
    )
    return Recipe(
        name="molecule",
        medium="molecule",
        summary="writes molecules (SMILES) like those it learned from, also with a property that is told",
        expected="zinc, 105,288 molecules: 1.04 nats a symbol of the inner part after 235 steps of 896 symbols, 0.1 million parameters",
        stages=(stage,),
    )


def protein() -> Recipe:
    """Return the recipe that learns to write proteins."""
    family, optimisation = text_family_for(4e12, tokens=2_000_000, vocabulary=AMINO_ACIDS)
    stage = Stage(
        name="model", codec=ProteinCodecConfig(), family=family.changed(vocabulary=0), optimisation=optimisation
    )
    return Recipe(
        name="protein",
        medium="protein",
        summary="writes proteins (letters of amino acids) like those it learned from, and says how likely a residue is",
        expected="proteins of FLIP: 2.87 nats a residue of the inner part after 494 steps of 1,152 residues, 0.15 million parameters",
        stages=(stage,),
    )
