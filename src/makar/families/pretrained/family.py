"""A pretrained pipeline as a family: it samples as it came, and learns by a low-rank adapter of its denoiser.

Of every adapted layer W the family learns A and B: W + (alpha / rank) B A (Hu et al. 2021, arXiv 2106.09685, eq. 3); B begins at zero and A
normal with deviation 1 / rank, so that the first network is the pipeline itself. All else is frozen and no part of the family's tensors: a
saved adapter holds A and B under the names of PEFT, which opens its folder. With a ``class_prompt`` the pipeline first draws images of it,
and the loss on them keeps what it knew (Ruiz et al. 2023, arXiv 2208.12242, eq. 2).
"""

import contextlib
import json
import warnings
from collections.abc import Iterable
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from makar.codecs.prompted_image import words_of
from makar.errors import MissingExtraError, UnsupportedError
from makar.families.family import Batch, Family, Loss, OnnxPart, ParameterGroup, Phase
from makar.families.logits_hook import LogitsHook, refuse_hook
from makar.families.pretrained.config import CREATE, PretrainedConfig
from makar.families.pretrained.denoising import Denoising, Words, denoising_of
from makar.families.pretrained.layers import present_suffixes
from makar.families.pretrained.lora_files import PEFT_SETTINGS
from makar.families.pretrained.lora_keys import PEFT_PREFIX
from makar.families.pretrained.memory import fit_memory, free_bytes_of
from makar.families.pretrained.onnx_network import PlainDenoiser
from makar.families.pretrained.opening import base_folder, open_pipeline
from makar.families.pretrained.options import PretrainedOptions
from makar.families.pretrained.sampler import PretrainedSampler, has_checker
from makar.families.pretrained.tasks import Tasks
from makar.nn.device import working_device
from makar.tensor_spec import CAPTION, TARGET

ADAPTER = "default"
"""Name of the adapter within PEFT."""
SEEDS = 1 << 40


class PretrainedFamily(Family):
    """A pipeline of diffusers.

    Args:
        config: Names the folder by its hash.

    Raises:
        ArtifactError: The folder is not on this machine, or another one.
        MissingExtraError: diffusers or peft is absent.
    """

    options: ClassVar[type[PretrainedOptions]] = PretrainedOptions

    def __init__(self, config: PretrainedConfig) -> None:
        super().__init__()
        self.config: PretrainedConfig = config
        folder = base_folder(config)
        device = working_device().type
        computing = fit_memory(
            folder.weights(), height=config.height, width=config.width, device=device, free_bytes=free_bytes_of(device)
        )
        pipeline = open_pipeline(config, folder, computing)
        # The pipeline is no module, so its weights are neither saved nor counted nor moved with those of the family.
        self._tasks = Tasks(pipeline, config=config, computing=computing)
        self._denoiser_name = folder.denoiser
        self._denoising: Denoising | None = denoising_of(pipeline) if config.rank else None
        self.place: Tensor
        self.prior: Tensor
        self.register_buffer("place", torch.zeros(()), persistent=False)
        self._names: list[str] = []
        self._suffixes: tuple[str, ...] = ()
        self.adapter = nn.ParameterList()
        self._prior_seed = 0
        if config.rank:
            self._adapt(pipeline.components[folder.denoiser])
            if config.class_prompt:
                # A buffer, so that a run that goes on finds the images that it began with.
                self.register_buffer("prior", torch.zeros(config.class_images, *self._latent_shape()))

    @property
    def computing(self) -> dict[str, Any]:
        """How it computes on this machine."""
        return self._tasks.computing.to_dictionary()

    @property
    def _denoiser(self) -> Any:
        return self._tasks.opened.components[self._denoiser_name]

    def _adapt(self, denoiser: nn.Module) -> None:
        config = self.config
        if config.edits == ("inpaint",) and CREATE not in config.abilities:
            raise UnsupportedError("a pipeline for filling in is not adapted here", expected="one that makes images")
        try:
            from peft import LoraConfig, inject_adapter_in_model
        except ImportError as error:
            raise MissingExtraError("peft", extra="diffusers") from error
        layers = [name for name, module in denoiser.named_modules() if isinstance(module, nn.Linear)]
        self._suffixes = present_suffixes(layers, config.targets)
        settings = LoraConfig(
            r=config.rank,
            lora_alpha=config.alpha or config.rank,  # type: ignore[arg-type]  # kohya and PEFT itself have fractions here
            target_modules=list(self._suffixes),
        )
        with warnings.catch_warnings():
            # PEFT remarks on ranks beyond the layer, which tiny networks have.
            warnings.simplefilter("ignore")
            inject_adapter_in_model(settings, denoiser, adapter_name=ADAPTER)
        for name, parameter in denoiser.named_parameters():
            if ".lora_A." in name or ".lora_B." in name:
                parameter.data = parameter.data.float()
                parameter.requires_grad_(True)
                self._names.append(PEFT_PREFIX + name.replace(f".{ADAPTER}.", "."))
                self.adapter.append(parameter)

    def initialise(self, generator: torch.Generator) -> None:
        """Draw the first matrix of every layer; the second is zero."""
        with torch.no_grad():
            for name, parameter in zip(self._names, self.adapter, strict=True):
                if ".lora_A." in name:
                    drawn = torch.randn(parameter.shape, generator=generator) / self.config.rank
                    parameter.copy_(drawn)
                else:
                    parameter.zero_()
        self._prior_seed = int(torch.randint(SEEDS, (1,), generator=generator))

    def initialise_from_data(self, batches: Iterable[Batch]) -> None:
        """Let the pipeline draw what it is not to forget; the data are not looked at."""
        del batches
        config = self.config
        if not config.class_prompt or self._denoising is None:
            return
        caption = torch.tensor([byte + 2 for byte in config.class_prompt.encode()])
        options = PretrainedOptions(steps=config.class_steps, height=config.height, width=config.width)
        sampler = PretrainedSampler(self._tasks, config=config)
        seeds = [self._prior_seed + number for number in range(config.class_images)]
        for index, slots, _ in sampler.sample(options, [{CAPTION: caption}] * len(seeds), seeds):
            image = torch.from_numpy(slots[TARGET])[None].to(self._denoiser.device)
            self.prior[index] = self._denoising.latents(image, None)[0].cpu()

    def begin_from(self, parent: Family, batches: Iterable[Batch]) -> None:
        """Take over another adapter of the same base; what is not to be forgotten the base draws, before."""
        self.initialise_from_data(batches)
        super().begin_from(parent, batches)

    def phases(self) -> list[Phase]:
        """One phase: the adapter. A pipeline as it came learns nothing."""
        if not self.config.rank:
            raise UnsupportedError(
                "a pretrained pipeline as it came has nothing to learn", expected="an adapter", do="--adapter lora"
            )
        if self._tasks.computing.offload != "none":
            raise UnsupportedError("this pipeline does not fit on the device as a whole", expected="a smaller pipeline")
        self._tasks.opened.to(self.place.device)
        return [Phase(name="adapter", groups=[ParameterGroup(parameters=list(self.adapter))], loss=self._loss)]

    def _loss(self, batch: Batch, generator: torch.Generator) -> Loss:
        config, denoising = self.config, self._learning()
        images = batch[TARGET]
        descriptions = _descriptions(batch)
        if config.caption_dropout:
            forgotten = torch.rand(len(images), generator=generator) < config.caption_dropout
            descriptions = ["" if is_gone else text for text, is_gone in zip(descriptions, forgotten, strict=True)]
        latents = denoising.latents(images, torch.randn(len(images), *self._latent_shape(), generator=generator))
        words = denoising.words(descriptions)
        count = len(latents)
        if config.class_prompt:
            chosen = torch.randint(len(self.prior), (count,), generator=generator)
            latents = torch.cat([latents, self.prior[chosen.to(self.prior.device)].to(latents)])
            words = words + denoising.words([config.class_prompt]) * count
        shares = torch.rand(len(latents), generator=generator)
        noise = torch.randn(latents.shape, generator=generator).to(latents)
        errors = self._errors(latents, noise, shares, words)
        value, metrics = errors[:count].mean(), {}
        if config.class_prompt:
            prior = errors[count:].mean()
            metrics = {"own": float(value.detach()), "prior": float(prior.detach())}
            value = value + config.prior_weight * prior
        return Loss(value=value, count=count, unit="mse", metrics=metrics)

    def validation_loss(self, batch: Batch, generator: torch.Generator) -> Loss:
        """Return the error at evenly spread times, on the batch alone."""
        denoising = self._learning()
        with torch.no_grad():
            latents = denoising.latents(batch[TARGET], None)
            shares = (torch.arange(len(latents)) + 0.5) / len(latents)
            noise = torch.randn(latents.shape, generator=generator).to(latents)
            errors = self._errors(latents, noise, shares, denoising.words(_descriptions(batch)))
        return Loss(value=errors.mean(), count=len(latents), unit="mse")

    def _errors(self, latents: Tensor, noise: Tensor, shares: Tensor, words: list[Words]) -> Tensor:
        """Return the mean squared error of each example, in float32 whatever the network computes in."""
        denoising = self._learning()
        at = denoising.noised(latents, noise, shares)
        with self._number_format():
            predicted = denoising.predicted(self._denoiser, at, words)
        return F.mse_loss(predicted.float(), at.wanted.float(), reduction="none").flatten(1).mean(1)

    def _number_format(self) -> contextlib.AbstractContextManager[Any]:
        if self.precision != "bfloat16":
            return contextlib.nullcontext()
        return torch.autocast(self.place.device.type, dtype=torch.bfloat16)

    def _learning(self) -> Denoising:
        if self._denoising is None:
            raise UnsupportedError("a pipeline without an adapter learns nothing", expected="a rank above 0")
        return self._denoising

    def _latent_shape(self) -> tuple[int, int, int]:
        pipeline, config = self._tasks.opened, self.config
        factor = pipeline.vae_scale_factor
        return int(pipeline.vae.config.latent_channels), config.height // factor, config.width // factor

    @property
    def previews(self) -> bool:
        """Whether its images may be seen before they are done: not where a safety checker has to look first."""
        return self.config.previews and not has_checker(self._tasks.opened)

    def sampler(self, codec: Any, *, hook: LogitsHook | None = None) -> PretrainedSampler:
        """Return a sampler over the pipeline with the adapter as it is."""
        del codec
        refuse_hook(hook)
        return PretrainedSampler(self._tasks, config=self.config)

    def tensors(self) -> dict[str, Tensor]:
        """Return the matrices of the adapter under the names of PEFT; nothing of the pipeline."""
        return {name: parameter.data for name, parameter in zip(self._names, self.adapter, strict=True)}

    def files(self, codec: Any) -> dict[str, bytes]:
        """Return the settings by which PEFT opens the adapter."""
        del codec
        config = self.config
        if not config.rank:
            return {}
        settings = {
            "peft_type": "LORA",
            "base_model_name_or_path": f"sha256:{config.base}",
            "r": config.rank,
            "lora_alpha": config.alpha or config.rank,
            "target_modules": list(self._suffixes),
            "lora_dropout": 0.0,
            "bias": "none",
            "inference_mode": True,
        }
        return {PEFT_SETTINGS: json.dumps(settings, indent=1).encode()}

    def onnx_parts(self) -> list[OnnxPart]:
        """Return the denoiser with the adapter added to its weights.

        Raises:
            UnsupportedError: The pipeline is not one of Stable Diffusion 1 or 2.
        """
        if not self.config.is_unet or "XL" in self.config.pipeline:
            raise UnsupportedError(
                f"the denoiser of {self.config.pipeline} is not written as ONNX",
                expected="Stable Diffusion 1 or 2",
                do="makar export ADAPTER --to diffusers",
            )
        return [PlainDenoiser.part(self._denoiser)]


def _descriptions(batch: Batch) -> list[str]:
    return [words_of(row) for row in batch[CAPTION].cpu().numpy()]
