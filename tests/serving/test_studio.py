"""The studio over HTTP: its files and their policy, what it shows of models, and the library of what was made."""

import base64
import gzip
import io
import json
import re
import zipfile

import pytest

import makar
from makar.families.diffusion.config import DiffusionConfig
from makar.families.diffusion.options import ImageOptions
from makar.provenance.embedding import png_manifest
from makar.serving.controls import controls_of
from makar.serving.studio.pages import FOLDER, read_pages
from tests.generation.test_edit import saved
from tests.serving.server import Server, request, talker

pytestmark = pytest.mark.loopback
MOST_SENT_BYTES, MOST_BYTES = 110_000, 320_000
KEY = "a key that is long enough"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Return a home with a small model of images and one of text."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MAKAR_HOME", str(folder))
        saved(folder / "models" / "painter", DiffusionConfig(features=16, multipliers=(1, 2), blocks=1, head_width=8))
        talker(folder / "models" / "talker")
    return folder


@pytest.fixture(scope="module")
def server(place):
    """Return a server of both."""
    running = Server(place)
    yield running
    assert running.stop() == 0


def asked(server, path, body=None, **more):
    """Return (status, values) of a route that answers in JSON."""
    status, _, content = request(server.address, path, body, **more)
    return status, json.loads(content)


def test_the_pages_are_light_and_name_nothing_elsewhere():
    pages = read_pages()
    sent, total = (sum(map(len, parts)) for parts in zip(*((page.packed, page.content) for page in pages.values())))
    assert sent < MOST_SENT_BYTES, f"{sent} bytes are sent"
    assert total < MOST_BYTES, f"{total} bytes"
    for path in FOLDER.rglob("*"):
        assert not path.is_file() or path.relative_to(FOLDER).as_posix() in pages, f"{path.name} is never sent"
    for name, page in pages.items():
        text = page.content.decode()
        assert set(re.findall(r"https?://[\w.]+", text)) <= {"http://www.w3.org"}, name
        for imported in re.findall(r"""(?:from|import) "\./([\w.]+)";""", text):
            assert imported in pages, f"{name} imports {imported}"
        assert "innerHTML" not in text and "eval(" not in text


def test_a_page_can_load_nothing_from_elsewhere(server):
    status, headers, content = request(server.address, "/")
    assert status == 200 and b"<title>Makar</title>" in content
    policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'" and policy["script-src"] == policy["connect-src"] == "'self'"
    assert "unsafe" not in headers["content-security-policy"] and headers["x-content-type-options"] == "nosniff"
    for found in re.findall(r'(?:href|src)="(/studio/[^"]+)"', content.decode()):
        assert request(server.address, found)[0] == 200, found


def test_files_are_sent_packed_and_only_once(server):
    status, headers, content = request(server.address, "/studio/app.js", headers={"Accept-Encoding": "gzip"})
    assert (
        status == 200
        and headers["content-encoding"] == "gzip"
        and headers["content-type"].startswith("text/javascript")
    )
    sent, written = (one.splitlines() for one in (gzip.decompress(content), (FOLDER / "app.js").read_bytes()))
    assert len(sent) == len(written), "a browser names the lines that are written here"
    assert [line for line in written if line and not line.lstrip().startswith((b"//", b"/**"))] == [
        line for line in sent if line
    ]
    assert request(server.address, "/studio/app.js", headers={"If-None-Match": headers["etag"]})[0] == 304


@pytest.mark.parametrize(
    "path", ["/studio/nothing.js", "/studio/../app.py", "/studio/%2e%2e/app.py", "/studio//etc/passwd"]
)
def test_what_is_no_file_of_the_studio_is_not_there(server, path):
    assert request(server.address, path)[0] == 404


def test_with_a_key_the_pages_are_there_and_nothing_else(place):
    running = Server(place, environment={"MAKAR_SERVE_KEY": KEY})
    try:
        assert request(running.address, "/")[0] == request(running.address, "/studio/style.css")[0] == 200
        for path in ("/makar/v1/assets", "/v1/models", "/makar/v1/models/painter/card"):
            assert request(running.address, path)[0] == 401
            assert request(running.address, path, headers={"Authorization": f"Bearer {KEY}"})[0] == 200
    finally:
        running.stop()


def test_the_controls_of_a_model_are_those_of_its_family(server):
    status, found = asked(server, "/makar/v1/models/painter/description")
    assert status == 200 and found["options"] == controls_of(ImageOptions)
    steps = next(control for control in found["options"] if control["name"] == "steps")
    assert steps["type"] == "integer" and steps["minimum"] == 1 and "noise" in steps["meaning"]
    assert next(one for one in found["options"] if one["name"] == "solver")["choices"][0] == "euler"
    assert found["size"] and not found["reads"] and not found["is_remote"]
    assert asked(server, "/makar/v1/models/nobody/description")[0] == 404


def test_an_image_is_kept_with_its_manifest_and_can_be_checked(server, tmp_path):
    body = {"model": "painter", "prompt": "", "seed": 5, "controls": {"steps": 2}}
    status, made = asked(server, "/v1/images/generations", body)
    assert status == 200
    name = made["data"][0]["makar"]["asset"]
    assert "manifest" not in made["data"][0]["makar"], "nobody asked for it"
    status, asset = asked(server, f"/makar/v1/assets/{name}")
    assert asset["manifest"]["manifest"]["settings"]["steps"] == 2 and asset["kind"] == "create" and asset["seed"] == 5
    status, headers, content = request(server.address, f"/makar/v1/assets/{name}/content")
    assert content == base64.b64decode(made["data"][0]["b64_json"]) and headers["content-type"] == "image/png"
    assert json.loads(png_manifest(content)) == asset["manifest"]
    other = asked(server, "/v1/images/generations", {**body, "controls": {"steps": 3}})[1]
    assert other["data"][0]["b64_json"] != made["data"][0]["b64_json"], "the control does something"
    assert asked(server, "/v1/images/generations", {**body, "controls": {"stepps": 2}})[0] == 400
    form = b'--x\r\ncontent-disposition: form-data; name="file"; filename="a.png"\r\n\r\n' + content + b"\r\n--x--\r\n"
    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    status, checked = asked(server, "/makar/v1/verify", form, headers=kind)
    assert status == 200 and checked["intact"] and checked["checks"][0]["status"] == "ok"
    bad = form.replace(content, content[:-30] + b"\0" * 8 + content[-22:])
    status, checked = asked(server, "/makar/v1/verify", bad, headers=kind)
    assert status == 200 and not checked["intact"]


def test_what_is_not_to_be_kept_is_not(server):
    count = len(asked(server, "/makar/v1/assets")[1]["data"])
    body = {"model": "painter", "prompt": "", "seed": 6, "controls": {"steps": 1}, "store": False}
    assert asked(server, "/v1/images/generations", body)[0] == 200
    talk = {"model": "talker", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 4}
    assert asked(server, "/v1/chat/completions", talk)[0] == 200
    assert len(asked(server, "/makar/v1/assets")[1]["data"]) == count


def test_texts_are_kept_where_that_is_asked_for(server, tmp_path):
    body = {"model": "talker", "prompt": "Once ", "n": 2, "max_tokens": 6, "store": True, "controls": {"top_k": 5}}
    status, made = asked(server, "/v1/completions", body)
    assert status == 200 and "manifests" not in made["makar"]
    found = asked(server, "/makar/v1/assets?medium=text&text=Once")[1]["data"]
    assert {one["id"] for one in found} == {one["asset"] for one in made["makar"]["assets"]}
    assert {one["text"] for one in found} == {choice["text"] for choice in made["choices"]}
    content = request(server.address, f"/makar/v1/assets/{found[0]['id']}/content")[2]
    assert content.decode() == "Once " + found[0]["text"]
    place = tmp_path / "it.txt"
    place.write_bytes(content)
    signed = asked(server, f"/makar/v1/assets/{found[0]['id']}")[1]["manifest"]
    raw = request(server.address, f"/makar/v1/assets/{found[0]['id']}/manifest")[2]
    assert json.loads(raw) == signed and b"1.0" in raw
    assert signed["manifest"]["settings"]["top_k"] == 5
    place.with_name("it.txt.makar.json").write_text(json.dumps(signed))
    assert makar.verify(place).is_intact
    talk = {"model": "talker", "messages": [{"role": "user", "content": "Tell me"}], "max_tokens": 4, "store": True}
    answered = asked(server, "/v1/chat/completions", talk)[1]
    (kept,) = asked(server, "/makar/v1/assets?kind=chat")[1]["data"]
    assert kept["prompt"] == "Tell me" and kept["id"] == answered["makar"]["assets"][0]["asset"]
    pace = asked(server, "/makar/v1/models/talker/description")[1]["seconds_per_step"]
    assert 0 < pace < 60


def test_an_asset_can_be_deleted_and_lists_are_paged(server):
    body = {"model": "painter", "prompt": "", "seed": 7, "n": 3, "controls": {"steps": 1}}
    assert asked(server, "/v1/images/generations", body)[0] == 200
    first = asked(server, "/makar/v1/assets?limit=2")[1]
    assert first["has_more"] and [one["seed"] for one in first["data"]] == [9, 8]
    later = asked(server, f"/makar/v1/assets?limit=1&before={first['data'][-1]['id']}")[1]
    assert later["data"][0]["seed"] == 7
    name = first["data"][0]["id"]
    assert asked(server, f"/makar/v1/assets/{name}", method="DELETE")[0] == 200
    assert (
        asked(server, f"/makar/v1/assets/{name}")[0]
        == asked(server, f"/makar/v1/assets/{name}", method="DELETE")[0]
        == 404
    )
    for path in ("/makar/v1/assets?limit=0", "/makar/v1/assets?limit=x", "/makar/v1/assets?text=%00"):
        assert asked(server, path)[0] == 400


def test_a_card_shows_what_lies_in_the_folder(server, place):
    status, found = asked(server, "/makar/v1/models/painter/card")
    assert status == 200 and found["card"] == (place / "models" / "painter" / "README.md").read_text()
    assert found["report"] is None and found["manifest"]["signature"]
    assert {"README.md", "makar.json"} <= {file["name"] for file in found["files"]}


def test_a_model_can_be_had_in_another_format(server):
    status, headers, content = request(server.address, "/makar/v1/models/talker/export", {"to": "transformers"})
    assert status == 200 and headers["content-type"] == "application/zip", content[:300]
    names = zipfile.ZipFile(io.BytesIO(content)).namelist()
    assert any(name.endswith("config.json") for name in names) and all(name.startswith("talker/") for name in names)
    status, problem = asked(server, "/makar/v1/models/painter/export", {"to": "gguf"})
    assert status == 400 and "GGUF" in problem["error"]["message"]
