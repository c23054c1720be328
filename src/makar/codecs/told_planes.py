"""How many channels pitch, energy and the speaker take in what is said of every frame; no NumPy, since lists of recipes count with it."""

PITCH_PLANES = 41
"""One a semitone, from 50 to 504 Hz."""

PROSODY_PLANES = PITCH_PLANES + 1
"""And one for the energy."""

SPEAKER_PLANES = 16
"""Directions at most in which speakers are told apart."""
