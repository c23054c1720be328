"""Adapters of pretrained pipelines: ``makar train DATA --from FOLDER --adapter lora``.

The base comes with the command, so the recipe alone names none. Rank, rate and batch are those of the training examples of diffusers; what
follows from the time is the number of steps, not the size of the adapter.

Source: Hu et al. 2021, arXiv 2106.09685; Ruiz et al. 2023, arXiv 2208.12242.
"""

from makar.codecs.prompted_image_config import PromptedImageCodecConfig
from makar.errors import UnsupportedError
from makar.families.family_config import FamilyConfig
from makar.families.pretrained.config import PretrainedConfig
from makar.recipe import OptimisationConfig, Origin, Recipe, Stage
from makar.tensor_spec import TensorSpec

RANK = 16


def lora(origin: Origin | None = None) -> Recipe:
    """Return the recipe for a low-rank adapter of a pretrained pipeline.

    Args:
        origin: The pipeline; ``None`` gives an example.

    Raises:
        UnsupportedError: What it begins from is no pipeline of diffusers, or has an adapter already.
    """
    family, codec = PretrainedConfig(rank=RANK), PromptedImageCodecConfig()
    if origin is not None:
        base = origin.model
        if not isinstance(base.family, PretrainedConfig) or base.family.rank:
            raise UnsupportedError(
                f'"{origin.parent.name}" is no pretrained pipeline as it came',
                expected="the folder of a pipeline of diffusers",
                do="without --adapter a model is trained on as a whole; so is an adapter",
            )
        assert isinstance(base.codec, PromptedImageCodecConfig), "pipelines are opened with this codec"
        family, codec = base.family.changed(rank=RANK), base.codec
    return Recipe(
        name="lora",
        medium="image",
        summary="an adapter of a pretrained pipeline (Stable Diffusion, Flux): --from FOLDER --adapter lora",
        expected="not measured: no pretrained pipeline lies beside this project",
        stages=(
            Stage(
                name="adapter",
                codec=codec,
                family=family,
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
        grown=True,
        parent=None if origin is None else origin.parent,
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
