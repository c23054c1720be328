"""``predict`` for models that write down speech: text, words with times, and passages parted where nothing is said.

What a model hears comes in one of two ways: how likely every letter is at every step, from which text and times are found here, or the
text itself in segments, of a checkpoint of others that writes word after word.

A recording that is longer than what the model hears at once is heard in windows of which a quarter overlaps; of what two windows say of the
same steps, that counts which lies further from an end. The letters are then looked for between pauses, so that a recording of hours
costs in proportion to its length. Where nothing is louder than silence for a while there is no text, whatever a network would say.
"""

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch

from makar.artifacts.artifact import Artifact
from makar.codecs.codec import Codec
from makar.codecs.hearing import SILENT
from makar.codecs.transcript import TranscriptCodec
from makar.codecs.transcript_config import FRAMES_A_STEP
from makar.codecs.worded_sound import WordedSoundCodec, samples_at
from makar.data.sound import Sound, resampled
from makar.errors import EmptyDataError, UnsupportedError, UsageError
from makar.families.family import Batch, Family
from makar.families.recogniser.config import TRANSCRIPT, RecogniserConfig
from makar.families.recogniser.decoding import heard_letters, likeliest_letters
from makar.families.recogniser.heard import Heard
from makar.generation.given_sound import read_given_sound
from makar.nn.threads import threads_for
from makar.tensor_spec import PADDING_TOKEN, TARGET

SUFFIXES = (".wav", ".flac", ".ogg", ".opus", ".mp3", ".aif", ".aiff", ".m4a", ".m4b", ".mka")
TOGETHER = 8
MOMENT_SECONDS = 0.12
"""What is silent for longer than twice this holds no letter."""

PAUSE_SECONDS = 0.5
"""Nothing new for so long parts two passages."""

LONGEST_SECONDS = 30.0
"""A passage that goes on for longer is parted where nothing new is likeliest."""

SURE = np.log(0.5)
SPACE = " "


@runtime_checkable
class HearsLetters(Protocol):
    """A family that says how likely each letter is at each step of a recording."""

    def letter_chances(self, batch: Batch) -> np.ndarray:
        """Return logarithms, float ``[batch, steps, vocabulary]``; token 0 is nothing new."""


@runtime_checkable
class HearsRecordings(Protocol):
    """A family that says so of a whole recording by itself."""

    def hear(self, sound: Sound) -> Heard:
        """Return the chances of letters over a recording of one channel, at the rate of the configuration."""


@runtime_checkable
class WritesDown(Protocol):
    """A family that writes the text itself."""

    @property
    def languages(self) -> tuple[str, ...]:
        """Codes of the languages that may be told; empty where there is nothing to tell."""

    def write_down(self, sound: Sound, *, language: str | None) -> dict[str, Any]:
        """Return ``text``, ``segments`` and ``windows`` of a recording of one channel, at the rate of the configuration."""


def transcribe_each(
    artifact: Artifact, inputs: Sequence[Any] | Any, *, language: str | None = None
) -> Iterator[dict[str, Any]]:
    """Write down what is said in recordings.

    Args:
        artifact: A model that writes down speech.
        inputs: Files, folders of files, or bytes of files, or several of these.
        language: Code of the language that is spoken, for a model that knows several; ``None`` lets it guess.

    Yields:
        One dictionary a recording: ``input``, ``what``, ``text``, ``seconds``, ``segments`` (``text``, ``start``, ``end``,
        ``probability``) and where they are known ``words`` (``word``, ``start``, ``end`` in seconds and ``probability``); of a checkpoint
        that knows several languages ``language``; ``windows``, where it was heard in more than one.

    Raises:
        EmptyDataError: There is no recording.
        UnsupportedError: The model does not know the language, or is not to be told any.
        UsageError: A file does not exist or is too long.
        DataError: A file is no sound.
    """
    listed = _listed(inputs)
    if not listed:
        raise EmptyDataError("there is no recording to listen to", expected="sound files, or a folder that has some")
    for name, source in listed:
        _, sound = read_given_sound(source)
        yield {"input": name, "what": TRANSCRIPT, **transcribe(artifact, sound, language=language)}


def transcribe_told(
    artifact: Artifact, inputs: Sequence[Any] | Any, *, language: str, what: str | None, others: Sequence[Any]
) -> Iterator[dict[str, Any]]:
    """Write down recordings in a language that is told; see ``transcribe_each``.

    Args:
        artifact: A model that writes down speech.
        inputs: Recordings.
        language: Code of the language.
        what: The prediction that was asked for, ``None`` for whatever the model says.
        others: What else was asked for, which recordings have no use for; ``None`` where it was not.

    Raises:
        UsageError: Something else is asked for, or the model listens to nothing.
    """
    is_asked = any(one is not None for one in others) or what not in (None, TRANSCRIPT)
    if is_asked or TRANSCRIPT not in artifact.family_config.predictions:
        raise UsageError(
            f"the language {language[:40]!r} for something else than a transcript",
            expected="recordings, and a model that writes down speech",
        )
    return transcribe_each(artifact, inputs, language=language)


def transcribe(artifact: Artifact, sound: Sound, *, language: str | None = None) -> dict[str, Any]:
    """Write down what is said in one recording; see ``transcribe_each``."""
    codec, family, config = artifact.codec(), artifact.family(), artifact.family_config
    if language is not None and not knows_languages(family):
        raise UnsupportedError(
            f"the language {language[:40]!r} for {artifact.name}, which is not told any",
            expected="a Whisper that knows several languages, or no language",
        )
    with threads_for(config.computed_weights(), convolutional=True):
        if isinstance(family, WritesDown):
            return _of_windows(family.write_down(_plain(sound, codec), language=language), sound)
        heard = (
            family.hear(_plain(sound, codec)) if isinstance(family, HearsRecordings) else _heard(codec, family, sound)
        )
    return _of_windows(_written(heard, sound) | {"windows": heard.windows}, sound)


def knows_languages(family: Any) -> bool:
    """Return whether a model may be told which language is spoken."""
    return isinstance(family, WritesDown) and bool(family.languages)


def _plain(sound: Sound, codec: Codec) -> Sound:
    """Return one channel at the rate of a checkpoint."""
    assert isinstance(codec, WordedSoundCodec), "checkpoints that hear are opened with that codec"
    return Sound(samples_at(sound, codec.config.rate_hz), codec.config.rate_hz)


def _of_windows(found: dict[str, Any], sound: Sound) -> dict[str, Any]:
    """Return a transcript with the length of the recording, and in how many windows it was heard where it was more than one."""
    windows = found.pop("windows")
    return {**found, "seconds": round(sound.seconds, 3)} | ({"windows": windows} if windows > 1 else {})


def _written(heard: Heard, sound: Sound) -> dict[str, Any]:
    """Return text, words and segments of the letters that were heard."""
    chances, seconds = heard.chances, round(sound.seconds, 3)
    words: list[dict[str, Any]] = []
    segments: list[dict[str, Any]] = []
    for first, last in passages(chances, step_seconds=heard.step_seconds):
        part = chances[first:last]
        found = _words(heard, part, likeliest_letters(part, beam=heard.beam), first * heard.step_seconds)
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


def _words(heard: Heard, chances: np.ndarray, letters: np.ndarray, begin_seconds: float) -> list[dict[str, Any]]:
    """Return the words of a passage with their times, rounded to milliseconds."""
    when = heard_letters(chances, letters)
    spelled = heard.spell(letters)
    words: list[dict[str, Any]] = []
    for is_space, group in itertools.groupby(range(len(spelled)), key=lambda place: spelled[place] == SPACE):
        places = list(group)
        word = "".join(spelled[place] for place in places)
        if is_space or not word:
            continue
        start, end = int(when.first[places[0]]), int(when.last[places[-1]]) + 1
        sure = float(np.exp(np.log(np.maximum(when.chance[places], 1e-9)).mean()))
        times = [round(begin_seconds + step * heard.step_seconds, 3) for step in (start, end)]
        words.append({"word": word, "start": times[0], "end": times[1], "probability": round(sure, 4)})
    return words


def _heard(codec: Codec, family: Family, sound: Sound) -> Heard:
    """Return the chances of letters that a model of ours hears over a whole recording."""
    if not isinstance(codec, TranscriptCodec) or not isinstance(family, HearsLetters):
        raise UnsupportedError("this model writes down nothing", do='train with the recipe "recogniser"')
    assert isinstance(family.config, RecogniserConfig), "what hears letters is a recogniser"
    device = next(family.parameters()).device
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
    return Heard(
        chances=chances,
        step_seconds=FRAMES_A_STEP * config.hop / config.rate_hz,
        spell=lambda tokens: list(codec.spell(tokens)),
        beam=family.config.beam,
        windows=len(begins),
    )


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
