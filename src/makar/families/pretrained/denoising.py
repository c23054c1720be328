"""How a denoiser of diffusers is trained: what it is told, what it predicts, and where between image and noise it is asked.

Pipelines of Stable Diffusion 1, 2 and XL learn the noise or the velocity at uniform steps of a schedule (Ho et al. 2020, arXiv 2006.11239,
eq. 14; Salimans and Ho 2022, arXiv 2202.00512, appendix D); Stable Diffusion 3 and Flux the way from image to noise at logit-normal times
(Esser et al. 2024, arXiv 2403.03206, sections 2 and 3.1). Images are latents of the pipeline's autoencoder; words go through its text
encoders, which stay as they are, so what they say of a description is kept.
"""

import abc
import dataclasses
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from makar.errors import UnsupportedError
from makar.families.pretrained.opening import diffusers

KEPT_DESCRIPTIONS = 512
FLUX_GUIDANCE = 3.5
"""Told to a Flux that is told its guidance, in training as in its own examples."""
STEPS = 1000


@dataclasses.dataclass(frozen=True, kw_only=True)
class Words:
    """What text encoders make of one description, ``[length, width]``, and of it as a whole, ``[width]``."""

    each: Tensor
    whole: Tensor | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Noised:
    """A batch somewhere between image and noise, and what the denoiser should say of it."""

    latents: Tensor
    times: Tensor
    wanted: Tensor


class Denoising(abc.ABC):
    """What differs between pipelines while their denoiser learns.

    Args:
        pipeline: The opened pipeline.
    """

    def __init__(self, pipeline: Any) -> None:
        self.pipeline = pipeline
        self._kept: dict[str, Words] = {}

    @abc.abstractmethod
    def noised(self, latents: Tensor, noise: Tensor, shares: Float[Tensor, " batch"]) -> Noised:
        """Return points between latents and noise.

        Args:
            latents: Of images, ``[batch, channels, height, width]``.
            noise: Of the same shape.
            shares: 0 to 1: where between image and noise, as evenly drawn numbers.
        """

    @abc.abstractmethod
    def predicted(self, denoiser: Any, at: Noised, words: list[Words]) -> Tensor:
        """Return what the denoiser says, in the shape of ``at.wanted``."""

    @abc.abstractmethod
    def _encode(self, description: str) -> Words:
        """Return what the text encoders make of a description."""

    def words(self, descriptions: list[str]) -> list[Words]:
        """Return what the text encoders make of descriptions; they are asked once for each."""
        for description in descriptions:
            if description not in self._kept:
                if len(self._kept) >= KEPT_DESCRIPTIONS:
                    self._kept.clear()
                # What is kept serves training too, which cannot use what was made in inference mode.
                with torch.inference_mode(False), torch.no_grad():
                    self._kept[description] = self._encode(description)
        return [self._kept[description] for description in descriptions]

    def latents(self, images: Tensor, draw: Tensor | None) -> Tensor:
        """Return scaled latents of images.

        Args:
            images: ``[batch, 3, height, width]`` in -1..1.
            draw: Noise of the shape of the latents for their spread; ``None`` takes their mean.
        """
        vae = self.pipeline.vae
        with torch.no_grad():
            found = vae.encode(images.to(vae.dtype)).latent_dist
            latents = found.mean if draw is None else found.mean + found.std * draw.to(found.mean)
        shift = vae.config.get("shift_factor") or 0.0
        return ((latents - shift) * vae.config.scaling_factor).float()


class SteppedDenoising(Denoising):
    """Stable Diffusion 1 and 2: noise or velocity at steps of a schedule."""

    def __init__(self, pipeline: Any) -> None:
        super().__init__(pipeline)
        self._schedule = diffusers().DDPMScheduler.from_config(pipeline.scheduler.config)

    def noised(self, latents: Tensor, noise: Tensor, shares: Float[Tensor, " batch"]) -> Noised:
        schedule = self._schedule
        times = (shares * STEPS).long().clamp(max=STEPS - 1).to(latents.device)
        at = schedule.add_noise(latents, noise, times)
        kind = schedule.config.prediction_type
        if kind not in ("epsilon", "v_prediction", "sample"):
            raise UnsupportedError(f"a pipeline that predicts {kind}", expected="epsilon, v_prediction or sample")
        wanted = {"epsilon": noise, "sample": latents}.get(kind)
        return Noised(
            latents=at,
            times=times,
            wanted=schedule.get_velocity(latents, noise, times) if wanted is None else wanted,
        )

    def predicted(self, denoiser: Any, at: Noised, words: list[Words]) -> Tensor:
        each = torch.stack([one.each for one in words])
        return _first(denoiser(at.latents.to(each.dtype), at.times, encoder_hidden_states=each, return_dict=False))

    def _encode(self, description: str) -> Words:
        each, _ = self.pipeline.encode_prompt([description], self.pipeline.device, 1, False)
        return Words(each=each[0], whole=None)


class SteppedDenoisingXl(SteppedDenoising):
    """Stable Diffusion XL: two text encoders, and the size of the image is told too."""

    def predicted(self, denoiser: Any, at: Noised, words: list[Words]) -> Tensor:
        each, whole = torch.stack([one.each for one in words]), torch.stack([_known(one.whole) for one in words])
        factor = self.pipeline.vae_scale_factor
        height, width = (factor * side for side in at.latents.shape[-2:])
        # Size that the image had, its left and upper edge, size that it has.
        sizes = torch.tensor([[height, width, 0, 0, height, width]], device=each.device, dtype=each.dtype)
        told = {"text_embeds": whole, "time_ids": sizes.repeat(len(each), 1)}
        return _first(
            denoiser(
                at.latents.to(each.dtype),
                at.times,
                encoder_hidden_states=each,
                added_cond_kwargs=told,
                return_dict=False,
            )
        )

    def _encode(self, description: str) -> Words:
        each, _, whole, _ = self.pipeline.encode_prompt(
            prompt=[description],
            device=self.pipeline.device,
            num_images_per_prompt=1,
            do_classifier_free_guidance=False,
        )
        return Words(each=each[0], whole=whole[0])


class FlowDenoising(Denoising):
    """Stable Diffusion 3: the way from image to noise."""

    def noised(self, latents: Tensor, noise: Tensor, shares: Float[Tensor, " batch"]) -> Noised:
        # An even share becomes a logit-normal one by the inverse of the normal distribution.
        normal = torch.special.ndtri(shares.double().clamp(1e-5, 1 - 1e-5))
        time = torch.sigmoid(normal).float().to(latents.device)
        shift = float(self.pipeline.scheduler.config.get("shift") or 1.0)
        time = shift * time / (1 + (shift - 1) * time)
        share = time[:, None, None, None]
        return Noised(latents=(1 - share) * latents + share * noise, times=time * STEPS, wanted=noise - latents)

    def predicted(self, denoiser: Any, at: Noised, words: list[Words]) -> Tensor:
        each, whole = torch.stack([one.each for one in words]), torch.stack([_known(one.whole) for one in words])
        return _first(
            denoiser(
                hidden_states=at.latents.to(each.dtype),
                timestep=at.times,
                encoder_hidden_states=each,
                pooled_projections=whole,
                return_dict=False,
            )
        )

    def _encode(self, description: str) -> Words:
        each, _, whole, _ = self.pipeline.encode_prompt(
            prompt=[description],
            prompt_2=None,
            prompt_3=None,
            device=self.pipeline.device,
            do_classifier_free_guidance=False,
        )
        return Words(each=each[0], whole=whole[0])


class FluxDenoising(FlowDenoising):
    """Flux: the same way, two by two latents folded into one position."""

    def predicted(self, denoiser: Any, at: Noised, words: list[Words]) -> Tensor:
        each, whole = torch.stack([one.each for one in words]), torch.stack([_known(one.whole) for one in words])
        kind = diffusers().FluxPipeline
        count, channels, height, width = at.latents.shape
        places = kind._prepare_latent_image_ids(count, height // 2, width // 2, each.device, each.dtype)
        guidance = torch.full((count,), FLUX_GUIDANCE, device=each.device)
        made = _first(
            denoiser(
                hidden_states=kind._pack_latents(at.latents.to(each.dtype), count, channels, height, width),
                timestep=at.times / STEPS,
                guidance=guidance if self.pipeline.transformer.config.guidance_embeds else None,
                pooled_projections=whole,
                encoder_hidden_states=each,
                txt_ids=torch.zeros(each.shape[1], 3, device=each.device, dtype=each.dtype),
                img_ids=places,
                return_dict=False,
            )
        )
        factor = self.pipeline.vae_scale_factor
        unpacked: Tensor = kind._unpack_latents(made, height * factor, width * factor, factor)
        return unpacked

    def _encode(self, description: str) -> Words:
        each, whole, _ = self.pipeline.encode_prompt(prompt=[description], prompt_2=None, device=self.pipeline.device)
        return Words(each=each[0], whole=whole[0])


KINDS: dict[str, type[Denoising]] = {
    "StableDiffusionXL": SteppedDenoisingXl,
    "StableDiffusion3": FlowDenoising,
    "StableDiffusion": SteppedDenoising,
    "Flux": FluxDenoising,
}
"""By the beginning of the class of a pipeline, the longer before the shorter."""


def denoising_of(pipeline: Any) -> Denoising:
    """Return how the denoiser of a pipeline learns.

    Raises:
        UnsupportedError: It is of a kind that is not known here.
    """
    name = type(pipeline).__name__
    for start, kind in KINDS.items():
        if name.startswith(start):
            return kind(pipeline)
    raise UnsupportedError(
        f"{name} cannot be adapted here",
        expected="Stable Diffusion 1, 2, 3, XL or Flux",
        do="it can generate and edit; load adapters of it with --lora",
    )


def _first(made: Any) -> Tensor:
    first: Tensor = made[0]
    return first


def _known(whole: Tensor | None) -> Tensor:
    assert whole is not None, "text encoders of this pipeline say something of the whole"
    return whole
