"""The worker by itself: what is asked in lines is answered in lines, errors belong to their work, and what nobody wants stops at once."""

import base64
import io
import json
import os
import signal
import threading

import pytest
from PIL import Image

import makar
from makar.errors import ConfigError, UnsupportedError
from makar.families.diffusion.config import DiffusionConfig
from makar.generation.turns import PLAIN_STOP
from makar.serving.work import begin, facts_of
from makar.serving.worker import Worker, runs_together
from tests.generation.test_edit import saved
from tests.serving.server import talker

TEXT = {"do": "complete", "prompt": "Hello", "echo": False, "options": {"max_tokens": 8}, "seed": 1}
TEXT |= {"likelihoods": None, "manifest": False}
IMAGE = {"do": "images", "prompt": "fox", "count": 1, "seed": 1, "options": {"steps": 1}, "manifest": False}
IMAGE |= {"previews": 0}
SMALL = DiffusionConfig(features=16, multipliers=(1, 2), blocks=1, head_width=8)


@pytest.fixture
def signals():
    """Put the handler of the signal back that a worker takes."""
    before = signal.getsignal(signal.SIGUSR1)
    yield
    signal.signal(signal.SIGUSR1, before)


def answers(model, script):
    """Let a worker do what a script says, given a function that sends a line, and return the lines that it said."""
    reading, writing = os.pipe()
    out = io.StringIO()
    worker = Worker(model, {}, out)

    def play():
        with os.fdopen(writing, "w") as lines:

            def send(line):
                lines.write(json.dumps(line) + "\n")
                lines.flush()

            script(send, worker)

    thread = threading.Thread(target=play)
    thread.start()
    with os.fdopen(reading) as lines:
        worker.run(lines)
    thread.join()
    return [json.loads(line) for line in out.getvalue().splitlines()]


def until_said(out, text):
    """Wait until a worker has said something."""
    while text not in out.getvalue():
        threading.Event().wait(0.01)


def test_texts_are_written_in_turn_and_an_error_belongs_to_its_own(own_folder, signals):
    model = makar.load(talker(own_folder / "models" / "talker").path)

    def script(send, worker):
        send({"id": "a", **TEXT})
        send({"id": "b", **TEXT, "options": {"max_tokens": 8, "top_p": 7.0}})
        send({"id": "c", **TEXT, "prompt": [9999]})
        for name in ("a", "b", "c"):
            until_said(worker._out, f'{{"id":"{name}","done":true}}' if name == "a" else f'"{name}","error"')

    said = answers(model, script)
    text = "".join(line["event"].get("text", "") for line in said if line["id"] == "a" and "event" in line)
    assert text == model.generate("Hello", seed=1, options={"max_tokens": 8})[0].new_text
    errors = {line["id"]: line["error"]["status"] for line in said if "error" in line}
    assert errors == {"b": 400, "c": 400} and runs_together(model)
    assert facts_of(model, {"max_tokens": 3, "steps": 4})["defaults"] == {"max_tokens": 3}


def test_it_is_known_which_models_make_something_out_of_nothing(own_folder):
    for source, creates, edits in (("none", True, "inpaint"), ("grey", False, "control")):
        model = makar.load(saved(own_folder / "models" / source, SMALL, labels=(None,), source=source).path)
        facts = facts_of(model, {})
        assert facts["creates"] is creates and edits in facts["edits"]


def test_what_the_server_sets_holds_for_texts_where_a_request_says_nothing(own_folder):
    model = makar.load(talker(own_folder / "models" / "talker").path)
    (shown,) = [one for one in facts_of(model, {"max_tokens": 3})["options"] if one["name"] == "max_tokens"]
    assert shown["default"] == 3
    ask = TEXT | {"do": "chat", "turns": [{"role": "user", "content": "Hello"}], "manifest": True}

    def stops(own, others):
        *_, last = begin(model, ask | {"options": {"max_tokens": 2, **own}, "defaults": others}, print)
        return last["end"]["manifest"]["manifest"]["settings"]["stop"]

    assert stops({}, {"stop": ["END"]}) == ["END", PLAIN_STOP] == stops({"stop": ["END"]}, {"stop": ["no"]})
    with pytest.raises(ConfigError, match="stop"):
        stops({"stop": "END"}, {})
    for name, words in (("talker", "cannot infill"), ("painter", "text of painter")):
        model = model if name == "talker" else makar.load(saved(own_folder / "models" / name, SMALL).path)
        with pytest.raises(UnsupportedError, match=words):
            list(begin(model, TEXT | {"do": "infill", "suffix": "b", "defaults": {}}, print))


def test_what_the_server_sets_holds_for_images_that_are_made_and_changed(own_folder):
    model = makar.load(saved(own_folder / "models" / "painter", SMALL).path)
    file = io.BytesIO()
    Image.new("RGB", (16, 16), "white").save(file, "PNG")
    image = base64.b64encode(file.getvalue()).decode()
    defaults = {"steps": 3, "strength": 0.5}

    def settings(**changes):
        (event,) = begin(model, IMAGE | {"options": {}, "manifest": True, "defaults": defaults, **changes}, print)
        found = event["manifest"]["manifest"]["settings"]
        return found["steps"], found["strength"]

    assert settings() == (3, None) and settings(options={"steps": 2}) == (2, None)
    assert settings(do="edit", how={"image": image}) == (3, 0.5)
    assert settings(do="edit", how={"image": image, "box": [0, 0, 8, 8]}) == (3, None)
    assert settings(do="edit", how={"image": image}, options={"strength": 0.25}) == (3, 0.25)
    with pytest.raises(UnsupportedError, match="svg"):
        settings(options={"svg": True})


def test_a_text_that_nobody_wants_is_dropped_and_the_others_go_on(own_folder, signals):
    model = makar.load(talker(own_folder / "models" / "talker").path)
    endless = {"max_tokens": 100_000, "logit_bias": {"256": -100}}

    def script(send, worker):
        send({"id": "a", **TEXT, "options": endless})
        until_said(worker._out, '"a","event":{"text"')
        send({"cancel": "a"})
        send({"id": "b", **TEXT})
        until_said(worker._out, '"b","done"')

    said = answers(model, script)
    assert not [line for line in said if line["id"] == "a" and "event" not in line]
    assert said[-1] == {"id": "b", "done": True}


def test_an_image_that_nobody_wants_is_stopped_in_the_middle_of_it(own_folder, signals):
    model = makar.load(saved(own_folder / "models" / "painter", SMALL).path)

    def script(send, worker):
        send({"id": "a", **IMAGE, "options": {"steps": 1000}, "count": 64})
        while worker._busy_with != "a":
            threading.Event().wait(0.01)
        send({"cancel": "a"})
        send({"id": "b", **IMAGE})
        until_said(worker._out, '"b","done"')

    said = answers(model, script)
    # It was interrupted: otherwise its images would have been there before anybody heard that they are not wanted.
    assert {line["id"] for line in said} == {"b"} and said[0]["event"]["size"] == [16, 16]


def test_previews_come_between_the_steps_and_work_is_stopped_after_one(own_folder, signals):
    model = makar.load(saved(own_folder / "models" / "painter", SMALL).path)

    def script(send, worker):
        send({"id": "a", **IMAGE, "options": {"steps": 1000}, "count": 64, "previews": 400})
        until_said(worker._out, '"estimate"')
        send({"cancel": "a"})
        send({"id": "b", **IMAGE, "options": {"steps": 3}, "previews": 1})
        until_said(worker._out, '"b","done"')

    said = answers(model, script)
    assert all("estimate" in line["event"] for line in said if line["id"] == "a")
    early, finished = (line["event"] for line in said if line["id"] == "b" and "event" in line)
    assert early["estimate"] == {"step": 2, "steps": 3} and "estimate" not in finished
    assert early["seed"] == finished["seed"] == 1 and early["png"] != finished["png"]
