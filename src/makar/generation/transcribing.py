"""``predict`` for models that write down speech: text, words with times, and passages parted where nothing is said.

A recording that is longer than what the model hears at once is heard in windows of which a quarter overlaps; of what two windows say of the
same steps, that counts which lies further from an end. The letters are then looked for between pauses, so that a recording of hours
costs in proportion to its length. Where nothing is louder than silence for a while there is no text, whatever a network would say.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch

from makar.artifacts.artifact import Artifact
from makar.codecs.hearing import SILENT
from makar.codecs.transcript import TranscriptCodec
from makar.codecs.transcript_config import FRAMES_A_STEP
from makar.data.sound import Sound, resampled
from makar.errors import EmptyDataError, UnsupportedError, UsageError
from makar.families.family import Batch
from makar.families.recogniser.config import TRANSCRIPT, RecogniserConfig
from makar.families.recogniser.decoding import heard_letters, likeliest_letters
from makar.generation.given_sound import read_given_sound
from makar.nn.threads import threads_for
from makar.tensor_spec import PADDING_TOKEN, TARGET

SUFFIXES = (".wav", ".flac", ".ogg", ".opus", ".mp3", ".aif", ".aiff")
TOGETHER = 8
MOMENT_SECONDS = 0.12
"""What is silent for longer than twice this holds no letter."""

PAUSE_SECONDS = 0.5
"""Nothing new for so long parts two passages."""

LONGEST_SECONDS = 30.0
"""A passage that goes on for longer is parted where nothing new is likeliest."""

SURE = np.log(0.5)


@runtime_checkable
class HearsLetters(Protocol):
    """A family that says how likely each letter is at each step of a recording."""

    def letter_chances(self, batch: Batch) -> np.ndarray:
        """Return logarithms, float ``[batch, steps, vocabulary]``; token 0 is nothing new."""


def transcribe_each(artifact: Artifact, inputs: Sequence[Any] | Any) -> Iterator[dict[str, Any]]:
    """Write down what is said in recordings.

    Args:
        artifact: A model that writes down speech.
        inputs: Files, folders of files, or bytes of files, or several of these.

    Yields:
        One dictionary a recording: ``input``, ``what``, ``text``, ``seconds``, ``words`` (``word``, ``start``, ``end`` in seconds and
        ``probability``) and ``segments`` (``text``, ``start``, ``end``, ``probability``).

    Raises:
        EmptyDataError: There is no recording.
        UsageError: A file does not exist or is too long.
        DataError: A file is no sound.
    """
    listed = _listed(inputs)
    if not listed:
        raise EmptyDataError("there is no recording to listen to", expected="sound files, or a folder that has some")
    for name, source in listed:
        _, sound = read_given_sound(source)
        yield {"input": name, "what": TRANSCRIPT, **transcribe(artifact, sound)}


def transcribe(artifact: Artifact, sound: Sound) -> dict[str, Any]:
    """Write down what is said in one recording; see ``transcribe_each``."""
    codec, family = artifact.codec(), artifact.family()
    config = artifact.family_config
    if not isinstance(codec, TranscriptCodec) or not isinstance(family, HearsLetters):
        raise UnsupportedError("this model writes down nothing", do='train with the recipe "recogniser"')
    assert isinstance(config, RecogniserConfig), "what hears letters is a recogniser"
    with threads_for(config.computed_weights(), convolutional=True):
        chances = _heard(codec, family, sound, next(artifact.family().parameters()).device)
    step_seconds = FRAMES_A_STEP * codec.config.hop / codec.config.rate_hz
    seconds = round(sound.seconds, 3)
    words: list[dict[str, Any]] = []
    segments: list[dict[str, Any]] = []
    for first, last in passages(chances, step_seconds=step_seconds):
        part = chances[first:last]
        found = _words(codec, part, likeliest_letters(part, beam=config.beam), first * step_seconds)
        for word in found:
            # The last step may go beyond the end.
            word["end"] = min(word["end"], seconds)
        if found:
            words += found
            segments.append(
                {
                    "text": " ".join(word["word"] for word in found),
                    "start": found[0]["start"],
                    "end": found[-1]["end"],
                    "probability": float(np.mean([word["probability"] for word in found])),
                }
            )
    return {
        "text": " ".join(segment["text"] for segment in segments),
        "seconds": seconds,
        "words": words,
        "segments": segments,
    }


def passages(chances: np.ndarray, *, step_seconds: float) -> list[tuple[int, int]]:
    """Return the first step and the one after the last of what is said between pauses.

    Args:
        chances: Logarithms, ``[steps, vocabulary]``.
        step_seconds: How long a step is.
    """
    nothing = chances[:, PADDING_TOKEN]
    pause, longest = (max(1, round(seconds / step_seconds)) for seconds in (PAUSE_SECONDS, LONGEST_SECONDS))
    said = np.flatnonzero(nothing < SURE)
    if not len(said):
        return []
    breaks = np.flatnonzero(np.diff(said) > pause)
    starts, ends = np.append(said[0], said[breaks + 1]), np.append(said[breaks], said[-1])
    found: list[tuple[int, int]] = []
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        begin, after = max(0, start - pause // 2), min(len(chances), end + 1 + pause // 2)
        while after - begin > longest:
            cut = begin + longest // 2 + int(nothing[begin + longest // 2 : begin + longest].argmax())
            found.append((begin, cut))
            begin = cut
        found.append((begin, after))
    return found


def _words(
    codec: TranscriptCodec, chances: np.ndarray, letters: np.ndarray, begin_seconds: float
) -> list[dict[str, Any]]:
    """Return the words of a passage with their times, rounded to milliseconds."""
    step_seconds = FRAMES_A_STEP * codec.config.hop / codec.config.rate_hz
    heard = heard_letters(chances, letters)
    spelled = codec.spell(letters)
    words: list[dict[str, Any]] = []
    place = 0
    for word in spelled.split(" "):
        after = place + len(word)
        if word:
            start, end = int(heard.first[place]), int(heard.last[after - 1]) + 1
            sure = float(np.exp(np.log(np.maximum(heard.chance[place:after], 1e-9)).mean()))
            times = [round(begin_seconds + step * step_seconds, 3) for step in (start, end)]
            words.append({"word": word, "start": times[0], "end": times[1], "probability": round(sure, 4)})
        place = after + 1
    return words


def _heard(codec: TranscriptCodec, family: HearsLetters, sound: Sound, device: torch.device) -> np.ndarray:
    """Return the chances of letters over a whole recording, ``[steps, vocabulary]``."""
    config = codec.config
    whole = Sound(resampled(sound, config.rate_hz).mono()[:, None], config.rate_hz)
    frames = max(1, -(-len(whole.samples) // config.hop))
    steps, window = -(-frames // FRAMES_A_STEP), config.frames // FRAMES_A_STEP
    shared = max(1, window // 4)
    begins = list(range(0, max(1, steps - shared), window - shared))
    chances = np.full((steps, len(codec.alphabet) + 1), -100.0, np.float32)
    chances[:, PADDING_TOKEN] = 0.0
    for start in range(0, len(begins), TOGETHER):
        part = begins[start : start + TOGETHER]
        pictures = np.stack([codec.picture(_window(whole, begin, config.frames, config.hop)) for begin in part])
        is_said = np.stack([_louder(picture, codec.config.rate_hz / codec.config.hop) for picture in pictures])
        if not is_said.any():
            continue
        batch = torch.from_numpy(codec.to_model(TARGET, np.ascontiguousarray(pictures.transpose(0, 3, 1, 2))))
        found = family.letter_chances({TARGET: batch.to(device)})
        for begin, heard, said in zip(part, found, is_said, strict=True):
            left = begin + (shared // 2 if begin else 0)
            right = min(begin + window, steps)
            # The next window overwrites the half of what they share that lies nearer to this one's end.
            kept = np.flatnonzero(said[left - begin : right - begin])
            chances[left + kept] = heard[left - begin + kept]
    return chances


def _louder(picture: np.ndarray, frames_a_second: float) -> np.ndarray:
    """Return at which steps something is said, bool ``[steps]``: silence of a moment, as before a stop, counts as said.

    Args:
        picture: uint8 ``[mels, frames, 1]``.
        frames_a_second: Of the picture.
    """
    moment = max(1, round(MOMENT_SECONDS * frames_a_second))
    loud = np.flatnonzero(picture.max(axis=(0, 2)) > SILENT)
    near = np.zeros(picture.shape[1] + 1, np.int64)
    np.add.at(near, np.maximum(loud - moment, 0), 1)
    np.add.at(near, np.minimum(loud + moment + 1, picture.shape[1]), -1)
    is_near = near.cumsum()[:-1] > 0
    steps = picture.shape[1] // FRAMES_A_STEP
    return np.asarray(is_near[: steps * FRAMES_A_STEP].reshape(steps, FRAMES_A_STEP).any(axis=1))


def _window(whole: Sound, begin: int, frames: int, hop: int) -> Sound:
    first = begin * FRAMES_A_STEP * hop
    return Sound(whole.samples[first : first + frames * hop], whole.rate_hz)


def _listed(inputs: Sequence[Any] | Any) -> list[tuple[str, Any]]:
    """Return every recording with its name; a folder stands for the sound files in it, in the order of their names."""
    items = [inputs] if isinstance(inputs, str | Path | bytes) else list(inputs)
    listed: list[tuple[str, Any]] = []
    for number, item in enumerate(items):
        if isinstance(item, bytes):
            listed.append((str(number), item))
        elif not isinstance(item, str | Path):
            raise UsageError(f"a {type(item).__name__} to listen to", expected="a sound file")
        elif Path(item).is_dir():
            found = sorted(path for path in Path(item).rglob("*") if path.suffix.lower() in SUFFIXES)
            listed += [(str(path), path) for path in found if path.is_file()]
        else:
            listed.append((str(item), item))
    return listed
