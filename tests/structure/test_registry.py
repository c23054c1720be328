"""Registry, errors and configurations: every name resolves, every error is in the drawn tree, every setting means something and is read."""

import ast
import dataclasses
import importlib
import inspect
import re
import subprocess
import sys

import pytest

from makar import errors, registry
from makar.config import Config
from tests.structure import tree

TABLES = [(table, name) for table in registry.BUILT_IN for name in registry.names(table)]


@pytest.mark.parametrize("table, name", TABLES)
def test_every_registered_name_resolves(table, name):
    assert registry.load(table, name) is not None


def test_every_recipe_is_complete_and_bears_its_name():
    for name in registry.names("recipes"):
        recipe = registry.load("recipes", name)()
        assert recipe.name == name
        assert recipe.summary and recipe.expected
        assert type(recipe).from_dictionary(recipe.to_dictionary()) == recipe


def test_a_recipe_of_which_the_readme_has_figures_says_them():
    lines = (tree.ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    measures = [line.split("|")[1] for line in lines if line.startswith("| ")]
    named = {name for row in measures for name in re.findall(r"`([a-z0-9-]+)`", row)} & set(registry.names("recipes"))
    assert {"pix2pix", "flow", "ddpm", "dalle2", "classify"} <= named
    assert not [name for name in sorted(named) if registry.load("recipes", name)().expected.startswith("not measured")]


def test_every_error_is_drawn_in_the_tree():
    drawing = errors.__doc__
    classes = [value for value in vars(errors).values() if inspect.isclass(value) and issubclass(value, Exception)]
    missing = [kind.__name__ for kind in classes if kind.__name__ not in drawing]
    assert classes and not missing


def test_every_raised_error_is_of_the_tree():
    allowed = {"AttributeError", "NotImplementedError", "StopIteration", "KeyboardInterrupt", "AssertionError"}
    allowed |= {name for name, value in vars(errors).items() if inspect.isclass(value)}
    found = []
    for path in tree.files():
        # A private function may raise ValueError, or OSError around a call of the system, for a caller that turns it into one of the tree.
        private = {
            id(inner)
            for node in ast.walk(tree.syntax(path))
            if isinstance(node, ast.FunctionDef) and node.name.startswith("_")
            for inner in ast.walk(node)
        }
        for node in ast.walk(tree.syntax(path)):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
                name = ast.unparse(node.exc.func).rpartition(".")[2]
                is_error = name[0].isupper() and name.endswith(("Error", "Exception"))
                if is_error and name not in allowed and not (name in ("ValueError", "OSError") and id(node) in private):
                    found.append(f"{path.relative_to(tree.ROOT)}:{node.lineno} raises {name}")
    assert not found, "\n".join(found)


def _config_classes():
    found = []
    for path in tree.files():
        if "Config" not in path.read_text(encoding="utf-8"):
            continue
        for node in tree.syntax(path).body:
            if not isinstance(node, ast.ClassDef) or not any("Config" in ast.unparse(base) for base in node.bases):
                continue
            kind = getattr(importlib.import_module(tree.module_name(path)), node.name)
            if inspect.isclass(kind) and issubclass(kind, Config) and dataclasses.is_dataclass(kind):
                found.append(kind)
    return found


def test_every_setting_has_a_meaning():
    missing = [
        f"{kind.__name__}.{field.name}"
        for kind in _config_classes()
        for field in dataclasses.fields(kind)
        if not field.metadata.get("meaning")
    ]
    assert not missing


PLANS = {
    "Recipe": "recipe",
    "Stage": "stage",
    "TrainingPlan": "plan",
    "EditRequest": "asked",
    "Parent": "parent",
    "Limits": "limits",
    "TextEditRequest": "asked",
    "MusicEditRequest": "asked",
    "SoundEditRequest": "asked",
    "StructureEditRequest": "asked",
    "VideoEditRequest": "asked",
    "Steering": "steering",
    "TextFields": "fields",
    "ImageFields": "fields",
    "SpeechFields": "fields",
    "TranscriptionFields": "fields",
    "VideoFields": "fields",
    "ModerationFields": "fields",
    "EmbeddingFields": "fields",
    "TuningFields": "fields",
    "FeedbackFields": "fields",
    "SessionFields": "fields",
    "ScoreFields": "fields",
    "DrawFields": "fields",
    "VerdictFields": "fields",
    "StoreFields": "fields",
    "BatchFields": "fields",
    "EvalFields": "fields",
    "EvalChangeFields": "fields",
    "EvalRunFields": "fields",
    "StoreChangeFields": "fields",
    "StoreFileFields": "fields",
    "AttributeFields": "fields",
    "StoreBatchFields": "fields",
    "StoreSearchFields": "fields",
    "InspectFields": "fields",
    "PromoteFields": "fields",
    "ReadingFields": "fields",
    "ScriptFields": "fields",
    "AddFields": "fields",
    "AskFields": "fields",
    "ExportFields": "fields",
    "EvaluateFields": "fields",
}
"""What the values of these classes are called wherever they are read: at the end of a name, ``plan.recipe.stages[-1]`` included.

Settings of codecs, families, optimisation and sampling are changed one by one in ``tests/contract/test_settings.py``.
"""


def _read_of(word, modules):
    """Return the names of the fields that are read from values called so, as attributes or from their plain form."""
    bases = {word, f"{word}s"} | ({"complete", "chosen", "made"} if word == "recipe" else set())
    read = set()
    for module in modules:
        for node in ast.walk(module):
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
                base, name = node.value, node.attr
            elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
                base, name = node.value, node.slice.value
            else:
                continue
            last = re.sub(r"\[[^\[\]]*\]$", "", ast.unparse(base)).rpartition(".")[2].lstrip("_")
            if last in bases and isinstance(name, str):
                read.add(name)
    return read


def test_every_setting_of_a_plan_is_read_from_a_plan():
    """A setting that nothing reads would be an option that does nothing."""
    modules = [tree.syntax(path) for path in tree.files()]
    kinds = {kind.__name__: kind for kind in _config_classes()}
    # Once a word, and not once a field: to read the whole tree takes a second.
    read = {word: _read_of(word, modules) for word in set(PLANS.values())}
    unread = [
        f"{name}.{field.name}"
        for name, word in PLANS.items()
        for field in dataclasses.fields(kinds[name])
        if field.name not in read[word]
    ]
    assert not unread


def test_a_field_of_the_same_name_elsewhere_does_not_count():
    module = ast.parse("x = device.seed\ny = plan.steps\nz = self.plan['seconds']\nw = stages[0].share\nplan.unset = 1")
    assert _read_of("plan", [module]) == {"steps", "seconds"}
    assert _read_of("stage", [module]) == {"share"}


def test_every_configuration_is_shown_to_matter():
    """Whoever adds a configuration adds it to one of the two tests above."""
    from makar.codecs.codec import CodecConfig
    from makar.families.family_config import FamilyConfig

    # Settings of adapters are changed one by one in tests/families/transformer/test_adapted.py.
    # Those of films are in tests/generation/test_film_edit.py, the fields of an edit over HTTP in tests/serving.
    options = {"ImageOptions", "TextOptions", "OptimisationConfig", "AdapterConfig", "FilmEditRequest"}
    options |= {"EditFields", "FilmFields", "MakingFields"}
    registered = {registry.load(table, name) for table in ("codecs", "families") for name in registry.names(table)}
    # What only others build on is shown to matter by them.
    built_on = {base for kind in registered for base in kind.__mro__[1:]}
    left = [kind for kind in _config_classes() if kind not in registered | built_on | {CodecConfig, FamilyConfig}]
    unknown = {kind.__name__ for kind in left} - set(PLANS) - options
    assert not {name for name in unknown if not name.endswith("Options")}, unknown


def test_configurations_recipes_and_the_registry_import_no_torch():
    modules = {
        text.partition(":")[0]
        for table in ("codecs", "families", "recipes")
        for text in registry.BUILT_IN[table].values()
    }
    modules |= {
        "makar.config",
        "makar.registry",
        "makar.recipe",
        "makar.errors",
        "makar.data.record",
        "makar.tensor_spec",
    }
    code = f"import sys\nfor name in {sorted(modules)}: __import__(name)\nprint('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize(
    "words", [["--help"], ["version"], ["list", "recipes"], ["list", "media"], ["train", "--help"]]
)
def test_start_up_imports_nothing_heavy(words):
    code = (
        "import sys\nfrom makar.cli.app import run\n"
        f"code = run({words!r})\n"
        "heavy = {'torch', 'transformers', 'diffusers', 'pyarrow', 'sklearn', 'matplotlib', 'scipy'} & set(sys.modules)\n"
        "print(sorted(heavy), file=sys.stderr)\nsys.exit(code or bool(heavy))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
