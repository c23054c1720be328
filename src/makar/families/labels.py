"""Which class an example is to be of, for families that know classes and nothing else that can be asked for in words."""

from collections.abc import Mapping
from typing import Protocol

import torch
from torch import Tensor

from makar.errors import UnknownNameError, UnsupportedError
from makar.families.family import Batch
from makar.tensor_spec import CLASS, SOURCE


class AsksForLabel(Protocol):
    """Controls that may name a class."""

    @property
    def label(self) -> str | None: ...


def refuse_other_slots(prompt: Batch, known: tuple[str, ...], *, expected: str) -> None:
    """Refuse slots that a family does not use.

    Raises:
        UnsupportedError: There is one.
    """
    if unknown := sorted(set(prompt) - set(known)):
        raise UnsupportedError(f"this model cannot use {', '.join(unknown)}", expected=expected)


def asked_class(options: AsksForLabel, prompt: Batch, draw: Tensor, *, class_counts: Mapping[str, int]) -> int:
    """Return the number of the class of one example; one that is not asked for is drawn as often as it is in the data.

    Args:
        options: The controls.
        prompt: The slots of the example.
        draw: A uniform number, which chooses the class.
        class_counts: Training examples of each class by name, in the order of their numbers; empty where there are none.

    Returns:
        The number; 0 where the model has no classes.

    Raises:
        UnsupportedError: A class is asked for and the model has none, or in two ways.
        UnknownNameError: There is no such class.
    """
    names = list(class_counts)
    if not names:
        if CLASS in prompt or options.label is not None:
            raise UnsupportedError(
                "a class was asked for, and this model has none", do='train with the recipe "wavenet-class"'
            )
        return 0
    if options.label is not None:
        if CLASS in prompt:
            raise UnsupportedError("a label and a class were both given", expected="one of them")
        if options.label not in names:
            raise UnknownNameError("label", options.label, names)
        return names.index(options.label)
    if CLASS in prompt:
        number = int(prompt[CLASS])
        if not 0 <= number < len(names):
            raise UnsupportedError(f"class {number}", expected=f"0 to {len(names) - 1}")
        return number
    shares = torch.tensor([float(count) for count in class_counts.values()])
    edges = torch.cumsum(shares / shares.sum().clamp_min(1e-9), 0)
    return min(int((draw >= edges).sum()), len(names) - 1)


def told_of_frames(prompt: Batch, *, planes: int, frames: int) -> Tensor:
    """Return what a prompt says of every frame that is to be spoken, ``[planes, 1, frames]``.

    Args:
        prompt: Slots of a prompt.
        planes: What is said of a frame.
        frames: Frames that are spoken at once.

    Raises:
        UnsupportedError: There is no text, something else is given too, or its shape is another.
    """
    refuse_other_slots(prompt, (SOURCE, CLASS), expected="a text to be spoken, and a voice at most")
    source = prompt.get(SOURCE)
    if source is None:
        raise UnsupportedError(
            "this model makes nothing from nothing: it speaks texts",
            expected="a text",
            do='train with the recipe "sound" for sounds from nothing',
        )
    if tuple(source.shape) != (planes, 1, frames):
        raise UnsupportedError(
            f"what is said of frames has shape {tuple(source.shape)}", expected=str((planes, 1, frames))
        )
    return source
