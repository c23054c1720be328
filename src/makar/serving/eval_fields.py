"""What the routes of evaluations read: where items come from, how answers are asked for, how they are graded; see ``fields``.

Offered are items of one's own (``custom``) and two graders, ``string_check`` and ``text_similarity`` by measures of Makar. Graders that
would run code of whoever asks, or take a model's word for what is right, are refused with what to do instead.

Source: https://platform.openai.com/docs/api-reference/evals.
"""

import dataclasses
import json
import re
from collections.abc import Mapping
from typing import Any, ClassVar

from makar.config import Config, setting
from makar.errors import ConfigError, UnsupportedError
from makar.serving.bodies import parse_object
from makar.serving.messages import turns_of

OPERATIONS = ("eq", "ne", "like", "ilike")
MEASURES = ("fuzzy_match", "bleu", "rouge_1", "rouge_2", "rouge_l")
MOST_CRITERIA, MOST_ITEMS = 16, 10_000
SAMPLED = ("max_completion_tokens", "seed", "temperature", "top_p")
_PLACE = re.compile(r"\{\{\s*([\w.]+)\s*\}\}")

REFUSED = {
    "label_model": "string_check or text_similarity; a model's word is no measure here: makar evaluate --judge compares blindly",
    "score_model": "string_check or text_similarity; a model's word is no measure here: makar evaluate --judge compares blindly",
    "python": "string_check or text_similarity; code is not run for whoever asks",
    "multi": "several testing_criteria",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class EvalFields(Config):
    """Body of POST /v1/evals."""

    kind: ClassVar[str] = ""

    data_source_config: dict = setting(
        meaning='{"type": "custom", "item_schema": {...}, "include_sample_schema": true}'
    )
    testing_criteria: list = setting(meaning="graders of type string_check or text_similarity")
    name: str = setting("", meaning="what it is called")
    metadata: dict | None = setting(None, meaning="kept with it")


@dataclasses.dataclass(frozen=True, kw_only=True)
class EvalChangeFields(Config):
    """Body of POST /v1/evals/ID."""

    kind: ClassVar[str] = ""

    name: str | None = setting(None, meaning="what it is called from now on")
    metadata: dict | None = setting(None, meaning="kept with it")


@dataclasses.dataclass(frozen=True, kw_only=True)
class EvalRunFields(Config):
    """Body of POST /v1/evals/ID/runs."""

    kind: ClassVar[str] = ""

    data_source: dict = setting(meaning="items, in the body or in a file, and how answers are asked for")
    name: str = setting("", meaning="what it is called")
    metadata: dict | None = setting(None, meaning="kept with it")


def source_config_of(given: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of the items of an evaluation, as it is shown.

    Raises:
        UnsupportedError: Items come from somewhere else.
        ConfigError: There is no schema.
    """
    if given.get("type") != "custom":
        raise UnsupportedError(
            f"items of type {str(given.get('type'))[:40]!a}",
            expected="custom: conversations of others are not kept here",
        )
    schema = given.get("item_schema")
    if not isinstance(schema, dict):
        raise ConfigError("body.data_source_config has no item_schema", expected="a JSON Schema of an object")
    properties: dict[str, Any] = {"item": schema}
    if given.get("include_sample_schema"):
        properties["sample"] = {"type": "object", "properties": {"output_text": {"type": "string"}}}
    return {"type": "custom", "schema": {"type": "object", "properties": properties, "required": ["item"]}}


def criteria_of(given: list[Any]) -> list[dict[str, Any]]:
    """Return the graders of an evaluation.

    Raises:
        UnsupportedError: One is of a kind that is not offered.
        ConfigError: One lacks something.
    """
    if not 0 < len(given) <= MOST_CRITERIA:
        raise ConfigError(f"body.testing_criteria has {len(given)} graders", expected=f"1 to {MOST_CRITERIA}")
    found = [_criterion(one) for one in given]
    names = [one["name"] for one in found]
    if len(set(names)) < len(names):
        raise ConfigError("body.testing_criteria has two graders of one name", expected="a name for each")
    return found


def _criterion(given: Any) -> dict[str, Any]:
    kind = given.get("type") if isinstance(given, dict) else None
    if isinstance(kind, str) and kind in REFUSED:
        raise UnsupportedError(f"a grader of type {kind}", expected=REFUSED[kind])
    if kind not in ("string_check", "text_similarity"):
        raise ConfigError(f"body.testing_criteria has the type {kind!r:.40}", expected="string_check, text_similarity")
    for word in ("name", "input", "reference"):
        if not isinstance(given.get(word), str):
            raise ConfigError(f"body.testing_criteria of type {kind} lacks {word}", expected="a text")
    made = {"type": kind, **{word: given[word] for word in ("name", "input", "reference")}}
    if kind == "string_check":
        if given.get("operation") not in OPERATIONS:
            raise ConfigError("body.testing_criteria has no such operation", expected=", ".join(OPERATIONS))
        return made | {"operation": given["operation"]}
    measure, threshold = given.get("evaluation_metric"), given.get("pass_threshold")
    if measure not in MEASURES:
        raise UnsupportedError(f"the measure {measure!r:.40}", expected=", ".join(MEASURES))
    if type(threshold) not in (int, float) or not 0 <= threshold <= 1:
        raise ConfigError("body.testing_criteria has no pass_threshold", expected="0 to 1")
    return made | {"evaluation_metric": measure, "pass_threshold": float(threshold)}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Asking:
    """How answers are asked for.

    Attributes:
        model: Its name; empty where answers are given with the items.
        template: Messages with places.
        reference: Path of the messages in an item, where there is no template.
        controls: What is said of how text is drawn.
    """

    model: str = ""
    template: tuple[dict[str, str], ...] = ()
    reference: str = ""
    controls: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def messages(self, names: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return what is asked for an item.

        Args:
            names: The item.

        Raises:
            ConfigError: A place names nothing.
        """
        if self.reference:
            found = looked_up(names, self.reference)
            if not isinstance(found, list):
                raise ConfigError(f"{self.reference} is no list of messages", expected="messages")
            turns_of(found)
            return found
        return [{"role": one["role"], "content": filled(one["content"], names)} for one in self.template]


def asking_of(source: dict[str, Any]) -> Asking:
    """Return how answers are asked for.

    Raises:
        UnsupportedError: In a way that is not offered.
        ConfigError: Something is missing.
    """
    kind = source.get("type")
    if kind == "jsonl":
        return Asking()
    if kind not in ("completions", "responses"):
        raise UnsupportedError(f"a data_source of type {kind!r:.40}", expected="jsonl, completions or responses")
    model, messages, controls = source.get("model"), source.get("input_messages"), source.get("sampling_params") or {}
    if not isinstance(model, str) or not isinstance(messages, dict) or not isinstance(controls, dict):
        raise ConfigError("body.data_source lacks model or input_messages", expected="both")
    foreign = sorted(name for name, value in controls.items() if name not in SAMPLED and value is not None)
    if foreign:
        raise UnsupportedError(f"the sampling_params {foreign[0]!a:.40}", expected=", ".join(SAMPLED))
    kept = {name: value for name, value in controls.items() if value is not None}
    if messages.get("type") == "item_reference" and isinstance(messages.get("item_reference"), str):
        return Asking(model=model, reference=messages["item_reference"], controls=kept)
    template = messages.get("template")
    if messages.get("type") != "template" or not isinstance(template, list) or not template:
        raise ConfigError("body.data_source.input_messages is no template", expected="template, or item_reference")
    return Asking(model=model, template=tuple(turns_of(template)), controls=kept)


def rows_of(content: bytes) -> list[dict[str, Any]]:
    """Return the items of a file of lines of JSON.

    Raises:
        ConfigError: A line is none.
    """
    return [checked_row(parse_object(row), number) for number, row in enumerate(content.splitlines(), 1) if row.strip()]


def checked_row(row: Any, number: int) -> dict[str, Any]:
    """Return an item with what was said of it.

    Raises:
        ConfigError: It is none.
    """
    is_row = isinstance(row, dict) and isinstance(row.get("item"), dict)
    if not is_row or not isinstance(row.get("sample", {}), dict):
        raise ConfigError(f"the item {number} has no item", expected='{"item": {...}}, and perhaps "sample": {...}')
    return {"item": row["item"], **({"sample": row["sample"]} if "sample" in row else {})}


def filled(text: str, names: Mapping[str, Any]) -> str:
    """Return a text with its places filled: ``{{item.question}}``, ``{{sample.output_text}}``.

    >>> filled("What is {{ item.a }}?", {"item": {"a": 3}})
    'What is 3?'

    Raises:
        ConfigError: A place names nothing.
    """

    def value(match: re.Match[str]) -> str:
        found = looked_up(names, match[1])
        return found if isinstance(found, str) else json.dumps(found, ensure_ascii=False)

    return _PLACE.sub(value, text)


def looked_up(names: Mapping[str, Any], path: str) -> Any:
    """Return what stands at a path of names with points.

    Raises:
        ConfigError: Nothing does.
    """
    found: Any = names
    for part in path.split("."):
        if not isinstance(found, Mapping) or part not in found:
            raise ConfigError(f"there is no {path[:80]}", expected="a name that every item has")
        found = found[part]
    return found
