"""Nobody's voice is learned by name without their record; what was agreed goes into model and recordings, and can be taken back."""

import makar
from makar.api.model import verify
from tests.cli.small_models import see
from tests.recipes.spoken_data import SPEECH_SETTINGS, write_spoken

WORDS = ["--recipe", "speech", "--steps", "2", *SPEECH_SETTINGS, "-o", "voice"]


def test_a_voice_is_learned_with_consent_only(tmp_path, monkeypatch):
    monkeypatch.setenv("MAKAR_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    write_spoken(tmp_path / "data", count=8)
    train = ["train", "data", *WORDS, "--voice-of", "Anna"]
    refused = see(*train, code=2)
    assert "no consent of Anna" in refused.messages and "makar consent record" in refused.messages
    see("consent", "record", "data/1.wav", "--who", "Anna", "--scope", "face", "-o", "face.json")
    assert "not to voice" in see(*train, "--consent", "face.json", code=2).messages
    made = see("consent", "record", "data/1.wav", "--who", "Anna", "--scope", "voice", "--json").values
    assert made["file"] == "data/1.consent.json" and made["holds"]
    assert "Bob" in see(*train, "--voice-of", "Bob", "--consent", made["file"], code=2).messages
    assert "--voice-of" in see("train", "data", *WORDS, "--consent", made["file"], code=2).messages
    sound = [*train, "--consent", made["file"]]
    sound[sound.index("speech")] = "sound"
    assert "speech-voices" in see(*sound, code=2).messages
    see(*train, "--consent", made["file"])
    see("generate", "voice", "low high", "-o", "said.wav", "--set", "steps=2")
    model = makar.load("voice")
    (asset,) = model.generate("low", options={"steps": 2})
    for stated in (model.artifact.manifest["data"]["consent"], asset.manifest["data"]["consent"]):
        assert stated == [
            {"who": "Anna", "scopes": ["voice"], "date": made["date"], "until": None, "hash": made["hash"]}
        ]
    assert "Anna" in (model.artifact.path / "README.md").read_text(encoding="utf-8")
    assert verify("said.wav").is_intact
    assert see("consent", "verify", made["file"], "--recording", "data/1.wav").code == 0
    assert "not the recording" in see("consent", "verify", made["file"], "--recording", "data/2.wav", code=2).messages
    more = ["train", "data", "--from", "voice", "--steps", "2"]
    see(*more, "-o", "plain")
    see("consent", "record", "data/2.wav", "--who", "Bob", "--scope", "voice", "-o", "bob.json")
    see(*more, "--voice-of", "Bob", "--consent", "bob.json", "-o", "both")
    assert [one["who"] for one in makar.load("both").artifact.manifest["data"]["consent"]] == ["Anna", "Bob"]
    see("consent", "revoke", made["file"])
    for name in ("plain", "both"):
        assert "Anna" in see("generate", name, "low", code=2).messages
    assert "Anna" in see(*more, "-o", "third", code=2).messages
    assert "took the consent back" in see("generate", "voice", "low", code=2).messages
    assert "took the consent back" in see("consent", "verify", made["file"], code=1).output
    assert (
        "took the consent back" in see(*train[:-1], "Anna", "--consent", made["file"], "-o", "second", code=2).messages
    )
