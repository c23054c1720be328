"""A linear autoencoder of small patches, with values or with tokens as latents: the least that a later stage can work through."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from makar.codecs.image_config import ImageCodecConfig
from makar.codecs.latent_config import LatentCodecConfig
from makar.config import Config, setting
from makar.errors import TensorMismatchError
from makar.families.diffusion.config import DiffusionConfig
from makar.families.family import Batch, Family, Loss, OnnxPart, ParameterGroup, Phase, Sampler
from makar.families.family_config import FamilyConfig
from makar.recipe import OptimisationConfig, Recipe, Stage
from makar.tensor_spec import TARGET, Slot, TensorSpec

PATCH = 4
KIND = "toy-autoencoder"
FAMILIES = {
    KIND: "tests.toy_autoencoder:ToyAutoencoderConfig",
    "toy-doubler": "tests.toy_autoencoder:ToyDoublerConfig",
}
RECIPES = {
    "toy-latent": "tests.toy_autoencoder:toy_latent",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class ToyAutoencoderConfig(FamilyConfig):
    kind: ClassVar[str] = KIND
    target: ClassVar[str] = "tests.toy_autoencoder:ToyAutoencoder"
    item_name: ClassVar[str] = "image"
    batching: ClassVar[Literal["items", "windows"]] = "items"
    edits: ClassVar[tuple[str, ...]] = ("reconstruct", "denoise")
    predictions: ClassVar[tuple[str, ...]] = ("anomaly",)

    channels: int = setting(1, meaning="channels", minimum=1)
    height: int = setting(16, meaning="height", minimum=4)
    width: int = setting(16, meaning="width", minimum=4)
    latent_channels: int = setting(3, meaning="channels of the latents", minimum=1)
    tokens: int = setting(0, meaning="size of a vocabulary; 0 makes values", minimum=0)

    def accepts(self) -> TensorSpec:
        sizes = (self.channels, self.height, self.width)
        return TensorSpec({TARGET: Slot(kind="values", axes=("channels", "height", "width"), sizes=sizes)})

    def latents(self) -> Slot:
        rows, columns = self.height // PATCH, self.width // PATCH
        if self.tokens:
            return Slot(kind="tokens", axes=("length",), sizes=(rows * columns,), vocabulary=self.tokens)
        sizes = (self.latent_channels, rows, columns)
        return Slot(kind="values", axes=("channels", "height", "width"), sizes=sizes)

    def bound_to(self, made: TensorSpec) -> "ToyAutoencoderConfig":
        channels, height, width = made[TARGET].sizes
        return self.changed(channels=channels, height=height, width=width)

    def scaled_to(self, parameters: int) -> "ToyAutoencoderConfig":
        per_channel = 2 * self.channels * PATCH**2
        return self.changed(latent_channels=max(1, round(parameters / per_channel)))

    def parameter_count(self) -> int:
        return 2 * self.latent_channels * self.channels * PATCH**2

    def training_operations(self) -> float:
        return 6.0 * self.parameter_count() * (self.height // PATCH) * (self.width // PATCH)

    def activation_bytes(self) -> float:
        return 8.0 * self.channels * self.height * self.width + 4.0 * self.latent_channels


@dataclasses.dataclass(frozen=True, kw_only=True)
class ToyOptions(Config):
    spread: float = setting(1.0, meaning="deviation of the latents that are drawn", minimum=0.0)
    edit: str | None = setting(None, meaning="what to do with a source")


class ToyAutoencoder(Family):
    """Two matrices: patch to latents and back. Tokens are the rounded first latent."""

    options: ClassVar[type[ToyOptions]] = ToyOptions

    def __init__(self, config: ToyAutoencoderConfig) -> None:
        super().__init__()
        self.config: ToyAutoencoderConfig = config
        values = config.channels * PATCH**2
        self.down = nn.Parameter(torch.zeros(config.latent_channels, values))
        self.up = nn.Parameter(torch.zeros(values, config.latent_channels))

    def initialise(self, generator: torch.Generator) -> None:
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.copy_(0.2 * torch.randn(parameter.shape, generator=generator))

    def _compress(self, images: Tensor) -> Tensor:
        patches = F.pixel_unshuffle(images, PATCH)
        return torch.einsum("lv,bvhw->blhw", self.down, patches)

    def _restore(self, latents: Tensor) -> Tensor:
        return F.pixel_shuffle(torch.einsum("vl,blhw->bvhw", self.up, latents), PATCH)

    def encode(self, images: Tensor) -> Tensor:
        latents = self._compress(images)
        if not self.config.tokens:
            return latents
        levels = (latents[:, 0].flatten(1).tanh() + 1) / 2 * (self.config.tokens - 1)
        return levels.round().long()

    def decode(self, latents: Tensor) -> Tensor:
        if self.config.tokens:
            first = (latents.float() / (self.config.tokens - 1) * 2 - 1).clamp(-0.999, 0.999).atanh()
            grid = first.reshape(-1, 1, self.config.height // PATCH, self.config.width // PATCH)
            latents = F.pad(grid, (0, 0, 0, 0, 0, self.config.latent_channels - 1))
        return self._restore(latents).clamp(-1, 1)

    def phases(self) -> list[Phase]:
        return [
            Phase(name="all", groups=[ParameterGroup(parameters=list(self.parameters()))], loss=self.validation_loss)
        ]

    def validation_loss(self, batch: Batch, generator: torch.Generator) -> Loss:
        images = batch[TARGET]
        return Loss(value=F.mse_loss(self._restore(self._compress(images)), images), count=len(images), unit="mse")

    def predict(self, batch: Batch, what: str, generator: torch.Generator) -> dict[str, np.ndarray]:
        if what != "anomaly":
            return super().predict(batch, what, generator)
        images = batch[TARGET]
        error = (self._restore(self._compress(images)) - images).square().mean((1, 2, 3))
        return {"score": error.detach().numpy()}

    def sampler(self, codec: Any) -> Sampler:
        return ToySampler(self)

    def tensors(self) -> dict[str, Tensor]:
        return dict(self.state_dict())

    def load_tensors(self, tensors: Mapping[str, Tensor]) -> None:
        own = self.state_dict()
        wrong = sorted(set(own) ^ set(tensors)) or [name for name in own if own[name].shape != tensors[name].shape]
        if wrong:
            raise TensorMismatchError(f"tensors do not fit: {', '.join(wrong)}")
        self.load_state_dict(dict(tensors))

    def onnx_parts(self) -> list[OnnxPart]:
        config = self.config
        images = torch.zeros(2, config.channels, config.height, config.width)
        return [
            OnnxPart(
                name="encoder",
                module=_Encoder(self).eval(),
                inputs={"images": images},
                outputs=("latents",),
                dynamic={"images": {0: "batch"}},
            )
        ]


class _Encoder(nn.Module):
    def __init__(self, family: ToyAutoencoder) -> None:
        super().__init__()
        self.family = family

    def forward(self, images: Tensor) -> Tensor:
        return self.family._compress(images)


class ToySampler(Sampler):
    """Decodes normal latents, or what is encoded from a source."""

    def __init__(self, family: ToyAutoencoder) -> None:
        self.family = family

    def sample(self, options, prompts, seeds):
        shape = self.family.config.changed(tokens=0).latents().sizes
        with torch.no_grad():
            for index, seed in enumerate(seeds):
                prompt = prompts[index] if prompts else {}
                if "source" in prompt:
                    latents = self.family._compress(prompt["source"][None])
                    latents = 0.5 * latents if options.edit == "denoise" else latents
                else:
                    noise = torch.randn(1, *shape, generator=torch.Generator().manual_seed(seed))
                    latents = options.spread * noise
                yield index, {TARGET: self.family._restore(latents)[0].clamp(-1, 1).numpy()}, True


@dataclasses.dataclass(frozen=True, kw_only=True)
class ToyDoublerConfig(ToyAutoencoderConfig):
    kind: ClassVar[str] = "toy-doubler"
    target: ClassVar[str] = "tests.toy_autoencoder:ToyDoubler"
    edits: ClassVar[tuple[str, ...]] = ("enlarge", "colour")
    predictions: ClassVar[tuple[str, ...]] = ()

    def accepts(self) -> TensorSpec:
        half = Slot(
            kind="values",
            axes=("channels", "height", "width"),
            sizes=(self.channels, self.height // 2, self.width // 2),
        )
        return TensorSpec({**super().accepts().slots, "source": half})


class ToyDoubler(ToyAutoencoder):
    """Makes every pixel of a source four."""

    def sampler(self, codec: Any) -> Sampler:
        return ToyDoublingSampler()


class ToyDoublingSampler(Sampler):
    def sample(self, options, prompts, seeds):
        for index, prompt in enumerate(prompts):
            yield index, {TARGET: prompt["source"].repeat_interleave(2, 1).repeat_interleave(2, 2).numpy()}, True


def stage(name: str = "autoencoder", share: float = 0.3, **values: Any) -> Stage:
    """Return the stage that trains the autoencoder."""
    return Stage(
        name=name,
        codec=ImageCodecConfig(height=16, width=16),
        family=ToyAutoencoderConfig(**values),
        optimisation=OptimisationConfig(learning_rate=1e-2, batch_size=8, warmup_steps=2),
        share=share,
    )


def toy_latent() -> Recipe:
    """Return diffusion on the latents of the toy."""
    later = Stage(
        name="image",
        codec=LatentCodecConfig(component="autoencoder", base=ImageCodecConfig(height=16, width=16)),
        family=DiffusionConfig(height=4, width=4, features=16, multipliers=(1, 2), head_width=8, patch=1),
        optimisation=OptimisationConfig(learning_rate=1e-3, batch_size=8, warmup_steps=2, average_share=0.1),
        share=0.7,
    )
    return Recipe(name="toy-latent", medium="image", summary="a toy", expected="a toy", stages=(stage(), later))


def toy_alone() -> Recipe:
    """Return the autoencoder by itself."""
    return Recipe(name="toy", medium="image", summary="a toy", expected="a toy", stages=(stage(share=1.0),))


def size_toy(stage: Stage, *, operations: float, items: int, spec: TensorSpec) -> tuple[FamilyConfig, Any]:
    """Keep the sizes as they are: tests must be small."""
    return stage.family, stage.optimisation
