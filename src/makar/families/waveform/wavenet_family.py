"""WaveNet as a family: the next sample, one of 256, from all before it, and from a class or a picture where there is one.

The loss is the mean negative logarithm of the probability of each sample, in bits: what it would cost to write the sound down with the
model as the code. Source: van den Oord et al. 2016, arXiv 1609.03499, equation 1.
"""

import math
from collections.abc import Iterable
from itertools import islice
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from makar.families.family import Batch, Family, Loss, OnnxPart, ParameterGroup, Phase
from makar.families.logits_hook import LogitsHook, refuse_hook
from makar.families.waveform.wavenet_config import LEVELS, WavenetConfig
from makar.families.waveform.wavenet_network import WavenetNetwork, places_of
from makar.families.waveform.wavenet_options import WavenetOptions
from makar.families.waveform.wavenet_sampler import WavenetSampler
from makar.tensor_spec import CLASS, SOURCE, TARGET

UNIT = "bits/sample"
LOOKED_AT = 32
"""Batches from which the frequency of every step is taken for a start."""


class WavenetFamily(Family):
    """A WaveNet.

    Args:
        config: Sizes, bound to what the codec makes.
    """

    options: ClassVar[type[WavenetOptions]] = WavenetOptions
    concurrent: ClassVar[bool] = True

    def __init__(self, config: WavenetConfig) -> None:
        super().__init__()
        self.config: WavenetConfig = config
        self.network = WavenetNetwork(config)

    @property
    def creates(self) -> bool:
        """Whether it makes sounds from nothing: not where it is given a picture of each."""
        return not self.config.bands

    def initialise(self, generator: torch.Generator) -> None:
        """Draw every weight."""
        self.network.initialise(generator)

    def initialise_from_data(self, batches: Iterable[Batch]) -> None:
        """Begin with how frequent every step is."""
        counts = torch.ones(LEVELS)
        for batch in islice(batches, LOOKED_AT):
            counts += torch.bincount(batch[TARGET].flatten().cpu(), minlength=LEVELS + 1)[:LEVELS]
        with torch.no_grad():
            self.network.logits.bias.copy_((counts / counts.sum()).log())

    def phases(self) -> list[Phase]:
        """One phase: the next sample."""
        return [Phase(name="next sample", groups=[ParameterGroup(parameters=list(self.parameters()))], loss=self._loss)]

    def _loss(self, batch: Batch, generator: torch.Generator) -> Loss:
        window = min(self.config.window, self.config.samples)
        # A window begins where the sound is still heard, and as often at its very beginning as a window is long.
        lengths = (batch[TARGET] < LEVELS).sum(1).clamp(min=1).cpu()
        draws = torch.rand(len(lengths), generator=generator)
        first = (draws * (lengths + window)).long() - window
        start = first.clamp(min=0).minimum((lengths - window).clamp(min=0)).to(batch[TARGET].device)
        nats, is_heard = self.nats(batch, start, window)
        count = int(is_heard.sum())
        bits = nats.sum() / max(1, count) / math.log(2)
        return Loss(value=bits, count=max(1, count), unit=UNIT)

    def nats(self, batch: Batch, start: Tensor, length: int) -> tuple[Tensor, Tensor]:
        """Return what windows of sounds cost.

        Args:
            batch: The sounds.
            start: Sample at which each window begins ``[batch]``; the network sees nothing before it but two samples.
            length: Samples of a window.

        Returns:
            float ``[batch, length]`` nats of every sample, 0 behind the end of a sound; and where there are samples.
        """
        target = F.pad(batch[TARGET], (1, 0), value=LEVELS)
        index = start[:, None] + torch.arange(length + 1, device=start.device)
        seen = target.gather(1, index)
        wanted = seen[:, 1:]
        is_heard = wanted < LEVELS
        told, places = self._told(batch, start, length)
        logits = self.network(seen[:, :-1], told, places).float()
        each = F.cross_entropy(logits.transpose(1, 2), wanted.clamp(max=LEVELS - 1), reduction="none")
        return each * is_heard, is_heard

    def _told(self, batch: Batch, start: Tensor, length: int) -> tuple[Tensor | None, Tensor | None]:
        config = self.config
        told = self.network.told(batch[CLASS] if config.classes else None, batch[SOURCE] if config.bands else None)
        if not config.bands:
            return told, None
        return told, places_of(start, length, hop=config.hop, frames=config.frames)

    def validation_loss(self, batch: Batch, generator: torch.Generator) -> Loss:
        """Return bits a sample of windows at drawn places."""
        with torch.no_grad():
            return self._loss(batch, generator)

    def sampler(self, codec: Any, *, hook: LogitsHook | None = None) -> WavenetSampler:
        """Return a sampler over the current weights."""
        refuse_hook(hook)
        return WavenetSampler(self.network, class_counts=codec.class_counts, rate_hz=codec.config.rate_hz)

    def tensors(self) -> dict[str, Tensor]:
        """Return every weight."""
        return dict(self.network.state_dict())

    def onnx_parts(self) -> list[OnnxPart]:
        """Return the network over a window: the sample before each, and what it is told, to the logits of each."""
        config = self.config
        network = WavenetNetwork(config).eval()
        network.load_state_dict({name: value.detach().float().cpu() for name, value in self.tensors().items()})
        inputs: dict[str, Tensor] = {"given": torch.zeros(2, config.window, dtype=torch.int64)}
        dynamic: dict[str, dict[int, str]] = {"given": {0: "batch"}}
        if config.classes:
            inputs["classes"] = torch.zeros(2, dtype=torch.int64)
            dynamic["classes"] = {0: "batch"}
        if config.bands:
            frames = -(-config.window // config.hop)
            inputs["picture"] = torch.zeros(2, config.bands, frames)
            dynamic["picture"] = {0: "batch"}
        return [
            OnnxPart(
                name="next_sample", module=_Window(network, config), inputs=inputs, outputs=("logits",), dynamic=dynamic
            )
        ]


class _Window(nn.Module):
    """The network over a window that begins with a frame."""

    def __init__(self, network: WavenetNetwork, config: WavenetConfig) -> None:
        super().__init__()
        self.network, self.config = network, config

    def forward(self, given: Tensor, first: Tensor | None = None, second: Tensor | None = None) -> Tensor:
        """Return logits ``[batch, window, levels]``; what it is told comes in the order of its inputs, classes first."""
        config = self.config
        classes = first if config.classes else None
        picture = (second if config.classes else first) if config.bands else None
        places = None
        if picture is not None:
            start = torch.zeros(1, dtype=torch.int64)
            found = places_of(start, config.window, hop=config.hop, frames=picture.shape[2])
            places = found.expand(given.shape[0], -1)
        logits: Tensor = self.network(given, self.network.told(classes, picture), places)
        return logits
