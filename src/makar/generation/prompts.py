"""What a user asks for, turned into the slots of a model: text to continue, a description, the name or number of a class, or arrays.

What a prompt may be follows from what codec and family have in common: a model with the slot ``caption`` takes descriptions, a model with
the slot ``class`` names of its classes (or numbers), a model of text takes text (or tokens). Where a model has captions and classes, text
is a description and a number is a class. A prompt that the codec cannot write without loss is refused, never cleaned up.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch

from makar.codecs.codec import Codec
from makar.codecs.pretrained_text import PretrainedTextCodec
from makar.errors import UnknownNameError, UnsupportedError
from makar.families.family import Batch, Family
from makar.families.family_config import FamilyConfig
from makar.generation.change import Change
from makar.generation.prompt_file import Filled
from makar.tensor_spec import CAPTION, CLASS, SOURCE, TARGET

Prompts = str | int | np.ndarray | Filled | Sequence[Any] | None


@runtime_checkable
class EncodesText(Protocol):
    """A codec that turns a piece of text into tokens without the end token."""

    def encode_text(self, text: str) -> np.ndarray:
        """Return int64 tokens ``[length]``."""


@runtime_checkable
class EncodesPrompts(Protocol):
    """A codec whose prompts may tell more than how the content begins; it refuses what it was not told in training."""

    def encode_prompt(self, text: str) -> np.ndarray:
        """Return int64 tokens ``[length]``."""


@runtime_checkable
class EncodesTurns(Protocol):
    """A codec of conversations: it knows how a prompt is put to a model that answers."""

    text_is_a_turn: bool
    """Whether a text alone is something that the user says; else it is continued."""

    def encode_turns(self, messages: Sequence[Mapping[str, str]]) -> np.ndarray:
        """Return int64 tokens ``[length]`` of turns with ``role`` and ``content``, up to where the next answer begins."""


@runtime_checkable
class EncodesSources(Protocol):
    """A codec that turns a text that is read as a whole into tokens."""

    def encode_source(self, text: str) -> np.ndarray:
        """Return int64 tokens ``[length]``."""


@runtime_checkable
class EncodesCaptions(Protocol):
    """A codec that turns a description into the tokens of its ``caption``."""

    def encode_caption(self, prompt: str) -> np.ndarray:
        """Return int64 tokens ``[length]``."""


@runtime_checkable
class NamesClasses(Protocol):
    """A codec that knows names for its classes."""

    class_names: Sequence[str]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Prompt:
    """One thing asked for.

    Attributes:
        stated: What goes into the manifest: the text, the name of the class, a list of tokens, or ``None``.
        slots: What goes into the sampler.
        change: What becomes of the result, where something that was given is changed.
        is_answered: Whether the result is an answer to it and does not repeat it.
        origin: Name, version and values of the prompt file that it was filled from.
    """

    stated: Any
    slots: Batch
    change: Change | None = None
    is_answered: bool = False
    origin: Mapping[str, Any] | None = None

    @property
    def tokens(self) -> np.ndarray | None:
        """The tokens that the model continues, int64 ``[length]``; ``None`` without."""
        return self.slots[TARGET].numpy() if TARGET in self.slots else None


def read_prompts(prompts: Prompts, codec: Codec, family: Family) -> list[Prompt]:
    """Turn what was asked for into slots.

    Args:
        prompts: ``None`` for one empty prompt; one prompt; or several: a list, or an array with one prompt a row. A prompt is
            text, tokens ``[length]``, a description, the name of a class, or its number.
        codec: The codec of the model.
        family: The family of the model.

    Raises:
        UnsupportedError: The model cannot honour such a prompt; the message says what it can.
        UnknownNameError: There is no such class; the nearest is proposed.
    """
    if isinstance(prompts, Filled):
        prompts = [prompts]
    if isinstance(prompts, list) and any(isinstance(item, Filled) for item in prompts):
        return [part for item in prompts for part in _read_filled(item, codec, family)]
    accepted = family.config.accepts()
    is_rewriting = rewrites(family.config)
    if prompts is None:
        if is_rewriting and not accepted[SOURCE].optional:
            raise UnsupportedError("no text was given, and this model makes one from another", expected="a text")
        return [Prompt(stated=None, slots={})]
    takes_classes, takes_captions = (slot in codec.spec and slot in accepted for slot in (CLASS, CAPTION))
    # Tokens of an image or of a sound are no text, and what a model of them is told comes as class or caption.
    target = codec.plain.spec[TARGET]
    takes_text = target.kind == "tokens" and target.axes != ("samples",)
    if not takes_classes and not takes_captions and not takes_text:
        raise UnsupportedError(
            "this model takes no prompt",
            expected="no prompt",
            do="train with labels to choose between classes, or with captions to describe what is to be made",
        )
    if isinstance(codec, EncodesTurns) and is_conversation(prompts):
        return [_read_turns(prompts, codec)]
    listed = _listed(prompts, one_rank=1 if takes_text else 0)
    if isinstance(codec, EncodesTurns) and codec.text_is_a_turn:
        return [_read_turns(item, codec) if _is_said(item) else _read_text(item, codec) for item in listed]
    if is_rewriting:
        return [_read_source(item, codec) for item in listed]
    if takes_text:
        return [_read_text(item, codec) for item in listed]
    return [
        _read_caption(item, codec)
        if takes_captions and (isinstance(item, str) or not takes_classes)
        else _read_class(item, codec)
        for item in listed
    ]


def _read_filled(item: Any, codec: Codec, family: Family) -> list[Prompt]:
    if not isinstance(item, Filled):
        return read_prompts(item, codec, family)
    read = read_prompts(list(item.messages) if knows_turns(codec) else item.text, codec, family)
    return [dataclasses.replace(prompt, origin=item.origin, is_answered=True) for prompt in read]


def knows_turns(codec: Codec) -> bool:
    """Return whether a model is asked in a form of its own; otherwise it is asked in plain form."""
    return isinstance(codec, EncodesTurns) and not (
        isinstance(codec, PretrainedTextCodec) and codec.special.chat_template is None
    )


def answers(codec: Codec, config: FamilyConfig) -> bool:
    """Return whether what a model makes of a text is an answer alone and does not go on with it."""
    return rewrites(config) or (isinstance(codec, EncodesTurns) and codec.text_is_a_turn)


def rewrites(config: FamilyConfig) -> bool:
    """Return whether a model makes a text from another one and does not go on with it."""
    accepted = config.accepts()
    # Rows of tokens that guide a sound are no text.
    return SOURCE in accepted and accepted[SOURCE].kind == "tokens" and accepted[SOURCE].axes == ("length",)


def _listed(prompts: Any, *, one_rank: int) -> list[Any]:
    if isinstance(prompts, np.ndarray):
        return [prompts] if prompts.ndim <= one_rank else list(prompts)
    if isinstance(prompts, str | int | np.integer):
        return [prompts]
    items = list(prompts)
    if not items:
        raise UnsupportedError("an empty list of prompts", expected="at least one prompt, or none at all")
    return items


def _read_text(item: Any, codec: Codec) -> Prompt:
    vocabulary = codec.spec[TARGET].vocabulary or 0
    if isinstance(item, str):
        if not isinstance(codec, EncodesText):
            raise UnsupportedError("this model takes no text as prompt", expected="tokens")
        if not item:
            return Prompt(stated="", slots={})
        if isinstance(codec, EncodesPrompts):
            told = np.asarray(codec.encode_prompt(item), np.int64)
            return Prompt(stated=item, slots={TARGET: torch.from_numpy(told)} if len(told) else {})
        tokens = np.asarray(codec.encode_text(item), np.int64)
        back = codec.decode({TARGET: tokens})
        if back != item:
            lost = sorted({letter for letter in item if letter not in back})
            what = f"the characters {' '.join(map(repr, lost))}" if lost else "a form of text"
            raise UnsupportedError(
                f"the prompt has {what} that this model has never seen", expected="text like that it learned from"
            )
        return Prompt(stated=item, slots={TARGET: torch.from_numpy(tokens)})
    tokens = np.asarray(item)
    if (
        tokens.ndim != 1
        or tokens.dtype.kind not in "iu"
        or (tokens.size and not 0 <= tokens.min() <= tokens.max() < vocabulary)
    ):
        raise UnsupportedError(
            f"a prompt of {tokens.dtype} {list(tokens.shape)}",
            expected=f"text, or whole numbers below {vocabulary} in one row",
        )
    if not tokens.size:
        return Prompt(stated=[], slots={})
    return Prompt(stated=tokens.tolist(), slots={TARGET: torch.from_numpy(tokens.astype(np.int64))})


def is_conversation(item: Any) -> bool:
    """Whether a prompt is the turns of a conversation: dictionaries with ``role`` and ``content``."""
    return (
        isinstance(item, Sequence)
        and not isinstance(item, str)
        and bool(item)
        and all(isinstance(turn, Mapping) and {"role", "content"} <= set(turn) for turn in item)
    )


def _read_turns(item: Any, codec: EncodesTurns) -> Prompt:
    """Return what a text asks, or what the turns of a conversation come to, as the template of the model has it."""
    if isinstance(item, str) and not item:
        return Prompt(stated="", slots={})
    turns = [{"role": "user", "content": item}] if isinstance(item, str) else [dict(turn) for turn in item]
    tokens = np.asarray(codec.encode_turns(turns), np.int64)
    stated = item if isinstance(item, str) else turns
    return Prompt(stated=stated, slots={TARGET: torch.from_numpy(tokens)}, is_answered=True)


def _is_said(item: Any) -> bool:
    return isinstance(item, str) or is_conversation(item)


def _read_source(item: Any, codec: Codec) -> Prompt:
    if isinstance(item, np.ndarray):
        return Prompt(stated=item.tolist(), slots={SOURCE: torch.from_numpy(item.astype(np.int64))})
    if not isinstance(item, str) or not isinstance(codec, EncodesSources):
        raise UnsupportedError(f"the prompt {item!r}", expected="a text to write another from")
    if not item.strip():
        raise UnsupportedError("an empty text to write another from", expected="at least one word")
    return Prompt(stated=item, slots={SOURCE: torch.from_numpy(np.asarray(codec.encode_source(item), np.int64))})


def _read_caption(item: Any, codec: Codec) -> Prompt:
    if not isinstance(item, str) or not isinstance(codec, EncodesCaptions):
        raise UnsupportedError(f"the prompt {item!r}", expected="a description in words")
    if not item.strip():
        return Prompt(stated=item, slots={})
    tokens = np.asarray(codec.encode_caption(item), np.int64)
    return Prompt(stated=item, slots={CAPTION: torch.from_numpy(tokens)})


def _read_class(item: Any, codec: Codec) -> Prompt:
    names = list(codec.class_names) if isinstance(codec, NamesClasses) else []
    count = codec.spec[CLASS].vocabulary or len(names)
    if isinstance(item, str):
        if item in names:
            number = names.index(item)
        else:
            raise UnknownNameError("class", item, names or [str(number) for number in range(count)])
    else:
        array = np.asarray(item)
        if array.ndim != 0 or array.dtype.kind not in "iu" or not 0 <= int(array) < count:
            raise UnsupportedError(
                f"the class {item!r}", expected=f"the name of a class, or a number from 0 to {count - 1}"
            )
        number = int(array)
    stated = names[number] if number < len(names) else number
    return Prompt(stated=stated, slots={CLASS: torch.tensor(number, dtype=torch.int64)})
