"""The signing key of this machine, made at first use, and the public keys of others that the user trusts.

Decisions: Ed25519 (Bernstein et al. 2011, RFC 8032), because signatures are short, deterministic and need no random numbers; the
private key is a PKCS#8 PEM file of mode 0600 in a folder of mode 0700; a key that others on the machine could read is refused, as
ssh does; a key's id is the first 16 hexadecimal digits of the sha256 of its 32 public bytes. Public keys of other people are
``*.pem`` files that the user puts into ``keys/trusted``. Nothing here knows a person's name: a valid signature proves only that
the holder of the key signed.
"""

import dataclasses
import hashlib
import os
import stat
import tempfile
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from makar.errors import IntegrityError, MakarError
from makar.home import home

KEY_NAME = "signing.pem"
PUBLIC_NAME = "signing.pub.pem"
TRUSTED_NAME = "trusted"


@dataclasses.dataclass(frozen=True)
class SigningKey:
    """A private key with its public half."""

    private: Ed25519PrivateKey

    @property
    def public_bytes(self) -> bytes:
        """The 32 bytes of the public key."""
        return self.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    @property
    def key_id(self) -> str:
        """The id by which the key is named to people."""
        return key_id(self.public_bytes)


def key_id(public: bytes) -> str:
    """Return the id of a public key.

    Args:
        public: The 32 raw bytes.

    Returns:
        16 hexadecimal digits.
    """
    return hashlib.sha256(public).hexdigest()[:16]


def keys_folder() -> Path:
    """Return the folder that holds the keys of this machine."""
    return home() / "keys"


def signing_key() -> SigningKey:
    """Return the signing key of this machine; it is made when there is none.

    Raises:
        IntegrityError: The key file is damaged or readable by others.
        MakarError: The key cannot be written.
    """
    path = keys_folder() / KEY_NAME
    if not path.exists():
        _make_key(path)
    return _read_key(path)


def known_keys() -> dict[str, str]:
    """Return who is known by public key: raw public bytes in hexadecimal to ``"this machine"`` or the name of the trusted file.

    A file in the trusted folder that is no Ed25519 public key is an error, because the user believes that it is trusted.

    Raises:
        IntegrityError: A trusted file is not an Ed25519 public key.
    """
    known: dict[str, str] = {}
    folder = keys_folder()
    for path in sorted((folder / TRUSTED_NAME).glob("*.pem")):
        try:
            public = load_pem_public_key(path.read_bytes())
        except (ValueError, UnsupportedAlgorithm, OSError) as error:
            raise IntegrityError(f"{path} cannot be read: {error}", expected="an Ed25519 public key in PEM") from error
        if not isinstance(public, Ed25519PublicKey):
            raise IntegrityError(f"{path} holds another kind of key", expected="an Ed25519 public key in PEM")
        known[public.public_bytes(Encoding.Raw, PublicFormat.Raw).hex()] = path.stem
    if (folder / KEY_NAME).exists():
        known[_read_key(folder / KEY_NAME).public_bytes.hex()] = "this machine"
    return known


def _make_key(path: Path) -> None:
    private = Ed25519PrivateKey.generate()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.parent.chmod(0o700)
        # mkstemp makes files of mode 0600; linking fails when another process made a key in the meantime, and then that one counts.
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".key-")
        temporary = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
                file.flush()
                os.fsync(file.fileno())
            try:
                os.link(temporary, path)
            except FileExistsError:
                return
        finally:
            temporary.unlink()
        public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        (path.parent / PUBLIC_NAME).write_bytes(public)
    except OSError as error:
        raise MakarError(
            f"the signing key cannot be made in {path.parent}: {error}",
            expected="a folder that can be written",
            do="set MAKAR_HOME to a folder of yours",
        ) from error


def _read_key(path: Path) -> SigningKey:
    if os.name == "posix" and stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise IntegrityError(
            f"{path} can be read by other users",
            expected="mode 0600",
            do=f"chmod 600 {path}, or delete it for a new key",
        )
    try:
        private = load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise IntegrityError(
            f"{path} is not a readable key: {error}", expected="an Ed25519 private key", do="delete it for a new key"
        ) from error
    if not isinstance(private, Ed25519PrivateKey):
        raise IntegrityError(f"{path} holds another kind of key", expected="an Ed25519 private key")
    return SigningKey(private)
