"""The hash of what an asset shows: the bytes of its file, of a text, drawing, sound or structure too; of an image pixels with their size.

An image is hashed by its pixels and not by its file, so that the hash can be signed before the file, which carries the signature,
exists; lossless recompression keeps it, any change of a pixel does not.
"""

import dataclasses
import hashlib
from typing import Any

import numpy as np

from makar.errors import UnsupportedError


@dataclasses.dataclass(frozen=True)
class Drawing:
    """An image as outlines.

    Attributes:
        text: The SVG file.
    """

    text: str


@dataclasses.dataclass(frozen=True)
class Piece:
    """A piece of music.

    Attributes:
        notation: The piece in words.
        midi: The same as a MIDI file.
        player: The program that plays it where it is saved; empty for Makar's own instruments.
    """

    notation: str
    midi: bytes
    player: str = ""


@dataclasses.dataclass(frozen=True, eq=False)
class Recording:
    """A sound and its file.

    Attributes:
        samples: float32 ``[samples, channels]``, -1 to 1.
        rate_hz: Samples a second.
        wave: The same as a WAV file.
    """

    samples: np.ndarray
    rate_hz: int
    wave: bytes

    @property
    def seconds(self) -> float:
        """How long it is."""
        return len(self.samples) / self.rate_hz


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Film:
    """A film and its file.

    Attributes:
        file: The bytes of the file.
        form: Suffix of the file without its dot.
        count: Frames.
        height: Height of every frame in pixels.
        width: Width in pixels.
        rate_hz: Frames a second.
        wave: What is heard as a WAV file, where the form has no room for sound inside.
        held: The frames before coding, uint8 ``[frames, height, width, channels]``; ``None`` where they were written one by one.
    """

    file: bytes
    form: str
    count: int
    height: int
    width: int
    rate_hz: float
    wave: bytes | None = None
    held: np.ndarray | None = None

    @property
    def frames(self) -> np.ndarray:
        """The frames before coding, uint8 ``[frames, height, width, channels]``; a coding may lose some of it.

        Raises:
            UnsupportedError: They were written one by one and are in the file alone.
        """
        if self.held is None:
            raise UnsupportedError("the frames of a film that was never held as a whole", expected="its file")
        return self.held

    @property
    def seconds(self) -> float:
        """How long it is."""
        return self.count / self.rate_hz


@dataclasses.dataclass(frozen=True, eq=False)
class Structure:
    """The structure of a protein and its file.

    Attributes:
        atoms: float32 ``[residues, 4, 3]``, N, CA, C and O in angstroms.
        residues: One letter a residue, ``X`` where the amino acid is not known.
        form: Suffix of the file without its dot.
        file: The bytes of the file.
    """

    atoms: np.ndarray
    residues: str
    form: str
    file: bytes


def describe_content(content: Any) -> dict[str, Any]:
    """Return what a manifest says of the content.

    Args:
        content: ``str``, a drawing, a piece of music, a recording, a film, a structure, or
            ``uint8 [height, width, channels]`` with 1, 3 or 4 channels.

    Returns:
        ``kind``, ``sha256`` and the size (bytes, or height, width, channels).

    Raises:
        UnsupportedError: Content of another kind.
    """
    if isinstance(content, str):
        data = content.encode("utf-8")
        return {"kind": "text", "sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    if isinstance(content, Drawing):
        data = content.text.encode("utf-8")
        return {"kind": "svg", "sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    if isinstance(content, Piece):
        return {"kind": "midi", "sha256": hashlib.sha256(content.midi).hexdigest(), "bytes": len(content.midi)}
    if isinstance(content, Recording):
        return {
            "kind": "sound",
            "sha256": hashlib.sha256(content.wave).hexdigest(),
            "bytes": len(content.wave),
            "seconds": round(content.seconds, 6),
            "rate_hz": content.rate_hz,
        }
    if isinstance(content, Film):
        beside = {} if content.wave is None else {"sound_sha256": hashlib.sha256(content.wave).hexdigest()}
        return beside | {
            "kind": "video",
            "sha256": hashlib.sha256(content.file).hexdigest(),
            "bytes": len(content.file),
            "format": content.form,
            "frames": content.count,
            "height": content.height,
            "width": content.width,
            "rate_hz": round(content.rate_hz, 6),
        }
    if isinstance(content, Structure):
        return {
            "kind": "structure",
            "sha256": hashlib.sha256(content.file).hexdigest(),
            "bytes": len(content.file),
            "format": content.form,
            "residues": len(content.residues),
        }
    if (
        isinstance(content, np.ndarray)
        and content.dtype == np.uint8
        and content.ndim == 3
        and content.shape[2] in (1, 3, 4)
    ):
        height, width, channels = content.shape
        return {
            "kind": "image",
            "sha256": pixel_hash(content),
            "height": height,
            "width": width,
            "channels": channels,
        }
    what = f"{content.dtype} {list(content.shape)}" if isinstance(content, np.ndarray) else type(content).__name__
    raise UnsupportedError(
        f"content of kind {what} cannot be signed", expected="text, or uint8 [height, width, 1, 3 or 4 channels]"
    )


def pixel_hash(pixels: np.ndarray) -> str:
    """Return the sha256 of pixels ``uint8 [height, width, channels]`` with their shape, in hexadecimal."""
    height, width, channels = pixels.shape
    digest = hashlib.sha256(f"pixels uint8 {height} {width} {channels}\n".encode("ascii"))
    digest.update(np.ascontiguousarray(pixels).tobytes())
    return digest.hexdigest()
