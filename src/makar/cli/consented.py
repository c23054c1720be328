"""The voice of somebody who agreed, out of the options of ``generate``."""

from pathlib import Path
from typing import TYPE_CHECKING

from makar.errors import UsageError

if TYPE_CHECKING:
    from makar.generation.cloning import AgreedVoice


def agreed_example(recording: Path | None, who: str | None, consent: Path | None) -> "AgreedVoice | None":
    """Return the voice of a recording, ``None`` where none was named.

    Args:
        recording: Of ``--example``.
        who: Of ``--voice-of``.
        consent: Of ``--consent``.

    Raises:
        UsageError: One of them is missing.
        ConsentError: Nobody agreed.
    """
    if recording is None:
        if who is not None or consent is not None:
            raise UsageError(
                "whose voice it is, and no recording of it", expected="--example with --voice-of and --consent"
            )
        return None
    if who is None:
        raise UsageError("an example of a voice, and nobody says whose", expected="--voice-of NAME and --consent FILE")
    from makar.api.consent import agreed_voice

    return agreed_voice(recording, who=who, consent=consent)
