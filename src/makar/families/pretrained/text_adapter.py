"""An adapter of a checkpoint of transformers: layers of its network get changes of low rank, everything else is frozen.

The layers are those of transformers, ``nn.Linear`` and GPT-2's ``Conv1D``, whose weight stands on its side; each becomes one of ours
(``makar.nn.low_rank``) under the name that it had, so that what is learned is saved as PEFT names it. What is frozen becomes a buffer that
is not saved: what is learned is all there is to count, to move and to checkpoint.
"""

import functools
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from makar.families.adapter_config import DORA, AdapterConfig
from makar.nn.frozen_matrix import FrozenMatrix
from makar.nn.low_rank import AdaptedLinear, LowRank, Rows

PEFT_PREFIX = "base_model.model."
TURNED_CLASS = "Conv1D"


class AdaptedModule(nn.Module):
    """A layer of transformers with a change, and the bias that it had.

    Args:
        inner: The layer without bias.
        bias: What is added to its result.

    Attributes:
        is_plain: Whether the change is left out for now.
    """

    def __init__(self, inner: AdaptedLinear, bias: Tensor | None) -> None:
        super().__init__()
        self.inner = inner
        self.is_plain = False
        self.bias: Tensor | None
        self.register_buffer("bias", bias, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        kind = x.device.type
        dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else x.dtype
        # The way back is written out, so types are settled here and not operation by operation.
        with torch.autocast(kind, enabled=False):
            result: Tensor = self.inner.plain(x.to(dtype)) if self.is_plain else self.inner(x.to(dtype))
        return result if self.bias is None else result + self.bias.to(dtype)


def layers_in_blocks(network: nn.Module) -> Iterator[tuple[str, nn.Module, bool]]:
    """Yield name, module and whether its weight stands on its side, of every layer in the blocks of a network."""
    for name, module in network.named_modules():
        is_turned = type(module).__name__ == TURNED_CLASS
        if (is_turned or isinstance(module, nn.Linear)) and any(part.isdigit() for part in name.split(".")):
            yield name, module, is_turned


def adapt(network: nn.Module, adapter: AdapterConfig, targets: tuple[str, ...]) -> dict[str, nn.Parameter]:
    """Give layers of a network their changes and freeze everything else.

    Args:
        network: A network of transformers; it is changed.
        adapter: The adapter.
        targets: Names of the layers that are changed.

    Returns:
        What is learned, by the names that PEFT has for it.
    """
    change = LowRank(rank=adapter.rank, scale=adapter.scale, has_magnitudes=adapter.method == DORA)
    learned: dict[str, nn.Parameter] = {}
    for name, module, is_turned in list(layers_in_blocks(network)):
        above, _, last = name.rpartition(".")
        if last not in targets and adapter.bits != 4:
            continue
        weight, bias = module.weight, module.bias
        assert isinstance(weight, Tensor), "a layer has a weight"
        upright = weight.detach().T if is_turned else weight.detach()
        shape = (upright.shape[0], upright.shape[1])
        frozen = FrozenMatrix(functools.partial(Tensor.float, upright), shape, gives_up=True)
        rows = [Rows(name=name, count=upright.shape[0], is_changed=last in targets)]
        inner = AdaptedLinear(frozen, rows, change)
        learned |= {PEFT_PREFIX + key: value for key, value in inner.learned().items()}
        plain = bias.detach() if isinstance(bias, Tensor) else None
        setattr(network.get_submodule(above), last, AdaptedModule(inner, plain))
    mine = {id(value) for value in learned.values()}
    for place in list(network.modules()):
        for name, value in list(place.named_parameters(recurse=False)):
            if id(value) not in mine:
                delattr(place, name)
                place.register_buffer(name, value.detach(), persistent=False)
    return learned
