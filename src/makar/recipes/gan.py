"""Recipes for images by two networks that play against each other, and the rules that size them.

The sizes follow the arithmetic there is: the features with which ``IMAGES_AT`` images can be trained on, and more of both with the same
exponent when there is more. Little data does not make the networks smaller, as it does for likelihoods: the discriminator is kept
from learning it by heart by changing what it sees, in a share that grows with the number of times it sees the same image (Karras et al.
2020, arXiv 2006.06676, figure 1; Zhao et al. 2020, arXiv 2006.10738).

Measured on Fashion-MNIST without classes, 30 s of CPU time of one busy Zen 4 core, bfloat16, one seed, energy distance to 1,024 images
(``makar.families.gan.distance``) and Frechet distance of 2,000 (features of a small classifier, real images 3.5)::

    dcgan     64 features, rate 2e-4, batch 64, as published               0.71   472
              the same with R1                                             0.75   434
              32 features, rate 2e-3, batch 32, R1 of gamma 0.1; 1   0.04; 0.05    28; 27
    stylegan  32 features, rate 5e-3, gamma 0.1; 1                   0.36; 0.33   304; 245
              16 features, rate 5e-2; 2e-2, gamma 1                  0.18; 0.14   147; 87
              the same at 2e-2, gamma 0.1; 3; 10               0.17; 0.12; 0.17   131; 89; 101
              the same, non-saturating with R1 of gamma 0.1                0.34   344
              the same, no mixing and beta 1 of 0.5                        0.21   166
              enlarged before the last convolution, gamma 2                0.14    97
    pytorch/examples dcgan at width 32, by its own loop                           434

Those rows of the style-based model but the last folded pixels into the output, which left a pattern; none had a tanh at the output.
After 1,000 steps (80 s, rate 1e-2, gamma 2; another extractor) the network without it comes to 258, with it to 140; with it at a rate of
2e-2 to 116, and to 115 if the discriminator sees the deviation of the batch as well.
"""

import math

from makar.codecs.image_config import ImageCodecConfig
from makar.families.gan.config import FEATURE_STEP, LARGEST_FEATURES, GanConfig
from makar.families.gan.dcgan_config import DcganConfig
from makar.families.gan.stylegan_config import StyleganConfig
from makar.recipe import OptimisationConfig, Recipe, Stage

IMAGES_AT = 400_000.0
"""Images to train on with 10^14 operations. Not measured."""

REFERENCE_OPERATIONS = 1e14
GROWTH = 0.5
"""Exponent with which the number of images grows with the operations; the rest makes the networks larger. Not measured."""

CALM_EPOCHS, MOST_EPOCHS = 10.0, 60.0
"""Below the first nothing is changed in what the discriminator sees; from the second on the largest share is. Not measured."""

LARGEST_AUGMENTATION = 0.5
SMALLEST_BATCH, LARGEST_BATCH = 32, 256
"""The batch doubles for every eightfold of the reference operations. Not measured above them."""

DCGAN_RATE, DCGAN_REFERENCE_FEATURES = 2e-3, 32
"""Ten times the published rate, which is for days; it falls with the root of the width."""

STYLEGAN_RATE = 2e-2
"""The best of 30 and of 80 seconds."""

DCGAN_EXPECTED = (
    "fashion_mnist, 10 minutes of one Zen 4 core: Frechet distance 9.2 (5,000 images, features of a classifier; real images 1.3; the "
    "example of PyTorch 76.2)"
)
STYLEGAN_EXPECTED = (
    "10 minutes of one Zen 4 core, Frechet distance: fashion_mnist 39 (the example of PyTorch 76), emoji 89 (358)"
)


def dcgan() -> Recipe:
    """Return the recipe of Radford et al. 2015, with an average of the weights and a penalty on the slope."""
    summary = "images in one pass: convolutional generator and discriminator as published, made to train reliably"
    family = DcganConfig(objective="non-saturating", penalised="real", penalty=0.1, latent_width=100)
    return _recipe("dcgan", family, summary=summary, expected=DCGAN_EXPECTED)


def stylegan() -> Recipe:
    """Return the recipe of a style-based generator under the relativistic objective with both penalties."""
    summary = (
        "images in one pass, with styles to mix and truncate: a small StyleGAN, judged in pairs under two penalties"
    )
    return _recipe("stylegan", StyleganConfig(penalty=2.0), summary=summary, expected=STYLEGAN_EXPECTED)


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
    doublings = max(0, math.ceil(math.log(operations / REFERENCE_OPERATIONS, 8)))
    batch = min(LARGEST_BATCH, SMALLEST_BATCH * 2**doublings)
    return best.changed(augmentation=share), optimisation_of(best).changed(batch_size=batch)


def optimisation_of(family: GanConfig) -> OptimisationConfig:
    """Return how a layout of some width is moved."""
    if isinstance(family, DcganConfig):
        width = max(DCGAN_REFERENCE_FEATURES, family.features)
        return OptimisationConfig(
            learning_rate=DCGAN_RATE * math.sqrt(DCGAN_REFERENCE_FEATURES / width),
            batch_size=SMALLEST_BATCH,
            beta_1=0.5,
            beta_2=0.99,
            warmup_steps=20,
            descent_share=0.5,
            average_share=0.05,
        )
    return OptimisationConfig(
        learning_rate=STYLEGAN_RATE,
        batch_size=SMALLEST_BATCH,
        beta_1=0.0,
        beta_2=0.99,
        warmup_steps=20,
        descent_share=0.5,
        average_share=0.05,
    )


def _recipe(name: str, family: GanConfig, *, summary: str, expected: str) -> Recipe:
    stage = Stage(name="image", codec=ImageCodecConfig(), family=family, optimisation=optimisation_of(family))
    return Recipe(name=name, medium="image", summary=summary, expected=expected, stages=(stage,))
