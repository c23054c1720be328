"""Which recipes can do what a model cannot, read from the configurations of their families without torch."""

from makar import registry
from makar.errors import UnsupportedError
from makar.families.edits import EDITS
from makar.families.family_config import FamilyConfig


def recipes_with_edit(edit: str) -> list[str]:
    """Return the names of the recipes whose models can do an edit, of ``makar.families.edits``."""
    return [name for name, family in _families() if edit in family.edits]


def recipes_with_prediction(what: str) -> list[str]:
    """Return the names of the recipes whose models can predict something; empty text stands for anything."""
    return [name for name, family in _families() if (what in family.predictions if what else family.predictions)]


def check_edit(edit: str, family: FamilyConfig) -> None:
    """Refuse an edit that a family cannot do.

    Raises:
        UnsupportedError: It cannot; the message names what it can, and recipes that can.
    """
    if edit in family.edits:
        return
    able = recipes_with_edit(edit)
    raise UnsupportedError(
        f"this model cannot {edit}: {EDITS[edit].meaning}",
        expected=f"one of: {', '.join(family.edits)}" if family.edits else "a model that can; this one changes nothing",
        do=f"train with one of these recipes: {', '.join(able)}" if able else "no recipe can do this yet",
    )


def _families() -> list[tuple[str, FamilyConfig]]:
    # The model is that of the last stage.
    return [(name, registry.load("recipes", name)().stages[-1].family) for name in sorted(registry.names("recipes"))]
