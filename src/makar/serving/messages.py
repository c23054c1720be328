"""Messages, tools and forms of OpenAI's chat as turns and controls of ours, and calls of tools found in what a model wrote.

Decisions. (1) ``developer`` is ``system``. (2) Functions are described in a turn of the system, so that the model knows them. Where a call
is forced (``required`` or a name) the answer is held to that form token by token and can always be read; where the model may choose
(``auto``), an answer that is a call is given as one and everything else as text. (3) No URL is fetched: pictures and sounds are refused.
"""

import json
from typing import Any

from makar.data.task_cells import call_text
from makar.errors import UnsupportedError, UsageError
from makar.generation.tool_calls import check_tools, tool_calls_of
from makar.serving.bodies import parse_value
from makar.serving.problems import Problem

ROLES = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
    "function": "tool",
}
MOST_TURNS = 4096
TEXT_PARTS = ("text", "input_text", "output_text", "refusal")


def turns_of(messages: list[Any]) -> list[dict[str, str]]:
    """Return messages as turns.

    Raises:
        UsageError: One is no message.
        UnsupportedError: One holds something else than text.
    """
    if not 0 < len(messages) <= MOST_TURNS:
        raise wrong(f"{len(messages)} messages", f"1 to {MOST_TURNS}")
    return [_turn(message) for message in messages]


def _turn(message: Any) -> dict[str, str]:
    if not isinstance(message, dict) or not isinstance(message.get("role"), str):
        raise wrong("a message without role", "objects with role and content")
    if message["role"] not in ROLES:
        raise wrong(f'the role "{message["role"][:40]}"', ", ".join(ROLES))
    role, calls = ROLES[message["role"]], message.get("tool_calls")
    text = text_of(message.get("content"), is_optional=bool(calls))
    if calls:
        text = "\n".join([*([text] if text else []), *(_call(call) for call in _listed(calls))])
    return {"role": role, "content": text}


def _listed(calls: Any) -> list[Any]:
    if not isinstance(calls, list):
        raise wrong("tool_calls that are no list", "a list")
    return calls


def _call(call: Any) -> str:
    text = call_text(call, read=parse_value)
    if text is None:
        raise wrong("a call without a function", "calls of functions with name and arguments")
    return text


def text_of(content: Any, *, is_optional: bool = False) -> str:
    """Return the text of a message.

    Args:
        content: A text, or a list of parts.
        is_optional: Whether there may be none.

    Raises:
        UsageError: It is neither.
        UnsupportedError: A part is no text.
    """
    if content is None and is_optional:
        return ""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise wrong("a message without content", "a text, or a list of parts")
    texts = []
    for part in content:
        kind = part.get("type") if isinstance(part, dict) else None
        if kind not in TEXT_PARTS:
            raise UnsupportedError(
                f"a part of type {str(kind)[:40]!r} in a message",
                expected="parts of type text: there is no model here that is shown pictures, sounds or files in a chat",
            )
        text = part.get("refusal" if kind == "refusal" else "text")
        if not isinstance(text, str):
            raise wrong("a part of type text without text", "a text")
        texts.append(text)
    return "".join(texts)


def form_of(response_format: Any) -> dict[str, Any]:
    """Return the controls of the form that an answer must have.

    Raises:
        UsageError: There is no such form.
    """
    if response_format is not None and not isinstance(response_format, dict):
        raise wrong("a form that is no object", '{"type": "json_object"}')
    kind = (response_format or {"type": "text"}).get("type")
    if kind == "text":
        return {}
    if kind == "json_object":
        return {"json_schema": {"type": "object"}}
    if kind == "json_schema" and response_format is not None:
        described = response_format.get("json_schema", response_format)
        schema = described.get("schema") if isinstance(described, dict) else None
        if isinstance(schema, dict):
            return {"json_schema": schema}
        raise wrong("a json_schema without schema", '{"type": "json_schema", "json_schema": {"name", "schema"}}')
    raise wrong(f"response_format of type {str(kind)[:40]!r}", "text, json_object or json_schema")


class Tools:
    """The functions of a request.

    Args:
        tools: In OpenAI's shape; ``None`` or empty for none.
        choice: ``none``, ``auto``, ``required``, or one by name.

    Raises:
        UsageError: They are no such thing.
    """

    def __init__(self, tools: list[Any] | None, choice: Any) -> None:
        self._known: list[dict[str, Any]] = []
        for tool in tools or []:
            if not isinstance(tool, dict) or tool.get("type", "function") != "function":
                kind = tool.get("type") if isinstance(tool, dict) else type(tool).__name__
                raise UnsupportedError(f"a tool of type {str(kind)[:40]!r}", expected="tools of type function")
        if tools:
            self._known = check_tools(tools)
        self._forced = self._chosen(choice)

    def _chosen(self, choice: Any) -> list[dict[str, Any]]:
        if choice in (None, "auto"):
            return []
        if choice == "none":
            self._known = []
            return []
        if not self._known:
            raise wrong("a choice of tools without tools", "tools")
        if choice == "required":
            return self._known
        if isinstance(choice, dict):
            function = choice.get("function", choice)
            name = function.get("name") if isinstance(function, dict) else None
            found = [tool for tool in self._known if tool["name"] == name]
            if found:
                return found
        names = ", ".join(tool["name"] for tool in self._known)
        raise wrong("a choice of tools that names none of them", f"none, auto, required, or a function: {names}")

    @property
    def may_be_called(self) -> bool:
        """Whether an answer may be a call that the model chose."""
        return bool(self._known) and not self._forced

    def controls(self) -> dict[str, Any]:
        """Return the controls of the form that a forced call has."""
        return {"tools": self._forced} if self._forced else {}

    def turns(self) -> list[dict[str, str]]:
        """Return the turn that describes them; none without tools."""
        if not self._known:
            return []
        shown = [
            {name: tool[name] for name in ("name", "description", "parameters") if tool.get(name)}
            for tool in self._known
        ]
        told = "You can call functions. A call is one line of JSON and nothing else: "
        told += '{"name": NAME, "arguments": {...}}\nFunctions: '
        return [{"role": "system", "content": told + json.dumps(shown, ensure_ascii=False)}]

    def calls_in(self, text: str) -> list[dict[str, Any]]:
        """Return the calls that an answer is; none where it is a text."""
        if self._forced:
            calls: list[dict[str, Any]] = json.loads(text)
            return calls
        if not self._known or not text.strip().startswith("{"):
            return []
        try:
            said = json.loads(text)
        except ValueError:
            return []
        names = [tool["name"] for tool in self._known]
        is_call = isinstance(said, dict) and set(said) == {"name", "arguments"} and said["name"] in names
        return tool_calls_of(text) if is_call and isinstance(said["arguments"], dict) else []


def wrong(came: str, expected: str) -> UsageError:
    """Return the error of a conversation that cannot be read."""
    return UsageError(came, expected=expected)


def refuse_modalities(modalities: list[Any] | None) -> None:
    """Refuse answers in another medium than text.

    Raises:
        Problem: One is asked for.
    """
    if modalities not in (None, ["text"]):
        raise Problem(
            f"an answer as {modalities!r:.60}", status=400, code="unsupported", expected='["text"]', param="modalities"
        )
