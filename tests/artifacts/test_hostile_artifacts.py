"""A saved model that was damaged or forged is refused before anything of it is used, and the message names what is wrong."""

import json
import struct

import pytest
import safetensors.torch
import torch
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from makar.artifacts.artifact import rebuild_family
from makar.artifacts.load import load_artifact
from makar.artifacts.tensors import check_header, read_tensors
from makar.errors import ArtifactError, IntegrityError, TensorMismatchError
from makar.provenance.chain import verify
from makar.provenance.folder import is_safe_name, list_files
from makar.provenance.keys import SigningKey, signing_key
from makar.provenance.manifest import manifest_hash, sign


def forge(folder, change, key=None):
    """Sign a changed manifest anew, with documents to match: what somebody with a key can do."""
    key = key or signing_key()
    manifest = json.loads((folder / "manifest.json").read_text())["manifest"]
    change(manifest)
    (folder / "manifest.json").write_text(json.dumps(sign(manifest, key)))
    documents = json.loads((folder / "documents.json").read_text())["manifest"]
    documents["artifact"] = manifest_hash(manifest)
    (folder / "documents.json").write_text(json.dumps(sign(documents, key)))


def relist(folder):
    """Make a manifest that lists whatever is there now."""
    names = [
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in ("manifest.json", "documents.json", "README.md")
    ]
    forge(folder, lambda manifest: manifest.update(files=list_files(folder, names)))


def test_one_flipped_byte_in_any_file_is_found_and_named(text_artifact):
    for path in sorted(text_artifact.path.rglob("*")):
        if not path.is_file():
            continue
        before = path.read_bytes()
        for place in (0, len(before) // 2, len(before) - 1):
            changed = bytearray(before)
            changed[place] ^= 1
            path.write_bytes(bytes(changed))
            with pytest.raises(IntegrityError, match=path.name.replace(".", r"\.")):
                load_artifact(text_artifact.path)
            assert verify(text_artifact.path).first_broken.link == "artifact"
        path.write_bytes(before)
    load_artifact(text_artifact.path)


def test_every_missing_file_is_named(text_artifact):
    for name in ("makar.json", "model.safetensors", "codec/note.txt", "config.json", "README.md", "documents.json"):
        path = text_artifact.path / name
        before = path.read_bytes()
        path.unlink()
        with pytest.raises(IntegrityError, match=path.name.replace(".", r"\.")):
            load_artifact(text_artifact.path)
        path.write_bytes(before)


def test_foreign_files_and_links_are_named(text_artifact, tmp_path):
    path = text_artifact.path
    (path / ".DS_Store").write_bytes(b"harmless")
    load_artifact(path)
    (path / "codec" / "evil.py").write_text("print()")
    with pytest.raises(IntegrityError, match=r"foreign file codec/evil\.py"):
        load_artifact(path)
    (path / "codec" / "evil.py").unlink()
    (tmp_path / "elsewhere").mkdir()
    (path / "extra").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(IntegrityError, match="foreign file extra"):
        load_artifact(path)
    (path / "extra").unlink()
    content = (path / "config.json").read_bytes()
    (tmp_path / "config.json").write_bytes(content)
    (path / "config.json").unlink()
    (path / "config.json").symlink_to(tmp_path / "config.json")
    with pytest.raises(IntegrityError, match=r"config\.json is no ordinary file"):
        load_artifact(path)


@pytest.mark.parametrize(
    "name",
    ["../x", "/etc/passwd", "a/../../x", "a\\..\\x", "C:\\x", "C:x", "", ".", "./a", "a//b", "a/", "a\0b", "a\nb"],
)
def test_a_listed_name_that_leaves_the_folder_is_refused(text_artifact, name):
    assert not is_safe_name(name)
    forge(text_artifact.path, lambda manifest: manifest["files"].update({name: {"sha256": "00", "bytes": 1}}))
    with pytest.raises(IntegrityError, match="unsafe name"):
        load_artifact(text_artifact.path)


def test_a_stranger_may_sign_but_not_pretend(text_artifact):
    stranger = SigningKey(Ed25519PrivateKey.generate())
    forge(text_artifact.path, lambda manifest: None, key=stranger)
    opened = load_artifact(text_artifact.path)
    assert opened.signer == stranger.key_id
    found = {(check.link, check.name): check.status for check in verify(opened.path).checks}
    assert found["artifact", "signer"] == "unknown"
    signed = json.loads((opened.path / "manifest.json").read_text())
    signed["signature"]["key"] = signing_key().public_bytes.hex()
    (opened.path / "manifest.json").write_text(json.dumps(signed))
    with pytest.raises(IntegrityError, match="signature"):
        load_artifact(opened.path)


def test_documents_of_another_artifact_are_refused(text_artifact, image_artifact):
    (text_artifact.path / "documents.json").write_bytes((image_artifact.path / "documents.json").read_bytes())
    with pytest.raises(IntegrityError, match="another artifact"):
        load_artifact(text_artifact.path)


def test_foreign_missing_and_misshapen_tensors_are_named(text_artifact):
    path = text_artifact.path / "model.safetensors"
    table = torch.zeros(257, 257)
    cases = [
        ({"table.weight": table, "extra": torch.zeros(1)}, "extra"),
        ({"other.weight": table}, "other.weight"),
        ({"table.weight": torch.zeros(257, 258)}, "table.weight"),
    ]
    for tensors, name in cases:
        safetensors.torch.save_file(tensors, path)
        relist(text_artifact.path)
        with pytest.raises(TensorMismatchError, match=name):
            load_artifact(text_artifact.path).family()


def test_a_configuration_larger_than_the_file_is_refused_before_it_is_built(text_artifact):
    path = text_artifact.path / "makar.json"
    header = json.loads(path.read_text())
    header["family"]["vocabulary"] = 10**9
    path.write_text(json.dumps(header))
    relist(text_artifact.path)
    with pytest.raises(IntegrityError, match="describes"):
        load_artifact(text_artifact.path).family()


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("family", {"kind": "os:system"}),
        ("family", {"kind": "tiny-text-codec"}),
        ("codec", {"kind": "tiny-text-codec", "surprise": 1}),
        ("codec", {}),
        ("recipe", {"name": 7}),
    ],
)
def test_configurations_outside_the_registry_are_refused(text_artifact, part, value):
    path = text_artifact.path / "makar.json"
    header = json.loads(path.read_text())
    header[part] = value
    path.write_text(json.dumps(header))
    relist(text_artifact.path)
    opened = load_artifact(text_artifact.path)
    with pytest.raises(ArtifactError, match="model"):
        {"family": opened.family, "codec": opened.codec, "recipe": lambda: opened.recipe}[part]()


def header_of(entries, data=b"", length=None):
    text = json.dumps(entries).encode() if not isinstance(entries, bytes) else entries
    return struct.pack("<Q", len(text) if length is None else length) + text + data


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x01\x02",
        header_of(b"{}", length=2**63),
        header_of(b"{}", length=200 << 20),
        header_of(b"[" * 100_000),
        header_of([]),
        header_of({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}, b"1234"),
        header_of({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}, b"12345"),
        header_of({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}}, b"1234"),
        header_of({"a": {"dtype": "EVIL", "shape": [1], "data_offsets": [0, 4]}}, b"1234"),
        header_of({"a": {"dtype": "F32", "shape": [-1], "data_offsets": [4, 0]}}, b"1234"),
        header_of({"a": {"dtype": "F32", "shape": [True], "data_offsets": [0, 4]}}, b"1234"),
        header_of({"a": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}}, b"12345678"),
        header_of(
            {
                "a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]},
                "b": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]},
            },
            b"1234",
        ),
    ],
)
def test_broken_and_hostile_tensor_files_are_refused_by_their_header(tmp_path, content):
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(IntegrityError):
        check_header(path)


def test_a_truncated_tensor_file_is_refused(text_artifact):
    path = text_artifact.path / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(IntegrityError, match="data"):
        read_tensors(path)
    with pytest.raises(IntegrityError):
        rebuild_family(text_artifact.header, [path])


def test_a_nested_header_cannot_exhaust_the_stack(text_artifact):
    (text_artifact.path / "makar.json").write_bytes(b'{"a":' * 100_000)
    relist(text_artifact.path)
    with pytest.raises(IntegrityError, match="nested"):
        load_artifact(text_artifact.path)


def test_the_same_state_is_accepted_when_nothing_was_forged(text_artifact):
    relist(text_artifact.path)
    assert load_artifact(text_artifact.path).family().table.weight.shape == (257, 257)
