"""A few chorales by rule, and a model that has heard them for a moment."""

from makar.data.score import midi_of, score_of_voices
from tests.cli.small_models import TEXT_SETTINGS, see

CHORDS = ((72, 67, 64, 48), (74, 67, 62, 47), (76, 67, 60, 48), (77, 69, 60, 41), (79, 67, 59, 43))


def chorale(number):
    """Return a piece of four parts that depends on a number."""
    steps = [CHORDS[(number + place * (1 + number % 3)) % len(CHORDS)] for place in range(4 + number % 3)]
    shift = number % 4
    return score_of_voices([[step[part] + shift for step in steps for _ in range(4)] for part in range(4)])


def write_chorales(folder, *, count=14):
    """Write chorales in two styles as MIDI into a folder."""
    for number in range(count):
        place = folder / ("hymns" if number % 2 else "motets")
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{number}.mid").write_bytes(midi_of(chorale(number)))
    return folder


def train_composer(folder):
    """Train ``composer`` by the shell on chorales below a folder."""
    see("train", write_chorales(folder / "chorales"), "--steps", "20", "-o", "composer", *TEXT_SETTINGS)
