"""/makar/v1/assets: what was made and kept, to look through, to get back, to check and to delete."""

import asyncio
import dataclasses
import tempfile
from pathlib import Path
from typing import Any

from fastapi import Request, Response

from makar.data.feedback.judgement import MIDI_TYPE
from makar.data.structure_writer import TYPES as STRUCTURE_TYPES
from makar.data.video_file import TYPES
from makar.errors import UsageError
from makar.generation.asset import DRAWING_SUFFIX
from makar.generation.asset_file import DRAWING_TYPE
from makar.generation.library import Wanted
from makar.provenance.embedding import sidecar_path
from makar.serving.bodies import check_text
from makar.serving.front import answer, attended, front_of
from makar.serving.ranges import file_answer
from makar.serving.studio.liking import best_first, by_rating
from makar.serving.studio.verbs import answer_of
from makar.serving.uploads import limit_of, read_form

MOST_LISTED = 200
FILTERS = ("model", "medium", "kind", "run", "text", "before")
SUFFIXES = {
    "image/png": ".png",
    DRAWING_TYPE: DRAWING_SUFFIX,
    "text/plain": ".txt",
    "audio/wav": ".wav",
    MIDI_TYPE: ".mid",
    **{kind: f".{form}" for form, kind in (TYPES | STRUCTURE_TYPES).items()},
}


async def list_assets(request: Request) -> Response:
    """List what was kept, the newest first, or as somebody would like it."""
    words = {name: value for name in (*FILTERS, "rating", "for_rater") if (value := request.query_params.get(name))}
    for value in words.values():
        check_text(value)
    limit = limit_of(request.query_params.get("limit", "60"), most=MOST_LISTED)
    library = front_of(request).library

    def listed() -> tuple[list[dict[str, Any]], bool]:
        filters: dict[str, Any] = {name: words[name] for name in FILTERS if name in words}
        wanted = Wanted(limit=limit, **filters)
        if "rating" in words:
            wanted = by_rating(wanted, words["rating"])
        if "for_rater" in words:
            return best_first(library, wanted, words["for_rater"]), False
        # One more than is shown tells whether there are more.
        found = library.newest(dataclasses.replace(wanted, limit=limit + 1))
        return found[:limit], len(found) > limit

    shown, has_more = await asyncio.to_thread(listed)
    facets = await asyncio.to_thread(library.facets)
    return answer({"object": "list", "data": shown, "has_more": has_more, "filters": facets})


async def one_asset(request: Request) -> Response:
    """Describe an asset, its signed manifest included."""
    return answer(await asyncio.to_thread(front_of(request).library.get, request.path_params["asset"]))


async def asset_content(request: Request) -> Response:
    """Give the file of an asset: an image with its manifest inside, a sound, a clip or a text."""
    name = request.path_params["asset"]
    content, kind = await asyncio.to_thread(front_of(request).library.content, name)
    suffix = SUFFIXES.get(kind.partition(";")[0], ".bin")
    # What is neither looked at nor read as a page: no script of a text ever runs here.
    headers = {"content-disposition": f'inline; filename="{name[:12]}{suffix}"', "content-security-policy": "sandbox"}
    return file_answer(request, content, kind, headers | {"cache-control": "private, max-age=86400"})


async def asset_manifest(request: Request) -> Response:
    """Give the signed manifest of an asset as it was signed: a program that reads 1.0 and writes 1 would break the signature."""
    name = request.path_params["asset"]
    text = await asyncio.to_thread(front_of(request).library.manifest, name)
    headers = {"content-disposition": f'inline; filename="{name[:12]}.makar.json"'}
    return Response(text, media_type="application/json", headers=headers)


async def delete_asset(request: Request) -> Response:
    """Delete an asset."""
    name = request.path_params["asset"]
    await asyncio.to_thread(front_of(request).library.remove, name)
    return answer({"id": name, "object": "asset", "deleted": True})


async def verify(request: Request) -> Response:
    """Say what made a file and whether it is intact: an image, or a text, sound or clip with the manifest that lies beside it."""
    _, files = await read_form(request)
    given = {name: file for name, file in files if name in ("file", "manifest")}
    if "file" not in given or len(files) != len(given):
        raise UsageError(f"{len(files)} files", expected="a file named file, and where it has one, its manifest")
    with tempfile.TemporaryDirectory(prefix="makar-verify-") as folder:
        content = await given["file"].read()
        place = Path(folder) / f"asset{_suffix_of(content)}"
        place.write_bytes(content)
        if "manifest" in given:
            sidecar_path(place).write_bytes(await given["manifest"].read())
        return answer(await attended(request, answer_of(["verify", str(place)], may_fail=True)))


def _suffix_of(content: bytes) -> str:
    for head, suffix in ((b"\x89PNG", ".png"), (b"GIF8", ".gif"), (b"\x1aE\xdf\xa3", ".webm"), (b"MThd", ".mid")):
        if content.startswith(head):
            return suffix
    if content[4:8] == b"ftyp":
        return ".mp4"
    return ".wav" if content[:4] == b"RIFF" and content[8:12] == b"WAVE" else ".txt"
