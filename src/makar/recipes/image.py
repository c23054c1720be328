"""Recipes for images that denoise: flow matching and DDPM, without and with classes and captions, and the rule that sizes them.

The rule is that of compute-optimal language models (Hoffmann et al. 2022, arXiv 2203.15556) with pixels in the place of tokens: as
compute grows, parameters and pixels seen grow alike, at ``PIXELS_PER_PARAMETER``. Measured on Fashion-MNIST with classes, one seed, one
shared Zen 4 core, bfloat16, Frechet distance of 2,000 or 2,500 images in 10 steps of ``adams`` (features of a classifier of the training
images, real images 0.2)::

    45 s of CPU time   32 features, 1 block, rate 4e-3, batch 32                  9.4
                       2 blocks instead                                          11.1
                       2 blocks, batch 16; and rate 8e-3                   11.2; 10.8
                       2 blocks, rate 2e-3                                       14.4
                       2 blocks, uniform times; mean and deviation a pixel 13.2; 12.1
                       48 features, 2 blocks, rate 4e-3; 2e-3              15.1; 15.5
                       48 features, 2 blocks, rate 2e-3, batch 16                13.0
    180 s              48 features, 1 block, rate 4e-3, batch 16                  3.5
                       2 blocks, rate 3.3e-3                                      4.5
                       64 features, 1 block, rate 3e-3                            4.8

A DiT is sized by the same rule, as deep as in the paper for its width; its learning rate and the width of the reader of captions are not
measured.
"""

import math

from makar.codecs.image_config import ImageCodecConfig
from makar.families.diffusion.config import DiffusionConfig
from makar.recipe import OptimisationConfig, Recipe, Stage
from makar.recipes.size_search import best_size

PIXELS_PER_PARAMETER = 100.0
"""Pixels to train on for each parameter, counted with repetition."""

VALUES_PER_PARAMETER = 4.0
"""Different values that the data must hold for each parameter; a larger network would learn a small collection by heart.
Not measured.
"""

LARGEST_FEATURES = 512
LEARNING_RATE = 4e-3
"""Peak for ``REFERENCE_FEATURES``; it falls with the root of the width."""

REFERENCE_FEATURES = 32
SMALLEST_BATCH = 16
REFERENCE_OPERATIONS = 5e13
"""The batch doubles for every eightfold of this compute: early on, many small steps teach more than few large ones.
Not measured above 2e13.
"""

DIT_LEARNING_RATE = 2e-3
DIT_FEATURES_A_BLOCK, DIT_FEWEST_BLOCKS = 32, 3
"""384 features and 12 blocks are the DiT-S of the paper (Peebles and Xie 2022, arXiv 2212.09748, table 1)."""

LARGEST_CAPTION_WIDTH = 512
SMALLEST_FOLDED = 16
"""Below this many places a side nothing is folded: latents have been made small already."""

VALUES_A_LATENT = 8.0
"""Values of an image that one of its latents counts for where the size of the data limits that of the network. Not measured."""

LONG_SIDE = 40
"""From this many pixels on, a third level keeps attention at 8 to 16 positions a side."""

CAPTION_TIME_MEAN = -1.2
"""What an image shows is settled where there is most noise, and many pixels together see through much of it, so that is where captions are
learned (Esser et al. 2024, arXiv 2403.03206, section 5.3.2: the logit moves by half the logarithm of the number of pixels). On emoji of 32
x 32, 8 minutes of half a core, the right one of 100 captions is found for 6.5 % of the images with it and for 4 % without; -1.2 is near
the -1.4 that the paper's rule gives for pixels beside 8 x 8 latents. Other sizes are not measured.
"""

TEXT_EXPECTED = (
    "emoji of five styles, 32 x 32, 7 minutes of half a Zen 4 core: of 200 images of 100 held-out captions a scorer finds the right "
    "caption first for 6.5 % (real images 59 %, chance 1 %), among five for 24 %; latent-diffusion follows captions better"
)

EXPECTED = (
    "Fashion-MNIST, 28 x 28, with classes, these sizes, 3 minutes of CPU time of one Zen 4 core: "
    "Frechet distance 3.0 in 10 steps (2,000 images, features of a classifier of the training images; real images against real ones 0.2)"
)

WITHOUT_CLASSES = (
    "without classes, 10 minutes of one Zen 4 core, Frechet distance of 2,000 images (features of a classifier): fashion_mnist 40 "
    "(real images 1.3), cifar10 85 (2.9); denoising-diffusion-pytorch in the same minutes 496 and 650"
)

DDPM_EXPECTED = (
    "fashion_mnist without classes, 10 minutes of one Zen 4 core: Frechet distance 66 (2,000 images, features of a classifier; real "
    "images 1.3; the unconditional example of diffusers 925)"
)


def image() -> Recipe:
    """Return the recipe for images without classes."""
    return _recipe("image", summary="images like yours: flow matching with a small U-Net", expected=WITHOUT_CLASSES)


def flow() -> Recipe:
    """Return the recipe for images without classes under the name of its objective."""
    return _recipe("flow", summary="images like yours: flow matching, the default", expected=WITHOUT_CLASSES)


def image_class() -> Recipe:
    """Return the recipe for images with classes that can be asked for."""
    summary = "images of the class you ask for: flow matching with classes and guidance"
    codec = ImageCodecConfig(use_labels=True)
    return _recipe("image-class", summary=summary, expected=EXPECTED, codec=codec, family=DiffusionConfig(classes=1))


def image_text() -> Recipe:
    """Return the recipe for images with captions, which makes what a prompt describes."""
    summary = "images of what you describe: flow matching with a reader of captions, guidance and negative prompts"
    codec = ImageCodecConfig(use_captions=True)
    family = DiffusionConfig(
        caption_length=codec.caption_length, caption_vocabulary=codec.caption_vocabulary, time_mean=CAPTION_TIME_MEAN
    )
    return _recipe("image-text", summary=summary, expected=TEXT_EXPECTED, codec=codec, family=family)


def ddpm() -> Recipe:
    """Return the recipe of denoising diffusion: 1,000 linear steps, the noise is predicted."""
    summary = "images like yours: denoising diffusion (DDPM), 1,000 ancestral steps as published or few fast ones"
    return _recipe("ddpm", summary=summary, expected=DDPM_EXPECTED, family=DiffusionConfig(objective="ddpm"))


def image_family_for(
    operations: float, *, images: int, family: DiffusionConfig
) -> tuple[DiffusionConfig, OptimisationConfig]:
    """Return the sizes and the optimisation that suit an amount of compute and of data.

    Args:
        operations: Floating-point operations of the whole training.
        images: Different training images, or clips.
        family: What is learned: image size, classes, captions, objective and network; other settings are chosen here.

    Returns:
        The family's settings and how its weights are moved.
    """
    shape = _dit_with if family.network == "dit" else _unet_with
    is_latent = family.height > 1 and max(family.height, family.width) < SMALLEST_FOLDED
    # A place of latents stands for at least the four pixels that a place of an image is folded from, and each of its values for many.
    places = family.height * family.width * (4 if is_latent else 1) * family.frames
    if family.height == 1:
        # A row of frames: its channels are what the pixels of an image are.
        places *= family.channels
    values = images * family.height * family.width * family.channels * (VALUES_A_LATENT if is_latent else 1.0)
    step = family.changed(patch=_patch(family)).feature_step

    def parameters(sized: DiffusionConfig) -> int:
        # The vectors of the words take part in no product: they are looked up.
        return sized.parameter_count() - sized.caption_vocabulary * sized.text_width

    best = best_size(
        (shape(family, features) for features in range(step, LARGEST_FEATURES + 1, step)),
        operations=operations,
        needed=lambda sized: PIXELS_PER_PARAMETER * parameters(sized) / places * sized.training_operations(),
        is_fed=lambda sized: parameters(sized) * VALUES_PER_PARAMETER <= values,
    )
    doublings = max(0.0, math.log(max(operations, 1.0) / REFERENCE_OPERATIONS, 8))
    batch = SMALLEST_BATCH * 2 ** min(4, math.ceil(doublings))
    rate = LEARNING_RATE if family.network == "unet" else DIT_LEARNING_RATE
    optimisation = OptimisationConfig(
        learning_rate=rate * math.sqrt(REFERENCE_FEATURES / max(REFERENCE_FEATURES, best.features)),
        batch_size=batch,
        beta_2=0.99,
        warmup_steps=50,
        descent_share=0.6,
        average_share=0.05,
    )
    return best, optimisation


def _unet_with(family: DiffusionConfig, features: int) -> DiffusionConfig:
    large = max(family.height, family.width) >= LONG_SIDE
    sized = family.changed(
        multipliers=(1, 2, 2) if large else (1, 2),
        patch=_patch(family),
        caption_width=_caption_width(family, features),
    )
    return sized.with_features(features)


def _dit_with(family: DiffusionConfig, features: int) -> DiffusionConfig:
    sized = family.changed(
        blocks=max(DIT_FEWEST_BLOCKS, features // DIT_FEATURES_A_BLOCK),
        expansion=4,
        patch=4 if family.height > 1 and max(family.height, family.width) >= LONG_SIDE else _patch(family),
        caption_width=_caption_width(family, features),
    )
    return sized.with_features(features)


def _patch(family: DiffusionConfig) -> int:
    if family.height == 1:
        return 1
    return 1 if max(family.height, family.width) < SMALLEST_FOLDED else 2


def _caption_width(family: DiffusionConfig, features: int) -> int:
    step = family.head_width
    return max(2 * step, min(LARGEST_CAPTION_WIDTH, 2 * features // step * step))


def _recipe(
    name: str,
    *,
    summary: str,
    expected: str,
    codec: ImageCodecConfig | None = None,
    family: DiffusionConfig | None = None,
) -> Recipe:
    sized, optimisation = image_family_for(1e14, images=10_000, family=family or DiffusionConfig())
    stage = Stage(name="image", codec=codec or ImageCodecConfig(), family=sized, optimisation=optimisation)
    return Recipe(name=name, medium="image", summary=summary, expected=expected, stages=(stage,))
