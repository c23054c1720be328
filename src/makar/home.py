"""Where Makar keeps what it makes on this machine: ``MAKAR_HOME``, or ``~/.makar``.

Folders are named here and created by whoever writes into them, so that reading never needs permission to write. Only the home itself
is made here, for its owner alone: encoded data, the index of training data and the keys below it are nobody else's business. A folder
that was there before keeps its permissions.
"""

import contextlib
import os
from pathlib import Path


def home() -> Path:
    """Return the folder of everything that stays on this machine; it is made when it can be."""
    folder = Path(os.environ.get("MAKAR_HOME") or "~/.makar").expanduser()
    with contextlib.suppress(OSError):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def models_folder() -> Path:
    """Return the folder of saved models, one folder a name."""
    return home() / "models"


def runs_folder() -> Path:
    """Return the folder of trainings, one folder a run."""
    return home() / "runs"


def stores_folder() -> Path:
    """Return the folder of encoded data sets, one folder a key."""
    return home() / "stores"


def library_file() -> Path:
    """Return the file of everything that was made and kept; it is made when something is."""
    return home() / "library.sqlite"
