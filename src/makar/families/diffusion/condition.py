"""What an image is asked to be, by its class, its caption and its source, in the form in which the network reads them."""

import dataclasses

import torch
from torch import Tensor

from makar.nn.text_encoder import TextStates
from makar.tensor_spec import NO_CAPTION_TOKEN, PADDING_TOKEN


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Condition:
    """Conditions of a batch.

    Attributes:
        label: Class of every example, the number of classes for none; ``None`` where the model has no classes.
        text: Captions that were read; ``None`` where the model has no captions.
        source: Sources at the size of the images ``[batch, planes, height, width]``; ``None`` where the model is given none.
            Of clips what is known of them (``filling``); ``None`` where nothing is.
        alone: Of clips which are single pictures, bool ``[batch]``: their frames know nothing of each other; ``None`` where none is.
    """

    label: Tensor | None = None
    text: TextStates | None = None
    source: Tensor | None = None
    alone: Tensor | None = None


def no_captions(like: Tensor) -> Tensor:
    """Return captions that say that there is none, in the shape of others."""
    captions = torch.full_like(like, PADDING_TOKEN)
    captions[:, 0] = NO_CAPTION_TOKEN
    return captions
