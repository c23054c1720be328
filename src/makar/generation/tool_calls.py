"""Tools in the shape of OpenAI's API: what may be called, the schema that a call must have, and a call as that API gives it.

Source: OpenAI, "Function calling", https://platform.openai.com/docs/guides/function-calling (tools of type function, and ``tool_calls``
with arguments as JSON text).
"""

import hashlib
import json
from typing import Any

from makar.errors import UsageError


def check_tools(tools: Any) -> list[dict[str, Any]]:
    """Return a list of tools.

    Args:
        tools: ``[{"type": "function", "function": {"name", "description", "parameters"}}]``, or the inner parts alone.

    Raises:
        UsageError: It is no such list, or two tools have one name.
    """
    if not isinstance(tools, list) or not tools:
        raise UsageError(f"tools are {type(tools).__name__}", expected="a list of at least one function")
    found = [tool.get("function", tool) if isinstance(tool, dict) else tool for tool in tools]
    for tool in found:
        if not isinstance(tool, dict) or not isinstance(tool.get("name"), str) or not tool["name"]:
            raise UsageError(f"the tool {tool!r}", expected="a function with a name")
        if not isinstance(tool.get("parameters") or {}, dict):
            raise UsageError(f'the parameters of "{tool["name"]}"', expected="a JSON Schema of an object")
    names = [tool["name"] for tool in found]
    if len(set(names)) < len(names):
        raise UsageError(f"two tools are called {max(names, key=names.count)}", expected="a name for each")
    return found


def tool_schema(tools: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the JSON Schema of a call: the name of one tool with arguments that its parameters allow.

    The parameters stand in definitions of their own, and what refers to a place in them refers to where that is now.
    """
    calls = [
        {
            "type": "object",
            "properties": {
                "name": {"const": tool["name"]},
                "arguments": {"$ref": f"#/$defs/{number}"},
            },
            "required": ["name", "arguments"],
            "additionalProperties": False,
        }
        for number, tool in enumerate(tools)
    ]
    without = {"type": "object", "additionalProperties": False}
    given = {
        str(number): _moved(tool.get("parameters") or without, f"#/$defs/{number}") for number, tool in enumerate(tools)
    }
    return {**(calls[0] if len(calls) == 1 else {"anyOf": calls}), "$defs": given}


def _moved(schema: Any, root: str) -> Any:
    """Return a schema that stands at another place, with its references to itself."""
    if isinstance(schema, list):
        return [_moved(inner, root) for inner in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: root + inner[1:]
        if key == "$ref" and isinstance(inner, str) and inner.startswith("#")
        else _moved(inner, root)
        for key, inner in schema.items()
    }


def tool_calls_of(text: str) -> list[dict[str, Any]]:
    """Return the ``tool_calls`` of OpenAI's API for a call that was written as JSON."""
    call = json.loads(text)
    arguments = json.dumps(call["arguments"], ensure_ascii=False)
    name = f"call_{hashlib.sha256(text.encode()).hexdigest()[:24]}"
    return [{"id": name, "type": "function", "function": {"name": call["name"], "arguments": arguments}}]
