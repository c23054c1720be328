"""Where a model goes and where data comes from, so that a name or path means the same from any folder."""

from pathlib import Path

from makar.home import models_folder


def model_place(output: str | Path) -> Path:
    """Return the folder of a model: a plain name lies in the models folder, anything with a separator is a path."""
    text = str(output)
    path = Path(text).expanduser()
    is_name = len(path.parts) == 1 and not path.is_absolute() and not text.startswith(".") and "/" not in text
    return models_folder() / path if is_name else path.absolute()


def lasting_source(source: str) -> str:
    """Return a source so that it means the same from any folder; what came from memory keeps its word."""
    if source in ("array", "list") or source.startswith(("builtin:", "feedback:")):
        return source
    return str(Path(source).expanduser().absolute())
