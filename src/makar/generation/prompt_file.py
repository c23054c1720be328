"""Prompts as plain files: what they are for, their variables, a system text, examples, controls, and the text itself.

A file has a head in TOML between two lines of ``+++`` and a body with ``{{names}}`` of variables:

    +++
    summary = "explains something to a learner"
    system = "You are a patient teacher."
    answer = 'Answer: (.*)'
    [variables]
    topic = "what is to be explained"
    level = { meaning = "who learns", default = "a child of ten" }
    [options]
    max_tokens = 200
    [[examples]]
    topic = "rain"
    level = "a child of ten"
    answer = "Water rises as vapour, cools and falls."
    +++
    Explain {{topic}} to {{level}}.

Decisions. (1) Every name is checked when the file is read: a name in the body that is no variable, and a variable that is nowhere used, are
errors, and so are values that are missing or not known when it is filled. (2) The version is the hash of the file, so a prompt cannot be
changed in silence; it stands in the manifest of what was made with it. (3) A value is text: braces in it are not read again.
"""

import dataclasses
import hashlib
import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from makar.errors import DataError, UnknownNameError, UsageError
from makar.generation.answers import reader
from makar.home import home

SUFFIX = ".prompt"
BUILT_IN = Path(__file__).parent / "prompt_files"
MARK = "+++"
KEYS = ("summary", "system", "answer", "variables", "options", "examples")
ANSWER = "answer"
_NAME = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*\}\}")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Variable:
    """A place in a prompt.

    Attributes:
        name: Its name.
        meaning: What is to be put there.
        default: What stands there when nothing is given; ``None`` where something has to be.
    """

    name: str
    meaning: str
    default: str | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Filled:
    """A prompt whose places are filled.

    Attributes:
        text: What a model continues.
        origin: Name, version and values, for the manifest.
        options: Controls that the prompt wants.
        messages: The same as messages of a conversation: system, user, assistant.
    """

    text: str
    origin: Mapping[str, Any]
    options: Mapping[str, Any]
    messages: tuple[Mapping[str, str], ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class PromptFile:
    """A prompt with places.

    Attributes:
        name: Name of the file without suffix.
        version: First 12 digits of the sha256 of the file.
        summary: What it is for.
        system: What comes before everything, or is the system message; empty for nothing.
        answer: Regular expression whose first group, or whole match, is the answer in a text; empty for the whole text.
        variables: Its places in their order.
        options: Controls for the sampler, a form among them.
        examples: Values and ``answer`` of solved examples.
        body: The text.
    """

    name: str
    version: str
    summary: str
    system: str
    answer: str
    variables: tuple[Variable, ...]
    options: Mapping[str, Any]
    examples: tuple[Mapping[str, str], ...]
    body: str

    def __call__(self, **values: Any) -> Filled:
        """Fill the places: ``prompt("tutor")(topic="rain")``."""
        return self.fill({name: str(value) for name, value in values.items()})

    def fill(self, values: Mapping[str, str], *, examples: tuple[Mapping[str, str], ...] | None = None) -> Filled:
        """Fill the places.

        Args:
            values: By name; places with a default may be left out.
            examples: Solved examples to take instead of those of the file.

        Raises:
            UnknownNameError: There is no such place.
            UsageError: A place is left empty.
        """
        whole = self._values(values)
        shown = self.examples if examples is None else examples
        turns: list[dict[str, str]] = [{"role": "system", "content": self.system}] if self.system else []
        parts = [self.system] if self.system else []
        for example in shown:
            asked = self._written(self._values({key: value for key, value in example.items() if key != ANSWER}))
            turns += [{"role": "user", "content": asked}, {"role": "assistant", "content": example[ANSWER]}]
            parts.append(f"{asked} {example[ANSWER]}")
        asked = self._written(whole)
        return Filled(
            text="\n\n".join([*parts, asked]),
            origin={"name": self.name, "version": self.version, "values": whole, "examples": len(shown)},
            options=self.options,
            messages=(*turns, {"role": "user", "content": asked}),
        )

    def answer_in(self, text: str) -> str:
        """Return the answer in what a model wrote: the last match of ``answer``, or everything; empty where it has none."""
        return reader(self.answer or None)(text)

    def open_variables(self, values: Mapping[str, str]) -> list[str]:
        """Return the names of places that have no value yet."""
        return [one.name for one in self.variables if one.default is None and one.name not in values]

    def _values(self, values: Mapping[str, str]) -> dict[str, str]:
        names = [variable.name for variable in self.variables]
        for name in values:
            if name not in names:
                raise UnknownNameError(f'variable of the prompt "{self.name}"', name, names)
        if missing := self.open_variables(values):
            meanings = {variable.name: variable.meaning for variable in self.variables}
            raise UsageError(
                f'the prompt "{self.name}" needs {", ".join(f"{name} ({meanings[name]})" for name in missing)}',
                expected="a value for each",
                do=" ".join(f"--var {name}=..." for name in missing),
            )
        defaults = {one.name: one.default for one in self.variables if one.default is not None}
        return {name: values.get(name, defaults.get(name, "")) for name in names}

    def _written(self, values: Mapping[str, str]) -> str:
        return _NAME.sub(lambda found: values[found.group(1)], self.body)


def with_own_options(prompts: Any, options: Any) -> Any:
    """Return the controls of a request with those that its prompt wants below them.

    Raises:
        UsageError: Several prompts want different things.
    """
    filled = [one for one in (prompts if isinstance(prompts, list) else [prompts]) if isinstance(one, Filled)]
    if not filled or not (options is None or isinstance(options, Mapping)):
        return options
    if any(one.options != filled[0].options for one in filled):
        raise UsageError("prompts that want different controls", expected="one kind of prompt at a time")
    given = dict(options or {})
    # A form that is asked for takes the place of the one that the prompt wants.
    forms = {"json_schema", "regex", "choice", "tools"}
    own = {key: value for key, value in filled[0].options.items() if not (key in forms and forms & set(given))}
    return {**own, **given}


def read_prompt(place: str | Path) -> PromptFile:
    """Read a prompt by the path of its file or by name: the user's own come before those that are built in.

    Raises:
        UnknownNameError: There is no such prompt.
        DataError: The file is none, or its names do not fit together.
    """
    path = Path(place)
    if path.suffix != SUFFIX and not path.is_file():
        known = prompt_paths()
        if str(place) not in known:
            raise UnknownNameError("prompt", str(place), known)
        path = known[str(place)]
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}", expected="a file of a prompt") from error
    return parse_prompt(content, name=path.stem)


def prompt_paths() -> dict[str, Path]:
    """Return the files of all prompts by name."""
    found = {path.stem: path for path in sorted(BUILT_IN.glob(f"*{SUFFIX}"))}
    return found | {path.stem: path for path in sorted((home() / "prompts").glob(f"*{SUFFIX}"))}


def parse_prompt(content: bytes, *, name: str) -> PromptFile:
    """Read the content of a prompt file.

    Raises:
        DataError: It is none, or its names do not fit together.
    """

    def wrong(what: str, expected: str = "") -> DataError:
        return DataError(f'the prompt "{name}": {what}', expected=expected or "see docs/tasks/prompts.md")

    try:
        text = content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise wrong(f"not UTF-8: {error.reason}") from error
    parts = re.split(rf"^{re.escape(MARK)}[ \t]*\n", text, maxsplit=2, flags=re.MULTILINE)
    if len(parts) != 3 or parts[0].strip():
        raise wrong("it has no head", f"a first line {MARK}, a head in TOML, a line {MARK}, and the text")
    try:
        head = tomllib.loads(parts[1])
    except tomllib.TOMLDecodeError as error:
        raise wrong(f"its head is no TOML: {error}") from error
    if unknown := [key for key in head if key not in KEYS]:
        raise wrong(f'its head says "{unknown[0]}"', f"only {', '.join(KEYS)}")
    if any(not isinstance(head.get(key, ""), str) for key in ("summary", "system", "answer")):
        raise wrong("summary, system and answer are texts")
    _check_tables(head, wrong)
    variables = tuple(_variable(key, value, wrong) for key, value in head.get("variables", {}).items())
    names, body = {one.name for one in variables}, parts[2].strip()
    used = set(_NAME.findall(body))
    if used - names:
        raise wrong(f"{{{{{min(used - names)}}}}} is no variable of it", f"one of {', '.join(sorted(names)) or 'none'}")
    if names - used:
        raise wrong(f'its variable "{min(names - used)}" stands nowhere in the text')
    if not body:
        raise wrong("it has no text")
    examples = tuple({key: str(value) for key, value in one.items()} for one in head.get("examples", []))
    needed = {one.name for one in variables if one.default is None} | {ANSWER}
    for example in examples:
        if not needed <= set(example) <= names | {ANSWER}:
            raise wrong(f"an example has {', '.join(sorted(example))}", f"{', '.join(sorted(needed))}")
    try:
        re.compile(head.get("answer", ""))
    except re.error as error:
        raise wrong(f"answer is no regular expression: {error}") from error
    return PromptFile(
        name=name,
        version=hashlib.sha256(content).hexdigest()[:12],
        summary=head.get("summary", ""),
        system=head.get("system", "").strip(),
        answer=head.get("answer", ""),
        variables=variables,
        options={key: tuple(value) if key == "stop" else value for key, value in head.get("options", {}).items()},
        examples=examples,
        body=body,
    )


def written_prompt(prompt: PromptFile) -> str:
    """Return the text of a file that reads as this prompt, but for its version."""
    head = {key: getattr(prompt, key) for key in ("summary", "system", "answer") if getattr(prompt, key)}
    lines = [f"{key} = {_toml(value)}" for key, value in head.items()]
    lines.append("[variables]")
    for one in prompt.variables:
        meant = one.meaning if one.default is None else {"meaning": one.meaning, "default": one.default}
        lines.append(f"{one.name} = {_toml(meant)}")
    if prompt.options:
        lines += ["[options]", *(f"{key} = {_toml(value)}" for key, value in prompt.options.items())]
    for example in prompt.examples:
        lines += ["[[examples]]", *(f"{key} = {_toml(value)}" for key, value in example.items())]
    return "\n".join([MARK, *lines, MARK, prompt.body, ""])


def _toml(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{json.dumps(str(key))} = {_toml(inner)}" for key, inner in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml(inner) for inner in value) + "]"
    # Strings of JSON are strings of TOML, but for a letter that TOML wants escaped.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _check_tables(head: Mapping[str, Any], wrong: Any) -> None:
    if not all(isinstance(head.get(key, {}), dict) for key in ("variables", "options")):
        raise wrong("variables and options are tables", "[variables] or [options], and a line for each")
    listed = head.get("examples", [])
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        raise wrong("examples are tables", "[[examples]], in two brackets, for each")
    stop = head.get("options", {}).get("stop", [])
    if not isinstance(stop, list) or not all(isinstance(one, str) for one in stop):
        raise wrong(f"its stop is {stop!r}", 'a list of texts, for example ["\\n"]')


def _variable(name: str, value: Any, wrong: Any) -> Variable:
    if isinstance(value, str):
        return Variable(name=name, meaning=value)
    if isinstance(value, dict) and set(value) <= {"meaning", "default"} and isinstance(value.get("meaning"), str):
        default = value.get("default")
        return Variable(name=name, meaning=value["meaning"], default=None if default is None else str(default))
    raise wrong(f'its variable "{name}" is {value!r}', 'its meaning, or { meaning = "...", default = "..." }')
