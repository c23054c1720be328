"""Flow matching of protein backbones over the bonds between their atoms.

What flows from noise to data are the bonds of N, CA, C and O, as vectors in angstroms: the coordinates are their sums. White noise of
bonds is an ideal chain, so near and far along the chain become clear together (the noise that follows from a chain in Ingraham et al.
2023, Nature 623, 1070), and where a protein lies plays no part. The path and its velocity are those of images (``families.diffusion``).
Every example is turned onto its noise, never mirrored (as in equivariant flow matching, Klein et al. 2023, arXiv 2306.15030); as the noise
looks the same from all sides, every way that a protein can be turned is learned alike.
"""

import copy
from collections.abc import Iterable
from itertools import islice
from typing import Any, ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from makar.codecs.backbone_config import AXES, VECTORS
from makar.families.backbone.config import BackboneConfig
from makar.families.backbone.frames import turned_onto
from makar.families.backbone.network import BackboneNetwork
from makar.families.backbone.options import BackboneOptions
from makar.families.backbone.sampler import BackboneSampler
from makar.families.diffusion import path
from makar.families.diffusion.time_sampling import training_times, validation_times
from makar.families.family import Batch, Family, Loss, OnnxPart, ParameterGroup, Phase
from makar.families.logits_hook import LogitsHook, refuse_hook
from makar.nn.initialisation import initialise_modules
from makar.tensor_spec import CLASS, TARGET

UNIT = "mse"
STATISTICS_BATCHES = 16
LEAST_DEVIATION = 0.05


def existing(bonds: Float[Tensor, "batch 3 4 residues"]) -> Bool[Tensor, "batch residues"]:
    """Return which residues there are: no bond has length 0."""
    return (bonds != 0).any(2).any(1)


class BackboneFamily(Family):
    """A network that makes backbones of noise.

    Args:
        config: Sizes, bound to what the codec makes.
    """

    options: ClassVar[type[BackboneOptions]] = BackboneOptions
    concurrent: ClassVar[bool] = True

    def __init__(self, config: BackboneConfig) -> None:
        super().__init__()
        self.config: BackboneConfig = config
        self.network = BackboneNetwork(config)

    def initialise(self, generator: torch.Generator) -> None:
        """Draw every weight; the network then starts as the best linear guess."""
        initialise_modules(self.network, generator)

    def initialise_from_data(self, batches: Iterable[Batch]) -> None:
        """Take how long bonds of each kind are along one axis from a few batches."""
        total, count = torch.zeros(VECTORS), 0
        for batch in islice(batches, STATISTICS_BATCHES):
            bonds = batch[TARGET].float()
            total += bonds.square().sum((0, 1, 3)).cpu()
            count += AXES * int(existing(bonds).sum())
        if count:
            deviation = (total / count).sqrt().clamp(min=LEAST_DEVIATION)
            self.network.data_deviation.copy_(deviation[None, :, None].expand_as(self.network.data_deviation))

    def phases(self) -> list[Phase]:
        """Return the one phase: every parameter predicts the velocity."""
        return [Phase(name="velocity", groups=[ParameterGroup(parameters=list(self.parameters()))], loss=self._loss)]

    def _loss(self, batch: Batch, generator: torch.Generator) -> Loss:
        config, count = self.config, len(batch[TARGET])
        time = training_times(count, mean=config.time_mean, deviation=config.time_deviation, generator=generator)
        label = batch.get(CLASS)
        if config.classes and label is not None:
            forgotten = torch.rand(count, generator=generator) < config.class_dropout
            label = torch.where(forgotten.to(label.device), config.classes, label)
        return self._error(batch, time, label, generator)

    def validation_loss(self, batch: Batch, generator: torch.Generator) -> Loss:
        """Return the error at evenly spread times, with every class known."""
        with torch.no_grad():
            return self._error(batch, validation_times(len(batch[TARGET])), batch.get(CLASS), generator)

    def _error(self, batch: Batch, time: Tensor, label: Tensor | None, generator: torch.Generator) -> Loss:
        data = batch[TARGET].float()
        exists = existing(data)
        # The rest of the longest is nothing for all of them.
        longest = max(1, int(exists.sum(1).max()))
        data, exists = data[..., :longest], exists[:, :longest]
        noise = torch.randn(batch[TARGET].shape, generator=generator)[..., :longest].to(data.device)
        noise = noise * exists[:, None, None]
        time = time.to(data.device)
        data = turned_onto(data, noise)
        predicted = self.network.velocity(path.point(noise, data, time), time, exists, label)
        wrong = (predicted - path.velocity(noise, data)).square() * exists[:, None, None]
        residues = max(1, int(exists.sum()))
        return Loss(value=wrong.sum() / (residues * AXES * VECTORS), count=residues, unit=UNIT)

    def sampler(self, codec: Any, *, hook: LogitsHook | None = None) -> BackboneSampler:
        """Return a sampler over the current weights; lengths and names of classes come from the codec."""
        refuse_hook(hook)
        return BackboneSampler(
            self.network.velocity,
            config=self.config,
            device=self.network.data_deviation.device,
            length_counts=codec.length_counts,
        )

    def tensors(self) -> dict[str, Tensor]:
        """Return weights, and how long bonds are, under the names of the network's parts."""
        return dict(self.network.state_dict())

    def onnx_parts(self) -> list[OnnxPart]:
        """Return the velocity network: point, time and which residues exist to velocity."""
        config = self.config
        inputs = {
            "point": torch.randn(2, AXES, VECTORS, config.longest, generator=torch.Generator().manual_seed(0)),
            "time": torch.full((2,), 0.5),
            "exists": torch.ones(2, config.longest),
        }
        if config.classes:
            inputs["label"] = torch.zeros(2, dtype=torch.int64)
        return [
            OnnxPart(
                name="velocity",
                module=copy.deepcopy(self.network).eval(),
                inputs=inputs,
                outputs=("velocity",),
                dynamic={name: {0: "batch"} for name in inputs},
            )
        ]
