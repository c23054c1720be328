"""What configurations of folders of others that are used as they came have in common: hash, class, size; no torch.

As with text (``text_config``) the folder is named by the hash of its content, and what follows from it is compared when it is opened.
Nothing of it is trained here.
"""

import abc
import dataclasses
from typing import Any, ClassVar, Literal, Self

from makar.codecs.worded_sound_config import BYTE_TOKENS
from makar.config import setting
from makar.families.family_config import FamilyConfig
from makar.families.pretrained.text_config import WEIGHT_BYTES, fitting_precision
from makar.tensor_spec import CAPTION, TARGET, Slot, TensorSpec


@dataclasses.dataclass(frozen=True, kw_only=True)
class AsItCameConfig(FamilyConfig, abc.ABC):
    """A folder of others of which nothing is trained."""

    base: str = setting("", meaning="sha256 of the files of the folder, as makar.provenance.pipelines counts it")
    architecture: str = setting("", meaning="class that the folder names")
    weights: int = setting(0, meaning="weights of all of its networks", minimum=0)

    @property
    def tensors_name(self) -> str:
        """It has no tensors of its own: they stay in their folder."""
        return ""

    def bound_to(self, made: TensorSpec) -> Self:
        """Return itself: its sizes are what they are."""
        del made
        return self

    def scaled_to(self, parameters: int) -> Self:
        """Return itself: its size is what it is."""
        del parameters
        return self

    def parameter_count(self) -> int:
        """Return 0: nothing of it is trained."""
        return 0

    def computed_weights(self) -> int:
        """Return the weights of its networks."""
        return self.weights

    def training_operations(self) -> float:
        """Return the operations of a step forward."""
        return 2.0 * self.weights

    def activation_bytes(self) -> float:
        """Return an estimate of what one step forward takes: as much again as the weights."""
        return WEIGHT_BYTES * self.weights

    def frozen_bytes(self) -> float:
        """Return the memory of the networks themselves."""
        return WEIGHT_BYTES * self.weights

    def memory_plan(self, device: str, free_bytes: int) -> dict[str, Any]:
        """Return the number format that fits into the memory there is."""
        return {"device": device, "precision": fitting_precision(self.weights, device=device, free_bytes=free_bytes)}


@dataclasses.dataclass(frozen=True, kw_only=True)
class SoundCheckpointConfig(AsItCameConfig, abc.ABC):
    """A checkpoint or pipeline of others that hears or makes sounds."""

    engine: ClassVar[str] = "transformers"
    item_name: ClassVar[str] = "recording"
    batching: ClassVar[Literal["items", "windows", "ragged"]] = "ragged"

    rate_hz: int = setting(
        16_000, meaning="samples a second that it hears or makes", unit="Hz", minimum=1000, maximum=192_000
    )
    channels: int = setting(1, meaning="channels of its sounds", minimum=1, maximum=2)

    def accepts(self) -> TensorSpec:
        """Return samples, and the bytes of the words that belong to them."""
        return TensorSpec(
            {
                TARGET: Slot(kind="values", axes=("samples", "channels"), sizes=(None, self.channels)),
                CAPTION: Slot(kind="tokens", axes=("length",), sizes=(None,), vocabulary=BYTE_TOKENS, optional=True),
            }
        )
