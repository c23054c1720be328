"""What is known of a pretrained pipeline without opening it: the hash of its folder, its sizes, what it can do, and what is adapted.

The configuration names the folder by the hash of its content and never by a path: where it is on this machine stands in the private ledger.
With ``rank`` 0 it is the pipeline as it came; else a low-rank adapter of its denoiser is learned (Hu et al. 2021, arXiv 2106.09685), with
prior preservation where a ``class_prompt`` is given (DreamBooth: Ruiz et al. 2023, arXiv 2208.12242, section 3.2). What follows from the
folder is compared with it when it is opened, so that a forged configuration is found.
"""

import dataclasses
from typing import Any, ClassVar, Literal, Self

from makar.codecs.prompted_image_config import BYTE_TOKENS
from makar.config import setting
from makar.errors import ConfigError
from makar.families.family_config import FamilyConfig
from makar.families.pretrained.memory import fit_memory
from makar.tensor_spec import CAPTION, TARGET, Slot, TensorSpec

TARGETS = ("attention", "transformer")
"""What an adapter may change: the projections of the attention, or the feed-forward layers too; see ``layers``."""
LARGEST_RANK = 1024
CREATE = "create"
"""Among the abilities: images from words alone."""
WEIGHT_BYTES = 4.0
UNET_SHARE = 0.11
"""Share of the positions of the latents that a weight of a U-Net meets: most weights lie where the picture is small (0.8 T operations of
Stable Diffusion 1 at 512 x 512, 860 million weights, 4,096 positions)."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class PretrainedConfig(FamilyConfig):
    """A pipeline of diffusers, and an adapter of it where ``rank`` is above 0."""

    kind: ClassVar[str] = "pretrained"
    engine: ClassVar[str] = "diffusers"
    target: ClassVar[str] = "makar.families.pretrained.family:PretrainedFamily"
    item_name: ClassVar[str] = "image"
    batching: ClassVar[Literal["items", "windows"]] = "items"

    base: str = setting("", meaning="sha256 of the files of the folder, as makar.provenance.pipelines counts it")
    pipeline: str = setting("StableDiffusionPipeline", meaning="class of diffusers that the folder names")
    abilities: tuple[str, ...] = setting(
        (CREATE,), meaning="create, and the edits that diffusers has for such a pipeline"
    )
    height: int = setting(512, meaning="height of the images", unit="pixels", minimum=8, maximum=4096)
    width: int = setting(512, meaning="width of the images", unit="pixels", minimum=8, maximum=4096)
    latent_factor: int = setting(8, meaning="pixels along a side of one position that the denoiser sees", minimum=1)
    denoiser_weights: int = setting(0, meaning="weights of the network that takes the noise away", minimum=0)
    all_weights: int = setting(0, meaning="weights of all networks together", minimum=0)
    adapted_widths: tuple[int, int] = setting(
        (0, 0), meaning="sums of inputs and outputs of the layers of each choice of targets"
    )
    loras: tuple[str, ...] = setting((), meaning="LoRA files that are added to the weights, each SHA256:SCALE")
    controlnet: str = setting("", meaning="hash of the folder of a ControlNet that is put to the pipeline")
    rank: int = setting(
        0, meaning="rank of the adapter; 0 takes the pipeline as it is", minimum=0, maximum=LARGEST_RANK
    )
    alpha: float = setting(0.0, meaning="the adapter counts alpha / rank; 0 takes the rank", minimum=0.0)
    targets: str = setting("attention", meaning="layers that the adapter changes", choices=TARGETS)
    caption_dropout: float = setting(
        0.0, meaning="share of the descriptions that are forgotten in training", minimum=0.0, maximum=1.0
    )
    class_prompt: str = setting("", meaning="describes what must not be forgotten, such as 'a photo of a dog'")
    class_images: int = setting(
        32, meaning="images that the pipeline makes of class_prompt before training", minimum=1, maximum=10_000
    )
    class_steps: int = setting(25, meaning="steps of the solver for these images", minimum=1, maximum=1000)
    prior_weight: float = setting(1.0, meaning="weight of the loss on these images", minimum=0.0, maximum=100.0)

    def check(self) -> None:
        """Check the fields, and that the sides are whole positions of the latents."""
        super().check()
        if self.height % self.latent_factor or self.width % self.latent_factor:
            raise ConfigError(
                f"images of {self.width} x {self.height} pixels",
                expected=f"sides that are multiples of {self.latent_factor}",
            )

    @property
    def edits(self) -> tuple[str, ...]:
        """What diffusers can do to an image with such a pipeline."""
        return tuple(name for name in self.abilities if name != CREATE)

    @property
    def previews(self) -> bool:
        """Whether its latents are those of its autoencoder at every step, which is so of Stable Diffusion."""
        return self.pipeline.startswith("StableDiffusion")

    @property
    def scale(self) -> float:
        """What the product of the two matrices of an adapted layer is multiplied by."""
        return (self.alpha or self.rank) / self.rank if self.rank else 0.0

    @property
    def tensors_name(self) -> str:
        """The adapter is a folder that PEFT opens; a pipeline as it came has no tensors of its own."""
        return "adapter_model.safetensors" if self.rank else ""

    def accepts(self) -> TensorSpec:
        """Return colour images and the bytes of their descriptions."""
        sizes = (3, self.height, self.width)
        return TensorSpec(
            {
                TARGET: Slot(kind="values", axes=("channels", "height", "width"), sizes=sizes),
                CAPTION: Slot(kind="tokens", axes=("length",), sizes=(None,), vocabulary=BYTE_TOKENS, optional=True),
            }
        )

    def bound_to(self, made: TensorSpec) -> Self:
        """Return a copy for the size of the images that a codec makes."""
        _, height, width = made[TARGET].sizes
        return self.changed(height=int(height or self.height), width=int(width or self.width))

    def scaled_to(self, parameters: int) -> Self:
        """Return a copy whose adapter has about this many parameters."""
        width = max(1, self.adapted_width)
        return self.changed(rank=min(LARGEST_RANK, max(1, round(parameters / width))))

    @property
    def adapted_width(self) -> int:
        """Inputs and outputs of all adapted layers together."""
        return self.adapted_widths[TARGETS.index(self.targets)]

    def parameter_count(self) -> int:
        """Return the parameters of the adapter: nothing else is trained."""
        return self.rank * self.adapted_width

    def computed_weights(self) -> int:
        """Return the weights of the whole pipeline with its adapter."""
        return self.all_weights + self.parameter_count()

    def training_operations(self) -> float:
        """Return an estimate: the frozen network forwards and back through, the adapter with its own gradients."""
        met = self.positions * (UNET_SHARE if self.is_unet else 1.0)
        return met * (4.0 * self.denoiser_weights + 6.0 * self.parameter_count()) + 6.0

    def activation_bytes(self) -> float:
        """Return an estimate: as many bytes as the frozen weights take, at 4,096 positions of the latents."""
        return WEIGHT_BYTES * (self.denoiser_weights * self.positions / 4096 + self.parameter_count()) + 3 * 4.0 * (
            self.height * self.width
        )

    def frozen_bytes(self) -> float:
        """Return the memory of the pipeline itself."""
        return WEIGHT_BYTES * self.all_weights

    def memory_plan(self, device: str, free_bytes: int) -> dict[str, Any]:
        """Return how the pipeline would compute; when it is opened every component is counted."""
        weights = {"denoiser": self.denoiser_weights, "others": self.all_weights - self.denoiser_weights}
        found = fit_memory(weights, height=self.height, width=self.width, device=device, free_bytes=free_bytes)
        return found.to_dictionary()

    @property
    def positions(self) -> int:
        """Positions of the latents of one image."""
        return self.height // self.latent_factor * (self.width // self.latent_factor)

    @property
    def is_unet(self) -> bool:
        """Whether a U-Net takes the noise away; a transformer else."""
        return "StableDiffusion" in self.pipeline and "StableDiffusion3" not in self.pipeline
