"""Checkpoints that speak as families: what they have in common, and which is which.

What is to be spoken comes as the bytes of a text and is read by the checkpoint's own tokenizer. Letters that a checkpoint was never taught
are refused with their list and not left out in silence, so that nothing is spoken that was not written.
"""

import abc
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np

from makar.codecs.prompted_image import words_of
from makar.errors import UnknownNameError, UnsupportedError, UsageError
from makar.families.family import Batch, Sampler
from makar.families.logits_hook import LogitsHook, refuse_hook
from makar.families.pretrained.sound_config import SPEECHT5, VITS, SpeakerConfig
from makar.families.pretrained.sound_family import SoundCheckpoint
from makar.families.pretrained.speaker_options import SpeakerOptions
from makar.tensor_spec import CAPTION, CLASS, SPEED, TARGET

SHOWN_LETTERS = 12


class SpeakingCheckpoint(SoundCheckpoint, abc.ABC):
    """A checkpoint that speaks a part of a text at a time."""

    options: ClassVar[type[SpeakerOptions]] = SpeakerOptions
    config: SpeakerConfig

    def sampler(self, codec: Any, *, hook: LogitsHook | None = None) -> Sampler:
        """Return a sampler of recordings."""
        del codec
        refuse_hook(hook)
        return SpeakingSampler(self)

    @abc.abstractmethod
    def check(self, text: str, options: SpeakerOptions, *, speed: float) -> None:
        """Refuse a text or a control that it cannot honour.

        Raises:
            UnsupportedError: It cannot.
        """

    @abc.abstractmethod
    def speak(self, text: str, options: SpeakerOptions, *, voice: int, speed: float, seed: int) -> np.ndarray:
        """Return samples of a part of a text, float32 ``[samples]``."""

    def voice(self, options: SpeakerOptions, prompt: Batch) -> int:
        """Return the number of the voice that is asked for.

        Raises:
            UnsupportedError: It has one voice.
            UnknownNameError: It has no such voice.
        """
        names = self.config.voices
        if options.label is None:
            return int(prompt[CLASS]) if CLASS in prompt else 0
        if not names:
            raise UnsupportedError(
                f"the voice {options.label[:40]!r} of {self.folder.path.name}", expected="none: it has one voice"
            )
        if options.label not in names:
            raise UnknownNameError("voice", options.label, names)
        return names.index(options.label)

    def refuse_letters(self, text: str, known: Any) -> None:
        """Refuse a text with letters or figures that are not among those that are known.

        Raises:
            UnsupportedError: It has some.
            UsageError: It has none at all.
        """
        unknown = sorted({letter for letter in text if letter.isalnum() and letter not in known})
        if unknown:
            shown = " ".join(unknown[:SHOWN_LETTERS])
            raise UnsupportedError(
                f"{self.folder.path.name} was never taught to speak {shown}",
                expected="letters that it knows",
                do="write numbers out as words, and other scripts in the letters that it was trained on",
            )
        if not any(letter.isalnum() for letter in text):
            raise UsageError(f"nothing in {text[:40]!r} is spoken", expected="at least one word")


class SpeakingSampler(Sampler):
    """Speaks texts, one after the other.

    Args:
        family: The checkpoint.
    """

    def __init__(self, family: SpeakingCheckpoint) -> None:
        self._family = family

    def sample(
        self, options: SpeakerOptions, prompts: list[Batch], seeds: list[int]
    ) -> Iterator[tuple[int, dict[str, np.ndarray], bool]]:
        """Speak the text of every prompt.

        Yields:
            (index, {"target": float32 ``[samples, 1]``}, True), in order.

        Raises:
            UnsupportedError: A text or a control that the checkpoint cannot honour.
            UnknownNameError: It has no such voice.
        """
        family = self._family
        asked = []
        for prompt in prompts:
            if unknown := set(prompt) - {CAPTION, CLASS, SPEED}:
                raise UnsupportedError(f"this model cannot use {', '.join(sorted(unknown))}", expected="a text")
            text = words_of(prompt[CAPTION].numpy()) if CAPTION in prompt else ""
            speed = float(prompt[SPEED]) if SPEED in prompt else 1.0
            family.check(text, options, speed=speed)
            asked.append((text, speed, family.voice(options, prompt)))
        for index, ((text, speed, voice), seed) in enumerate(zip(asked, seeds, strict=True)):
            samples = family.speak(text, options, voice=voice, speed=speed, seed=seed)
            yield index, {TARGET: np.ascontiguousarray(samples[:, None], np.float32)}, True


def speaker_of(config: SpeakerConfig) -> SpeakingCheckpoint:
    """Return the family of a checkpoint that speaks."""
    from makar.families.pretrained.speecht5 import Speecht5Checkpoint
    from makar.families.pretrained.vits import VitsCheckpoint

    kinds: dict[str, type[SpeakingCheckpoint]] = {VITS: VitsCheckpoint, SPEECHT5: Speecht5Checkpoint}
    return kinds[config.task](config)
