"""Music to tokens and back: a word of the notation is a token; style, key and instruments are told before, and training hears every key.

Decisions. (1) The notation is that of ``makar.data.score``; its words are few and known beforehand, so nothing is learned but the names
of the styles and the usual metre. (2) A training piece is encoded in up to 12 keys, one after the other, as far as every pitch stays
inside the range of the words: music is the same in every key, and a model of a few hundred pieces has to be told (Boulanger-Lewandowski
et al. 2012 transpose to one key instead, which a piece for singers cannot be). (3) **A part that leads.** To write parts below a given
melody a model must see what the melody will do. In a share of the pieces one of four parts runs ahead by a bar, in words of its own
(capitals), and the others follow: the anticipation of Thickstun et al. 2023 (arXiv 2306.08620) with a fixed lead. The same
left-to-right model then harmonises any part. (4) What is told before a piece is out of sight after a window. It is told again every so many
bars (``remind_bars``), in words that are no content, so that a window cut anywhere has it, and a model that writes copies it along.
"""

import collections
import hashlib
import itertools
import re
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, Self

import numpy as np
from tokenizers import Tokenizer

from makar.codecs.music_config import MusicCodecConfig
from makar.codecs.symbols import SymbolCodec, symbol_tokenizer
from makar.data.keys import KEYS, key_named, key_of, moved_key
from makar.data.record import Record
from makar.data.score import (
    BAR,
    BEAT,
    DRUMS,
    DURATIONS,
    GRID,
    HIGHEST,
    LOWEST,
    METRE,
    METRES,
    STEPS_A_QUARTER,
    TEMPO,
    TEMPOS,
    VOICES,
    Score,
    bar_steps,
    notation_of,
    score_of,
    tidy,
    voices_of,
)
from makar.errors import ArtifactError, DataError, EmptyDataError, UnsupportedError
from makar.tensor_spec import TARGET

FITTED = 20_000
MOST_STYLES = 200
MOST_TOLD_INSTRUMENTS = 6
MOVES = (0, *(sign * size for size in range(1, 7) for sign in (-1, 1)))[:12]
"""Semitones by which a piece is moved, the nearest keys first."""

_TOLD = re.compile(r"([a-z]+)=(\S+)")
WORDS = (
    *(f"{METRE}{metre}" for metre in METRES),
    *(f"{TEMPO}{tempo}" for tempo in TEMPOS),
    *(GRID, BEAT, BAR),
    *(f"p{place}" for place in range(max(map(bar_steps, METRES)))),
    *(f"i{program}" for program in range(DRUMS + 1)),
    *(f"n{pitch}" for pitch in range(128)),
    *(f"d{duration}" for duration in DURATIONS),
    *(f"{voice}{pitch}" for voice in VOICES for pitch in ("-", *range(LOWEST, HIGHEST + 1))),
)
"""Every word of the notation."""

LEADING_WORDS = tuple(word.upper() for word in WORDS if word[0] in VOICES and word != BAR)
"""The words of a part that runs ahead."""


class MusicCodec(SymbolCodec):
    """Turns the notation of a piece into tokens.

    Args:
        config: The settings.
        tokenizer: The fitted tokenizer.
        about: ``styles``: the names of the styles; ``metre``: the most frequent one.
    """

    about_file: ClassVar[str] = "music.json"
    separator: ClassVar[str] = " "

    def __init__(self, config: MusicCodecConfig, tokenizer: Tokenizer, about: dict[str, Any]) -> None:
        super().__init__(config, tokenizer, about)
        self.config: MusicCodecConfig = config
        self.styles: tuple[str, ...] = tuple(self.about.get("styles", ()))
        self.metre = str(self.about.get("metre", ""))
        if self.metre not in METRES:
            raise ArtifactError(f"{self.about_file} says no metre", expected=", ".join(METRES))
        self._known = frozenset(WORDS)
        self.never_drawn: tuple[int, ...] = tuple(self.numbers([*LEADING_WORDS, *_leading_names()]))
        """Tokens of a part that is given: they are read, and never written."""

    @classmethod
    def fit(cls, config: MusicCodecConfig, records: Iterator[Record]) -> Self:
        """Learn the names of the styles and the usual metre.

        Raises:
            EmptyDataError: There is no piece.
        """
        styles: collections.Counter[str] = collections.Counter()
        metres: collections.Counter[str] = collections.Counter()
        for record in itertools.islice(records, FITTED):
            metres[score_of(record.content).metre] += 1
            if record.label:
                styles[record.label] += 1
        if not metres:
            raise EmptyDataError(
                "there is no piece of music to learn from", expected="MIDI files, or a table of four parts"
            )
        # One style of all tells nothing.
        named = sorted(styles)[:MOST_STYLES] if len(styles) > 1 else []
        about = {"styles": named, "metre": metres.most_common(1)[0][0]}
        told = [
            *(_token("style", style) for style in named),
            *(_token("key", key) for key in KEYS),
            *(_token("plays", program) for program in range(DRUMS + 1)),
            *_leading_names(),
        ]
        return cls(config, symbol_tokenizer([*WORDS, *LEADING_WORDS], told=told, pattern=None), about)

    def check_content(self, text: str, *, is_whole: bool) -> None:
        """Refuse words that are no notation, and a piece without a note."""
        strange = [word for word in text.split() if word not in self._known]
        if strange:
            raise DataError(
                f"the word {strange[0][:40]!r} is no notation of music",
                expected="words like m4/4 q96 bar p0 i0 n60 d4, or a MIDI file",
            )
        if is_whole and not score_of(text).notes:
            raise DataError("a piece without notes", expected="at least one note")

    def encode(self, record: Record) -> dict[str, np.ndarray]:
        """Return a piece as tokens, uint16; one that is learned from in several keys, one after the other."""
        if not record.content:
            return {}
        self.check_content(record.content, is_whole=True)
        score = score_of(record.content)
        key = key_of(score.notes)
        if record.split != "train":
            return {TARGET: np.array(self._tokens(record, score, key, 0, leads=False), np.uint16)}
        moves = [move for move in MOVES if _fits(score, move)][: self.config.keys]
        tokens = [token for move in moves for token in self._tokens(record, score, key, move, leads=move != 0)]
        return {TARGET: np.array(tokens, np.uint16)}

    def _tokens(self, record: Record, score: Score, key: str, move: int, *, leads: bool) -> list[int]:
        draws = hashlib.sha256(f"{record.id} {record.document} {move}".encode()).digest()
        shares = [int.from_bytes(draws[at : at + 4], "big") / (1 << 32) for at in range(0, 24, 4)]
        told = self.told(record) if shares[0] >= self.config.untold else []
        told += [_token("key", moved_key(key, move))] if shares[1] >= self.config.untold else []
        told += _plays(score) if shares[2] >= self.config.untold else []
        moved = score.moved(move)
        if leads and score.is_grid and shares[3] < self.config.leading_share:
            voice = VOICES[int(shares[4] * len(VOICES))]
            words = [*told, _token("leads", voice), *self.reminded(told, self.leading_words(moved, voice))]
        else:
            words = [*told, *self.reminded(told, notation_of(moved).split())]
        return [*self.numbers(words), self.end_token]

    def reminded(self, told: Sequence[str], words: Sequence[str]) -> list[str]:
        """Return the words of a piece, or of its beginning, in which what is told is told again every so many bars.

        Args:
            told: Names of the tokens that tell.
            words: The words, or names of tokens; marks of quarters or bars are told by.
        """
        if not (self.config.remind_bars and told):
            return list(words)
        metre = next((word.removeprefix(METRE) for word in words[:1] if word.startswith(METRE)), self.metre)
        marks = {
            BAR: self.config.remind_bars,
            BEAT: self.config.remind_bars * max(1, bar_steps(metre) // STEPS_A_QUARTER),
        }
        found: list[str] = []
        seen = 0
        for word in words:
            if word in marks:
                found += told if seen and seen % marks[word] == 0 else ()
                seen += 1
            found.append(word)
        return found

    def encode_prompt(self, text: str) -> np.ndarray:
        """Return the tokens of a prompt, int64 ``[length]``: what it tells, then the beginning that it gives.

        Raises:
            UnsupportedError: It tells what this model was not told in training.
            DataError: The beginning is none.
        """
        told, begun = self.told_in(text)
        self.check_content(begun, is_whole=False)
        return np.array(self.numbers([*told, *self.reminded(told, begun.split())]), np.int64)

    def told(self, record: Record) -> list[str]:
        """Return the token of the style of a piece."""
        return [_token("style", record.label)] if record.label in self.styles else []

    def told_in(self, prompt: str) -> tuple[list[str], str]:
        """Return what ``style=``, ``key=`` and ``instruments=`` tell, and the notation that ``metre=``, ``tempo=`` and the rest begin."""
        given: dict[str, str] = {}
        words = prompt.split()
        while words and (said := _TOLD.fullmatch(words[0])):
            given[said[1]] = said[2]
            words = words[1:]
        unknown = [name for name in given if name not in ("style", "key", "instruments", "metre", "tempo")]
        if unknown:
            raise UnsupportedError(f'"{unknown[0]}=" of music', expected="style=, key=, instruments=, metre=, tempo=")
        told = [
            *([self._style(given["style"])] if "style" in given else []),
            *([_token("key", _key(given["key"]))] if "key" in given else []),
            *(_instruments(given["instruments"]) if "instruments" in given else []),
        ]
        if "metre" in given or "tempo" in given:
            if words:
                raise UnsupportedError(
                    "metre or tempo of a piece that is given", expected="one of them: the piece says its own"
                )
            words = [METRE + _metre(given.get("metre", self.metre))]
            words += [f"{TEMPO}{_tempo(given['tempo'])}"] if "tempo" in given else []
        return told, " ".join(words)

    def tidy(self, content: str) -> str:
        """Return what a model wrote as the piece that it is."""
        return tidy(content)

    def leading_words(self, score: Score, voice: str) -> list[str]:
        """Return the words of a piece in which one part runs ahead.

        Args:
            score: A piece on the grid.
            voice: Letter of the part.
        """
        return [word for words in self.leading_plan(score, voice) for word in words]

    def leading_plan(self, score: Score, voice: str) -> list[list[str]]:
        """Return the same in groups: the head with the lead of the part, then the words of every sixteenth."""
        rows = voices_of(score)
        part, lead = VOICES.index(voice), self.config.lead_steps
        ahead = [_word(voice.upper(), pitch) for pitch in rows[part]]
        plan = [[f"{METRE}{score.metre}", f"{TEMPO}{score.tempo}", GRID, *ahead[:lead]]]
        for step in range(score.steps):
            words = [BEAT] if step % STEPS_A_QUARTER == 0 else []
            words += ahead[step + lead : step + lead + 1]
            words += [_word(letter, row[step]) for letter, row in zip(VOICES, rows, strict=True) if letter != voice]
            plan.append(words)
        return plan

    def leads_token(self, voice: str) -> int:
        """Return the token that says which part runs ahead."""
        return self.numbers([_token("leads", voice)])[0]

    def _style(self, name: str) -> str:
        if name not in self.styles:
            known = ", ".join(self.styles) or "no style: the data has one or none"
            raise UnsupportedError(f'the style "{name}"', expected=known)
        return _token("style", name)


def _fits(score: Score, move: int) -> bool:
    low, high = (LOWEST, HIGHEST) if score.is_grid else (0, 127)
    return all(low <= note.pitch + move <= high for note in score.notes if note.program != DRUMS)


def _plays(score: Score) -> list[str]:
    programs = [] if score.is_grid else sorted({note.program for note in score.notes})
    return [_token("plays", program) for program in programs[:MOST_TOLD_INSTRUMENTS]]


def _word(letter: str, pitch: int | None) -> str:
    return f"{letter}-" if pitch is None else f"{letter}{pitch}"


def _leading_names() -> Sequence[str]:
    return [_token("leads", voice) for voice in VOICES]


def _token(name: str, value: object) -> str:
    return f"<|{name}:{value}|>"


def _key(text: str) -> str:
    found = key_named(text)
    if found is None:
        raise UnsupportedError(f'the key "{text}"', expected=f"one of: {', '.join(KEYS)}")
    return found


def _instruments(text: str) -> list[str]:
    parts = text.split(",")
    if not all(part.isdecimal() and int(part) <= DRUMS for part in parts):
        raise UnsupportedError(
            f'the instruments "{text}"', expected=f"numbers of General MIDI, 0 to 127, with commas; {DRUMS} are drums"
        )
    return [_token("plays", program) for program in sorted({int(part) for part in parts})]


def _metre(text: str) -> str:
    if text not in METRES:
        raise UnsupportedError(f'the metre "{text}"', expected=f"one of: {', '.join(METRES)}")
    return text


def _tempo(text: str) -> int:
    if not text.isdecimal() or not TEMPOS[0] <= int(text) <= TEMPOS[-1]:
        raise UnsupportedError(f'the tempo "{text}"', expected=f"quarters a minute, {TEMPOS[0]} to {TEMPOS[-1]}")
    return min(TEMPOS, key=lambda tempo: abs(tempo - int(text)))
