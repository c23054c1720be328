"""A chat template of a checkpoint, rendered in Jinja's sandbox: the turns of a conversation as the text that the model was taught.

Templates come with checkpoints and are programs of a kind, so they see nothing but the turns and the names of special tokens, cannot change
what they are given, and are limited in length. The functions that transformers offers to templates are there: ``raise_exception``,
``strftime_now`` and ``tojson``.
"""

import datetime
import json
from collections.abc import Mapping, Sequence
from typing import Any

import jinja2
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

from makar.errors import UnsupportedError

LARGEST_TEMPLATE = 200_000
"""Characters; those of published checkpoints have at most some ten thousand."""


def render_turns(
    template: str, messages: Sequence[Mapping[str, str]], tokens: Mapping[str, str], *, begins_answer: bool = True
) -> str:
    """Return the text of a conversation up to where the next answer begins.

    Args:
        template: Jinja source.
        messages: Turns with ``role`` and ``content``.
        tokens: Texts of special tokens by the names that templates use.
        begins_answer: Whether an answer is begun at the end; without, the last turn is the end.

    Raises:
        UnsupportedError: The template is none, or refuses such turns; its own words are passed on.
    """
    if len(template) > LARGEST_TEMPLATE:
        raise UnsupportedError(f"a chat template of {len(template)} characters", expected=f"at most {LARGEST_TEMPLATE}")
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols])
    environment.filters["tojson"] = _to_json
    environment.globals["raise_exception"] = _refuse
    environment.globals["strftime_now"] = _now
    try:
        made = environment.from_string(template)
        return made.render(messages=[dict(turn) for turn in messages], add_generation_prompt=begins_answer, **tokens)
    except (jinja2.TemplateError, TypeError, ValueError, KeyError, IndexError, OverflowError) as error:
        raise UnsupportedError(
            f"the chat template of this model refuses the conversation: {error}",
            expected="turns that it takes: often user and assistant in turn, and not always a system prompt",
        ) from error


def _to_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _refuse(message: str) -> str:
    raise ValueError(message)


def _now(form: str) -> str:
    return datetime.datetime.now().strftime(form)
