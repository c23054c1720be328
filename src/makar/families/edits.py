"""The edits of images, and of text, by name, what each hands to a sampler, and nothing else; families list those that they can do.

``source`` is the image to begin from, ``reference`` one whose style is taken; ``known`` and ``mask`` are an image of which the part with
mask 0 must stay as it is. The two interpolations are methods of the sampler, ``interpolate_between(options, *, first, last, count, seed)``
and ``interpolate(options, *, first_seed, last_seed, count)``, which return ``[count, channels, height, width]``. No torch.
"""

import dataclasses


@dataclasses.dataclass(frozen=True, kw_only=True)
class Edit:
    """One way to change an image.

    Attributes:
        slots: Slots that the prompt carries.
        meaning: One line for help and errors.
    """

    slots: tuple[str, ...]
    meaning: str


EDITS: dict[str, Edit] = {
    "image-to-image": Edit(slots=("source",), meaning="make it anew from the image, nearer or farther by strength"),
    "vary": Edit(slots=("source",), meaning="new images of what it shows"),
    "restyle": Edit(slots=("source", "reference"), meaning="in the colours and textures of another image"),
    "inpaint": Edit(slots=("known", "mask"), meaning="fill a part of the image, or a border around it"),
    "denoise": Edit(slots=("source",), meaning="take noise away"),
    "reconstruct": Edit(slots=("source",), meaning="encode and decode"),
    "translate": Edit(slots=("source",), meaning="from one kind of image to the other"),
    "enlarge": Edit(slots=("source",), meaning="more pixels"),
    "colour": Edit(slots=("source",), meaning="colours for a grey image"),
    "control": Edit(slots=("source",), meaning="a new image steered by edges or another map"),
    "infill": Edit(slots=(), meaning="write what is missing in the middle of a file of code"),
    "interpolate": Edit(slots=(), meaning="from one image to another in steps"),
    "interpolate-seeds": Edit(slots=(), meaning="from the image of one seed to that of another in steps"),
}
