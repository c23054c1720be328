"""Images by a variational autoencoder: codes for images, images from codes, how strange an image is, noise taken away.

The loss is the evidence lower bound in nats an image (``objective``), reconstruction and divergence reported apart;
the validation loss is the plain bound whatever ``beta`` and ``free_bits`` are, so that runs compare. Source: Kingma
and Welling 2013 (arXiv 1312.6114).
"""

from collections.abc import Iterable
from itertools import islice
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from makar.errors import UnsupportedError
from makar.families.family import Batch, Family, Loss, OnnxPart, ParameterGroup, Phase, Sampler
from makar.families.logits_hook import LogitsHook, refuse_hook
from makar.families.vae.config import VaeConfig
from makar.families.vae.description import error_cells, outlines
from makar.families.vae.frames_sampler import FramesSampler
from makar.families.vae.network import SMALLEST_DEVIATION, Decoding, Encoding, Posterior, VaeNetwork
from makar.families.vae.objective import add_noise, black_and_white, divergence_of_channels, pressed_divergence
from makar.families.vae.options import VaeOptions
from makar.families.vae.sampler import VaeSampler
from makar.nn.initialisation import initialise_modules
from makar.nn.likelihood import image_mean, image_nats
from makar.tensor_spec import TARGET

UNIT = "nats/image"
STATISTICS_BATCHES = 64
"""Batches looked at for the mean image and the deviation of the channels."""

ANOMALY_DRAWS = 4
"""Draws of a black and white image that a score is the mean of."""

DESCRIBED_EVERY = 4
"""Steps between two looks at training images for their description, which costs a forward pass."""

DESCRIBED_TOGETHER = 64
"""Training images of a look."""

_TYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


class VaeFamily(Family):
    """A variational autoencoder of images.

    Args:
        config: Sizes, bound to what the codec makes.
    """

    options: ClassVar[type[VaeOptions]] = VaeOptions
    predictions: ClassVar[tuple[str, ...]] = VaeConfig.predictions
    concurrent: ClassVar[bool] = True

    def __init__(self, config: VaeConfig) -> None:
        super().__init__()
        self.config: VaeConfig = config
        self.precision = "float32"
        self.network = VaeNetwork(config)
        self._latest: Tensor | None = None

    def initialise(self, generator: torch.Generator) -> None:
        """Draw every weight; the decoder then says the mean image whatever the latents are."""
        initialise_modules(self.network, generator)
        with torch.no_grad():
            self.network.start.zero_()
            self.network.description.reset()
            if self.network.outlines is not None:
                self.network.outlines.reset()
            if self.network.vector is not None:
                self.network.vector.start.zero_()
            if self.config.likelihood == "gaussian":
                self.network.log_deviation.zero_()

    def initialise_from_data(self, batches: Iterable[Batch]) -> None:
        """Take the mean image and the deviation of each channel around it from a few batches."""
        total, squares, count = torch.zeros(()), torch.zeros(()), 0
        for batch in islice(batches, STATISTICS_BATCHES):
            values = self._apart(batch[TARGET]).double()
            count += len(values)
            total, squares = total + values.sum(0), squares + values.square().sum(0)
        if not count:
            return
        mean = total / count
        variance = (squares / count - mean.square()).clamp(min=0).mean((1, 2))
        self.network.data_mean.copy_(mean)
        self.network.data_deviation.copy_(variance.sqrt().clamp(min=SMALLEST_DEVIATION)[:, None, None])

    def phases(self) -> list[Phase]:
        """One phase: the bound; after it, now and then, training images are described."""
        groups = [ParameterGroup(parameters=list(self.parameters()))]
        return [Phase(name="bound", groups=groups, loss=self._loss, after_step=self._describe_latest)]

    def prepare(self, batch: Batch, generator: torch.Generator) -> Batch:
        """Pass the batch on, clips as their frames, and keep a part of it for the description of training images."""
        batch = {**batch, TARGET: self._apart(batch[TARGET])}
        if self.training:
            self._latest = self._seen(batch[TARGET][:DESCRIBED_TOGETHER], generator)
        return batch

    def _apart(self, images: Tensor) -> Tensor:
        """Return the frames of clips as images, ``[batch * frames, channels, height, width]``; images are what they were."""
        frames = self.config.frames
        return images if frames == 1 else images.reshape(len(images) * frames, -1, *images.shape[2:])

    def _together(self, images: Tensor) -> Tensor:
        """Return images as the frames of clips, ``[batch, frames * channels, height, width]``."""
        frames = self.config.frames
        return images if frames == 1 else images.reshape(len(images) // frames, -1, *images.shape[2:])

    def _describe_latest(self) -> None:
        """Look at the latest training images as they are seen without noise, every few steps."""
        description = self.network.description
        description.waited += 1
        if self._latest is None or description.waited < DESCRIBED_EVERY:
            return
        description.waited.zero_()
        values, levels = self._description(self._latest)
        variances = torch.cat([torch.exp(2 * log_deviation).flatten(1) for _, log_deviation in levels], dim=1)
        description.update(values, variances[:, : description.latents])
        if self.network.outlines is not None:
            self.network.outlines.update(self._outlines(self._latest), variances[:, :0])
        self._latest = None

    def _description(self, seen: Tensor) -> tuple[Tensor, list[Posterior]]:
        """Return how images are described ``[batch, length]``, and the posteriors of every level."""
        location, _, levels = self._rebuilt(seen)
        latents = torch.cat([mean.flatten(1) for mean, _ in levels], dim=1)[:, : self.network.description.latents]
        errors = error_cells(image_mean(self.config.likelihood, location) - seen)
        return torch.cat([latents, errors], dim=1), levels

    def _outlines(self, seen: Tensor) -> Tensor:
        return outlines(seen, cells=self.config.outline_cells)

    def _strangeness(self, seen: Tensor) -> Tensor:
        """Return how far images lie from what is usual ``[batch]``, about 1 for usual ones."""
        distance = self.network.description.distance(self._description(seen)[0])
        if self.network.outlines is None:
            return distance
        # The geometric mean: the longer tail of one of them would drown the other in a sum.
        return (distance * self.network.outlines.distance(self._outlines(seen))).sqrt()

    def _loss(self, batch: Batch, generator: torch.Generator) -> Loss:
        config, image = self.config, batch[TARGET]
        clean = self._seen(image, generator)
        seen = clean
        if config.noise_share and config.noise_deviation:
            noisy = add_noise(image, share=config.noise_share, largest=config.noise_deviation, generator=generator)
            is_noisy = (noisy != image).flatten(1).any(1)[:, None, None, None]
            seen = torch.where(is_noisy, self._seen(noisy, generator), clean)
        reconstruction, divergences = self._bound(seen, clean, generator)
        pressed = pressed_divergence(divergences, free_bits=config.free_bits)
        return self._said(reconstruction, divergences, value=reconstruction.mean() + config.beta * pressed)

    def validation_loss(self, batch: Batch, generator: torch.Generator) -> Loss:
        """Return the bound on clean images, in nats an image: reconstruction plus divergence, with nothing weighted."""
        with torch.no_grad():
            image = self._seen(self._apart(batch[TARGET]), generator)
            reconstruction, divergences = self._bound(image, image, generator)
            value = reconstruction.mean() + pressed_divergence(divergences, free_bits=0.0)
            return self._said(reconstruction, divergences, value=value)

    def _seen(self, image: Tensor, generator: torch.Generator) -> Tensor:
        """Return what the likelihood is about: black and white drawn from the greys, or the image as it is."""
        return black_and_white(image, generator) if self.config.likelihood == "bernoulli" else image

    def _bound(self, seen: Tensor, target: Tensor, generator: torch.Generator) -> tuple[Tensor, list[Tensor]]:
        """Return nats of reconstruction ``[batch]`` and, for each level, of divergence ``[batch, channels]``."""
        self._compute()
        divergences = []

        def draw(number: int, posterior: Posterior | None) -> Tensor:
            assert posterior is not None, f"level {number} saw no image"
            mean, log_deviation = posterior
            divergences.append(divergence_of_channels(mean, log_deviation))
            noise = torch.randn(mean.shape, generator=generator).to(mean.device)
            return mean + torch.exp(log_deviation) * noise

        location, log_scale = self.network.unroll(len(seen), self.network.look(seen), draw)
        return image_nats(self.config.likelihood, location, log_scale, target), divergences

    def _said(self, reconstruction: Tensor, divergences: list[Tensor], *, value: Tensor) -> Loss:
        levels = [float(part.detach().sum(1).mean()) for part in divergences]
        metrics = {"reconstruction": float(reconstruction.detach().mean()), "divergence": sum(levels)}
        metrics |= {f"divergence_{number}": nats for number, nats in enumerate(levels)} if len(levels) > 1 else {}
        return Loss(value=value, count=len(reconstruction), unit=UNIT, metrics=metrics)

    def predict(self, batch: Batch, what: str, generator: torch.Generator) -> dict[str, np.ndarray]:
        """Say how strange images are: how far their latents, what is left over and their outlines lie from those of training images.

        Args:
            batch: ``target`` ``[batch, channels, height, width]`` from -1 to 1.
            what: ``"anomaly"``.
            generator: Draws black and white from greys; the other likelihoods need no draw.

        Returns:
            float32 ``[batch]`` each: ``score``, about 1 for usual images and higher for stranger ones; and the nats of the
            image, ``reconstruction`` and ``divergence``.
        """
        if what not in self.predictions:
            return super().predict(batch, what, generator)
        image = self._apart(batch[TARGET])
        draws = ANOMALY_DRAWS if self.config.likelihood == "bernoulli" else 1
        found = {name: torch.zeros(len(image)) for name in ("score", "reconstruction", "divergence")}
        with torch.no_grad():
            for _ in range(draws):
                seen = self._seen(image, generator)
                location, log_scale, levels = self._rebuilt(seen)
                nats = image_nats(self.config.likelihood, location, log_scale, seen)
                found["score"] += self._strangeness(seen).cpu() / draws
                found["reconstruction"] += nats.cpu() / draws
                found["divergence"] += sum(divergence_of_channels(*level).sum(1).cpu() for level in levels) / draws
        # A clip is as strange as its frames are in the mean.
        return {name: value.reshape(-1, self.config.frames).mean(1).numpy() for name, value in found.items()}

    def _rebuilt(self, seen: Tensor) -> tuple[Tensor, Tensor | None, list[Posterior]]:
        """Return location, log scale and the posteriors of every level when all latents are at their means."""
        self._compute()
        levels: list[Posterior] = []

        def mean(number: int, posterior: Posterior | None) -> Tensor:
            assert posterior is not None, f"level {number} saw no image"
            levels.append(posterior)
            return posterior[0]

        location, log_scale = self.network.unroll(len(seen), self.network.look(seen), mean)
        return location, log_scale, levels

    def encode(
        self, images: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch latent_channels rows columns"]:
        """Return the mean latents of images, for a model with latents at one level; with more see ``encode_levels``.

        Args:
            images: -1 to 1; black and white when the likelihood is Bernoulli; of clips the channels of all frames, as are the latents.

        Raises:
            UnsupportedError: The model has latents at several levels, which do not fit into one grid.
        """
        self._require_one_level()
        return self._together(self.encode_levels(self._apart(images))[0])

    def decode(
        self, latents: Float[Tensor, "batch latent_channels rows columns"]
    ) -> Float[Tensor, "batch channels height width"]:
        """Return the mean images of latents, -1 to 1, for a model with latents at one level.

        Raises:
            UnsupportedError: The model has latents at several levels.
        """
        self._require_one_level()
        return self._together(self.decode_levels([self._apart(latents)]))

    def encode_levels(self, images: Float[Tensor, "batch channels height width"]) -> list[Tensor]:
        """Return the mean latents of every level, ``[batch, channels, rows, columns]``, the coarsest first.

        A priori each latent is standard normal given the coarser ones.
        """
        return [mean.permute(0, 3, 1, 2) for mean, _ in self._rebuilt(images)[2]]

    def decode_levels(self, latents: list[Tensor]) -> Float[Tensor, "batch channels height width"]:
        """Return the mean images of the latents of every level, as ``encode_levels`` gives them."""
        self._compute()

        def given(number: int, posterior: Posterior | None) -> Tensor:
            del posterior
            return latents[number].permute(0, 2, 3, 1)

        location, _ = self.network.unroll(len(latents[0]), None, given)
        return image_mean(self.config.likelihood, location)

    def _require_one_level(self) -> None:
        if len(self.config.latent_shapes) > 1:
            raise UnsupportedError(
                f"this autoencoder has latents at {len(self.config.latent_shapes)} levels",
                expected="latents at the deepest level only",
                do="train with family.vector_latents=0, or use encode_levels and decode_levels",
            )

    def _compute(self) -> None:
        self.network.compute_type = _TYPES[self.precision]

    def sampler(self, codec: Any, *, hook: LogitsHook | None = None) -> Sampler:
        """Return a sampler over the current weights."""
        del codec
        refuse_hook(hook)
        self._compute()
        images = VaeSampler(self.network, seen=self._seen)
        return images if self.config.frames == 1 else FramesSampler(images, self.config)

    def tensors(self) -> dict[str, Tensor]:
        """Return weights, and the statistics of the data, under the names of the network's parts."""
        return dict(self.network.state_dict())

    def onnx_parts(self) -> list[OnnxPart]:
        """Return ``encode``, an image to its mean latents in one row, the coarsest first, and ``decode``, such a row to the image."""
        config = self.config
        network = VaeNetwork(config).eval()
        network.load_state_dict({name: value.detach().float().cpu() for name, value in self.tensors().items()})
        image = {"image": torch.ones(2, config.channels, config.height, config.width)}
        latents = {"latents": torch.zeros(2, config.latent_count)}
        return [
            OnnxPart(
                name="encode",
                module=Encoding(network),
                inputs=image,
                outputs=("latents",),
                dynamic={"image": {0: "batch"}},
            ),
            OnnxPart(
                name="decode",
                module=Decoding(network),
                inputs=latents,
                outputs=("image",),
                dynamic={"latents": {0: "batch"}},
            ),
        ]
