"""Signed statements: canonical JSON, its hash, its Ed25519 signature, and reading such a statement from hostile bytes.

A signed manifest is ``{"manifest": {...}, "signature": {"algorithm", "key", "key_id", "value"}}``. What is signed is a fixed prefix
and the canonical JSON of the inner part: keys sorted, no spaces, UTF-8, no NaN (in the manner of RFC 8785, with Python's shortest
round-trip numbers). The link between two manifests is the sha256 of the canonical JSON of the earlier one, without its signature,
so that signing again with another key changes no link. The public key travels inside: the signature proves that nothing was
changed, and ``makar.provenance.keys.known_keys`` decides whether the signer is anybody we know.
"""

import dataclasses
import hashlib
import json
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from makar.errors import IntegrityError
from makar.provenance.keys import SigningKey, key_id

SCHEMA = 1
PREFIX = b"makar manifest 1\n"
LARGEST_MANIFEST_BYTES = 16 << 20


@dataclasses.dataclass(frozen=True)
class SignedManifest:
    """A manifest whose signature has been checked.

    Attributes:
        manifest: What was signed.
        public_key: The signer's 32 public bytes in hexadecimal.
    """

    manifest: dict[str, Any]
    public_key: str

    @property
    def key_id(self) -> str:
        """The id of the signer's key."""
        return key_id(bytes.fromhex(self.public_key))

    @property
    def hash(self) -> str:
        """The hash by which a later manifest refers to this one."""
        return manifest_hash(self.manifest)


def canonical_json(value: Any) -> bytes:
    """Return the one form of a value that is hashed and signed.

    Raises:
        IntegrityError: The value holds NaN, an infinity, lone surrogates or something that JSON has not.
    """
    try:
        text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        return text.encode("utf-8")
    except (ValueError, TypeError, RecursionError) as error:
        raise IntegrityError(f"a manifest cannot hold this: {error}", expected="plain JSON values") from error


def manifest_hash(manifest: dict[str, Any]) -> str:
    """Return the sha256 of the canonical JSON in hexadecimal."""
    return hashlib.sha256(canonical_json(manifest)).hexdigest()


def sign(manifest: dict[str, Any], key: SigningKey) -> dict[str, Any]:
    """Return the signed form of a manifest."""
    return {
        "manifest": manifest,
        "signature": {
            "algorithm": "ed25519",
            "key": key.public_bytes.hex(),
            "key_id": key.key_id,
            "value": key.private.sign(PREFIX + canonical_json(manifest)).hex(),
        },
    }


def check_signature(signed: Any) -> SignedManifest:
    """Check the form and the signature of a signed manifest.

    Raises:
        IntegrityError: It is no signed manifest, of a newer schema, or its signature does not match.
    """
    if not isinstance(signed, dict) or set(signed) != {"manifest", "signature"}:
        raise IntegrityError("this is no signed manifest", expected='an object with "manifest" and "signature" alone')
    manifest, signature = signed["manifest"], signed["signature"]
    parts = {"algorithm", "key", "key_id", "value"}
    if not isinstance(manifest, dict) or not isinstance(signature, dict) or set(signature) != parts:
        raise IntegrityError("this is no signed manifest", expected=f"a signature with {', '.join(sorted(parts))}")
    if signature["algorithm"] != "ed25519":
        raise IntegrityError(f"the signature is of kind {signature['algorithm']!r}", expected="ed25519")
    try:
        public = bytes.fromhex(signature["key"])
        Ed25519PublicKey.from_public_bytes(public).verify(
            bytes.fromhex(signature["value"]), PREFIX + canonical_json(manifest)
        )
    except (ValueError, TypeError, InvalidSignature) as error:
        raise IntegrityError("the signature does not match the manifest", do="do not trust this file") from error
    if signature["key_id"] != key_id(public):
        raise IntegrityError("the id of the key does not match the key", do="do not trust this file")
    if manifest.get("schema") != SCHEMA:
        raise IntegrityError(
            f"the manifest has schema {manifest.get('schema')!r}", expected=str(SCHEMA), do="use a newer Makar"
        )
    return SignedManifest(manifest, public.hex())


def read_signed(content: bytes) -> SignedManifest:
    """Read a signed manifest from bytes of any origin and check its signature.

    Raises:
        IntegrityError: The bytes are too many, no strict JSON, or the signature does not match.
    """
    return check_signature(read_strict_json(content))


def read_strict_json(content: bytes) -> Any:
    """Read JSON of any origin: limited in size and depth, UTF-8, no repeated keys, no NaN.

    Raises:
        IntegrityError: The bytes are none of that.
    """
    if len(content) > LARGEST_MANIFEST_BYTES:
        raise IntegrityError(f"{len(content)} bytes of JSON", expected=f"at most {LARGEST_MANIFEST_BYTES}")
    try:
        return json.loads(content.decode("utf-8"), object_pairs_hook=_unique_keys, parse_constant=_refuse_constant)
    except RecursionError as error:
        raise IntegrityError("this JSON is nested too deeply", do="do not trust this file") from error
    except ValueError as error:
        raise IntegrityError(f"this is no valid JSON: {error}", do="do not trust this file") from error


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise IntegrityError("a key of this JSON is repeated", do="do not trust this file")
    return found


def _refuse_constant(name: str) -> Any:
    raise IntegrityError(f"{name} is no JSON number", do="do not trust this file")
