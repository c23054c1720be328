"""Every option of every verb changes what can be seen: an option that does nothing would be a lie in the help.

A case gives a command line, the words that the option adds, and what is looked at. The same command twice must look the same, so that a
difference is the option's. What is looked at is content and files, not the settings that a manifest repeats.
"""

import importlib.util
import io
import json
import re
import shutil
import socket
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from makar import registry
from makar.api.data import data_for
from makar.api.model import Model
from makar.artifacts.load import load_artifact
from makar.cli import demo
from makar.data.builtin.backbones import backbone
from makar.data.builtin.effects import effect
from makar.data.builtin.shapes import ALL, shape_clip
from makar.data.midi import read_midi
from makar.data.score import notation_of, score_of_midi
from makar.data.sound import Sound
from makar.data.sound_reader import read_sound
from makar.data.structure_writer import structure_bytes
from makar.data.video_file import video_bytes
from makar.data.wave_file import wave_bytes
from makar.families.diffusion.config import DiffusionConfig
from makar.generation import generate as generating
from makar.generation.library import Library, Wanted
from makar.home import home, library_file, models_folder, runs_folder, stores_folder
from tests.cli.small_models import IMAGE_SETTINGS, TEXT_SETTINGS, hashes, see, write_images
from tests.evaluation.test_suites import pairs, safety_tables
from tests.generation.small_coder import FILE, coder
from tests.generation.small_composer import train_composer
from tests.generation.test_edit import saved
from tests.generation.test_words import saved_reader
from tests.recipes.spoken_data import RECOGNISER_SETTINGS, SPEECH_SETTINGS, sentence, spoken, write_spoken
from tests.recipes.sung_data import sung, write_sung
from tests.serving.server import Server, request
from tests.structure.cli_snapshot import current
from tests.toy_autoencoder import FAMILIES, ToyDoublerConfig

CASES = {}
"""(verb, option) to a test; filled by the tables and functions below."""


# --- generate ---------------------------------------------------------------------------------------------------------------------

WRITE = ["generate", "writer", "In which", "--max-tokens", "40", "--temperature", "1", "--top-p", "1"]
DRAW = ["generate", "painter", "--steps", "4"]
GENERATE = {
    "--max-tokens": (WRITE, ["--max-tokens", "20"]),
    "--temperature": (WRITE, ["--temperature", "0"]),
    "--top-p": (WRITE, ["--top-p", "0.1"]),
    "--top-k": (WRITE, ["--top-k", "1"]),
    "--min-p": (WRITE, ["--min-p", "0.9"]),
    "--repetition-penalty": (WRITE, ["--repetition-penalty", "4"]),
    "--stop": (WRITE, ["--stop", "e"]),
    "--precision": ([*WRITE, "--max-tokens", "200"], ["--precision", "int8"]),
    "--json-schema": ([*WRITE, "--max-tokens", "80"], ["--json-schema", "schema.json"]),
    "--regex": (WRITE, ["--regex", "[0-9]{3}"]),
    "--choice": (WRITE, ["--choice", "yes,no"]),
    "--tools": ([*WRITE, "--max-tokens", "200"], ["--tools", "tools.json"]),
    "--template": (["generate", "writer", "rain", "--max-tokens", "20"], ["--template", "poem"]),
    "--var": (
        ["generate", "writer", "--template", "two.prompt", "--var", "first=In", "--max-tokens", "40"],
        ["--var", "then=Chapter 7"],
    ),
    "--vote": (WRITE, ["--vote", "3"]),
    "--answer": ([*WRITE, "--vote", "3"], ["--answer", "[a-z]"]),
    "--seed": (WRITE, ["--seed", "5"]),
    "-n": (WRITE, ["-n", "2"]),
    "<prompts>?": (["generate", "writer", "--max-tokens", "20"], ["Chapter"]),
    "--steps": (DRAW, ["--steps", "2"]),
    "--solver": (DRAW, ["--solver", "euler"]),
    "--shift": (DRAW, ["--shift", "0.5"]),
    "--guidance": (DRAW, ["--guidance", "4"]),
    "--set": (["generate", "painter"], ["--set", "steps=2"]),
    "--label": ([*DRAW, "--guidance", "20", "--label", "fox"], ["--label", "cat"]),
    "--palette": (DRAW, ["--palette", "night.hex"]),
    "--svg": (DRAW, ["--svg"]),
}
CASES |= {("makar generate", option): "test_an_option_of_generate_changes_the_content" for option in GENERATE}


def made(words, folder):
    """Return what a command line of ``generate`` printed, and the pictures that it saved."""
    seen = see(*words)
    pictures = hashes(folder)
    shutil.rmtree(folder / "out", ignore_errors=True)
    return (seen.output, pictures)


@pytest.mark.parametrize("option", GENERATE)
def test_an_option_of_generate_changes_the_content(option, place, tmp_path):
    base, more = GENERATE[option]
    (tmp_path / "schema.json").write_text('{"type": "array", "items": {"type": "integer"}}', encoding="utf-8")
    (tmp_path / "tools.json").write_text('[{"name": "now"}, {"name": "later"}]', encoding="utf-8")
    (tmp_path / "night.hex").write_text("102030\nd0e0f0\n", encoding="utf-8")
    places = '+++\n[variables]\nfirst = "a word"\nthen = { meaning = "another", default = "which" }\n+++\n{{first}} {{then}}\n'
    (tmp_path / "two.prompt").write_text(places, encoding="utf-8")
    plain = made(base, tmp_path)
    assert made(base, tmp_path) == plain
    assert made([*base, *more], tmp_path) != plain


def test_a_vote_refuses_what_it_would_not_do(place):
    for words in (
        ["-o", "x"],
        ["-n", "2"],
        ["--stream"],
        ["--refuse-copies"],
        ["--augment", "x"],
        ["--spread", "even"],
    ):
        assert f"--vote with {words[0]}" in see(*WRITE, "--vote", "3", *words, code=2).messages


CASES["makar generate", "--for-rater"] = "test_what_somebody_likes_comes_first"


def test_what_somebody_likes_comes_first(own_place, monkeypatch):
    for number in range(2):
        for name, colour in (("dark", 20), ("bright", 230)):
            Image.fromarray(np.full((16, 16, 3), colour + 5 * number, np.uint8)).save(f"{name}{number}.png")
            see("feedback", "add", f"{name}{number}.png", "--stars", 5 if name == "bright" else 1, "--rater", "ann")
            see("feedback", "add", f"{name}{number}.png", "--stars", 1 if name == "bright" else 5, "--rater", "bob")

    def brightness(rater):
        see("generate", "painter", "--steps", "2", "-n", "5", "-o", f"for-{rater}", "--for-rater", rater)
        return [float(np.asarray(Image.open(path)).mean()) for path in sorted(Path(f"for-{rater}").glob("*.png"))]

    ann, bob = brightness("ann"), brightness("bob")
    assert ann == bob[::-1] and ann[0] > ann[-1]
    assert "ann, bob" in see("generate", "painter", "--for-rater", "eve", code=2).messages
    for words in (["--stream"], ["--vote", "2"], ["--augment", own_place / "images", "-o", "more"]):
        assert "--for-rater" in see("generate", "writer", "x", "--for-rater", "ann", *words, code=2).messages


GALLERY = {
    "generate": WRITE,
    "chat": ["chat", "writer", "-m", "In which", "--max-tokens", "8"],
    "edit": ["edit", "painter", "seen.png", "--box", "4,4,8,8", "--steps", "2"],
    "prompt try": ["prompt", "try", "poem", "writer", "rain"],
}
CASES |= {(f"makar {verb}", "--no-gallery"): "test_what_is_made_is_kept_unless_that_is_not_wanted" for verb in GALLERY}
CASES["makar ask", "--no-gallery"] = "test_options_of_ask"
CASES["makar speak", "--no-gallery"] = "test_a_script_is_spoken_as_it_is_told"
CASES["makar demo", "--no-gallery"] = "test_options_of_demo"


def in_gallery():
    """Return what the gallery has, the newest first."""
    return Library(library_file()).newest(Wanted(limit=1000))


@pytest.mark.parametrize("verb", GALLERY)
def test_what_is_made_is_kept_unless_that_is_not_wanted(verb, place):
    Image.fromarray(np.full((16, 16, 3), 99, np.uint8)).save("seen.png")
    words = [*GALLERY[verb], "--seed", "77"]
    before = len(in_gallery())
    plain = see(*words)
    assert len(in_gallery()) == before + 1
    assert see(*words, "--no-gallery").output.replace("0002", "0001") == plain.output
    assert len(in_gallery()) == before + 1


# --- chat -------------------------------------------------------------------------------------------------------------------------

TALK = ["chat", "writer", "-m", "In which", "--max-tokens", "30", "--temperature", "1", "--top-p", "1"]
CHAT = {
    "--max-tokens": (TALK, ["--max-tokens", "8"]),
    "--temperature": (TALK, ["--temperature", "0"]),
    "--top-p": (TALK, ["--top-p", "0.1"]),
    "--top-k": (TALK, ["--top-k", "1"]),
    "--min-p": (TALK, ["--min-p", "0.9"]),
    "--repetition-penalty": (TALK, ["--repetition-penalty", "4"]),
    "--stop": (TALK, ["--stop", "e"]),
    "--precision": ([*TALK, "--max-tokens", "120"], ["--precision", "int8"]),
    "--seed": (TALK, ["--seed", "5"]),
    "--set": (["chat", "writer", "-m", "In which"], ["--set", "max_tokens=5"]),
    "--system": (TALK, ["--system", "Tell of bears."]),
    "-m": (TALK, ["-m", "And then"]),
}
CASES |= {("makar chat", option): "test_an_option_of_chat_changes_the_answer" for option in CHAT}


@pytest.mark.parametrize("option", CHAT)
def test_an_option_of_chat_changes_the_answer(option, place):
    base, more = CHAT[option]
    plain = see(*base).output
    assert see(*base).output == plain and see(*base, *more).output != plain


for verb in ("generate", "chat"):
    CASES[f"makar {verb}", "--base-url"] = "test_an_address_is_that_of_the_endpoint"


@pytest.mark.loopback
def test_an_address_is_that_of_the_endpoint(place):
    pytest.importorskip("openai", reason="the extra remote is not installed")
    for words in (["generate", "{}", "Hello"], ["chat", "{}", "-m", "Hello"]):
        remote, local = ([word.format(name) for word in words] for name in ("openai:x", "writer"))
        for port in (9, 19):
            url = f"http://127.0.0.1:{port}/v1"
            seen = see(*remote, "--base-url", url, "--set", "retries=0", code=1)
            assert f"{url} cannot be reached" in seen.messages
        assert "an address for writer" in see(*local, "--base-url", url, code=2).messages


for verb in ("generate", "chat"):
    CASES[f"makar {verb}", "--engine"] = "test_the_engine_of_a_text_is_explained_or_refused"


@pytest.mark.parametrize(
    "words", [["generate", "writer", "In"], ["chat", "writer", "-m", "In"]], ids=["generate", "chat"]
)
def test_the_engine_of_a_text_is_explained_or_refused(words, place, monkeypatch):
    words = [*words, "--max-tokens", "4"]
    plain, chosen = see(*words), see(*words, "--engine", "auto")
    assert chosen.output == plain.output and "[engine torch: " in chosen.messages and "[engine" not in plain.messages
    assert "vllm" in see(*words, "--engine", "vllm", code=2).messages
    assert ", which run" in see(*words, "--engine", "transformers", code=2).messages
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    for name, extra in (("llama.cpp", "llamacpp"), ("openvino", "openvino")):
        assert f"makar[{extra}]" in see(*words, "--engine", name, code=1).messages


CASES["makar chat", "-o"] = CASES["makar chat", "--history"] = "test_a_conversation_is_kept_and_gone_on_with"


def test_a_conversation_is_kept_and_gone_on_with(place, tmp_path):
    see(*TALK, "-o", "talk.jsonl")
    assert set(hashes(tmp_path)) == {"talk.jsonl", "talk.jsonl.makar.json"}
    assert see("verify", "talk.jsonl").code == 0
    values = see(*TALK, "--history", "talk.jsonl", "--json").values
    assert len(values["messages"]) == 4 and len(values["answers"]) == 1
    assert "exists" in see(*TALK, "-o", "talk.jsonl", code=2).messages


def test_a_pipe_is_one_message_and_the_answer_is_all_that_is_printed(place, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("In which\n"))
    words = ["chat", "writer", *TALK[4:]]
    assert see(*words).output == see(*TALK).output


CASES |= {
    ("makar chat", option): "test_a_conversation_is_spoken_to_and_answers_aloud"
    for option in ("--speak", "--sounds", "--listen")
}


@pytest.mark.slow
def test_a_conversation_is_spoken_to_and_answers_aloud(place, tmp_path, monkeypatch):
    write_spoken(tmp_path / "heard", count=32)
    see("train", "heard", "--recipe", "recogniser", "--steps", "200", *RECOGNISER_SETTINGS, "-o", "listener")
    see("train", "heard", "--recipe", "speech", "--steps", "2", *SPEECH_SETTINGS, "-o", "voice")
    question = sentence(4)
    Path("question.wav").write_bytes(wave_bytes(spoken(question, seed=900)[0]))
    Path("silence.wav").write_bytes(wave_bytes(Sound(np.zeros((8000, 1), np.float32), 8000)))
    talk = ["chat", "writer", "--max-tokens", "30", "--temperature", "1"]

    def understood(said, *more):
        seen = see(*talk, "-m", said, *more, "--json")
        return seen.values["messages"][0]["content"], seen.messages

    words, told = understood("question.wav", "--listen", "listener")
    assert words == question and f"[heard: {question}]" in told
    assert understood("question.wav")[0] == "question.wav", "nobody listens"
    words, told = understood(question, "--listen", "listener")
    assert words == question and "[heard" not in told, "words are words"
    for name, word in (("nothing.wav", "there is no recording"), ("silence.wav", "no words are heard")):
        assert word in see(*talk, "-m", name, "--listen", "listener", code=None).messages

    aloud = [*talk, "-m", question, "--speak", "voice"]
    values = see(*aloud, "--sounds", "kept", "-m", "Once more", "--json").values
    assert values["sounds"] == [str(Path("kept") / name) for name in ("0001.wav", "0002.wav")]
    assert all(see("verify", file).code == 0 for file in values["sounds"])
    assert (
        values["messages"][1]["content"]
        == json.loads(Path("kept/0001.wav.makar.json").read_bytes())["manifest"]["prompt"]
    )
    # What stands for a device: programs that play a file, or fail.
    (tmp_path / "programs").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path / 'programs'}:/bin:/usr/bin")
    player = tmp_path / "programs" / "afplay"
    player.write_text(f'#!/bin/sh\ncp "$1" "{tmp_path / "played.wav"}"\n', encoding="utf-8")
    player.chmod(0o755)
    assert "nothing here plays sound" not in see(*aloud).messages and not Path("spoken").exists()
    first = Path("kept/0001.wav").read_bytes()
    assert Path("played.wav").read_bytes() == first
    player.write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    if not any(map(shutil.which, ("pw-play", "paplay", "aplay"))):
        assert "nothing here plays sound" in see(*aloud).messages and Path("spoken/0001.wav").read_bytes() == first

    for words in (["--sounds", "kept"], ["--listen", "writer"], ["--speak", "writer"], ["--speak", "voice:ann"]):
        assert see(*talk, "-m", "x", *words, code=None).code in (1, 2)
    typed_at(monkeypatch, ["nothing.wav", "question.wav", EOFError])
    typing = see(*talk, "--listen", "listener", "--json")
    assert "there is no recording nothing.wav" in typing.messages
    assert [turn["content"] for turn in typing.values["messages"]][::2] == [question]
    for name in ("listener", "voice"):
        shutil.rmtree(models_folder() / name)


class Keyboard(io.StringIO):
    """Lines that are typed; one of them is Ctrl-C."""

    def isatty(self):
        """Return that somebody sits there."""
        return True


def typed_at(monkeypatch, lines):
    """Let somebody type lines; what is no text is a key that raises it."""
    left = iter(lines)

    def typed(prompt):
        line = next(left)
        if isinstance(line, str):
            return line
        raise line

    monkeypatch.setattr("sys.stdin", Keyboard())
    monkeypatch.setattr("builtins.input", typed)


def test_ctrl_c_stops_the_answer_and_not_the_conversation(place, monkeypatch):
    from makar.generation import chat

    def interrupted(*arguments, **controls):
        yield "some"
        if controls["seed"] == 0:
            raise KeyboardInterrupt

    typed_at(monkeypatch, ["In which", KeyboardInterrupt, "And then", EOFError])
    monkeypatch.setattr(chat, "stream_request", interrupted)
    seen = see("chat", "writer")
    assert seen.code == 0 and seen.output.splitlines() == ["some", "some"]
    assert "[stopped]" in seen.messages and "Ctrl-D ends" in seen.messages


CASES["makar generate", "-o"] = "test_output_of_generate_is_where_it_was_asked_for"


def test_output_of_generate_is_where_it_was_asked_for(place, tmp_path):
    see(*DRAW)
    see(*DRAW, "-o", "there/cat.png")
    see(*WRITE, "-o", "stories")
    assert {"out/0001.png", "there/cat.png", "stories/0001.txt", "stories/0001.txt.makar.json"} == set(hashes(tmp_path))


CASES["makar generate", "--augment"] = CASES["makar generate", "--spread"] = "test_samples_for_a_training_set"


def test_samples_for_a_training_set(place, tmp_path):
    for label, count in (("cat", 4), ("fox", 2)):
        (tmp_path / "few" / label).mkdir(parents=True)
        for file in sorted((place / "images" / label).iterdir())[:count]:
            shutil.copy(file, tmp_path / "few" / label)
    before = hashes(tmp_path / "few")
    words = ["generate", "painter", "--steps", "2", "--augment", "few", "-n", "4"]
    assert len(see(*words, "-o", "more").output.splitlines()) == 4
    see(*words, "-o", "even", "--spread", "even")
    counts = [
        [len(list((tmp_path / name / label).glob("*.png"))) for label in ("cat", "fox")] for name in ("more", "even")
    ]
    assert counts[0][0] < counts[0][1] and counts[1] == [2, 2] and hashes(tmp_path / "few") == before
    assert "-o" in see(*words, code=2).messages
    assert "in the data" in see(*words, "-o", "few/new", code=2).messages
    assert "come from the data" in see(*words, "-o", "x", "--label", "cat", code=2).messages
    assert "--augment" in see(*DRAW, "--spread", "even", code=2).messages


CASES["makar generate", "--stream"] = "test_a_stream_comes_in_pieces"


def test_a_stream_comes_in_pieces(place):
    # A small model may end a text after a few words; of some seeds one gives a long one.
    for seed in range(12):
        words = [*WRITE, "--max-tokens", "4000", "--seed", str(seed)]
        whole = see(*words)
        if len(whole.output) > 400:
            break
    streamed = see(*words, "--stream")
    assert whole.output == streamed.output
    assert len(streamed.pieces) > len(whole.pieces) + 2


CASES["makar generate", "--lines"] = "test_every_line_is_a_prompt"


def test_every_line_is_a_prompt(place, tmp_path):
    file = tmp_path / "lines.txt"
    file.write_text("Chapter\n\nIn which\n", encoding="utf-8")
    words = ["generate", "writer", "--max-tokens", "10"]
    both = see(*words, "--lines", file).output
    assert both == see(*words, "Chapter", "In which").output != see(*words).output
    assert "lines" in see(*words, "--lines", tmp_path / "absent", code=2).messages
    file.write_text("\n \n", encoding="utf-8")
    assert "no lines" in see(*words, "--lines", file, code=2).messages


CASES["makar generate", "--negative-prompt"] = "test_a_negative_prompt_needs_a_model_that_reads"


def test_a_negative_prompt_needs_a_model_that_reads(place):
    # What it changes in a model with captions is shown in tests/generation; nothing here is trained long enough to read.
    assert "image-text" in see(*DRAW, "--negative-prompt", "cat", code=2).messages


CASES["makar generate", "--refuse-copies"] = "test_copies_are_refused_only_when_asked_for"


def test_copies_are_refused_only_when_asked_for(own_place):
    # A limit above every distance calls everything a copy.
    for path in runs_folder().glob("*images*/novelty/*.json"):
        values = json.loads(path.read_text(encoding="utf-8"))
        if "threshold" in values:
            path.write_text(json.dumps(values | {"threshold": 1e9}), encoding="utf-8")
    assert "TOO CLOSE" in see(*DRAW).messages
    refused = see(*DRAW, "--refuse-copies", code=1)
    assert "copies" in refused.messages and refused.output == ""


CASES["makar evaluate", "--against"] = "test_a_model_is_weighed_against_another"


def test_a_model_is_weighed_against_another(place):
    weighed = see("evaluate", "writer", "--against", "writer", "--samples", "2", code=1)
    assert "discard writer" in weighed.output and "bits/byte" in weighed.output
    assert see("evaluate", "writer", "--against", "painter", code=2).messages
    assert "--against with --output" in see("evaluate", "writer", "--against", "writer", "-o", "there", code=2).messages


CASES["makar evaluate", "--suites"] = "test_bias_and_safety_are_weighed_by_suites"


def test_bias_and_safety_are_weighed_by_suites(place, tmp_path):
    words = ["evaluate", "writer", "--against", "writer", "--samples", "2", "--suites"]
    (tmp_path / "suites").mkdir()
    weighed = see(*words, str(safety_tables(pairs(tmp_path / "suites"))), "--json", code=1)
    found = {check["name"]: check for check in weighed.values["checks"]}
    assert found["CrowS-Pairs: nearer to even"]["gain"]["value"] == 0 and not {"bias", "safety"} & set(found)
    assert found["refuses harmful prompts"]["verdict"] == "passed"
    assert "there is no" in see(*words, "nowhere", code=2).messages
    assert "--suites without --against" in see("evaluate", "writer", "--suites", "x", code=2).messages
    judged = ["evaluate", "writer", "x", "--against", "writer", "--judge", "writer", "--suites", "x"]
    assert "--judge with --suites" in see(*judged, code=2).messages


CASES["makar evaluate", "--judge"] = CASES["makar evaluate", "--base-url"] = "test_a_judge_compares_two_models_blindly"


def test_a_judge_compares_two_models_blindly(place, tmp_path, monkeypatch):
    (tmp_path / "prompts.txt").write_text("In which\n\nChapter 7\n", encoding="utf-8")
    words = ["evaluate", "writer", "prompts.txt", "--against", "writer", "--judge"]
    assert "2 prompts, 2 even, judged by writer" in see(*words, "writer", code=1).output
    monkeypatch.setattr("sys.stdin", io.StringIO("a\n" * 4))
    mine = see(
        "evaluate", "writer", "prompts.txt", "--against", "builtin:extractive", "--judge", "me", "--json", code=None
    )
    assert mine.values["prompts"] == 2 and mine.values["left_rate"]["value"] == 1
    assert "an address for writer" in see(*words, "writer", "--base-url", "http://127.0.0.1:9/v1", code=2).messages
    assert "--judge without" in see("evaluate", "writer", "--judge", "me", code=2).messages
    address = ["--base-url", "http://127.0.0.1:9/v1"]
    assert "--base-url without" in see("evaluate", "writer", "--against", "writer", *address, code=2).messages
    assert "an address for writer" in see("evaluate", "writer", *address, code=2).messages
    assert "without prompts" in see("evaluate", "writer", "--against", "writer", "--judge", "me", code=2).messages


# --- edit and predict -------------------------------------------------------------------------------------------------------------

PAINT = ["edit", "painter", "a.png", "--steps", "2"]
CHANGE = ["edit", "changer", "a.png"]
ENLARGE = ["edit", "sharpener", "a.png", "--enlarge", "2", "--steps", "2"]
FILL = ["edit", "coder", "marked.py"]
FRAMES = ["edit", "painter", "--steps", "2", "--to-seed", "4", "--frames", "2"]
EDIT = {
    "--box": (PAINT, ["--box", "4,4,8,8"]),
    "--mask": (PAINT, ["--mask", "mask.png"]),
    "--background": ([*PAINT[:2], "cut.png", "--steps", "2"], ["--background"]),
    "--left": (PAINT, ["--left", "3"]),
    "--right": (PAINT, ["--right", "3"]),
    "--top": (PAINT, ["--top", "3"]),
    "--bottom": (PAINT, ["--bottom", "3"]),
    "--strength": (PAINT, ["--strength", "0.1"]),
    "--steps": (PAINT, ["--steps", "3"]),
    "--set": ([*PAINT, "--strength", "0.6"], ["--set", "solver=heun"]),
    "--seed": (PAINT, ["--seed", "5"]),
    "-n": (PAINT, ["-n", "2"]),
    "--guidance": ([*PAINT, "--label", "cat"], ["--guidance", "20"]),
    "--label": ([*PAINT, "--guidance", "20", "--label", "cat"], ["--label", "fox"]),
    "--prompt": ([*PAINT, "--guidance", "20", "--prompt", "cat"], ["--prompt", "fox"]),
    "--reference": ([*PAINT, "--strength", "0.6"], ["--reference", "b.png"]),
    "--style": ([*PAINT, "--reference", "b.png"], ["--style", "1"]),
    "--frames": (FRAMES, ["--frames", "3"]),
    "--to-seed": (FRAMES, ["--to-seed", "5"]),
    "<files>?": (PAINT, ["b.png"]),
    "--denoise": ([*CHANGE, "--reconstruct"], [*CHANGE, "--denoise"]),
    "--reconstruct": ([*CHANGE, "--denoise"], [*CHANGE, "--reconstruct"]),
    "--translate": ([*CHANGE, "--reconstruct"], [*CHANGE, "--translate"]),
    "--direction": ([*CHANGE, "--translate"], ["--direction", "back"]),
    "--colour": ([*CHANGE, "--translate"], [*CHANGE, "--colour"]),
    "--control": ([*CHANGE, "--reconstruct"], [*CHANGE, "--control"]),
    "--enlarge": ([*CHANGE, "--reconstruct"], [*CHANGE, "--enlarge", "2"]),
    "--source-noise": (ENLARGE, ["--source-noise", "1"]),
    "--infill": ([*FILL, "--line", "2"], [*FILL, "--infill"]),
    "--line": ([*FILL, "--infill"], [*FILL, "--line", "2"]),
    "--span": ([*FILL, "--infill"], [*FILL, "--span", "1:2-1:5"]),
    "--max-tokens": ([*FILL, "--infill", "--temperature", "1"], ["--max-tokens", "2"]),
    "--temperature": ([*FILL, "--infill", "--temperature", "0"], ["--temperature", "3"]),
}
CASES["makar edit", "--keep"] = CASES["makar edit", "--go-on"] = "test_a_part_is_kept_or_the_piece_goes_on"


def test_a_part_is_kept_or_the_piece_goes_on(place, tmp_path):
    train_composer(tmp_path)
    piece = tmp_path / "chorales" / "hymns" / "1.mid"
    ways = (["--keep", "soprano"], ["--keep", "bass"], ["--go-on", "--max-tokens", "60"])
    for number, words in enumerate(ways):
        see("edit", "composer", piece, *words, "-o", f"{number}.mid")
    made = [score_of_midi(read_midi(file.read_bytes())) for file in sorted(tmp_path.glob("*.mid"))]
    assert len({notation_of(score) for score in made}) == 3
    shutil.rmtree(models_folder() / "composer")


CASES["makar generate", "--speed"] = "test_speech_is_as_fast_as_it_is_told"


def test_speech_is_as_fast_as_it_is_told(place, tmp_path):
    write_spoken(tmp_path / "spoken", count=8)
    see("train", "spoken", "--recipe", "speech", "--steps", "2", *SPEECH_SETTINGS, "-o", "voice")
    for speed in (0.5, 2):
        see("generate", "voice", "low high low", "--speed", speed, "--steps", "2", "-o", f"{speed}.wav")
    slow, fast = (read_sound((tmp_path / f"{speed}.wav").read_bytes()).seconds for speed in (0.5, 2))
    assert slow >= 1.9 * fast
    assert "0.5 to 2" in see("generate", "voice", "low", "--speed", "9", code=2).messages
    assert "does not speak" in see("generate", "painter", "--speed", "1.5", code=2).messages
    shutil.rmtree(models_folder() / "voice")


CASES |= {
    ("makar generate", option): "test_speech_is_as_high_and_loud_as_it_is_told" for option in ("--pitch", "--energy")
}
CASES |= {
    ("makar generate", option): "test_nobody_is_spoken_as_without_having_agreed_in_the_shell"
    for option in ("--example", "--voice-of", "--consent")
}


@pytest.mark.slow
def test_speech_is_as_high_and_loud_as_it_is_told(place, tmp_path):
    write_sung(tmp_path / "spoken", count=8)
    see("train", "spoken", "--recipe", "speech", "--steps", "2", *SPEECH_SETTINGS, "-o", "voice")
    words = ["generate", "voice", "low high", "--steps", "2", "-o"]
    for name, more in (("plain", ()), ("high", ("--pitch", "2")), ("quiet", ("--energy", "-6"))):
        see(*words, f"{name}.wav", *more)
    plain, high, quiet = (
        read_sound((tmp_path / f"{name}.wav").read_bytes()).samples for name in ("plain", "high", "quiet")
    )
    assert not np.array_equal(plain, high) and np.mean(quiet**2) < 0.5 * np.mean(plain**2)
    assert "does not speak" in see("generate", "painter", "--pitch", "1", code=2).messages
    shutil.rmtree(models_folder() / "voice")


@pytest.mark.slow
def test_nobody_is_spoken_as_without_having_agreed_in_the_shell(place, tmp_path):
    for number, hertz in enumerate((110.0, 180.0)):
        write_sung(tmp_path / "spoken" / f"{number}", count=4, middle_hz=hertz)
    see("train", "spoken", "--recipe", "speech-clone", "--steps", "2", *SPEECH_SETTINGS, "-o", "anyone")
    (tmp_path / "ann.wav").write_bytes(wave_bytes(sung("low high low", seed=9)))
    see("consent", "record", "ann.wav", "--who", "Ann", "--scope", "voice", "-o", "ann.json")
    words = ["generate", "anyone", "low high", "--steps", "2", "-o", "said.wav", "--example", "ann.wav"]
    assert "whose" in see(*words, code=2).messages
    assert "no consent of Ann" in see(*words, "--voice-of", "Ann", code=2).messages
    see(*words, "--voice-of", "Ann", "--consent", "ann.json")
    assert "Ben" in see(*words, "--voice-of", "Ben", "--consent", "ann.json", code=2).messages
    shutil.rmtree(models_folder() / "anyone")


CASES |= {(f"makar {verb}", "--vocoder"): "test_speech_sounds_as_a_vocoder_finds" for verb in ("generate", "speak")}


def test_speech_sounds_as_a_vocoder_finds(place, tmp_path):
    write_spoken(tmp_path / "spoken", count=8)
    see("train", "spoken", "--recipe", "speech", "--steps", "2", *SPEECH_SETTINGS, "-o", "voice")
    tiny = ["--set", "stages.0.family.channels=8", "--set", "stages.0.optimisation.batch_size=4"]
    see("train", "spoken", "--recipe", "vocoder", "--steps", "1", *tiny, "-o", "sounding")
    (tmp_path / "script.txt").write_text("low", encoding="utf-8")
    for asked in (["generate", "voice", "low"], ["speak", "script.txt", "--voice", "voice"]):
        words = [*asked, "--steps", "2", "-o"]
        see(*words, f"{asked[0]}-plain.wav")
        see(*words, f"{asked[0]}-through.wav", "--vocoder", "sounding")
        plain, through = (
            read_sound((tmp_path / f"{asked[0]}-{name}.wav").read_bytes()).samples for name in ("plain", "through")
        )
        assert not np.array_equal(plain, through)
    manifest = json.loads((tmp_path / "speak-through.wav.makar.json").read_text())["manifest"]
    assert manifest["vocoder"]["name"] == "sounding"
    for name in ("voice", "sounding"):
        shutil.rmtree(models_folder() / name)


SPEAK = ("--voice", "-o", "--speed", "--pitch", "--steps", "--seed", "--drawing", "--mouth", "--consent")
CASES |= {("makar speak", option): "test_a_script_is_spoken_as_it_is_told" for option in SPEAK}


@pytest.mark.slow
def test_a_script_is_spoken_as_it_is_told(place, tmp_path):
    write_spoken(tmp_path / "spoken", count=8)
    see("train", "spoken", "--recipe", "speech", "--steps", "2", *SPEECH_SETTINGS, "-o", "voice")
    (tmp_path / "script.txt").write_text("low high", encoding="utf-8")
    words = ["speak", "script.txt", "--voice", "voice", "--steps", "2"]

    def spoken(*more, name="said.wav"):
        see(*words, *more, "-o", name)
        found = {path.name: path.read_bytes() for path in tmp_path.glob(f"{name.split('.')[0]}.*")}
        for found_name in found:
            (tmp_path / found_name).unlink()
        return found

    plain = spoken()["said.wav"]
    (said, *others) = in_gallery()
    assert (said["model"], said["kind"], said["prompt"], said["medium"]) == ("voice", "create", "low high", "sound")
    assert spoken("--no-gallery")["said.wav"] == plain and len(in_gallery()) == 1 + len(others)
    assert plain == spoken()["said.wav"] != spoken("--seed", "3")["said.wav"]
    assert len(spoken("--speed", "0.5")["said.wav"]) > 1.5 * len(plain) and spoken("--steps", "3")["said.wav"] != plain
    assert "was heard" in see(*words, "--pitch", "9", "-o", "said.wav", code=2).messages
    (tmp_path / "script.txt").write_text("ZOE: low high", encoding="utf-8")
    assert "ZOE" in see(*words, "-o", "said.wav", code=2).messages
    see(*words, "--voice", "Zoe=voice", "-o", "said.wav", code=2)
    words[3] = "Zoe=voice"
    drawn = spoken(name="face.gif")
    assert set(drawn) == {"face.gif", "face.gif.makar.json", "face.wav"}
    draw = np.random.default_rng(0)
    Image.fromarray(np.full((80, 60, 3), 200, np.uint8)).save("plain.png")
    Image.fromarray(draw.integers(0, 255, (80, 60, 3), np.uint8)).save("photo.png")
    here, there = (spoken("--drawing", "plain.png", "--mouth", f"30,{y},20", name="face.gif") for y in (20, 60))
    assert len({one["face.gif"] for one in (drawn, here, there)}) == 3
    photo = [*words, "--drawing", "photo.png", "--mouth", "30,40,20", "-o", "face.gif"]
    assert "photograph" in see(*photo, code=2).messages
    see("consent", "record", "spoken/1.wav", "--who", "Ann", "--scope", "face", "-o", "ann.json")
    see(*photo, "--consent", "ann.json")
    shutil.rmtree(models_folder() / "voice")


CONSENT = [("train", "--voice-of"), ("train", "--consent")]
CONSENT += [("consent record", option) for option in ("--who", "--scope", "--phrase", "--until", "-o")]
CASES |= {(f"makar {verb}", option): "test_a_record_of_consent_says_what_it_is_told" for verb, option in CONSENT}
CASES["makar consent verify", "--recording"] = "test_a_record_of_consent_says_what_it_is_told"


def test_a_record_of_consent_says_what_it_is_told(place, tmp_path):
    write_spoken(tmp_path / "spoken", count=8)
    words = ["consent", "record", "spoken/1.wav", "--who", "Ann", "--scope", "voice"]
    plain = see(*words, "--json").values
    more = ["--scope", "face", "--phrase", "Yes.", "--until", "2999-01-01", "-o", "more.json", "--json"]
    found = see(*words, *more).values
    assert plain["scopes"] == ["voice"] and found["scopes"] == ["voice", "face"] and found["phrase"] == "Yes."
    assert (plain["until"], found["until"]) == (None, "2999-01-01") and (tmp_path / "more.json").is_file()
    assert see("consent", "verify", "more.json", "--recording", "spoken/2.wav", code=2).messages
    train = ["train", "spoken", "--recipe", "speech", "--steps", "2", *SPEECH_SETTINGS, "-o", "ann"]
    see(*train, "--voice-of", "Ann", code=2)
    see(*train, "--voice-of", "Ann", "--consent", "more.json")
    assert Model(load_artifact("ann")).artifact.manifest["data"]["consent"][0]["who"] == "Ann"
    shutil.rmtree(models_folder() / "ann")


CASES["makar edit", "--from-second"] = CASES["makar edit", "--to-second"] = "test_a_hole_of_a_sound_is_where_it_is_said"


def test_a_hole_of_a_sound_is_where_it_is_said(place, tmp_path):
    for number in range(6):
        (tmp_path / "sounds" / f"{number}.wav").parent.mkdir(exist_ok=True)
        (tmp_path / "sounds" / f"{number}.wav").write_bytes(wave_bytes(effect("bell", number)))
    see("train", "sounds", "--steps", "2", *IMAGE_SETTINGS, "-o", "bells")
    given = read_sound((tmp_path / "sounds" / "0.wav").read_bytes())
    for start, end in ((0.1, 0.2), (0.1, 0.3), (0.2, 0.3)):
        see(
            "edit", "bells", "sounds/0.wav", "--from-second", start, "--to-second", end, "--steps", "2", "-o", "new.wav"
        )
        made = read_sound((tmp_path / "new.wav").read_bytes())
        changed = np.flatnonzero((made.samples != given.samples).any(1)) / given.rate_hz
        assert abs(changed.min() - start) < 0.01 and abs(changed.max() - end) < 0.01
        (tmp_path / "new.wav").unlink()
        (tmp_path / "new.wav.makar.json").unlink()
    shutil.rmtree(models_folder() / "bells")


FILM = {
    "--trim": ([], ["--trim", ":0.5"]),
    "--speed": ([], ["--speed", "2"]),
    "--shift-pitch": (["--speed", "2"], ["--shift-pitch"]),
    "--rate": ([], ["--rate", "4"]),
    "--sound": ([], ["--sound", "remove"]),
    "--format": ([], ["--format", "apng"]),
}
CASES |= {("makar edit", option): "test_an_option_of_edit_changes_a_film" for option in FILM}


@pytest.mark.parametrize("option", FILM)
def test_an_option_of_edit_changes_a_film(option, place, tmp_path):
    pytest.importorskip("av")
    clip = shape_clip(ALL[0], 0)
    (tmp_path / "film.mkv").write_bytes(video_bytes(clip, "mkv", comment="", sound=effect("bell", 0)))
    found = []
    base, more = FILM[option]
    for words in (base, base, [*base, *more]):
        see("edit", "film.mkv", *words, *([] if "--format" in words else ["--format", "mkv"]), "-o", "made/")
        found.append({name: value for name, value in hashes("made").items() if not name.endswith(".json")})
        shutil.rmtree("made")
    assert found[0] == found[1] != found[2]


def test_nothing_that_is_said_of_a_film_is_left_aside_for_being_nought(place, tmp_path):
    pytest.importorskip("av")
    (tmp_path / "film.mkv").write_bytes(video_bytes(shape_clip(ALL[0], 0), "mkv", comment=""))
    for words, said in (
        (["--speed", "0"], "speed"),
        (["--strength", "0"], "strength"),
        (["--from-second", "0"], "from_second"),
    ):
        refused = see("edit", "film.mkv", "--trim", ":0.5", *words, "-o", "made.mkv", code=None)
        assert refused.code == 2 and said in refused.messages


CASES |= dict.fromkeys(
    [("makar edit", option) for option in ("--from-residue", "--to-residue", "--residues")],
    "test_residues_are_made_anew_where_it_is_said",
)


def test_residues_are_made_anew_where_it_is_said(place, tmp_path):
    pytest.importorskip("gemmi")
    (tmp_path / "chains").mkdir()
    for number in range(6):
        (tmp_path / "chains" / f"{number}.pdb").write_bytes(structure_bytes(backbone("helix", number).part(0, 8)))
    settings = ["--set", "stages.0.family.width=16", "--set", "stages.0.family.blocks=1"]
    see("train", "chains", "--steps", "2", *settings, "-o", "folds")
    given = (tmp_path / "chains" / "0.pdb").read_text().splitlines()
    cases = (
        (["3"], 3, 8, 8),
        (["3", "--to-residue", "5"], 3, 5, 8),
        (["3", "--to-residue", "5", "--residues", "2"], 3, 4, 7),
    )
    for words, first, last, count in cases:
        see("edit", "folds", "chains/0.pdb", "--from-residue", *words, "--steps", "1", "-o", "new.pdb")
        lines = [line for line in (tmp_path / "new.pdb").read_text().splitlines() if line.startswith("ATOM")]
        stays = [line[30:54] in "".join(given) for line in lines[1::4]]
        assert stays == [not first <= number <= last for number in range(1, count + 1)]
        for path in tmp_path.glob("new.*"):
            path.unlink()
    shutil.rmtree(models_folder() / "folds")


CASES["makar edit", "--photo"] = "test_the_map_of_a_photo_is_computed"


def test_the_map_of_a_photo_is_computed(place, tmp_path):
    settings = ["--set", "stages.0.optimisation.learning_rate=0.05"]
    see(
        "train",
        place / "images",
        "--steps",
        "8",
        "--recipe",
        "controlnet",
        "--from",
        "painter",
        "-o",
        "lines",
        *settings,
    )
    photo = next((place / "images" / "fox").glob("*.png"))
    for name, more in (("map", []), ("photo", ["--photo"])):
        see("edit", "lines", photo, "--control", "--steps", "2", "-o", f"{name}.png", *more)
    assert len(set(hashes(tmp_path, suffixes=(".png",)).values())) == len(hashes(tmp_path, suffixes=(".png",)))


CASES |= {("makar edit", option): "test_an_option_of_edit_changes_the_content" for option in EDIT}


def add_changer(place, folder, patch):
    """Put two pictures and a mask into a folder, and a model that can do and say everything beside the others."""
    patch.setitem(registry.BUILT_IN["families"], "toy-doubler", FAMILIES["toy-doubler"])
    if not (models_folder() / "changer").exists():
        saved(models_folder() / "changer", ToyDoublerConfig(), labels=(None,))
        enlarging = {"source_channels": 3, "source_height": 8, "source_width": 8, "source_edit": "enlarge"}
        sharpener = DiffusionConfig(features=8, head_width=8, source_noise=0.5, **enlarging)
        saved(models_folder() / "sharpener", sharpener, labels=(None,), source="reduced")
        coder(models_folder() / "coder", steps=3)
    (folder / "marked.py").write_text(FILE.replace("c * 2", "<FILL_ME>"), encoding="utf-8")
    pixels = np.asarray(Image.open(next((place / "images").rglob("*.png"))))
    mask = np.zeros((16, 16), np.uint8)
    mask[4:8, 9:12] = 255
    cut = np.dstack([pixels, np.full((16, 16), 255, np.uint8)])
    cut[:4, :, 3], cut[4, :, 3] = 0, 160
    for name, picture in (("a.png", pixels), ("b.png", pixels[::-1]), ("mask.png", mask), ("cut.png", cut)):
        Image.fromarray(picture).save(folder / name)


@pytest.fixture
def changer(place, tmp_path, monkeypatch):
    """Return the shared folder, with a model that can do and say everything beside the others."""
    add_changer(place, tmp_path, monkeypatch)
    return place


@pytest.mark.parametrize("option", EDIT)
def test_an_option_of_edit_changes_the_content(option, changer, tmp_path):
    base, more = EDIT[option]
    plain = made(base, tmp_path)
    assert made(base, tmp_path) == plain
    assert made(more if more[0] == "edit" else [*base, *more], tmp_path) != plain


CASES |= {
    ("makar edit", option): "test_a_repair_is_tried_as_often_as_was_said" for option in ("--fix", "--tests", "--tries")
}


def test_a_suite_of_problems_is_measured(changer, tmp_path):
    problem = {"task_id": "a", "prompt": "def f():\n", "test": "def check(f):\n    assert f() == 1", "entry_point": "f"}
    (tmp_path / "p.jsonl").write_text(json.dumps(problem) + "\n", encoding="utf-8")
    words = ["evaluate", "coder", "p.jsonl", "--samples", "1", "-o", "report", "--suite"]
    assert "pass_at_1" in see(*words, "humaneval", "--json").values["scores"]
    assert "humaneval" in see(*words, "humanevl", code=2).messages


CASES["makar evaluate", "--suite"] = "test_a_suite_of_problems_is_measured"


def test_a_repair_is_tried_as_often_as_was_said(changer, tmp_path):
    (tmp_path / "bad.py").write_text("x = 4\ny = x - 1\n", encoding="utf-8")
    words = ["edit", "coder", "bad.py", "--fix", "--tests"]
    assert "+y = x + 1" in see(*words, "python -c 'import bad; assert bad.y == 5'").output
    never = "python -c 'import bad; assert bad.y == 999'"
    assert "none of 1 changes" in see(*words, never, "--tries", "1", code=1).messages
    assert "none of 2 changes" in see(*words, never, "--tries", "2", code=1).messages
    assert "tests" in see(*words[:-1], code=2).messages


CASES["makar edit", "-o"] = "test_output_of_edit_is_where_it_was_asked_for"


def test_output_of_edit_is_where_it_was_asked_for(changer, tmp_path):
    before = set(hashes(tmp_path))
    see(*PAINT)
    see(*PAINT, "-o", "there/new.png")
    see(*PAINT, "-o", "more", "-n", "2")
    assert set(hashes(tmp_path)) - before == {"out/0001.png", "there/new.png", "more/0001.png", "more/0002.png"}
    assert "2 assets" in see(*PAINT, "-o", "one.png", "-n", "2", code=2).messages


CASES["makar predict", "--what"] = CASES["makar predict", "--seed"] = "test_options_of_predict"


def test_options_of_predict(changer):
    words = ["predict", "changer", "a.png", "b.png", "--what"]
    luck, again, other = (see(*words, "luck", "--seed", seed).output for seed in (1, 1, 2))
    assert luck == again != other
    assert see(*words, "brightness").output not in (luck, other)


CASES["makar predict", "--top"] = "test_suspicious_lines_of_code"


def test_suspicious_lines_of_code(changer):
    words = ["predict", "coder", "marked.py"]
    assert len(see(*words, "--json").values) == 8
    rows = see(*words, "--what", "bugs", "--top", "2", "--json").values
    assert [row["rank"] for row in rows] == [1, 2] and rows[0]["reason"].startswith("does not parse")


CASES["makar predict", "--write-captions"] = "test_captions_are_written_beside_the_images"


def test_captions_are_written_beside_the_images(place, tmp_path):
    folder = write_images(tmp_path / "described", count=4)
    for picture in folder.rglob("*.png"):
        picture.with_suffix(".txt").write_text(f"a {picture.parent.name}", encoding="utf-8")
    small = [f"stages.0.{text}" for text in ("family.stream_width=32", "family.heads=1", "optimisation.batch_size=4")]
    words = [word for setting in small for word in ("--set", setting)]
    see("train", folder, "--recipe", "caption", "--steps", "2", "-o", "describer", *words)
    bare = write_images(tmp_path / "bare", count=2)
    (bare / "cat" / "0.txt").write_text("mine", encoding="utf-8")
    see("predict", "describer", bare)
    assert len(list(bare.rglob("*.txt"))) == 1
    said = see("predict", "describer", bare, "--write-captions")
    assert "3 captions written; 1 text files were there already and are kept" in said.messages
    assert len(list(bare.rglob("*.txt"))) == 4
    assert (bare / "cat" / "0.txt").read_text(encoding="utf-8") == "mine"


CASES["makar predict", "--labels"] = CASES["makar predict", "--query"] = "test_words_of_predict"


def test_words_of_predict(changer):
    if not (models_folder() / "reader").exists():
        saved_reader(models_folder() / "reader", steps=4)
    words = ["predict", "reader", "a.png", "b.png"]
    two, other, found = (
        see(*words, *more).output
        for more in (["--labels", "a red square,blue"], ["--labels", "a red square,green"], ["--query", "red"])
    )
    assert "blue" in two and "green" in other and two != other
    assert "rank" in found and found != see(*words, "--query", "blue").output


# The model sees 16 letters: what is to matter stands near the end.
LABEL = ["predict", "writer", "b", "c", "--labels", "be,fo", "--template", "short.prompt"]
SOLVED = [*LABEL, "--examples", "solved.csv", "--shots", "1"]
PREDICT = {
    "--examples": (LABEL, ["--examples", "solved.csv"]),
    "--shots": (SOLVED, ["--shots", "3"]),
    "--pick": ([*SOLVED[:-1], "2"], ["--pick", "similar"]),
    "--calibration": (LABEL, ["--calibration", "none"]),
    "--template": (LABEL[:-2], LABEL[-2:]),
}
CASES |= {("makar predict", option): "test_an_option_of_labels_changes_the_shares" for option in PREDICT}


def write_solved(folder):
    """Write rows of texts with labels, and a prompt."""
    rows = [f"{letter},{kind}" for letter in "abcdefgh" for kind in ("be", "fo")]
    (folder / "solved.csv").write_text("\n".join(["text,label", *rows, ""]), encoding="utf-8")
    (folder / "short.prompt").write_text('+++\n[variables]\ntext = "a text"\n+++\n{{text}}:\n', encoding="utf-8")


@pytest.mark.parametrize("option", PREDICT)
def test_an_option_of_labels_changes_the_shares(option, place, tmp_path):
    write_solved(tmp_path)
    base, more = PREDICT[option]
    plain = see(*base, "--json").output
    assert see(*base, "--json").output == plain != see(*base, *more, "--json").output
    assert "--labels" in see("predict", "writer", "a", "--shots", "2", code=2).messages


def test_labels_of_texts_refuse_what_says_nothing_of_them(place):
    for words in (["--top", "2"], ["--language", "de"]):
        assert f"{words[0]} with" in see("predict", "writer", "a", "--labels", "be,fo", *words, code=2).messages
    captions = see("predict", "writer", "a", "--labels", "be,fo", "--write-captions", code=2).messages
    assert "captions to write for texts" in captions


# --- prompt -----------------------------------------------------------------------------------------------------------------------

TRY = ["prompt", "try", "poem", "writer", "rain", "--json"]
SCORE = ["prompt", "score", "writer", "solved.csv", "--template", "short.prompt", "--json"]
PROMPT = {
    ("makar prompt try", "--var"): (TRY, ["--var", "kind=two lines"]),
    ("makar prompt try", "--seed"): (TRY, ["--seed", "3"]),
    ("makar prompt try", "<words>?"): (TRY, ["snow"]),
    ("makar prompt score", "--template"): (SCORE, ["--template", "classify"]),
    ("makar prompt score", "--labels"): (SCORE, ["--labels", "loaves,geese"]),
    ("makar prompt score", "--rows"): (SCORE, ["--rows", "5"]),
    ("makar prompt score", "--for"): (SCORE, ["--for", "0.001s"]),
    ("makar prompt score", "--seed"): ([*SCORE, "--rows", "1", "--labels", "be,fo"], ["--seed", "1"]),
}
CASES |= dict.fromkeys(PROMPT, "test_an_option_of_prompt_changes_what_is_said")


def without_time(text):
    """Return what was said without how long it took, and with the texts that were asked."""
    return re.sub(r'"seconds": [^,\n]+', "", text)


@pytest.mark.parametrize("option", PROMPT, ids=" ".join)
def test_an_option_of_prompt_changes_what_is_said(option, place, tmp_path):
    write_solved(tmp_path)
    base, more = PROMPT[option]
    plain = without_time(see(*base).output)
    assert without_time(see(*base).output) == plain
    assert without_time(see(*base, *more).output) != plain


for option in ("-o", "--for", "--labels", "--rows", "--seed"):
    CASES["makar prompt improve", option] = "test_a_better_prompt_is_looked_for"


@pytest.mark.slow
def test_a_better_prompt_is_looked_for(place, tmp_path):
    write_solved(tmp_path)
    words = ["prompt", "improve", "short.prompt", "writer", "solved.csv", "--json", "--for", "0.01s"]
    quick = see(*words, "-o", "better.prompt").values
    assert quick["tried"] > 8 and quick["before"]["value"] <= 1
    wide, other, few = (
        see(*words[:-1], "6s", *more, "-o", f"{number}.prompt")
        for number, more in enumerate((["--labels", "be,fo"], ["--seed", "3"], ["--rows", "12"]))
    )
    assert wide.values["rows"] == other.values["rows"] == 6 and few.values["rows"] == 4
    assert "candidates left after 4 rows each" in few.messages and "after 5 rows" in wide.messages
    for seen in (wide, other, few):
        if seen.values["file"]:
            assert see("prompt", "try", seen.values["file"], "writer", "a", "--json").values[0]["prompt"]
    assert ".prompt" in see(*words, "-o", "better.txt", code=2).output


def test_lists_of_a_medium(place):
    for what in ("recipes", "models"):
        every = see("list", what, "--json").values
        few = see("list", what, "--medium", "image", "--json").values
        assert few == [row for row in every if row["medium"] == "image"] and 0 < len(few) < len(every)
        assert "bells" in see("list", what, "--medium", "bells", code=2).messages


def test_prompts_are_listed(place):
    assert {"tutor", "story"} <= {row["name"] for row in see("prompt", "list", "--json").values}
    assert "tutor" in see("prompt", "list").output


for verb in ("try", "score", "improve"):
    CASES[f"makar prompt {verb}", "--base-url"] = "test_prompts_are_tried_on_an_endpoint_where_it_is_said_to_be"


@pytest.mark.loopback
def test_prompts_are_tried_on_an_endpoint_where_it_is_said_to_be(place, tmp_path):
    pytest.importorskip("openai", reason="the extra remote is not installed")
    head = '+++\n[variables]\ntext = "what"\n[options]\nretries = 0\n+++\n{{text}}\n'
    (tmp_path / "afar.prompt").write_text(head, encoding="utf-8")
    (tmp_path / "afar.csv").write_text("text,label\n" + "a,x\nb,y\n" * 20, encoding="utf-8")
    for words in (
        ["try", "afar.prompt", "openai:x", "hello"],
        ["score", "openai:x", "afar.csv", "--template", "afar.prompt"],
        ["improve", "afar.prompt", "openai:x", "afar.csv", "--for", "1m", "-o", "better.prompt"],
    ):
        url = "http://127.0.0.1:9/v1"
        assert f"{url} cannot be reached" in see("prompt", *words, "--base-url", url, code=1).messages


# --- train and plan ---------------------------------------------------------------------------------------------------------------

BOTH = ["both", "--steps", "3", "--medium", "image", *IMAGE_SETTINGS]
TRAIN = {
    "--steps": (BOTH, ["--steps", "4"]),
    "--seed": (BOTH, ["--seed", "1"]),
    "--set": (BOTH, ["--set", "stages.0.family.features=16"]),
    "--recipe": (BOTH, ["--recipe", "image"]),
    "--from": (BOTH, ["--from", "painter"]),
    "--medium": (["both", "--steps", "3", "--set", "stages.0.optimisation.batch_size=4"], ["--medium", "text"]),
}
CASES |= {("makar train", option): "test_an_option_of_train_changes_the_weights" for option in TRAIN}


def weights(words, place, name):
    """Return the hashes of the tensors after ``train`` with these words."""
    see("train", place / words[0], *words[1:], "-o", name)
    return hashes(models_folder() / name, suffixes=(".safetensors",))


@pytest.fixture(scope="module")
def trained_before():
    """Return what was trained, by words; every model of this module is trained once."""
    return {}


@pytest.mark.parametrize("option", TRAIN)
def test_an_option_of_train_changes_the_weights(option, place, trained_before):
    base, more = TRAIN[option]
    more = [*base, *more]
    for words in (base, more):
        if str(words) not in trained_before:
            trained_before[str(words)] = weights(words, place, f"model-{len(trained_before)}")
    assert trained_before[str(base)] != trained_before[str(more)]


def test_the_same_training_gives_the_same_weights(place, trained_before):
    """The twin of the test above: without an option nothing differs."""
    trained_before.setdefault(str(BOTH), weights(BOTH, place, "first"))
    assert weights(BOTH, place, "second") == trained_before[str(BOTH)]


CASES["makar train", "--for"] = CASES["makar train", "-o"] = "test_time_and_place_of_a_training_are_kept"


def test_time_and_place_of_a_training_are_kept(place, tmp_path):
    start = time.monotonic()
    values = see("train", place / "images", "--for", "4s", "-o", "./here", *IMAGE_SETTINGS, "--json").values
    assert values["plan"]["seconds"] == 4 and values["results"][-1]["steps"] > 6
    assert time.monotonic() - start < 60
    assert values["model"] == str(tmp_path / "here") and (tmp_path / "here" / "model.safetensors").exists()


PLAN = ["both", "--medium", "image", "--steps", "3", "--no-probe"]
PLANS = {
    "--for": (PLAN, ["both", "--medium", "image", "--for", "60s", "--no-probe"]),
    "--probe": (["both", "--for", "20s", "--no-probe"], ["both", "--for", "20s", "--probe"]),
    "--steps": (PLAN, [*PLAN, "--steps", "5"]),
    "--seed": (PLAN, [*PLAN, "--seed", "1"]),
    "--set": (PLAN, [*PLAN, "--set", "stages.0.family.features=24"]),
    "--recipe": (PLAN, [*PLAN, "--recipe", "image"]),
    "--from": (PLAN, [*PLAN, "--from", "painter"]),
    "--medium": (PLAN, [*PLAN, "--medium", "text"]),
}
CASES |= {("makar plan", option): "test_an_option_of_plan_changes_the_plan" for option in PLANS}


def planned(words, place):
    """Return a plan, without how long planning took."""
    values = see("plan", place / words[0], "--json", *words[1:]).values
    values["predicted"].pop("probe_seconds")
    return values


@pytest.mark.parametrize("option", PLANS)
def test_an_option_of_plan_changes_the_plan(option, place):
    base, more = PLANS[option]
    plain = planned(base, place)
    assert planned(base, place) == plain
    assert planned(more, place) != plain


def test_a_plan_says_that_it_measures_only_when_it_does(place):
    assert "measuring" not in see("plan", place / "texts", "--steps", "3").messages
    assert "measuring" in see("plan", place / "texts", "--for", "20s").messages


# --- checkpoints of sound ---------------------------------------------------------------------------------------------------------

CASES["makar predict", "--language"] = "test_a_language_that_is_told_is_not_guessed"


def test_a_language_that_is_told_is_not_guessed(tmp_path):
    pytest.importorskip("transformers", reason="the extra transformers is not installed")
    from makar.data.sound import Sound
    from makar.data.wave_file import wave_bytes
    from makar.families.pretrained.checkpoint_settings import quiet_transformers
    from tests.families.pretrained.tiny_sounds import save

    with quiet_transformers():
        save("whisper", tmp_path / "whisper")
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (8000, 1)).astype(np.float32)
    (tmp_path / "a.wav").write_bytes(wave_bytes(Sound(noise, 16_000)))
    rows = [
        see("predict", tmp_path / "whisper", tmp_path / "a.wav", *more, "--json").values[0]
        for more in ([], ["--language", "de"], ["--language", "gd"])
    ]
    assert [row["language"] for row in rows[1:]] == ["de", "gd"] and "language_probability" in rows[0]
    assert (
        "language_probability" not in rows[1]
        and "language" in see("predict", tmp_path / "whisper", tmp_path / "a.wav", "--language", "xx", code=2).messages
    )


# --- pretrained pipelines ---------------------------------------------------------------------------------------------------------

DREAM = ["generate", "pipeline", "a fox", "--steps", "2"]
REPAINT = ["edit", "pipeline", "a.png", "--steps", "2", "--prompt", "a fox"]
ADAPT = ["both", "--medium", "image", "--steps", "1", "--from", "pipeline"]
PIPELINE = {
    ("generate", "--width"): (DREAM, ["--width", "24"]),
    ("generate", "--height"): (DREAM, ["--height", "24"]),
    ("generate", "--lora"): (DREAM, ["--lora", "adapter:2"]),
    ("edit", "--lora"): (REPAINT, ["--strength", "0.5", "--lora", "adapter:2"]),
    ("edit", "--negative-prompt"): (REPAINT, ["--strength", "0.5", "--negative-prompt", "a cat"]),
    ("edit", "--controlnet"): (REPAINT, ["--control", "--controlnet", "controlled/controlnet"]),
}
CASES |= {(f"makar {verb}", option): "test_an_option_for_pipelines_changes_the_image" for verb, option in PIPELINE}


@pytest.fixture(scope="module")
def pipelines(models, tmp_path_factory):
    """Return a folder with tiny pipelines and an adapter whose matrices are not zero."""
    pytest.importorskip("diffusers", reason="the extra diffusers is not installed")
    import torch
    from safetensors.torch import load_file, save_file

    from makar.families.pretrained.opening import quiet
    from tests.families.pretrained import tiny_pipelines

    folder = tmp_path_factory.mktemp("pipelines")
    with quiet():
        tiny_pipelines.stable_diffusion().save_pretrained(folder / "pipeline")
        tiny_pipelines.controlled().save_pretrained(folder / "controlled")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MAKAR_HOME", str(folder / "home"))
        patch.chdir(folder)
        see("train", models / ADAPT[0], *ADAPT[1:], "--adapter", "lora", "-o", "./adapter")
    file = folder / "adapter" / "adapter_model.safetensors"
    draw = torch.Generator().manual_seed(0)
    save_file({name: torch.randn(value.shape, generator=draw) for name, value in load_file(file).items()}, file)
    return folder


@pytest.mark.parametrize("case", PIPELINE)
def test_an_option_for_pipelines_changes_the_image(case, pipelines, changer, tmp_path):
    base, more = PIPELINE[case]
    for name in ("pipeline", "adapter", "controlled"):
        (tmp_path / name).symlink_to(pipelines / name)
    if case[0] == "edit":
        base = [*base, *([] if "--control" in more else ["--strength", "0.5"])]
        more = [word for word in more if word not in ("--strength", "0.5")]
    if "--controlnet" in more:
        # Without one there is nothing to steer by.
        assert "cannot control" in see(*base, "--control", code=2).messages
        assert see(*base, *more).code == 0
        return
    plain = made(base, tmp_path)
    assert made([*base, *more], tmp_path) != plain


CASES["makar train", "--adapter"] = CASES["makar plan", "--adapter"] = "test_an_adapter_is_learned_on_request_only"


def test_an_adapter_is_learned_on_request_only(pipelines, place, tmp_path):
    (tmp_path / "pipeline").symlink_to(pipelines / "pipeline")
    plan = see("plan", place / ADAPT[0], *ADAPT[1:], "--adapter", "lora", "--json").values
    assert plan["recipe"]["name"] == "lora" and plan["predicted"]["memory_plan"]["precision"] == "float32"
    assert "float32" in see("plan", place / ADAPT[0], *ADAPT[1:], "--adapter", "lora").output
    for verb in ("plan", "train"):
        assert "--adapter lora" in see(verb, place / ADAPT[0], *ADAPT[1:], code=2).messages
        assert "of nothing" in see(verb, place / "both", "--steps", "1", "--adapter", "lora", code=2).messages
        assert "unknown adapter" in see(verb, place / ADAPT[0], *ADAPT[1:], "--adapter", "lorra", code=2).messages
        wrong = see(verb, place / ADAPT[0], *ADAPT[1:], "--adapter", "lora", "--recipe", "image", code=2)
        assert "one of them" in wrong.messages
    assert (pipelines / "adapter" / "adapter_config.json").is_file()


def test_an_adapter_of_a_writer_is_planned_learned_and_added(place, tmp_path):
    grow = [place / "texts", "--steps", "2", "--from", "writer"]
    planned = see("plan", *grow, "--adapter", "rslora")
    assert "--adapter rslora" in planned.messages and "by an adapter (rslora)" in planned.output
    see("train", *grow, "--adapter", "lora", "-o", "poems", "--set", "stages.0.optimisation.learning_rate=1")
    assert (models_folder() / "poems" / "adapter_config.json").is_file()
    plain, added = (see(*WRITE, *more).output for more in ([], ["--lora", "poems"]))
    assert plain != added
    assert "no adapter" in see(*WRITE, "--lora", "poets", code=2).messages
    see("export", "poems", "--to", "peft", "out")
    assert (tmp_path / "out" / "adapter_model.safetensors").is_file()


# --- the other verbs --------------------------------------------------------------------------------------------------------------

CASES |= {(f"makar {verb}", "--columns"): "test_columns_of_a_table" for verb in ("inspect", "plan", "train")}


def test_columns_of_a_table(place):
    rows = [{"en": f"the {number} red foxes run", "de": f"die {number} roten Fuechse laufen"} for number in range(60)]
    (place / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    table, swapped = place / "pairs.jsonl", ["--columns", "source=de,target=en"]
    seen = [see("inspect", table, *more, "--json").values for more in ([], swapped)]
    assert [values["roles"] for values in seen] == [{"source": "en", "target": "de"}, {"source": "de", "target": "en"}]
    assert seen[0]["task"] == "rewrite" and seen[0]["fingerprint"] != seen[1]["fingerprint"]
    steps = ["--steps", "3", "--recipe", "text", "--json"]
    plans = [see("plan", table, *steps[:-1], *more) for more in ([], swapped)]
    assert "--columns" not in plans[0].messages and "--columns source=de,target=en" in plans[1].messages.replace(
        "'", ""
    )
    made = [
        see("train", table, *steps, *TEXT_SETTINGS, *more, "-o", name).values["hash"]
        for name, more in (("one", []), ("other", swapped))
    ]
    assert made[0] != made[1]
    assert see("verify", models_folder() / "other").code == 0
    # A model is measured on given data as its own was read, whatever the names of the columns say.
    read = {name: data_for(load_artifact(models_folder() / name), table) for name in ("one", "other")}
    assert [read[name].inspection.roles["source"] for name in read] == ["en", "de"]
    assert read["other"].fingerprint == seen[1]["fingerprint"] and data_for(load_artifact("other"), None) is None
    wrong = see("inspect", table, "--columns", "source=dee,target=en", code=2)
    assert '"dee"' in wrong.messages and "de" in wrong.messages


CASES |= {(f"makar list {what}", "--medium"): "test_lists_of_a_medium" for what in ("recipes", "models")}
CASES["makar inspect", "--medium"] = "test_medium_of_inspect"


def test_medium_of_inspect(place):
    found = {
        medium: see("inspect", place / "both", "--medium", medium, "--json").values for medium in ("text", "image")
    }
    assert [values["medium"] for values in found.values()] == ["text", "image"]
    assert found["text"]["used"] != found["image"]["used"]


CASES["makar evaluate", "-o"] = CASES["makar evaluate", "<data>?"] = "test_place_and_data_of_evaluate"


def test_place_and_data_of_evaluate(place, tmp_path):
    plain = see("evaluate", "painter", "--json").values
    assert (tmp_path / "report-painter" / "report.html").exists()
    other = see("evaluate", "painter", place / "both" / "images", "-o", "there", "--json").values
    assert (tmp_path / "there" / "report.html").exists()
    assert plain["html"] != other["html"]
    volatile = {"html", "json"}
    differing = {name for name in plain if plain[name] != other[name]} - volatile
    assert differing and "both" not in json.dumps(plain["measured_on"] if "measured_on" in plain else plain["model"])
    assert "images" in json.dumps(other)


CASES["makar evaluate", "--samples"] = CASES["makar evaluate", "--seed"] = "test_samples_and_seed_of_evaluate"


def test_samples_and_seed_of_evaluate(place):
    plain = see("evaluate", "writer", "-o", "a", "--samples", "3", "--json").values
    more = see("evaluate", "writer", "-o", "b", "--samples", "4", "--json").values
    other = see("evaluate", "writer", "-o", "c", "--samples", "3", "--seed", "7", "--json").values
    assert (plain["details"]["samples"], more["details"]["samples"]) == (3, 4)
    assert plain["novelty"] != other["novelty"] or plain["details"] != other["details"]


CASES["makar evaluate", "--inception"] = "test_weights_of_inception_are_read_and_refused"


def test_weights_of_inception_are_read_and_refused(place, tmp_path):
    # With real weights every image takes a moment, so what is seen here is that the file is opened before anything is made.
    (tmp_path / "weights.pth").write_bytes(b"PK")
    assert "pickle" in see("evaluate", "painter", "--inception", "weights.pth", code=1).messages
    assert "model of images" in see("evaluate", "writer", "--inception", "weights.pth", code=2).messages


CASES["makar export", "--precision"] = "test_precision_of_export"


def test_precision_of_export(place):
    assert (
        "precision int8 in the format onnx"
        in see("export", "writer", "--to", "onnx", "--precision", "int8", "there", code=2).messages
    )
    assert '"int9"' in see("export", "writer", "--to", "gguf", "--precision", "int9", "there", code=2).messages


CASES["makar export", "--to"] = CASES["makar import", "-o"] = "test_format_of_export_and_name_of_import"


def test_format_of_export_and_name_of_import(place, tmp_path):
    see("export", "writer", "--to", "transformers", "hf")
    see("export", "writer", "--to", "onnx", "onnx")
    assert (tmp_path / "hf" / "config.json").exists() and not list((tmp_path / "hf").glob("*.onnx"))
    assert list((tmp_path / "onnx").glob("*.onnx"))
    see("import", "hf", "-o", "back")
    see("import", "hf", "-o", "./beside")
    assert (models_folder() / "back").is_dir() and (tmp_path / "beside").is_dir()


CASES["makar runs remove", "--yes"] = CASES["makar runs clean", "--yes"] = "test_nothing_is_deleted_without_a_yes"


def test_nothing_is_deleted_without_a_yes(own_place):
    # Other tests of this process trained on the same texts, so a run is known by what came of it.
    made = {
        folder: see("runs", "show", folder.name, "--json").values.get("artifact") for folder in runs_folder().iterdir()
    }
    run, model = next(
        (folder, artifact) for folder, artifact in made.items() if artifact and artifact.endswith("writer")
    )
    asked = see("runs", "remove", run.name, code=2)
    assert run.is_dir() and "novelty" in asked.messages and "--yes" in asked.messages
    see("runs", "remove", run.name, "--yes")
    assert not run.exists() and run.name not in see("runs", "list").output
    assert (models_folder() / "writer").is_dir() and model.endswith("writer")
    assert see("generate", "writer", "--max-tokens", "5").output
    stores = set(stores_folder().iterdir())
    see("runs", "clean", code=2)
    assert set(stores_folder().iterdir()) == stores
    assert len(see("runs", "clean", "--yes", "--json").values) == 1
    assert len(set(stores_folder().iterdir())) == len(stores) - 1
    assert "nothing" in see("runs", "clean").messages


CASES |= {("makar demo", option): "test_options_of_demo" for option in ("--for", "--seed", "<folder>?")}


@pytest.mark.slow
def test_options_of_demo(place, tmp_path, monkeypatch):
    job = demo.Job(source=str(place / "images"), name="letters", what="pictures", count=2, options={"steps": 2})
    monkeypatch.setattr(demo, "JOBS", (job,))
    count = len(in_gallery())
    see("demo", "--for", "1s")
    see("demo", "there", "--for", "5s", "--seed", "3", "--no-gallery")
    assert len(in_gallery()) == count + 2
    pages = [(tmp_path / name / "index.html").read_text(encoding="utf-8") for name in ("makar-demo", "there")]
    assert [f"generated image, seed {seed}'" in page for seed, page in zip((0, 3), pages)] == [True, True]
    assert "generated image, seed 0'" not in pages[1]
    trained = [int(re.search(r"<dt>trained for</dt><dd>(\d+) s</dd>", page)[1]) for page in pages]
    assert trained[0] <= 2 < trained[1]


# --- index and ask ----------------------------------------------------------------------------------------------------------------

CASES |= {
    ("makar ask", option): "test_options_of_ask"
    for option in ("--in", "--model", "--synthesise", "--limit", "--seed", "-o", "--evaluate", "<question>?")
}
CASES |= {
    ("makar index", option): "test_options_of_ask" for option in ("-o", "--encoder", "--base-url", "--change-encoder")
}


def write_rules(folder):
    """Write two documents that say something of refunds."""
    (folder / "rules").mkdir()
    (folder / "rules" / "a.md").write_text("# Refunds\n\nA refund is paid within 30 days of the sale.\n")
    (folder / "rules" / "b.txt").write_text("Each refund of a sale is paid within 14 days, says the letter.\n")


def test_options_of_ask(place, tmp_path):
    write_rules(tmp_path)
    see("index", "rules", "-o", "first.sqlite")
    see("index", "rules/a.md", "-o", "second.sqlite")
    words = ["ask", "When is a refund of a sale paid?", "--in"]
    plain = see(*words, "first.sqlite").output
    assert plain == see(*words, "first.sqlite").output != see(*words, "second.sqlite").output
    assert "14 days" in plain and "14 days" not in see(*words, "second.sqlite").output
    assert see(*words, "first.sqlite", "--limit", "1").output != plain
    assert "## " in see(*words, "first.sqlite", "--synthesise").output
    written, again, other = (
        see(*words, "first.sqlite", "--model", "writer", "--seed", seed, "--json").values for seed in (1, 1, 2)
    )
    assert written["signed"]["manifest"]["content"] == again.pop("signed")["manifest"]["content"]
    assert written["by"] == "writer" and {**again, "signed": written["signed"]} == written
    assert {**other, "signed": written["signed"]} != written
    assert all(said["problem"] or said["citations"] for said in written["sentences"])
    see(*words, "first.sqlite", "--model", "writer", "--seed", "1", "-o", "answer.txt")
    assert in_gallery()[0]["prompt"] == words[1]
    count = len(in_gallery())
    see(*words, "first.sqlite", "--model", "writer", "--seed", "3", "--no-gallery")
    assert len(in_gallery()) == count
    assert Path("answer.txt").read_text(encoding="utf-8") == written["written"]
    assert see("verify", "answer.txt", "--json").values["checks"][0]["status"] == "ok"
    assert "without --model" in see(*words, "first.sqlite", "-o", "quoted.txt", code=2).messages
    # A model that makes no vectors is read and refused; tests/api/test_reading.py has one that does.
    assert "embed" in see("index", "rules", "-o", "first.sqlite", "--encoder", "writer", code=2).messages
    # tests/api/test_embedders.py has encoders that change, and an endpoint that answers.
    assert "--encoder" in see("index", "rules", "-o", "first.sqlite", "--change-encoder", code=2).messages
    nobody = ["--encoder", "openai:nobody", "--base-url", "http://127.0.0.1:9/v1"]
    assert "127.0.0.1:9" in see("index", "rules", "-o", "first.sqlite", *nobody, code=1).messages
    assert see(*words, "first.sqlite").output == plain
    asked = {"question": words[1], "answer": "within 30 days", "document": "a.md"}
    Path("known.jsonl").write_text(json.dumps(asked) + "\n", encoding="utf-8")
    scores = see("ask", "--evaluate", "known.jsonl", "--in", "first.sqlite", "-o", "known", "--json").values["scores"]
    assert scores and Path("known/report.html").is_file()
    assert "question" in see("ask", "--in", "first.sqlite", code=2).messages


# --- promote ----------------------------------------------------------------------------------------------------------------------

CASES |= {
    ("makar promote", option): "test_options_of_promote"
    for option in ("<name>?", "--data", "--suites", "--samples", "--seed", "--rollback")
}


def test_options_of_promote(own_place, monkeypatch):
    see("train", own_place / "texts", "--steps", "60", "--seed", "4", *TEXT_SETTINGS, "-o", "better")
    words = ["promote", "better", "writer", "--samples", "2", "--json"]
    assert "no name" in see("promote", "better", code=2).messages
    discarded = ["promote", "writer", "better", "--samples", "2", "--json"]
    plain = see(*discarded, code=1).values
    assert plain == see(*discarded, code=1).values and plain["kept_as"] is None
    Path("suites").mkdir()
    asked = see(*discarded, "--suites", str(pairs(Path("suites"))), code=1).values["checks"]
    assert "WinoBias: nearer to even" in {check["name"] for check in asked}
    assert "alone" in see("promote", "writer", "--rollback", "--suites", "x", code=2).messages
    see("train", own_place / "images", "--steps", "2", "--seed", "4", *IMAGE_SETTINGS, "-o", "other")
    assert "suites for a model of images" in see("promote", "other", "painter", "--suites", "x", code=2).messages
    drawn, generate = [], generating.generate
    watched = lambda artifact, **more: drawn.append((more["count"], more["seed"])) or generate(artifact, **more)  # noqa: E731
    monkeypatch.setattr(generating, "generate", watched)
    see("promote", "other", "painter", "--samples", "3", "--seed", "7", code=1)
    see("promote", "other", "painter", "--samples", "2", code=1)
    assert drawn == [(3, 7)] * 2 + [(2, 0)] * 2
    assert see(*discarded, "--data", own_place / "both" / "texts", code=1).values["checks"][0] != plain["checks"][0]
    done = see(*words).values
    assert done["verdict"] == "keep" and (models_folder() / done["kept_as"]).is_dir()
    assert "alone" in see("promote", "writer", "better", "--rollback", code=2).messages
    assert see("promote", "writer", "--rollback", "--json").values["kept_as"].startswith("writer.after-")
    assert "promoted name" in see("promote", "writer", "--rollback", code=2).messages


# --- feedback ---------------------------------------------------------------------------------------------------------------------

ADD = {
    "--thumb": (["a.txt", "--thumb", "up"], ["a.txt", "--thumb", "down"]),
    "--stars": (["a.txt", "--stars", "2"], ["a.txt", "--stars", "3"]),
    "--order": (["a.txt", "b.txt"], ["a.txt", "b.txt", "--order", "2,1"]),
    "--edit": (["a.txt", "--edit", "b.txt"], ["a.txt", "--edit", "c.txt"]),
    "--prompt": (["a.txt", "--thumb", "up"], ["a.txt", "--thumb", "up", "--prompt", "Why?"]),
    "--rater": (["a.txt", "--thumb", "up"], ["a.txt", "--thumb", "up", "--rater", "ann"]),
    "--consent": (["a.txt", "--thumb", "up"], ["a.txt", "--thumb", "up", "--no-consent"]),
    "--note": (["a.txt", "--thumb", "up"], ["a.txt", "--thumb", "up", "--note", "dull"]),
}
CASES |= {("makar feedback add", option): "test_an_option_of_feedback_add_changes_what_is_kept" for option in ADD}


def write_opinions(folder):
    """Write three texts that can be judged."""
    for name in "abc":
        (folder / f"{name}.txt").write_text(f"The answer is {name}.", encoding="utf-8")


@pytest.mark.parametrize("option", ADD)
def test_an_option_of_feedback_add_changes_what_is_kept(option, tmp_path, monkeypatch):
    monkeypatch.setenv("MAKAR_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    write_opinions(tmp_path)

    def kept(words):
        values = see("feedback", "add", *words, "--json").values
        return {name: value for name, value in values.items() if name not in ("id", "time")}

    base, other = ADD[option]
    assert kept(base) == kept(base) != kept(other)


FILTERS = ("--rater", "--model", "--kind", "--medium", "--session")
CASES |= {
    ("makar feedback list", option): "test_feedback_is_listed_by_what_is_asked_for" for option in (*FILTERS, "--limit")
}
CASES |= {
    ("makar feedback export", option): "test_feedback_is_listed_by_what_is_asked_for" for option in (*FILTERS, "--form")
}
CASES |= {
    ("makar feedback ranking", option): "test_feedback_is_listed_by_what_is_asked_for"
    for option in ("--rater", "--medium", "--session")
}
CASES |= {("makar feedback remove", option): "test_feedback_is_taken_back" for option in ("<ids>?", "--rater", "--yes")}
CASES |= {
    ("makar feedback compare", option): "test_models_are_compared_blindly"
    for option in ("<models>?", "--prompts", "--rounds", "--seed", "--session", "--rater", "--consent")
}


def test_feedback_is_listed_by_what_is_asked_for(own_place, monkeypatch):
    write_opinions(Path())
    see(*WRITE, "-o", "first.txt")
    see(*DRAW, "-o", "picture.png")
    see("feedback", "add", "first.txt", "a.txt", "--rater", "ann")
    see("feedback", "add", "picture.png", "--thumb", "up", "--rater", "bob")
    monkeypatch.setattr("typer.prompt", lambda *words, **more: "a")
    session = see("feedback", "compare", "writer", "painter", "--rater", "eve", code=2).messages
    assert "one medium" in session
    ranked = see("feedback", "compare", "writer", "twin", "--rounds", "2", "--rater", "eve", "--json", code=None)
    assert ranked.code == 2, "there is no twin yet"
    shutil.copytree(models_folder() / "writer", models_folder() / "twin")
    see("feedback", "compare", "writer", "twin", "--rounds", "2", "--rater", "eve")
    one = next(row for row in see("feedback", "list", "--rater", "eve", "--json").values)
    everything = see("feedback", "list", "--json").values
    assert len(everything) == 4
    words = {
        "--rater": "ann",
        "--model": "painter",
        "--kind": "thumb",
        "--medium": "image",
        "--session": one["session"],
    }
    for number, (option, value) in enumerate(words.items()):
        found = see("feedback", "list", option, value, "--json").values
        assert 0 < len(found) < 4, option
        see("feedback", "export", f"{number}.jsonl", option, value)
        assert len(Path(f"{number}.jsonl").read_text().splitlines()) == len(found)
    assert len(see("feedback", "list", "--limit", "1", "--json").values) == 1
    see("feedback", "export", "pairs.jsonl", "--form", "preferences")
    assert json.loads(Path("pairs.jsonl").read_text().splitlines()[0])["rejected"][0]["content"] == "The answer is a."
    whole = see("feedback", "ranking", "--json").values
    assert whole["comparisons"] == 2 and {one["model"] for one in whole["models"]} == {"twin", "writer"}
    assert see("feedback", "ranking", "--session", one["session"], "--json").values["raters"] == 1
    assert see("feedback", "ranking", "--rater", "bob", "--json").values["comparisons"] == 0
    assert see("feedback", "ranking", "--medium", "image", "--json").values["comparisons"] == 0


def test_feedback_is_taken_back(own_place):
    write_opinions(Path())
    ids = [see("feedback", "add", f"{name}.txt", "--thumb", "up", "--rater", name).output.strip() for name in "abc"]
    assert "no terminal" in see("feedback", "remove", ids[0], code=2).messages
    see("feedback", "remove", ids[0], "--yes")
    see("feedback", "remove", "--rater", "b", "--yes")
    assert [row["rater"] for row in see("feedback", "list", "--json").values] == ["c"]
    assert "named" in see("feedback", "remove", "--yes", code=2).messages


def test_models_are_compared_blindly(own_place, monkeypatch):
    shutil.copytree(models_folder() / "writer", models_folder() / "twin")
    other = models_folder() / "other"
    see("train", own_place / "texts", "--steps", "3", "--seed", "4", *TEXT_SETTINGS, "-o", "other")
    Path("prompts.txt").write_text("In which\nChapter\n", encoding="utf-8")
    typed = iter(["x", "a", "b", "q"])
    monkeypatch.setattr("typer.prompt", lambda *words, **more: next(typed))
    seen = see(
        "feedback",
        "compare",
        "writer",
        "other",
        "--prompts",
        "prompts.txt",
        "--rounds",
        "2",
        "--rater",
        "ann",
        "--no-consent",
    )
    assert other.is_dir() and "--- A ---" in seen.messages and "not yet decided" in seen.output
    rows = see("feedback", "list", "--rater", "ann", "--json").values
    assert len(rows) == 2 and not any(row["consent"] for row in rows)
    assert {row["prompt"][0]["content"] for row in rows} <= {"In which", "Chapter"}
    typed = iter(["=", "="])
    see("feedback", "compare", "--session", rows[0]["session"], "--rater", "ann")
    assert len(see("feedback", "list", "--rater", "ann", "--json").values) == 4
    # Answers that are the same are even and not shown; another seed gives other answers.
    monkeypatch.setattr("typer.prompt", lambda *words, **more: "never")
    see("feedback", "compare", "writer", "twin")
    one, two = ([], [])
    for found, seed in ((one, "0"), (two, "9")):
        see("feedback", "compare", "writer", "twin", "--seed", seed, "--rater", f"seed {seed}")
        found += [
            item["hash"]
            for row in see("feedback", "list", "--rater", f"seed {seed}", "--json").values
            for item in row["items"]
        ]
    assert len(one) == len(two) == 2 and one != two
    assert "or neither" in see("feedback", "compare", code=2).messages


# --- --json -----------------------------------------------------------------------------------------------------------------------


def lines(place):
    """Return a command line for every verb, in an order in which each can run; what changes things comes last."""
    run, other = (next(runs_folder().glob(f"*{name}*")).name for name in ("texts", "images"))
    see(*WRITE, "-o", "story.txt")
    see("export", "writer", "--to", "transformers", "hf")
    write_solved(Path())
    write_rules(Path())
    write_opinions(Path())
    see("feedback", "add", "b.txt", "a.txt", "--rater", "ann")
    see("feedback", "export", "said.jsonl")
    shutil.copytree(models_folder() / "writer", models_folder() / "twin")
    shutil.copytree(models_folder() / "painter", models_folder() / "painter.before-0")
    promotion = {"name": "painter", "new": "0" * 64, "old": "0" * 64, "from": "x", "kept_as": "painter.before-0"}
    (home() / "promotions.jsonl").write_text(json.dumps(promotion) + "\n", encoding="utf-8")
    write_spoken(Path("agreed"), count=8)
    agree = ["consent", "record", "agreed/1.wav", "--who", "Ann", "--scope", "voice"]
    see(*agree, "-o", "ann.json")
    see("train", "agreed", "--recipe", "speech", "--steps", "2", *SPEECH_SETTINGS, "-o", "speaker")
    (Path("script.txt")).write_text("low high", encoding="utf-8")
    race = ["prompt", "improve", "short.prompt", "writer", "solved.csv", "--for", "0.001s", "-o", "better.prompt"]
    return {
        "inspect": ["inspect", place / "texts"],
        "plan": ["plan", place / "texts", "--steps", "3", "--no-probe"],
        "train": ["train", place / "texts", "--steps", "2", *TEXT_SETTINGS, "-o", "again"],
        "generate": WRITE,
        "chat": TALK,
        "edit": PAINT,
        "speak": ["speak", "script.txt", "--voice", "speaker", "--steps", "2", "-o", "exported.wav"],
        "predict": ["predict", "changer", "a.png", "--what", "brightness"],
        "evaluate": ["evaluate", "painter"],
        "verify": ["verify", "story.txt"],
        "promote": ["promote", "painter", "--rollback"],
        "import": ["import", "hf", "-o", "imported"],
        "export": ["export", "writer", "--to", "transformers", "exported"],
        "index": ["index", "rules", "-o", "rules.sqlite"],
        "ask": ["ask", "When is a refund paid?", "--in", "rules.sqlite"],
        "consent record": [*agree, "-o", "exported.json"],
        "consent verify": ["consent", "verify", "ann.json"],
        "consent revoke": ["consent", "revoke", "ann.json"],
        "doctor": ["doctor"],
        "version": ["version"],
        "feedback add": ["feedback", "add", "a.txt", "--thumb", "up"],
        "feedback list": ["feedback", "list"],
        "feedback export": ["feedback", "export", "exported.jsonl"],
        "feedback import": ["feedback", "import", "said.jsonl"],
        "feedback compare": ["feedback", "compare", "writer", "twin"],
        "feedback ranking": ["feedback", "ranking"],
        "feedback remove": ["feedback", "remove", "--rater", "nobody", "--yes"],
        "list recipes": ["list", "recipes"],
        "list models": ["list", "models"],
        "list media": ["list", "media"],
        "prompt list": ["prompt", "list"],
        "prompt try": ["prompt", "try", "poem", "writer", "rain"],
        "prompt score": SCORE[:-1],
        "prompt improve": race,
        "runs list": ["runs", "list"],
        "runs show": ["runs", "show", run],
        "runs compare": ["runs", "compare", run, other],
        "runs resume": ["runs", "resume", run],
        "runs stop": ["runs", "stop", run],
        "runs remove": ["runs", "remove", run, "--yes"],
        "runs clean": ["runs", "clean", "--yes"],
    }


WITH_JSON = sorted(
    verb.removeprefix("makar ") for verb, options in current().items() if "--json" in options and verb != "makar serve"
)
CASES |= {(f"makar {verb}", "--json"): "test_json_is_json" for verb in WITH_JSON}


def test_json_is_json(own_place, monkeypatch):
    add_changer(own_place, Path(), monkeypatch)
    table = lines(own_place)
    assert sorted(table) == WITH_JSON
    before = home().with_name("before")
    shutil.copytree(home(), before)
    for verb, words in table.items():
        plain = see(*words)
        if verb in (
            "speak",
            "consent record",
            "consent revoke",
            "export",
            "import",
            "feedback export",
            "promote",
            "runs remove",
            "runs clean",
        ):
            # Each can be done only once, so it is done again from what was there before.
            shutil.rmtree("exported", ignore_errors=True)
            Path("exported.jsonl").unlink(missing_ok=True)
            for name in ("exported.json", "exported.wav", "exported.wav.makar.json"):
                Path(name).unlink(missing_ok=True)
            shutil.rmtree(home())
            shutil.copytree(before, home(), dirs_exist_ok=True)
        shown = see(*words, "--json")
        assert isinstance(shown.values, dict | list), verb
        assert shown.output != plain.output, verb
        with pytest.raises(ValueError):
            json.loads(plain.output)


# --- serve ------------------------------------------------------------------------------------------------------------------------

SERVE = ("<models>?", "--host", "--port", "--key-file", "--origin", "--requests-per-minute", "--waiting", "--memory")
SERVE += ("--largest-upload", "--data", "--set", "--json")
CASES[("makar serve", "--base-url")] = "test_an_endpoint_behind_the_server_is_where_it_is_said_to_be"
CASES |= {("makar serve", option): "test_an_option_of_serve_changes_what_is_served" for option in SERVE}


CASES[("makar serve", "--engine")] = "test_an_engine_that_does_not_run_the_model_is_refused"


@pytest.mark.loopback
def test_an_engine_that_does_not_run_the_model_is_refused(place):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = ["--port", str(taken.getsockname()[1])]
        assert "is taken" in see("serve", "writer", "--engine", "torch", *port, code=1).messages
        refused = see("serve", "writer", "--engine", "transformers", *port, code=2).messages
    assert ", which run" in refused and "--to transformers" in refused


@pytest.mark.slow
@pytest.mark.loopback
def test_an_endpoint_behind_the_server_is_where_it_is_said_to_be(place):
    behind = Server(home(), "writer")
    ask = {"messages": [{"role": "user", "content": "In which"}], "temperature": 0, "max_tokens": 5}
    try:
        front = Server(home(), "openai:writer", "--base-url", f"{behind.address}/v1")
        try:
            both = [
                json.loads(request(one.address, "/v1/chat/completions", {"model": "writer", **ask})[2])["choices"][0]
                for one in (behind, front)
            ]
            assert both[0]["message"]["content"] == both[1]["message"]["content"]
        finally:
            assert front.stop() == 0
    finally:
        assert behind.stop() == 0
    with pytest.raises(AssertionError, match="behind an endpoint"):
        Server(home(), "writer", "--base-url", "https://engine.example/v1")


@pytest.mark.loopback
def test_an_option_of_serve_changes_what_is_served(place, tmp_path):
    (tmp_path / "key").write_text("a-key-of-more-than-16-letters", encoding="utf-8")
    words = ["writer", "--key-file", tmp_path / "key", "--host", "127.0.0.2", "--origin", "https://friend.example"]
    words += ["--requests-per-minute", "9", "--waiting", "1", "--memory", "4000", "--largest-upload", "1"]
    words += ["--set", "max_tokens=3", "--json", "--data", tmp_path]
    key = {"Authorization": "Bearer a-key-of-more-than-16-letters"}
    ask = {"model": "writer", "messages": [{"role": "user", "content": "In which"}], "seed": 1}
    found = []
    for server in (Server(home()), Server(home(), *words)):
        friend = {**key, "Origin": "https://friend.example"}
        seen = {
            "--host": server.address.split(":")[1],
            "--port": server.address.split(":")[2],
            "--key-file": request(server.address, "/v1/models")[0],
            "<models>?": len(json.loads(request(server.address, "/v1/models", headers=key)[2])["data"]),
            "--origin": request(server.address, "/v1/models", headers=friend)[0],
            "--largest-upload": request(server.address, "/v1/chat/completions", b"x" * (1 << 18), headers=key)[0],
            "--data": json.loads(request(server.address, "/makar/v1/sources", headers=key)[2])["folders"],
            "--set": json.loads(request(server.address, "/v1/chat/completions", ask, headers=key)[2])["usage"],
            "--json": server.output[:1],
        }
        limits = ("--requests-per-minute", "--waiting", "--memory")
        seen["--requests-per-minute"] = [request(server.address, "/v1/models", headers=key)[0] for _ in range(9)]
        found.append(seen)
        assert server.stop() == 0
    assert set(found[0]) | set(limits) == set(SERVE)
    assert all(found[0][option] != found[1][option] for option in found[0])
    assert 429 in found[1]["--requests-per-minute"] and found[1]["--set"]["completion_tokens"] == 3
    # How many may wait, and how much memory there is, is seen in tests/serving/test_pool.py; here, that too little is said to be.
    with pytest.raises(AssertionError, match="takes about"):
        Server(home(), "writer", "--memory", "5")


# --- the table is complete --------------------------------------------------------------------------------------------------------


def test_every_option_has_a_case():
    required = {
        (verb, option.split(", ")[0])
        for verb, options in current().items()
        for option in options
        if not option.startswith("<") or option.endswith("?")
    }
    assert required == set(CASES), (
        f"without a case: {sorted(required - set(CASES))}; gone: {sorted(set(CASES) - required)}"
    )
    for name in CASES.values():
        assert name in globals()
