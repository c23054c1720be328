"""The phones of English as the CMU dictionary has them, in lower case, and what other tools call them.

The program flite speaks in them (``ax`` is the vowel of ``the``, ``pau`` a pause). Aligners and label files write them in capitals with
the stress of vowels behind (``AH0``), and silence in a dozen ways.
"""

PAUSE = "pau"
PHONES = (
    PAUSE, "aa", "ae", "ah", "ao", "aw", "ax", "ay", "b", "ch", "d", "dh", "eh", "er", "ey", "f", "g", "hh", "ih", "iy", "jh", "k", "l",
    "m", "n", "ng", "ow", "oy", "p", "r", "s", "sh", "t", "th", "uh", "uw", "v", "w", "y", "z", "zh",
)  # fmt: skip
SILENCES = frozenset(
    ("", "#", "h#", "pau", "sil", "sp", "ssil", "silence", "_", "-", "<eps>", "<sil>", "<s>", "</s>", "<p:>", "(...)")
)
"""What stands for a pause in tiers of phones and of words, in lower case."""

_KNOWN = frozenset(PHONES)
_REDUCED = {"ah0": "ax", "axr": "er", "ix": "ih", "ux": "uw", "hv": "hh"}


def is_silence(label: str) -> bool:
    """Return whether a label of a phone or a word says that nothing is spoken."""
    return label.strip().lower() in SILENCES


def phone_named(label: str) -> str | None:
    """Return the phone that a label stands for; ``None`` where it is none of these.

    Args:
        label: As in a label file or a tier.

    >>> phone_named("AH0"), phone_named("IY1"), phone_named("sil"), phone_named("hello")
    ('ax', 'iy', 'pau', None)
    """
    name = label.strip().lower()
    if name in SILENCES:
        return PAUSE
    name = _REDUCED.get(name, name)
    if name[-1:] in ("0", "1", "2"):
        name = name[:-1]
    return name if name in _KNOWN else None
