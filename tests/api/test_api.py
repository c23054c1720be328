"""The verbs in Python, on real data: train, generate, verify, export, import, resume; the same call finds its run again."""

import shutil
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

import makar
from makar.api import training
from makar.api.places import lasting_source, model_place
from makar.api.runs import all_runs, compare_runs, run_details, stop_run
from makar.data.dataset import open_dataset
from makar.errors import (
    DataError,
    InterruptedRunError,
    OutOfSpaceError,
    UnknownNameError,
    UnsupportedError,
    UsageError,
)
from makar.evaluation.comparison import compare
from makar.home import home, models_folder, runs_folder
from tests.cli.small_models import write_images, write_texts

TEXTS = ["It was a dark and stormy night; the rain fell in torrents, except at occasional intervals.\n" * 20] * 1 + [
    f"Chapter {number}. In which the {number} bears go to town and buy {number * 7} loaves of bread.\n" * 12
    for number in range(30)
]
STEPS = 8


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Return the runs of a text and an image model, in a folder that the whole module shares."""
    patch = pytest.MonkeyPatch()
    folder = tmp_path_factory.mktemp("home")
    patch.setenv("MAKAR_HOME", str(folder))
    runs = {
        "text": makar.train(TEXTS, steps=STEPS, output="bears"),
        "image": makar.train("builtin:digits", steps=STEPS, output="digits"),
    }
    patch.undo()
    return folder, runs


@pytest.fixture
def runs(trained, monkeypatch):
    """Return the trained runs with their folder in place."""
    monkeypatch.setenv("MAKAR_HOME", str(trained[0]))
    return trained[1]


def test_importing_makar_loads_nothing_heavy():
    code = "import sys, makar; print({'torch', 'numpy', 'typer'} & set(sys.modules)); makar.train; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["set()", "True"]


def test_listing_recipes_loads_nothing_heavy():
    code = (
        "import sys; from makar.cli.app import run; run(['list', 'recipes', '--json']); "
        "print({'torch', 'numpy'} & set(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "set()"


def test_a_name_that_is_not_there_says_what_is():
    with pytest.raises(AttributeError, match="train"):
        makar.trian  # noqa: B018


def test_train_gives_a_run_with_its_model(runs):
    for run in runs.values():
        assert run.results[-1].steps == STEPS
        assert run.folder.parent == runs_folder()
        assert run.model.path.parent == models_folder()
        assert makar.load(run.model.short_name).hash == run.model.hash
        assert run.to_dictionary()["run"] == run.id


def test_text_is_continued_and_the_seed_decides(runs):
    model = runs["text"].model
    options = {"max_tokens": 12}
    first, second = (model.generate("It was", seed=3, options=options)[0] for _ in range(2))
    assert first.content == second.content and first.content.startswith("It was")
    assert first.content != model.generate("It was", seed=4, options=options)[0].content
    assert first.novelty is not None


def test_a_stream_joins_to_the_same_text(runs):
    model = runs["text"].model
    *pieces, asset = model.stream("It was", seed=3, options={"max_tokens": 12})
    assert "It was" + "".join(pieces) == asset.content
    assert asset.content == model.generate("It was", seed=3, options={"max_tokens": 12})[0].content


def test_images_are_arrays_and_verify(runs, tmp_path):
    assets = runs["image"].model.generate(count=2, seed=1, options={"steps": 2})
    for asset in assets:
        assert isinstance(asset.content, np.ndarray) and asset.content.dtype == np.uint8
        path = asset.save(tmp_path)
        assert makar.verify(path).is_intact
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    path.write_bytes(bytes(damaged))
    assert not makar.verify(path).is_intact


def test_a_control_that_does_not_exist_is_refused(runs):
    for run, control in ((runs["text"], "solver"), (runs["image"], "temperature")):
        with pytest.raises(UnsupportedError, match=control):
            run.model.generate(options={control: 1})


def test_export_and_import_come_back_equal(runs, tmp_path):
    model = runs["text"].model
    folder = model.export(tmp_path / "out", to="transformers")
    again = makar.import_model(folder, output=tmp_path / "again")
    options = {"max_tokens": 12}
    assert again.generate("It was", options=options)[0].content == model.generate("It was", options=options)[0].content


def test_a_copied_model_knows_no_novelty(runs, tmp_path, monkeypatch):
    copied = shutil.copytree(runs["text"].model.path, tmp_path / "copied")
    monkeypatch.setenv("MAKAR_HOME", str(tmp_path / "elsewhere"))
    asset = makar.load(copied).generate("It was", options={"max_tokens": 8})[0]
    assert asset.novelty is None
    with pytest.raises(UnsupportedError):
        makar.load(copied).generate("It was", refuse_copies=True)


def test_runs_can_be_listed_shown_and_compared(runs):
    rows = {row["id"]: row for row in all_runs()}
    assert {run.id for run in runs.values()} <= set(rows)
    details = run_details(runs["text"].id)
    assert details["curve"] and details["plan"]["steps"] == STEPS
    differing = {row["what"] for row in compare_runs([run.id for run in runs.values()])}
    assert "plan.recipe.name" in differing and "plan.steps" not in differing
    assert stop_run(runs["text"].id) is False


def test_a_lost_catalogue_is_rebuilt(runs):
    before = all_runs()
    (home() / "makar.db").unlink()
    assert all_runs() == before


def test_a_stopped_run_goes_on_and_ends_as_if_it_had_not_been_stopped(tmp_path):
    seen = []

    def stop_soon(event):
        seen.append(event)
        if event["event"] == "progress" and event["step"] >= 1:
            stop_run(next(runs_folder().iterdir()).name)

    words = {"steps": 60, "output": tmp_path / "stopped"}
    with pytest.raises(InterruptedRunError, match="step"):
        makar.train("builtin:digits", **words, on_event=stop_soon)
    assert not (tmp_path / "stopped").exists()
    stopped = makar.train("builtin:digits", **words)
    assert len(list(runs_folder().iterdir())) == 1
    straight = makar.train("builtin:digits", steps=60, output=tmp_path / "straight")
    files = [folder / "model.safetensors" for folder in (stopped.model.path, straight.model.path)]
    assert files[0].read_bytes() == files[1].read_bytes()


@pytest.mark.parametrize("stopped_by", ["signal", "makar runs stop"])
def test_a_run_interrupted_while_indexing_only_indexes_on(tmp_path, stopped_by):
    def interrupt(event):
        if event["event"] == "novelty" or "indexing" in event.get("message", ""):
            if stopped_by == "signal":
                raise KeyboardInterrupt
            stop_run(next(runs_folder().iterdir()).name)

    words = {"steps": 4, "output": tmp_path / "model"}
    with pytest.raises(InterruptedRunError):
        makar.train("builtin:digits", **words, on_event=interrupt)
    first = makar.load(tmp_path / "model").hash
    assert [row["status"] for row in all_runs()] == ["stopped"]
    assert not (next(runs_folder().iterdir()) / "novelty").exists()
    events = []
    run = makar.train("builtin:digits", **words, on_event=events.append)
    assert len(list(runs_folder().iterdir())) == 1 and run.model.hash == first
    assert not {"started", "resumed", "storing"} & {event["event"] for event in events}
    assert run.results[-1].steps == 4 and (run.folder / "novelty" / "novelty.json").exists()
    assert [row["status"] for row in all_runs()] == ["saved"]


def test_a_model_that_was_removed_while_its_data_was_not_indexed_yet_is_saved_again(tmp_path):
    def interrupt(event):
        if "indexing" in event.get("message", ""):
            raise KeyboardInterrupt

    words = {"steps": 4, "output": tmp_path / "model"}
    with pytest.raises(InterruptedRunError):
        makar.train("builtin:digits", **words, on_event=interrupt)
    weights = (tmp_path / "model" / "model.safetensors").read_bytes()
    shutil.rmtree(tmp_path / "model")
    run = makar.train("builtin:digits", **words)
    assert (run.model.path / "model.safetensors").read_bytes() == weights
    assert len(list(runs_folder().iterdir())) == 1


def test_samples_are_shown_while_it_trains(tmp_path):
    events = []
    makar.train(TEXTS, steps=4, output=tmp_path / "text", on_event=events.append)
    texts = [event for event in events if event["event"] == "sample"]
    assert texts and all(isinstance(event["sample"][0], str) for event in texts)
    assert "sample at step 4: " in texts[-1]["message"] and "\n" not in texts[-1]["message"]
    events.clear()
    run = makar.train("builtin:digits", steps=4, output=tmp_path / "image", on_event=events.append)
    (*_, event) = [event for event in events if event["event"] == "sample"]
    with Image.open(event["path"]) as picture:
        assert picture.format == "PNG" and picture.width > picture.height
    assert Path(event["path"]).parent == run.folder / "samples"


@pytest.mark.slow
def test_samples_leave_the_bits_of_a_training_alone(tmp_path, monkeypatch):
    files = []
    for name in ("with", "without"):
        run = makar.train("builtin:digits", steps=12, output=tmp_path / name)
        files.append((run.model.path / "model.safetensors").read_bytes())
        monkeypatch.setattr(training, "sample_maker", lambda codec: None)
    assert files[0] == files[1]


def test_a_training_is_compared_with_its_plan(runs):
    for medium, unit in (("text", "nats a byte"), ("image", "mean squared error")):
        found = {row.what: row for row in compare(runs[medium].model.artifact.header["training"])}
        loss = found["loss on data it did not learn from"]
        assert loss.unit == unit and loss.real > 0
        assert {"energy", "memory", "steps"} <= set(found)
        assert found["memory"].real > 1e8 and found["steps"].verdict == "+0 %"
    training_facts = runs["text"].model.artifact.header["training"]
    assert loss.real == pytest.approx(runs["image"].results[-1].inner_loss)
    assert 0.9 <= training_facts["bytes_per_token"] < 8


def test_a_full_disk_is_said_before_anything_is_encoded(tmp_path, monkeypatch):
    monkeypatch.setattr(psutil, "disk_usage", lambda path: types.SimpleNamespace(free=1000))
    events = []
    with pytest.raises(OutOfSpaceError, match="GB"):
        makar.train(TEXTS, steps=4, output=tmp_path / "model", on_event=events.append)
    assert "storing" not in {event["event"] for event in events}
    assert not list((home() / "stores").rglob("*.bin")) and not (tmp_path / "model").exists()


def test_evaluate_takes_seed_and_number_of_samples(runs, tmp_path):
    report = runs["text"].model.evaluate(folder=tmp_path, samples=3, seed=5)
    assert report.to_dictionary()["details"]["samples"] == 3
    assert "bits per byte" in (runs["text"].model.path / "README.md").read_text().replace("_", " ")


@pytest.mark.parametrize("share", [None, 0.2])
def test_resume_finds_data_and_refuses_changed_data(tmp_path, share):
    folder = tmp_path / "texts"
    folder.mkdir()
    for number, text in enumerate(TEXTS):
        (folder / f"{number}.txt").write_text(text, encoding="utf-8")

    def stop_at_once(event):
        if event["event"] == "started":
            stop_run(next(runs_folder().iterdir()).name)

    with pytest.raises(InterruptedRunError):
        data = folder if share is None else open_dataset(folder, held_out_share=share)
        makar.train(data, steps=20, output=tmp_path / "model", on_event=stop_at_once)
    name = next(runs_folder().iterdir()).name
    changed = folder / "0.txt"
    before = changed.read_text(encoding="utf-8")
    changed.write_text(before + "one more line\n", encoding="utf-8")
    with pytest.raises(DataError, match="changed"):
        makar.resume(name)
    changed.write_text(before, encoding="utf-8")
    run = makar.resume(name)
    assert run.id == name and run.model.path == tmp_path / "model"
    assert makar.resume(name).model.hash == run.model.hash


def test_data_from_memory_cannot_be_resumed_by_name_but_by_the_same_call():
    def stop_at_once(event):
        if event["event"] == "started":
            stop_run(next(runs_folder().iterdir()).name)

    with pytest.raises(InterruptedRunError):
        makar.train(TEXTS, steps=10, output="list", on_event=stop_at_once)
    name = next(runs_folder().iterdir()).name
    with pytest.raises(UnsupportedError, match="memory"):
        makar.resume(name)
    assert makar.train(TEXTS, steps=10, output="list").id == name


def test_a_folder_that_is_no_model_is_not_replaced(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "diary.txt").write_text("dear diary", encoding="utf-8")
    with pytest.raises(UsageError, match="mine"):
        makar.train("builtin:digits", steps=2, output=tmp_path / "mine")
    assert not runs_folder().exists()


def test_unknown_runs_and_models_are_named(runs):
    with pytest.raises(UnknownNameError, match="run"):
        makar.resume("nothing")
    with pytest.raises(UnknownNameError) as error:
        makar.load("digts")
    assert error.value.nearest == "digits"


@pytest.mark.parametrize("words", [{}, {"minutes": 1, "steps": 3}, {"minutes": 0}])
def test_one_budget_is_needed(words):
    with pytest.raises(UsageError):
        makar.train(TEXTS, **words)


def test_a_plain_name_lies_in_the_models_folder_and_a_path_where_it_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert model_place("cats") == models_folder() / "cats"
    assert model_place("./cats") == tmp_path / "cats"
    assert model_place("a/cats") == tmp_path / "a" / "cats"
    assert lasting_source("builtin:digits") == "builtin:digits"
    assert lasting_source("photos") == str(tmp_path / "photos")


def test_plan_and_inspect_in_python():
    found = makar.inspect("builtin:digits")
    assert found.medium == "image" and found.used == 1797
    planned = makar.plan("builtin:digits", minutes=1, probe=False)
    assert planned.seconds == 60 and planned.predicted["steps"] > 0
    assert Path(home() / "stores").exists() is False


def test_medium_is_chosen_in_python_too(tmp_path):
    write_texts(tmp_path / "both" / "texts", count=4)
    write_images(tmp_path / "both" / "images", count=10)
    for medium in ("text", "image"):
        assert makar.plan(tmp_path / "both", steps=2, probe=False, medium=medium).recipe.medium == medium
    settings = ["stages.0.family.width=32", "stages.0.family.depth=1", "stages.0.family.heads=1"]
    run = makar.train(tmp_path / "both", steps=1, medium="text", settings=settings, output=tmp_path / "model")
    assert run.model.medium == "text"
