"""Settings of the codec of recordings with what is said in them, for models that write down what they hear."""

import dataclasses
from collections.abc import Mapping
from typing import ClassVar

from makar.codecs.hearing_config import FEWEST_FRAMES, HearingConfig
from makar.codecs.speech_config import MOST_FRAMES
from makar.config import setting
from makar.tensor_spec import CAPTION, TARGET, Slot, TensorSpec

FRAMES_A_STEP = 2
"""Frames for which at most one letter is written: 32 ms at the usual hop, and nobody speaks 30 letters a second."""

USUAL_LETTERS = 40
"""About how many different letters a language is written with; plans count with it before the data was read."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class TranscriptCodecConfig(HearingConfig):
    """Settings of the codec of transcripts."""

    kind: ClassVar[str] = "transcript"
    target: ClassVar[str] = "makar.codecs.transcript:TranscriptCodec"

    frames: int = setting(
        192,
        meaning="frames at most; a recording that is longer is not learned from, and heard in overlapping parts",
        minimum=FEWEST_FRAMES,
        maximum=MOST_FRAMES,
    )
    letters: int = setting(
        256,
        meaning="letters of a transcript at most; a recording with more is not learned from",
        minimum=8,
        maximum=2048,
    )

    def made(self, vocabulary: int) -> TensorSpec:
        """Return what the codec makes.

        Args:
            vocabulary: Different letters, and what fills a row up.
        """
        return TensorSpec(
            {
                TARGET: Slot(kind="values", axes=("channels", "height", "width"), sizes=(self.mels, 1, self.frames)),
                CAPTION: Slot(kind="tokens", axes=("length",), sizes=(self.letters,), vocabulary=vocabulary),
            }
        )

    def estimated_spec(self, labels: Mapping[str, int]) -> TensorSpec:
        """Return what the codec will make, as far as the inspection lets it be guessed."""
        del labels
        return self.made(USUAL_LETTERS)
