"""Where a signed manifest lives: inside a PNG (chunk iTXt ``makar``), or in ``FILE.makar.json`` beside any file.

The XMP packet carries IPTC's ``DigitalSourceType`` (IPTC Photo Metadata 2023.2), which search engines and image programs read without
knowing Makar: ``trainedAlgorithmicMedia`` for what was made from nothing, ``compositeWithTrainedAlgorithmicMedia`` for a given image that
was changed, ``humanEdits`` for what was changed without a model. For each it has one fixed wording, so that a change of it is found by
comparison; the manifest states which, is signed and names the pixels by their hash; everything else in the file is under the PNG's own
checksums. A sidecar names the sha256 of the file beside it.
"""

import io
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from makar.errors import IntegrityError
from makar.provenance import png
from makar.provenance.content import pixel_hash

KEYWORD = "makar"
XMP_KEYWORD = "XML:com.adobe.xmp"
SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
COMPOSITE_SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
HUMAN_SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/humanEdits"
"""For what was changed without a trained algorithm, and of which nothing says that one had a part in it."""

XMP_PACKETS = {
    source_type: (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" '
        f'Iptc4xmpExt:DigitalSourceType="{source_type}"/></rdf:RDF></x:xmpmeta><?xpacket end="r"?>'
    )
    for source_type in (SOURCE_TYPE, COMPOSITE_SOURCE_TYPE, HUMAN_SOURCE_TYPE)
}
XMP_PACKET = XMP_PACKETS[SOURCE_TYPE]
SIDECAR_SUFFIX = ".makar.json"


def png_bytes(pixels: np.ndarray, signed: dict[str, Any]) -> bytes:
    """Return a PNG file with the signed manifest and the XMP mark inside.

    Args:
        pixels: ``uint8 [height, width, channels]`` with 1, 3 or 4 channels.
        signed: The signed manifest.
    """
    information = PngInfo()
    information.add_itxt(KEYWORD, json.dumps(signed, ensure_ascii=False, separators=(",", ":")))
    information.add_itxt(XMP_KEYWORD, XMP_PACKETS[signed["manifest"].get("source_type", SOURCE_TYPE)])
    buffer = io.BytesIO()
    Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).save(buffer, "PNG", pnginfo=information)
    return buffer.getvalue()


def png_manifest(data: bytes) -> bytes | None:
    """Return the JSON of the signed manifest inside a PNG file, ``None`` when there is none.

    Raises:
        IntegrityError: The file is damaged or holds several manifests.
    """
    found = [text for keyword, text in png.international_texts(data) if keyword == KEYWORD]
    if len(found) > 1:
        raise IntegrityError(f"the image holds {len(found)} manifests", expected="one", do="do not trust this file")
    return found[0] if found else None


def png_pixel_hash(data: bytes) -> str:
    """Decode a PNG file and return the hash of its pixels.

    Raises:
        IntegrityError: The pixels cannot be decoded, are too many, or of a kind that Makar does not write.
    """
    png.size(data)
    try:
        with warnings.catch_warnings():
            # Pillow warns of large images; the limit above has already been applied to the header.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
                if image.mode not in ("L", "RGB", "RGBA"):
                    raise IntegrityError(f"the pixels are of mode {image.mode}", expected="L, RGB or RGBA")
                pixels = np.asarray(image)
    except IntegrityError:
        raise
    except Exception as error:  # Pillow's decoders raise any kind of exception on hostile files, of its size limit too
        reason = str(error) or type(error).__name__
        raise IntegrityError(f"the pixels cannot be decoded: {reason}", do="get the file again") from error
    return pixel_hash(pixels if pixels.ndim == 3 else pixels[:, :, None])


def png_additions(data: bytes) -> tuple[list[str], list[str]]:
    """Return what a PNG file holds that Makar did not write: (chunks that change what is shown, other text or time)."""
    harmful, harmless = [], []
    texts = 0
    for kind, _ in png.chunks(data):
        name = kind.decode("ascii", "replace")
        if kind in png.HARMLESS_CHUNKS:
            texts += kind == b"iTXt"
            if kind != b"iTXt":
                harmless.append(name)
        elif kind not in png.PIXEL_CHUNKS:
            harmful.append(name)
    ours = sum(keyword in (KEYWORD, XMP_KEYWORD) for keyword, _ in png.international_texts(data))
    harmless += ["iTXt"] * (texts - ours)
    return harmful, harmless


def has_source_mark(data: bytes, source_type: str = SOURCE_TYPE) -> bool:
    """Return whether a PNG file carries exactly the XMP packet that says how a trained algorithm had a part in it.

    Args:
        data: The file.
        source_type: What the signed manifest says; a type that Makar does not write has no packet.
    """
    packets = [text for keyword, text in png.international_texts(data) if keyword == XMP_KEYWORD]
    return source_type in XMP_PACKETS and packets == [XMP_PACKETS[source_type].encode("utf-8")]


def source_mark(content: bytes) -> str | None:
    """Return the IPTC word by which a file says that a trained algorithm made or changed it; ``None`` where it does not.

    Metadata of images, films and sounds stand as they are in the file, whatever its format, so the word is looked for in all of it.

    Args:
        content: The file.
    """
    return next((mark for mark in (COMPOSITE_SOURCE_TYPE, SOURCE_TYPE) if mark.encode("ascii") in content), None)


def sidecar_path(path: Path) -> Path:
    """Return where the manifest of a file without room for one is."""
    return path.with_name(path.name + SIDECAR_SUFFIX)


def sidecar_bytes(signed: dict[str, Any]) -> bytes:
    """Return the content of a sidecar."""
    return (json.dumps(signed, ensure_ascii=False, indent=1) + "\n").encode("utf-8")
