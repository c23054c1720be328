"""Writes down speech: a network says at every step how likely each letter is, and learns from transcripts without any times.

The loss sums over all ways to lay the letters of a transcript over the steps, with nothing new said between (connectionist temporal
classification: Graves et al. 2006, equations 7 to 15), and is given for one letter. While training, stretches of time and ranges of pitch
are hidden (SpecAugment, Park et al. 2019, arXiv 1904.08779, section 2, without its time warp, which helped little there), the whole is made
louder or quieter, and a share of the recordings is replaced by noise: a network that never heard any hears words in it.
"""

import copy
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from makar.families.family import Batch, Family, Loss, OnnxPart, ParameterGroup, Phase
from makar.families.logits_hook import LogitsHook, refuse_hook
from makar.families.recogniser.config import TRANSCRIPT, RecogniserConfig
from makar.families.recogniser.decoding import likeliest_letters
from makar.families.recogniser.network import RecogniserNetwork
from makar.families.recogniser.options import RecogniserOptions
from makar.families.recogniser.sampler import RecogniserSampler
from makar.families.transformer.family import PRECISIONS
from makar.nn.initialisation import initialise_modules
from makar.tensor_spec import CAPTION, PADDING_TOKEN, TARGET

UNIT = "nats/letter"
SILENT = -1.0
NOISE_TILT, NOISE_DEVIATION = 0.3, 0.1
"""Of noise, in 40 dB: how much louder one end of the pitches may be, and how much it wavers (a band of white noise by about 4 dB)."""


class RecogniserFamily(Family):
    """A network that writes down speech.

    Args:
        config: Sizes, bound to what the codec makes.
    """

    options: ClassVar[type[RecogniserOptions]] = RecogniserOptions
    creates: ClassVar[bool] = False
    concurrent: ClassVar[bool] = True

    def __init__(self, config: RecogniserConfig) -> None:
        super().__init__()
        self.config: RecogniserConfig = config
        self.network = RecogniserNetwork(config)

    def initialise(self, generator: torch.Generator) -> None:
        """Draw every weight; blocks start as the identity."""
        initialise_modules(self.network, generator)

    def phases(self) -> list[Phase]:
        """Return the one phase: every parameter minimises the surprise at the transcripts."""
        matrices = [one for one in self.network.parameters() if one.ndim > 1]
        others = [one for one in self.network.parameters() if one.ndim <= 1]
        groups = [ParameterGroup(parameters=matrices), ParameterGroup(parameters=others, weight_decay=0.0)]
        return [Phase(name="transcript", groups=groups, loss=self._loss)]

    def prepare(self, batch: Batch, generator: torch.Generator) -> Batch:
        """Hide parts of every recording and change how loud it is; a few become noise in which nothing is said."""
        target = varied(batch[TARGET], self.config, generator)
        is_noise = torch.rand(len(target), generator=generator) < self.config.noise_share
        noise = noise_like(target, generator).to(target.device)
        is_noise = is_noise.to(target.device)
        return {
            **batch,
            TARGET: torch.where(is_noise[:, None, None, None], noise, target),
            CAPTION: batch[CAPTION].masked_fill(is_noise[:, None], PADDING_TOKEN),
        }

    def _loss(self, batch: Batch, generator: torch.Generator) -> Loss:
        heard = self.network(batch[TARGET], PRECISIONS[self.precision], generator)
        return _surprise(heard, batch[CAPTION])

    def validation_loss(self, batch: Batch, generator: torch.Generator) -> Loss:
        """Return the surprise with nothing hidden or left out."""
        del generator
        with torch.no_grad():
            return _surprise(self.network(batch[TARGET]), batch[CAPTION])

    def letter_chances(self, batch: Batch) -> Float[np.ndarray, "batch steps vocabulary"]:
        """Return the logarithm of the chance of every letter at every step; token 0 is nothing new."""
        with torch.inference_mode():
            chances: np.ndarray = self.network(batch[TARGET]).cpu().numpy()
        return chances

    def predict(self, batch: Batch, what: str, generator: torch.Generator) -> dict[str, np.ndarray]:
        """Return ``caption``: the letters of a transcript for each recording, int64 ``[batch, steps]``, filled up at the end."""
        if what != TRANSCRIPT:
            return super().predict(batch, what, generator)
        chances = self.letter_chances(batch)
        rows = np.full(chances.shape[:2], PADDING_TOKEN, np.int64)
        for row, heard in zip(rows, chances, strict=True):
            letters = likeliest_letters(heard, beam=self.config.beam)
            row[: len(letters)] = letters
        return {CAPTION: rows}

    def sampler(self, codec: Any, *, hook: LogitsHook | None = None) -> RecogniserSampler:
        """Return a sampler that says what this family is for."""
        del codec
        refuse_hook(hook)
        return RecogniserSampler()

    def tensors(self) -> dict[str, Tensor]:
        """Return the weights under the names of the network's parts."""
        return dict(self.network.state_dict())

    def onnx_parts(self) -> list[OnnxPart]:
        """Return the network, from frames to the chances of letters."""
        return [
            OnnxPart(
                name="recogniser",
                module=copy.deepcopy(self.network).eval(),
                inputs={"target": torch.zeros(2, self.config.mels, 1, self.config.frames)},
                outputs=("chances",),
                dynamic={"target": {0: "batch"}},
            )
        ]


def _surprise(heard: Float[Tensor, "batch steps vocabulary"], letters: Tensor) -> Loss:
    lengths = (letters != PADDING_TOKEN).sum(1)
    steps = torch.full_like(lengths, heard.shape[1])
    longest = max(1, int(lengths.max()))
    count = max(1, int(lengths.sum()))
    # Recordings that no way fits were left out by the codec; a hostile one must not make the rest infinite.
    total = F.ctc_loss(
        heard.transpose(0, 1), letters[:, :longest], steps, lengths,
        blank=PADDING_TOKEN, reduction="sum", zero_infinity=True,
    )  # fmt: skip
    return Loss(value=total / count, count=count, unit=UNIT)


def varied(
    target: Float[Tensor, "batch mels 1 frames"], config: RecogniserConfig, generator: torch.Generator
) -> Float[Tensor, "batch mels 1 frames"]:
    """Return recordings that are louder or quieter, with stretches of time and ranges of pitch hidden behind their mean.

    Hidden behind silence they would teach to hear letters in silence.

    Args:
        target: -1 to 1.
        config: How many, how long and how wide.
        generator: Source of the draws.
    """
    count, mels, _, frames = target.shape
    shift = (2 * torch.rand(count, 1, 1, 1, generator=generator) - 1) * 2 * config.loudness_shift
    # What is silent stays so: only what is heard gets louder or quieter.
    made = torch.where(target > SILENT, (target + shift.to(target.device)).clamp(-1, 1), target)
    mean = made.mean(dim=(1, 2, 3), keepdim=True)
    for masks, most, size, axis in (
        (config.time_masks, config.longest_mask, frames, 3),
        (config.band_masks, config.widest_mask, mels, 1),
    ):
        shape = [1, 1, 1, 1]
        shape[axis] = size
        places = torch.arange(size).view(shape)
        for _ in range(masks):
            length = torch.randint(0, min(most, size) + 1, (count,), generator=generator)
            start = (torch.rand(count, generator=generator) * (size - length + 1)).long()
            hidden = (places >= start.view(-1, 1, 1, 1)) & (places < (start + length).view(-1, 1, 1, 1))
            made = torch.where(hidden.to(made.device), mean, made)
    return made


def noise_like(
    target: Float[Tensor, "batch mels 1 frames"], generator: torch.Generator
) -> Float[Tensor, "batch mels 1 frames"]:
    """Return pictures of steady noise, from quiet to loud, white or louder towards one end of the pitches, on the CPU.

    Args:
        target: What they are to be as large as.
        generator: Source of the draws.
    """
    count, mels, _, frames = target.shape
    level, tilt = 2 * torch.rand(2, count, 1, 1, 1, generator=generator) - 1
    slope = NOISE_TILT * tilt * torch.linspace(-1, 1, mels).view(1, -1, 1, 1)
    return (level + slope + NOISE_DEVIATION * torch.randn(count, mels, 1, frames, generator=generator)).clamp(-1, 1)
