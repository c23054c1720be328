"""Settings of an adapter of a model of text: which model it changes, how, at what rank, which layers; no torch.

LoRA, rsLoRA and DoRA are one arithmetic (``makar.nn.low_rank``). With ``bits`` 4 the model that is adapted is kept in 4 bits while the
adapter learns (QLoRA: Dettmers et al. 2023, arXiv 2305.14314); the adapter itself is the same and serves the exact model.
"""

import dataclasses
import math
from collections.abc import Mapping
from typing import ClassVar

from makar.config import Config, setting
from makar.errors import ConfigError, UnknownNameError

LORA, RSLORA, DORA, QLORA = "lora", "rslora", "dora", "qlora"
METHODS = (LORA, RSLORA, DORA)
ADAPTERS = (*METHODS, QLORA)
"""What ``--adapter`` takes; ``qlora`` is ``lora`` over a model in 4 bits."""
LARGEST_RANK = 1024
ADAPTER_FILE, ADAPTER_SETTINGS = "adapter_model.safetensors", "adapter_config.json"
"""Where PEFT looks for weights and settings of an adapter."""
WHOLE = ("embed_tokens", "lm_head")
"""Layers that may be learned as a whole: those with a row for every token."""
FROZEN_BYTES = {16: 4.0, 4: 0.5625}
"""Bytes of a frozen weight, by ``bits``: as many as products in float32 want, which are halved where they run in bfloat16."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class AdapterConfig(Config):
    """A change of low rank that is learned instead of the weights."""

    kind: ClassVar[str] = ""

    base: str = setting("", meaning="hash of the model that is changed: of its signed manifest, or of its files")
    method: str = setting(
        LORA, meaning="how the two matrices count, and whether lengths of rows are learned", choices=METHODS
    )
    rank: int = setting(16, meaning="rank of the change", minimum=1, maximum=LARGEST_RANK)
    alpha: float = setting(
        32.0, meaning="the change counts alpha / rank; with rslora alpha / sqrt(rank)", minimum=1e-3, maximum=1e4
    )
    targets: tuple[str, ...] = setting(
        (), meaning="names of the layers that are changed; none is every one in the blocks"
    )
    whole: tuple[str, ...] = setting(
        (), meaning="layers that are learned as a whole: embed_tokens, lm_head; needed for new tokens"
    )
    bits: int = setting(16, meaning="bits of a frozen weight while the adapter learns", choices=(4, 16))

    def check(self) -> None:
        """Check the fields and the names of what is learned as a whole."""
        super().check()
        if wrong := [name for name in self.whole if name not in WHOLE]:
            raise UnknownNameError("layer that is learned as a whole", wrong[0], WHOLE)
        if len(set(self.targets)) < len(self.targets):
            raise ConfigError(f"targets are {', '.join(self.targets)}", expected="each name once")

    @property
    def scale(self) -> float:
        """What the product of the two matrices is multiplied by."""
        return low_rank_scale(self.alpha, self.rank, is_stabilised=self.method == RSLORA)

    def chosen(self, known: Mapping[str, object]) -> tuple[str, ...]:
        """Return the names of the layers that are changed.

        Args:
            known: The layers that there are, by name.

        Raises:
            UnknownNameError: A target is none of them.
        """
        if wrong := [name for name in self.targets if name not in known]:
            raise UnknownNameError("layer to adapt", wrong[0], known)
        return self.targets or tuple(known)

    def parameter_count(self, sizes: Mapping[str, tuple[int, int]]) -> int:
        """Return what is learned of some layers.

        Args:
            sizes: Inputs and outputs of each layer, summed over the layers of that name.
        """
        lengths = self.method == DORA
        widths = (sizes[name] for name in self.chosen(sizes))
        return sum(self.rank * (inputs + outputs) + lengths * outputs for inputs, outputs in widths)

    def scaled_to(self, parameters: int, sizes: Mapping[str, tuple[int, int]]) -> "AdapterConfig":
        """Return a copy with the rank that has about so many parameters."""
        one = self.changed(rank=1, method=LORA).parameter_count(sizes)
        return self.changed(rank=min(LARGEST_RANK, max(1, round(parameters / max(1, one)))))


def low_rank_scale(alpha: float, rank: int, *, is_stabilised: bool) -> float:
    """Return the factor on the product of both matrices: alpha / rank, or alpha / sqrt(rank) where it is rank-stabilised.

    >>> low_rank_scale(32.0, 16, is_stabilised=False), low_rank_scale(32.0, 16, is_stabilised=True)
    (2.0, 8.0)
    """
    return alpha / (math.sqrt(rank) if is_stabilised else rank)


def adapter_of(name: str, *, base: str) -> AdapterConfig:
    """Return the adapter that ``--adapter NAME`` asks for.

    Raises:
        UnknownNameError: There is no such kind.
    """
    if name not in ADAPTERS:
        raise UnknownNameError("adapter", name, ADAPTERS)
    return AdapterConfig(base=base, method=LORA if name == QLORA else name, bits=4 if name == QLORA else 16)
