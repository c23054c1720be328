"""What a conversation needs to be spoken to and to answer aloud: a model that writes down recordings, and one that reads texts.

ear, voice = Listener(makar.load("listener")), Reader("voice")
voice.read(talk.reply(ear.heard("question.wav"))).save("answer.wav")
"""

from pathlib import Path
from typing import TYPE_CHECKING

from makar.api.model import Model, load
from makar.api.speaking import place_and_voice
from makar.codecs.prosody import AS_IT_IS
from makar.errors import EmptyDataError, UnknownNameError, UnsupportedError, UsageError
from makar.families.recogniser.config import TRANSCRIPT

if TYPE_CHECKING:
    from makar.generation.asset import Asset


class Listener:
    """Writes down what is said in recordings.

    Args:
        model: A model that writes down speech.

    Raises:
        UnsupportedError: It writes down nothing.
    """

    def __init__(self, model: Model) -> None:
        if TRANSCRIPT not in model.artifact.family_config.predictions:
            raise UnsupportedError(
                f"{model.short_name} as a listener, which writes down nothing",
                expected='a model of the recipe "recogniser", or a checkpoint such as Whisper',
                do="makar train RECORDINGS --recipe recogniser",
            )
        self._model = model

    def heard(self, said: str) -> str:
        """Return what is said in a recording; a text that is not the name of one is what is said.

        Args:
            said: A sound file, by the suffix of its name, or words.

        Raises:
            UsageError: There is no such file.
            DataError: It is no sound.
            EmptyDataError: No words are heard in it.
        """
        from makar.generation.transcribing import SUFFIXES

        path = Path(said.strip())
        if not said.strip().lower().endswith(SUFFIXES):
            return said
        if not path.is_file():
            raise UsageError(f"there is no recording {path}", expected="a sound file, or words")
        text = str(self._model.predict(path)[0]["text"])
        if not text.strip():
            raise EmptyDataError(f"no words are heard in {path}", expected="a recording in which somebody speaks")
        return text


class Reader:
    """Reads answers aloud.

    Args:
        place: A model of speech, ``MODEL`` or ``MODEL:LABEL`` for one of its voices.
        seed: Seed of the first recording; the next has the next.

    Raises:
        UnsupportedError: It does not speak.
        UsageError: It speaks with several voices, and none is named, or only after an example.
        UnknownNameError: There is no such model or voice.
    """

    def __init__(self, place: str, *, seed: int = 0) -> None:
        from makar.generation.prompts import NamesClasses
        from makar.generation.speaking import Speaks

        source, self._label = place_and_voice(place)
        self._model, self._seed = load(source), seed
        codec = self._model.artifact.codec()
        if not isinstance(codec, Speaks):
            raise UnsupportedError(
                f"{source} as a voice, which does not speak",
                expected='a model of the recipe "speech" or "speech-voices"',
            )
        names = list(codec.class_names) if isinstance(codec, NamesClasses) else []
        if self._label is None and len(names) > 1:
            raise UsageError(
                f"{source} speaks with {len(names)} voices, and none is named",
                expected=f"one of: {', '.join(names)}",
                do=f"{source}:{names[0]}",
            )
        if self._label is not None and self._label not in names:
            raise UnknownNameError("voice", self._label, names)
        # What keeps it from speaking at all, such as an example that it needs, is said before anything else.
        codec.scripts("one", manner=AS_IT_IS, voice=self._label)

    def read(self, text: str) -> "Asset":
        """Return a text as a signed recording.

        Args:
            text: What is spoken, however long.

        Raises:
            UnsupportedError: There is nothing in it that this model can speak.
        """
        options = {} if self._label is None else {"label": self._label}
        (asset,) = self._model.generate(text, seed=self._seed, options=options)
        self._seed += 1
        return asset
