"""The tools of POST /v1/responses: functions, ``file_search`` over vector stores, and ``image_generation`` by a model of images.

Decisions. (1) ``file_search`` is no choice of the model: where it is given, the last thing that was said is looked for, the answer is
written from what was found and from nothing else, and each of its sentences is checked against that. Where the documents do not say
it, the answer says so and no model is asked, unless there are functions that it may call. (2) With the name ``makar-documents`` as model
the answer is the sentences themselves. (3) ``image_generation`` is a function that the model may call, or must; a model of images as
``model`` is asked directly. (4) What stands in a document is material: it can neither call a function nor leave its quotation, because
functions are offered only where the documents say nothing, and then without the documents.
"""

import dataclasses
from typing import Any

from makar.errors import ConfigError, UnsupportedError
from makar.serving.bodies import read_fields
from makar.serving.image_fields import ImageFields
from makar.serving.messages import Tools, wrong
from makar.serving.store_fields import StoreSearchFields
from makar.serving.store_search import Wanted, wanted_of

SEARCH, DRAW = "file_search", "image_generation"
DOCUMENTS = "makar-documents"
"""Name of what answers with sentences of documents; no model of language."""

RESULTS = "file_search_call.results"
MOST_STORES = 8
SOURCES = 6
"""Passages that an answer is written from where nothing is said."""

DRAW_WORDS = ("model", "size", "output_format", "partial_images", "seed", "steps", "guidance", "negative_prompt")


@dataclasses.dataclass(frozen=True, kw_only=True)
class FileSearch:
    """What is looked for before an answer.

    Attributes:
        stores: Ids of vector stores.
        fields: How.
        shows_results: Whether the answer is to show what was found.
    """

    stores: tuple[str, ...]
    fields: StoreSearchFields
    shows_results: bool

    def wanted(self, question: str) -> Wanted:
        """Return what is looked for, for a question."""
        return wanted_of(dataclasses.replace(self.fields, query=question))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Given:
    """The tools of one request.

    Attributes:
        functions: What may be called, ``image_generation`` among it.
        search: What is looked for; ``None`` for nothing.
        drawing: How images are made, without prompt; ``None`` where none are.
        ignored: Names of settings that nothing reads.
    """

    functions: Tools
    search: FileSearch | None
    drawing: ImageFields | None
    ignored: list[str]


def tools_of(tools: list[Any] | None, choice: Any, include: list[Any] | None) -> Given:
    """Return the tools of a request.

    Args:
        tools: As they were sent.
        choice: Which of them are to be used.
        include: What is to be shown beside the answer.

    Raises:
        UsageError: They are no such thing.
        UnsupportedError: There is no such tool.
    """
    functions: list[Any] = []
    search, drawing, ignored = None, None, [f"include.{one}" for one in include or [] if one != RESULTS]
    for tool in tools or []:
        kind = tool.get("type") if isinstance(tool, dict) else None
        if kind == SEARCH:
            if search is not None:
                raise wrong("two tools of type file_search", "one, with several vector_store_ids")
            search, unread = _search_of(tool, shows_results=RESULTS in (include or []))
            ignored += unread
        elif kind == DRAW:
            drawing, unread = _drawing_of(tool)
            ignored += unread
            functions.append(_draw_function())
        elif kind == "function":
            functions.append(tool)
        else:
            raise UnsupportedError(f"a tool of type {str(kind)[:40]!a}", expected=f"function, {SEARCH}, {DRAW}")
    named = choice.get("type") if isinstance(choice, dict) else None
    if named == SEARCH and search is None:
        raise wrong("a choice of a file_search that is not given", "a tool of that type")
    if choice == "none" or named not in (None, SEARCH):
        # A function, or no tool at all, was asked for by name.
        search = None
    if named == SEARCH or (choice == "required" and search is not None):
        functions, choice = [], None
    forced = {"name": DRAW} if named == DRAW else choice
    return Given(functions=Tools(functions or None, forced), search=search, drawing=drawing, ignored=ignored)


def _search_of(tool: dict[str, Any], *, shows_results: bool) -> tuple[FileSearch, list[str]]:
    names = tool.get("vector_store_ids")
    if not isinstance(names, list) or not 0 < len(names) <= MOST_STORES or not all(isinstance(x, str) for x in names):
        raise ConfigError("body.tools has no vector_store_ids", expected=f"1 to {MOST_STORES} ids of vector stores")
    own = {name: value for name, value in tool.items() if name not in ("type", "vector_store_ids")}
    fields, ignored = read_fields(StoreSearchFields, {"max_num_results": SOURCES, **own, "query": "x"})
    wanted_of(fields)
    found = FileSearch(stores=tuple(names), fields=fields, shows_results=shows_results)
    return found, [f"tools.{SEARCH}.{name}" for name in ignored]


def _drawing_of(tool: dict[str, Any]) -> tuple[ImageFields, list[str]]:
    own = {name: value for name, value in tool.items() if name in DRAW_WORDS}
    fields, _ = read_fields(ImageFields, {**own, "prompt": ""})
    if fields.partial_images:
        raise UnsupportedError(
            "partial images inside an answer", expected="partial_images: 0, or a stream of /v1/images/generations"
        )
    ignored = sorted(set(tool) - set(DRAW_WORDS) - {"type"})
    return fields, [f"tools.{DRAW}.{name}" for name in ignored]


def _draw_function() -> dict[str, Any]:
    prompt = {"type": "string", "description": "what the image shows", "maxLength": 200}
    return {
        "type": "function",
        "name": DRAW,
        "description": "Makes an image.",
        "parameters": {
            "type": "object",
            "properties": {"prompt": prompt},
            "required": ["prompt"],
            "additionalProperties": False,
        },
    }
