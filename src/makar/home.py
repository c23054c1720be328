"""Where Makar keeps its own files: ``$MAKAR_HOME``, or ``~/.makar``."""

import os
from pathlib import Path


def home() -> Path:
    """Return the folder that holds keys, models, runs and stores."""
    return Path(os.environ.get("MAKAR_HOME") or "~/.makar").expanduser()


def models_folder() -> Path:
    """Return the folder in which a model is looked up by name."""
    return home() / "models"


def runs_folder() -> Path:
    """Return the folder of the runs."""
    return home() / "runs"


def stores_folder() -> Path:
    """Return the folder of the encoded data."""
    return home() / "stores"
