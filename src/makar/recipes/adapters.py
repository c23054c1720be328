"""Adapters: ``makar train DATA --from MODEL --adapter lora``, of pretrained pipelines and of models of text.

The base comes with the command, so the recipe for pipelines names none; its rank, rate and batch are those of the training examples of
diffusers. Of a model of text any recipe that begins from it becomes one that learns an adapter (``adapted``). What follows from the time is
the number of steps, not the size of the adapter.

Source: Hu et al. 2021, arXiv 2106.09685; Ruiz et al. 2023, arXiv 2208.12242.
"""

from makar.codecs.prompted_image_config import PromptedImageCodecConfig
from makar.errors import UnsupportedError
from makar.families.adapter_config import adapter_of
from makar.families.conversation.config import SpeakingConfig, decoder_of
from makar.families.family_config import FamilyConfig
from makar.families.pretrained.config import PretrainedConfig
from makar.families.pretrained.text_config import PretrainedTextConfig
from makar.families.transformer.config import TransformerConfig
from makar.recipe import BASE, PARENT, OptimisationConfig, Origin, Recipe, Stage
from makar.tensor_spec import TensorSpec

RANK = 16
RATE, HIGHEST_RATE = 10.0, 5e-3
"""Learning rate of an adapter, in that of a gentle training of the whole model, and at most: a change of low rank begins at zero and has
farther to go."""
CHECKPOINT_RATE, TOKENS_A_STEP = 2e-4, 2048
"""Of a checkpoint of others: the rate of Dettmers et al. 2023 (arXiv 2305.14314, appendix B) for networks up to 13 billion weights."""


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


def adapted(recipe: Recipe, origin: Origin, kind: str) -> Recipe:
    """Return a recipe that begins from a model of text as one that learns an adapter of it.

    Args:
        recipe: The recipe, for the whole model.
        origin: The model.
        kind: What ``--adapter`` says.

    Raises:
        UnknownNameError: There is no such kind of adapter.
        UnsupportedError: No adapters are learned of this kind of model, or it is one already.
    """
    *earlier, stage = recipe.stages
    adapter = adapter_of(kind, base=origin.parent.hash)
    before, after = decoder_of(origin.model.family), decoder_of(stage.family)
    if isinstance(before, PretrainedTextConfig) and before.network:
        raise UnsupportedError(
            f'an adapter of "{origin.parent.name}", a checkpoint all of whose weights were learned',
            expected="the folder of a checkpoint",
            do=f"makar export {origin.parent.name} FOLDER --to transformers, and --from FOLDER --adapter {kind}",
        )
    if before is not None and before.adapter is not None:
        raise UnsupportedError(
            f'"{origin.parent.name}" is an adapter already',
            expected="a model of its own weights",
            do=f"without --adapter it is trained on; makar export {origin.parent.name} FOLDER --to transformers and makar import "
            "FOLDER -o NAME make a whole model of it",
        )
    if before is not None and isinstance(after, TransformerConfig) and before.vocabulary < after.vocabulary:
        # Tokens that the base has no rows for: those of the roles.
        adapter = adapter.changed(whole=("embed_tokens",) if after.tied else ("embed_tokens", "lm_head"))
    family = stage.family.with_adapter(adapter)
    optimisation = stage.optimisation.changed(
        learning_rate=min(HIGHEST_RATE, RATE * stage.optimisation.learning_rate), average_share=0.0
    )
    if isinstance(family, PretrainedTextConfig):
        optimisation = OptimisationConfig(
            learning_rate=CHECKPOINT_RATE, batch_size=max(1, TOKENS_A_STEP // family.window_length), gradient_clip=1.0
        )
    # What is compared with the model before needs it beside; everything else opens it once, by its hash.
    begins = BASE if family.teacher() is None else PARENT
    changed = stage.changed(family=family, begins=begins, optimisation=optimisation)
    return recipe.changed(
        stages=(*earlier, changed), summary=f"{recipe.summary}, by an adapter ({kind})", expected="", grown=True
    )


def owned(recipe: Recipe) -> Recipe:
    """Return a recipe that begins from a checkpoint of others as one that learns all of its weights; any other as it is.

    Args:
        recipe: The recipe.
    """
    *earlier, stage = recipe.stages
    network = decoder_of(stage.family)
    if not isinstance(network, PretrainedTextConfig) or network.learns:
        return recipe
    # Asked of the network itself, which costs seconds and is wanted here alone.
    from makar.families.pretrained.text_whole import as_whole

    whole = as_whole(network)
    family = stage.family.with_decoder(whole) if isinstance(stage.family, SpeakingConfig) else whole
    optimisation = stage.optimisation
    if family is whole:
        batch_size = max(1, TOKENS_A_STEP // whole.window_length)
        optimisation = optimisation.changed(batch_size=batch_size, gradient_clip=1.0)
    made: Recipe = recipe.changed(stages=(*earlier, stage.changed(family=family, optimisation=optimisation)))
    return made


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
