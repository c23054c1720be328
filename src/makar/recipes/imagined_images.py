"""The recipe that imagines before it draws: a pair of encoders, a prior from captions to vectors, a decoder to images (DALL-E 2).

Stage one puts images and captions into one space (``clip``). Stage two learns to draw the vector of an image from its caption: the
denoiser of ``image-text`` on images of one pixel, a small transformer that reads the caption, by flow matching, which is free of
dimension; guidance insists on the caption. Stage three is the U-Net of ``image-text`` with the vector as its source, read as four tokens
and beside the time; half of the captions and a tenth of the vectors are hidden, so it can be guided by both. What the vector does not
say, the decoder makes up: ``makar edit MODEL IMAGE`` draws new images of what an image shows, and two images lead to frames between
their vectors.

What differs from the paper: the prior predicts the velocity of the vector itself and no text vector stands beside the tokens; there are
no enlarging stages. Shares of the time and sizes are not measured.

Source: Ramesh et al. 2022, arXiv 2204.06125.
"""

from makar.codecs.embedded_config import EmbeddedCodecConfig
from makar.codecs.image_config import ImageCodecConfig
from makar.codecs.latent_config import LatentCodecConfig
from makar.families.contrastive.config import ContrastiveConfig
from makar.families.diffusion.config import DiffusionConfig
from makar.recipe import Recipe, Stage
from makar.recipes.contrastive import OPTIMISATION
from makar.recipes.image import image_family_for

PAIRS_SHARE, PRIOR_SHARE = 0.25, 0.15
PAIRS, PRIOR = "pairs", "prior"


def dalle2() -> Recipe:
    """Return the recipe for described images by way of imagined vectors."""
    images, pairs = ImageCodecConfig(use_captions=True), ContrastiveConfig()
    described = DiffusionConfig(caption_length=images.caption_length, caption_vocabulary=images.caption_vocabulary)
    vectors = described.changed(channels=pairs.vector_width, height=1, width=1, patch=1, network="dit")
    prior, prior_optimisation = image_family_for(1e13, images=10_000, family=vectors)
    seen = described.changed(source_channels=pairs.vector_width, source_height=1, source_width=1, source_edit="vary")
    decoder, optimisation = image_family_for(1e14, images=10_000, family=seen)
    return Recipe(
        name="dalle2",
        medium="image",
        summary="images of what you describe, imagined first and then drawn; new ones of what an image shows: DALL-E 2's design",
        expected="emoji of five styles, 32 x 32, 20 minutes of one Zen 4 core: of 400 images of 100 held-out captions a scorer finds the "
        "right caption first for 8 % (real images 71 %, shuffled captions 1 %), among five for 26 %",
        stages=(
            Stage(name=PAIRS, codec=images, family=pairs, optimisation=OPTIMISATION, share=PAIRS_SHARE),
            Stage(
                name=PRIOR,
                codec=LatentCodecConfig(component=PAIRS, base=images),
                family=prior,
                optimisation=prior_optimisation,
                share=PRIOR_SHARE,
            ),
            Stage(
                name="image",
                codec=EmbeddedCodecConfig(component=PRIOR, base=images),
                family=decoder,
                optimisation=optimisation,
                share=1 - PAIRS_SHARE - PRIOR_SHARE,
            ),
        ),
    )
