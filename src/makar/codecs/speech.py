"""Speech: the picture of a recording, and for every frame of it which unit of the text is spoken in it.

When each unit is spoken is said beside the recordings (``makar.codecs.spoken_units``) or found in them (``makar.codecs.alignment``), and
how long one lasts in a new text follows from the same recordings (``makar.codecs.durations``). So a model needs to know only what a unit
sounds like between its neighbours: Matcha-TTS (Mehta et al. 2023, arXiv 2309.03199) with durations from a table. A frame is one place of
the model and its bands are the channels of it; kept is the picture with the bands as rows, as of any other sound.
"""

import dataclasses
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, Self

import numpy as np

from makar.codecs.alignment import Aligner, features_of, learned_aligner
from makar.codecs.alpha import pixels_of
from makar.codecs.codec import Codec
from makar.codecs.durations import Durations, learned_durations
from makar.codecs.hearing import Player, band_channels, drawn_picture, heard_frames, loudness, played_picture
from makar.codecs.image import MOST_CLASSES, UNLABELLED
from makar.codecs.moved_voice import move_for, moved_picture, with_moved
from makar.codecs.prosody import AS_IT_IS, Heard, Manner, Track, VoicedProsody, learned_voices, track_of
from makar.codecs.speaker import HeardVoice, SpeakerSpace, learned_space, speaker_features
from makar.codecs.speech_config import SpeechCodecConfig
from makar.codecs.speech_frames import frame_planes
from makar.codecs.spoken_record import NONE_SEEN, Seen, at_rate, spoken_of, voice_of
from makar.codecs.spoken_units import Spoken
from makar.codecs.text_parts import halves
from makar.codecs.units import KINDS, has_phones, units_of
from makar.data.record import Record, Records, is_sampled
from makar.data.sound import Sound, resampled
from makar.data.spectrogram import RANGE_DB
from makar.data.wave_file import numbers_of, on_grid, stored_numbers
from makar.errors import ArtifactError, ConfigError, DataError, EmptyDataError, UnsupportedError, UsageError
from makar.tensor_spec import CLASS, SOURCE, TARGET, WAVE, TensorSpec

FILE = "speech_codec.json"
LEARNED_FROM = 2000
"""Recordings at most from which alignment and durations are learned."""

PART_CHARACTERS = 200
"""Longer texts are parted without being tried."""


class SpeechCodec(Codec):
    """Recordings with their words; made with ``fit`` or ``from_files``.

    Args:
        config: The settings, with ``loudest_db`` and ``units`` found.
        aligner: What every unit sounds like, roughly.
        durations: How long every unit lasts.
        prosody: How high and loud every unit of every voice is; ``None`` where the model is not told.
        speakers: In which directions speakers lie apart; ``None`` where the model is not told who speaks.
        class_counts: Training recordings of each voice by name; empty where they are not told apart.
        seen: How many recordings were left out in fitting, and of how many the times were known.
    """

    def __init__(
        self,
        config: SpeechCodecConfig,
        *,
        aligner: Aligner,
        durations: Durations,
        prosody: VoicedProsody | None = None,
        speakers: SpeakerSpace | None = None,
        class_counts: dict[str, int],
        seen: Seen = NONE_SEEN,
    ) -> None:
        self.config: SpeechCodecConfig = config
        self.class_counts = class_counts
        self.class_names = tuple(class_counts)
        self._aligner, self._durations, self._seen = aligner, durations, seen
        self._prosody, self._speakers = prosody, speakers
        self._numbers = {unit: number for number, unit in enumerate(KINDS[config.units])}
        self._voices = {name: number for number, name in enumerate(self.class_names)}
        self.player: Player | None = None

    @classmethod
    def fit(cls, config: SpeechCodecConfig, records: Iterator[Record]) -> Self:
        """Learn when units are spoken and how long they last, how loud the data is, and the names of the voices.

        Raises:
            EmptyDataError: There is no recording with words.
            ConfigError: Voices are asked for and there are none, or too many.
            DataError: No recording is long enough for its words.
        """
        if config.units == "auto":
            config = config.changed(units="phones" if has_phones() else "letters")
        numbers = {unit: number for number, unit in enumerate(KINDS[config.units])}
        features: list[np.ndarray] = []
        said: list[Spoken] = []
        tracks: list[Track] = []
        looks: list[np.ndarray] = []
        voices: list[str] = []
        counts: Counter[str] = Counter()
        loudest, seen, left_out, given, useless = -RANGE_DB, 0, 0, 0, 0
        for record in records:
            counts[record.label or UNLABELLED] += 1
            seen += 1
            if len(features) >= LEARNED_FROM and not is_sampled(seen - 1):
                continue
            spoken = spoken_of(record, config, numbers)
            if spoken is None:
                left_out += 1
                continue
            given += spoken.is_given
            useless += config.use_times and record.times is not None and not spoken.is_given
            loudest = max(loudest, float(loudness(record.content, config).max()))
            if len(features) < LEARNED_FROM:
                features.append(features_of(record.content))
                said.append(spoken)
                voices.append(voice_of(record, config))
                if config.use_prosody or config.use_example:
                    tracks.append(track_of(record.content))
                if config.use_example:
                    looks.append(speaker_features(at_rate(record.content, config), tracks[-1]))
        if not features:
            raise EmptyDataError(
                f"none of {seen} sounds comes with words that are spoken in it and is at most {config.seconds:.1f} seconds long",
                expected="recordings of sentences with a .txt beside each, or a metadata table with their text",
            )
        aligner = learned_aligner(
            [part for one, seen_of in zip(said, features, strict=True) for part in one.parts(seen_of)],
            [span.order for one in said for span in one.spans],
            units=len(numbers),
            halves_alone=True,
        )
        found: dict[int, np.ndarray] = {}
        for place, (part, one) in enumerate(zip(features, said, strict=True)):
            try:
                found[place] = one.ends(aligner, part)
            except DataError:
                left_out += 1
        kept = {place: said[place].order for place in found}
        durations = learned_durations(
            list(kept.values()), [np.diff(ends, prepend=0) for ends in found.values()], units=len(numbers)
        )
        prosody = None
        if config.use_prosody:
            heard = [tracks[place].heard(kept[place], ends, voices[place]) for place, ends in found.items()]
            prosody = learned_voices(heard, units=len(numbers), shift=config.pitch_shift)
        if config.use_labels and (set(counts) == {UNLABELLED} or len(counts) > MOST_CLASSES):
            raise ConfigError(
                f"{len(counts)} voices" if len(counts) > 1 else "no recording has a label",
                expected=f"one folder a voice, at most {MOST_CLASSES}",
                do='use the recipe "speech"',
            )
        return cls(
            # What is made louder must not be cut off.
            config.with_loudest(loudest + config.energy_shift),
            aligner=aligner,
            durations=durations,
            prosody=prosody,
            speakers=learned_space(looks, voices) if config.use_example else None,
            class_counts={name: counts[name] for name in sorted(counts)} if config.use_labels else {},
            seen=Seen(left_out=left_out, given=given, useless=useless),
        )

    @classmethod
    def from_files(cls, config: SpeechCodecConfig, files: dict[str, bytes]) -> Self:
        """Rebuild a fitted codec.

        Raises:
            ArtifactError: The files are damaged.
        """
        try:
            found = json.loads(files[FILE])
            units = len(KINDS[found["units"]])
            return cls(
                config.changed(loudest_db=float(found["loudest_db"]), units=found["units"]),
                aligner=Aligner.from_arrays(found["aligner"], units=units),
                durations=Durations.from_list(found["durations"], units=units),
                prosody=VoicedProsody.from_dictionary(found["prosody"], units=units) if config.use_prosody else None,
                speakers=SpeakerSpace.from_dictionary(found["speakers"]) if config.use_example else None,
                class_counts={str(name): int(count) for name, count in found["voices"].items()},
                seen=Seen(**found.get("seen", {})),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ArtifactError(f"{FILE} of the codec cannot be read: {error}", do="get the model again") from error

    def files(self) -> dict[str, bytes]:
        """Return what was found in the data."""
        found: dict[str, Any] = {
            "units": self.config.units,
            "loudest_db": self.config.loudest_db,
            "voices": self.class_counts,
            "durations": self._durations.to_list(),
            "aligner": self._aligner.to_arrays(),
            "seen": dataclasses.asdict(self._seen),
        }
        if self._prosody is not None:
            found["prosody"] = self._prosody.to_dictionary()
        if self._speakers is not None:
            found["speakers"] = self._speakers.to_dictionary()
        return {FILE: json.dumps(found, ensure_ascii=False).encode()}

    @property
    def spec(self) -> TensorSpec:
        """Bands as channels of one row of frames, what is said of every frame, and where voices are told apart a class."""
        return self.config.made(len(self.class_names))

    def remarks(self) -> tuple[str, ...]:
        """Return how many recordings cannot be learned from, and of how many the times were known."""
        return self._seen.remarks()

    def cut(self, records: Iterable[Record]) -> Iterator[Record]:
        """Yield the recordings, and those that are learned from once more as if they were higher or louder."""
        return with_moved(records, most_pitch=self.config.pitch_shift, most_energy=self.config.energy_shift)

    def encode(self, record: Record) -> dict[str, np.ndarray]:
        """Return ``target`` uint8 ``[1, mels, frames]``, ``source`` uint8 ``[planes, 1, frames]`` and with voices ``class``.

        A recording without words, one that is longer than the frames, and one that is shorter than its words are left out.
        """
        spoken = spoken_of(record, self.config, self._numbers)
        if spoken is None:
            return {}
        slots: dict[str, np.ndarray] = {}
        if self.class_names:
            number = self._voices.get(record.label or UNLABELLED)
            if number is None:
                return {}
            slots[CLASS] = np.asarray(number, np.int64)
        try:
            ends = spoken.ends(self._aligner, features_of(record.content))
        except DataError:
            return {}
        config, order = self.config, spoken.order
        is_tracked = self._prosody is not None or self._speakers is not None
        track = track_of(record.content) if is_tracked else None
        drawn, contour = None, None
        if track is not None and self._prosody is not None:
            contour = self._prosody.heard(track.heard(order, ends, voice_of(record, config)))
            move = move_for(record, most_pitch=config.pitch_shift, most_energy=config.energy_shift)
            if move is not None:
                drawn = moved_picture(record.content, config, track, move)
                contour = contour.moved(pitch=move.pitch, energy=move.energy)
        drawn = drawn_picture(record.content, config) if drawn is None else drawn
        slots[TARGET] = np.ascontiguousarray(drawn.transpose(2, 0, 1))
        slots[SOURCE] = frame_planes(
            self.config,
            order,
            ends,
            contour=contour,
            speaker=None if track is None else self._speaker(record.content, track),
        )
        if self.config.use_samples:
            fitting = resampled(record.content, self.config.rate_hz).mono()[: self.config.samples]
            slots[WAVE] = stored_numbers(fitting, length=self.config.samples)
        return slots

    def _speaker(self, sound: Sound, track: Track) -> np.ndarray | None:
        if self._speakers is None:
            return None
        return self._speakers.planes(speaker_features(at_rate(sound, self.config), track))

    def heard(self, sound: Sound) -> HeardVoice:
        """Return a voice as it is known from one recording.

        Args:
            sound: A recording of one speaker.

        Raises:
            UnsupportedError: The model does not speak after an example.
            DataError: Nothing is heard in it.
        """
        track = track_of(sound)
        planes = self._speaker(sound, track)
        if planes is None:
            raise UnsupportedError(
                "an example of a voice for a model that speaks with those that it learned",
                expected='a model of the recipe "speech-clone"',
            )
        if np.isnan(track.level.pitch):
            raise DataError("no voice is heard in the example", expected="a recording in which one person speaks")
        return HeardVoice(planes, track.level)

    def scripts(
        self, text: str, *, manner: Manner = AS_IT_IS, voice: str | None = None, example: HeardVoice | None = None
    ) -> list[dict[str, np.ndarray]]:
        """Return what is said of every frame of a new recording of a text, in parts that the model can speak at once.

        Args:
            text: What is spoken. It is parted between sentences, else between clauses, else between words.
            manner: How it is spoken.
            voice: By whom, where voices are told apart; ``None`` for the middle of them.
            example: Whose voice it is, where the model speaks after an example.

        Returns:
            ``source`` float32 ``[planes, 1, frames]`` of every part.

        Raises:
            UsageError: Nothing in it is spoken, or nobody says with whose voice.
            UnsupportedError: The model speaks phones and flite is not here, or it cannot be spoken so high or so low.
        """
        if self._speakers is not None and example is None:
            raise UsageError(
                "a model that speaks after an example, and no example",
                expected="a recording of whoever agreed to it",
                do="--example RECORDING --voice-of NAME --consent FILE",
            )
        if self._prosody is None and manner.is_moved:
            raise UnsupportedError(
                "another pitch or energy of a model that was not told them when it learned",
                expected="a model of the recipe speech, speech-voices or speech-clone",
                do="train it anew, with --set stages.0.codec.use_prosody=true for other recipes of speech",
            )
        found: list[dict[str, np.ndarray]] = []
        waiting = [text]
        while waiting:
            part = waiting.pop()
            order = np.array(
                [self._numbers[unit] for unit in units_of(part[:PART_CHARACTERS], self.config.units)], np.int64
            )
            ends = np.cumsum(self._durations.seconds(order)) / manner.speed
            if len(part) <= PART_CHARACTERS and ends[-1] <= self.config.seconds:
                level = None if example is None else example.level
                contour = None if self._prosody is None else self._prosody.said(order, manner, voice=voice, level=level)
                speaker = None if example is None else example.planes
                planes = frame_planes(self.config, order, ends, contour=contour, speaker=speaker)
                found.append({SOURCE: self.to_model(SOURCE, planes)})
            else:
                waiting += reversed(halves(part))
        return found

    def counted(self, records: Iterator[Record]) -> "SpeechCodec":
        """Return the codec with the recordings of each voice counted in other data, and how high and loud they are found there."""
        if not self.class_names and self._prosody is None:
            return self
        counts: Counter[str] = Counter()
        heard: list[Heard] = []
        every = records.without_content() if self._prosody is None and isinstance(records, Records) else records
        for record in every:
            name = record.label or UNLABELLED
            counts[name] += 1
            if self._prosody is not None and len(heard) < LEARNED_FROM:
                heard += self._heard_units(record)
        prosody = (
            learned_voices(heard, units=len(self._numbers), shift=self.config.pitch_shift) if heard else self._prosody
        )
        return SpeechCodec(
            self.config,
            aligner=self._aligner,
            durations=self._durations,
            prosody=prosody,
            speakers=self._speakers,
            class_counts={name: counts[name] for name in self.class_names},
            seen=self._seen,
        )

    def _heard_units(self, record: Record) -> list[Heard]:
        spoken = spoken_of(record, self.config, self._numbers)
        try:
            ends = None if spoken is None else spoken.ends(self._aligner, features_of(record.content))
        except DataError:
            ends = None
        if spoken is None or ends is None:
            return []
        return [track_of(record.content).heard(spoken.order, ends, voice_of(record, self.config))]

    def to_model(self, slot: str, values: np.ndarray) -> np.ndarray:
        """Turn the rows of a picture into channels in -1..1, and what is said of frames into 0..1; classes stay what they are."""
        if slot == TARGET:
            return band_channels(values)
        if slot == WAVE:
            return numbers_of(values)
        return (values / np.float32(255)).astype(np.float32) if slot == SOURCE else values

    def picture(self, sound: Sound) -> np.ndarray:
        """Return the picture of a sound, uint8 ``[mels, frames, 1]``."""
        return drawn_picture(sound, self.config)

    def picture_of_samples(self, samples: np.ndarray) -> np.ndarray:
        """Return the picture of samples as a model sees one, float32 ``[mels, 1, frames]`` in -1..1."""
        drawn = self.picture(Sound(np.ascontiguousarray(samples, np.float32)[:, None], self.config.rate_hz))
        values: np.ndarray = self.to_model(TARGET, np.ascontiguousarray(drawn.transpose(2, 0, 1)))
        return np.ascontiguousarray(values, np.float32)

    def decode(self, slots: dict[str, np.ndarray]) -> Sound:
        """Return the sound of ``target`` ``[mels, 1, frames]`` in -1..1, or ``wave`` itself, without the silence that follows it."""
        drawn = pixels_of(np.ascontiguousarray(slots[TARGET].swapaxes(-3, -2)))[:, :, 0]
        heard = drawn[:, : heard_frames(drawn)]
        if WAVE in slots and self.player is None:
            made = np.clip(slots[WAVE][: heard.shape[1] * self.config.hop], -1, 1)
            return Sound(on_grid(made)[:, None], self.config.rate_hz)
        return played_picture(heard, self.config) if self.player is None else self.player(heard, self.config)
