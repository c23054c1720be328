"""Every global name that a function uses is there: the checkers cannot say so, since shapes like "batch" look like names to them."""

import builtins
import dis
import importlib
import types

import pytest

from tests.structure import tree

SOURCE = tree.ROOT / "src"
MODULES = sorted(
    ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")
    for path in (SOURCE / "makar").rglob("*.py")
)


def used(code):
    """Return the global names that a code object and all within it look up."""
    found = {line.argval for line in dis.get_instructions(code) if line.opname == "LOAD_GLOBAL"}
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            found |= used(constant)
    return found


def missing(source, names):
    """Return the names that some code looks up and a module does not have."""
    return sorted(used(compile(source, "module", "exec")) - set(names) - set(dir(builtins)))


@pytest.mark.parametrize("name", MODULES)
def test_names_exist(name):
    module = importlib.import_module(name)
    path = SOURCE.joinpath(*name.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    assert not missing(file.read_text(encoding="utf-8"), vars(module))


def test_a_lost_import_is_found():
    assert missing("def f():\n    return lost(1)\n", {"f": None}) == ["lost"]
    assert missing("def f():\n    return len(kept)\n", {"f": None, "kept": None}) == []
