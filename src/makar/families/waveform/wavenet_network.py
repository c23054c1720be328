"""The network of WaveNet over a whole window at once: every sample from those before it, by dilated causal convolutions with gates.

Positions come last but one, so that a convolution is one matrix product of a sample and its earlier taps. The first filter (two taps over
one-hot samples, as in the paper) is a sum of two tables. What all layers say is joined and multiplied once. Source: van den Oord et al.
2016, arXiv 1609.03499, equations 2 (the gate) and 3 (what it is told), figure 4.
"""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from makar.families.waveform.wavenet_config import LEVELS, PICTURE_TAPS, WavenetConfig


def drawn_linear(layer: nn.Linear, generator: torch.Generator, *, scale: float = 1.0) -> None:
    """Draw the weights of a layer with variance scale^2 / inputs, and set its bias to zero."""
    with torch.no_grad():
        layer.weight.normal_(0.0, scale / math.sqrt(layer.in_features), generator=generator)
        if layer.bias is not None:
            layer.bias.zero_()


class WavenetNetwork(nn.Module):
    """The stack.

    Args:
        config: Its sizes.
    """

    def __init__(self, config: WavenetConfig) -> None:
        super().__init__()
        self.config = config
        width, skip, depth = config.channels, config.skip_channels, len(config.dilations)
        self.latest = nn.Embedding(LEVELS + 1, width)
        self.before = nn.Embedding(LEVELS + 1, width)
        self.gates = nn.ModuleList(nn.Linear(config.taps * width, 2 * width) for _ in range(depth))
        self.residuals = nn.ModuleList(nn.Linear(width, width) for _ in range(depth - 1))
        self.skips = nn.Linear(depth * width, skip)
        self.hidden = nn.Linear(skip, skip)
        self.logits = nn.Linear(skip, LEVELS)
        self.classes = nn.Embedding(config.classes, depth * 2 * width) if config.classes else None
        self.reading = nn.Linear(PICTURE_TAPS * config.bands, 2 * width) if config.bands else None
        self.telling = nn.Linear(2 * width, depth * 2 * width, bias=False) if config.bands else None

    def initialise(self, generator: torch.Generator) -> None:
        """Draw every weight; what is said of the next sample begins the same for all."""
        for table in (self.latest, self.before):
            with torch.no_grad():
                table.weight.normal_(0.0, 0.7, generator=generator)
        for layer in [*self.gates, *self.residuals, self.skips, self.hidden]:
            assert isinstance(layer, nn.Linear)
            drawn_linear(layer, generator)
        drawn_linear(self.logits, generator, scale=0.1)
        if self.classes is not None:
            with torch.no_grad():
                self.classes.weight.normal_(0.0, 0.1, generator=generator)
        if self.reading is not None and self.telling is not None:
            drawn_linear(self.reading, generator)
            drawn_linear(self.telling, generator, scale=0.5)

    def told(
        self, classes: Int[Tensor, " batch"] | None, picture: Float[Tensor, "batch bands frames"] | None
    ) -> Float[Tensor, "batch frames gates"] | None:
        """Return what is added within the gates of all layers: one row for every frame, one for all without a picture.

        Args:
            classes: Numbers of the classes; ``None`` where there are none.
            picture: -1..1; ``None`` where none is given.
        """
        found: Tensor | None = None
        if self.reading is not None and self.telling is not None:
            assert picture is not None
            wide = F.pad(picture.transpose(1, 2), (0, 0, PICTURE_TAPS // 2, PICTURE_TAPS // 2), value=-1.0)
            seen = torch.cat([wide[:, tap : tap + picture.shape[2]] for tap in range(PICTURE_TAPS)], dim=2)
            found = self.telling(F.gelu(self.reading(seen)))
        if self.classes is not None:
            assert classes is not None
            of_class = self.classes(classes)[:, None]
            found = of_class if found is None else found + of_class
        return found

    def forward(
        self,
        given: Int[Tensor, "batch length"],
        told: Float[Tensor, "batch frames gates"] | None,
        places: Int[Tensor, "batch length"] | None,
    ) -> Float[Tensor, "batch length levels"]:
        """Return the logits of every sample.

        Args:
            given: The sample before each; ``LEVELS`` where there is none.
            told: From ``told``.
            places: Which of its rows holds at every sample; ``None`` where there is only one.
        """
        width, taps = self.config.channels, self.config.taps
        earlier = F.pad(given, (1, 0), value=LEVELS)[:, :-1]
        stream = self.latest(given) + self.before(earlier)
        length = stream.shape[1]
        said = []
        for number, dilation in enumerate(self.config.dilations):
            reach = (taps - 1) * dilation
            padded = F.pad(stream, (0, 0, reach, 0))
            seen = torch.cat([padded[:, tap * dilation : tap * dilation + length] for tap in range(taps)], dim=2)
            gate = self.gates[number](seen)
            if told is not None:
                own = told[:, :, 2 * width * number : 2 * width * (number + 1)]
                gate = gate + (own if places is None else own.gather(1, places[:, :, None].expand(-1, -1, 2 * width)))
            opened = torch.tanh(gate[..., :width]) * torch.sigmoid(gate[..., width:])
            said.append(opened)
            if number < len(self.residuals):
                stream = stream + self.residuals[number](opened)
        hidden = self.hidden(F.relu(self.skips(torch.cat(said, dim=2))))
        logits: Tensor = self.logits(F.relu(hidden))
        return logits


def places_of(start: Int[Tensor, " batch"], length: int, *, hop: int, frames: int) -> Int[Tensor, "batch length"]:
    """Return the frame that is nearest to every sample of windows.

    Args:
        start: Sample at which each window begins; a frame is centred on its first sample.
        length: Samples of a window.
        hop: Samples of a frame.
        frames: How many there are.
    """
    samples = start[:, None] + torch.arange(length, device=start.device)
    return ((samples + hop // 2) // hop).clamp(max=frames - 1)
