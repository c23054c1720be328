"""What both samplers share: which class an image gets, draws that belong to a seed alone, and the way between two random vectors."""

import abc
import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from makar.errors import ConfigError, UnknownNameError, UnsupportedError
from makar.families.family import Batch, Sampler
from makar.families.gan.config import GanConfig
from makar.families.gan.options import DcganOptions
from makar.tensor_spec import CLASS, TARGET

BATCH = 64
HALF_WAY = 0.5


class GanSampler(Sampler, abc.ABC):
    """Makes images in one pass.

    Args:
        config: Sizes of the model.
        device: Where the networks are.
        class_counts: Training images of each class by name, in the order of the class numbers.
    """

    def __init__(self, *, config: GanConfig, device: torch.device, class_counts: dict[str, int]) -> None:
        self._config = config
        self._device = device
        self._names = list(class_counts)
        self._shares = torch.tensor([float(count) for count in class_counts.values()])

    @abc.abstractmethod
    def make(self, options: Any, seeds: list[int], labels: list[int | None], shares: list[float]) -> Tensor:
        """Return one image a seed, float32 ``[count, channels, height, width]``.

        Args:
            options: The controls.
            seeds: One seed an image.
            labels: One class an image, ``None`` without classes.
            shares: How far each image is towards ``options.towards_seed``; 0 where there is none.
        """

    def sample(
        self, options: Any, prompts: list[Batch], seeds: list[int]
    ) -> Iterator[tuple[int, dict[str, np.ndarray], bool]]:
        """Make one image for every seed.

        Yields:
            (index, {"target": float32 ``[channels, height, width]`` in -1..1}, True), in order.

        Raises:
            UnsupportedError: A label, slot or control that this model cannot honour.
            UnknownNameError: The label is not a class of the model.
        """
        self._check(options)
        labels = [self.label(options, prompts[index] if prompts else {}, seed=seed) for index, seed in enumerate(seeds)]
        share = HALF_WAY if options.towards is None else options.towards
        for start in range(0, len(seeds), BATCH):
            part = seeds[start : start + BATCH]
            images = self._images(options, part, labels[start : start + BATCH], [share] * len(part))
            for offset, image in enumerate(images):
                yield start + offset, {TARGET: image}, True

    def interpolate(
        self, options: Any, *, first_seed: int, last_seed: int, count: int, prompt: Batch | None = None
    ) -> np.ndarray:
        """Make images between two seeds, ends included, all of one class.

        Args:
            options: The controls; without a label, the class is the one drawn for the first seed.
            first_seed: Seed of the first image.
            last_seed: Seed of the last image.
            count: Number of images, at least 2.
            prompt: Slots that hold for all images.

        Returns:
            float32 ``[count, channels, height, width]`` in -1..1.
        """
        if count < 2:
            raise ConfigError(f"an interpolation of {count} images", expected="at least 2")
        self._check(options)
        label = self.label(options, prompt or {}, seed=first_seed)
        between = options.changed(towards_seed=last_seed)
        shares = [index / (count - 1) for index in range(count)]
        return np.concatenate(
            [
                self._images(between, [first_seed] * len(part), [label] * len(part), part)
                for part in (shares[start : start + BATCH] for start in range(0, count, BATCH))
            ]
        )

    def label(self, options: DcganOptions, prompt: Batch, *, seed: int) -> int | None:
        """Return the class of one image: the one asked for, else one drawn as often as it is in the data."""
        unknown = set(prompt) - {CLASS}
        if unknown:
            raise UnsupportedError(
                f"this image model cannot use {', '.join(sorted(unknown))}",
                expected="a class at most",
                do='train with the recipe "image" for a model that can change images',
            )
        if not self._config.classes:
            if options.label is not None or prompt:
                raise UnsupportedError(
                    "a class was asked for, and this model has none",
                    do="train with --set stages.0.codec.use_labels=true",
                )
            return None
        if options.label is not None:
            if prompt:
                raise UnsupportedError("a label and a class were both given", expected="one of them")
            if options.label not in self._names:
                raise UnknownNameError("label", options.label, self._names)
            return self._names.index(options.label)
        if prompt:
            number = int(prompt[CLASS])
            if not 0 <= number < self._config.classes:
                raise UnsupportedError(f"class {number}", expected=f"0 to {self._config.classes - 1}")
            return number
        edges = torch.cumsum(self._shares / self._shares.sum(), 0)
        draw = torch.rand((), generator=drawing(seed, "label"))
        return min(int((draw >= edges).sum()), self._config.classes - 1)

    def _check(self, options: Any) -> None:
        """Refuse controls that do not go together."""
        if options.towards is not None and options.towards_seed is None:
            raise UnsupportedError("towards without another seed to go to", expected="towards_seed as well")

    def _images(self, options: Any, seeds: list[int], labels: list[int | None], shares: list[float]) -> np.ndarray:
        with torch.inference_mode():
            return self.make(options, seeds, labels, shares).clamp(-1, 1).float().cpu().numpy()

    def _latents(self, seeds: list[int]) -> Tensor:
        width = self._config.latent_width
        return torch.stack([torch.randn(width, generator=drawing(seed, "latent")) for seed in seeds]).to(self._device)

    def _labels(self, labels: list[int | None]) -> Tensor | None:
        if not self._config.classes:
            return None
        return torch.tensor(labels, dtype=torch.int64, device=self._device)


def drawing(seed: int, purpose: str) -> torch.Generator:
    """Return the generator of one kind of draw of one seed, so that what one needs changes nothing of the others.

    Args:
        seed: Seed of the image.
        purpose: ``"latent"``, ``"noise"`` or ``"label"``.
    """
    # The generator of torch reads 32 bits of a seed, so all of ours must be in any of them.
    digest = hashlib.blake2b(f"{seed}/{purpose}".encode(), digest_size=4).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest, "little"))


def great_circle(
    first: Float[Tensor, "batch width"], last: Float[Tensor, "batch width"], share: Float[Tensor, "batch 1"]
) -> Float[Tensor, "batch width"]:
    """Return the points at ``share`` of the way between normal random vectors, as long as such vectors are.

    Source: Shoemake 1985; on the straight line the middle would have too little variance to be such a vector.
    """
    cosine = (first * last).sum(1, keepdim=True) / (first.norm(dim=1, keepdim=True) * last.norm(dim=1, keepdim=True))
    angle = torch.acos(cosine.clamp(-1, 1))
    sine = torch.sin(angle)
    curved = (torch.sin((1 - share) * angle) * first + torch.sin(share * angle) * last) / sine.clamp(min=1e-6)
    # Nearly the same or opposite vectors have no circle between them.
    return torch.where(sine < 1e-4, first + share * (last - first), curved)
