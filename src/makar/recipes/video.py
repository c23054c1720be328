"""Recipes for clips: frames are learned by flow matching, as images are, with layers along time; without and with classes and captions.

``--from`` a model of images of the same size begins with its weights, and with its words and classes; otherwise all is learned at once. The
sizes are those of images, with the pixels of all frames; a batch is half as many clips, because a clip is many images, and early on many
small steps teach more than few large ones.
"""

from makar.codecs.image_config import ImageCodecConfig
from makar.codecs.video_config import VideoCodecConfig
from makar.errors import UnsupportedError
from makar.families.diffusion.config import DiffusionConfig
from makar.recipe import PARENT, OptimisationConfig, Origin, Recipe, Stage, continued
from makar.recipes.image import image_family_for

CLIPS_A_BATCH = 0.5
"""Of the images of a batch of a model of images."""

TIME_MEAN, TIME_DEVIATION = -0.6, 1.4
"""A clip has many more pixels than an image, so what it shows and how it moves is settled where there is more noise (Esser et al. 2024,
arXiv 2403.03206, section 5.3.2); but with the mean alone moved, as for captions of images, times near the data came once in 200 examples,
and after 600 steps clips still were full of grain.
"""


def video(origin: Origin | None = None) -> Recipe:
    """Return the recipe for clips without classes; it begins from nothing, or from a model of images."""
    return _recipe("video", origin, summary="clips like yours", codec=VideoCodecConfig(), family=DiffusionConfig())


def video_class(origin: Origin | None = None) -> Recipe:
    """Return the recipe for clips with classes that can be asked for."""
    codec = VideoCodecConfig(use_labels=True)
    return _recipe(
        "video-class", origin, summary="clips of the class you ask for", codec=codec, family=DiffusionConfig(classes=1)
    )


def video_text(origin: Origin | None = None) -> Recipe:
    """Return the recipe for clips with captions, which makes what a prompt describes."""
    codec = VideoCodecConfig(use_captions=True)
    family = DiffusionConfig(caption_length=codec.caption_length, caption_vocabulary=codec.caption_vocabulary)
    return _recipe("video-text", origin, summary="clips of what you describe", codec=codec, family=family)


def clip_family_for(
    operations: float, *, clips: int, family: DiffusionConfig
) -> tuple[DiffusionConfig, OptimisationConfig]:
    """Return the sizes and the optimisation that suit an amount of compute and of clips; see ``image_family_for``."""
    sized, optimisation = image_family_for(operations, images=clips, family=family)
    return sized, optimisation.changed(batch_size=max(1, int(optimisation.batch_size * CLIPS_A_BATCH)))


EXPECTED = {
    "video-text": "builtin:shapes, 440 steps (two minutes of one Zen 4 core), 24 samples: colour right in 0.92, shape in 0.38, "
    "direction in 0.21 (chance 0.25)",
}


def _recipe(
    name: str, origin: Origin | None, *, summary: str, codec: VideoCodecConfig, family: DiffusionConfig
) -> Recipe:
    recipe = Recipe(
        name=name,
        medium="video",
        summary=f"{summary}: flow matching over frames and time; goes on, fills in, brings pictures to life",
        expected=EXPECTED.get(name, "not measured"),
        stages=(_stage(codec, family),),
        grows=True,
    )
    if origin is None:
        return recipe
    if isinstance(origin.model.codec, VideoCodecConfig):
        return continued(origin).changed(name=name)
    return recipe.changed(stages=(_begun(name, origin, codec),), grown=True)


def _stage(codec: VideoCodecConfig, family: DiffusionConfig) -> Stage:
    shaped = family.changed(
        frames=codec.frames,
        channels=3 * codec.frames,
        height=codec.height,
        width=codec.width,
        time_mean=TIME_MEAN,
        time_deviation=TIME_DEVIATION,
    )
    sized, optimisation = clip_family_for(1e14, clips=10_000, family=shaped)
    return Stage(name="video", codec=codec, family=sized, optimisation=optimisation)


def _begun(name: str, origin: Origin, codec: VideoCodecConfig) -> Stage:
    """Return the stage that begins with the weights and the codec of a model of images."""
    made = origin.model
    images, family = made.codec, made.family
    refused = UnsupportedError(
        f'"{origin.parent.name}" is no model of images with a U-Net in pixels, from which clips could begin',
        expected="a model of the recipe image, image-class, image-text, flow or ddpm, of opaque images",
    )
    if not isinstance(images, ImageCodecConfig) or not isinstance(family, DiffusionConfig):
        raise refused
    if family.network != "unet" or family.has_source or family.distilled or images.channels == 4:
        raise refused
    if (images.use_labels, images.use_captions) != (codec.use_labels, codec.use_captions):
        raise UnsupportedError(
            f'recipe "{name}" from "{origin.parent.name}", which learned {_told(images)}',
            expected=f"the recipe {_fitting(images)}",
        )
    shared = (
        "height", "width", "channels", "fit", "use_labels", "use_captions", "caption_length", "caption_vocabulary",
    )  # fmt: skip
    return made.changed(
        begins=PARENT,
        codec=codec.changed(**{field: getattr(images, field) for field in shared}),
        family=_of_clips(family, frames=codec.frames),
        optimisation=made.optimisation.changed(
            batch_size=max(1, int(made.optimisation.batch_size * CLIPS_A_BATCH)), accumulate=1
        ),
    )


def _of_clips(family: DiffusionConfig, *, frames: int) -> DiffusionConfig:
    clips = family.changed(frames=frames, channels=frames * family.channels, preference=0.0)
    if family.objective == "ddpm":
        return clips
    return clips.changed(time_mean=TIME_MEAN, time_deviation=TIME_DEVIATION)


def _told(images: ImageCodecConfig) -> str:
    found = [name for name, used in (("classes", images.use_labels), ("captions", images.use_captions)) if used]
    return " and ".join(found) or "neither classes nor captions"


def _fitting(images: ImageCodecConfig) -> str:
    return "video-text" if images.use_captions else "video-class" if images.use_labels else "video"
