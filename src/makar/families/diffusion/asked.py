"""What images are asked to be: class, caption and source of each example from prompt and controls, and how strongly they are insisted on.

What a model cannot honour is refused, and so is a control that would change nothing: guidance of a model that knows neither classes nor
captions, or a negative prompt without guidance to lead away from it.
"""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from makar.errors import UnknownNameError, UnsupportedError
from makar.families.diffusion.config import DiffusionConfig
from makar.families.diffusion.options import PROMPT_GUIDANCE, ImageOptions
from makar.families.family import Batch
from makar.tensor_spec import CAPTION, CLASS, NO_CAPTION_TOKEN, PADDING_TOKEN, SOURCE


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Asked:
    """What one image is asked to be.

    Attributes:
        label: Number of the class, the number of classes for none; ``None`` where the model has no classes.
        caption: Tokens of the caption, ``None`` for none.
        source: The image that it is to be found to; ``None`` where the model is given none.
    """

    label: int | None = None
    caption: Tensor | None = None
    source: Tensor | None = None


class Rows(NamedTuple):
    """What a batch is asked to be: classes, caption tokens, sources and how noisy they are; ``None`` for what the model does not know."""

    label: Tensor | None
    caption: Tensor | None
    source: Tensor | None
    amount: Tensor | None


class Asking:
    """Reads what is asked for.

    Args:
        config: Says whether the model knows classes and captions.
        class_counts: Training images of each class by name, in the order of the class numbers.
        encode_caption: From text to caption tokens; ``None`` where the model has no captions.
    """

    def __init__(
        self,
        config: DiffusionConfig,
        *,
        class_counts: dict[str, int],
        encode_caption: Callable[[str], np.ndarray] | None,
    ) -> None:
        self._config = config
        self._names = list(class_counts)
        self._shares = torch.tensor([float(count) for count in class_counts.values()])
        self._encode_caption = encode_caption

    def read(self, options: ImageOptions, prompt: Batch, draw: Tensor, *, is_edit: bool = False) -> Asked:
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
        source = self._source(options, prompt)
        unknown = set(prompt) - {CLASS, CAPTION} - ({SOURCE} if config.has_source else set())
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
        label = None
        if config.classes:
            label = self._label(options, prompt, draw, is_edit=is_edit or config.has_source)
        return Asked(label=label, caption=prompt.get(CAPTION), source=source)

    def _source(self, options: ImageOptions, prompt: Batch) -> Tensor | None:
        config = self._config
        if not config.has_source:
            if options.source_noise is not None:
                raise UnsupportedError(
                    "the noise of a source was given, and this model is given no source", expected="no such control"
                )
            return None
        if SOURCE not in prompt:
            raise UnsupportedError(
                f"this model makes nothing from nothing: it can {config.source_edit}",
                expected="an image",
                do='makar edit MODEL FILE, or train with the recipe "image" to make new images',
            )
        if options.strength is not None:
            raise UnsupportedError(
                f"strength {options.strength:g} for a model that was trained to {config.source_edit}",
                expected="no strength: it begins from noise",
            )
        if options.source_noise is not None and not config.source_noise:
            raise UnsupportedError(
                f"a source with noise {options.source_noise:g}", expected="a model that was trained on noisy sources"
            )
        source = prompt[SOURCE]
        shape = (config.source_channels, config.source_height, config.source_width)
        if tuple(source.shape) != shape:
            raise UnsupportedError(
                f"{SOURCE} has shape {list(source.shape)}", expected=f"{list(shape)}, that of the model"
            )
        return source

    def _label(self, options: ImageOptions, prompt: Batch, draw: Tensor, *, is_edit: bool) -> int:
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

    def guidance(self, options: ImageOptions, asked: list[Asked]) -> float:
        """Return the weight of guidance for a batch.

        Raises:
            UnsupportedError: There is nothing to be guided to, or a negative prompt with a weight that does not lead away from it.
        """
        is_asked = self._config.classes or any(one.caption is not None for one in asked)
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

    def nothing(self, asked: Asked, negative_prompt: str | None) -> Asked:
        """Return what guidance leads away from: images in general, or what a negative prompt says; of the same source."""
        caption = None
        if negative_prompt is not None and self._encode_caption is not None:
            caption = torch.from_numpy(np.asarray(self._encode_caption(negative_prompt), np.int64))
        return Asked(label=self._config.classes, caption=caption, source=asked.source)

    def rows(self, asked: list[Asked], *, source_noise: float | None) -> Rows:
        """Return what a batch is asked to be as tensors.

        Args:
            asked: Of each example.
            source_noise: How noisy the sources are, as a share of the noisiest in training; ``None`` for clean ones.
        """
        config = self._config
        label = caption = source = amount = None
        if config.classes:
            label = torch.tensor([one.label for one in asked], dtype=torch.int64)
        if config.caption_length:
            caption = torch.full((len(asked), config.caption_length), PADDING_TOKEN, dtype=torch.int64)
            caption[:, 0] = NO_CAPTION_TOKEN
            for row, one in zip(caption, asked):
                if one.caption is not None:
                    row.copy_(one.caption)
        if config.has_source:
            source = torch.stack([one.source for one in asked if one.source is not None])
            amount = torch.full((len(asked),), (source_noise or 0.0) * config.source_noise)
        return Rows(label=label, caption=caption, source=source, amount=amount)
