"""What is made is put into the library as it is finished: the content that was signed, with the prompt as a person reads it.

The manifest comes from the worker even where the client did not ask for it, and is taken out of the answer again. What cannot be kept
(the disk is full, the library is busy or damaged) is given all the same, and says so: nobody loses a result for a list of results.
"""

import asyncio
import base64
import dataclasses
import json
import logging
from typing import Any

from makar.errors import MakarError
from makar.generation.asset_file import IMAGE_TYPE, TEXT_TYPE
from makar.generation.library import LONGEST_PROMPT, Entry, Library
from makar.generation.library_entry import steps_of

LOG = logging.getLogger("makar.serving")

SOUND_TYPE = "audio/wav"
NOT_KEPT = "not_kept"
"""Beside what was made: why it is not in the library."""

LONGEST_HEADER = 6000
"""Of a manifest; many clients and proxies take 8 KiB of headers."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Keeping:
    """How the assets of one request are kept.

    Attributes:
        model: Name of the model on this server.
        kind: ``CREATE``, ``EDIT`` or ``CHAT``.
        prompts: What each asset was asked for; one for all where there is one.
        shows_manifest: Whether the client wants the manifests too.
    """

    model: str
    kind: str
    prompts: tuple[str, ...]
    shows_manifest: bool

    def prompt(self, number: int) -> str:
        """Return what an asset was asked for."""
        return self.prompts[min(number, len(self.prompts) - 1)][:LONGEST_PROMPT]


async def keep_text(
    library: Library, keeping: Keeping, end: dict[str, Any], *, number: int, tokens: int, seconds: float
) -> None:
    """Keep a text.

    Args:
        library: Where.
        keeping: How.
        end: What was said when it ended; the manifest and the content are taken out of it where the client does not want them.
        number: Which of the texts of the request.
        tokens: That it has.
        seconds: That it took.
    """
    content, signed = end.pop("content"), end["manifest"]
    if not keeping.shows_manifest:
        del end["manifest"]
    entry = Entry(
        signed=signed,
        model=keeping.model,
        kind=keeping.kind,
        prompt=keeping.prompt(number),
        content=content.encode(),
        type=TEXT_TYPE,
        seconds=seconds,
        work=tokens,
    )
    await _keep(library, entry, end)


async def keep_file(library: Library, keeping: Keeping, event: dict[str, Any], *, seconds: float) -> None:
    """Keep an image, a sound or a clip.

    Args:
        library: Where.
        keeping: How.
        event: The image, ``png``, the sound, ``wave``, or the clip or structure, ``file`` with its ``type``; its manifest is taken
            out where the client does not want it.
        seconds: That it took.
    """
    content = base64.b64decode(next(event[name] for name in ("png", "wave", "file") if name in event))
    await keep_content(library, keeping, event, content, type_of(event), seconds=seconds)


async def keep_content(
    library: Library, keeping: Keeping, event: dict[str, Any], content: bytes, kind: str, *, seconds: float
) -> None:
    """Keep the bytes of a file.

    Args:
        library: Where.
        keeping: How.
        event: What was said of it; its manifest is taken out where the client does not want it.
        content: The bytes.
        kind: Their media type.
        seconds: That it took.
    """
    signed = event["manifest"]
    if not keeping.shows_manifest:
        del event["manifest"]
    entry = Entry(
        signed=signed,
        model=keeping.model,
        kind=keeping.kind,
        prompt=keeping.prompt(0),
        content=content,
        type=kind,
        seconds=seconds,
        work=steps_of(signed["manifest"]),
    )
    await _keep(library, entry, event)


def manifest_headers(signed: dict[str, Any], *, asset: str, is_kept: bool) -> dict[str, str]:
    """Return the header with a signed manifest, base64 of its JSON; where it is too long for clients, the one that says where it is.

    Args:
        signed: The signed manifest.
        asset: Its id.
        is_kept: Whether the asset is in the library.
    """
    sent = base64.b64encode(json.dumps(signed, ensure_ascii=False, separators=(",", ":")).encode()).decode("ascii")
    if len(sent) <= LONGEST_HEADER:
        return {"x-makar-manifest": sent}
    if is_kept:
        return {"x-makar-manifest-at": f"/makar/v1/assets/{asset}/manifest"}
    return {"x-makar-manifest-left-out": f"{len(sent)} letters are too many for a header: ask with store"}


def type_of(event: dict[str, Any]) -> str:
    """Return the media type of an image, a sound, a clip or a structure."""
    if "file" in event:
        return str(event["type"])
    return IMAGE_TYPE if "png" in event else SOUND_TYPE


async def _keep(library: Library, entry: Entry, said: dict[str, Any]) -> None:
    try:
        await asyncio.to_thread(library.keep, entry)
    except MakarError as error:
        LOG.warning("not kept: %s", error.came)
        said[NOT_KEPT] = error.came
