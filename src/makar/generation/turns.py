"""The turns of a conversation as a prompt: in the form that the model knows, and as many of the last ones as fit.

A model whose codec knows turns (a chat template, or tokens for the roles) is asked in its own form. Every other model of text is asked in
plain form, ``User:`` and ``Assistant:`` on lines of their own, and stopped where it would speak for the user. What no longer fits into
the context beside the answer is left out from the oldest turn on, never the system prompt. Where to begin is found by halving: a
conversation that begins earlier is never shorter.
"""

import bisect
import dataclasses
from collections.abc import Mapping, Sequence

from makar.codecs.codec import Codec
from makar.generation.prompts import Prompt, Prompts, knows_turns, read_prompts
from makar.generation.reach import reach_of
from makar.generation.request import Request

SYSTEM, USER, ASSISTANT, TOOL = "system", "user", "assistant", "tool"
NAMES = {USER: "User", ASSISTANT: "Assistant", TOOL: "Tool"}
PLAIN_STOP = "\nUser:"
Message = Mapping[str, str]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Fitted:
    """As much of a conversation as fits.

    Attributes:
        prompt: What the model is asked.
        length: Its tokens.
        left_out: Turns that did not fit.
        is_cut: Whether what was said last is itself longer than the context, so that the model sees its end only.
    """

    prompt: Prompts
    length: int
    left_out: int
    is_cut: bool


def fit_turns(turns: Sequence[Message], request: Request) -> Fitted:
    """Return the prompt of as many of the last turns as fit beside the longest answer.

    Args:
        turns: What was said, the last by the user; ``role`` and ``content``.
        request: The model with its controls.

    Raises:
        UnsupportedError: The conversation cannot be put to this model.
    """
    codec, context = request.codec, reach_of(request.artifact.family_config, request.options)
    told = [turn for turn in turns if turn["role"] == SYSTEM]
    spoken = [turn for turn in turns if turn["role"] != SYSTEM]
    is_known = knows_turns(codec)
    room = context - min(context // 2, int(request.options.to_dictionary().get("max_tokens", 0)))

    def asked(start: int) -> tuple[Prompts, int]:
        taken = [*told, *spoken[start:]]
        prompt: Prompts = [dict(turn) for turn in taken] if is_known else plain_form(taken)
        return prompt, prompt_length(read_prompts(prompt, codec, request.family))

    # A conversation begins with what the user says.
    starts = [at for at, turn in enumerate(spoken) if turn["role"] == USER] or [0]
    chosen = 0
    if context:
        chosen = bisect.bisect_left(starts[:-1], True, key=lambda start: asked(start)[1] <= room)
    prompt, length = asked(starts[chosen])
    return Fitted(prompt=prompt, length=length, left_out=starts[chosen], is_cut=bool(context) and length > context)


def plain_form(turns: Sequence[Message]) -> str:
    """Return a conversation as text for a model that knows no turns, up to where the next answer begins.

    >>> plain_form([{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}])
    'Be brief.\\n\\nUser: Hello\\nAssistant:'
    """
    told = "".join(f"{turn['content']}\n\n" for turn in turns if turn["role"] == SYSTEM)
    lines = [f"{NAMES[turn['role']]}: {turn['content']}" for turn in turns if turn["role"] != SYSTEM]
    return told + "\n".join([*lines, f"{NAMES[ASSISTANT]}:"])


def as_question(text: str, codec: Codec, *, plain: str) -> Prompts:
    """Return what puts a question to a model: what its user says where it knows turns, a text that it goes on with elsewhere."""
    return [{"role": USER, "content": text}] if knows_turns(codec) else plain


def prompt_length(prompts: Sequence[Prompt]) -> int:
    """Return the number of tokens of what is asked."""
    return sum(len(tensor) for prompt in prompts for tensor in prompt.slots.values() if tensor.ndim)
