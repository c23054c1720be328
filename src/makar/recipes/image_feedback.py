"""The recipe that tunes a model of images by what people said of its images: each is learned as far as it is liked.

Weighted likelihood: an image with the score s (0 to 1, see ``makar.data.feedback.preferences.liked``) weighs exp((s - 1) / temperature) in
the loss that the model was trained with (Peng et al. 2019, arXiv 1910.00177, equation 8; for images of prompts Lee et al. 2023, arXiv
2302.12192, equation 4). No model of rewards and no sampling is needed, one image that everybody likes counts as a hundred that nobody
does, and what was never judged is not learned at all. Only what the model can make already can be told apart: it moves weight, it invents
nothing.
"""

from makar.codecs.codec import CodecConfig
from makar.codecs.image_config import ImageCodecConfig
from makar.codecs.latent_config import LatentCodecConfig
from makar.errors import UnsupportedError
from makar.families.diffusion.config import DiffusionConfig
from makar.recipe import PARENT, Origin, Recipe, Stage, continued
from makar.recipes.image import image

NAME = "image-feedback"
SUMMARY = "a model of images tuned by thumbs, stars and comparisons of its images; begins --from MODEL"
EXPECTED = (
    "a model of 4,000 pictures of cifar10, 240 steps; 80 of its images rated by redness, 40 steps: its images are 0.71 (0.66 to 0.77) "
    "deviations redder; rated by blueness 0.44 (0.39 to 0.50) bluer; all alike 0.03"
)
TEMPERATURE = 0.2
"""One thumb up (score 0.75) then weighs twelve times as much as one thumb down (0.25)."""

MOST_IN_A_BATCH = 16
"""There are tens of rated images, not thousands."""


def image_feedback(origin: Origin | None = None) -> Recipe:
    """Return the recipe for a model; without one an example.

    Args:
        origin: The model.

    Raises:
        UnsupportedError: It is no model that denoises images of nothing, classes or captions.
    """
    if origin is None:
        (stage,) = image().stages
        stages: tuple[Stage, ...] = (_weighing(stage),)
        return Recipe(name=NAME, medium="image", summary=SUMMARY, expected=EXPECTED, stages=stages, grown=True)
    recipe, family = continued(origin), origin.model.family
    if not isinstance(family, DiffusionConfig) or family.has_source or family.distilled:
        raise UnsupportedError(
            f'"{origin.parent.name}" is of family "{family.kind}" or begins from images, which is not tuned by feedback',
            expected="a diffusion or flow model of images, of the recipe image, image-class, image-text or latent-diffusion",
        )
    stages = (*recipe.stages[:-1], _weighing(recipe.stages[-1]))
    return recipe.changed(name=NAME, summary=SUMMARY, expected=EXPECTED, stages=stages)


def _weighing(model: Stage) -> Stage:
    family, optimisation = model.family, model.optimisation
    assert isinstance(family, DiffusionConfig), "only these are tuned"
    return model.changed(
        begins=PARENT,
        codec=with_scores(model.codec, used=True),
        family=family.changed(preference=TEMPERATURE),
        optimisation=optimisation.changed(
            batch_size=min(optimisation.batch_size, MOST_IN_A_BATCH), accumulate=1, warmup_steps=5
        ),
    )


def with_scores(codec: CodecConfig, *, used: bool) -> CodecConfig:
    """Return the codec of images, or of their latents, with or without how much each is liked."""
    if isinstance(codec, LatentCodecConfig):
        return codec.changed(base=with_scores(codec.base, used=used))
    return codec.changed(use_scores=used) if isinstance(codec, ImageCodecConfig) else codec
