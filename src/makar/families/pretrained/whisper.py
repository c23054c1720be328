"""A Whisper as it came: writes down recordings of any length in windows, in segments with times, in the language that is told or guessed.

A window begins where the last closed segment of the one before ended, so that no sentence is cut (Radford et al. 2022, arXiv 2212.04356,
section 2.3). Nothing is asked of a window in which nothing is loud, and what is written of one where the network says itself that nobody
speaks, and is unsure of its words, does not count (section 4.5). Sampling again at higher temperatures, as there, is left out: the same
recording has one transcript. Recordings of hours are prepared in stretches that are cut where it is quietest.
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from makar.data.sound import Sound
from makar.errors import ArtifactError
from makar.families.pretrained.checkpoint_settings import complete_settings
from makar.families.pretrained.sound_config import ListenerConfig
from makar.families.pretrained.sound_family import ListeningCheckpoint
from makar.families.pretrained.sound_opening import extractor_of
from makar.families.pretrained.text_opening import open_tokenizer
from makar.families.pretrained.whisper_decoding import HeardWindow, Segment, heard_window
from makar.families.pretrained.whisper_tokens import WhisperTokens

STRETCH_SECONDS = 600.0
"""Prepared at once: the pictures of an hour would take gigabytes on the way."""

QUIET_SECONDS = 0.2
SILENT = 1e-4
"""The loudest sample of a window in which nothing is said: -80 dB."""

LIKELY_SILENCE, UNSURE = 0.6, -1.0
"""Section 4.5: from this chance on nobody speaks, unless the mean logarithm of the chances of the words is above."""


class WhisperCheckpoint(ListeningCheckpoint):
    """A Whisper.

    Args:
        config: Names the folder by its hash.
    """

    def __init__(self, config: ListenerConfig) -> None:
        super().__init__(config)
        self._prepare = extractor_of(self.folder)
        self._tokenizer = open_tokenizer(self.folder)
        self._tokens = WhisperTokens.of(self.folder, self._tokenizer)
        settings = complete_settings(self.folder)
        positions = int(settings["max_source_positions"])
        self._frames: int = self._prepare.nb_max_frames
        # The second convolution of the encoder makes one position of two frames.
        if self._frames != 2 * positions or self._prepare.feature_size != settings["num_mel_bins"]:
            raise ArtifactError(
                f"the network of {self.folder.path} hears {positions} positions of {settings['num_mel_bins']} bands, "
                f"and {self._frames} frames of {self._prepare.feature_size} bands are prepared",
                expected="two frames a position, as many bands",
                do="get the whole folder again",
            )

    @property
    def languages(self) -> tuple[str, ...]:
        """Codes of the languages that may be told; empty where only English is known."""
        return tuple(self._tokens.languages)

    def write_down(self, sound: Sound, *, language: str | None) -> dict[str, Any]:
        """Write down what is said.

        Args:
            sound: One channel, at the rate of the configuration.
            language: Code of the language that is spoken; ``None`` guesses it by the first window in which something is said.

        Returns:
            ``text``; ``segments`` of ``text``, ``start`` and ``end`` in seconds, ``probability`` and ``no_speech``; ``language``, and
            where it was guessed ``language_probability``; ``windows``, how many it was heard in.

        Raises:
            UnsupportedError: The checkpoint does not know the language.
        """
        if language is not None:
            self._tokens.language(language)
        segments: list[dict[str, Any]] = []
        pieces: list[str] = []
        windows, chance = 0, None
        for begin, heard in self._windows(sound, language):
            windows += 1
            if language is None and heard.language is not None:
                language, chance = heard.language, heard.language_chance
            if heard.silence > LIKELY_SILENCE and heard.logarithm < UNSURE:
                continue
            for one in heard.segments:
                if begin + one.first * self._moment_seconds >= sound.seconds:
                    # What fills the window up behind the end is no part of the recording.
                    break
                text = self._tokenizer.decode(list(one.tokens), skip_special_tokens=True)
                pieces.append(text)
                if text.strip():
                    segments.append(self._stated(one, text, begin, sound.seconds) | {"no_speech": heard.silence})
        found: dict[str, Any] = {"text": "".join(pieces).strip(), "segments": segments, "windows": windows}
        if language is not None and self._tokens.languages:
            found["language"] = language.strip().lower()
        return found | ({} if chance is None else {"language_probability": round(chance, 4)})

    def _stated(self, segment: Segment, text: str, begin: float, seconds: float) -> dict[str, Any]:
        last = self._frames // 2 if segment.last is None else segment.last
        start, end = (min(begin + moment * self._moment_seconds, seconds) for moment in (segment.first, last))
        return {
            "text": text.strip(),
            "start": round(start, 3),
            "end": round(max(start, end), 3),
            "probability": round(math.exp(segment.logarithm), 4),
        }

    @property
    def _moment_seconds(self) -> float:
        return 2.0 * float(self._prepare.hop_length) / self.config.rate_hz

    def _windows(self, sound: Sound, language: str | None) -> Iterator[tuple[float, HeardWindow]]:
        """Yield the second at which each window begins, and what is said in it."""
        hop = int(self._prepare.hop_length)
        for offset, samples in _stretches(sound.mono(), sound.rate_hz, self._frames * hop):
            features = self._features(samples)
            frames, place = max(1, len(samples) // hop), 0
            while place < frames:
                heard_samples = samples[place * hop : (place + self._frames) * hop]
                if not len(heard_samples) or np.abs(heard_samples).max() <= SILENT:
                    place += self._frames
                    continue
                part = features[:, :, place : place + self._frames]
                part = F.pad(part, (0, self._frames - part.shape[-1]))
                heard = heard_window(self.network, part, self._tokens, language=language)
                language = language or heard.language
                yield (offset + place * hop) / sound.rate_hz, heard
                place += self._frames if heard.next_moment is None else max(1, 2 * heard.next_moment)

    def _features(self, samples: np.ndarray) -> Tensor:
        """Return loudness by band and frame, float ``[1, mels, frames]``; of what is shorter than a window, that of a whole one."""
        is_short = len(samples) <= self._frames * int(self._prepare.hop_length)
        how = {} if is_short else {"truncation": False, "padding": "longest"}
        made = self._prepare(samples, sampling_rate=self.config.rate_hz, return_tensors="pt", **how)
        features: Tensor = made.input_features
        return features.to(torch.float32)


def _stretches(samples: np.ndarray, rate_hz: int, window: int) -> Iterator[tuple[int, np.ndarray]]:
    """Yield (its first sample, the samples) of stretches of a recording, cut where the last window of each is quietest."""
    longest, begin = round(STRETCH_SECONDS * rate_hz), 0
    while len(samples) - begin > longest:
        part = np.abs(samples[begin + longest - min(window, longest // 2) : begin + longest])
        width = max(1, round(QUIET_SECONDS * rate_hz))
        sums = np.cumsum(np.append(0.0, part), dtype=np.float64)
        quietest = int((sums[width:] - sums[:-width]).argmin()) + width // 2
        after = begin + longest - len(part) + max(1, quietest)
        yield begin, samples[begin:after]
        begin = after
    yield begin, samples[begin:]
