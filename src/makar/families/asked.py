"""What images are asked to be: class and caption of each example read from prompt and controls, and how strongly they are insisted on.

What a model cannot honour is refused, and so is a control that would change nothing: guidance of a model that knows neither classes nor
captions, or a negative prompt without guidance to lead away from it.
"""

from collections.abc import Callable
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from makar.errors import UnknownNameError, UnsupportedError
from makar.families.family import Batch
from makar.families.guidance import PROMPT_GUIDANCE
from makar.tensor_spec import CAPTION, CLASS, NO_CAPTION_TOKEN, PADDING_TOKEN

Asked = tuple[int | None, Tensor | None]
"""Number of the class, the number of classes for none; and tokens of the caption, ``None`` for none."""


class KnowsConditions(Protocol):
    """A configuration that says how many classes and caption tokens a model knows; 0 is none."""

    @property
    def classes(self) -> int: ...

    @property
    def caption_length(self) -> int: ...


class AsksForConditions(Protocol):
    """Controls that say what images are to be."""

    @property
    def guidance(self) -> float | None: ...

    @property
    def label(self) -> str | None: ...

    @property
    def negative_prompt(self) -> str | None: ...


class Asking:
    """Reads what is asked for.

    Args:
        config: Says whether the model knows classes and captions.
        class_counts: Training images of each class by name, in the order of the class numbers.
        encode_caption: From text to caption tokens; ``None`` where the model has no captions.
    """

    def __init__(
        self,
        config: KnowsConditions,
        *,
        class_counts: dict[str, int],
        encode_caption: Callable[[str], np.ndarray] | None,
    ) -> None:
        self._config = config
        self._names = list(class_counts)
        self._shares = torch.tensor([float(count) for count in class_counts.values()])
        self._encode_caption = encode_caption

    def read(self, options: AsksForConditions, prompt: Batch, draw: Tensor, *, is_edit: bool = False) -> Asked:
        """Return what one image is asked to be; a class that is not given is drawn as often as it is in the data, of an edit it is none.

        Args:
            options: The controls.
            prompt: The slots of the example, without those of an edit.
            draw: A uniform number, which chooses the class.
            is_edit: Whether an image is given.

        Raises:
            UnsupportedError: The model cannot honour the prompt or a control.
            UnknownNameError: The label is not a class of the model.
        """
        config = self._config
        unknown = set(prompt) - {CLASS, CAPTION}
        if unknown:
            raise UnsupportedError(
                f"this image model cannot use {', '.join(sorted(unknown))}", expected="a class or a caption at most"
            )
        if not config.caption_length and (CAPTION in prompt or options.negative_prompt is not None):
            raise UnsupportedError(
                "a caption was given, and this model knows none", do='train with the recipe "image-text"'
            )
        if not config.classes and (CLASS in prompt or options.label is not None):
            raise UnsupportedError(
                "a class was asked for, and this model has none", do='train with the recipe "image-class"'
            )
        if not config.classes and not config.caption_length and options.guidance not in (None, 1.0):
            raise UnsupportedError(
                f"guidance {options.guidance:g} on a model without classes",
                expected="guidance 1",
                do='train with the recipe "image-class" or "image-text" to have something to guide towards',
            )
        return self._label(options, prompt, draw, is_edit=is_edit) if config.classes else None, prompt.get(CAPTION)

    def _label(self, options: AsksForConditions, prompt: Batch, draw: Tensor, *, is_edit: bool) -> int:
        classes = self._config.classes
        if options.label is not None:
            if CLASS in prompt:
                raise UnsupportedError("a label and a class were both given", expected="one of them")
            if options.label not in self._names:
                raise UnknownNameError("label", options.label, self._names)
            return self._names.index(options.label)
        if CLASS in prompt:
            label = int(prompt[CLASS])
            if not 0 <= label < classes:
                raise UnsupportedError(f"class {label}", expected=f"0 to {classes - 1}")
            return label
        if is_edit:
            return classes
        edges = torch.cumsum(self._shares / self._shares.sum(), 0)
        return min(int((draw >= edges).sum()), classes - 1)

    def guidance(self, options: AsksForConditions, asked: list[Asked]) -> float:
        """Return the weight of guidance for a batch.

        Raises:
            UnsupportedError: There is nothing to be guided to, or a negative prompt with a weight that does not lead away from it.
        """
        is_asked = self._config.classes or any(caption is not None for _, caption in asked)
        if not is_asked and options.negative_prompt is None:
            if options.guidance not in (None, 1.0):
                raise UnsupportedError(f"guidance {options.guidance:g} without a prompt", expected="a prompt")
            return 1.0
        weight = options.guidance
        if weight is None:
            weight = PROMPT_GUIDANCE if self._config.caption_length else 1.0
        if options.negative_prompt is not None and weight <= 1.0:
            raise UnsupportedError(
                f"a negative prompt with guidance {weight:g}", expected="guidance above 1, which leads away from it"
            )
        return weight

    def nothing(self, negative_prompt: str | None) -> Asked:
        """Return what guidance leads away from: images in general, or what a negative prompt says."""
        if negative_prompt is None or self._encode_caption is None:
            return self._config.classes, None
        return self._config.classes, torch.from_numpy(np.asarray(self._encode_caption(negative_prompt), np.int64))

    def rows(self, asked: list[Asked]) -> tuple[Tensor | None, Tensor | None]:
        """Return classes ``[batch]`` and caption tokens ``[batch, length]``; ``None`` for what the model does not know."""
        config = self._config
        label = caption = None
        if config.classes:
            label = torch.tensor([number for number, _ in asked], dtype=torch.int64)
        if config.caption_length:
            caption = torch.full((len(asked), config.caption_length), PADDING_TOKEN, dtype=torch.int64)
            caption[:, 0] = NO_CAPTION_TOKEN
            for row, (_, tokens) in zip(caption, asked):
                if tokens is not None:
                    row.copy_(tokens)
        return label, caption
