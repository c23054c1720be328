"""Sounds as samples and the words that belong to them as plain UTF-8 bytes, so that a pretrained model reads them with its own tokenizer.

Nothing is fitted: the model was trained elsewhere, with a rate of its own, and knows its words. Samples are kept in 16 bits, words letter
for letter; both are as long as they are. What is said in a sound and what a sound is described by are both words of it.
"""

import numpy as np

from makar.codecs.codec import UnlearnedCodec
from makar.codecs.prompted_image import FIRST_BYTE
from makar.codecs.worded_sound_config import WordedSoundCodecConfig
from makar.data.record import Record
from makar.data.sound import Sound, resampled
from makar.data.wave_file import numbers_of, on_grid, stored_numbers
from makar.errors import UnsupportedError
from makar.tensor_spec import CAPTION, TARGET, TensorSpec


class WordedSoundCodec(UnlearnedCodec):
    """Sounds and their words.

    Args:
        config: The settings, which say everything.
    """

    config: WordedSoundCodecConfig

    @property
    def spec(self) -> TensorSpec:
        """Samples from -1 to 1, and a row of bytes."""
        return self.config.spec()

    def encode(self, record: Record) -> dict[str, np.ndarray]:
        """Return ``target`` int16 ``[samples, channels]`` and ``caption`` uint16 ``[length]``; nothing without words."""
        if record.content is None or not (record.caption or "").strip():
            return {}
        samples = samples_at(record.content, self.config.rate_hz, channels=self.config.channels)
        stored = stored_numbers(samples.reshape(-1), length=samples.size).reshape(samples.shape)
        return {TARGET: stored, CAPTION: byte_row(record.caption or "").astype(np.uint16)}

    def encode_caption(self, prompt: str) -> np.ndarray:
        """Return the bytes of what is asked for as tokens, int64 ``[length]``.

        Raises:
            UnsupportedError: It is too long.
        """
        return asked_row(prompt, most=self.config.caption_bytes)

    def to_model(self, slot: str, values: np.ndarray) -> np.ndarray:
        """Turn stored samples into -1..1, and bytes into int64."""
        return numbers_of(values) if slot == TARGET else values.astype(np.int64)

    def decode(self, slots: dict[str, np.ndarray]) -> Sound:
        """Return the sound of ``target`` ``[samples, channels]``, on the grid of 16 bits; what is too loud as a whole is made quieter."""
        made = np.asarray(slots[TARGET], np.float32)
        made = made / max(1.0, float(np.abs(made).max(initial=0.0)))
        return Sound(on_grid(made), self.config.rate_hz)


def samples_at(sound: Sound, rate_hz: int, *, channels: int = 1) -> np.ndarray:
    """Return the samples of a sound at another rate and in so many channels, float32 ``[samples, channels]``."""
    found = resampled(sound, rate_hz)
    if found.samples.shape[1] == channels:
        return found.samples
    return np.repeat(found.mono()[:, None], channels, axis=1)


def byte_row(text: str) -> np.ndarray:
    """Return the bytes of a text as tokens, int64 ``[length]``.

    >>> byte_row("ab")
    array([99, 100])
    """
    return np.frombuffer(text.encode(), np.uint8).astype(np.int64) + FIRST_BYTE


def asked_row(text: str, *, most: int) -> np.ndarray:
    """Return the bytes of what is asked for as tokens, int64 ``[length]``.

    Args:
        text: What is asked for.
        most: Bytes that it may have.

    Raises:
        UnsupportedError: It is too long.
    """
    row = byte_row(text)
    if len(row) > most:
        raise UnsupportedError(
            f"a text of {len(text)} characters, {len(row)} bytes",
            expected=f"at most {most} bytes",
            do="say it in fewer words",
        )
    return row
