"""What is done after something was judged and before it is signed: palette and tracing of an image, form of a video or structure, player.

These are controls given by name like those of a sampler: of every model of images ``palette`` and ``svg``, of video and structures
``format``, of music ``player``. The copy check looks at what the model made, before: fewer colours would hide a copy. The manifest states
what was done and is signed over the result.
"""

import dataclasses
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from makar.config import Config
from makar.data.backbone import Backbone
from makar.data.clip import Clip
from makar.data.structure_writer import FORMS as STRUCTURE_FORMS
from makar.data.video_file import FORMS as FILM_FORMS
from makar.errors import UnsupportedError, UsageError
from makar.generation.filming import read_film_form
from makar.generation.palette import in_colours, own_colours, read_palette, written
from makar.generation.synthesiser import read_player
from makar.generation.tracing import traced, tracer


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Finishing:
    """What becomes of every image.

    Attributes:
        colours: uint8 ``[colours, 3]``, or how many every image finds for itself; ``None`` leaves the colours.
        is_traced: Whether it becomes a drawing.
        form: The form of the file of a clip or structure; ``None`` takes the usual one.
        player: Who plays a piece of music; empty for Makar itself.
    """

    colours: np.ndarray | int | None = None
    is_traced: bool = False
    form: str | None = None
    player: str = ""

    def finish(self, content: Any) -> Any:
        """Return what the user gets.

        Args:
            content: uint8 ``[height, width, channels]``.

        Raises:
            UnsupportedError: The content is no image, or a form was asked for that it cannot have.
        """
        forms = STRUCTURE_FORMS if isinstance(content, Backbone) else FILM_FORMS if isinstance(content, Clip) else ()
        if self.form is not None and self.form not in forms:
            raise UnsupportedError(
                f"the format {self.form} of what this model makes",
                expected=", ".join(forms) or "a model of video or structures",
            )
        if not self.stated:
            return content
        if not isinstance(content, np.ndarray) or content.ndim != 3:
            raise UnsupportedError(
                f"{' and '.join(self.stated)} of a model that makes no images", expected="a model of images"
            )
        colours = own_colours(content, self.colours) if isinstance(self.colours, int) else self.colours
        if self.is_traced:
            return traced(content, colours=colours)
        return content if colours is None else in_colours(content, colours)

    @property
    def stated(self) -> dict[str, Any]:
        """What the manifest says; empty where nothing is done."""
        found: dict[str, Any] = {}
        if isinstance(self.colours, int):
            found["palette"] = self.colours
        elif self.colours is not None:
            found["palette"] = {
                "colours": written(self.colours),
                "sha256": hashlib.sha256(self.colours.tobytes()).hexdigest(),
            }
        if self.is_traced:
            found["svg"] = True
        return found


def read_finishing(
    options: Mapping[str, Any] | Config | None, *, medium: str
) -> tuple[Finishing, dict[str, Any] | Config]:
    """Take what is done afterwards out of the controls.

    Args:
        options: Controls by name, those of the sampler among them; or the sampler's own.
        medium: What the model makes.

    Returns:
        What is done afterwards, and the controls that are left.

    Raises:
        UsageError: The palette cannot be read, or ``svg`` is neither true nor false.
        UnsupportedError: The player is not here.
        MissingExtraError: Tracing needs a package that is not installed.
    """
    if isinstance(options, Config):
        return Finishing(), options
    form, left = read_film_form(options)
    rest = dict(left) if isinstance(left, dict) else {}
    player, rest = read_player(rest) if medium == "music" else ("", rest)
    palette, svg = rest.pop("palette", None), rest.pop("svg", False)
    if not isinstance(svg, bool):
        raise UsageError(f"svg={svg!r}", expected="true or false")
    if svg:
        tracer()
    colours = None if palette is None else read_palette(palette if isinstance(palette, Path) else str(palette))
    return Finishing(colours=colours, is_traced=svg, form=form, player=player), rest
