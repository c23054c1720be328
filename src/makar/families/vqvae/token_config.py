"""Settings that autoencoders of tokens share; no torch."""

import abc
import dataclasses
from typing import ClassVar, Literal, Self

from makar.config import setting
from makar.families.family_config import FamilyConfig
from makar.tensor_spec import Slot

FEATURE_STEP = 8
LARGEST_FEATURES = 768


@dataclasses.dataclass(frozen=True, kw_only=True)
class TokenAutoencoderConfig(FamilyConfig, abc.ABC):
    """Settings of an autoencoder with discrete codes."""

    batching: ClassVar[Literal["items", "windows"]] = "items"
    edits: ClassVar[tuple[str, ...]] = ("reconstruct",)

    code_width: int = setting(32, meaning="length of a code that is learned", minimum=2, maximum=1024)
    decay: float = setting(
        0.99, meaning="share of the running means behind the codes that stays at each step", minimum=0.0, maximum=0.9999
    )
    restart_share: float = setting(
        0.05,
        meaning="a code used less than this share of the even use is moved onto a vector of the batch; 0 never",
        minimum=0.0,
        maximum=1.0,
    )
    commitment: float = setting(
        0.25, meaning="weight of the distance between the encoder's vectors and their codes", minimum=0.0
    )

    @abc.abstractmethod
    def latents(self) -> Slot:
        """Return what ``encode`` makes of one example."""

    def scaled_to(self, parameters: int) -> Self:
        """Return the copy whose features bring it nearest to this many parameters; the shape stays."""
        counts = {
            features: self.changed(features=features).parameter_count()
            for features in range(FEATURE_STEP, LARGEST_FEATURES + 1, FEATURE_STEP)
        }
        return self.changed(features=min(counts, key=lambda features: abs(counts[features] - parameters)))
