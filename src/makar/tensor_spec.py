"""The joint between codecs and families: named slots with kind, axes, sizes, vocabulary and range, compared before anything loads.

A codec *makes* a specification, a family *accepts* one. ``mismatches`` returns every reason why they do not fit, so that medium
times family is a grid and not a list of special cases. No torch: a plan is checked in microseconds.
"""

import dataclasses
from collections.abc import Mapping
from typing import Literal

TARGET = "target"
CAPTION = "caption"
CLASS = "class"
PADDING_TOKEN, NO_CAPTION_TOKEN = 0, 1
"""In a caption: what fills it up at the end, and what stands alone where there is no caption."""
END_TOKEN = 1
"""In a text of a pair, which ``PADDING_TOKEN`` fills up: what ends it."""
SOURCE = "source"
"""Content to start from: an image to restyle, translate, enlarge, colour or free of noise; a text to translate or sum up."""
REFERENCE = "reference"
"""Content whose style is taken, and nothing of what it shows."""
TAGS, PLACES, FEATURES = "tags", "places", "features"
"""Of each word of a text: its tag, where its first token stands, and what can be seen of it (or of each sentence, one after the other)."""
CHOSEN = "chosen"
"""Of each sentence of a text: 1 where it belongs into the summary."""
SPAN = "span"
"""Where a passage begins in a row, what is known of the answer in it, and its first and last tokens."""
SPEED = "speed"
"""How fast a text is spoken: 2 is twice as fast as usual."""
LYRICS = "lyrics"
"""Of every frame of a sound, the unit of the words that is sung in it."""
WAVE = "wave"
"""The samples of a sound whose picture is ``TARGET``."""
KNOWN = "known"
"""Content of which a part must stay; ``MASK`` says which."""
MASK = "mask"
"""1 where content is to be made anew, 0 where ``KNOWN`` stays."""
LEARNED = "learned"
"""1 where a token of ``TARGET`` is to be learned, 0 where it is only read."""
REJECTED, REJECTED_LEARNED = "rejected", "rejected_learned"
"""The row whose answer was not preferred to that of ``TARGET``, and where its answer is."""
SCORE = "score"
"""How good the answer of ``TARGET`` is, how alike ``SOURCE`` and ``TARGET`` are, both 0 to 1; or the number that a text is to get."""
ANSWER = "answer"
"""The right answer to the prompt or question in ``TARGET``, as bytes of UTF-8; a byte of zero ends one where there are several."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Slot:
    """One named tensor of an example.

    Attributes:
        kind: ``"tokens"`` are integers below ``vocabulary``; ``"values"`` are numbers between ``minimum`` and ``maximum``.
        axes: Names of the axes without the batch, for example ``("channels", "height", "width")``; empty for one number.
        sizes: One size an axis; ``None`` is any size (in a codec: varies by record).
        vocabulary: Number of different tokens; ``None`` in a family means any.
        minimum: Smallest value.
        maximum: Largest value.
        rate_hz: Positions a second along the first axis, for media in time.
        optional: In a family: it works without this slot.
        usual: In a codec: about the mean of the size that varies, where it is known; plans count with it.
        shared: In a codec: about the share of its tokens that stand in ``SOURCE`` too, where it is known.
        frames: Of clips, whose first axis holds the channels of all frames one after the other: how many there are.
    """

    kind: Literal["tokens", "values"]
    axes: tuple[str, ...]
    sizes: tuple[int | None, ...]
    vocabulary: int | None = None
    minimum: float = -1.0
    maximum: float = 1.0
    rate_hz: float | None = None
    optional: bool = False
    usual: int | None = None
    shared: float | None = None
    frames: int = 1


@dataclasses.dataclass(frozen=True)
class TensorSpec:
    """The slots of one example, by name."""

    slots: Mapping[str, Slot]

    def __getitem__(self, name: str) -> Slot:
        return self.slots[name]

    def __contains__(self, name: str) -> bool:
        return name in self.slots


def mismatches(made: TensorSpec, accepted: TensorSpec) -> list[str]:
    """Return every reason why what a codec makes does not fit what a family accepts; empty when it fits.

    A slot that the codec makes and the family does not know is a mismatch too, because ignoring a caption or a mask in silence
    would be a lie.
    """
    reasons = [
        f'the family needs "{name}", which the codec does not make'
        for name, slot in accepted.slots.items()
        if name not in made and not slot.optional
    ]
    for name, slot in made.slots.items():
        if name not in accepted:
            reasons.append(f'the codec makes "{name}", which the family cannot use')
            continue
        wanted = accepted[name]
        if slot.kind != wanted.kind:
            reasons.append(f'"{name}" is {slot.kind}, the family accepts {wanted.kind}')
        if slot.axes != wanted.axes:
            reasons.append(f'"{name}" has axes {slot.axes}, the family accepts {wanted.axes}')
        elif any(want is not None and have != want for have, want in zip(slot.sizes, wanted.sizes)):
            reasons.append(f'"{name}" has sizes {slot.sizes}, the family accepts {wanted.sizes}')
        if slot.frames != wanted.frames:
            reasons.append(f'"{name}" has {slot.frames} frames, the family accepts {wanted.frames}')
        if wanted.vocabulary is not None and slot.kind == "tokens" and slot.vocabulary != wanted.vocabulary:
            reasons.append(f'"{name}" has {slot.vocabulary} tokens, the family accepts {wanted.vocabulary}')
        if slot.kind == "values" and (slot.minimum, slot.maximum) != (wanted.minimum, wanted.maximum):
            reasons.append(
                f'"{name}" spans {slot.minimum} to {slot.maximum}, the family accepts {wanted.minimum} to {wanted.maximum}'
            )
    return reasons
