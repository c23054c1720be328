"""When each phone and each word of a recording is spoken, as somebody said beside it, and whether that can be true."""

import dataclasses
import difflib
import re
import unicodedata
from collections.abc import Sequence

from makar.data.phones import is_silence, phone_named
from makar.errors import DataError

OVERLAP_SECONDS = 0.005
"""Tools round: what overlaps by less than this does not overlap."""

BEYOND_SECONDS = 0.1
"""So far the last time may lie behind the end of the recording."""

LEAST_WORDS, LEAST_LETTERS = 0.5, 0.75
"""Shares of words, or else of letters, that times and the text of a recording must have in common, in this order: a text may have ``Mr.``
where the times have ``mister``."""


@dataclasses.dataclass(frozen=True, slots=True)
class Stretch:
    """What is said of a stretch of time.

    Attributes:
        start: In seconds.
        end: In seconds.
        label: A phone or a word; empty or a name of silence where nothing is spoken.
        line: The line of the file that says so.
    """

    start: float
    end: float
    label: str
    line: int


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class SpokenTimes:
    """Times of one recording.

    Attributes:
        source: The file that states them.
        phones: Phones in their order, as ``makar.data.phones`` names them; empty where none are known.
        words: Words in their order; empty where none are known.
    """

    source: str
    phones: tuple[Stretch, ...] = ()
    words: tuple[Stretch, ...] = ()

    @property
    def text(self) -> str:
        """The words with spaces between; empty where none are known."""
        return " ".join(word.label.strip() for word in self.words if not is_silence(word.label))

    @property
    def end(self) -> float:
        """The second at which the last thing is over that is said of the recording."""
        return max(one.end for one in (*self.phones, *self.words))

    def check_length(self, seconds: float) -> None:
        """Refuse times that the recording does not reach.

        Args:
            seconds: How long the recording is.

        Raises:
            DataError: Something is said to be spoken behind its end.
        """
        for tier in (self.phones, self.words):
            for one in tier:
                is_behind = one.start >= seconds or one.end > seconds + BEYOND_SECONDS
                if is_behind and not is_silence(one.label):
                    raise contradiction(
                        self.source,
                        one.line,
                        f'"{one.label}" from {one.start:g} to {one.end:g} s, in a recording of {seconds:.2f} s',
                    )

    def check_text(self, text: str | None) -> None:
        """Refuse words that are not those of the text of the recording.

        Args:
            text: What is said to be spoken; ``None`` where nobody says.

        Raises:
            DataError: They have too little in common.
        """
        spoken = [word for word in self.words if not is_silence(word.label)]
        # Who speaks reads numbers out, and in which of several ways nobody knows.
        if not text or not spoken or any(letter.isdigit() for letter in text):
            return
        wanted, found = _plain(text).split(), _plain(self.text).split()
        if _alike(wanted, found) >= LEAST_WORDS or _alike("".join(wanted), "".join(found)) >= LEAST_LETTERS:
            return
        other = next((word for word in spoken if not {*_plain(word.label).split()} <= {*wanted}), spoken[0])
        raise contradiction(self.source, other.line, f'"{other.label}" is spoken, and the text is "{text[:60]}"')


def contradiction(source: str, line: int, came: str) -> DataError:
    """Return the error of times that cannot be true, which names file and line."""
    return DataError(
        f"{source} line {line}: {came}", expected="times that fit their recording and each other", do="mend the file"
    )


def checked(stretches: Sequence[Stretch], source: str) -> tuple[Stretch, ...]:
    """Return stretches that follow each other.

    Args:
        stretches: In the order of the file.
        source: Its name.

    Raises:
        DataError: One ends before it begins, or begins before another ends.
    """
    now = 0.0
    for one in stretches:
        if one.start < 0 or one.end < one.start or (one.end == one.start and not is_silence(one.label)):
            raise contradiction(source, one.line, f'"{one.label}" from {one.start:g} to {one.end:g} s')
        if one.start < now - OVERLAP_SECONDS:
            raise contradiction(source, one.line, f'"{one.label}" begins at {one.start:g} s, before {now:g} s')
        now = max(now, one.end)
    return tuple(stretches)


def times_of(
    source: str, *, phones: Sequence[Stretch] = (), words: Sequence[Stretch] = (), either: Sequence[Stretch] = ()
) -> SpokenTimes:
    """Return what one file states.

    Args:
        source: Its name.
        phones: What is called phones.
        words: What is called words.
        either: What is not called anything: phones where every label is one, words otherwise.

    Raises:
        DataError: The times contradict each other, nothing is spoken in them, or phones are none that are known and there are no words.
    """
    if either:
        is_of_phones = all(phone_named(one.label) is not None for one in either)
        phones, words = (either, words) if is_of_phones else (phones, either)
    phones, words = checked(phones, source), checked(words, source)
    unknown = next((one for one in phones if phone_named(one.label) is None), None)
    if unknown is not None and not words:
        raise DataError(
            f'{source} line {unknown.line}: the phone "{unknown.label}" is none that is known',
            expected="phones of the CMU dictionary (AH0, b, sil), or words",
            do="give the times of words beside those of phones",
        )
    named = [dataclasses.replace(one, label=str(phone_named(one.label))) for one in phones if unknown is None]
    if all(is_silence(one.label) for one in (*named, *words)):
        raise DataError(f"{source} line 1: nothing is spoken in it", expected="phones or words with times")
    return SpokenTimes(source=source, phones=tuple(named), words=words)


def _plain(text: str) -> str:
    """Return the words of a text in lower case, without accents and marks."""
    apart = unicodedata.normalize("NFKD", text.lower())
    return " ".join(re.sub(r"[^\w\s]", " ", "".join(one for one in apart if not unicodedata.combining(one))).split())


def _alike(first: Sequence[str], second: Sequence[str]) -> float:
    return difflib.SequenceMatcher(None, first, second, autojunk=False).ratio()
