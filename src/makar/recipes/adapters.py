"""Adapters of pretrained pipelines: ``makar train DATA --from FOLDER --adapter lora``.

The base comes with the command, so the recipe alone names none. Rank, rate and batch are those of the training examples of diffusers; what
follows from the time is the number of steps, not the size of the adapter.

Source: Hu et al. 2021, arXiv 2106.09685; Ruiz et al. 2023, arXiv 2208.12242.
"""

from makar.codecs.prompted_image_config import PromptedImageCodecConfig
from makar.families.family_config import FamilyConfig
from makar.families.pretrained.config import PretrainedConfig
from makar.recipe import OptimisationConfig, Recipe, Stage
from makar.tensor_spec import TensorSpec

RANK = 16


def lora() -> Recipe:
    """Return the recipe for a low-rank adapter of a pretrained pipeline."""
    return Recipe(
        name="lora",
        medium="image",
        summary="an adapter of a pretrained pipeline (Stable Diffusion, Flux): needs --from FOLDER --adapter lora",
        expected="not measured: no pretrained pipeline lies beside this project",
        stages=(
            Stage(
                name="adapter",
                codec=PromptedImageCodecConfig(),
                family=PretrainedConfig(rank=RANK),
                optimisation=OptimisationConfig(
                    learning_rate=1e-4,
                    batch_size=4,
                    beta_2=0.999,
                    weight_decay=0.01,
                    warmup_steps=20,
                    descent_share=0.5,
                    gradient_clip=1.0,
                ),
            ),
        ),
    )


def size_adapter(
    stage: Stage, *, operations: float, items: int, spec: TensorSpec
) -> tuple[FamilyConfig, OptimisationConfig]:
    """Keep an adapter as it is: a longer training does not want a larger one.

    Args:
        stage: The stage as its recipe describes it.
        operations: Not used.
        items: Not used.
        spec: What the codec makes.
    """
    del operations, items
    return stage.family.bound_to(spec), stage.optimisation
