"""Images from noise: flow matching or a DDPM, by a U-Net or a DiT, with or without classes, captions and a source.

The loss is the mean squared error of what is predicted, in float32 whatever the network computes in: the velocity at logit-normal times
(``path``, ``time_sampling``), whose optimum is its conditional mean (Lipman et al. 2022, arXiv 2210.02747, theorem 2), or the noise at
uniform steps (``noise_schedule``; Ho et al. 2020, arXiv 2006.11239, eq. 14). Class and caption are forgotten in a share of the examples,
so that the same network also knows images in general and can be guided (Ho and Salimans 2022, arXiv 2207.12598).
"""

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from makar.errors import ConfigError
from makar.families.asked import Asking
from makar.families.diffusion import path
from makar.families.diffusion.condition import Condition, no_captions
from makar.families.diffusion.config import DiffusionConfig
from makar.families.diffusion.distillation import Told, arrival, lesson, walk
from makar.families.diffusion.few_steps import FewStepSampler
from makar.families.diffusion.filling import given_planes, random_holes, single_pictures
from makar.families.diffusion.imagined import ImaginedSampler, Imagines
from makar.families.diffusion.inflation import inflated
from makar.families.diffusion.judging import StudentJudge
from makar.families.diffusion.network import OrderedVelocity, VelocityNetwork
from makar.families.diffusion.noise_schedule import NOISE_STEPS, step_times
from makar.families.diffusion.options import ImageOptions
from makar.families.diffusion.sampler import ImageSampler
from makar.families.diffusion.source import linear_guess, placed, with_noise
from makar.families.diffusion.source_sampler import SourceSampler
from makar.families.diffusion.time_sampling import training_times, validation_times
from makar.families.diffusion.wanted import Wanting
from makar.families.family import Batch, Family, Loss, OnnxPart, ParameterGroup, Phase, Sampler
from makar.families.gan.distance import UNIT
from makar.families.logits_hook import LogitsHook, refuse_hook
from makar.nn.initialisation import initialise_modules
from makar.tensor_spec import CAPTION, CLASS, PADDING_TOKEN, SCORE, SOURCE, TARGET

STATISTICS_BATCHES = 64
"""Batches looked at for mean and deviation of the data."""

PATH_UNIT = "rms"
"""Of the error of a student on its teacher's paths."""

JUDGE = "judge."
"""Beginning of the names of the tensors of the judge."""

CONTROL = "control."
"""Beginning of the names of the tensors that steer."""

READING_RATE = 0.25
"""Learning rate of the transformer that reads captions, as a share of that of the rest; see ``makar.nn.text_encoder``."""

UNSAID = 0.5
"""Share of the examples with a vector whose caption is hidden (Ramesh et al. 2022, arXiv 2204.06125, section 2.1)."""

_TYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


class DiffusionFamily(Family):
    """Denoising of images.

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
        self.judge = StudentJudge(config) if config.judged else None

    def initialise(self, generator: torch.Generator) -> None:
        """Draw every weight; the network then starts as the best linear guess."""
        for network in self.children():
            initialise_modules(network, generator)

    def initialise_from_data(self, batches: Iterable[Batch]) -> None:
        """Take mean and deviation of each channel, and what sources linearly let expect, from a few batches."""

        def pairs() -> Iterator[tuple[Tensor, Tensor]]:
            for batch in islice(batches, STATISTICS_BATCHES):
                data = batch[TARGET]
                is_seen = self.network.source_weight is not None
                yield data, placed(batch[SOURCE], self.config) if is_seen else data[:, :0]

        guess = linear_guess(pairs())
        if guess is None:
            return
        weight, mean, deviation = guess
        self.network.data_mean.copy_(mean[:, None, None])
        self.network.data_deviation.copy_(deviation[:, None, None])
        if self.network.source_weight is not None:
            self.network.source_weight.copy_(weight)

    def begin_from(self, parent: Family, batches: Iterable[Batch]) -> None:
        """Take every tensor; what steers a model that is not steered yet begins as a copy of that one's way down; of a model of images
        a model of clips takes what looks at one frame.

        Raises:
            TensorMismatchError: The parent is of another family, or of other sizes.
        """
        control, unet = self.network.control, self.network.unet
        tensors = dict(parent.tensors())
        if (
            self.config.frames > 1
            and isinstance(parent, DiffusionFamily)
            and parent.config.frames == 1
            and unet is not None
        ):
            tensors = inflated(tensors, unet, own=self.tensors(), config=self.config)
        is_new = control is not None and not any(name.startswith(CONTROL) for name in tensors)
        if is_new:
            tensors |= {name: tensor for name, tensor in self.tensors().items() if name.startswith(CONTROL)}
        # A teacher was judged by nobody.
        self.load_tensors({**tensors, **self._judge_tensors()})
        if self.judge is not None:
            self.judge.fit(batches)
        if is_new and control is not None and unet is not None:
            control.take(unet)

    @property
    def creates(self) -> bool:
        """Whether it makes images from nothing: not with a source, unless that is a vector, which can be imagined."""
        return not self.config.has_source or self.config.source_is_vector

    def phases(self) -> list[Phase]:
        """Return what is predicted, and the judge of a student where there is one."""
        name = "velocity" if self.config.objective == "flow" else "noise"
        reader = self.network.reader
        reading = list(reader.blocks.parameters()) if reader is not None else []
        trained = [part for part in self.network.parameters() if part.requires_grad]
        reading = [part for part in reading if part.requires_grad]
        others = [part for part in trained if all(part is not one for one in reading)]
        groups = [ParameterGroup(parameters=others)]
        if reading:
            groups.append(ParameterGroup(parameters=reading, learning_rate_scale=READING_RATE))
        making = Phase(name=name, groups=groups, loss=self._loss)
        if self.judge is None:
            return [making]
        judging = [ParameterGroup(parameters=list(self.judge.parameters()))]
        every = self.judge.sizes.penalty_every
        return [
            making,
            Phase(name="judge", groups=judging, loss=self._judge, optimiser="judge", averaged=False),
            Phase(name="slope", groups=judging, loss=self._slope, optimiser="judge", averaged=False, every=every),
        ]

    def prepare(self, batch: Batch, generator: torch.Generator) -> Batch:
        """Mirror half of the images where the configuration says that left and right do not matter."""
        if not self.config.flip:
            return batch
        names = (TARGET,) if self.config.source_is_vector else (TARGET, SOURCE)
        images = {name: batch[name] for name in names if name in batch}
        mirrored = (torch.rand(len(batch[TARGET]), generator=generator) < 0.5).to(batch[TARGET].device)
        return batch | {
            name: torch.where(mirrored[:, None, None, None], image.flip(-1), image) for name, image in images.items()
        }

    def condition(
        self,
        label: Tensor | None,
        caption: Tensor | None,
        source: Tensor | None = None,
        amount: Tensor | None = None,
    ) -> Condition:
        """Read captions in the number format of ``precision``, no further than the longest of them, and place sources.

        Args:
            label: Class of each example; ``None`` where the model has no classes.
            caption: Tokens ``[batch, length]``; ``None`` where the model has no captions.
            source: Images to find others to; ``None`` where the model is given none.
            amount: Deviation of the noise in each source, as a share of the range; ``None`` for none.
        """
        self.network.compute_in(_TYPES[self.precision])
        if caption is not None:
            caption = caption[:, : int((caption != PADDING_TOKEN).sum(1).max())]
        return self.network.condition(label, caption, source, amount)

    def velocity(self, point: Tensor, time: Tensor, condition: Condition) -> Tensor:
        """Return the velocity at each point in the number format of ``precision``, as float32."""
        self.network.compute_in(_TYPES[self.precision])
        return self.network.velocity(point, time, condition)

    def _loss(self, batch: Batch, generator: torch.Generator) -> Loss:
        data, config = batch[TARGET], self.config
        count = len(data)
        noise = self._noise(data, generator)
        deviation = config.time_deviation if config.objective == "flow" else 0.0
        time = training_times(count, mean=config.time_mean, deviation=deviation, generator=generator)
        told = self._told(batch, generator)
        if config.distilled:
            error, made = self._lesson(noise, told)
            if self.judge is not None:
                error = error + config.judged * self.judge.making_loss(data, made, told[0])
            return Loss(value=error, count=count, unit=PATH_UNIT)
        return self._error(data, noise, time.to(data.device), self.condition(*told), self._weights(batch))

    def _told(self, batch: Batch, generator: torch.Generator) -> Told:
        """Return what the network is told of a batch in training: a share of classes and captions forgotten, sources with noise."""
        config, data, count = self.config, batch[TARGET], len(batch[TARGET])
        label, caption, source, amount = batch.get(CLASS), batch.get(CAPTION), batch.get(SOURCE), None
        if config.classes or config.text_width:
            forgotten = (torch.rand(count, generator=generator) < config.class_dropout).to(data.device)
            if label is not None:
                label = torch.where(forgotten, config.classes, label)
            if source is not None and config.source_is_vector:
                source = torch.where(forgotten[:, None, None, None], 0.0, source)
                # A caption that is always there would be all that is looked at.
                unsaid = torch.rand(count, generator=generator) < UNSAID
                forgotten = forgotten | unsaid.to(data.device)
            if caption is not None:
                caption = torch.where(forgotten[:, None], no_captions(caption), caption)
        if config.frames > 1:
            holes = random_holes(
                count, frames=config.frames, height=config.height, width=config.width, generator=generator
            )
            holes = holes.to(data.device) | single_pictures(data, frames=config.frames)[:, None, None, None]
            source = given_planes(data, holes)
        if source is not None and config.source_noise:
            source, amount = with_noise(source, most=config.source_noise, generator=generator)
        return label, caption, source, amount

    def _judge(self, batch: Batch, generator: torch.Generator) -> Loss:
        assert self.judge is not None
        made, label = self._arrivals(batch, generator)
        value = self.judge.judging_loss(batch[TARGET], made, label)
        return Loss(value=value, count=len(made), unit="nats")

    def _slope(self, batch: Batch, generator: torch.Generator) -> Loss:
        assert self.judge is not None
        made, label = self._arrivals(batch, generator)
        return Loss(value=self.judge.penalty(batch[TARGET], made, label), count=len(made), unit="squared slope")

    def _arrivals(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, Tensor | None]:
        """Return images of a student for what a batch says, and their classes."""
        told = self._told(batch, generator)
        with torch.no_grad():
            steps = walk(self, noise=self._noise(batch[TARGET], generator), told=told, config=self.config)
        return arrival(steps), told[0]

    def _lesson(self, noise: Tensor, told: Told) -> tuple[Tensor, Tensor]:
        teacher = self.parent
        if not isinstance(teacher, DiffusionFamily):
            raise ConfigError(
                "a distilled model learns from a teacher", expected="a model to begin from", do="--from MODEL"
            )
        teacher.precision = self.precision
        return lesson(self, teacher, noise=noise, told=told, config=self.config)

    def validation_loss(self, batch: Batch, generator: torch.Generator) -> Loss:
        """Return the error at evenly spread times, with every class and caption known, sources clean and nothing mirrored."""
        if self.judge is not None and len(batch[TARGET]) == 1:
            # A distance of sets wants two at least.
            batch = {name: part.repeat(2, *[1] * (part.ndim - 1)) for name, part in batch.items()}
        data = batch[TARGET]
        noise = self._noise(data, generator)
        time = validation_times(len(data)).to(data.device)
        with torch.no_grad():
            told = (batch.get(CLASS), batch.get(CAPTION), batch.get(SOURCE), None)
            if self.config.distilled:
                error, made = self._lesson(noise, told)
                if self.judge is None:
                    return Loss(value=error, count=len(data), unit=PATH_UNIT)
                return Loss(value=self.judge.distance(data, made), count=len(data), unit=UNIT)
            condition = self.condition(*told)
            return self._error(data, noise, time, condition, self._weights(batch))

    def _noise(self, data: Tensor, generator: torch.Generator) -> Tensor:
        return torch.randn(data.shape, generator=generator).to(data.device) * self.network.noise_deviation

    def _weights(self, batch: Batch) -> Tensor | None:
        """Return how much each example counts; ``None`` where all count alike.

        An image by its score (Peng et al. 2019, arXiv 1910.00177, eq. 8), a single picture among clips by ``picture_weight``.
        """
        config, weights = self.config, None
        if config.preference and SCORE in batch:
            weights = torch.exp((batch[SCORE].float() - 1.0) / config.preference)
        if config.frames > 1 and config.picture_weight != 1.0:
            alone = single_pictures(batch[TARGET], frames=config.frames)
            parted = torch.where(alone, config.picture_weight, 1.0)
            weights = parted if weights is None else weights * parted
        return weights

    def _error(
        self, data: Tensor, noise: Tensor, time: Tensor, condition: Condition, weights: Tensor | None = None
    ) -> Loss:
        if self.config.frames > 1 and bool((alone := single_pictures(data, frames=self.config.frames)).any()):
            condition = dataclasses.replace(condition, alone=alone)
        if self.config.objective == "ddpm":
            # Even shares of [0, 1) become whole steps, each as likely as the others.
            steps = ((1 - time) * NOISE_STEPS).long().clamp(max=NOISE_STEPS - 1)
            time = torch.tensor(step_times(), device=data.device)[steps]
            self.network.compute_in(_TYPES[self.precision])
            predicted = self.network.noise(path.point(noise, data, time), time, condition)
            return Loss(value=_squares(predicted, noise, weights), count=len(data), unit="mse")
        predicted = self.velocity(path.point(noise, data, time), time, condition)
        return Loss(value=_squares(predicted, path.velocity(noise, data), weights), count=len(data), unit="mse")

    def sampler(self, codec: Any, *, hook: LogitsHook | None = None) -> Sampler:
        """Return a sampler over the current weights; names of classes and the tokens of captions come from the codec."""
        refuse_hook(hook)
        counts: dict[str, int] = codec.class_counts if self.config.classes else {}
        encode: Callable[[str], Any] | None = codec.encode_caption if self.config.caption_length else None
        sampler = ImageSampler(
            self.velocity,
            config=self.config,
            device=self.network.data_mean.device,
            condition=self.condition,
            asking=Wanting(self.config, Asking(self.config, class_counts=counts, encode_caption=encode)),
            noise_deviation=self.network.noise_deviation,
        )
        if self.config.distilled:
            return FewStepSampler(sampler, self.config)
        if self.config.source_is_vector:
            if not isinstance(codec, Imagines):
                raise ConfigError(f'codec "{codec.config.kind}" imagines no vectors', expected='the codec "embedded"')
            return ImaginedSampler(sampler, codec)
        return SourceSampler(sampler) if self.config.has_source else sampler

    def tensors(self) -> dict[str, Tensor]:
        """Return weights and the statistics of the data under the names of the network's parts, and the judge's of a student."""
        return self.network.state_dict() | self._judge_tensors()

    def _judge_tensors(self) -> dict[str, Tensor]:
        if self.judge is None:
            return {}
        return {JUDGE + name: tensor for name, tensor in self.judge.state_dict().items()}

    def onnx_parts(self) -> list[OnnxPart]:
        """Return the velocity network in float32: point, time and what it is conditioned on to velocity."""
        config = self.config
        network = VelocityNetwork(config).eval()
        network.load_state_dict(
            {name: value.detach().float().cpu() for name, value in self.network.state_dict().items()}
        )
        inputs = {
            "point": torch.zeros(2, config.channels, config.height, config.width),
            "time": torch.full((2,), 0.5),
        }
        if config.classes:
            inputs["label"] = torch.zeros(2, dtype=torch.int64)
        if config.caption_length:
            inputs["caption"] = no_captions(torch.zeros(2, config.caption_length, dtype=torch.int64))
        if config.frames > 1:
            planes = config.frames * (config.frame_channels + 1)
            inputs["source"] = torch.ones(2, planes, config.height, config.width)
        if config.has_source:
            inputs["source"] = torch.zeros(2, config.source_channels, config.source_height, config.source_width)
        return [
            OnnxPart(
                name="velocity",
                module=OrderedVelocity(network, list(inputs)[2:]).eval(),
                inputs=inputs,
                outputs=("velocity",),
                dynamic={name: {0: "batch"} for name in inputs},
            )
        ]


def _squares(predicted: Tensor, wanted: Tensor, weights: Tensor | None) -> Tensor:
    """Return the mean squared error, each example times its weight."""
    if weights is None:
        return F.mse_loss(predicted, wanted)
    each = F.mse_loss(predicted, wanted, reduction="none").flatten(1).mean(1)
    return (weights * each).mean()
