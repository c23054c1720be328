"""Images from noise along learned velocities: flow matching with a small U-Net, with or without classes.

The loss is the mean squared error of the velocity at logit-normal times (``path``, ``time_sampling``), in float32 whatever the network
computes in. Classes are forgotten in a share of the examples, so that the same network also knows the velocity without a class and can
be guided (Ho and Salimans 2022, arXiv 2207.12598). The optimum of the loss is the conditional mean of the velocity (Lipman et al. 2022,
arXiv 2210.02747, theorem 2).
"""

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from makar.errors import TensorMismatchError
from makar.families.diffusion import path
from makar.families.diffusion.config import DiffusionConfig
from makar.families.diffusion.network import VelocityNetwork
from makar.families.diffusion.options import ImageOptions
from makar.families.diffusion.preconditioning import SMALLEST_DEVIATION
from makar.families.diffusion.sampler import ImageSampler
from makar.families.diffusion.time_sampling import training_times, validation_times
from makar.families.family import Batch, Family, Loss, OnnxPart, ParameterGroup, Phase
from makar.families.logits_hook import LogitsHook, refuse_hook
from makar.nn.initialisation import initialise_modules
from makar.tensor_spec import CLASS, TARGET

STATISTICS_BATCHES = 64
"""Batches looked at for mean and deviation of the data."""

_TYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


class DiffusionFamily(Family):
    """Flow matching over images.

    Args:
        config: Sizes, bound to what the codec makes.

    Attributes:
        precision: Number format that the network computes in, ``"float32"`` or ``"bfloat16"``; weights and loss stay float32.
    """

    options: ClassVar[type[ImageOptions]] = ImageOptions
    concurrent: ClassVar[bool] = True

    def __init__(self, config: DiffusionConfig) -> None:
        super().__init__()
        self.config: DiffusionConfig = config
        self.precision = "float32"
        self.network = VelocityNetwork(config)

    def initialise(self, generator: torch.Generator) -> None:
        """Draw every weight; the network then starts as the best linear guess."""
        initialise_modules(self.network, generator)

    def initialise_from_data(self, batches: Iterable[Batch]) -> None:
        """Take mean and deviation of each channel from a few batches."""
        count, total, squares = 0, torch.zeros(()), torch.zeros(())
        for batch in islice(batches, STATISTICS_BATCHES):
            values = batch[TARGET].double().transpose(0, 1).flatten(1)
            count += values.shape[1]
            total, squares = total + values.sum(1), squares + values.square().sum(1)
        if not count:
            return
        mean = total / count
        deviation = (squares / count - mean.square()).clamp(min=0).sqrt().clamp(min=SMALLEST_DEVIATION)
        self.network.data_mean.copy_(mean[:, None, None])
        self.network.data_deviation.copy_(deviation[:, None, None])

    def phases(self) -> list[Phase]:
        """One phase: the velocity."""
        return [Phase(name="velocity", groups=[ParameterGroup(parameters=list(self.parameters()))], loss=self._loss)]

    def prepare(self, batch: Batch, generator: torch.Generator) -> Batch:
        """Mirror half of the images where the configuration says that left and right do not matter."""
        if not self.config.flip:
            return batch
        data = batch[TARGET]
        mirrored = (torch.rand(len(data), generator=generator) < 0.5).to(data.device)
        return {**batch, TARGET: torch.where(mirrored[:, None, None, None], data.flip(-1), data)}

    def velocity(self, point: Tensor, time: Tensor, label: Tensor | None) -> Tensor:
        """Return the velocity at each point in the number format of ``precision``, as float32."""
        self.network.unet.compute_type = _TYPES[self.precision]
        return self.network(point, time, label)

    def _loss(self, batch: Batch, generator: torch.Generator) -> Loss:
        data, config = batch[TARGET], self.config
        count = len(data)
        noise = torch.randn(data.shape, generator=generator).to(data.device)
        time = training_times(count, mean=config.time_mean, deviation=config.time_deviation, generator=generator)
        label = None
        if config.classes:
            forgotten = (torch.rand(count, generator=generator) < config.class_dropout).to(data.device)
            label = torch.where(forgotten, config.classes, batch[CLASS])
        return self._error(data, noise, time.to(data.device), label)

    def validation_loss(self, batch: Batch, generator: torch.Generator) -> Loss:
        """Return the error at evenly spread times, with every class known and nothing mirrored."""
        data = batch[TARGET]
        noise = torch.randn(data.shape, generator=generator).to(data.device)
        time = validation_times(len(data)).to(data.device)
        with torch.no_grad():
            return self._error(data, noise, time, batch[CLASS] if self.config.classes else None)

    def _error(self, data: Tensor, noise: Tensor, time: Tensor, label: Tensor | None) -> Loss:
        predicted = self.velocity(path.point(noise, data, time), time, label)
        return Loss(value=F.mse_loss(predicted, path.velocity(noise, data)), count=len(data), unit="mse")

    def sampler(self, codec: Any, *, hook: LogitsHook | None = None) -> ImageSampler:
        """Return a sampler over the current weights; class names and their frequencies come from the codec."""
        refuse_hook(hook)
        counts: dict[str, int] = codec.class_counts if self.config.classes else {}
        return ImageSampler(
            self.velocity, config=self.config, device=self.network.data_mean.device, class_counts=counts
        )

    def tensors(self) -> dict[str, Tensor]:
        """Return weights, and the statistics of the data, under the names of the network's parts."""
        return dict(self.network.state_dict())

    def load_tensors(self, tensors: Mapping[str, Tensor]) -> None:
        """Take every tensor; names and shapes must be exactly those of ``tensors``."""
        own = self.tensors()
        problems = [f"missing: {name}" for name in own if name not in tensors]
        problems += [f"unexpected: {name}" for name in tensors if name not in own]
        problems += [
            f"{name} is {tuple(tensors[name].shape)} instead of {tuple(value.shape)}"
            for name, value in own.items()
            if name in tensors and tensors[name].shape != value.shape
        ]
        if problems:
            raise TensorMismatchError(
                "the tensors do not fit this image model:\n  " + "\n  ".join(problems),
                expected="exactly the tensors of its configuration",
                do="use the configuration that was saved with them",
            )
        with torch.no_grad():
            for name, value in own.items():
                value.copy_(tensors[name])

    def onnx_parts(self) -> list[OnnxPart]:
        """Return the velocity network in float32: point, time and, with classes, label to velocity."""
        config = self.config
        network = VelocityNetwork(config).eval()
        network.load_state_dict({name: value.detach().float().cpu() for name, value in self.tensors().items()})
        inputs = {
            "point": torch.zeros(2, config.channels, config.height, config.width),
            "time": torch.full((2,), 0.5),
        }
        if config.classes:
            inputs["label"] = torch.zeros(2, dtype=torch.int64)
        part: nn.Module = network
        return [
            OnnxPart(
                name="velocity",
                module=part,
                inputs=inputs,
                outputs=("velocity",),
                dynamic={name: {0: "batch"} for name in inputs},
            )
        ]
