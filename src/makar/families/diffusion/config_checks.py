"""What settings of a model that denoises must agree in: its source, its frames, its judge, and that nothing is set that is not read."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from makar.errors import ConfigError
from makar.families.diffusion import size_judge

if TYPE_CHECKING:
    from makar.families.diffusion.config import DiffusionConfig

SOURCE_EDIT = "control"
"""What making an image from a source is called, unless something else is said."""


def check_source(config: "DiffusionConfig") -> None:
    """Check the sizes of a source, and what can be done with it.

    Raises:
        ConfigError: They contradict each other, or nothing would read a setting.
    """
    sizes = (config.source_channels, config.source_height, config.source_width)
    if any(sizes) != all(sizes):
        raise ConfigError(f"a source of channels, height and width {sizes}", expected="all above 0, or all 0")
    if config.source_is_vector:
        refuse_unread(config, {"source_noise": 0.0}, "a vector is no image to be noisy")
    if not config.has_source:
        unread = {"source_edit": SOURCE_EDIT, "source_noise": 0.0, "control": False}
        refuse_unread(config, unread, "the model is given no source")
    if config.control and (config.network != "unet" or config.distilled):
        raise ConfigError("control of a DiT or of a distilled model", expected="a U-Net that is not distilled")
    if config.source_is_vector and (config.control or config.distilled):
        raise ConfigError("a vector as the source of a student or a steered model", expected="an image, or no source")
    is_larger = config.source_height > config.height or config.source_width > config.width
    whole = (config.source_fold * config.height, config.source_fold * config.width)
    if is_larger and whole != (config.source_height, config.source_width):
        raise ConfigError(
            f"a source of {config.source_width} x {config.source_height} for images of {config.width} x {config.height}",
            expected="a smaller source, or one that is a whole number of times as large along both sides",
        )


def check_frames(config: "DiffusionConfig") -> None:
    """Check that channels are those of whole frames, and that clips are made by a network that can.

    Raises:
        ConfigError: They are not.
    """
    if config.channels % config.frames:
        came = f"{config.channels} channels of {config.frames} frames"
        raise ConfigError(came, expected="as many channels for every frame")
    is_other = config.network != "unet" or config.has_source or config.distilled or config.preference
    if config.frames > 1 and is_other:
        came = "clips of a DiT, from a source, in few steps or by preference"
        raise ConfigError(came, expected="a U-Net that makes clips of noise")


def check_judge(config: "DiffusionConfig") -> None:
    """Check that a judge, if there is one, can see what it is shown.

    Raises:
        ConfigError: It cannot.
    """
    if config.judged and not size_judge.fits(config):
        raise ConfigError(
            f"a judge of {config.channels} x {config.height} x {config.width}",
            expected=f"sides of {size_judge.SMALLEST} to {size_judge.LARGEST}, {size_judge.MOST_CHANNELS} channels at most",
            do="set judged to 0",
        )


def refuse_unread(config: "DiffusionConfig", unread: Mapping[str, object], reason: str) -> None:
    """Refuse settings that nothing reads.

    Args:
        config: The settings.
        unread: Names with their defaults.
        reason: Why nothing reads them.

    Raises:
        ConfigError: One of them is set.
    """
    for name, default in unread.items():
        if getattr(config, name) != default:
            raise ConfigError(f"{name} is {getattr(config, name)}, but {reason}", expected=f"{name} left at {default}")
