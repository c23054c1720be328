"""Somebody's voice after one recording: the example, and the record in which they agreed, without which nothing is spoken.

The example is the recording of the record itself, the one in which they say that they agree: its hash stands in the record, so nobody's
agreement can be used for another voice. The record is checked again whenever something is spoken, and the manifest names it.
"""

import dataclasses
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from makar.config import Config
from makar.data.sound import Sound
from makar.errors import ConfigError, ConsentError
from makar.generation.given_sound import read_given_sound
from makar.provenance.consent import Consent, check_consent

EXAMPLE = "example"
SCOPE = "voice"


@dataclasses.dataclass(frozen=True, eq=False)
class AgreedVoice:
    """A recording of somebody who agreed; made with ``agreed_voice``.

    Attributes:
        sound: The recording.
        consent: The record.
    """

    sound: Sound
    consent: Consent

    def check(self) -> None:
        """Refuse a consent that does not hold any more.

        Raises:
            ConsentError: It is over, or was taken back.
        """
        check_consent(self.consent, scope=SCOPE)

    @property
    def stated(self) -> dict[str, Any]:
        """What a manifest says of it."""
        return {"consent": [self.consent.stated()], "example": {"sha256": self.consent.recording}}


def agreed_voice(recording: Any, *, who: str, consent: Consent) -> AgreedVoice:
    """Return the voice of somebody who agreed.

    Args:
        recording: The recording in which they say so: a path, or the bytes of a file.
        who: Their name.
        consent: Their record.

    Raises:
        ConsentError: They did not agree that a model speaks with their voice, or this is another recording.
        DataError: The file is no sound.
    """
    check_consent(consent, scope=SCOPE, who=who)
    content, sound = read_given_sound(recording)
    if sha256(content).hexdigest() != consent.recording:
        raise ConsentError(
            "the example is not the recording of the consent",
            expected=f"the recording in which {consent.who} agrees: its hash stands in the record",
            do=f'makar consent record RECORDING --who "{consent.who}" --scope voice',
        )
    return AgreedVoice(sound, consent)


def read_example(options: Mapping[str, Any] | Config | None) -> tuple[AgreedVoice | None, dict[str, Any] | Config]:
    """Take the example of a voice out of the controls.

    Args:
        options: Controls by name, an ``AgreedVoice`` as ``example`` among them; or the sampler's own.

    Returns:
        The voice, ``None`` where none was given, and the controls that are left.

    Raises:
        ConfigError: It is none: a name or a path is not enough, since nobody was asked.
    """
    if isinstance(options, Config):
        return None, options
    rest = dict(options or {})
    voice = rest.pop(EXAMPLE, None)
    if voice is not None and not isinstance(voice, AgreedVoice):
        raise ConfigError(
            f"{EXAMPLE} is {str(voice)[:60]!r}",
            expected="a voice of makar.agreed_voice, which asks for the consent; in the shell --example, --voice-of, --consent",
        )
    return voice, rest
