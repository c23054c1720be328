"""The documents tell the truth: every command in them parses, every link leads somewhere, every verb and family has a page."""

import functools
import re
import shlex

import pytest
import typer

import makar
from makar import registry
from makar.cli.app import make_app
from tests.structure import tree
from tests.structure.cli_snapshot import commands

DOCUMENTS = [tree.ROOT / "README.md", tree.ROOT / "CONTRIBUTING.md", tree.ROOT / "CHANGELOG.md"]
DOCUMENTS += sorted((tree.ROOT / "docs").rglob("*.md"))
VERBS = sorted({words[1] for words, _ in commands()})

every_document = pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(tree.ROOT)))


def makar_commands(text):
    """Return every line of a shell block that calls makar, continued lines joined."""
    found = []
    for block in re.findall(r"```(?:sh|bash|shell|console)\n(.*?)```", text, re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            line = re.sub(r"\s+#.*$", "", line.strip().removeprefix("$ "))
            found += [part.strip() for part in re.split(r"\s*(?:&&|\|)\s*", line) if part.strip().startswith("makar ")]
    return found


def parses(line):
    """Return what is wrong with a command line of makar, or None."""
    root = typer.main.get_command(make_app())
    words = shlex.split(line)[1:]
    command, path = root, ["makar"]
    while words and words[0] in getattr(command, "commands", {}):
        path.append(words[0])
        command, words = command.commands[words[0]], words[1:]
    if getattr(command, "commands", {}):
        return (
            None
            if words and words[0] in ("--help", "-h", "--version", "--install-completion")
            else f"{line}: no such verb"
        )
    if "--help" in words:
        return None
    try:
        command.make_context(" ".join(path), words)
    except typer.TyperException as error:
        return f"{line}: {error.format_message()}"
    return None


@every_document
def test_every_command_parses(path):
    wrong = [reason for line in makar_commands(path.read_text(encoding="utf-8")) if (reason := parses(line))]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    "line", ["makar trian x", "makar train x --fro 3", "makar generate", "makar list", "makar runs shw"]
)
def test_a_wrong_command_is_found(line):
    assert parses(line)


def settings_of(values, begin=""):
    """Return the dotted paths of everything in nested values."""
    items = values.items() if isinstance(values, dict) else enumerate(values) if isinstance(values, list) else ()
    return {path for name, value in items for path in {f"{begin}{name}", *settings_of(value, f"{begin}{name}.")}}


@functools.cache
def settings_of_recipes():
    """Return the paths that ``--set`` of some recipe takes."""
    made = (registry.load("recipes", name)() for name in registry.names("recipes"))
    return {path for recipe in made for path in settings_of(recipe.to_dictionary())}


@every_document
def test_every_setting_of_a_recipe_is_one(path):
    text = path.read_text(encoding="utf-8")
    assert not re.findall(r"--set '?(?:family|codec|optimisation)\.", text), "settings begin with their stage"
    named = set(re.findall(r"\b(stages\.\d+\.[a-z0-9_.]+)=", text))
    assert named <= settings_of_recipes(), sorted(named - settings_of_recipes())


def test_every_function_of_the_package_is_on_its_page():
    text = (tree.ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    types = {"Model", "Run", "MakarError"}
    assert all(f"makar.{name}(" in text for name in set(makar.__all__) - types - {"__version__"})
    assert all(f"`{name}`" in text or f"makar.{name}" in text for name in types)


@every_document
def test_every_link_leads_somewhere(path):
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", path.read_text(encoding="utf-8")):
        if not re.match(r"[a-z]+:", target):
            assert (path.parent / target).exists(), f"{path.name}: {target}"


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_a_page_that_names_its_options(verb):
    page = tree.ROOT / "docs" / "verbs" / f"{verb}.md"
    text = page.read_text(encoding="utf-8")
    for words, command in commands():
        if words[1] != verb:
            continue
        for parameter in command.params:
            if parameter.param_type_name == "option":
                assert any(f"`{option}" in text for option in parameter.opts), f"{page.name} lacks {parameter.opts}"


@pytest.mark.parametrize("verb", VERBS)
def test_a_page_names_no_option_that_does_not_exist(verb):
    text = (tree.ROOT / "docs" / "verbs" / f"{verb}.md").read_text(encoding="utf-8")
    known = {
        option
        for words, command in commands()
        for item in command.params
        for option in [*item.opts, *item.secondary_opts]
    }
    named = set(re.findall(r"`(--[a-z][a-z-]*)", text))
    assert named <= known | {"--help", "--version", "--install-completion", "--show-completion"}


@pytest.mark.parametrize("kind", sorted(registry.BUILT_IN["families"]))
def test_every_family_has_a_page(kind):
    assert (tree.ROOT / "docs" / "families" / f"{kind}.md").exists()


def test_every_recipe_and_codec_is_named_in_the_documents():
    text = "\n".join(path.read_text(encoding="utf-8") for path in DOCUMENTS)
    for table in ("recipes", "codecs"):
        for name in registry.BUILT_IN[table]:
            assert f"`{name}`" in text, f"{table}: {name}"


def test_the_index_links_every_page():
    text = (tree.ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    for path in DOCUMENTS:
        if (tree.ROOT / "docs") in path.parents and path.name != "index.md":
            assert str(path.relative_to(tree.ROOT / "docs")) in text, path


def test_the_changelog_has_this_version():
    assert f"## {makar.__version__}" in (tree.ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_every_python_example_in_the_readme_uses_names_that_exist():
    text = (tree.ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert blocks
    for block in blocks:
        compile(block, "README.md", "exec")
        for name in re.findall(r"makar\.([a-zA-Z_]+)", block):
            assert name in dir(makar)
