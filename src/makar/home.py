"""Where Makar keeps what it makes on this machine: ``MAKAR_HOME``, or ``~/.makar``.

Folders are named here and created by whoever writes into them, so that reading never needs permission to write.
"""

import os
from pathlib import Path


def home() -> Path:
    """Return the folder of everything that stays on this machine."""
    return Path(os.environ.get("MAKAR_HOME") or "~/.makar").expanduser()


def models_folder() -> Path:
    """Return the folder of saved models, one folder a name."""
    return home() / "models"


def runs_folder() -> Path:
    """Return the folder of trainings, one folder a run."""
    return home() / "runs"


def stores_folder() -> Path:
    """Return the folder of encoded data sets, one folder a key."""
    return home() / "stores"
