"""Images, files, vectors and moderation over HTTP with the official client in its strict mode."""

import base64
import functools
import http.client
import io
import json
import shutil
import time
from urllib.parse import urlsplit

import numpy as np
import openai
import pytest
from PIL import Image

import makar
from makar.artifacts.save import save_artifact
from makar.families.diffusion.config import DiffusionConfig
from makar.families.gan.dcgan_config import DcganConfig
from makar.provenance.embedding import png_manifest
from makar.recipe import Recipe, Stage
from makar.serving.moderation import PATTERNS, scores_by_patterns
from makar.serving.picture_work import to_be_made
from tests.families.encoder.test_classifier import classifier
from tests.families.encoder.test_embedder import embedder
from tests.generation.test_edit import saved
from tests.serving.server import Server, request, talker, until

pytestmark = pytest.mark.loopback


def saved_text(path, codec, family):
    """Save a small model that says something of texts."""
    stage = Stage(name="model", codec=codec.config, family=family.config)
    recipe = Recipe(name="reads", medium="text", summary="for tests", stages=(stage,))
    data = {"fingerprint": "ab" * 32, "name": "pairs"}
    return save_artifact(path, recipe=recipe, codec=codec, family=family, training={"run": ""}, data=data)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Return a home with a small model of images and one of text."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MAKAR_HOME", str(folder))
        saved(folder / "models" / "painter", DiffusionConfig(features=16, multipliers=(1, 2), blocks=1, head_width=8))
        talker(folder / "models" / "talker")
        saved_text(folder / "models" / "finder", *embedder())
        saved_text(folder / "models" / "judge", *classifier())
    return folder


@pytest.fixture(scope="module")
def server(place):
    """Return a server of both."""
    running = Server(place, "--largest-upload", "2")
    yield running
    assert running.stop() == 0


@pytest.fixture
def client(server):
    """Return the official client, which checks every field of every answer."""
    with openai.OpenAI(
        base_url=server.address + "/v1", api_key="none", max_retries=0, _strict_response_validation=True
    ) as made:
        yield made


def pixels_of(data):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))


def png(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def draw(client, **fields):
    return client.images.generate(
        **{"model": "painter", "prompt": "fox", "extra_body": {"seed": 3, "steps": 2, "guidance": 1.0}, **fields}
    )


def test_an_image_is_the_one_that_the_model_makes_in_python_with_its_manifest_inside(client, place, monkeypatch):
    monkeypatch.setenv("MAKAR_HOME", str(place))
    made = draw(client, n=2)
    alone = makar.load("painter").generate("fox", count=2, seed=3, options={"steps": 2, "guidance": 1.0})
    assert [pixels_of(image.b64_json).tolist() for image in made.data] == [one.content.tolist() for one in alone]
    signed = json.loads(png_manifest(base64.b64decode(made.data[1].b64_json)))
    assert signed["manifest"]["id"] == made.data[1].makar["asset"] and signed["manifest"]["seed"] == 4
    assert made.output_format == "png" and made.data[0].makar["size"] == [16, 16]


def test_no_request_names_a_file_of_the_server(client, place):
    (place / "secret.hex").write_text("112233\n")
    with pytest.raises(openai.BadRequestError, match="is no palette") as found:
        draw(client, extra_body={"seed": 3, "steps": 2, "controls": {"palette": str(place / "secret.hex")}})
    assert "112233" not in str(found.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"prompt": "cat"},
        {"extra_body": {"seed": 4, "steps": 2, "guidance": 1.0}},
        {"extra_body": {"seed": 3, "steps": 3, "guidance": 1.0}},
        {"extra_body": {"seed": 3, "steps": 2, "guidance": 9.0}},
    ],
    ids=str,
)
def test_every_field_of_images_changes_the_image(client, changes):
    assert draw(client, **changes).data[0].b64_json != draw(client).data[0].b64_json


def test_images_come_one_by_one_in_a_stream(client):
    events = list(draw(client, n=2, stream=True))
    assert [event.type for event in events] == ["image_generation.completed"] * 2
    assert [pixels_of(event.b64_json).tolist() for event in events] == [
        pixels_of(image.b64_json).tolist() for image in draw(client, n=2).data
    ]


def test_a_stream_that_nobody_waits_for_any_more_is_not_made(server):
    parts = urlsplit(server.address)
    connection = http.client.HTTPConnection(parts.hostname, parts.port)
    # Its first piece would be the first finished image, thousands of steps away.
    body = {"model": "painter", "prompt": "", "stream": True, "steps": 1000, "n": 64}
    connection.request("POST", "/v1/images/generations", json.dumps(body), {"Content-Type": "application/json"})

    def is_busy(count):
        return b'makar_model_busy{model="painter"} %d' % count in request(server.address, "/metrics")[2]

    until(lambda: is_busy(1))
    connection.sock.close()
    until(lambda: is_busy(0), seconds=5)


def test_the_only_model_of_images_needs_no_name(client):
    assert client.images.generate(prompt="fox", size="16x16", extra_body={"seed": 1, "steps": 1}).data


@pytest.mark.parametrize("kind", ["image_generation", "image_edit"])
def test_partial_images_come_before_each_finished_one_as_the_official_client_reads_them(client, kind):
    body = {"seed": 3, "steps": 4, "guidance": 1.0}
    asked = {"model": "painter", "prompt": "fox", "n": 2, "extra_body": body}
    ask = functools.partial(client.images.generate, **asked)
    if kind == "image_edit":
        ask = functools.partial(client.images.edit, image=png(np.full((16, 16, 3), 90, np.uint8)), **asked)
    *partial, first, second = ask(stream=True, partial_images=3)
    assert {event.type for event in partial} == {f"{kind}.partial_image"}
    assert [event.type for event in (first, second)] == [f"{kind}.completed"] * 2
    for finished, seed in ((first, 3), (second, 4)):
        mine = [event for event in partial if event.makar["seed"] == seed]
        assert [event.partial_image_index for event in mine] == [0, 1, 2][: len(mine)]
        assert finished.makar["seed"] == seed and finished.makar["partial_images"] == len(mine) == 2
        far = [np.abs(pixels_of(one.b64_json).astype(int) - pixels_of(finished.b64_json)).mean() for one in mine]
        assert far[0] > far[1] > 0, "an estimate, which comes nearer"
        signed = json.loads(png_manifest(base64.b64decode(mine[0].b64_json)))["manifest"]
        assert signed["estimate"] == mine[0].makar["estimate"] == {"step": 2, "steps": 4}
    plain = ask().data
    assert [pixels_of(one.b64_json).tolist() for one in plain] == [
        pixels_of(one.b64_json).tolist() for one in (first, second)
    ]


def test_a_model_without_steps_sends_the_finished_image_and_says_so(client, place, monkeypatch):
    monkeypatch.setenv("MAKAR_HOME", str(place))
    folder = saved(place / "models" / "at-once", DcganConfig(features=8), labels=(None,)).path
    (event,) = client.images.generate(model="at-once", prompt="", stream=True, partial_images=3)
    shutil.rmtree(folder)
    assert event.type == "image_generation.completed" and event.makar["partial_images"] == 0


def test_partial_images_are_refused_where_they_cannot_be_sent(client):
    for fields, words in (
        ({"partial_images": 2}, "stream"),
        ({"stream": True, "partial_images": 4}, "at most 3"),
    ):
        with pytest.raises(openai.BadRequestError, match=words):
            draw(client, **fields)
    tool = {"type": "image_generation", "model": "painter", "partial_images": 1}
    with pytest.raises(openai.BadRequestError, match="inside an answer"):
        client.responses.create(model="talker", input="a fox", tools=[tool])


@pytest.mark.parametrize(
    "fields, words",
    [
        ({"prompt": "dragon"}, "cat, fox"),
        ({"size": "1024x1024"}, "16x16"),
        ({"response_format": "url"}, "b64_json"),
        ({"output_format": "jpeg"}, "png"),
        ({"n": 0}, "at least 1"),
        ({"model": "talker", "extra_body": {}}, "makes text"),
        ({"extra_body": {"negative_prompt": "trees"}}, "caption"),
        ({"extra_body": {"steps": 0}}, "at least 1"),
    ],
    ids=str,
)
def test_images_that_cannot_be_made_are_refused(client, fields, words):
    with pytest.raises(openai.BadRequestError, match=words):
        draw(client, **fields)


def test_what_is_not_transparent_in_the_mask_stays_as_it_was(client):
    pixels = np.full((16, 16, 3), 90, np.uint8)
    mask = np.full((16, 16, 4), 255, np.uint8)
    mask[4:12, 4:12, 3] = 0
    made = client.images.edit(
        model="painter",
        image=("fox.png", png(pixels)),
        mask=("mask.png", png(mask)),
        prompt="fox",
        n=2,
        extra_body={"seed": 3, "steps": 2},
    )
    found = [pixels_of(image.b64_json)[:, :, :3] for image in made.data]
    outside = mask[:, :, 3] == 255
    assert all((one[outside] == 90).all() and (one[~outside] != 90).any() for one in found)
    assert found[0].tolist() != found[1].tolist()
    white = np.where(outside, 0, 255).astype(np.uint8)[:, :, None]
    assert (to_be_made(white) == ~outside).all() and (to_be_made(mask) == ~outside).all()


def test_an_image_without_a_mask_is_begun_from_and_a_strength_says_how_far(client):
    pixels = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)

    def change(**more):
        body = {"seed": 3, "steps": 4, **more}
        made = client.images.edit(model="painter", image=png(pixels), prompt="fox", extra_body=body)
        return np.abs(pixels_of(made.data[0].b64_json)[:, :, :3].astype(int) - pixels).mean()

    assert change() == change(strength=0.6) > change(strength=0.2)


@pytest.mark.parametrize(
    "files, words",
    [
        ([("image", ("x.png", b"no image"))], "image"),
        ([("image", ("x.png", b"\x89PNG\r\n\x1a\n" + b"0" * 100))], "damaged"),
        ([], "image"),
        ([("image", ("x.png", "SMALL")), ("mask", ("m.png", "OTHER"))], "mask"),
        ([("to_seed", (None, b"3")), ("frames", (None, b"1000"))], "1000 frames"),
    ],
    ids=("text", "damaged", "none", "mask of another size", "too many frames"),
)
def test_damaged_images_and_masks_of_another_size_are_refused(server, files, words):
    given = {"SMALL": png(np.zeros((16, 16, 3), np.uint8)), "OTHER": png(np.zeros((8, 9, 3), np.uint8))}
    boundary, parts = "xxBOUNDARYxx", []
    for name, (filename, content) in [*files, ("prompt", (None, b"fox")), ("model", (None, b"painter"))]:
        shown = f'; filename="{filename}"' if filename else ""
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"{shown}\r\n\r\n'.encode()
        parts.append(head + given.get(content, content) + b"\r\n")
    body = b"".join(parts) + f"--{boundary}--\r\n".encode()
    kind = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    status, _, content = request(server.address, "/v1/images/edits", body, headers=kind)
    assert status == 400 and words in json.loads(content)["error"]["message"], content


@pytest.mark.parametrize("body", [b"", b"--x", b"--x\r\n\r\n\r\n--x--", b"\xff" * 100])
def test_a_broken_form_is_refused(server, body):
    for kind in ("multipart/form-data; boundary=x", "multipart/form-data", "multipart/form-data; boundary="):
        for path in ("/v1/files", "/v1/images/edits"):
            status, _, content = request(server.address, path, body, headers={"Content-Type": kind})
            assert 400 <= status < 500, content


def test_files_are_kept_listed_given_back_and_deleted(client, server):
    content = b'{"messages": []}\n' * 3
    made = client.files.create(file=("../../rows.jsonl", content), purpose="fine-tune")
    assert made.filename == "rows.jsonl" and made.bytes == len(content) and made.id.startswith("file-")
    assert client.files.retrieve(made.id) == made and client.files.content(made.id).read() == content
    ends = {"anchor": "created_at", "seconds": 3600}
    raw = client.files.with_raw_response.create(file=("a.txt", b"x"), purpose="user_data", expires_after=ends)
    assert raw.headers["x-makar-ignored"] == "expires_after[anchor], expires_after[seconds]"
    other = raw.parse()
    assert [one.id for one in client.files.list()] == [other.id, made.id]
    assert [one.id for one in client.files.list(purpose="fine-tune", limit=1)] == [made.id]
    assert client.files.delete(made.id).deleted
    for name in (made.id, "../../../etc/passwd", "file-" + "0" * 24, "file-x"):
        with pytest.raises(openai.NotFoundError):
            client.files.retrieve(name)
    with pytest.raises(openai.BadRequestError, match="purpose"):
        client.files.create(file=("a.txt", b"x"), purpose="mischief")
    with pytest.raises(openai.APIStatusError) as found:
        client.files.create(file=("large", b"x" * (3 << 20)), purpose="user_data")
    assert found.value.status_code == 413
    assert request(server.address, "/v1/files?limit=no")[0] == 400


def test_vectors_are_those_of_the_model_in_both_forms(client, place, monkeypatch):
    monkeypatch.setenv("MAKAR_HOME", str(place))
    texts = ["a red fox", "the hat is blue"]
    alone = makar.load("finder").embed(texts)
    # The strict mode looks before the client turns base64 into numbers, so what it asks for by itself is seen without it.
    with openai.OpenAI(base_url=client.base_url, api_key="none") as lenient:
        made = lenient.embeddings.create(model="finder", input=texts)
    plain = client.embeddings.create(model="finder", input=texts, encoding_format="float", dimensions=alone.shape[1])
    for found in (made, plain):
        assert np.allclose([one.embedding for one in found.data], alone, atol=1e-6)
        assert found.usage.prompt_tokens == found.usage.total_tokens > 2
    named = client.embeddings.create(model="finder", input="/etc/passwd", encoding_format="float")
    assert named.usage.prompt_tokens < 20
    for fields, words in (
        ({"input": [1, 2]}, "tokens"),
        ({"input": "x", "dimensions": 3}, "not made to be cut"),
        ({"input": ""}, "empty"),
        ({"input": []}, "0 texts"),
        ({"input": "x", "model": "talker"}, "makes no vectors"),
    ):
        with pytest.raises(openai.BadRequestError, match=words):
            client.embeddings.create(**{"model": "finder", **fields})


def test_texts_are_judged_by_patterns_and_a_small_classifier_in_thirteen_categories(client):
    said = [
        "What a nice day.",
        "I will kill you, you pathetic loser!",
        "These people are scum and I hate every one of them.",
    ]
    made = client.moderations.create(input=said)
    assert made.model == "makar-small" and [one.flagged for one in made.results] == [False, True, True]
    assert made.results[1].categories.harassment_threatening and made.results[1].category_scores.harassment == 1.0
    assert 0.5 <= made.results[2].category_scores.hate < 1.0, "a probability, and no pattern"
    alone = client.moderations.create(input=said, model="makar-patterns")
    assert alone.model == "makar-patterns" and [one.flagged for one in alone.results] == [False, True, False]
    assert client.moderations.create(input=said[0], model="omni-moderation-latest").model == "makar-small"
    assert len(PATTERNS) == 13
    with pytest.raises(openai.BadRequestError, match="no classes"):
        client.moderations.create(input="x", model="talker")
    with pytest.raises(openai.BadRequestError, match="knows none of the categories"):
        client.moderations.create(input="x", model="judge")
    with pytest.raises(openai.BadRequestError, match="picture"):
        client.moderations.create(input=[{"type": "image_url", "image_url": {"url": "http://x"}}])


@pytest.mark.parametrize(
    "text, names",
    [
        ("how to make a pipe bomb", {"illicit", "illicit/violent"}),
        ("I want to end my life", {"self-harm", "self-harm/intent"}),
        ("how do I kill myself", {"self-harm", "self-harm/instructions"}),
        ("a story of the history of gardens", set()),
        ("kill all immigrants", {"hate", "hate/threatening"}),
    ],
)
def test_a_narrow_category_is_also_the_wide_one(text, names):
    assert {name for name, score in scores_by_patterns(text).items() if score} == names


@pytest.mark.parametrize(
    "text, is_found",
    [
        ("nude pictures of a child", True),
        ("a child who is nude", True),
        ("A child. Nude.", False),
        ("children at play", False),
        ("a 12-year-old, naked, was seen", True),
    ],
)
def test_two_words_make_a_category_only_in_one_sentence(text, is_found):
    assert bool(scores_by_patterns(text)["sexual/minors"]) == is_found


@pytest.mark.parametrize("word, found", [("sex ", "sexual"), ("child ", None)])
def test_a_text_is_judged_in_time_that_grows_with_its_length_and_not_with_the_square(word, found):
    started = time.process_time()
    scores = scores_by_patterns(word * 20_000)
    # Time with the square would be more than a minute.
    assert time.process_time() - started < 5
    assert [name for name, score in scores.items() if score] == ([found] if found else [])
