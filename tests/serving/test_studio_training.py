"""Trainings of the studio: data is brought and looked at, planned, trained, watched, stopped, gone on with; nothing else is read."""

import json

import pytest

from makar.errors import MakarError
from makar.serving.shelf import Shelf
from makar.serving.studio.folders import safe_parts
from makar.serving.studio.training_fields import PlanFields, model_name, plan_words
from tests.serving.server import Server, request, until

pytestmark = pytest.mark.loopback
SENTENCES = "The fox ran over the hill and the hen sat still in the barn, because the night was cold. "


@pytest.fixture(scope="module")
def outside(tmp_path_factory):
    """Return a folder that the server may read, one that it may not, and a link from the one to the other."""
    folder = tmp_path_factory.mktemp("outside")
    for name in ("open", "closed"):
        (folder / name).mkdir()
        (folder / name / "a.txt").write_text(SENTENCES * 40)
    (folder / "open" / "link").symlink_to(folder / "closed")
    return folder


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Return where the server keeps what it has."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def server(home, outside):
    """Return a server without a model that may read one folder."""
    running = Server(home, "--data", outside / "open")
    yield running
    assert running.stop() == 0


def asked(server, path, body=None, **more):
    """Return (status, values) of a route that answers in JSON."""
    status, _, content = request(server.address, path, body, timeout=300, **more)
    return status, json.loads(content)


def put(server, folder, files):
    """Send files into a folder."""
    parts = [("paths", None, json.dumps([path for path, _ in files]).encode())]
    parts += [("file", "file", content) for _, content in files]
    body = b""
    for name, filename, content in parts:
        named = f'; filename="{filename}"' if filename else ""
        body += f'--x\r\ncontent-disposition: form-data; name="{name}"{named}\r\n\r\n'.encode() + content + b"\r\n"
    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    return asked(server, f"/makar/v1/folders/{folder}/files", body + b"--x--\r\n", headers=kind)


@pytest.mark.parametrize(
    "path", ["../a", "a/../../b", "", "/", "a/\0b", "C:/a", "a" * 300, "/".join("abcdefghijklmnopqrst")]
)
def test_a_path_that_leaves_its_folder_is_refused(path):
    with pytest.raises(MakarError):
        safe_parts(path)


def test_words_of_the_shell_are_names_and_no_options():
    fields = PlanFields(source="x", steps=5, recipe="text", settings=["stages.0.family.width=8"])
    assert plan_words(fields, "x", None) == [
        "x",
        "--steps",
        "5",
        "--recipe",
        "text",
        "--set",
        "stages.0.family.width=8",
    ]
    for wrong in ({"recipe": "--help"}, {"medium": "-x"}, {"settings": ["--yes"]}, {"minutes": 1.0}):
        with pytest.raises(MakarError):
            plan_words(fields.changed(**wrong), "x", None)
    assert model_name(None, "my data!") == "my-data" and model_name(None, "...") == "model"
    for wrong in ("../x", "-x", "a/b", "a" * 65):
        with pytest.raises(MakarError):
            model_name(wrong, "x")


def test_only_named_folders_are_read(server, outside):
    for place in (outside / "closed", outside / "open" / "link", outside / "open" / ".." / "closed", "/etc", "-h"):
        status, problem = asked(server, "/makar/v1/inspect", {"source": str(place)})
        assert status == 403, (place, problem)
        assert "--data" in problem["error"]["message"] or str(outside / "open") in problem["error"]["message"]
    assert asked(server, "/makar/v1/inspect", {"source": str(outside / "open" / "nothing")})[0] == 404
    assert asked(server, "/makar/v1/inspect", {"source": "~nobody-of-this-name"})[0] == 400
    assert asked(server, "/makar/v1/inspect", {"source": "folder-" + "0" * 24})[0] == 404
    assert str(outside / "open") in asked(server, "/makar/v1/sources")[1]["folders"]


def test_folders_that_were_brought_are_listed_and_deleted(server, tmp_path_factory):
    top = tmp_path_factory.getbasetemp()
    made = [asked(server, "/makar/v1/folders", {"name": name})[1]["id"] for name in ("letters", "diaries")]
    for folder in made:
        assert put(server, folder, [("deep/a.txt", b"Dear Ann")])[0] == 200
    listed = lambda: {one["id"]: one["files"] for one in asked(server, "/makar/v1/sources")[1]["brought"]}  # noqa: E731
    assert {name: listed()[name] for name in made} == dict.fromkeys(made, 1)
    assert asked(server, f"/makar/v1/folders/{made[0]}", method="DELETE") == (
        200,
        {"id": made[0], "object": "folder", "deleted": True},
    )
    assert made[0] not in listed() and made[1] in listed()
    assert not list(top.rglob("*/letters")) and list(top.rglob("*/diaries/deep/a.txt"))
    for gone in (made[0], "folder-" + "0" * 24, "..", "folder-x"):
        assert asked(server, f"/makar/v1/folders/{gone}", method="DELETE")[0] == 404
    assert asked(server, "/makar/v1/inspect", {"source": made[0]})[0] == 404


@pytest.mark.timeout(900)
def test_a_folder_is_brought_looked_at_planned_trained_and_watched(server, home):
    status, folder = asked(server, "/makar/v1/folders", {"name": "tales"})
    assert status == 200
    for wrong in ("../escape.txt", "a/../../b.txt"):
        assert put(server, folder["id"], [(wrong, b"x")])[0] == 400
    files = [(f"part/{number}.txt", f"{number}. {SENTENCES * 30}".encode()) for number in range(6)] + [
        (".hidden", b"x")
    ]
    status, folder = put(server, folder["id"], files)
    assert status == 200 and folder["files"] == 6
    status, found = asked(server, "/makar/v1/inspect", {"source": folder["id"]})
    assert status == 200 and found["documents"] == 6 and found["medium"] == "text" and found["name"] == "tales"
    ask = {"source": folder["id"], "steps": 6}
    status, plan = asked(server, "/makar/v1/plan", ask)
    assert status == 200 and plan["recipe"]["name"] == "text" and plan["predicted"]["steps"] == 6
    assert asked(server, "/makar/v1/plan", {"source": folder["id"]})[0] == 400
    status, job = asked(server, "/makar/v1/runs", ask | {"name": "teller"})
    assert status == 200 and job["name"] == "teller"
    assert asked(server, "/makar/v1/runs", ask | {"name": "teller"})[0] == 409
    status, problem = asked(server, f"/makar/v1/folders/{folder['id']}", method="DELETE")
    assert status == 409 and "teller" in problem["error"]["message"]

    def is_over():
        found = asked(server, "/makar/v1/runs")[1]
        assert found["jobs"][0]["status"] != "failed", found["jobs"][0]
        return found["jobs"][0]["status"] == "succeeded" and found["data"]

    until(is_over, seconds=600)
    (run,) = asked(server, "/makar/v1/runs")[1]["data"]
    assert run["status"] == "saved" and run["name"]
    status, details = asked(server, f"/makar/v1/runs/{run['id']}")
    assert details["curve"] and details["samples"] and not details["is_running"]
    text = request(server.address, f"/makar/v1/runs/{run['id']}/samples/{details['samples'][-1]}")
    assert text[0] == 200 and text[1]["content-type"].startswith("text/plain")
    assert request(server.address, f"/makar/v1/runs/{run['id']}/samples/state.json")[0] == 404
    stream = request(server.address, f"/makar/v1/runs/{run['id']}/events?after=1")[2].decode()
    (event,) = [json.loads(line[5:]) for line in stream.splitlines() if line.startswith("data:")]
    assert (
        not event["is_running"] and event["samples"] == details["samples"] and event["lines"][0]["event"] != "started"
    )
    assert [model["id"] for model in asked(server, "/v1/models")[1]["data"]] == ["teller"]
    listed = asked(server, "/v1/fine_tuning/jobs")[1]["data"]
    assert listed[0]["fine_tuned_model"] == "teller" and "words" not in listed[0]
    assert asked(server, f"/makar/v1/runs/{run['id']}/stop", {})[1] == {"id": run["id"], "stopped": False}
    assert asked(server, "/makar/v1/runs/nothing")[0] == 404
    jobs = Shelf(home / "serving" / "jobs", kind="ftjob-")
    failed = {"id": jobs.new_id(), "status": "failed", "error": {"message": "the disk is full"}}
    assert asked(server, f"/makar/v1/runs/{run['id']}")[1]["error"] is None
    jobs.put(failed["id"], jobs.all()[0] | failed)
    assert asked(server, f"/makar/v1/runs/{run['id']}")[1]["error"] == "the disk is full"
    assert asked(server, f"/makar/v1/folders/{folder['id']}", method="DELETE")[0] == 200


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_training_is_stopped_gone_on_with_and_compared(server):
    ask = {"source": "builtin:digits", "steps": 400}
    names = []
    for seed in (0, 1):
        status, job = asked(server, "/makar/v1/runs", ask | {"seed": seed, "name": f"digits-{seed}"})
        assert status == 200

        def started(job=job):
            found = next(one for one in asked(server, "/makar/v1/runs")[1]["jobs"] if one["id"] == job["id"])
            assert found["status"] != "failed", found
            lines = found["run"] and request(server.address, f"/makar/v1/runs/{found['run']}")[2]
            return lines and json.loads(lines)["curve"] and found["run"]

        until(started, seconds=600)
        names.append(next(one["run"] for one in asked(server, "/makar/v1/runs")[1]["jobs"] if one["id"] == job["id"]))
        assert asked(server, f"/makar/v1/runs/{names[-1]}/stop", {})[1]["stopped"]
        until(lambda: not asked(server, f"/makar/v1/runs/{names[-1]}")[1]["is_running"], seconds=300)
    status, compared = asked(server, f"/makar/v1/compare?run={names[0]}&run={names[1]}")
    assert status == 200 and set(compared["curves"]) == set(names)
    assert "plan.seed" in {row["what"] for row in compared["data"]}
    first, second = (asked(server, f"/makar/v1/runs/{names[0]}/resume", {}) for _ in range(2))
    assert first[0] == second[0] == 200 and first[1]["id"] == second[1]["id"]
    assert asked(server, f"/makar/v1/runs/{names[0]}")[1]["is_waiting"]
    until(lambda: (asked(server, f"/makar/v1/runs/{names[0]}")[1]["status"]) == "saved", seconds=900)
    steps = [point["step"] for point in asked(server, f"/makar/v1/runs/{names[0]}")[1]["curve"]]
    assert steps[-1] == 400 and steps == sorted(set(steps))
