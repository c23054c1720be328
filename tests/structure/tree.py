"""Reads the source tree for the structure tests: modules, their syntax trees and what they import."""

import ast
import functools
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "makar"

STEPS: dict[str, float] = {
    "errors": 0,
    "version": 0,
    # A configuration finds the class of a nested one by its kind, so the table of names is half a step lower.
    "registry": 0.5,
    "optional": 0.5,
    "config": 1,
    "tensor_spec": 1,
    "home": 1,
    "data": 2,
    "provenance": 2,
    "sandbox": 2,
    "nn": 2,
    "codecs": 3,
    "families": 4,
    "recipe": 5,
    "artifacts": 6,
    "training": 7,
    "safety": 7,
    "novelty": 7,
    "retrieval": 7,
    "generation": 8,
    "evaluation": 9,
    "recipes": 9,
    "planning": 10,
    "api": 11,
    "serving": 12,
    "cli": 13,
    "__main__": 13,
}
"""The import staircase: a module imports only from lower steps and from its own folder."""

# The lazy top names places of the api as text and may read the version.
TOP = "makar"


@functools.cache
def files() -> tuple[Path, ...]:
    """Return every Python file of the package."""
    return tuple(sorted(SOURCE.rglob("*.py")))


@functools.cache
def syntax(path: Path) -> ast.Module:
    """Return the syntax tree of a file."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def module_name(path: Path) -> str:
    """Return the dotted name of a file, for example ``makar.data.store``."""
    parts = path.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def part_of(module: str) -> str:
    """Return the part of the house that a dotted name belongs to."""
    words = module.split(".")
    return words[1] if len(words) > 1 else TOP


def imports(tree: ast.Module) -> list[tuple[str, int]]:
    """Return every module of the package that a file imports, with the line; imports inside functions count too."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, node.lineno) for alias in node.names if alias.name.split(".")[0] == TOP]
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == TOP:
            # "from makar import x" may name a module.
            names = [f"{TOP}.{alias.name}" for alias in node.names] if node.module == TOP else [node.module]
            found += [(name, node.lineno) for name in names]
        elif isinstance(node, ast.ImportFrom) and node.level:
            found.append(("relative import", node.lineno))
    return found


def offences(module: str, tree: ast.Module) -> list[str]:
    """Return every import of a module that goes up or sideways on the staircase."""
    own = part_of(module)
    result = []
    for name, line in imports(tree):
        if name == "relative import":
            result.append(f"{module}:{line} imports relatively")
            continue
        other = part_of(name)
        if other in (own, "__version__"):
            continue
        if other == TOP:
            # Only the shell asks the top for the version.
            if STEPS[own] < STEPS["cli"]:
                result.append(f"{module}:{line} imports the top")
        elif other not in STEPS:
            result.append(f"{module}:{line} imports {name}, which has no step")
        elif STEPS[other] >= STEPS[own] and own != "__main__":
            result.append(f"{module}:{line} (step {STEPS[own]}) imports {name} (step {STEPS[other]})")
    return result
