"""What checkpoints of others speak is what transformers itself makes of the same seed, signed like ours; what they cannot do is said."""

import json

import numpy as np
import pytest
import torch
import transformers

from makar.api.model import load, verify
from makar.api.speaking import speak
from makar.errors import ArtifactError, IntegrityError, UnknownNameError, UnsupportedError, UsageError
from makar.families.family import build_family
from makar.families.pretrained.letter_pieces import LetterPieces
from makar.families.pretrained.opening import quiet
from makar.serving.work import begin, facts_of
from tests.cli.small_models import see
from tests.families.pretrained.tiny_sounds import Saved, letter_pieces, save
from tests.recipes.spoken_data import write_spoken

TEXT = "the fox ran"
STEP = 1 / 32768 + 1e-6
"""The loudest sample of 16 bits is one step below 1."""


def slow(*values):
    return pytest.param(*values, marks=pytest.mark.slow)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    place = tmp_path_factory.mktemp("speakers")
    return Saved(place, vits=("vits", {}), voices=("vits", {"voices": 3}), speecht5=("speecht5", {}))


def spoken(folder, text=TEXT, **how):
    (asset,) = load(folder).generate(text, **how)
    return asset


@pytest.mark.parametrize("name, label, speed", [("vits", None, 1.0), slow("vits", None, 2.0), slow("voices", "2", 1.0)])
def test_a_vits_speaks_as_in_transformers(folders, name, label, speed):
    options = ({} if label is None else {"label": label}) | ({} if speed == 1 else {"speed": speed})
    asset = spoken(folders[name], seed=5, options=options)
    with quiet(), torch.inference_mode():
        network = transformers.VitsModel.from_pretrained(folders[name]).eval()
        given = transformers.VitsTokenizer.from_pretrained(folders[name])(TEXT, return_tensors="pt")
        torch.manual_seed(5)
        made = network(**given, speaking_rate=speed, speaker_id=None if label is None else int(label)).waveform[0]
    assert np.abs(asset.content.samples[:, 0] - made.numpy()).max() <= STEP
    assert len(made) == len(asset.content.samples) and asset.content.rate_hz == 16_000
    stated = {"operation": "speak", "parts": 1, "speed": speed, "pitch": 0.0, "energy": 0.0}
    assert asset.manifest["edit"] == stated


@pytest.mark.slow
def test_seed_voice_noise_and_speed_matter_and_nothing_else_is_moved(folders):
    model = load(folders["voices"])
    (usual,) = model.generate(TEXT)
    torch.manual_seed(1)
    wanted = torch.randn(3)
    torch.manual_seed(1)
    model.generate(TEXT)
    assert torch.equal(torch.randn(3), wanted)
    assert np.array_equal(usual.content.samples, spoken(folders["voices"]).content.samples)
    others = [{"label": "1"}, {"noise": 0.0}, {"rhythm_noise": 0.0}, {"speed": 0.5}]
    for options in others:
        changed = spoken(folders["voices"], options=options).content.samples
        assert changed.shape != usual.content.samples.shape or not np.array_equal(changed, usual.content.samples)
    assert not np.array_equal(usual.content.samples[:200], spoken(folders["voices"], seed=1).content.samples[:200])


@pytest.mark.slow
def test_a_long_text_is_spoken_in_parts(folders):
    asset = spoken(folders["vits"], "the fox ran. " * 30)
    parts = asset.manifest["edit"]["parts"]
    assert parts > 1 and len(asset.content.samples) > parts * 1000 and asset.manifest["prompt"].startswith("the fox")


@pytest.mark.slow
def test_a_speecht5_speaks_as_in_transformers(folders):
    asset = spoken(folders["speecht5"], seed=3, options={"label": "bob"})
    pieces = LetterPieces.read((folders["speecht5"] / "spm_char.model").read_bytes())
    with quiet(), torch.inference_mode():
        network = transformers.SpeechT5ForTextToSpeech.from_pretrained(folders["speecht5"]).eval()
        vocoder = transformers.SpeechT5HifiGan.from_pretrained(folders["speecht5"] / "vocoder").eval()
        vector = torch.from_numpy(np.load(folders["speecht5"] / "voices" / "bob.npy"))[None]
        torch.manual_seed(3)
        made = network.generate_speech(torch.tensor([[*pieces.encode(TEXT), 2]]), vector, vocoder=vocoder)
    scale = max(1.0, float(made.abs().max()))
    assert np.abs(asset.content.samples[:, 0] - made.numpy() / scale).max() <= STEP
    other = spoken(folders["speecht5"], seed=3).content.samples
    assert other.shape != asset.content.samples.shape or not np.array_equal(other, asset.content.samples)


def test_letters_are_pieces_and_pieces_of_words_are_refused():
    pieces = LetterPieces.read(letter_pieces(["\u2581", "a", "b"]))
    assert pieces.encode("a  b\u00aa!") == [4, 5, 4, 6, 5, 3]
    with pytest.raises(UnsupportedError, match="longer than letters"):
        LetterPieces.read(letter_pieces(["ab"])[:-1] + b"\x02")
    for content in (b"", b"\x0a\xff", b"\xff" * 20, b"pickle"):
        with pytest.raises((ArtifactError, UnsupportedError)):
            LetterPieces.read(content)


@pytest.mark.parametrize(
    "name, text, options, kind, message",
    [
        ("vits", "seven of 9", {}, UnsupportedError, "never taught to speak 9"),
        ("vits", "?!", {}, UsageError, "is spoken"),
        ("vits", TEXT, {"label": "ann"}, UnsupportedError, "one voice"),
        slow("voices", TEXT, {"label": "7"}, UnknownNameError, "7"),
        slow("speecht5", TEXT, {"speed": 2.0}, UnsupportedError, "speed 2"),
        slow("speecht5", TEXT, {"noise": 1.0}, UnsupportedError, "noise"),
        slow("speecht5", TEXT, {"label": "eve"}, UnknownNameError, "eve"),
    ],
)
def test_what_a_checkpoint_cannot_do_is_said(folders, name, text, options, kind, message):
    with pytest.raises(kind, match=message):
        spoken(folders[name], text, options=options)


@pytest.mark.slow
def test_what_is_missing_is_said(tmp_path):
    with quiet():
        phones = save("vits", tmp_path / "phones")
        roman = save("vits", tmp_path / "roman", is_uroman=True)
        alone = save("speecht5", tmp_path / "alone", voices=())
    settings = json.loads((phones / "tokenizer_config.json").read_text())
    (phones / "tokenizer_config.json").write_text(json.dumps(settings | {"phonemize": True}))
    with pytest.raises(UnsupportedError, match="espeak-ng"):
        spoken(phones)
    with pytest.raises(UnsupportedError, match="Latin letters"):
        spoken(roman, "лиса")
    with pytest.raises(UnsupportedError, match="vector, and there is none"):
        spoken(alone)
    (alone / "voices").mkdir()
    (alone / "voices" / "eve.npy").write_bytes(b"\x80\x04pickle")
    with pytest.raises(ArtifactError, match="no vector"):
        spoken(alone)
    (alone / "vocoder" / "config.json").unlink()
    with pytest.raises(ArtifactError, match="nothing plays them") as caught:
        load(alone)
    assert "vocoder" in caught.value.do


@pytest.mark.slow
def test_the_shell_speaks_a_file_that_verifies_and_reads_a_script_aloud(folders, tmp_path):
    see("generate", folders["speecht5"], TEXT, "-o", tmp_path / "x.wav", "--label", "ann", "--seed", "4")
    found = verify(tmp_path / "x.wav")
    assert found.is_intact
    manifest = json.loads((tmp_path / "x.wav.makar.json").read_text(encoding="utf-8"))["manifest"]
    assert manifest["prompt"] == TEXT and manifest["data"]["name"] == "unknown" and manifest["seed"] == 4
    write_spoken(tmp_path / "data", count=3)
    measured = see("evaluate", folders["vits"], tmp_path / "data", "-o", tmp_path / "report", code=2)
    assert "makes sound as it came" in measured.messages
    voices = {"ann": str(folders["voices"]) + ":1", "bob": str(folders["vits"])}
    asset = speak("ann: the fox\nbob: ran", voices=voices, form=".wav")
    assert asset.manifest["edit"]["lines"] == 2 and asset.content.samples.any()
    with pytest.raises(UnsupportedError, match="does not say when"):
        speak("ann: the fox", voices=voices, form=".gif")


@pytest.mark.slow
def test_a_worker_knows_the_voices_and_speaks(folders):
    model = load(folders["voices"])
    facts = facts_of(model, {})
    assert facts["classes"] == ["0", "1", "2"] and facts["speaks"]
    ask = {"do": "sound", "prompt": TEXT, "seed": 1, "options": {"label": "2", "speed": 1.5}, "defaults": {}}
    (event,) = begin(model, ask, print)
    assert event["rate_hz"] == 16_000 and event["manifest"]["manifest"]["settings"]["label"] == "2"


@pytest.mark.slow
def test_a_configuration_that_describes_another_checkpoint_is_found(folders):
    config = load(folders["voices"]).artifact.family_config
    assert config.voices == ("0", "1", "2") and config.architecture == "VitsModel"
    others = {"base": "0" * 64, "architecture": "x", "rate_hz": 8000, "channels": 2, "weights": 1}
    for field, value in {**others, "task": "speecht5", "voices": ("ann",)}.items():
        with pytest.raises((ArtifactError, IntegrityError), match=r"is not on this machine|says of its base"):
            build_family(config.changed(**{field: value}))
