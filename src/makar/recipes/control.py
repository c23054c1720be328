"""The recipe that steers a trained model of images by a map: edges, a sketch, segments or depth, computed from each image of the data.

The model to begin from stays as it is, bit for bit; what is learned is a copy of its way down (``makar.nn.control``), so few images and
little time do no harm to what it knows. Its codec, classes, captions and guidance stay too. A model that is steered already is trained on.
"""

import dataclasses

from makar.codecs.codec import CodecConfig
from makar.codecs.image_config import ImageCodecConfig, source_slot
from makar.codecs.latent_config import LatentCodecConfig
from makar.errors import UnsupportedError
from makar.families.diffusion.config import DiffusionConfig
from makar.recipe import PARENT, Origin, Recipe, Stage, continued
from makar.recipes.image import image
from makar.tensor_spec import SOURCE

NAME = "controlnet"
SUMMARY = (
    "a trained model of images steered by edges, a sketch, segments or depth, itself unchanged; begins --from MODEL"
)
EXPECTED = (
    "fashion_mnist, 4 minutes for the model and 4 for the copy, one Zen 4 core, 200 held-out images: agreement of edges (F1) with the map "
    "0.78, with maps of other images 0.19"
)
USUAL_MAP = "edges"
RATE = 0.5
"""Peak of the learning rate, as a share of the one that made the model: the copy is trained already, its joints are not."""


def controlnet(origin: Origin | None = None) -> Recipe:
    """Return the recipe for a model to steer; without one an example.

    Args:
        origin: The model.

    Raises:
        UnsupportedError: It is no U-Net that denoises, is given a source already, or is distilled.
    """
    if origin is None:
        (stage,) = image().stages
        stages: tuple[Stage, ...] = (_steered(stage),)
        return Recipe(name=NAME, medium="image", summary=SUMMARY, expected=EXPECTED, stages=stages, grown=True)
    recipe, family = continued(origin), origin.model.family
    if isinstance(family, DiffusionConfig) and family.control:
        return recipe
    can_be = isinstance(family, DiffusionConfig) and family.network == "unet"
    if not can_be or family.accepts().slots.keys() & {SOURCE} or family.teacher() is not None:
        raise UnsupportedError(
            f'"{origin.parent.name}" cannot be steered',
            expected="a diffusion or flow model of images with a U-Net, without a source and not distilled",
            do="begin from a model of the recipe image, image-class, image-text or latent-diffusion",
        )
    stages = (*recipe.stages[:-1], _steered(origin.model).changed(share=1.0))
    return recipe.changed(name=NAME, summary=SUMMARY, expected=EXPECTED, stages=stages)


def _steered(model: Stage) -> Stage:
    codec, family = _with_map(model.codec), model.family
    assert isinstance(family, DiffusionConfig), "only these are steered"
    plain = codec
    while isinstance(plain, LatentCodecConfig):
        plain = plain.base
    assert isinstance(plain, ImageCodecConfig), "below latents there are images"
    slot = source_slot(plain, channels=plain.channels)
    assert slot is not None, "the map was asked for"
    channels, height, width = (int(size or 0) for size in slot.sizes)
    return model.changed(
        begins=PARENT,
        codec=codec,
        family=family.changed(
            control=True, source_channels=channels, source_height=height, source_width=width, source_edit="control"
        ),
        optimisation=model.optimisation.changed(learning_rate=RATE * model.optimisation.learning_rate),
    )


def _with_map(codec: CodecConfig) -> CodecConfig:
    if isinstance(codec, LatentCodecConfig):
        return codec.changed(base=_with_map(codec.base))
    return dataclasses.replace(codec, source=USUAL_MAP) if isinstance(codec, ImageCodecConfig) else codec
