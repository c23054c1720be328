"""What an image is asked to be: its class, its caption, or both, in the form in which the network reads it."""

import dataclasses

from torch import Tensor

from makar.nn.text_encoder import TextStates


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Condition:
    """Conditions of a batch.

    Attributes:
        label: Class of every example, the number of classes for none; ``None`` where the model has no classes.
        text: Captions that were read; ``None`` where the model has no captions.
    """

    label: Tensor | None = None
    text: TextStates | None = None
