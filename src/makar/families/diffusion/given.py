"""The images that are handed in to be changed, read from the prompts and checked: what is to be done follows from their slots."""

import dataclasses
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from makar.errors import UnsupportedError
from makar.families.diffusion.options import ImageOptions
from makar.families.edits import EDITS
from makar.families.family import Batch
from makar.tensor_spec import KNOWN, MASK, REFERENCE, SOURCE

SLOTS = frozenset({SOURCE, REFERENCE, KNOWN, MASK})
STRENGTH, STYLE = 0.6, 0.5
"""Taken where none is given."""

EDIT_OF = {frozenset(EDITS[name].slots): name for name in ("image-to-image", "restyle", "inpaint")}
FROM_A_SOURCE = ("image-to-image", "restyle")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Given:
    """What was handed in for the examples of a call.

    Attributes:
        edit: What is to be done, of ``makar.families.edits``.
        examples: The slots of each example that belong to the edit.
    """

    edit: str
    examples: tuple[Batch, ...]

    def part(self, start: int, count: int) -> "Given":
        """Return what was handed in for some of the examples."""
        return Given(edit=self.edit, examples=self.examples[start : start + count])

    def stacked(self, slot: str) -> Float[Tensor, "batch channels height width"]:
        """Return a slot of all examples."""
        return torch.stack([example[slot] for example in self.examples])


def read_given(
    prompts: Sequence[Batch],
    options: ImageOptions,
    *,
    shape: tuple[int, int, int],
    frames: int = 1,
    able: Sequence[str] = tuple(EDIT_OF.values()),
) -> tuple[Given | None, list[Batch]]:
    """Take what is to be changed out of the prompts.

    Args:
        prompts: Slots of each example.
        options: The controls, of which some hold only with, or only without, a given image.
        shape: Channels, height and width of the model.
        frames: Of a model of clips, which was trained to fill in; a mask of one frame then holds for all.
        able: Edits that the model can do.

    Returns:
        What was handed in (``None`` when every image is to be made from nothing), and the prompts without it.

    Raises:
        UnsupportedError: Slots that do not belong together, of another size, or a control that the edit cannot honour.
    """
    sets = {frozenset(prompt) & SLOTS for prompt in prompts} or {frozenset()}
    if len(sets) > 1:
        raise UnsupportedError("different edits in one call", expected="the same for every image")
    slots = next(iter(sets))
    if slots and EDIT_OF.get(slots) not in able:
        raise UnsupportedError(
            f"this image model cannot use {', '.join(sorted(slots))} together",
            expected=" or ".join(" with ".join(EDITS[name].slots) for name in EDIT_OF.values() if name in able),
        )
    edit = EDIT_OF.get(slots)
    if options.strength is not None and edit not in FROM_A_SOURCE:
        raise UnsupportedError(
            f"strength {options.strength:g} without an image to begin from", expected="an image to vary, and no mask"
        )
    if options.style is not None and edit != "restyle":
        raise UnsupportedError(f"style {options.style:g} without a reference", expected="a reference image")
    usual = ImageOptions()
    if edit == "inpaint" and frames == 1 and (options.solver, options.shift) != (usual.solver, usual.shift):
        raise UnsupportedError(
            "a solver or a shift for filling a part of an image", expected="steps only: it goes its own way"
        )
    if edit is None:
        return None, list(prompts)
    wanted = {SOURCE: shape, REFERENCE: shape, KNOWN: shape, MASK: (frames, *shape[1:])}
    for prompt in prompts:
        for name in slots & set(wanted):
            is_one_for_all = name == MASK and tuple(prompt[name].shape) == (1, *shape[1:])
            if tuple(prompt[name].shape) != wanted[name] and not is_one_for_all:
                raise UnsupportedError(
                    f"{name} has shape {list(prompt[name].shape)}", expected=f"{list(wanted[name])}, that of the model"
                )
    examples = tuple({name: value for name, value in prompt.items() if name in slots} for prompt in prompts)
    rest = [{name: value for name, value in prompt.items() if name not in slots} for prompt in prompts]
    return Given(edit=edit, examples=examples), rest
