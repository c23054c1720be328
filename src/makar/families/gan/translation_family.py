"""What pix2pix and CycleGAN share: judging translations, keeping the judge's slope small, translating, and a watch for collapse.

A *side* is one way to translate: what is given, real images of what is to be made, and, from pairs, the given image for the judge to see.
Real and made answers are compared patch by patch; from pairs they then belong to the same given image. The penalty on the slope is taken of
the sum of the answers over the root of their number, which is that of one patch where patches do not overlap.

The watch compares the latest made images with real ones beside them in fixed features (``collapse``). Those features, and the images that
CycleGAN shows its judges again, change with the steps and are checkpointed; they are no part of a saved model, which holds nothing that was
made or learned from.
"""

import abc
import dataclasses
from collections.abc import Iterable
from typing import ClassVar

import torch
from torch import Tensor, nn

from makar.families.family import Batch, Family, Health, Loss, OnnxPart, Phase
from makar.families.gan.augmentation import augmented, cut_by_lot
from makar.families.gan.collapse import Monitors, alarm
from makar.families.gan.distance import nearest, spread
from makar.families.gan.family import LOOKED_AT, MARGIN_SHARE, REFERENCE_IMAGES, TYPES, ratio
from makar.families.gan.features import FixedFeatures
from makar.families.gan.objective import discriminator_loss, generator_loss, slope_penalty
from makar.families.gan.stylegan_family import equal_rates
from makar.families.gan.translation_config import TranslationConfig
from makar.families.gan.translation_networks import PatchJudge, Translator
from makar.nn.initialisation import initialise_modules
from makar.tensor_spec import SOURCE, TARGET

LOOKED_AT_A_STEP = 8
ALIKE = 0.05
"""Spread below which translations that never were varied count as all alike. Of pairs the first are blurred and differ little: on facades
at 32 x 32 pixels a fifth as much as the data after 200 steps, and more with every further one.
"""

PASSING = ("recent_made", "recent_real", "recent_count")
"""Buffers that are checkpointed and not saved with the model."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Side:
    """One way to translate, in a batch.

    Attributes:
        number: Of the translator and of the judge.
        given: Images to translate.
        real: Real images of what is to be made.
        seen: What the judge sees beside an image; ``None`` for nothing.
    """

    number: int
    given: Tensor
    real: Tensor
    seen: Tensor | None = None

    @property
    def pairs(self) -> int:
        """Made and real images that can be compared."""
        return min(len(self.given), len(self.real))


class TranslationFamily(Family, abc.ABC):
    """Translators and judges.

    Args:
        config: Sizes, bound to what the codec makes.
        departs: Whether a translation is the given image and a change.
    """

    creates: ClassVar[bool] = False
    passing: ClassVar[tuple[str, ...]] = PASSING

    recent_made: Tensor
    recent_real: Tensor
    recent_count: Tensor
    margin: Tensor
    was_varied: Tensor

    def __init__(self, config: TranslationConfig, *, departs: bool) -> None:
        super().__init__()
        self.config: TranslationConfig = config
        self.precision = "float32"
        ways = config.pairs_of_networks
        self.translators = nn.ModuleList(Translator(config, departs=departs) for _ in range(ways))
        self.judges = nn.ModuleList(PatchJudge(config) for _ in range(ways))
        self.features = FixedFeatures(config.channels)
        self._latest: list[Tensor] = []
        self._looked_at: list[tuple[int, Tensor, Tensor]] = []
        self.register_buffer("recent_made", torch.zeros(ways, LOOKED_AT, self.features.width))
        self.register_buffer("recent_real", torch.zeros(ways, LOOKED_AT, self.features.width))
        self.register_buffer("recent_count", torch.zeros(ways, dtype=torch.int64))
        self.register_buffer("margin", torch.ones(()))
        self.register_buffer("was_varied", torch.zeros((), dtype=torch.int64))

    @abc.abstractmethod
    def sides(self, batch: Batch) -> list[Side]:
        """Return the ways to translate of a batch."""

    @abc.abstractmethod
    def faithfulness(self, side: Side, made: Tensor) -> Tensor | None:
        """Return what a translation loses beside the judge's opinion, weighted; ``None`` where the batch has nothing to compare."""

    def shown(self, side: Side, made: Tensor, generator: torch.Generator) -> Tensor:
        """Return the made images that the judge learns from: these, or some that were made before."""
        del side, generator
        return made

    def initialise(self, generator: torch.Generator) -> None:
        """Draw every weight of all networks."""
        for network in [*self.translators, *self.judges]:
            initialise_modules(network, generator)
        self.margin.fill_(1.0)
        self.was_varied.zero_()
        self.recent_count.zero_()

    def initialise_from_data(self, batches: Iterable[Batch]) -> None:
        """Learn centre and scale of the features from the data."""
        found, count = [], 0
        for batch in batches:
            found.append(self.features.measure(batch[TARGET].cpu()))
            count += len(batch[TARGET])
            if count >= REFERENCE_IMAGES:
                break
        if count >= 2:
            self.features.fit(torch.cat(found)[:REFERENCE_IMAGES])

    def phases(self) -> list[Phase]:
        """Return the judges, the penalties on their slope, and the translators."""
        config = self.config
        judging = [group for judge in self.judges for group in equal_rates(judge)]
        translating = [group for translator in self.translators for group in equal_rates(translator)]
        judges = Phase(
            name="discriminator",
            groups=judging,
            loss=self._judge,
            optimiser="discriminator",
            averaged=False,
            after_step=self.remember,
        )
        penalty = Phase(
            name="penalty",
            groups=judging,
            loss=self._penalise,
            every=config.penalty_every,
            optimiser="discriminator",
            averaged=False,
        )
        translators = Phase(
            name="generator",
            groups=translating,
            loss=self._translate,
            optimiser="generator",
            after_step=self._remember_looks,
        )
        return [judges, *([penalty] if config.penalised_images and config.penalty > 0 else []), translators]

    def prepare(self, batch: Batch, generator: torch.Generator) -> Batch:
        """Enlarge, cut and mirror images by lot, pairs together, as far as the configuration says (Isola et al. 2017, section 6.2)."""
        images = {name: batch[name] for name in (TARGET, SOURCE) if name in batch}
        if self.config.zoom:
            images = cut_by_lot(images, self.config.zoom, generator)
        if self.config.flip:
            mirrored = (torch.rand(len(batch[TARGET]), generator=generator) < 0.5).to(batch[TARGET].device)
            images = {
                name: torch.where(mirrored[:, None, None, None], image.flip(-1), image)
                for name, image in images.items()
            }
        return {**batch, **images}

    def translate(self, number: int, images: Tensor) -> Tensor:
        """Return translated images, float32, not clipped.

        Args:
            number: Of the translator.
            images: Images, -1..1.
        """
        network = self.translators[number]
        assert isinstance(network, Translator)
        network.compute_type = TYPES[self.precision]
        made: Tensor = network(images)
        return made

    def answers(self, side: Side, images: Tensor, *, kind: torch.dtype | None = None) -> Tensor:
        """Return what the judge of a side says of images with what it sees beside them, ``[batch, patches]``."""
        network = self.judges[side.number]
        assert isinstance(network, PatchJudge)
        network.compute_type = TYPES[self.precision] if kind is None else kind
        answers: Tensor = network(images)
        return answers

    def looks(self, side: Side, images: Tensor, generator: torch.Generator) -> Tensor:
        """Return images as the judge sees them: beside what they were made from, and changed together with it."""
        whole = images if side.seen is None else torch.cat([images, side.seen[: len(images)]], 1)
        return augmented(whole, share=self.config.augmentation, generator=generator)

    def _judge(self, batch: Batch, generator: torch.Generator) -> Loss:
        values = []
        for side in self._comparable(batch):
            with torch.no_grad():
                made = self.shown(side, self.translate(side.number, side.given[: side.pairs]), generator)
                real = self.looks(side, side.real[: side.pairs], generator)
                made = self.looks(side, made, generator)
            right, wrong = self.answers(side, real).flatten(), self.answers(side, made).flatten()
            values.append(discriminator_loss(right, wrong, objective=self.config.objective))
        value = _mean(values, self.judges)
        if values:
            self._latest.append(value.detach())
        return Loss(value=value, count=len(batch[TARGET]), unit="nats")

    def remember(self) -> None:
        """Take what was judged in a step into the running mean of the judges' loss."""
        if self._latest:
            self.margin.lerp_(torch.stack(self._latest).mean(), MARGIN_SHARE)
            self._latest.clear()

    def _penalise(self, batch: Batch, generator: torch.Generator) -> Loss:
        config, slopes = self.config, []
        for side in self._comparable(batch):
            with torch.no_grad():
                places = [self.looks(side, side.real[: side.pairs], generator)]
                if config.penalised == "both":
                    made = self.translate(side.number, side.given[: side.pairs])
                    places.append(self.looks(side, made, generator))

            def judge(points: Tensor, side: Side = side) -> Tensor:
                # Second derivatives of products in bfloat16 would lose most of their digits.
                answers = self.answers(side, points, kind=torch.float32)
                return answers.sum(1) / answers.shape[1] ** 0.5

            slopes.append(torch.stack([slope_penalty(judge, images) for images in places]).sum())
        value = config.penalty * config.penalty_every * _mean(slopes, self.judges)
        return Loss(value=value, count=len(batch[TARGET]), unit="squared slope")

    def _translate(self, batch: Batch, generator: torch.Generator) -> Loss:
        judged, lost = [], []
        for side in self.sides(batch):
            made = self.translate(side.number, side.given)
            if side.pairs:
                judged.append(self._opinion(side, made[: side.pairs], generator))
            loss = self.faithfulness(side, made)
            if loss is not None:
                lost.append(loss)
        opinion, faith = _mean(judged, self.translators), _mean(lost, self.translators)
        metrics = {"adversarial": float(opinion.detach()), "faithfulness": float(faith.detach())}
        return Loss(value=opinion + faith, count=len(batch[TARGET]), unit="nats and differences", metrics=metrics)

    def _opinion(self, side: Side, made: Tensor, generator: torch.Generator) -> Tensor:
        data, right = side.real[: side.pairs], None
        if self.config.objective == "relativistic":
            with torch.no_grad():
                right = self.answers(side, self.looks(side, data, generator)).flatten()
        wrong = self.answers(side, self.looks(side, made, generator)).flatten()
        with torch.no_grad():
            few = slice(0, LOOKED_AT_A_STEP)
            self._looked_at.append((side.number, self.features(made[few].detach()), self.features(data[few])))
        return generator_loss(right, wrong, objective=self.config.objective)

    def _remember_looks(self) -> None:
        for number, made, real in self._looked_at:
            places = (int(self.recent_count[number]) + torch.arange(len(made))) % LOOKED_AT
            self.recent_made[number, places] = made
            self.recent_real[number, places] = real
            self.recent_count[number] += len(made)
        self._looked_at.clear()

    def _comparable(self, batch: Batch) -> list[Side]:
        return [side for side in self.sides(batch) if side.pairs]

    def health(self, generator: torch.Generator, *, progress: float) -> Health:
        """Look at how varied the latest translations are beside real images of the same steps, and whether the judges still teach."""
        del generator
        if int(self.recent_count.min()) < LOOKED_AT:
            return Health(is_good=not bool(self.was_varied))
        looks = [
            Monitors(
                spread=ratio(spread(made), spread(real)),
                nearest=ratio(nearest(made), nearest(real)),
                margin=float(self.margin),
            )
            for made, real in zip(self.recent_made, self.recent_real)
        ]
        was_varied = bool(self.was_varied)
        found = next((text for look in looks if (text := _broken(look, was_varied=was_varied, progress=progress))), "")
        is_good = not found and (all(look.is_good for look in looks) or not was_varied)
        if all(look.is_varied for look in looks):
            self.was_varied.fill_(1)
        worst = min(looks, key=lambda look: look.spread)
        metrics = {"spread": worst.spread, "nearest": worst.nearest, "margin": worst.margin}
        return Health(alarm=found, is_good=is_good, metrics=metrics)

    def tensors(self) -> dict[str, Tensor]:
        """Return the weights of all networks and the statistics of the data, under the names of the parts."""
        return {name: value for name, value in self.state_dict().items() if name not in self.passing}

    def onnx_parts(self) -> list[OnnxPart]:
        """Return every translator in float32: image to image, not clipped."""
        config, parts = self.config, []
        for number, translator in enumerate(self.translators):
            assert isinstance(translator, Translator)
            network = Translator(config, departs=translator.departs).eval()
            network.load_state_dict({name: value.detach().cpu() for name, value in translator.state_dict().items()})
            parts.append(
                OnnxPart(
                    name="translator" if len(self.translators) == 1 else f"translator_{number}",
                    module=network,
                    inputs={"image": torch.zeros(2, config.channels, config.height, config.width)},
                    outputs=("translation",),
                    dynamic={"image": {0: "batch"}},
                )
            )
        return parts


def _broken(look: Monitors, *, was_varied: bool, progress: float) -> str:
    """Return what is broken, in words; empty when nothing is."""
    if not was_varied and not look.spread < ALIKE:
        return ""
    return alarm(look, was_varied=was_varied, progress=progress)


def _mean(values: list[Tensor], networks: nn.ModuleList) -> Tensor:
    """Return the mean; without values a zero that depends on the networks, for a part of a batch that holds nothing to compare."""
    if values:
        return torch.stack(values).mean()
    return torch.stack([parameter.sum() for parameter in networks.parameters()]).sum() * 0.0
