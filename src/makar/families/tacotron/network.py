"""The networks of Tacotron: a reader of what is spoken, a decoder that says frame after frame, and a network that mends what was said.

Source: Shen et al. 2018, arXiv 1712.05884, section 2.2. The reader is three convolutions, without the recurrent layer over the text: it
runs over frames, whose units are known.
"""

import itertools
import math

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from makar.families.tacotron.config import LATER_LAYERS, READING_LAYERS, TAPS, TacotronConfig

FORGET_BIAS = 1.0
STOPS_AT_FIRST = -4.0
State = tuple[Tensor, Tensor]


class TacotronNetwork(nn.Module):
    """All of it.

    Args:
        config: The sizes.
    """

    def __init__(self, config: TacotronConfig) -> None:
        super().__init__()
        self.config = config
        width, recurrent, narrow, later = config.channels, config.recurrent, config.narrow, config.later
        told = config.together * width
        self.reading = nn.ModuleList(
            nn.Conv1d(width if layer else config.planes, width, TAPS, padding=TAPS // 2)
            for layer in range(READING_LAYERS)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(READING_LAYERS))
        self.classes = nn.Embedding(config.classes, width) if config.classes else None
        self.seeing = nn.ModuleList([nn.Linear(config.bands, narrow), nn.Linear(narrow, narrow)])
        self.decoder = nn.LSTM(narrow + told, recurrent, num_layers=2, batch_first=True)
        self.saying = nn.Linear(recurrent + told, config.together * config.bands)
        self.stopping = nn.Linear(recurrent + told, 1)
        ends = [config.bands, *[later] * (LATER_LAYERS - 1), config.bands]
        self.mending = nn.ModuleList(
            nn.Conv1d(before, after, TAPS, padding=TAPS // 2) for before, after in itertools.pairwise(ends)
        )

    def initialise(self, generator: torch.Generator) -> None:
        """Draw every weight; what mends begins with little, and nothing stops before that was learned."""
        with torch.no_grad():
            for part in self.modules():
                if isinstance(part, nn.Conv1d | nn.Linear):
                    part.weight.normal_(0.0, 1.0 / math.sqrt(part.weight[0].numel()), generator=generator)
                    assert part.bias is not None
                    part.bias.zero_()
                elif isinstance(part, nn.LayerNorm):
                    part.weight.fill_(1.0)
                    part.bias.zero_()
            for name, value in self.decoder.named_parameters():
                if "weight" in name:
                    value.normal_(0.0, 1.0 / math.sqrt(value.shape[1]), generator=generator)
                else:
                    value.zero_()
                    if "bias_ih" in name:
                        value[len(value) // 4 : len(value) // 2] = FORGET_BIAS
            if self.classes is not None:
                self.classes.weight.normal_(0.0, 0.3, generator=generator)
            self.stopping.bias.fill_(STOPS_AT_FIRST)
            last = self.mending[-1]
            assert isinstance(last, nn.Conv1d)
            last.weight.mul_(0.1)

    def read(
        self, planes: Float[Tensor, "batch planes frames"], classes: Int[Tensor, " batch"] | None
    ) -> Float[Tensor, "batch steps told"]:
        """Return what is spoken in every step, read with its neighbours.

        Args:
            planes: What is said of every frame.
            classes: Numbers of the voices; ``None`` where there is one.
        """
        x = planes
        for convolution, norm in zip(self.reading, self.norms, strict=True):
            x = F.gelu(norm(convolution(x).transpose(1, 2))).transpose(1, 2)
        if self.classes is not None:
            assert classes is not None
            x = x + self.classes(classes)[:, :, None]
        batch, width, frames = x.shape
        return x.transpose(1, 2).reshape(batch, frames // self.config.together, self.config.together * width)

    def see(
        self, frames: Float[Tensor, "batch steps bands"], kept: Float[Tensor, "batch steps layers narrow"]
    ) -> Float[Tensor, "batch steps narrow"]:
        """Return what the decoder sees of what was said last, through two narrow layers of which a part is left out.

        Args:
            frames: The last frame of the step before.
            kept: 0 where a channel is left out, else what makes up for those that are.
        """
        x = frames
        for number, layer in enumerate(self.seeing):
            x = F.relu(layer(x)) * kept[:, :, number]
        return x

    def say(
        self, seen: Tensor, told: Float[Tensor, "batch steps told"], state: State | None
    ) -> tuple[Tensor, Tensor, State]:
        """Return the frames of steps ``[batch, steps * together, bands]``, logits of stopping ``[batch, steps]``, and the state."""
        out, state = self.decoder(torch.cat([seen, told], dim=2), state)
        whole = torch.cat([out, told], dim=2)
        frames = self.saying(whole).reshape(len(whole), -1, self.config.bands)
        assert state is not None
        return frames, self.stopping(whole)[:, :, 0], state

    def mend(self, frames: Float[Tensor, "batch frames bands"]) -> Float[Tensor, "batch frames bands"]:
        """Return frames with what convolutions over time add."""
        x = frames.transpose(1, 2)
        for layer in self.mending[:-1]:
            x = torch.tanh(layer(x))
        return frames + self.mending[-1](x).transpose(1, 2)

    def kept(self, shape: tuple[int, int], generator: torch.Generator) -> Float[Tensor, "batch steps layers narrow"]:
        """Draw which channels the decoder sees, on the CPU.

        Args:
            shape: (batch, steps).
            generator: Source of the draws.
        """
        share = self.config.dropout
        drawn = torch.rand((*shape, len(self.seeing), self.config.narrow), generator=generator) >= share
        return drawn / (1.0 - share)
