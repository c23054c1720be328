"""Recipes for images by two networks that play against each other, and the rules that size them.

The sizes follow the arithmetic there is: the features with which ``IMAGES_AT`` images can be trained on, and more of both with the same
exponent when there is more. Little data does not make the networks smaller, as it does for likelihoods: the discriminator is kept
from learning it by heart by changing what it sees, in a share that grows with the number of times it sees the same image (Karras et al.
2020, arXiv 2006.06676, figure 1; Zhao et al. 2020, arXiv 2006.10738).
"""

import math

from makar.codecs.image_config import ImageCodecConfig
from makar.families.gan.config import FEATURE_STEP, LARGEST_FEATURES, GanConfig
from makar.families.gan.dcgan_config import DcganConfig
from makar.families.gan.stylegan_config import StyleganConfig
from makar.recipe import OptimisationConfig, Recipe, Stage

IMAGES_AT = 250_000.0
"""Images to train on with 10^14 operations."""

REFERENCE_OPERATIONS = 1e14
GROWTH = 0.5
"""Exponent with which the number of images grows with the operations; the rest makes the networks larger."""

CALM_EPOCHS, MOST_EPOCHS = 10.0, 60.0
"""Below the first nothing is changed in what the discriminator sees; from the second on the largest share is."""

LARGEST_AUGMENTATION = 0.5

DCGAN_EXPECTED = "not measured yet"
STYLEGAN_EXPECTED = "not measured yet"


def dcgan() -> Recipe:
    """Return the recipe of Radford et al. 2015, with an average of the weights and a penalty on the slope."""
    summary = (
        "images from one pass: convolutional generator and discriminator as published in 2015, made to train reliably"
    )
    family = DcganConfig(objective="non-saturating", penalised="real", penalty=0.1, latent_width=100)
    return _recipe("dcgan", family, summary=summary, expected=DCGAN_EXPECTED)


def stylegan() -> Recipe:
    """Return the recipe of a style-based generator under the relativistic objective with both penalties."""
    summary = "images from one pass, with styles to mix and truncate: a small StyleGAN with the R3GAN objective"
    return _recipe("stylegan", StyleganConfig(), summary=summary, expected=STYLEGAN_EXPECTED)


def gan_family_for(family: GanConfig, *, operations: float, images: int) -> tuple[GanConfig, OptimisationConfig]:
    """Return the sizes and the optimisation that suit an amount of compute and of data.

    Args:
        family: The settings, bound to what the codec makes.
        operations: Floating-point operations of the whole training.
        images: Different training images.
    """
    operations = max(operations, 1.0)
    wanted = IMAGES_AT * (operations / REFERENCE_OPERATIONS) ** GROWTH
    sizes = [family.changed(features=features) for features in range(FEATURE_STEP, LARGEST_FEATURES + 1, FEATURE_STEP)]
    best = min(sizes, key=lambda size: abs(math.log(operations / size.training_operations() / wanted)))
    epochs = operations / best.training_operations() / max(1, images)
    # Each doubling of the times that an image is seen counts alike.
    seen = (math.log(max(epochs, 1e-9)) - math.log(CALM_EPOCHS)) / (math.log(MOST_EPOCHS) - math.log(CALM_EPOCHS))
    share = round(LARGEST_AUGMENTATION * min(1.0, max(0.0, seen)), 2)
    return best.changed(augmentation=share), optimisation_of(best)


def optimisation_of(family: GanConfig) -> OptimisationConfig:
    """Return how a layout is moved."""
    if isinstance(family, DcganConfig):
        return OptimisationConfig(
            learning_rate=2e-4,
            batch_size=64,
            beta_1=0.5,
            beta_2=0.999,
            warmup_steps=0,
            descent_share=0.3,
            average_share=0.05,
        )
    return OptimisationConfig(
        learning_rate=5e-3,
        batch_size=32,
        beta_1=0.0,
        beta_2=0.99,
        warmup_steps=50,
        descent_share=0.5,
        average_share=0.05,
    )


def _recipe(name: str, family: GanConfig, *, summary: str, expected: str) -> Recipe:
    stage = Stage(name="image", codec=ImageCodecConfig(), family=family, optimisation=optimisation_of(family))
    return Recipe(name=name, medium="image", summary=summary, expected=expected, stages=(stage,))
