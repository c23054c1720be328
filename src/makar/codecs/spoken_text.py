"""Speech as samples and the text that is spoken as plain UTF-8 bytes, so that a pretrained model reads it with its own tokenizer.

A long text is parted between its sentences, else its clauses, else its words, as for models of our own; the parts are spoken one after the
other. How fast is told with each part.
"""

import numpy as np

from makar.codecs.codec import UnlearnedCodec
from makar.codecs.prosody import AS_IT_IS, Manner
from makar.codecs.speaker import HeardVoice
from makar.codecs.spoken_text_config import SpokenTextCodecConfig
from makar.codecs.text_parts import halves
from makar.codecs.worded_sound import WordedSoundCodec, byte_row
from makar.codecs.worded_sound_config import WordedSoundCodecConfig
from makar.data.record import Record
from makar.data.sound import Sound
from makar.errors import UnsupportedError
from makar.tensor_spec import CAPTION, CLASS, SPEED, TensorSpec


class SpokenTextCodec(UnlearnedCodec):
    """Speech and its text.

    Args:
        config: The settings, which say everything.
    """

    def __init__(self, config: SpokenTextCodecConfig) -> None:
        self.config: SpokenTextCodecConfig = config
        self.class_names = config.voices
        self._sounds = WordedSoundCodec(WordedSoundCodecConfig(rate_hz=config.rate_hz))

    @property
    def spec(self) -> TensorSpec:
        """Samples from -1 to 1, a row of bytes, and where there are voices which."""
        return self.config.spec()

    def encode(self, record: Record) -> dict[str, np.ndarray]:
        """Return the slots of a recording; nothing without words, or of a voice that is not known."""
        slots = self._sounds.encode(record)
        if not slots or not self.class_names:
            return slots
        if record.label not in self.class_names:
            return {}
        return {**slots, CLASS: np.asarray(self.class_names.index(record.label), np.int64)}

    def scripts(
        self, text: str, *, manner: Manner = AS_IT_IS, voice: str | None = None, example: HeardVoice | None = None
    ) -> list[dict[str, np.ndarray]]:
        """Return ``caption`` int64 ``[length]`` and ``speed`` float32 of every part of a text that is spoken at once.

        Args:
            text: What is spoken.
            manner: How it is spoken; only its speed.
            voice: By whom; the sampler is told.
            example: Whose voice it is; none.

        Raises:
            UnsupportedError: Another pitch, energy or voice is asked for.
            UsageError: A word is too long to be spoken at once.
        """
        del voice
        if manner.is_moved or example is not None:
            raise UnsupportedError(
                "another pitch, energy or voice of a checkpoint of others", expected="its own, and a speed"
            )
        found: list[dict[str, np.ndarray]] = []
        waiting = [text.strip()]
        while waiting:
            part = waiting.pop()
            if len(part) <= self.config.part_characters:
                found.append({CAPTION: byte_row(part), SPEED: np.asarray(manner.speed, np.float32)})
            else:
                waiting += reversed(halves(part))
        return found

    def to_model(self, slot: str, values: np.ndarray) -> np.ndarray:
        """Turn stored samples into -1..1, and bytes into int64; voices stay what they are."""
        return values if slot == CLASS else self._sounds.to_model(slot, values)

    def decode(self, slots: dict[str, np.ndarray]) -> Sound:
        """Return the sound of ``target`` ``[samples, 1]``."""
        return self._sounds.decode(slots)
