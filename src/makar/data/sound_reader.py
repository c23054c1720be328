"""Sound files as pieces of at most five seconds, read as a stream: WAV by itself, FLAC, Ogg, Opus and MP3 through soundfile, M4A
through PyAV.

A recording of hours is never held. What is shorter than half a second at the end of a longer one belongs to no piece, and a piece of
silence teaches nothing and is left out; a file of nothing else is refused.
"""

import io
from collections.abc import Iterator
from typing import IO

import numpy as np

from makar.data.film_sound import track_blocks
from makar.data.sound import Sound
from makar.data.wave_file import wave_blocks
from makar.errors import DataError, UnsupportedError

PIECE_SECONDS = 5.0
WITH_WORDS_SECONDS = 15.0
"""A recording with a text is whole, for nobody knows which words are in which part of it; a longer one is refused."""
LEAST_SECONDS = 0.02
LEAST_REST_SECONDS = 0.5
SILENCE = 1e-4
"""The loudest sample of silence: -80 dB."""

BLOCK_FRAMES = 1 << 16
MOST_NUMBERS = 1 << 30
"""Of a sound that is held as a whole, all channels together: four gigabytes; 18 hours of speech at 16,000 samples a second, or 3 hours of
stereo at 48,000."""


def read_pieces(stream: IO[bytes], *, has_words: bool = False) -> Iterator[Sound]:
    """Yield the pieces of a sound file that are not silent.

    Args:
        stream: At its start, and able to go back.
        has_words: Whether there is a text that belongs to the whole.

    Raises:
        DataError: It is damaged, silent, of a form that is not read, or too long to be whole.
    """
    found = False
    for number, piece in enumerate(_pieces(_blocks(stream), WITH_WORDS_SECONDS if has_words else PIECE_SECONDS)):
        if has_words and number:
            raise DataError(
                f"a recording of more than {WITH_WORDS_SECONDS:g} seconds with one text for all of it",
                expected="one text for every sentence or so",
            )
        is_rest = number > 0 and piece.seconds < LEAST_REST_SECONDS
        if is_rest or piece.seconds < LEAST_SECONDS or np.abs(piece.samples).max() <= SILENCE:
            continue
        found = True
        yield piece
    if not found:
        raise DataError("nothing but silence, or too short to be a sound", expected=f"at least {LEAST_SECONDS} seconds")


def read_sound(content: bytes) -> Sound:
    """Return a whole sound file.

    Raises:
        DataError: It is damaged, empty, or of a form that is not read.
    """
    blocks, numbers = [], 0
    for block in _blocks(io.BytesIO(content)):
        blocks.append(block)
        numbers += block.samples.size
        # Silence is packed a thousandfold: a file of megabytes may hold more than any machine.
        if numbers > MOST_NUMBERS:
            raise DataError(
                f"a sound of more than {MOST_NUMBERS / 2**20:.0f} million samples, which is held as a whole",
                expected="a shorter one",
                do="cut it into parts",
            )
    if not blocks:
        raise DataError("a sound without samples", expected="at least one")
    return Sound(np.concatenate([block.samples for block in blocks]), blocks[0].rate_hz)


def _blocks(stream: IO[bytes]) -> Iterator[Sound]:
    head = stream.read(12)
    stream.seek(0)
    if head[:4] in (b"RIFF", b"RF64") and head[8:12] == b"WAVE":
        try:
            yield from wave_blocks(stream)
            return
        except UnsupportedError:
            # Codings inside WAV that are rare are left to the library.
            stream.seek(0)
    # M4A, MKA, and what is heard of MP4 and WebM, as browsers and telephones record.
    is_film = head[4:8] == b"ftyp" or head[:4] == b"\x1aE\xdf\xa3"
    yield from (track_blocks(stream) if is_film else _decoded(stream))


def _decoded(stream: IO[bytes]) -> Iterator[Sound]:
    try:
        import soundfile
    except ImportError as error:
        raise DataError(
            "a sound that is no plain WAV file needs the package soundfile", do='pip install "makar[audio]"'
        ) from error
    try:
        with soundfile.SoundFile(stream) as file:
            for block in file.blocks(blocksize=BLOCK_FRAMES, dtype="float32", always_2d=True):
                if not np.isfinite(block).all():
                    raise DataError("samples that are no numbers")
                yield Sound(np.ascontiguousarray(block), int(file.samplerate))
    except (soundfile.SoundFileError, RuntimeError, OSError, ValueError) as error:
        # The library names the stream, and with it a place on this machine, before the reason.
        raise DataError(f"no sound that can be read: {str(error).rpartition('>: ')[2][:120]}") from error


def _pieces(blocks: Iterator[Sound], longest_seconds: float) -> Iterator[Sound]:
    waiting: list[np.ndarray] = []
    held, rate = 0, 0
    for block in blocks:
        rate = block.rate_hz
        length = round(longest_seconds * rate)
        waiting.append(block.samples)
        held += len(block.samples)
        while held >= length:
            whole = np.concatenate(waiting)
            yield Sound(np.ascontiguousarray(whole[:length]), rate)
            waiting, held = [whole[length:]], held - length
    if held:
        yield Sound(np.ascontiguousarray(np.concatenate(waiting)), rate)
