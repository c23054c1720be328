"""Recipes that write images token by token: an autoencoder of tokens trained first, then the text transformer over caption and image.

Stage one is ``vqvae``, a token for every 4 x 4 pixels; stage two one stream of caption tokens and image tokens (``dalle``), or of image
tokens alone (``image-tokens``). The decoder is sized by the rule for text, which was measured on text: as compute grows, weights and
tokens seen grow alike. Shares and rates are not measured for images.

Source: Ramesh et al. 2021, arXiv 2102.12092 (DALL-E); van den Oord et al. 2017, arXiv 1711.00937, section 4.2 (a prior over codes).
"""

from makar.codecs.image_config import ImageCodecConfig
from makar.codecs.latent_config import LatentCodecConfig
from makar.families.family_config import FamilyConfig
from makar.families.transformer.image_config import ImageTransformerConfig
from makar.families.vqvae.config import VqvaeConfig
from makar.recipe import OptimisationConfig, Recipe, Stage
from makar.recipes.text import text_family_for
from makar.tensor_spec import TensorSpec

AUTOENCODER_SHARE = 0.25
"""Of the time: what the autoencoder cannot rebuild, no token will draw, but it learns faster than what comes after it."""


def dalle() -> Recipe:
    """Return the recipe for described images by way of tokens."""
    return _recipe(
        "dalle",
        summary="images of what you describe, written token by token after the caption: the design of DALL-E",
        images=ImageCodecConfig(use_captions=True),
        expected="emoji of five styles, 32 x 32, 20 minutes of one Zen 4 core: of 400 images of 100 held-out captions a scorer finds the "
        "right caption first for 9 % (real images 71 %, shuffled captions 1 %), among five for 31 %",
    )


def image_tokens() -> Recipe:
    """Return the recipe for images by way of tokens, without captions."""
    return _recipe(
        "image-tokens",
        summary="images like yours, written token by token: a VQ-VAE and a transformer over its codes",
        images=ImageCodecConfig(),
    )


def size_image_transformer(
    stage: Stage, *, operations: float, items: int, spec: TensorSpec
) -> tuple[FamilyConfig, OptimisationConfig]:
    """Size a decoder of image tokens: the rule of ``text_family_for``, for streams of one length.

    Args:
        stage: The stage as its recipe describes it.
        operations: Floating-point operations of the whole training.
        items: Different training images.
        spec: What the codec makes.
    """
    family = stage.family.bound_to(spec)
    assert isinstance(family, ImageTransformerConfig), "the registry's table pairs kind and rule"
    return image_transformer_for(family, operations=operations, images=items)


def image_transformer_for(
    family: ImageTransformerConfig, *, operations: float, images: int
) -> tuple[ImageTransformerConfig, OptimisationConfig]:
    """Return the shape and the optimisation for an amount of training.

    Args:
        family: What is learned.
        operations: Floating-point operations of the whole training.
        images: Different training images.
    """
    length = family.longest_text + family.content_positions
    decoder, optimisation = text_family_for(operations, tokens=images * length, vocabulary=family.decoder.vocabulary)
    batch_tokens = optimisation.batch_size * decoder.context
    return family.with_decoder(decoder), optimisation.changed(batch_size=max(8, round(batch_tokens / length)))


def _recipe(name: str, *, summary: str, images: ImageCodecConfig, expected: str = "not measured") -> Recipe:
    autoencoder = VqvaeConfig(height=images.height, width=images.width)
    rows, columns = autoencoder.token_shape
    family = ImageTransformerConfig(codes=autoencoder.vocabulary, rows=rows, columns=columns)
    if images.use_captions:
        family = family.changed(caption_length=images.caption_length, caption_vocabulary=images.caption_vocabulary)
    sized, optimisation = image_transformer_for(family, operations=1e13, images=10_000)
    return Recipe(
        name=name,
        medium="image",
        summary=summary,
        expected=expected,
        stages=(
            Stage(
                name="autoencoder",
                codec=ImageCodecConfig(),
                family=autoencoder,
                optimisation=OptimisationConfig(learning_rate=1e-2, batch_size=64, average_share=0.05),
                share=AUTOENCODER_SHARE,
            ),
            Stage(
                name="image",
                codec=LatentCodecConfig(component="autoencoder", base=images),
                family=sized,
                optimisation=optimisation,
                share=1 - AUTOENCODER_SHARE,
            ),
        ),
    )
