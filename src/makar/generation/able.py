"""Which recipes can do what a model cannot, read from the configurations of their families without torch."""

from makar import registry
from makar.codecs.speech_config import SpeechCodecConfig
from makar.errors import UnsupportedError
from makar.families.edits import EDITS
from makar.families.family_config import FamilyConfig
from makar.recipe import Recipe, Stage


def edits_of(stage: Stage) -> tuple[str, ...]:
    """Return the edits of a model whose last stage this is: speech is told what to say as others are told a map, and changes nothing."""
    return () if isinstance(stage.codec, SpeechCodecConfig) else stage.family.edits


def recipes_with_edit(edit: str, *, medium: str | None = None) -> list[str]:
    """Return the names of the recipes whose models can do an edit of ``makar.families.edits``, of one medium or of any."""
    able = (recipe for recipe in _recipes() if edit in edits_of(recipe.stages[-1]))
    return [recipe.name for recipe in able if medium in (None, recipe.medium)]


def recipes_with_prediction(what: str, *, medium: str | None = None) -> list[str]:
    """Return the names of the recipes whose models can predict something, of one medium or of any; empty text stands for anything."""
    able = (recipe for recipe in _recipes() if medium in (None, recipe.medium))
    said = {recipe.name: recipe.stages[-1].family.predictions for recipe in able}
    return [name for name, found in said.items() if (what in found if what else found)]


def check_edit(edit: str, family: FamilyConfig, *, medium: str | None = None) -> None:
    """Refuse an edit that a family cannot do.

    Args:
        edit: A name of ``makar.families.edits``.
        family: The model's configuration.
        medium: Of what is to be changed, where recipes of other media have this edit too.

    Raises:
        UnsupportedError: It cannot; the message names what it can, and recipes that can.
    """
    if edit in family.edits:
        return
    able = recipes_with_edit(edit, medium=medium)
    raise UnsupportedError(
        f"this model cannot {edit}: {EDITS[edit].meaning}",
        expected=f"one of: {', '.join(family.edits)}" if family.edits else "a model that can; this one changes nothing",
        do=f"train with one of these recipes: {', '.join(able)}" if able else "no recipe can do this yet",
    )


def _recipes() -> list[Recipe]:
    # The model is that of the last stage.
    return [registry.load("recipes", name)() for name in sorted(registry.names("recipes"))]
