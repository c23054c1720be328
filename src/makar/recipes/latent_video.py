"""Recipes that learn clips in the latents of an autoencoder of their frames, trained first: latent video diffusion from a folder of clips.

Stage one is the autoencoder of ``latent-diffusion``, which sees every frame of the clips as an image of its own; stage two is the denoiser
of ``video`` over the latents of all frames, with layers along time. A latent stands for four by four pixels, so the denoiser has a
sixteenth of the places of the same clip in pixels. What is known of a clip is given to it as latents too: a hole that touches a latent
makes that latent anew, and pixels outside of the hole are put back. Neither the shares of the time nor the sizes are measured.

Source: Blattmann et al. 2023, arXiv 2304.08818, with an autoencoder that is not tuned along time.
"""

from makar.codecs.video_config import VideoCodecConfig
from makar.families.diffusion.config import DiffusionConfig
from makar.recipe import Recipe
from makar.recipes.latent_images import (
    IMAGES_A_BATCH,
    LATENT_CHANNELS,
    autoencoder_stage,
    latent_autoencoder,
    latent_stage,
)
from makar.recipes.video import TIME_DEVIATION, TIME_MEAN, clip_family_for

REDUCTION = 4
"""Pixels along each side that a latent stands for."""


def latent_video() -> Recipe:
    """Return the recipe for clips without captions."""
    return _recipe("latent-video", summary="clips like yours", codec=VideoCodecConfig(), family=DiffusionConfig())


def latent_video_text() -> Recipe:
    """Return the recipe for clips with captions, which makes what a prompt describes."""
    codec = VideoCodecConfig(use_captions=True)
    family = DiffusionConfig(caption_length=codec.caption_length, caption_vocabulary=codec.caption_vocabulary)
    return _recipe("latent-video-text", summary="clips of what you describe", codec=codec, family=family)


def _recipe(name: str, *, summary: str, codec: VideoCodecConfig, family: DiffusionConfig) -> Recipe:
    frames = codec.frames
    autoencoder = latent_autoencoder().changed(frames=frames, height=codec.height, width=codec.width)
    shaped = family.changed(
        frames=frames,
        channels=frames * LATENT_CHANNELS,
        height=codec.height // REDUCTION,
        width=codec.width // REDUCTION,
        time_mean=TIME_MEAN,
        time_deviation=TIME_DEVIATION,
    )
    denoiser, optimisation = clip_family_for(1e14, clips=10_000, family=shaped)
    return Recipe(
        name=name,
        medium="video",
        summary=f"{summary}, made in the latents of an autoencoder of their frames: latent video diffusion",
        expected="not measured",
        stages=(
            autoencoder_stage(
                codec.changed(use_captions=False), autoencoder, batch_size=max(1, IMAGES_A_BATCH // frames)
            ),
            latent_stage("video", codec, denoiser, optimisation),
        ),
    )
