"""Music goes through the verbs: inspect, plan, train, generate, edit, evaluate, verify; a given part comes out note for note."""

import pytest

import makar
from makar.api.model import verify
from makar.data.midi import read_midi
from makar.data.score import midi_of, score_of_midi, score_of_voices, voices_of
from makar.errors import UnsupportedError
from tests.cli.small_models import see
from tests.generation.small_composer import chorale, train_composer


@pytest.fixture
def composer(tmp_path, monkeypatch):
    monkeypatch.setenv("MAKAR_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    train_composer(tmp_path)
    return makar.load("composer")


def piece(path):
    return score_of_midi(read_midi(path.read_bytes(), may_be_silent=True))


def test_music_goes_through_the_verbs(composer, tmp_path):
    inspected = see("inspect", "chorales", "--json").values
    assert inspected["medium"] == "music" and set(inspected["labels"]) == {"hymns", "motets"}
    assert "musenet" in see("plan", "chorales", "--for", "1m", "--json").output
    see("generate", "composer", "-n", "2", "--max-tokens", "60")
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {
        f"000{n}.{end}" for n in (1, 2) for end in ("mid", "mid.makar.json", "png", "wav", "wav.makar.json")
    }
    for name in ("0001.mid", "0001.png", "0001.wav"):
        checked = verify(tmp_path / "out" / name)
        assert checked.is_intact, checked.first_broken
    assert (tmp_path / "out" / "0001.wav").read_bytes()[:4] == b"RIFF"
    (tmp_path / "out" / "0001.mid").write_bytes(midi_of(chorale(3)))
    assert not verify(tmp_path / "out" / "0001.mid").is_intact
    told = see("generate", "composer", "key=D style=hymns", "-n", "1", "--json").values
    assert told[0]["manifest"]["prompt"] == "key=D style=hymns" and told[0]["manifest"]["content"]["kind"] == "midi"
    assert "polka" in see("generate", "composer", "style=polka", code=2).messages
    assert "a piece of music cannot be written" in see("generate", "composer", "-o", "x.txt", code=2).messages
    assert "gramophone" in see("generate", "composer", "--set", "player=gramophone", code=2).messages


def test_the_same_seed_gives_the_same_piece(composer):
    first, again, other = (
        composer.generate(seed=seed, options={"max_tokens": 300, "temperature": 1.0})[0].content for seed in (3, 3, 4)
    )
    assert first.notation == again.notation and first.midi == again.midi != other.midi


def test_parts_are_written_to_a_part_that_is_given(composer, tmp_path):
    given = chorale(2)
    (tmp_path / "given.mid").write_bytes(midi_of(given))
    for part, name in enumerate(("soprano", "alto", "tenor", "bass")):
        (asset,) = composer.edit(tmp_path / "given.mid", how={"keep": name})
        made = score_of_midi(read_midi(asset.content.midi))
        assert made.is_grid and voices_of(made)[part] == voices_of(given)[part]
        assert asset.manifest["edit"]["operation"] == "harmonise" and asset.manifest["edit"]["settings"]["keep"] == name
    with pytest.raises(UnsupportedError, match="gramophone"):
        composer.edit(tmp_path / "given.mid", how={"keep": "alto"}, options={"player": "gramophone"})
    melody = score_of_voices([voices_of(given)[0], *[[None] * given.steps] * 3])
    (tmp_path / "melody.mid").write_bytes(midi_of(melody))
    see("edit", "composer", "melody.mid", "--keep", "soprano", "-o", "four.mid", "--prompt", "key=D")
    made = piece(tmp_path / "four.mid")
    top = {(note.start, note.pitch, note.duration) for note in made.notes}
    assert {(note.start, note.pitch, note.duration) for note in melody.notes} <= top
    assert len({note.start for note in made.notes}) >= 4 and verify("four.mid").is_intact


def test_a_piece_goes_on_where_it_ends(composer, tmp_path):
    given = chorale(4)
    (tmp_path / "given.mid").write_bytes(midi_of(given))
    lengths = []
    for seed in ("0", "1", "2", "3"):
        words = ["--go-on", "--max-tokens", "200", "--temperature", "1", "--seed", seed]
        see("edit", "composer", "given.mid", "-o", f"{seed}.mid", *words)
        made = piece(tmp_path / f"{seed}.mid")
        assert [note for note in made.notes if note.end < given.steps] == [
            note for note in given.notes if note.end < given.steps
        ]
        lengths.append(made.steps)
    # A model of twenty steps may also say at once that the piece is over.
    assert min(lengths) >= given.steps and max(lengths) > given.steps


@pytest.mark.parametrize(
    "words, said",
    [
        (["given.mid", "--keep", "viola"], "viola"),
        (["given.mid", "--go-on", "--prompt", "key=H"], 'the key "H"'),
        *(
            pytest.param(words, said, marks=pytest.mark.slow)
            for words, said in (
                (["given.mid"], "nothing says what to change"),
                (["given.mid", "--keep", "bass", "--go-on"], "both"),
                (["given.mid", "--denoise"], '"operation" for a piece of music'),
                (["absent.mid", "--go-on"], "there is no file"),
                (["given.mid", "--go-on", "--prompt", "tempo=96"], "beside a piece"),
            )
        ),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is_made(composer, tmp_path, words, said):
    (tmp_path / "given.mid").write_bytes(midi_of(chorale(1)))
    assert said in see("edit", "composer", *words, code=2).messages


def test_a_model_of_music_is_measured(composer, tmp_path):
    report = composer.evaluate(folder=tmp_path / "report", samples=4).to_dictionary()
    scores = report["scores"] | report["novelty"]
    assert {"perplexity", "in_key", "key_obeyed", "apart_intervals", "longest_run", "nats_per_pitch"} <= set(scores)
    assert scores["in_key"]["baselines"]["real, held out"]["value"] > 0.8
    assert 0 <= scores["apart_intervals"]["value"] <= 1
    assert (tmp_path / "report" / "report.html").read_text(encoding="utf-8").count("Piano roll") >= 1
