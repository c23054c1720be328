"""Keys are private, signatures find every change, and hostile JSON is refused."""

import json
import threading

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from makar.errors import IntegrityError, MakarError
from makar.provenance.keys import SigningKey, keys_folder, known_keys, signing_key
from makar.provenance.manifest import (
    LARGEST_MANIFEST_BYTES,
    canonical_json,
    check_signature,
    manifest_hash,
    read_signed,
    read_strict_json,
    sign,
)

STRANGER = SigningKey(Ed25519PrivateKey.from_private_bytes(bytes(32)))


def test_the_key_is_made_once_and_kept_private(own_home):
    key = signing_key()
    assert signing_key().key_id == key.key_id
    assert (keys_folder() / "signing.pem").stat().st_mode & 0o777 == 0o600
    assert keys_folder().stat().st_mode & 0o777 == 0o700
    assert known_keys() == {key.public_bytes.hex(): "this machine"}
    assert sorted(path.name for path in keys_folder().iterdir()) == ["signing.pem", "signing.pub.pem"]


def test_several_processes_at_first_use_agree_on_one_key(own_home):
    ids = []
    threads = [threading.Thread(target=lambda: ids.append(signing_key().key_id)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ids) == 8
    assert len(set(ids)) == 1


def test_a_key_that_others_can_read_is_refused(own_home):
    signing_key()
    (keys_folder() / "signing.pem").chmod(0o644)
    with pytest.raises(IntegrityError, match="other users"):
        signing_key()


def test_a_damaged_key_is_explained(own_home):
    signing_key()
    (keys_folder() / "signing.pem").write_bytes(b"-----BEGIN nonsense")
    with pytest.raises(IntegrityError, match="not a readable key"):
        signing_key()


def test_a_home_that_cannot_be_written_is_explained(own_home, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("MAKAR_HOME", str(tmp_path / "file"))
    with pytest.raises(MakarError, match="cannot be made"):
        signing_key()


def test_public_keys_of_others_are_known_by_the_name_of_their_file(own_home):
    folder = keys_folder() / "trusted"
    folder.mkdir(parents=True)
    public = STRANGER.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (folder / "ada.pem").write_bytes(public)
    assert known_keys() == {STRANGER.public_bytes.hex(): "ada"}
    (folder / "junk.pem").write_bytes(b"junk")
    with pytest.raises(IntegrityError, match=r"junk\.pem"):
        known_keys()


def test_canonical_json_has_one_form():
    assert canonical_json({"b": 1, "a": [1.5, "ä", None]}) == '{"a":[1.5,"ä",null],"b":1}'.encode()
    assert manifest_hash({"a": 1, "b": 2}) == manifest_hash({"b": 2, "a": 1})


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(st.characters(exclude_categories=["Cs"])),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=3),
        max_leaves=8,
    )
)  # fmt: skip
def test_what_is_signed_reads_back_the_same(value):
    signed = sign({"schema": 1, "value": value}, STRANGER)
    for text in (json.dumps(signed), json.dumps(signed, indent=3, ensure_ascii=False)):
        assert read_signed(text.encode()).manifest == {"schema": 1, "value": value}


def test_any_change_of_manifest_or_signature_is_found():
    signed = sign({"schema": 1, "prompt": "fox"}, STRANGER)
    assert check_signature(signed).key_id == STRANGER.key_id
    other = SigningKey(Ed25519PrivateKey.generate())
    changes = [
        {**signed, "manifest": {"schema": 1, "prompt": "fix"}},
        {**signed, "manifest": {"schema": 1, "prompt": "fox", "more": 1}},
        {**signed, "signature": {**signed["signature"], "value": "00" * 64}},
        {**signed, "signature": {**signed["signature"], "key": other.public_bytes.hex()}},
        {**signed, "signature": {**signed["signature"], "key_id": other.key_id}},
        {**signed, "signature": {**signed["signature"], "algorithm": "none"}},
        {**signed, "signature": {**signed["signature"], "key": 7}},
        {**signed, "more": 1},
        {"manifest": signed["manifest"]},
        [],
        sign({"schema": 2}, STRANGER),
    ]
    for changed in changes:
        with pytest.raises(IntegrityError):
            check_signature(changed)


@pytest.mark.parametrize(
    "hostile",
    [
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"a": NaN}',
        b'{"a": 1, "a": 2}',
        b'{"a": Infinity}',
        b"\xff\xfe",
        b"",
        b"1" * 5000,
        b'"' + b"x" * LARGEST_MANIFEST_BYTES + b'"',
    ],
    ids=["arrays", "objects", "nan", "repeated", "infinity", "encoding", "empty", "number", "long"],
)
def test_hostile_json_is_refused(hostile):
    with pytest.raises(IntegrityError):
        read_strict_json(hostile)


def test_values_that_have_no_json_cannot_be_signed():
    deep: list = []
    for _ in range(100_000):
        deep = [deep]
    for value in (float("nan"), "\ud800", object(), deep):
        with pytest.raises(IntegrityError):
            sign({"schema": 1, "value": value}, STRANGER)
    with pytest.raises(IntegrityError):
        read_signed(b'{"manifest": {"schema": 1, "a": "\\ud800"}, "signature": '
                    b'{"algorithm": "ed25519", "key": "00", "key_id": "0", "value": "00"}}')  # fmt: skip
