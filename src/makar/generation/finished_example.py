"""What a sampler made, as content: its pieces joined, its text as it is to be shown, the whole and what is new of it."""

from typing import Any

import numpy as np

from makar.codecs.codec import Codec
from makar.generation.prompts import EncodesPrompts, Prompt
from makar.tensor_spec import TARGET

SHOWN_TEXT = "text"
"""Slot of a sampler of text that holds what is to be shown, as UTF-8 bytes: a stop text can end inside the last token."""

Slots = dict[str, np.ndarray]


def decode_example(codec: Codec, prompt: Prompt, slots: Slots) -> tuple[Any, Any]:
    """Return (whole content, what the model made of it) of one finished example."""
    given = prompt.tokens
    if SHOWN_TEXT in slots:
        new_text = shown_text(slots)
        if prompt.is_answered:
            return new_text, new_text
        # What is only read, such as a text to translate, is no part of what is written.
        before = "" if given is None else prompt.stated
        if given is not None and (not isinstance(prompt.stated, str) or isinstance(codec, EncodesPrompts)):
            before = codec.decode({TARGET: given})
        return before + new_text, new_text
    if given is None:
        decode = None if prompt.change is None else prompt.change.decode
        content = (decode or codec.decode)(slots)
        return content, content
    whole = codec.decode({**slots, TARGET: np.concatenate([given, slots[TARGET]])})
    before = codec.decode({TARGET: given})
    # Tokens of the prompt can be half a character, which the first new token completes; then the new part begins before it.
    length = next((i for i, (a, b) in enumerate(zip(before, whole)) if a != b), min(len(before), len(whole)))
    return whole, whole[length:]


def shown_text(slots: Slots) -> str:
    """Return the text that a sampler says is to be shown."""
    return slots[SHOWN_TEXT].astype(np.uint8).tobytes().decode("utf-8", "replace")


def join_slots(parts: list[Slots]) -> Slots:
    """Join what a streaming sampler gave piece by piece along the first axis."""
    if len(parts) == 1:
        return parts[0]
    names = dict.fromkeys(name for part in parts for name in part)
    return {name: np.concatenate([part[name] for part in parts if name in part]) for name in names}
