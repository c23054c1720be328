"""Recipes that translate images, from pairs or between two domains, and the rule that sizes both.

The sizes follow the arithmetic there is, as for the other adversarial models: the features with which ``IMAGES_AT`` images can be trained
on, and more of both with the same exponent when there is more. What the judge sees is changed the more, the more often it
sees the same image. The other constants are first guesses by the other recipes of the folder and not measured.
"""

import math

from makar.codecs.image_config import ImageCodecConfig
from makar.families.family_config import FamilyConfig
from makar.families.gan.config import LARGEST_FEATURES
from makar.families.gan.translation_config import FEATURE_STEP, CycleganConfig, Pix2pixConfig, TranslationConfig
from makar.recipe import OptimisationConfig, Recipe, Stage
from makar.recipes.gan import CALM_EPOCHS, GROWTH, LARGEST_AUGMENTATION, MOST_EPOCHS, REFERENCE_OPERATIONS
from makar.tensor_spec import TensorSpec

IMAGES_AT = 60_000.0
"""Images to train on with the reference operations. Not measured."""

SMALLEST_FEATURES = 8
SIDE = 64
SMALLEST_BATCH, LARGEST_BATCH = 8, 64
LEARNING_RATE = 1e-2
"""Of a weight that begins with deviation 1; the others move in proportion."""

PENALTY, DIFFERENCE, ZOOM = 0.03, 40.0, 0.12
"""Of pix2pix. A judge that is held back more sees no grain, and what it judges stays smooth; without images cut by
lot the translator learns 400 pairs by heart. facades128 at 64 pixels, one Zen 4 core,
distance of held-out facades from the training ones and perceptual distance to the true ones (real ones 0.32, 0; the peer after 20
minutes 1.13, 3.60)::

    4 minutes    penalty 1, difference 100      11.2, 3.84
                 0.1, 100                        4.4, 3.61
                 0.1, 20                         1.1, 3.89
    6 minutes    0.1, 40                         1.5, 3.79
                 0.03, 60                        1.2, 3.72
    20 minutes   1, 100                          2.5, 3.76
                 0.03, 60                        1.8, 3.62
                 0.03, 60, zoom 0.12             1.4, 3.50
                 0.03, 40, zoom 0.12             0.94, 3.45
"""

CYCLE, IDENTITY = 3.0, 1.0
"""Of CycleGAN: as published (10 and 5) they are for 256 pixels and a judge that nothing holds back, and here nothing was changed at all.
Two styles of emoji at 64 pixels, one Zen 4 core, distance of translated held-out images from the training ones of openmoji; of noto
(untranslated ones 2.96; 3.89, the peer after 20 minutes 1.63; 1.90)::

    20 minutes   penalty 1, cycle 10, identity 5       2.90; 3.45
    5 minutes    0.03, 10, 5                           0.58; 3.54
                 0.03, 3, 1                            0.47; 1.28
    20 minutes   0.03, 3, 1                            0.24; 0.43
"""

EXPECTED = {
    "pix2pix": "facades128 at 64 pixels, 20 minutes of one Zen 4 core, held-out facades: Frechet distance 0.94, perceptual distance "
    "3.45 (pytorch-CycleGAN-and-pix2pix 1.13, 3.60)",
    "cyclegan": "emoji of noto and openmoji at 64 pixels, 20 minutes of one Zen 4 core, Frechet distance of translated held-out "
    "images: 0.24 and 0.43 (untranslated 3.0 and 3.9; pytorch-CycleGAN-and-pix2pix 1.6 and 1.9)",
}


def pix2pix() -> Recipe:
    """Return the recipe of Isola et al. 2017 for pairs of images."""
    summary = "one image from another, learned from pairs: maps to photographs, line art to colour"
    codec = ImageCodecConfig(source="pair", height=SIDE, width=SIDE)
    return _recipe(
        "pix2pix",
        Pix2pixConfig(height=SIDE, width=SIDE, penalty=PENALTY, difference=DIFFERENCE, zoom=ZOOM),
        codec,
        summary=summary,
    )


def cyclegan() -> Recipe:
    """Return the recipe of Zhu et al. 2017 for two folders of images without pairs."""
    summary = "images of one kind into another and back, learned from two folders without pairs"
    codec = ImageCodecConfig(use_labels=True, height=SIDE, width=SIDE)
    family = CycleganConfig(height=SIDE, width=SIDE, penalty=PENALTY, cycle=CYCLE, identity=IDENTITY)
    return _recipe("cyclegan", family, codec, summary=summary)


def size_translation(
    stage: Stage, *, operations: float, items: int, spec: TensorSpec
) -> tuple[FamilyConfig, OptimisationConfig]:
    """Return the sizes and the optimisation that suit an amount of compute and of data.

    Args:
        stage: The stage as its recipe describes it.
        operations: Floating-point operations of the whole training.
        items: Different training images, or pairs.
        spec: What the codec makes.
    """
    family = stage.family.bound_to(spec)
    assert isinstance(family, TranslationConfig), "the rule is registered for translations"
    operations = max(operations, 1.0)
    wanted = IMAGES_AT * (operations / REFERENCE_OPERATIONS) ** GROWTH
    steps = range(SMALLEST_FEATURES, LARGEST_FEATURES + 1, FEATURE_STEP)
    sizes = [family.changed(features=features) for features in steps]
    best = min(sizes, key=lambda size: abs(math.log(operations / size.training_operations() / wanted)))
    epochs = operations / best.training_operations() / max(1, items)
    # Each doubling of the times that an image is seen counts alike.
    seen = (math.log(max(epochs, 1e-9)) - math.log(CALM_EPOCHS)) / (math.log(MOST_EPOCHS) - math.log(CALM_EPOCHS))
    share = round(LARGEST_AUGMENTATION * min(1.0, max(0.0, seen)), 2)
    doublings = max(0, math.ceil(math.log(operations / REFERENCE_OPERATIONS, 8)))
    batch = min(LARGEST_BATCH, SMALLEST_BATCH * 2**doublings)
    return best.changed(augmentation=share), OPTIMISATION.changed(batch_size=batch)


OPTIMISATION = OptimisationConfig(
    learning_rate=LEARNING_RATE,
    batch_size=SMALLEST_BATCH,
    beta_1=0.5,
    beta_2=0.99,
    warmup_steps=20,
    descent_share=0.6,
    average_share=0.05,
)


def _recipe(name: str, family: TranslationConfig, codec: ImageCodecConfig, *, summary: str) -> Recipe:
    stage = Stage(name="image", codec=codec, family=family, optimisation=OPTIMISATION)
    return Recipe(name=name, medium="image", summary=summary, expected=EXPECTED[name], stages=(stage,))
