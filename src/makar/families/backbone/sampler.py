"""Backbones from seeds: a length, noise, and the way along the velocity; or new residues for a part of a backbone that is given.

A seed draws the noise of the longest backbone first, so that it does not depend on the length that is asked for, then the class, then the
length. What is given stays bit for bit (``families.diffusion.editing``), and where residues between two known parts are made anew, their
bonds are held to lead as far as those that stand in their place: both parts stay where they are.
"""

from collections.abc import Callable, Iterator, Mapping

import numpy as np
import torch
from torch import Tensor

from makar.codecs.backbone_config import AXES, LONGEST_VECTOR, VECTORS
from makar.errors import UnknownNameError, UnsupportedError
from makar.families.backbone.bridging import bridge
from makar.families.backbone.config import BackboneConfig
from makar.families.backbone.options import BackboneOptions
from makar.families.diffusion.editing import inpaint
from makar.families.diffusion.solvers import SOLVERS
from makar.families.diffusion.time_grid import time_grid
from makar.families.family import Batch, Sampler
from makar.tensor_spec import CLASS, KNOWN, MASK, TARGET

TOGETHER = 32
USUAL_STEPS = 25

Velocity = Callable[[Tensor, Tensor, Tensor, Tensor | None], Tensor]


class BackboneSampler(Sampler):
    """Makes backbones.

    Args:
        velocity: From points, times, which residues exist and classes to velocities.
        config: Sizes of the model.
        device: Where the network is.
        length_counts: Training backbones of each length, by class in the order of their numbers; without classes of one without a name.
    """

    def __init__(
        self,
        velocity: Velocity,
        *,
        config: BackboneConfig,
        device: torch.device,
        length_counts: Mapping[str, Mapping[int, int]],
    ) -> None:
        self._velocity = velocity
        self._config = config
        self._device = device
        self._lengths = [dict(counts) for counts in length_counts.values()]
        counts = {name: sum(lengths.values()) for name, lengths in length_counts.items()}
        self._classes = counts if config.classes else {}

    def sample(
        self, options: BackboneOptions, prompts: list[Batch], seeds: list[int]
    ) -> Iterator[tuple[int, dict[str, np.ndarray], bool]]:
        """Make one backbone for every seed.

        Yields:
            (index, {"target": float32 ``[3, 4, longest]``, zero behind the last residue}, True), in order.

        Raises:
            UnsupportedError: A length, label, guidance or slot that this model cannot honour.
            UnknownNameError: The label is not a class of the model.
        """
        self._check(options, is_given=any(KNOWN in prompt for prompt in prompts))
        asked = [self._asked(options, prompt) for prompt in prompts]
        for start in range(0, len(seeds), TOGETHER):
            part = slice(start, start + TOGETHER)
            for offset, made in enumerate(self._made(options, prompts[part], asked[part], seeds[part])):
                yield start + offset, {TARGET: made}, True

    def _check(self, options: BackboneOptions, *, is_given: bool) -> None:
        longest, usual = self._config.longest, BackboneOptions()
        if is_given and (options.solver, options.shift) != (usual.solver, usual.shift):
            raise UnsupportedError(
                "a solver or a shift for a part of a backbone", expected="steps only: it goes its own way"
            )
        if options.residues is not None and options.residues > longest:
            raise UnsupportedError(
                f"{options.residues} residues", expected=f"2 to {longest}, the longest of this model"
            )
        if not self._classes and options.label is not None:
            raise UnsupportedError(
                "a class was asked for, and this model has none", do='train with the recipe "protein-structure-class"'
            )
        if not self._classes and options.guidance not in (None, 1.0):
            raise UnsupportedError(
                f"guidance {options.guidance:g} on a model without classes",
                expected="guidance 1",
                do='train with the recipe "protein-structure-class" to have something to guide towards',
            )

    def _asked(self, options: BackboneOptions, prompt: Batch) -> int | None:
        """Return the number of the class that is asked for, ``None`` for none."""
        unknown = set(prompt) - {CLASS, KNOWN, MASK}
        if unknown or (KNOWN in prompt) != (MASK in prompt):
            raise UnsupportedError(
                f"this model of backbones cannot use {', '.join(sorted(prompt))}",
                expected="a class, or what is known with a mask, at most",
            )
        if KNOWN in prompt and options.residues is not None:
            raise UnsupportedError(
                f"{options.residues} residues of a backbone that is given", expected="its own number of residues"
            )
        if options.label is not None:
            if CLASS in prompt:
                raise UnsupportedError("a label and a class were both given", expected="one of them")
            if options.label not in self._classes:
                raise UnknownNameError("label", options.label, self._classes)
            return list(self._classes).index(options.label)
        if CLASS not in prompt:
            return None
        if not 0 <= int(prompt[CLASS]) < self._config.classes:
            raise UnsupportedError(f"class {int(prompt[CLASS])}", expected=f"0 to {self._config.classes - 1}")
        return int(prompt[CLASS])

    def _made(
        self, options: BackboneOptions, prompts: list[Batch], asked: list[int | None], seeds: list[int]
    ) -> list[np.ndarray]:
        config = self._config
        generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        noise = torch.stack([self._noise(generator) for generator in generators])
        is_given = [KNOWN in prompt for prompt in prompts]
        if any(is_given) != all(is_given):
            raise UnsupportedError("backbones with and without a part that is known", expected="one kind at a time")
        labels = [self._label(one, generator, given) for one, generator, given in zip(asked, generators, is_given)]
        lengths = [
            self._length(options, prompt, label, generator)
            for prompt, label, generator in zip(prompts, labels, generators)
        ]
        longest = max(lengths)
        exists = torch.arange(longest)[None] < torch.tensor(lengths)[:, None]
        noise = noise[..., :longest] * exists[:, None, None]
        label = torch.tensor(labels) if config.classes else None
        field = self._field(options, exists, label)
        steps = USUAL_STEPS if options.steps is None else options.steps
        with torch.inference_mode():
            if any(is_given):
                known, mask = (
                    torch.stack([prompt[slot] for prompt in prompts])[..., :longest].to(self._device)
                    for slot in (KNOWN, MASK)
                )

                def draw() -> Tensor:
                    fresh = torch.stack([self._noise(generator) for generator in generators])[..., :longest]
                    return (fresh * exists[:, None, None]).to(self._device)

                found = inpaint(field, draw, known=known, mask=mask, steps=steps, agreed=bridge(known, mask, exists))
                stays = mask.expand_as(found) <= 0.5
                found = torch.where(stays, found, found.clamp(-LONGEST_VECTOR, LONGEST_VECTOR))
            else:
                times = time_grid(steps, shift=1.0 if options.shift is None else options.shift)
                found = SOLVERS[options.solver](field, noise.to(self._device), times)
                found = found.clamp(-LONGEST_VECTOR, LONGEST_VECTOR)
        whole = torch.zeros(len(seeds), AXES, VECTORS, config.longest)
        whole[..., :longest] = found.cpu() * exists[:, None, None]
        return list(whole.numpy())

    def _noise(self, generator: torch.Generator) -> Tensor:
        return torch.randn(AXES, VECTORS, self._config.longest, generator=generator)

    def _label(self, asked: int | None, generator: torch.Generator, is_given: bool) -> int:
        """Return the class of one backbone; a part of one that is given may be of any."""
        drawn = _drawn(list(self._classes.values()), generator) if self._classes else 0
        if asked is not None:
            return asked
        return self._config.classes if is_given else drawn

    def _length(self, options: BackboneOptions, prompt: Batch, label: int, generator: torch.Generator) -> int:
        """Return a number of residues: that of what is given, the one that is asked for, or one as frequent as in the class."""
        counts = self._lengths[min(label, len(self._lengths) - 1)]
        drawn = list(counts)[_drawn(list(counts.values()), generator)]
        if KNOWN in prompt:
            there = (prompt[KNOWN] != 0).any(1).any(0) | (prompt[MASK] > 0.5).any(1).any(0)
            return max(1, int(there.nonzero().max()) + 1)
        return drawn if options.residues is None else options.residues

    def _field(
        self, options: BackboneOptions, exists: Tensor, label: Tensor | None
    ) -> Callable[[Tensor, float], Tensor]:
        exists = exists.to(self._device)
        label = None if label is None else label.to(self._device)
        weight = 1.0 if options.guidance is None else options.guidance

        def field(points: Tensor, time: float) -> Tensor:
            times = torch.full((len(points),), time, device=points.device)
            if label is None or weight == 1.0:
                return self._velocity(points, times, exists, label)
            none = torch.full_like(label, self._config.classes)
            towards, away = (self._velocity(points, times, exists, one) for one in (label, none))
            return away + weight * (towards - away)

        return field


def _drawn(counts: list[int], generator: torch.Generator) -> int:
    """Return a place, drawn as often as its count says."""
    edges = torch.cumsum(torch.tensor(counts, dtype=torch.float64), 0)
    draw = torch.rand((), generator=generator, dtype=torch.float64) * edges[-1]
    return min(int((draw >= edges).sum()), len(counts) - 1)
