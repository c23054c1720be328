"""CycleGAN as a family: two domains without pairs, translated into each other (Zhu et al. 2017, arXiv 1703.10593).

Each translator lowers what the judge of its domain says, a weighted mean of what changes on the way to the other domain and back (equation
2), and of what it changes in an image that is in its domain already (section 5.2). The judges also see made images again from a history of
fifty (Shrivastava et al. 2017, arXiv 1612.07828, section 2.3; here section 4): with even odds a new one is replaced by an older one and
takes its place. The validation loss adds the energy distance of translations from the other domain and the distance of what comes back.
"""

from typing import Any, ClassVar

import torch
from torch import Tensor

from makar.families.family import Batch, Loss
from makar.families.gan.distance import between, spread
from makar.families.gan.options import CycleganOptions
from makar.families.gan.translation_config import DOMAINS, CycleganConfig
from makar.families.gan.translation_family import PASSING, Side, TranslationFamily
from makar.families.gan.translation_sampler import TranslationSampler
from makar.families.logits_hook import LogitsHook, refuse_hook
from makar.tensor_spec import CLASS, TARGET

UNIT = "energy distance and distance of what comes back, in deviations of the data"


class CycleganFamily(TranslationFamily):
    """A CycleGAN. Translator 0 makes images of the second domain, translator 1 of the first.

    Args:
        config: Sizes, bound to what the codec makes.
    """

    options: ClassVar[type[CycleganOptions]] = CycleganOptions
    passing: ClassVar[tuple[str, ...]] = (*PASSING, "history", "history_count")

    history: Tensor
    history_count: Tensor

    def __init__(self, config: CycleganConfig) -> None:
        super().__init__(config, departs=True)
        self.config: CycleganConfig = config
        image = (config.channels, config.height, config.width)
        self._made: list[tuple[int, Tensor, Tensor]] = []
        self.register_buffer("history", torch.zeros(DOMAINS, max(1, config.history), *image))
        self.register_buffer("history_count", torch.zeros(DOMAINS, dtype=torch.int64))

    def initialise(self, generator: torch.Generator) -> None:
        """Draw every weight of all networks and forget what was made."""
        super().initialise(generator)
        self.history_count.zero_()

    def sides(self, batch: Batch) -> list[Side]:
        """Return both ways between the two domains of a batch."""
        is_second = batch[CLASS] == 1
        first, second = batch[TARGET][~is_second], batch[TARGET][is_second]
        return [Side(number=0, given=first, real=second), Side(number=1, given=second, real=first)]

    def faithfulness(self, side: Side, made: Tensor) -> Tensor | None:
        """Return the weighted differences of what comes back, and of what should not have changed."""
        config, found = self.config, []
        if len(side.given):
            found.append(config.cycle * (self.translate(1 - side.number, made) - side.given).abs().mean())
        if len(side.real) and config.identity > 0:
            found.append(config.identity * (self.translate(side.number, side.real) - side.real).abs().mean())
        return torch.stack(found).sum() if found else None

    def shown(self, side: Side, made: Tensor, generator: torch.Generator) -> Tensor:
        """Return made images of which some are replaced by earlier ones; what goes into the history is kept until the step is done."""
        capacity, filled = self.config.history, int(self.history_count[side.number])
        if not capacity:
            return made
        swapped = torch.rand(len(made), generator=generator) < 0.5
        places = torch.randint(capacity, (len(made),), generator=generator)
        free = filled + torch.arange(len(made))
        # As long as there is room, every image is kept and shown.
        fills = free < capacity
        places = torch.where(fills, free, places)
        replaced = (swapped & ~fills).to(made.device)
        self._made.append((side.number, places[fills | swapped], made[(fills | swapped).to(made.device)]))
        return torch.where(replaced[:, None, None, None], self.history[side.number][places], made)

    def remember(self) -> None:
        """Write what was made in a step into the history."""
        super().remember()
        for number, places, images in self._made:
            self.history[number, places] = images
            reached = int(places.max()) + 1 if len(places) else 0
            self.history_count[number] = max(int(self.history_count[number]), reached)
        self._made.clear()

    def validation_loss(self, batch: Batch, generator: torch.Generator) -> Loss:
        """Return how far translations of held-out images are from the other domain, and what comes back from the images; both ways."""
        del generator
        values = []
        with torch.no_grad():
            for side in self.sides(batch):
                if not len(side.given):
                    continue
                made = self.translate(side.number, side.given)
                back = self.features(self.translate(1 - side.number, made))
                values.append((back - self.features(side.given)).norm(dim=1).mean())
                if len(side.real):
                    made, real = self.features(made), self.features(side.real)
                    values.append(2 * between(made, real) - _spread(made) - _spread(real))
        return Loss(value=torch.stack(values).sum(), count=len(batch[TARGET]), unit=UNIT)

    def sampler(self, codec: Any, *, hook: LogitsHook | None = None) -> TranslationSampler:
        """Return a sampler over the current weights; the names of the domains come from the codec."""
        refuse_hook(hook)
        first, second = codec.class_names
        return TranslationSampler(
            self.translate, config=self.config, device=self.margin.device, domains=(second, first)
        )


def _spread(vectors: Tensor) -> Tensor:
    return spread(vectors) if len(vectors) > 1 else vectors.new_zeros(())
