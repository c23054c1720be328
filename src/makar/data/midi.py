"""Standard MIDI files read and written: notes with onset and end, tempo, metre, instruments and texts; nothing of the sound.

Written from the specification (MIDI Manufacturers Association, "Standard MIDI Files 1.0", RP-001): a header chunk, track chunks of
events with variable-length times, running status. Two hundred lines of ours instead of a library, because everything that comes is
somebody else's: lengths are checked before anything is read, tracks and notes are counted, a file that ends early is refused by name of
the track. See decision 0013.
"""

import dataclasses
import struct
from collections.abc import Iterable, Sequence

from makar.errors import DataError

MOST_TRACKS, MOST_NOTES, MOST_TICKS = 256, 200_000, 1 << 28
LARGEST_BYTES = 8 << 20
DRUM_CHANNEL = 9
DEFAULT_TEMPO = 500_000
"""Microseconds a quarter, where a file says none."""

TEXT, TRACK_NAME, MARKER, END_OF_TRACK, SET_TEMPO, TIME_SIGNATURE = 0x01, 0x03, 0x06, 0x2F, 0x51, 0x58
_DATA_BYTES = {0x8: 2, 0x9: 2, 0xA: 2, 0xB: 2, 0xC: 1, 0xD: 1, 0xE: 2}


@dataclasses.dataclass(frozen=True, kw_only=True, order=True)
class MidiNote:
    """One note.

    Attributes:
        start: Tick at which it begins.
        end: Tick at which it ends, later than ``start``.
        pitch: 0 to 127, 60 is the middle C.
        velocity: 1 to 127.
        track: Number of the track.
        channel: 0 to 15; 9 are drums.
        program: Instrument of General MIDI, 0 to 127.
    """

    start: int
    end: int
    pitch: int
    velocity: int = 80
    track: int = 0
    channel: int = 0
    program: int = 0


@dataclasses.dataclass(frozen=True, kw_only=True)
class MidiFile:
    """What a file holds.

    Attributes:
        ticks: Ticks of a quarter.
        notes: Sorted by start.
        tempo: Microseconds of a quarter, the first that is stated.
        metre: Beats of a bar and the note that is a beat, the first that is stated; ``None`` where none is.
        texts: Text events.
        length: Tick at which the last track ends.
    """

    ticks: int
    notes: tuple[MidiNote, ...]
    tempo: int = DEFAULT_TEMPO
    metre: tuple[int, int] | None = None
    texts: tuple[str, ...] = ()
    length: int = 0


def read_midi(data: bytes, *, may_be_silent: bool = False) -> MidiFile:
    """Read a file.

    Args:
        data: The file.
        may_be_silent: Whether one without notes is taken.

    Raises:
        DataError: It is no Standard MIDI File, ends early, is too large, or holds no note.
    """
    if len(data) > LARGEST_BYTES:
        raise DataError(f"a MIDI file of {len(data) >> 20} MB", expected=f"at most {LARGEST_BYTES >> 20}")
    if data[:4] != b"MThd" or len(data) < 14:
        raise DataError("no Standard MIDI File", expected="one that begins with MThd and a header")
    size, form, tracks, division = struct.unpack(">IHHH", data[4:14])
    if form == 2 or division & 0x8000 or not division:
        what = "of independent patterns (format 2)" if form == 2 else "timed in film frames"
        raise DataError(f"a MIDI file {what}", expected="format 0 or 1 with ticks of a quarter")
    if tracks > MOST_TRACKS:
        raise DataError(f"a MIDI file with {tracks} tracks", expected=f"at most {MOST_TRACKS}")
    place, number, found = 8 + size, 0, _Found()
    while number < tracks:
        if place + 8 > len(data):
            raise DataError(f"the MIDI file ends before track {number + 1} of {tracks}", do="get the file again")
        name, length = data[place : place + 4], int.from_bytes(data[place + 4 : place + 8], "big")
        if place + 8 + length > len(data):
            raise DataError(f"the MIDI file ends inside track {number + 1} of {tracks}", do="get the file again")
        # Chunks of other kinds may stand between tracks and are passed over.
        if name == b"MTrk":
            _Track(data[place + 8 : place + 8 + length], number, found).read()
            number += 1
        place += 8 + length
    if not found.notes and not may_be_silent:
        raise DataError("a MIDI file without notes", expected="at least one note")
    return MidiFile(
        ticks=division,
        notes=tuple(sorted(found.notes)),
        tempo=found.tempo or DEFAULT_TEMPO,
        metre=found.metre,
        texts=tuple(found.texts),
        length=found.length,
    )


class _Found:
    def __init__(self) -> None:
        self.notes: list[MidiNote] = []
        self.tempo: int | None = None
        self.metre: tuple[int, int] | None = None
        self.texts: list[str] = []
        self.length = 0


class _Track:
    """Reads the events of one track."""

    def __init__(self, data: bytes, number: int, found: _Found) -> None:
        self.data, self.number, self.found = data, number, found
        self.place = self.tick = 0
        self.programs = [0] * 16
        self.sounding: dict[tuple[int, int], list[tuple[int, int]]] = {}

    def read(self) -> None:
        status = 0
        while self.place < len(self.data):
            self.tick += self._variable()
            if self.tick > MOST_TICKS:
                raise DataError(
                    f"track {self.number + 1} of the MIDI file lasts {self.tick} ticks",
                    expected=f"at most {MOST_TICKS}",
                )
            first = self._byte()
            if first == 0xFF:
                kind, content = self._byte(), self._bytes(self._variable())
                if kind == END_OF_TRACK:
                    break
                self._meta(kind, content)
            elif first in (0xF0, 0xF7):
                self._bytes(self._variable())
            elif first >= 0xF0:
                raise DataError(f"track {self.number + 1} of the MIDI file has the byte {first:#x} between events")
            else:
                # Without a status byte the last one goes on.
                if first >= 0x80:
                    status = first
                else:
                    self.place -= 1
                if not status:
                    raise DataError(f"track {self.number + 1} of the MIDI file begins without a status")
                self._event(status >> 4, status & 0x0F, self._bytes(_DATA_BYTES[status >> 4]))
        for (channel, pitch), begun in self.sounding.items():
            for start, velocity in begun:
                self._note(channel, pitch, start, velocity)
        self.found.length = max(self.found.length, self.tick)

    def _event(self, kind: int, channel: int, content: bytes) -> None:
        if kind == 0xC:
            self.programs[channel] = content[0] & 0x7F
        if kind not in (0x8, 0x9):
            return
        pitch, velocity = content[0] & 0x7F, content[1] & 0x7F
        if kind == 0x9 and velocity:
            self.sounding.setdefault((channel, pitch), []).append((self.tick, velocity))
        elif begun := self.sounding.get((channel, pitch)):
            self._note(channel, pitch, *begun.pop(0))

    def _note(self, channel: int, pitch: int, start: int, velocity: int) -> None:
        if len(self.found.notes) >= MOST_NOTES:
            raise DataError(f"a MIDI file with more than {MOST_NOTES} notes", expected="a piece of music")
        if self.tick > start:
            self.found.notes.append(
                MidiNote(
                    start=start,
                    end=self.tick,
                    pitch=pitch,
                    velocity=velocity,
                    track=self.number,
                    channel=channel,
                    program=self.programs[channel],
                )
            )

    def _meta(self, kind: int, content: bytes) -> None:
        found = self.found
        if kind == SET_TEMPO and len(content) == 3 and found.tempo is None:
            found.tempo = int.from_bytes(content, "big") or None
        elif kind == TIME_SIGNATURE and len(content) >= 2 and found.metre is None and content[0] and content[1] <= 6:
            found.metre = (content[0], 1 << content[1])
        elif kind == TEXT:
            found.texts.append(content.decode("utf-8", "replace"))

    def _byte(self) -> int:
        return self._bytes(1)[0]

    def _bytes(self, count: int) -> bytes:
        if self.place + count > len(self.data):
            raise DataError(f"track {self.number + 1} of the MIDI file ends inside an event", do="get the file again")
        self.place += count
        return self.data[self.place - count : self.place]

    def _variable(self) -> int:
        value = 0
        for _ in range(4):
            byte = self._byte()
            value = (value << 7) | (byte & 0x7F)
            if byte < 0x80:
                return value
        raise DataError(f"track {self.number + 1} of the MIDI file has a number of more than four bytes")


def write_midi(file: MidiFile, *, names: Sequence[str] = ()) -> bytes:
    """Return a file of format 1: tempo, metre and texts in the first track, then a track for every ``track`` of the notes.

    Args:
        file: What to write; notes of one track share a channel and a program.
        names: Names of the tracks, in their order.
    """
    metre = file.metre or (4, 4)
    head: list[tuple[int, int, bytes]] = [
        (0, 0, _meta(SET_TEMPO, file.tempo.to_bytes(3, "big"))),
        (0, 1, _meta(TIME_SIGNATURE, bytes((metre[0], metre[1].bit_length() - 1, 24, 8)))),
        *((0, 2, _meta(TEXT, text.encode("utf-8"))) for text in file.texts),
    ]
    tracks = [_track(head, file.length)]
    for place, number in enumerate(sorted({note.track for note in file.notes})):
        own = [note for note in file.notes if note.track == number]
        channel = own[0].channel
        events = [(0, 1, bytes((0xC0 | channel, own[0].program)))]
        if place < len(names):
            events.insert(0, (0, 0, _meta(TRACK_NAME, names[place].encode("utf-8"))))
        for note in own:
            # A note that ends where another begins is ended first.
            events.append((note.start, 3, bytes((0x90 | channel, note.pitch, note.velocity))))
            events.append((note.end, 2, bytes((0x80 | channel, note.pitch, 0))))
        tracks.append(_track(events, file.length))
    return b"MThd" + struct.pack(">IHHH", 6, 1, len(tracks), file.ticks) + b"".join(tracks)


def _track(events: Iterable[tuple[int, int, bytes]], length: int) -> bytes:
    content, before = bytearray(), 0
    for tick, _, event in sorted(events, key=lambda event: event[:2]):
        content += _written(tick - before) + event
        before = tick
    content += _written(max(0, length - before)) + _meta(END_OF_TRACK, b"")
    return b"MTrk" + struct.pack(">I", len(content)) + bytes(content)


def _meta(kind: int, content: bytes) -> bytes:
    return bytes((0xFF, kind)) + _written(len(content)) + content


def _written(value: int) -> bytes:
    parts = [value & 0x7F]
    while value := value >> 7:
        parts.append(0x80 | (value & 0x7F))
    return bytes(reversed(parts))
