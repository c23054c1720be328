"""The checks of one asset file: its manifest, the signature, the content, and marks that were added or removed."""

from pathlib import Path

from makar.errors import IntegrityError
from makar.provenance import embedding, png
from makar.provenance.folder import file_hash, read_limited
from makar.provenance.keys import known_keys
from makar.provenance.manifest import SignedManifest, read_signed
from makar.provenance.verification import Check, Link, Status

LARGEST_IMAGE_BYTES = 1 << 29


def check_asset(path: Path) -> tuple[SignedManifest | None, list[Check]]:
    """Check a file and the manifest that it carries or has beside it.

    Returns:
        The manifest, ``None`` when there is none to trust, and the checks.
    """
    with path.open("rb") as file:
        is_png = file.read(len(png.MAGIC)) == png.MAGIC
    sidecar = embedding.sidecar_path(path)
    checks: list[Check] = []
    try:
        data = _read_image(path) if is_png else b""
        inside = embedding.png_manifest(data) if is_png else None
        if inside is None and not sidecar.is_file():
            missing = (
                f"neither in the file nor beside it in {sidecar.name}" if is_png else f"no {sidecar.name} beside it"
            )
            return None, [
                Check(link="asset", name="manifest", status="failed", detail=f"there is no manifest: {missing}")
            ]
        signed = read_signed(inside if inside is not None else read_limited(sidecar))
        if signed.manifest.get("type") != "asset":
            raise IntegrityError(f"it is a manifest of type {signed.manifest.get('type')!r}", expected="asset")
    except IntegrityError as error:
        return None, [Check(link="asset", name="manifest", status="failed", detail=error.came)]
    place = "inside the file" if inside is not None else f"in {sidecar.name}"
    checks.append(Check(link="asset", name="manifest", status="ok", detail=f"found {place}, signature valid"))
    checks.append(signer_check("asset", signed))
    checks.append(_content_check(path, data, signed, is_embedded=inside is not None))
    checks += _sound_checks(path, signed)
    if isinstance(estimate := signed.manifest.get("estimate"), dict):
        found = f"step {estimate.get('step')} of {estimate.get('steps')}"
        detail = f"a preview: what was expected in {found}, not the finished asset"
        checks.append(Check(link="asset", name="preview", status="ok", detail=detail))
    if inside is not None:
        checks += _mark_checks(data, str(signed.manifest.get("source_type", embedding.SOURCE_TYPE)))
    return signed, checks


def signer_check(link: Link, signed: SignedManifest) -> Check:
    """Say who signed, as far as this machine knows."""
    try:
        name = known_keys().get(signed.public_key)
    except IntegrityError as error:
        return Check(link=link, name="signer", status="unknown", detail=error.came)
    if name is None:
        detail = f"signed by key {signed.key_id}, which nobody here knows: intact, but it could be anybody's"
        return Check(link=link, name="signer", status="unknown", detail=detail)
    return Check(link=link, name="signer", status="ok", detail=f"signed by key {signed.key_id} ({name})")


def _content_check(path: Path, data: bytes, signed: SignedManifest, *, is_embedded: bool) -> Check:
    content = signed.manifest.get("content")
    expected = content.get("sha256") if isinstance(content, dict) else None
    status: Status = "ok"
    try:
        if is_embedded:
            found, what = embedding.png_pixel_hash(data), "pixels"
        elif isinstance(content, dict) and content.get("kind") == "image":
            found, what = embedding.png_pixel_hash(_read_image(path)), "pixels"
        else:
            found, what = file_hash(path), "bytes"
        detail = f"the {what} are those that were signed"
        if found != expected:
            status, detail = "failed", f"the {what} were changed after signing"
    except IntegrityError as error:
        status, detail = "failed", error.came
    return Check(link="asset", name="content", status=status, detail=detail)


def _sound_checks(path: Path, signed: SignedManifest) -> list[Check]:
    """Check the sound that lies beside a film whose form has no room for it."""
    content = signed.manifest.get("content")
    expected = content.get("sound_sha256") if isinstance(content, dict) else None
    if expected is None:
        return []
    beside = path.with_suffix(".wav")
    if not beside.is_file():
        detail = f"{beside.name}, its sound, is not beside it"
        return [Check(link="asset", name="sound", status="unknown", detail=detail)]
    if file_hash(beside) == expected:
        detail = f"{beside.name} is the sound that was signed"
        return [Check(link="asset", name="sound", status="ok", detail=detail)]
    detail = f"{beside.name} is not the sound that was signed"
    return [Check(link="asset", name="sound", status="failed", detail=detail)]


def _mark_checks(data: bytes, source_type: str) -> list[Check]:
    harmful, harmless = embedding.png_additions(data)
    checks = []
    if harmful:
        detail = f"the file was changed after signing: it has chunks that Makar does not write ({', '.join(harmful)})"
        checks.append(Check(link="asset", name="additions", status="failed", detail=detail))
    elif harmless:
        detail = f"somebody added text that is not signed ({', '.join(harmless)}); the picture is untouched"
        checks.append(Check(link="asset", name="additions", status="unknown", detail=detail))
    if embedding.has_source_mark(data, source_type):
        done = "made" if source_type == embedding.SOURCE_TYPE else "changed"
        by = "people" if source_type == embedding.HUMAN_SOURCE_TYPE else "a trained algorithm"
        detail = f"the public mark says: {done} by {by}"
        checks.append(Check(link="asset", name="AI mark", status="ok", detail=detail))
    else:
        detail = "the public mark (XMP DigitalSourceType) was removed or changed"
        checks.append(Check(link="asset", name="AI mark", status="failed", detail=detail))
    return checks


def _read_image(path: Path) -> bytes:
    if path.stat().st_size > LARGEST_IMAGE_BYTES:
        raise IntegrityError(f"{path.name} has {path.stat().st_size} bytes", expected=f"at most {LARGEST_IMAGE_BYTES}")
    return path.read_bytes()
