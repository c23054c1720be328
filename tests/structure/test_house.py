"""The house: imports go down the staircase, files stay small and documented, nothing forbidden is called."""

import ast
import re
import statistics
import subprocess

import pytest

import makar
from makar.cli.app import GROUPS, VERBS
from tests.structure import tree

FORBIDDEN_CALLS = {"eval", "exec", "os.system", "os.popen", "torch.load", "torch.save", "yaml.load", "joblib.load"}
FORBIDDEN_MODULES = {"pickle", "cPickle", "dill", "shelve", "marshal", "joblib", "cloudpickle"}
LARGEST_LINES = 400
MOST_ARGUMENTS = 7
"""Beyond the first."""
MEDIAN_LINES = 250


def _identifier(path):
    return str(path.relative_to(tree.SOURCE))


every_file = pytest.mark.parametrize("path", tree.files(), ids=_identifier)


def test_every_import_goes_down_the_staircase():
    found = [
        line
        for path in tree.files()
        if tree.module_name(path) != tree.TOP
        for line in tree.offences(tree.module_name(path), tree.syntax(path))
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "module, code",
    [
        ("makar.data.store", "from makar.training.plan import TrainingPlan"),
        ("makar.data.store", "import makar.codecs.codec"),
        ("makar.provenance.keys", "def f():\n    from makar.data.record import Record"),
        ("makar.codecs.text", "from . import image"),
        ("makar.data.store", "from makar import train"),
        ("makar.data.store", "from makar.elsewhere import x"),
    ],
)
def test_an_import_that_goes_up_or_sideways_is_found(module, code):
    assert tree.offences(module, ast.parse(code))


def test_every_part_of_the_house_has_a_step():
    parts = {tree.part_of(tree.module_name(path)) for path in tree.files()} - {tree.TOP}
    assert parts <= set(tree.STEPS), parts - set(tree.STEPS)


def test_files_are_small(record_property):
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in tree.files()}
    too_long = {_identifier(path): lines for path, lines in lengths.items() if lines > LARGEST_LINES}
    assert not too_long, f"more than {LARGEST_LINES} lines: {too_long}"
    median = statistics.median(lines for lines in lengths.values() if lines)
    record_property("median_lines", median)
    print(f"median {median} lines in {len(lengths)} files")
    assert median <= MEDIAN_LINES


def test_folders_are_no_deeper_than_package_folder_folder_file():
    deep = [_identifier(path) for path in tree.files() if len(path.relative_to(tree.SOURCE).parts) > 3]
    assert not deep


def test_only_the_top_init_holds_code():
    full = [
        _identifier(path)
        for path in tree.files()
        if path.name == "__init__.py" and path.parent != tree.SOURCE and path.read_text(encoding="utf-8").strip()
    ]
    assert not full


def test_no_file_is_a_pile():
    piles = {"utils", "util", "core", "common", "helpers", "base", "misc"}
    assert not [path for path in tree.files() if path.stem in piles or path.parent.name in piles]


@every_file
def test_file_says_what_it_is_in_its_first_line(path):
    if path.name == "__init__.py" and path.parent != tree.SOURCE:
        return
    text = ast.get_docstring(tree.syntax(path))
    assert text, "no docstring"
    assert len(text.splitlines()[0]) > 20


@every_file
def test_every_public_function_has_a_docstring(path):
    missing = list(_undocumented(tree.syntax(path)))
    assert not missing, f"no docstring: {', '.join(missing)}"


def test_a_function_without_docstring_is_found():
    assert list(_undocumented(ast.parse("def made(x):\n    y = x\n    z = y\n    w = z\n    return w"))) == ["made"]


def test_functions_take_few_arguments():
    verbs = {verb.__name__ for group in [VERBS, *(verbs for _, verbs in GROUPS.values())] for verb in group.values()}
    found = []
    for path in tree.files():
        # An argument of a verb is an option of the shell, and a test shows that each of them does something.
        part = tree.part_of(tree.module_name(path))
        exempt = verbs if part == "cli" else set(makar.__all__) if part == "api" else set()
        found += [f"{_identifier(path)}: {name} takes {count}" for name, count in _crowded(tree.syntax(path), exempt)]
    assert not found, "\n".join(found)


def test_a_function_with_many_arguments_is_found():
    names = [f"a{number}" for number in range(MOST_ARGUMENTS + 1)]
    assert not list(_crowded(ast.parse(f"def f(self, x, *, {', '.join(names[1:])}): pass"), set()))
    assert list(_crowded(ast.parse(f"def f(x, *, {', '.join(names)}): pass"), set()))
    assert list(_crowded(ast.parse(f"class A:\n    async def f(self, x, *, {', '.join(names)}): pass"), set()))
    assert not list(_crowded(ast.parse(f"def f(x, *, {', '.join(names)}): pass"), {"f"}))


def test_no_function_hands_on_arguments_that_it_does_not_read():
    found = [f"{_identifier(path)}: {name}" for path in tree.files() for name in _passed_on(tree.syntax(path))]
    assert not found, found


@pytest.mark.parametrize(
    "code",
    [
        "def f(**k): return g(**k)",
        "def f(x, **k):\n    y = g(x, 1, **k)\n    return y",
        "def f(**k): return g(**{'a': 1, **k})",
    ],
)
def test_a_pass_through_is_found(code):
    assert list(_passed_on(ast.parse(code)))


def test_arguments_that_are_looked_at_are_no_pass_through():
    assert not list(_passed_on(ast.parse("def f(**k):\n    for n in k: check(n)\n    return g(**k)")))
    assert not list(_passed_on(ast.parse("def f(**k): return {'a': 1, **k}")))


def test_only_generation_draws_from_a_sampler():
    """Whatever leaves Makar is judged and signed on its way out, so nothing else may ask a model for content."""
    found = [
        f"{_identifier(path)}:{line}"
        for path in tree.files()
        if tree.part_of(tree.module_name(path)) not in ("generation", "families")
        for line in _draws(tree.syntax(path))
    ]
    assert not found, found


@pytest.mark.parametrize("code", ["family.sampler(codec)", "model.family().sampler(codec, hook=None).sample(o, p, s)"])
def test_a_draw_past_generation_is_found(code):
    assert list(_draws(ast.parse(code)))


@every_file
def test_nothing_forbidden_is_called(path):
    found = list(_forbidden(tree.syntax(path)))
    assert not found, found


@pytest.mark.parametrize(
    "code",
    [
        "import pickle",
        "from pickle import loads",
        "import torch\ntorch.load('x')",
        "eval('1')",
        "exec('1')",
        "import subprocess\nsubprocess.run('ls', shell=True)",
        "import os\nos.system('ls')",
        "import yaml\nyaml.load('x')",
        "import numpy\nnumpy.load('x', allow_pickle=True)",
        "hasattr(x, 'y')",
        "getattr(x, 'y', None)",
        "from __future__ import annotations",
    ],
)
def test_a_forbidden_call_is_found(code):
    assert list(_forbidden(ast.parse(code)))


def test_no_tracked_file_names_a_machine_or_a_registry_host():
    # Written in two parts, so that this file does not find itself.
    patterns = [
        "/work" + "/",
        "/ro" + "ot/",
        "/ho" + r"me/\w+/",
        "files.pythonhosted" + ".org",
        "py" + "pi.org",
    ]
    listed = subprocess.run(["git", "ls-files"], cwd=tree.ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    found = []
    for name in listed.stdout.splitlines():
        path = tree.ROOT / name
        if not path.is_file() or name == ".gitignore":
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{name}: {pattern}" for pattern in patterns if re.search(pattern, text)]
    assert not found, "\n".join(found)


def _undocumented(module):
    for node in module.body:
        members = node.body if isinstance(node, ast.ClassDef) and not node.name.startswith("_") else []
        for item in [node, *members]:
            if not isinstance(item, ast.FunctionDef | ast.ClassDef) or item.name.startswith("_"):
                continue
            # A method that overrides a documented one inherits its docstring; forward is described by its class.
            if item in members and (isinstance(item, ast.ClassDef) or item.name == "forward" or _overrides(node)):
                continue
            # The api's docstring is the help of a verb; a function of at most two statements speaks for itself only in a class.
            if ast.get_docstring(item) is None:
                yield item.name


def _crowded(module, exempt):
    """Yield (name, number) of every function with more arguments beyond the first than are allowed."""
    for node in ast.walk(module):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name not in exempt:
            given = node.args
            names = [item.arg for item in [*given.posonlyargs, *given.args, *given.kwonlyargs]]
            names = [name for name in names if name not in ("self", "cls")]
            if len(names) > MOST_ARGUMENTS + 1:
                yield node.name, len(names)


def _passed_on(module):
    """Yield the functions that hand on ``**kwargs`` to a call and never look at them."""
    for node in ast.walk(module):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or node.args.kwarg is None:
            continue
        uses = [item for item in ast.walk(node) if isinstance(item, ast.Name) and item.id == node.args.kwarg.arg]
        calls = [call for call in ast.walk(node) if isinstance(call, ast.Call)]
        handed = {id(item) for call in calls for word in call.keywords if word.arg is None for item in _spread_in(word)}
        if uses and all(id(use) in handed for use in uses):
            yield node.name


def _spread_in(word):
    """Return what ``**x`` or ``**{..., **x}`` spreads."""
    if isinstance(word.value, ast.Dict):
        return [item for key, item in zip(word.value.keys, word.value.values) if key is None]
    return [word.value]


def _draws(module):
    for node in ast.walk(module):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "sampler":
            yield node.lineno


def _overrides(node):
    return bool(node.bases)


def _forbidden(module):
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] in FORBIDDEN_MODULES)
        elif isinstance(node, ast.ImportFrom):
            if (node.module or "").split(".")[0] in FORBIDDEN_MODULES:
                yield node.module
            if node.module == "__future__":
                yield "from __future__"
        elif isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            if name in FORBIDDEN_CALLS or name == "hasattr":
                yield name
            if name == "getattr" and len(node.args) == 3:
                yield "getattr with a default, which is hasattr"
            for word in node.keywords:
                if word.arg in ("shell", "allow_pickle") and getattr(word.value, "value", None) is True:
                    yield f"{name}({word.arg}=True)"
