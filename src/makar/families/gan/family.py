"""Images by two networks that play against each other: one makes, one judges; what both layouts share.

Each step the discriminator learns from real and made images, every few steps its slope is kept small, then the generator learns from what
the discriminator says. The weight average is of the generator alone, and it is what validation measures and a saved model holds; the
discriminator is saved with it, so that a training can go on. The validation loss is an energy distance between made and held-out images in
fixed features: it is comparable between runs and layouts, which the adversarial losses are not. ``collapse`` says when a pair is broken.
"""

import abc
from collections.abc import Iterable

import torch
from torch import Tensor

from makar.families.family import Batch, Family, Health, Loss, ParameterGroup, Phase
from makar.families.gan.augmentation import augmented
from makar.families.gan.collapse import Monitors, alarm
from makar.families.gan.config import GanConfig
from makar.families.gan.dcgan_networks import DcganDiscriminator
from makar.families.gan.distance import UNIT, energy_distance, nearest, spread
from makar.families.gan.features import FixedFeatures
from makar.families.gan.objective import discriminator_loss, generator_loss, slope_penalty
from makar.families.gan.style_networks import ResidualDiscriminator
from makar.nn.initialisation import initialise_modules
from makar.tensor_spec import CLASS, TARGET

LOOKED_AT = 64
"""Images of one look at the health; also the size of the sets whose nearest neighbours are compared."""

REFERENCE_IMAGES = 1024
REFERENCE_SETS = 16
SMALLEST_DISTANCE = 1e-3
"""Added to distances before they are divided, so that data that are all the same are like images that are all the same."""
MARGIN_SHARE = 0.02
"""Weight of one step in the running mean of the discriminator's loss."""

TYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


class GanFamily(Family, abc.ABC):
    """A generator and a discriminator.

    Args:
        config: Sizes, bound to what the codec makes.
        discriminator: From images, and labels, to one answer each.
    """

    data_spread: Tensor
    data_nearest: Tensor
    margin: Tensor
    was_varied: Tensor

    def __init__(self, config: GanConfig, discriminator: DcganDiscriminator | ResidualDiscriminator) -> None:
        super().__init__()
        self.config: GanConfig = config
        self.precision = "float32"
        self._latest: list[Tensor] = []
        self.discriminator = discriminator
        self.features = FixedFeatures(config.channels)
        self.register_buffer("data_spread", torch.ones(()))
        self.register_buffer("data_nearest", torch.ones(()))
        self.register_buffer("margin", torch.ones(()))
        self.register_buffer("was_varied", torch.zeros((), dtype=torch.int64))

    @abc.abstractmethod
    def make(self, count: int, label: Tensor | None, generator: torch.Generator) -> Tensor:
        """Return ``count`` images made from fresh draws, float32 ``[count, channels, height, width]``, not clipped."""

    @abc.abstractmethod
    def generator_groups(self) -> list[ParameterGroup]:
        """Return the parameters of the generator with their learning rates."""

    @abc.abstractmethod
    def discriminator_groups(self) -> list[ParameterGroup]:
        """Return the parameters of the discriminator with their learning rates."""

    @property
    def device(self) -> torch.device:
        """Where the networks are."""
        return self.data_spread.device

    @property
    def compute_type(self) -> torch.dtype:
        """Number format of the networks."""
        return TYPES[self.precision]

    def initialise(self, generator: torch.Generator) -> None:
        """Draw every weight of both networks."""
        for network in self.children():
            initialise_modules(network, generator)
        self.margin.fill_(1.0)
        self.was_varied.zero_()

    def initialise_from_data(self, batches: Iterable[Batch]) -> None:
        """Learn what is usual in the data: centre and scale of the features, how different images are, how near the nearest is."""
        found, count = [], 0
        for batch in batches:
            found.append(self.features.measure(batch[TARGET].cpu()))
            count += len(batch[TARGET])
            if count >= REFERENCE_IMAGES:
                break
        raw = torch.cat(found)[:REFERENCE_IMAGES] if found else torch.zeros(0, 0)
        # One image, or images that are all the same, leave nothing to compare with.
        if len(raw) < 2:
            return
        self.features.fit(raw)
        vectors = self.features.scaled(raw)
        self.data_spread.copy_(spread(vectors))
        # Drawn with replacement, as a perfect generator draws: of a small collection it makes the same image twice.
        drawing = torch.Generator().manual_seed(len(raw))
        sets = torch.randint(len(raw), (REFERENCE_SETS, LOOKED_AT), generator=drawing)
        self.data_nearest.copy_(torch.stack([nearest(vectors[chosen]) for chosen in sets]).mean())

    def begin_from(self, parent: Family, batches: Iterable[Batch]) -> None:
        """Take every weight, and learn what is usual in the new data, by which a collapse is judged."""
        super().begin_from(parent, batches)
        self.initialise_from_data(batches)

    def phases(self) -> list[Phase]:
        """Return the discriminator, the penalties on its slope, and the generator."""
        config = self.config
        judging = self.discriminator_groups()
        phases = [
            Phase(
                name="discriminator",
                groups=judging,
                loss=self._judge,
                optimiser="discriminator",
                averaged=False,
                after_step=self._remember,
            )
        ]
        if config.penalised != "none" and config.penalty > 0:
            phases.append(
                Phase(
                    name="penalty",
                    groups=judging,
                    loss=self._penalise,
                    every=config.penalty_every,
                    optimiser="discriminator",
                    averaged=False,
                )
            )
        phases.append(
            Phase(name="generator", groups=self.generator_groups(), loss=self._generate, optimiser="generator")
        )
        return phases

    def prepare(self, batch: Batch, generator: torch.Generator) -> Batch:
        """Mirror half of the images where the configuration says that left and right do not matter."""
        if not self.config.flip:
            return batch
        data = batch[TARGET]
        mirrored = (torch.rand(len(data), generator=generator) < 0.5).to(data.device)
        return {**batch, TARGET: torch.where(mirrored[:, None, None, None], data.flip(-1), data)}

    def answers(self, images: Tensor, label: Tensor | None, *, kind: torch.dtype | None = None) -> Tensor:
        """Return what the discriminator says of images, computed in the format of ``precision`` unless another is given."""
        self.discriminator.compute_type = self.compute_type if kind is None else kind
        answer: Tensor = self.discriminator(images, label)
        return answer

    def _seen(self, images: Tensor, generator: torch.Generator) -> Tensor:
        return augmented(images, share=self.config.augmentation, generator=generator)

    def _judge(self, batch: Batch, generator: torch.Generator) -> Loss:
        data, label = batch[TARGET], self._label(batch)
        with torch.no_grad():
            made = self._seen(self.make(len(data), label, generator), generator)
            seen = self._seen(data, generator)
        real, fake = self.answers(seen, label), self.answers(made, label)
        value = discriminator_loss(real, fake, objective=self.config.objective)
        # Taken into the running mean after the step: several threads may be here at once.
        self._latest.append(value.detach())
        return Loss(value=value, count=len(data), unit="nats")

    def _remember(self) -> None:
        self.margin.lerp_(torch.stack(sorted(self._latest, key=float)).mean(), MARGIN_SHARE)
        self._latest.clear()

    def _penalise(self, batch: Batch, generator: torch.Generator) -> Loss:
        config, label = self.config, self._label(batch)
        with torch.no_grad():
            places = [self._seen(batch[TARGET], generator)]
            if config.penalised == "both":
                places.append(self._seen(self.make(len(batch[TARGET]), label, generator), generator))
        # Second derivatives of products in bfloat16 would lose most of their digits.
        slopes = [
            slope_penalty(lambda points: self.answers(points, label, kind=torch.float32), images) for images in places
        ]
        value = config.penalty * config.penalty_every * torch.stack(slopes).sum()
        return Loss(value=value, count=len(batch[TARGET]), unit="squared slope")

    def _generate(self, batch: Batch, generator: torch.Generator) -> Loss:
        data, label = batch[TARGET], self._label(batch)
        made = self._seen(self.make(len(data), label, generator), generator)
        real = None
        if self.config.objective == "relativistic":
            with torch.no_grad():
                real = self.answers(self._seen(data, generator), label)
        value = generator_loss(real, self.answers(made, label), objective=self.config.objective)
        return Loss(value=value, count=len(data), unit="nats")

    def _label(self, batch: Batch) -> Tensor | None:
        return batch[CLASS] if self.config.classes else None

    def validation_loss(self, batch: Batch, generator: torch.Generator) -> Loss:
        """Return the energy distance between held-out images and as many made ones, of the same classes."""
        data, label = batch[TARGET], self._label(batch)
        with torch.no_grad():
            if len(data) == 1 and label is not None:
                label = label.repeat(2)
            made = self.features(self.make(max(2, len(data)), label, generator))
            value = energy_distance(made, self.features(data), self.data_spread)
        return Loss(value=value, count=len(data), unit=UNIT)

    def health(self, generator: torch.Generator, *, progress: float) -> Health:
        """Look at how varied the made images are, and at whether the discriminator still teaches."""
        label = None
        if self.config.classes:
            label = torch.randint(self.config.classes, (LOOKED_AT,), generator=generator).to(self.device)
        with torch.no_grad():
            vectors = self.features(self.make(LOOKED_AT, label, generator))
            monitors = Monitors(
                spread=ratio(spread(vectors), self.data_spread),
                nearest=ratio(nearest(vectors), self.data_nearest),
                margin=float(self.margin),
            )
        found = alarm(monitors, was_varied=bool(self.was_varied), progress=progress)
        # Before it was ever varied the present state is as good as any.
        is_good = not found and (monitors.is_good or not self.was_varied)
        if monitors.is_varied:
            self.was_varied.fill_(1)
        metrics = {"spread": monitors.spread, "nearest": monitors.nearest, "margin": monitors.margin}
        return Health(alarm=found, is_good=is_good, metrics=metrics)

    def tensors(self) -> dict[str, Tensor]:
        """Return the weights of both networks and the statistics of the data, under the names of the parts."""
        return dict(self.state_dict())


def ratio(made: Tensor, real: Tensor) -> float:
    """Return how a distance between made images compares with that between real ones."""
    return float((made + SMALLEST_DISTANCE) / (real + SMALLEST_DISTANCE))
