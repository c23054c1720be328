"""What images are asked to be by class and caption (``makar.families.asked``), and the source that each is to be found to."""

import dataclasses
from typing import NamedTuple

import torch
from torch import Tensor

from makar.errors import UnsupportedError
from makar.families.asked import Asking
from makar.families.diffusion.config import DiffusionConfig
from makar.families.diffusion.options import ImageOptions
from makar.families.family import Batch
from makar.tensor_spec import SOURCE


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Wanted:
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


class Wanting:
    """Reads what is asked for.

    Args:
        config: Says whether the model is given a source.
        asking: Reads classes and captions.
    """

    def __init__(self, config: DiffusionConfig, asking: Asking) -> None:
        self._config = config
        self._asking = asking

    def read(self, options: ImageOptions, prompt: Batch, draw: Tensor, *, is_edit: bool = False) -> Wanted:
        """Return what one image is asked to be; an image that is found to a source is of no class unless one is asked for.

        Args:
            options: The controls.
            prompt: The slots of the example, without those of an edit.
            draw: A uniform number, which chooses the class.
            is_edit: Whether an image is given.

        Raises:
            UnsupportedError: The model cannot honour the prompt or a control, or there is no source.
            UnknownNameError: The label is not a class of the model.
        """
        has_source = self._config.has_source
        source = self._source(options, prompt)
        rest = {name: value for name, value in prompt.items() if name != SOURCE or not has_source}
        label, caption = self._asking.read(options, rest, draw, is_edit=is_edit or has_source)
        return Wanted(label=label, caption=caption, source=source)

    def guidance(self, options: ImageOptions, wanted: list[Wanted]) -> float:
        """Return the weight of guidance for a batch.

        Raises:
            UnsupportedError: There is nothing to be guided to, or a negative prompt with a weight that does not lead away from it.
        """
        if not self._config.source_is_vector:
            return self._asking.guidance(options, [(one.label, one.caption) for one in wanted])
        # Unlike an image that another is found to, a vector is asked for as a caption is.
        asked = [(one.label, one.source if one.caption is None else one.caption) for one in wanted]
        return self._asking.guidance(options, asked)

    def nothing(self, wanted: Wanted, negative_prompt: str | None) -> Wanted:
        """Return what guidance leads away from: images in general, or what a negative prompt says; of the same source, or of no vector."""
        label, caption = self._asking.nothing(negative_prompt)
        source = wanted.source
        if source is not None and self._config.source_is_vector:
            source = torch.zeros_like(source)
        return Wanted(label=label, caption=caption, source=source)

    def rows(self, wanted: list[Wanted], *, source_noise: float | None) -> Rows:
        """Return what a batch is asked to be as tensors.

        Args:
            wanted: Of each example.
            source_noise: How noisy the sources are, as a share of the noisiest in training; ``None`` for clean ones.
        """
        label, caption = self._asking.rows([(one.label, one.caption) for one in wanted])
        if not self._config.has_source:
            return Rows(label=label, caption=caption, source=None, amount=None)
        source = torch.stack([one.source for one in wanted if one.source is not None])
        amount = torch.full((len(wanted),), (source_noise or 0.0) * self._config.source_noise)
        return Rows(label=label, caption=caption, source=source, amount=amount)

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
        for name, value in (("strength", options.strength), ("style", options.style)):
            if value is not None:
                raise UnsupportedError(
                    f"{name} {value:g} for a model that was trained to {config.source_edit}",
                    expected=f"no {name}: it begins from noise",
                )
        if options.source_noise is not None and not config.source_noise:
            raise UnsupportedError(
                f"a source with noise {options.source_noise:g}", expected="a model that was trained on noisy sources"
            )
        shape = (config.source_channels, config.source_height, config.source_width)
        if tuple(prompt[SOURCE].shape) != shape:
            raise UnsupportedError(
                f"{SOURCE} has shape {list(prompt[SOURCE].shape)}", expected=f"{list(shape)}, that of the model"
            )
        return prompt[SOURCE]
