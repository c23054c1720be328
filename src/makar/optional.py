"""Packages that only some of Makar needs: they are imported where they are used, and where one is missing it is said how to get it."""

import importlib
from typing import Any

from makar.errors import MissingExtraError


def library(package: str, *, extra: str) -> Any:
    """Return a package that may be missing.

    Args:
        package: The name it is imported by.
        extra: The extra of Makar that brings it.

    Raises:
        MissingExtraError: It is not installed; the message names the command.
    """
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise MissingExtraError(package, extra=extra) from error
