"""Sound files: samples come back bit for bit, whatever form holds them; long ones are cut; what is damaged or silent is refused."""

import io
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from makar.data import sound_reader
from makar.data.dataset import open_dataset
from makar.data.sound import Sound, resampled
from makar.data.sound_reader import PIECE_SECONDS, read_pieces, read_sound
from makar.data.spectrogram import decibels_of, mel_decibels, mel_filters, picture_of
from makar.data.wave_file import on_grid, wave_bytes
from makar.errors import DataError, EmptyDataError
from tests.data.test_dataset import reasons

RATE = 8000


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def tone(pitch=440.0, *, seconds=0.5, rate=RATE, channels=1, level=0.5):
    times = np.arange(round(seconds * rate)) / rate
    wave = on_grid(level * np.sin(2 * np.pi * pitch * times)).astype(np.float32)
    return Sound(np.repeat(wave[:, None], channels, axis=1), rate)


@given(st.integers(0, 2**32 - 1), st.sampled_from([16, 24, 32]), st.integers(1, 3), st.integers(0, 50))
@settings(max_examples=40, deadline=None)
def test_samples_come_back_bit_for_bit(seed, bits, channels, count):
    draw = np.random.default_rng(seed)
    values = draw.uniform(-1, 1, (count, channels)).astype(np.float32)
    if bits == 16 and count:
        values[0] = -1.0
    sound = Sound(on_grid(values, bits=bits) if bits < 32 else values * 3, 22_050)
    data = wave_bytes(sound, remarks={"ISFT": "Makar", "ICMT": "odd"})
    blocks = list(sound_reader.wave_blocks(io.BytesIO(data)))
    back = np.concatenate([block.samples for block in blocks]) if blocks else np.zeros((0, channels), np.float32)
    assert np.array_equal(back, sound.samples) and all(block.rate_hz == 22_050 for block in blocks)


def test_a_file_says_how_its_samples_are_kept():
    forms = {
        bits: struct.unpack("<HHIIHH", wave_bytes(sound)[20:36])
        for bits, sound in (
            (16, tone()),
            (24, Sound(on_grid(tone().samples * 0.33333, bits=24), RATE)),
            (32, Sound(tone().samples * 4, RATE)),
        )
    }
    assert {bits: (form[0], form[5]) for bits, form in forms.items()} == {16: (1, 16), 24: (1, 24), 32: (3, 32)}


@pytest.mark.parametrize(
    "form, subtype",
    [("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("WAV", "ULAW"), ("WAV", "PCM_U8"), ("AIFF", "PCM_16"), ("MP3", None)],
)
def test_other_forms_are_read(form, subtype):
    soundfile = pytest.importorskip("soundfile")
    whole = tone(seconds=0.7, channels=2)
    file = io.BytesIO()
    soundfile.write(file, whole.samples, RATE, format=form, subtype=subtype)
    back = read_sound(file.getvalue())
    assert back.rate_hz == RATE and back.shape[1] == 2 and abs(back.seconds - 0.7) < 0.2
    if form in ("FLAC", "AIFF"):
        assert np.array_equal(back.samples, whole.samples)
    else:
        loud = np.abs(back.samples[1000:4000]).max()
        assert 0.4 < loud < 0.6


@pytest.mark.parametrize(
    "form, coding, rate", [("ipod", "aac", 16_000), ("matroska", "libopus", 48_000), ("webm", "libopus", 48_000)]
)
def test_sound_in_containers_of_films_is_read(form, coding, rate):
    av = pytest.importorskip("av")
    wave = tone(900, seconds=1, rate=rate).samples.T
    file = io.BytesIO()
    with av.open(file, "w", format=form) as writing:
        track = writing.add_stream(coding, rate=rate)
        track.layout = "mono"
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(wave), format="fltp", layout="mono")
        frame.rate = rate
        writing.mux(track.encode(frame))
        writing.mux(track.encode())
    sound = read_sound(file.getvalue())
    assert sound.rate_hz == rate and abs(sound.seconds - 1) < 0.2 and 0.3 < np.abs(sound.samples).max() < 0.8
    file.seek(0)
    assert sum(piece.seconds for piece in read_pieces(file)) == pytest.approx(sound.seconds)
    with pytest.raises(DataError, match="read"):
        read_sound(file.getvalue()[:100])


def test_a_sound_that_no_machine_holds_is_refused(monkeypatch):
    monkeypatch.setattr(sound_reader, "MOST_NUMBERS", 1000)
    assert len(read_sound(wave_bytes(Sound(np.zeros((1000, 1), np.float32), RATE))).samples) == 1000
    with pytest.raises(DataError, match="held as a whole"):
        read_sound(wave_bytes(Sound(np.zeros((1001, 1), np.float32), RATE)))


def test_a_long_recording_is_cut_into_pieces_and_its_rest_left_out():
    long = tone(seconds=2 * PIECE_SECONDS + 0.2)
    pieces = list(read_pieces(io.BytesIO(wave_bytes(long))))
    assert [piece.seconds for piece in pieces] == [PIECE_SECONDS] * 2
    assert np.array_equal(np.concatenate([piece.samples for piece in pieces]), long.samples[: 10 * RATE])


def test_a_recording_with_words_is_whole_or_refused():
    long = tone(seconds=9)
    (piece,) = read_pieces(io.BytesIO(wave_bytes(long)), has_words=True)
    assert np.array_equal(piece.samples, long.samples)
    with pytest.raises(DataError, match="one text for all of it"):
        list(read_pieces(io.BytesIO(wave_bytes(tone(seconds=16))), has_words=True))


def test_silence_is_no_piece():
    quiet = np.zeros((6 * RATE, 1), np.float32)
    quiet[-RATE:] = tone(seconds=1).samples
    (piece,) = read_pieces(io.BytesIO(wave_bytes(Sound(quiet, RATE))))
    assert piece.seconds == 1
    with pytest.raises(DataError, match="silence"):
        list(read_pieces(io.BytesIO(wave_bytes(Sound(quiet[: 5 * RATE], RATE)))))


@pytest.mark.parametrize(
    "data, word",
    [
        (b"RIFF\x00\x00\x00\x00WAVE", "cut off"),
        (wave_bytes(tone())[:30], "format"),
        (
            wave_bytes(tone())[:20] + struct.pack("<HHIIHH", 1, 0, 8000, 0, 0, 16) + wave_bytes(tone())[36:],
            "0 channels",
        ),
        (wave_bytes(Sound(np.full((10, 1), np.nan, np.float32), RATE)), "no numbers"),
        (b"fLaC" + b"\x00" * 50, "read"),
        (b"OggS" + b"\xff" * 50, "read"),
        (b"ID3\x03" + b"\x00" * 300, "read"),
    ],
)
def test_a_damaged_file_is_refused_with_a_reason(data, word):
    pytest.importorskip("soundfile")
    with pytest.raises(DataError, match=word):
        read_sound(data)


def test_a_wav_file_that_ends_early_gives_what_there_is():
    data = wave_bytes(tone())
    assert len(read_sound(data[: len(data) // 2]).samples) < len(tone().samples)


def test_folders_of_sounds_are_a_data_set(tmp_path):
    for kind, pitch in (("high", 1500), ("low", 200)):
        for number in range(6):
            write(tmp_path / kind / f"{number}.wav", wave_bytes(tone(pitch + 10 * number, seconds=0.3 + 0.1 * number)))
    write(tmp_path / "high" / "0.txt", b"a high tone")
    write(tmp_path / "low" / "silent.wav", wave_bytes(Sound(np.zeros((900, 1), np.float32), RATE)))
    write(tmp_path / "low" / "broken.wav", wave_bytes(tone())[:15])
    write(tmp_path / "low" / "copy.wav", wave_bytes(tone(200, seconds=0.3)))
    data = open_dataset(tmp_path)
    found = data.inspection
    assert data.medium == "sound" and found.labels == {"high": 6, "low": 7}
    assert found.sizes["rates_hz"] == {"8000": 13} and found.sizes["seconds"]["most"] == 0.8
    assert found.duplicates["exact"] == 1 and found.captions == 1
    assert any("silence" in reason for reason in reasons(data)) and any("cut off" in reason for reason in reasons(data))
    records = [record for split in ("train", "inner", "held_out") for record in data.records(split)]
    assert len(records) == 12 and all(isinstance(record.content, Sound) for record in records)
    assert {record.caption for record in records} == {None, "a high tone"}


def test_near_copies_of_a_sound_are_found(tmp_path):
    draw = np.random.default_rng(0)
    for number in range(8):
        pitches = draw.uniform(200, 3000, 4)
        wave = sum(
            tone(pitch, seconds=1.0, level=0.2).samples[:, 0] * np.hanning(RATE) ** (n + 1)
            for n, pitch in enumerate(pitches)
        )
        write(tmp_path / f"{number}.wav", wave_bytes(Sound(on_grid(wave)[:, None], RATE)))
        if number < 2:
            write(tmp_path / f"{number} quieter.wav", wave_bytes(Sound(on_grid(0.9 * wave)[:, None], RATE)))
    assert open_dataset(tmp_path).inspection.duplicates["near"] == 2


def test_only_silence_is_no_data(tmp_path):
    for number in range(4):
        write(tmp_path / f"{number}.wav", wave_bytes(Sound(np.zeros((900 + number, 1), np.float32), RATE)))
    with pytest.raises(EmptyDataError, match="silence"):
        open_dataset(tmp_path)


@pytest.mark.parametrize(
    "samples, rate", [(np.zeros(5, np.float32), 8000), (np.zeros((5, 1)), 8000), (np.zeros((5, 1), np.float32), 0)]
)
def test_what_is_no_sound_is_refused(samples, rate):
    with pytest.raises(DataError):
        Sound(samples, rate)


def test_another_rate_keeps_the_pitch():
    pytest.importorskip("soxr")
    other = resampled(tone(500, rate=16_000), 8000)
    spectrum = np.abs(np.fft.rfft(other.mono()))
    assert other.rate_hz == 8000 and abs(np.argmax(spectrum) * 8000 / len(other.samples) - 500) < 3
    assert resampled(other, 8000) is other


def test_bands_are_those_of_the_mel_scale():
    # Slaney's filters, of height 1: centres are even below 1 kHz and grow by a constant factor above.
    filters = mel_filters(16_000, window=2048, mels=80)
    assert filters.shape == (80, 1025) and filters.max() <= 1
    centres = (filters * np.linspace(0, 8000, 1025)).sum(1) / filters.sum(1)
    steps = np.diff(centres[centres < 900])
    assert np.abs(steps[2:] / steps[2:].mean() - 1).max() < 0.1
    growth = centres[50:70] / centres[49:69]
    assert np.abs(growth / growth.mean() - 1).max() < 0.02
    # Between the outer peaks every frequency counts once in all.
    assert np.allclose(filters.sum(0)[20:980], 1, atol=1e-5)


def test_a_full_scale_sine_is_as_loud_as_the_scale_says():
    loudness = mel_decibels(tone(1000, seconds=1, rate=16_000, level=1.0).mono(), rate_hz=16_000, hop=256, mels=80)
    # Most of its power is in one band.
    assert abs(loudness[:, 10:-10].max()) < 2 and loudness.shape == (80, 63)


def test_a_picture_keeps_what_is_within_its_range():
    loudness = np.random.default_rng(0).uniform(-70, 0, (40, 20)).astype(np.float32)
    picture = picture_of(loudness, loudest=0.0)
    assert picture.dtype == np.uint8 and np.abs(decibels_of(picture, loudest=0.0) - loudness).max() < 0.16
    assert picture_of(np.full((2, 2), -200.0), loudest=0.0).max() == 0
