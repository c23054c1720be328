"""The judge of a student of few steps, as sizes: the discriminator of a DCGAN as wide as the student; no torch."""

from typing import TYPE_CHECKING

from makar.families.gan.dcgan_config import DcganConfig

if TYPE_CHECKING:
    from makar.families.diffusion.config import DiffusionConfig

PENALTY = 0.1
"""Weight of the slopes at real and at made images; with 1 and with 0.03 a student was a little worse after three minutes."""

JUDGED = 10.0
"""Passes of the judge for an image: one and two for the student's part, six for its own, the rest for slopes now and then."""

SMALLEST, LARGEST, MOST_CHANNELS = 8, 256, 64


def fits(config: "DiffusionConfig") -> bool:
    """Return whether images of this size can be judged."""
    sides = (config.height, config.width)
    return min(sides) >= SMALLEST and max(sides) <= LARGEST and config.channels <= MOST_CHANNELS


def judge_of(config: "DiffusionConfig") -> DcganConfig:
    """Return the judge: without norms, so that each image is judged by itself, and with a class for images of none."""
    return DcganConfig(
        height=config.height,
        width=config.width,
        channels=config.channels,
        classes=config.classes + 1 if config.classes else 0,
        features=config.features,
        judge_norm="none",
        penalty=PENALTY,
    )


def parameter_count(config: "DiffusionConfig") -> int:
    """Return the exact number of parameters of the judge; 0 without."""
    return judge_of(config).judge_parameter_count() if config.judged else 0


def operations(config: "DiffusionConfig") -> float:
    """Return operations that the judge adds to the training on one image."""
    return JUDGED * judge_of(config).forward_operations()[1] if config.judged else 0.0
