"""A piece of music on a grid of sixteenths, its notation in words, and the ways between both and MIDI.

The notation is the content of every record of music, so that all that is done with text can be done with it. It has two layouts:

* **grid**, for pieces of four parts that each play one note at a time (chorales): ``m4/4 q96 grid``, then sixteenth after sixteenth a
  word a part, from the highest to the lowest: ``s72 a65 t60 b53``, ``s-`` for a rest. A quarter begins with ``:``. A note that stays is
  said again, as in Coconet and Music Transformer (Huang et al. 2017, arXiv 1903.07227; 2018, arXiv 1809.04281).
* **events**, for everything else: ``m3/4 q120``, then ``bar``, the place in it in sixteenths ``p4``, the instrument where it changes
  ``i24`` (``i128`` are drums), the note ``n60`` and how long it lasts ``d2``. This is REMI without velocities and chords (Huang and Yang
  2020, arXiv 2002.00212); loudness is not kept.

What is read is brought onto the grid: onsets to the nearest sixteenth, triplets with it. Words that make no sense where they stand are
passed over, so whatever a model writes is a piece; ``tidy`` is what is left of it, and comes back from MIDI word for word.
"""

import dataclasses
import itertools
from collections.abc import Iterable, Sequence

from makar.data.midi import DRUM_CHANNEL, MidiFile, MidiNote, write_midi

STEPS_A_QUARTER, TICKS_A_STEP = 4, 120
METRES = ("2/4", "3/4", "4/4", "5/4", "6/4", "2/2", "3/2", "4/2", "3/8", "6/8", "9/8", "12/8")
TEMPOS = tuple(range(40, 248, 8))
"""Quarters a minute."""
LONGEST = 64
"""Sixteenths of the longest note; a longer one ends there."""
DURATIONS = (*range(1, 17), 20, 24, 28, 32, 40, 48, 64)
DRUMS = 128
"""Instrument of drums, beyond those of General MIDI."""

VOICES = "satb"
VOICE_NAMES = ("soprano", "alto", "tenor", "bass")
LOWEST, HIGHEST = 28, 93
"""Pitches of the words of the grid."""
GRID_PROGRAM = 19
"""A church organ, where a chorale does not say who plays."""
MOST_STEPS = 1 << 16
LEAST_IN_ORDER = 0.7
"""Share of the sounding sixteenths at which four parts must stand from high to low to be a chorale."""

METRE, TEMPO, GRID, BEAT, BAR = "m", "q", "grid", ":", "bar"


@dataclasses.dataclass(frozen=True, kw_only=True, order=True)
class Note:
    """One note on the grid.

    Attributes:
        start: Sixteenth at which it begins.
        part: Number of the part, 0 the first.
        pitch: 0 to 127.
        duration: Sixteenths.
        program: Instrument, 0 to 127, or ``DRUMS``.
    """

    start: int
    part: int
    pitch: int
    duration: int
    program: int = 0

    @property
    def end(self) -> int:
        """The first sixteenth after it."""
        return self.start + self.duration


@dataclasses.dataclass(frozen=True, kw_only=True)
class Score:
    """A piece.

    Attributes:
        notes: Sorted.
        steps: Sixteenths that it lasts.
        metre: Of ``METRES``.
        tempo: Of ``TEMPOS``.
        is_grid: Whether it is four parts of one note each.
    """

    notes: tuple[Note, ...]
    steps: int
    metre: str = "4/4"
    tempo: int = 96
    is_grid: bool = False

    @property
    def bar_steps(self) -> int:
        """Sixteenths of a bar."""
        return bar_steps(self.metre)

    def seconds(self) -> float:
        """Return how long it lasts."""
        return self.steps * 60 / self.tempo / STEPS_A_QUARTER

    def moved(self, semitones: int) -> "Score":
        """Return the piece higher by so many semitones; drums stay."""
        notes = [
            note if note.program == DRUMS else dataclasses.replace(note, pitch=note.pitch + semitones)
            for note in self.notes
        ]
        return dataclasses.replace(self, notes=tuple(sorted(notes)))


def bar_steps(metre: str) -> int:
    """Return the sixteenths of a bar.

    >>> bar_steps("3/4"), bar_steps("6/8")
    (12, 12)
    """
    beats, unit = metre.split("/")
    return int(beats) * 16 // int(unit)


def nearest(values: Sequence[int], wanted: float) -> int:
    """Return the value that is nearest, the smaller of two."""
    return min(values, key=lambda value: (abs(value - wanted), value))


def score_of_voices(voices: Sequence[Sequence[int | None]], *, metre: str = "4/4", tempo: int = 96) -> Score:
    """Return the piece of four rows of pitches, one a sixteenth; equal neighbours are one note.

    Args:
        voices: Soprano to bass, all of one length; ``None`` is a rest.
        metre: Of ``METRES``.
        tempo: Of ``TEMPOS``.
    """
    notes = []
    for part, row in enumerate(voices):
        for pitch, group in itertools.groupby(enumerate(row), key=lambda pair: pair[1]):
            places = [place for place, _ in group]
            if pitch is not None:
                notes.append(Note(start=places[0], part=part, pitch=pitch, duration=len(places), program=GRID_PROGRAM))
    return Score(notes=tuple(sorted(notes)), steps=max(map(len, voices)), metre=metre, tempo=tempo, is_grid=True)


def voices_of(score: Score) -> list[list[int | None]]:
    """Return the pitches of each of four parts, one a sixteenth, ``None`` where it rests."""
    rows: list[list[int | None]] = [[None] * score.steps for _ in VOICES]
    for note in score.notes:
        rows[note.part][note.start : note.end] = [note.pitch] * min(note.duration, score.steps - note.start)
    return rows


def score_of_midi(file: MidiFile) -> Score:
    """Bring a MIDI file onto the grid."""
    tick = file.ticks / STEPS_A_QUARTER
    metre = "/".join(map(str, file.metre or (4, 4)))
    metre = metre if metre in METRES else "4/4"
    tempo = nearest(TEMPOS, 60e6 / file.tempo)
    keys = sorted({(note.track, note.channel, note.program) for note in file.notes})
    parts = {key: place for place, key in enumerate(keys)}
    notes = [
        Note(
            start=round(note.start / tick),
            part=parts[note.track, note.channel, note.program],
            pitch=note.pitch,
            duration=max(1, min(MOST_STEPS, round(note.end / tick)) - round(note.start / tick)),
            program=DRUMS if note.channel == DRUM_CHANNEL else note.program,
        )
        for note in file.notes
        if round(note.start / tick) < MOST_STEPS
    ]
    steps = min(MOST_STEPS, max([round(file.length / tick), *(note.end for note in notes)]))
    return _settled(Score(notes=tuple(sorted(notes)), steps=steps, metre=metre, tempo=tempo))


def midi_of(score: Score, *, texts: tuple[str, ...] = ()) -> bytes:
    """Return a piece as a MIDI file.

    Args:
        score: The piece.
        texts: Text events at its beginning.
    """
    programs = sorted({(note.part, note.program) for note in score.notes})
    channels = itertools.cycle(channel for channel in range(16) if channel != DRUM_CHANNEL)
    channel_of = {key: DRUM_CHANNEL if key[1] == DRUMS else next(channels) for key in programs}
    notes = [
        MidiNote(
            start=note.start * TICKS_A_STEP,
            end=note.end * TICKS_A_STEP,
            pitch=note.pitch,
            track=programs.index((note.part, note.program)) + 1,
            channel=channel_of[note.part, note.program],
            program=0 if note.program == DRUMS else note.program,
        )
        for note in score.notes
    ]
    beats, unit = map(int, score.metre.split("/"))
    file = MidiFile(
        ticks=TICKS_A_STEP * STEPS_A_QUARTER,
        notes=tuple(sorted(notes)),
        tempo=round(60e6 / score.tempo),
        metre=(beats, unit),
        texts=texts,
        length=score.steps * TICKS_A_STEP,
    )
    return write_midi(file, names=VOICE_NAMES if score.is_grid else ())


def notation_of(score: Score) -> str:
    """Return a piece in words."""
    words = [f"{METRE}{score.metre}", f"{TEMPO}{score.tempo}"]
    return " ".join([*words, *(_grid_words(score) if score.is_grid else _event_words(score))])


def score_of(notation: str) -> Score:
    """Return the piece that words write; those that make no sense where they stand are passed over."""
    words = notation.split()
    metre = next((word[1:] for word in words if word[0] == METRE and word[1:] in METRES), "4/4")
    tempo = next((int(word[1:]) for word in words if word[0] == TEMPO and word[1:] in map(str, TEMPOS)), 96)
    # A model that forgot to say it still wrote the words of a grid.
    if GRID in words[:3] or sum(map(_is_of_voice, words)) > sum(word[0] == "n" for word in words):
        return _settled(score_of_voices(_rows_of(words), metre=metre, tempo=tempo))
    notes, steps = _notes_of(words, bar_steps(metre))
    return _settled(Score(notes=tuple(sorted(notes)), steps=steps, metre=metre, tempo=tempo))


def tidy(notation: str) -> str:
    """Return the notation of the piece that words write.

    >>> tidy("q96 m4/4 bar p0 d3 n60 d4 n64")
    'm4/4 q96 bar p0 i0 n60 d4'
    """
    return notation_of(score_of(notation))


def _settled(score: Score) -> Score:
    """Return a piece as its words can tell it: a grid where it is one, else one part an instrument that strikes no pitch that it holds."""
    keys = sorted({(note.part, note.program) for note in score.notes})
    if _is_grid(score, keys):
        rows: list[list[int | None]] = [[None] * score.steps for _ in VOICES]
        for note in score.notes:
            rows[keys.index((note.part, note.program))][note.start : note.end] = [note.pitch] * note.duration
        return score_of_voices(rows, metre=score.metre, tempo=score.tempo)
    programs = sorted({program for _, program in keys})
    kept: dict[tuple[int, int, int], Note] = {}
    held: dict[tuple[int, int], Note] = {}
    for note in sorted(score.notes):
        part, before = programs.index(note.program), held.get((note.program, note.pitch))
        if before is not None and before.start == note.start:
            continue
        if before is not None and before.end > note.start:
            shorter = dataclasses.replace(before, duration=_told(note.start - before.start))
            kept[shorter.start, shorter.part, shorter.pitch] = shorter
        note = dataclasses.replace(note, part=part, duration=_told(note.duration))
        held[note.program, note.pitch] = kept[note.start, part, note.pitch] = note
    notes = tuple(sorted(kept.values()))
    bars = -(-max((note.end for note in notes), default=0) // score.bar_steps)
    return dataclasses.replace(score, notes=notes, steps=bars * score.bar_steps, is_grid=False)


def _told(duration: int) -> int:
    """Return the longest duration that a word tells and that is not longer."""
    return max(length for length in DURATIONS if length <= max(1, duration))


def _is_grid(score: Score, keys: Sequence[tuple[int, int]]) -> bool:
    if len(keys) != len(VOICES) or DRUMS in {program for _, program in keys}:
        return False
    if any(not LOWEST <= note.pitch <= HIGHEST for note in score.notes):
        return False
    rows: list[dict[int, int]] = [{} for _ in VOICES]
    for note in score.notes:
        row = rows[keys.index((note.part, note.program))]
        for step in range(note.start, note.end):
            if step in row:
                return False
            row[step] = note.pitch
    both = [(upper[step], lower[step]) for upper, lower in itertools.pairwise(rows) for step in upper if step in lower]
    return bool(both) and sum(upper >= lower for upper, lower in both) >= LEAST_IN_ORDER * len(both)


def _grid_words(score: Score) -> Iterable[str]:
    yield GRID
    rows = voices_of(score)
    for step in range(score.steps):
        if step % STEPS_A_QUARTER == 0:
            yield BEAT
        for letter, row in zip(VOICES, rows, strict=True):
            pitch = row[step]
            yield f"{letter}-" if pitch is None else f"{letter}{pitch}"


def _event_words(score: Score) -> Iterable[str]:
    bar, place, program = -1, -1, -1
    for note in sorted(score.notes, key=lambda note: (note.start, note.program, -note.pitch)):
        while bar < note.start // score.bar_steps:
            bar, place = bar + 1, -1
            yield BAR
        if note.start % score.bar_steps != place:
            place = note.start % score.bar_steps
            yield f"p{place}"
        if note.program != program:
            program = note.program
            yield f"i{program}"
        yield f"n{note.pitch}"
        yield f"d{note.duration}"


def _is_of_voice(word: str) -> bool:
    return word[0] in VOICES and (word[1:] == "-" or word[1:].isdecimal())


def _rows_of(words: Sequence[str]) -> list[list[int | None]]:
    """Return four rows of pitches: a voice that is not below the one before it in its sixteenth begins the next."""
    columns: list[list[int | None]] = []
    before = len(VOICES)
    for word in words:
        if not _is_of_voice(word):
            continue
        voice = VOICES.index(word[0])
        if voice <= before:
            if len(columns) >= MOST_STEPS:
                break
            columns.append([None] * len(VOICES))
        before = voice
        columns[-1][voice] = None if word[1:] == "-" else min(HIGHEST, max(LOWEST, int(word[1:])))
    return [[column[voice] for column in columns] for voice in range(len(VOICES))]


def _notes_of(words: Sequence[str], size: int) -> tuple[list[Note], int]:
    notes: list[Note] = []
    bar, place, program, pitch = -1, 0, 0, None
    for word in words:
        value = int(word[1:]) if word[1:].isdecimal() else None
        if word == BAR:
            bar, place, pitch = min(bar + 1, MOST_STEPS // size), 0, None
        elif value is None:
            continue
        elif word[0] == "p":
            place, pitch = min(value, size - 1), None
        elif word[0] == "i":
            program = min(value, DRUMS)
        elif word[0] == "n":
            pitch = min(value, 127)
        elif word[0] == "d" and pitch is not None and value:
            start = max(bar, 0) * size + place
            notes.append(Note(start=start, part=program, pitch=pitch, duration=min(value, LONGEST), program=program))
            pitch = None
    return notes, (bar + 1) * size
