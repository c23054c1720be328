"""A conversation as one line of JSON, the form in which conversations are kept and trained on, and back."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from makar.errors import DataError

ROLES = ("system", "user", "assistant")
LARGEST_BYTES = 16 << 20


def transcript_text(messages: Sequence[Mapping[str, str]]) -> str:
    """Return the line, with its end."""
    return json.dumps({"messages": [dict(turn) for turn in messages]}, ensure_ascii=False) + "\n"


def read_transcript(path: Path) -> list[dict[str, str]]:
    """Return the turns of the last conversation in a file.

    Raises:
        DataError: It is no file of conversations.
    """
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise DataError(f"{path} has {path.stat().st_size} bytes", expected=f"at most {LARGEST_BYTES}")
        # Not ``splitlines``: JSON keeps letters such as U+2028 as they are, and these end no line of the file.
        lines = [line for line in path.read_text(encoding="utf-8").split("\n") if line.strip()]
        turns = json.loads(lines[-1])["messages"]
        found = [{"role": turn["role"], "content": turn["content"]} for turn in turns]
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise DataError(
            f"{path} is no conversation: {error}", expected='a line of JSON with "messages" of role and content'
        ) from error
    if any(turn["role"] not in ROLES or not isinstance(turn["content"], str) for turn in found):
        raise DataError(f"{path} has a turn of another role", expected=", ".join(ROLES))
    return found
