"""Names for shell completion: models, runs, recipes and predictions, read from folder names and the registry, without torch."""

from pathlib import Path

from makar.home import models_folder, runs_folder
from makar.registry import load, names


def model_names(incomplete: str) -> list[str]:
    """Return the names of saved models that begin so."""
    return _folders(models_folder(), incomplete)


def run_names(incomplete: str) -> list[str]:
    """Return the names of runs that begin so."""
    return _folders(runs_folder(), incomplete)


def recipe_names(incomplete: str) -> list[str]:
    """Return the names of recipes that begin so."""
    return [name for name in sorted(names("recipes")) if name.startswith(incomplete)]


def medium_names(incomplete: str) -> list[str]:
    """Return the media that begin so."""
    from makar.data.record import MEDIA

    return [name for name in MEDIA if name.startswith(incomplete)]


def prediction_names(incomplete: str) -> list[str]:
    """Return what the models of any recipe can predict that begins so."""
    families = [load("recipes", name)().stages[-1].family for name in names("recipes")]
    return sorted({what for family in families for what in family.predictions if what.startswith(incomplete)})


def _folders(parent: Path, incomplete: str) -> list[str]:
    if not parent.is_dir():
        return []
    return sorted(path.name for path in parent.iterdir() if path.is_dir() and path.name.startswith(incomplete))
