"""The recipe that makes a few-step student of a trained diffusion or flow model.

The student has the teacher's network, sizes and weights to begin with, its codec, and what it works through; see
``makar.families.diffusion.distillation`` for what it learns. The data gives the classes, captions and sources that it is asked to make.
Guidance is learned with the paths: that of the sampler by default, which is 3 for captions and none for classes.
"""

from makar.errors import UnsupportedError
from makar.families.diffusion import size_judge
from makar.families.diffusion.config import DiffusionConfig
from makar.families.guidance import PROMPT_GUIDANCE
from makar.recipe import PARENT, Origin, Recipe, Stage, continued
from makar.recipes.image import image
from makar.recipes.image_feedback import with_scores

NAME = "distill"
SUMMARY = "a model of images made faster: a student of a trained model that takes 1 to 4 steps; begins --from MODEL"
EXPECTED = (
    "fashion_mnist with classes, 10 minutes for the teacher and 10 for the student, one Zen 4 core: Frechet distance in 2 steps 24.6, the "
    "teacher in 2 steps 128, in 10 steps 21.2"
)
RATE = 0.3
"""Peak of the learning rate, as a share of the teacher's."""

JUDGED = 0.5
"""Weight of the judge beside the error on the paths, where images have a size that one can see. fashion_mnist with classes, 3 minutes
of one Zen 4 core for the student, Frechet distance in 2 steps: 36.4 without, 36.9 at 0.05, 28.2 at 0.3, 27.5 at 1, 281 (collapsed) at 3.
"""

BATCH_SHARE = 0.5
"""Paths a step, as a share of the teacher's batch: each teaches at every stop."""


def distill(origin: Origin | None = None) -> Recipe:
    """Return the recipe for a teacher; without one an example.

    Args:
        origin: The teacher.

    Raises:
        UnsupportedError: The teacher is no model that denoises, or is distilled already.
    """
    if origin is None:
        (stage,) = image().stages
        stages: tuple[Stage, ...] = (_student(stage),)
        return Recipe(name=NAME, medium="image", summary=SUMMARY, expected=EXPECTED, stages=stages, grown=True)
    recipe, family = continued(origin), origin.model.family
    if not isinstance(family, DiffusionConfig) or family.source_is_vector:
        raise UnsupportedError(
            f'"{origin.parent.name}" is of family "{family.kind}", which cannot be distilled',
            expected="a diffusion or flow model of images, for example of the recipe image",
        )
    if family.distilled:
        raise UnsupportedError(
            f'"{origin.parent.name}" is distilled already',
            expected="its teacher",
            do="train the teacher on, and distil that",
        )
    stages = (*recipe.stages[:-1], _student(origin.model).changed(share=1.0))
    return recipe.changed(name=NAME, summary=SUMMARY, expected=EXPECTED, stages=stages)


def _student(model: Stage) -> Stage:
    family, optimisation = model.family, model.optimisation
    assert isinstance(family, DiffusionConfig), "only these are distilled"
    return model.changed(
        begins=PARENT,
        # What people like has been learned by the teacher.
        codec=with_scores(model.codec, used=False),
        family=family.changed(
            distilled=True,
            preference=0.0,
            guided=PROMPT_GUIDANCE if family.caption_length else 1.0,
            judged=JUDGED if size_judge.fits(family) else 0.0,
        ),
        optimisation=optimisation.changed(
            learning_rate=RATE * optimisation.learning_rate,
            batch_size=max(1, int(BATCH_SHARE * optimisation.batch_size)),
        ),
    )
