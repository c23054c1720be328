"""A text as the units in which it is spoken: phones by the program flite, or the letters themselves where it is not there.

Phones are those of the CMU dictionary in lower case with ``pau`` for a pause, as flite 2.2 prints them (``flite -ps``): it knows numbers,
dates and abbreviations, and words that no dictionary has by rules. Letters need nothing: what a unit sounds like is learned from the
recordings in both cases. A pause stands at both ends and for every mark that parts clauses.
"""

import functools
import re
import shutil
import subprocess
import unicodedata

from makar.data.phones import PAUSE, PHONES
from makar.errors import UnsupportedError, UsageError

LETTERS = (PAUSE, " ", "'", *"abcdefghijklmnopqrstuvwxyz")
KINDS = {"phones": PHONES, "letters": LETTERS}
PROGRAM = "flite"
LONGEST_CHARACTERS = 2000
LONGEST_SECONDS = 20
MOST_DIGITS = 12
_NUMBER = re.compile(r"\d{1,3}(?:,\d{3})+(?!\d)(?:\.\d+)?|\d+(?:\.\d+)*")

SMALL = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen", "fourteen",
    "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
SCALES = ((10**9, "billion"), (10**6, "million"), (1000, "thousand"), (100, "hundred"))


def has_phones() -> bool:
    """Return whether texts can be turned into phones here."""
    return shutil.which(PROGRAM) is not None


def units_of(text: str, kind: str) -> tuple[str, ...]:
    """Return the units of a text, a pause at both ends.

    Args:
        text: What is spoken.
        kind: ``"phones"`` or ``"letters"``.

    Raises:
        UsageError: The text is too long, or nothing in it is spoken.
        UnsupportedError: Phones are needed and flite is not there.

    >>> units_of("Aha, 21!", "letters")
    ('pau', 'a', 'h', 'a', 'pau', 't', 'w', 'e', 'n', 't', 'y', ' ', 'o', 'n', 'e', 'pau')
    """
    if len(text) > LONGEST_CHARACTERS:
        raise UsageError(f"a text of {len(text)} characters", expected=f"at most {LONGEST_CHARACTERS} at once")
    found = _phones(text) if kind == "phones" else _letters(text)
    if not set(found) - {PAUSE, " ", "'"}:
        raise UsageError(f'nothing in "{text[:60]}" is spoken', expected="words")
    return found


@functools.lru_cache(maxsize=100_000)
def _phones(text: str) -> tuple[str, ...]:
    # The program takes its text as an argument of its own, so nothing in it is an option or a command.
    spoken = " ".join(_plain(text).split())
    if not re.search(r"[A-Za-z0-9]", spoken):
        return (PAUSE,)
    if not has_phones():
        raise UnsupportedError(
            "phones of a text need the program flite",
            expected="flite",
            do="apt-get install flite (or train with letters)",
        )
    command = [PROGRAM, "-ps", "-t", f" {spoken}", "-o", "none"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise UnsupportedError(f"flite cannot read the text: {str(error)[:80]}", expected="English text") from error
    found = [phone for phone in done.stdout.split() if phone in PHONES]
    return _parted(found)


def _letters(text: str) -> tuple[str, ...]:
    spoken = _NUMBER.sub(lambda found: f" {_number_said(found[0])} ", _plain(text).lower())
    found: list[str] = []
    for clause in re.split(r"[.,;:!?()\"\n]+|\s-+\s", spoken):
        words = " ".join("".join(letter for letter in clause if letter in LETTERS[1:]).split())
        found += [PAUSE, *words] if words else []
    return _parted(found)


def _number_said(number: str) -> str:
    """Return ``1,000`` and ``3.5`` as they are read; of parts like ``1.2.3`` each, and of more than twelve digits each digit."""
    parts = number.replace(",", "").split(".")
    if len(parts) == 2:
        return f"{_number_said(parts[0])} point {' '.join(SMALL[int(digit)] for digit in parts[1])}"
    return ". ".join(
        number_words(int(part)) if len(part) <= MOST_DIGITS else " ".join(SMALL[int(digit)] for digit in part)
        for part in parts
    )


def _plain(text: str) -> str:
    """Return a text without accents and with plain quotes."""
    simple = (
        text.replace("\u2019", "'")
        .replace("\u2018", "'")
        .replace("\u201c", '"')
        .replace("\u201d", '"')
        .replace("\u2014", " - ")
    )
    apart = unicodedata.normalize("NFKD", simple)
    return "".join(
        letter for letter in apart if (not unicodedata.combining(letter) and letter.isprintable()) or letter == "\n"
    )


def _parted(found: list[str]) -> tuple[str, ...]:
    """Return units with one pause at both ends and never two beside each other."""
    kept = [PAUSE]
    for unit in [*found, PAUSE]:
        if unit != PAUSE or kept[-1] != PAUSE:
            kept.append(unit)
    return tuple(kept)


def number_words(number: int) -> str:
    """Return a number in English words.

    >>> number_words(2_000_345), number_words(17), number_words(40)
    ('two million three hundred forty five', 'seventeen', 'forty')
    """
    if number < 20:
        return SMALL[number]
    if number < 100:
        return TENS[number // 10 - 2] + (f" {SMALL[number % 10]}" if number % 10 else "")
    for scale, name in SCALES:
        if number >= scale:
            rest = number % scale
            return f"{number_words(number // scale)} {name}" + (f" {number_words(rest)}" if rest else "")
    raise AssertionError("every number of 100 and more has a scale")
