"""A piece is heard: every pitch sounds where it stands, the same every time; a picture shows every note."""

import io
import json
import wave

import numpy as np
import pytest

from makar.data import instruments
from makar.data.instruments import FAMILIES, sound_of
from makar.data.score import score_of
from makar.errors import UnsupportedError
from makar.generation import synthesiser
from makar.generation.finishing import read_finishing
from makar.generation.piano_roll import PITCH_PIXELS, STEP_PIXELS, piano_roll
from makar.generation.piece import renderings, written_piece
from makar.generation.synthesiser import rendered, wav_bytes

RATE = 22_050


def strongest(sound):
    """Return the frequency that is strongest in some sound."""
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
    return np.argmax(spectrum) * RATE / len(sound)


@pytest.mark.parametrize("program", range(0, 128, 8))
@pytest.mark.parametrize("pitch", [48, 69])
def test_every_instrument_plays_the_pitch(program, pitch):
    sound = sound_of(score_of(f"m4/4 q96 bar p0 i{program} n{pitch} d16"))
    frequency = 440 * 2 ** ((pitch - 69) / 12)
    multiples = [multiple for multiple, _ in FAMILIES[program // 8].partials]
    assert any(abs(strongest(sound[2000:20000]) / frequency - multiple) < 0.03 * multiple for multiple in multiples)


def test_notes_stand_at_their_times_and_rests_are_silent():
    sound = sound_of(score_of("m4/4 q120 bar p0 i19 n69 d2 p8 n76 d2"))
    step = RATE * 60 / 120 / 4
    assert np.abs(sound[int(4.5 * step) : int(7.5 * step)]).max() < 1e-6
    assert abs(strongest(sound[int(8.2 * step) : int(9.8 * step)]) - 659.3) < 15


def test_it_is_the_same_every_time_and_never_too_loud():
    score = score_of("m4/4 q96 " + "bar p0 i0 n60 d4 n64 d4 n67 d4 n72 d4 i128 n36 d1 n42 d1 " * 4)
    first, again = rendered(score), rendered(score)
    assert first == again and first[1] == "makar"
    assert 0.8 < np.abs(sound_of(score)).max() <= 0.9 + 1e-6
    with wave.open(io.BytesIO(first[0])) as file:
        assert (file.getframerate(), file.getsampwidth(), file.getnchannels()) == (RATE, 2, 1)
        assert abs(file.getnframes() / RATE - score.seconds()) < 0.5


def test_silence_is_silence():
    assert not np.frombuffer(wav_bytes(sound_of(score_of("m4/4 q96"))), "<i2", offset=44).any()


def test_a_player_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setattr("makar.generation.synthesiser.shutil.which", lambda name: None)
    for player in ("fluidsynth", "gramophone"):
        with pytest.raises(UnsupportedError, match="apt install fluidsynth"):
            rendered(score_of("m4/4 q96 bar p0 n60 d4"), by=player)


def test_a_player_is_asked_for_before_anything_is_drawn_and_plays(monkeypatch, tmp_path):
    with pytest.raises(UnsupportedError, match="gramophone"):
        read_finishing({"player": "gramophone"}, medium="music")
    assert read_finishing({"player": "gramophone"}, medium="text")[1] == {"player": "gramophone"}
    # A program that is called as fluidsynth is and writes what it was given.
    program = tmp_path / "fluidsynth"
    program.write_text('#!/bin/sh\ncp "$7" "$3"\n')
    program.chmod(0o755)
    (tmp_path / "small.sf2").touch()
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("MAKAR_HOME", str(tmp_path))
    monkeypatch.setattr(synthesiser, "SOUNDFONTS", (str(tmp_path),))
    finishing, rest = read_finishing({"player": "fluidsynth", "top_k": 3}, medium="music")
    assert rest == {"top_k": 3}
    made = written_piece("m4/4 q96 bar p0 i0 n60 d4", player=finishing.player)
    shown = renderings(made, {"id": "0" * 32, "content": {"sha256": "0" * 64}})
    assert shown[".wav"] == made.midi
    said = json.loads(shown[".wav.makar.json"])["manifest"]["content"]["player"]
    assert said == "fluidsynth with small.sf2"
    program.write_text("#!/bin/sh\nexit 1\n")
    assert list(renderings(made, {"id": "0" * 32, "content": {"sha256": "0" * 64}})) == [".png"]


def test_a_piece_of_hours_is_not_played():
    with pytest.raises(UnsupportedError, match="minutes"):
        sound_of(score_of("m4/4 q40 " + "bar " * 4000 + "p0 n60 d4"))


def test_a_piece_that_is_too_long_to_be_played_is_still_written(monkeypatch, tmp_path):
    monkeypatch.setenv("MAKAR_HOME", str(tmp_path))
    made, manifest = written_piece("m4/4 q96 bar p0 i0 n60 d4"), {"id": "0" * 32, "content": {"sha256": "0" * 64}}
    assert list(renderings(made, manifest)) == [".png", ".wav", ".wav.makar.json"]
    monkeypatch.setattr(instruments, "LONGEST_SECONDS", 0.1)
    assert list(renderings(made, manifest)) == [".png"]


def test_a_picture_has_a_bar_of_colour_for_every_note():
    picture = piano_roll(score_of("m4/4 q96 bar p0 i0 n60 d4 p8 n72 d2 i40 n48 d16"))
    coloured = (picture.max(2).astype(int) - picture.min(2)) > 60
    assert coloured.sum() == sum((steps * STEP_PIXELS - 1) * (PITCH_PIXELS - 1) for steps in (4, 2, 16))
    assert picture.shape[1] == 24 * STEP_PIXELS or picture.shape[1] == 32 * STEP_PIXELS
