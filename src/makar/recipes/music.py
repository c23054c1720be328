"""The recipe for music: the decoder of text over words of a notation (as MuseNet, OpenAI 2019: one transformer over events)."""

from makar.codecs.music_config import MusicCodecConfig
from makar.recipe import Recipe, Stage
from makar.recipes.text import text_family_for

WORDS = 1000
"""Different tokens, about; what is known before the styles are."""


def musenet() -> Recipe:
    """Return the recipe that learns to write music."""
    family, optimisation = text_family_for(4e12, tokens=2_000_000, vocabulary=WORDS)
    stage = Stage(
        name="model",
        codec=MusicCodecConfig(remind_bars=1),
        family=family.changed(vocabulary=0),
        optimisation=optimisation,
    )
    return Recipe(
        name="musenet",
        medium="music",
        summary="writes music (MIDI) like that it learned from: goes on with a piece, harmonises a part, in a key that is told",
        expected="jsb_chorales: 0.60 nats a pitch of the test part after 306 steps of 1,152 words, 0.2 million parameters",
        stages=(stage,),
    )
