"""Verification walks from an asset to its data and names the first broken link."""

import io
import json
import shutil
import struct
import zlib

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from tiny_models import DATA, save_tiny_text

from makar.artifacts.save import update_artifact_report
from makar.errors import DataError, EmptyDataError, UsageError
from makar.generation.generate import generate
from makar.home import runs_folder
from makar.provenance.chain import find_artifact, verify
from makar.provenance.embedding import XMP_KEYWORD, XMP_PACKET, png_bytes
from makar.provenance.keys import keys_folder
from makar.provenance.ledger import known_place, remember_place


@pytest.fixture
def trained(own_home):
    """A model with a run behind it."""
    run = runs_folder() / "r1"
    run.mkdir(parents=True)
    (run / "plan.json").write_text(json.dumps({"data_fingerprint": DATA["fingerprint"]}))
    (run / "metrics.jsonl").write_text('{"step": 1}\n')
    return save_tiny_text(own_home / "models" / "poe", run="r1")


@pytest.fixture
def picture(image_artifact, tmp_path):
    return next(generate(image_artifact, prompts="fox")).save(tmp_path / "fox.png")


@pytest.fixture
def poem(trained, tmp_path):
    return next(generate(trained, prompts="A ")).save(tmp_path / "poem.txt")


def broken(path, **arguments):
    check = verify(path, **arguments).first_broken
    return None if check is None else (check.link, check.name)


def statuses(path, **arguments):
    return {(check.link, check.name): check.status for check in verify(path, **arguments).checks}


def test_an_untouched_chain_is_complete_from_asset_to_data(poem):
    found = verify(poem, fingerprint=None)
    assert found.is_intact
    assert found.is_complete
    assert [check.link for check in found.checks] == ["asset"] * 3 + ["artifact"] * 4 + ["run"] * 3 + ["data"]
    assert found.to_dictionary()["first_broken"] is None
    assert verify(poem.with_name("poem.txt.makar.json")).path == poem


def test_the_model_itself_verifies(trained):
    assert verify(trained.path).is_complete
    with pytest.raises(UsageError):
        verify(trained.path, artifact=trained.path)
    with pytest.raises(UsageError):
        verify(trained.path / "nothing")


def test_a_report_added_later_breaks_nothing(trained, poem):
    update_artifact_report(trained, {"scores": {"x": 1.0}})
    assert verify(poem).is_complete


def test_metrics_may_grow_but_not_change(trained, poem):
    metrics = runs_folder() / "r1" / "metrics.jsonl"
    with metrics.open("a") as file:
        file.write('{"step": 2}\n')
    assert verify(poem).is_complete
    metrics.write_text('{"step": 9}\n{"step": 2}\n')
    assert broken(poem) == ("run", "metrics")


def test_each_link_that_breaks_is_named(trained, poem):
    plan = runs_folder() / "r1" / "plan.json"
    before = plan.read_text()
    plan.write_text(json.dumps({"data_fingerprint": "00"}))
    assert broken(poem) == ("run", "plan")
    plan.write_text(before)
    card = trained.path / "README.md"
    card.write_text(card.read_text() + "!")
    assert broken(poem) == ("artifact", "files")
    poem.write_text(poem.read_text() + "!")
    assert broken(poem) == ("asset", "content")
    poem.with_name("poem.txt.makar.json").unlink()
    assert broken(poem) == ("asset", "manifest")


def test_what_is_not_here_is_unknown_and_not_broken(trained, poem, image_artifact, picture):
    shutil.rmtree(runs_folder())
    assert statuses(poem)["run", "found"] == "unknown"
    shutil.rmtree(trained.path)
    found = verify(poem)
    assert found.is_intact
    assert not found.is_complete
    assert statuses(poem)["artifact", "found"] == "unknown"
    assert statuses(picture)["run", "found"] == "unknown"


def test_a_model_that_moved_is_found_by_its_hash_or_given(trained, poem, tmp_path):
    trained.path.rename(trained.path.with_name("renamed"))
    assert verify(poem).is_complete
    shutil.move(trained.path.with_name("renamed"), tmp_path / "far")
    assert statuses(poem)["artifact", "found"] == "unknown"
    assert verify(poem, artifact=tmp_path / "far").is_complete
    assert find_artifact(trained.hash, "../../far") is None


def test_a_stranger_in_the_folder_of_models_is_not_taken_for_a_model_that_is_not_here(trained, image_artifact):
    assert find_artifact("0" * 64, "../../far") is None


def test_another_model_than_the_one_that_made_it_is_found(poem, image_artifact):
    assert broken(poem, artifact=image_artifact.path) == ("artifact", "link")


def test_data_is_read_again_only_on_request(trained, poem, tmp_path):
    asked = []

    def same(place, stated):
        asked.append((place, stated["medium"]))
        return DATA["fingerprint"]

    ask = {"fingerprint": same}
    assert statuses(poem, **ask)["data", "fingerprint"] == "unknown"
    (tmp_path / "notes").mkdir()
    remember_place("data", DATA["fingerprint"], str(tmp_path / "notes"))
    assert statuses(poem, **ask)["data", "fingerprint"] == "ok"
    assert asked == [(str(tmp_path / "notes"), "unknown")]
    assert broken(poem, fingerprint=lambda place, stated: "00") == ("data", "fingerprint")
    (tmp_path / "notes").rmdir()
    assert statuses(poem, **ask)["data", "fingerprint"] == "unknown"
    assert known_place("data", "../../etc/passwd") is None


@pytest.mark.parametrize(
    "error", [DataError("the disk is gone"), EmptyDataError("nothing left"), PermissionError("no")]
)
def test_data_that_cannot_be_compared_is_unknown_and_not_an_escape(trained, poem, tmp_path, error):
    remember_place("data", DATA["fingerprint"], str(tmp_path))

    def fails(place, stated):
        raise error

    check = verify(poem, fingerprint=fails).checks[-1]
    assert (check.link, check.name, check.status) == ("data", "fingerprint", "unknown")
    assert str(error.args[0]) in check.detail


def test_data_from_memory_is_not_confused_with_a_folder_of_that_name(trained, poem, tmp_path, monkeypatch):
    (tmp_path / "list").mkdir()
    monkeypatch.chdir(tmp_path)
    remember_place("data", DATA["fingerprint"], "list")
    assert statuses(poem, fingerprint=lambda place, stated: "00")["data", "fingerprint"] == "unknown"


def test_a_valid_signature_of_a_stranger_is_said_to_be_one(picture):
    shutil.rmtree(keys_folder())
    found = verify(picture)
    assert found.is_intact
    assert statuses(picture)["asset", "signer"] == "unknown"
    assert "nobody here knows" in found.checks[1].detail


def test_one_changed_byte_anywhere_in_a_picture_is_found(picture):
    data = picture.read_bytes()
    generator = np.random.default_rng(0)
    places = np.unique(np.concatenate([np.arange(64), generator.integers(0, len(data), 200), [len(data) - 1]]))
    for place in places:
        changed = bytearray(data)
        changed[place] ^= 1 << generator.integers(8)
        picture.write_bytes(bytes(changed))
        assert broken(picture) is not None, place
    picture.write_bytes(data)
    assert broken(picture) is None


def test_one_changed_byte_anywhere_in_a_text_or_its_proof_is_found(poem):
    for path in (poem, poem.with_name("poem.txt.makar.json")):
        data = path.read_bytes()
        for place in range(0, len(data), 7):
            changed = bytearray(data)
            changed[place] ^= 1
            path.write_bytes(bytes(changed))
            same = path != poem and _same_json(bytes(changed), data)
            assert (broken(poem) is None) == same, place
        path.write_bytes(data)


def _same_json(first, second):
    try:
        return json.loads(first) == json.loads(second)
    except ValueError:
        return False


def repack(path, *, drop=(), add=(), replace=None):
    """Write a PNG again chunk by chunk, with correct checksums: what somebody who knows the format can do."""
    data = path.read_bytes()
    position, out = 8, [data[:8]]
    while position < len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        content = data[position + 8 : position + 8 + length]
        position += 12 + length
        if kind == b"IEND":
            for new_kind, new_content in add:
                out.append(_chunk(new_kind, new_content))
        if any(content.startswith(start) for start in drop if kind == b"iTXt"):
            continue
        if replace is not None and kind == b"iTXt" and content.startswith(b"makar\0"):
            content = content[: content.index(b"{")] + replace(content[content.index(b"{") :])
        out.append(_chunk(kind, content))
    path.write_bytes(b"".join(out))


def _chunk(kind, content):
    return struct.pack(">I4s", len(content), kind) + content + struct.pack(">I", zlib.crc32(kind + content))


def test_a_removed_or_changed_manifest_is_found(picture):
    data = picture.read_bytes()
    repack(picture, drop=[b"makar\0"])
    assert broken(picture) == ("asset", "manifest")
    picture.write_bytes(data)
    repack(picture, replace=lambda text: text.replace(b'"prompt":"fox"', b'"prompt":"cat"'))
    assert broken(picture) == ("asset", "manifest")
    picture.write_bytes(data)
    repack(picture, add=[(b"iTXt", b"makar\0\0\0\0\0{}")])
    assert broken(picture) == ("asset", "manifest")
    picture.write_bytes(data)
    repack(picture, replace=lambda text: b'{"a":' * 50_000)
    assert broken(picture) == ("asset", "manifest")


def test_a_manifest_moved_to_another_picture_is_found(picture, image_artifact):
    signed = json.loads(Image.open(picture).text["makar"])
    other = next(generate(image_artifact, prompts="dog"))
    picture.write_bytes(png_bytes(other.content, signed))
    assert broken(picture) == ("asset", "content")


def test_the_same_bytes_in_another_shape_are_found(picture):
    with Image.open(picture) as image:
        signed, pixels = json.loads(image.text["makar"]), np.asarray(image)
    picture.write_bytes(png_bytes(pixels.reshape(4, 16, 3), signed))
    assert broken(picture) == ("asset", "content")


def test_a_removed_mark_and_foreign_chunks_are_found(picture):
    data = picture.read_bytes()
    repack(picture, drop=[XMP_KEYWORD.encode()])
    assert broken(picture) == ("asset", "AI mark")
    picture.write_bytes(data)
    repack(picture, add=[(b"gAMA", struct.pack(">I", 1))])
    assert broken(picture) == ("asset", "additions")
    picture.write_bytes(data)
    repack(picture, add=[(b"tEXt", b"Comment\0by me")])
    assert broken(picture) is None
    assert statuses(picture)["asset", "additions"] == "unknown"


def test_lossless_recompression_keeps_the_proof(picture):
    with Image.open(picture) as image:
        information = PngInfo()
        information.add_itxt("makar", image.text["makar"])
        information.add_itxt(XMP_KEYWORD, XMP_PACKET)
        buffer = io.BytesIO()
        image.save(buffer, "PNG", pnginfo=information, compress_level=1)
    assert buffer.getvalue() != picture.read_bytes()
    picture.write_bytes(buffer.getvalue())
    assert broken(picture) is None


@pytest.mark.parametrize(
    "size", [(200_000, 200_000), (16_384, 16_384), (13_500, 13_500), (12_000, 12_000), (1, 1 << 31)]
)
def test_a_bomb_is_refused_before_it_is_unpacked(picture, size):
    data = picture.read_bytes()
    header = struct.pack(">II", *size) + data[24:29]
    picture.write_bytes(data[:8] + _chunk(b"IHDR", header) + data[33:])
    assert broken(picture) == ("asset", "content")


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n", b"\x89PNG\r\n\x1a\n" + b"\xff" * 40, b"GIF89a"])
def test_files_without_proof_are_said_to_have_none(tmp_path, content):
    (tmp_path / "x.png").write_bytes(content)
    assert broken(tmp_path / "x.png") == ("asset", "manifest")
