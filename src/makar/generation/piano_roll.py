"""A piece of music as a picture: time to the right, pitch upwards, a colour for every part, a line at every bar and at every C."""

import numpy as np

from makar.data.score import Score

COLOURS = (
    (31, 119, 180),
    (214, 80, 20),
    (44, 140, 60),
    (150, 70, 170),
    (190, 140, 0),
    (0, 150, 150),
    (200, 60, 120),
    (110, 110, 110),
)
PAPER, LINE, OCTAVE_LINE = (250, 250, 248), (225, 225, 222), (235, 238, 245)
STEP_PIXELS, PITCH_PIXELS, MARGIN = 4, 5, 3
WIDEST_STEPS = 1024
"""Sixteenths of a picture; what comes after is not drawn."""


def piano_roll(score: Score) -> np.ndarray:
    """Return a picture of a piece, uint8 ``[height, width, 3]``."""
    steps = max(1, min(score.steps, WIDEST_STEPS))
    pitches = [note.pitch for note in score.notes] or [60]
    low, high = min(pitches) - MARGIN, max(pitches) + MARGIN
    picture = np.full(((high - low + 1) * PITCH_PIXELS, steps * STEP_PIXELS, 3), PAPER, np.uint8)
    for pitch in range(low, high + 1):
        if pitch % 12 == 0:
            picture[_rows(pitch, high)] = OCTAVE_LINE
    for step in range(0, steps, score.bar_steps):
        picture[:, step * STEP_PIXELS] = LINE
    for note in score.notes:
        left, right = note.start * STEP_PIXELS, min(note.end, steps) * STEP_PIXELS
        if left < right:
            # The last column stays free, so that a note that is struck again is seen as two.
            picture[_rows(note.pitch, high), left : right - 1] = COLOURS[note.part % len(COLOURS)]
    return picture


def _rows(pitch: int, high: int) -> slice:
    top = (high - pitch) * PITCH_PIXELS
    return slice(top, top + PITCH_PIXELS - 1)
