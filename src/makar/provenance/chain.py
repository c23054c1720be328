"""``verify``: walk from a file back to the data that its model learned from, and name the first broken link.

asset -> artifact -> run -> data, and where the model began from another one, that one and its own run and data behind it; of what was
changed without a model, the manifests of what was given, which it carries, and all behind those. Each link names the one before by the
sha256 of its manifest. What is not on this machine is unknown, not broken. No tensor is loaded and nothing
is executed: files, JSON, hashes and signatures are all that is needed.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from makar.errors import IntegrityError, MakarError, UsageError
from makar.home import models_folder, runs_folder
from makar.provenance.asset_check import check_asset, signer_check
from makar.provenance.embedding import SIDECAR_SUFFIX
from makar.provenance.folder import MANIFEST_NAME, check_folder, file_hash, is_safe_name, read_limited
from makar.provenance.ledger import known_place
from makar.provenance.links import METRICS_NAME, PLAN_NAME
from makar.provenance.manifest import SignedManifest, check_signature, manifest_hash, read_signed, read_strict_json
from makar.provenance.pipelines import known_pipeline, pipeline_problems
from makar.provenance.verification import Check, Link, Status, Verification

Fingerprint = Callable[[str, dict[str, Any]], str]
"""From the place of a data set and what its manifest states (medium, share held out) to its fingerprint."""


def verify(path: Path | str, *, artifact: Path | None = None, fingerprint: Fingerprint | None = None) -> Verification:
    """Check a generated file or a saved model, and everything behind it that this machine has.

    Args:
        path: An asset (an image, or a file with its sidecar; naming the sidecar is the same) or the folder of an artifact.
        artifact: Where the artifact of the asset is; without, the places known to this machine are tried.
        fingerprint: Computes the fingerprint of a data set; with it, data that is still there is compared.

    Returns:
        Every check, from the asset back to the data.

    Raises:
        UsageError: There is no such file, or an artifact is given for an artifact.
    """
    path = Path(path)
    if path.name.endswith(SIDECAR_SUFFIX) and path.with_name(path.name.removesuffix(SIDECAR_SUFFIX)).is_file():
        path = path.with_name(path.name.removesuffix(SIDECAR_SUFFIX))
    if path.is_dir():
        if artifact is not None:
            raise UsageError(f"{path} is itself an artifact", expected="a generated file, when an artifact is given")
        manifest, checks = _check_artifact(path, fingerprint)
        return Verification(path=path, checks=tuple(checks), manifest=manifest)
    if not path.is_file():
        raise UsageError(f"there is no file {path}", expected="a generated file, the folder of a model, or its name")
    signed, checks = check_asset(path)
    if signed is not None:
        checks += _check_origin(signed.manifest, artifact, fingerprint)
    return Verification(path=path, checks=tuple(checks), manifest=signed.manifest if signed else None)


def find_artifact(digest: str, name: str) -> Path | None:
    """Return the folder of the artifact with this hash, ``None`` when this machine does not have it.

    Args:
        digest: Hash of the artifact's manifest.
        name: The name it had when it was used; only the first place to look.
    """
    own: list[Path] = []
    place = known_place("artifact", digest)
    if place is not None:
        own.append(Path(place))
    if is_safe_name(name) and "/" not in name:
        own.append(models_folder() / name)
    candidates = list(own)
    if models_folder().is_dir():
        candidates += sorted(folder for folder in models_folder().iterdir() if folder.is_dir())
    for folder in candidates:
        try:
            if read_signed(read_limited(folder / MANIFEST_NAME)).hash == digest:
                return folder
        except IntegrityError:
            continue
    # A damaged artifact under its own name is a broken link, which is worth more than "not found".
    return next((folder for folder in own if (folder / MANIFEST_NAME).exists()), None)


def _check_origin(asset: dict[str, Any], given: Path | None, fingerprint: Fingerprint | None) -> list[Check]:
    if "artifact" in asset and asset["artifact"] is None:
        return _check_sources(asset, fingerprint)
    stated = asset.get("artifact")
    if not isinstance(stated, dict) or not isinstance(stated.get("hash"), str):
        return [_check("artifact", "found", "failed", "the asset does not say which artifact made it")]
    name = str(stated.get("name"))
    if given is None and (pipeline := known_pipeline(stated["hash"])) is not None:
        if any(asset.get(part) != pipeline.manifest[part] for part in ("run", "data")):
            return [_check("artifact", "link", "failed", "asset and pipeline state another run or data")]
        return _check_pipeline(pipeline)
    folder = given if given is not None else find_artifact(stated["hash"], name)
    if folder is None:
        return [
            _check("artifact", "found", "unknown", f'the model "{name}" ({stated["hash"][:16]}) is not on this machine')
        ]
    manifest, checks = _check_artifact(folder, fingerprint)
    if manifest is None:
        return checks
    if manifest_hash(manifest) != stated["hash"]:
        detail = f"{folder} is another artifact than the one that made the asset ({stated['hash'][:16]})"
        return [_check("artifact", "link", "failed", detail)]
    link = _check("artifact", "link", "ok", f"the asset was made by {folder}")
    differing = [part for part in ("run", "data") if asset.get(part) != manifest.get(part)]
    if differing:
        link = _check("artifact", "link", "failed", f"asset and artifact state another {' and '.join(differing)}")
    return [link, *checks]


def _check_sources(asset: dict[str, Any], fingerprint: Fingerprint | None) -> list[Check]:
    """Return the checks of what a file was made of without a model: the manifests of those that had one, and all behind them."""
    edit = asset.get("edit")
    sources = edit.get("sources") if isinstance(edit, dict) else None
    if not isinstance(sources, list) or not sources:
        return [
            _check(
                "artifact", "found", "failed", "the asset says neither which artifact made it nor of what it was made"
            )
        ]
    checks = [_check("artifact", "found", "ok", "changed without a model")]
    for number, source in enumerate(sources, start=1):
        inside = source.get("manifest") if isinstance(source, dict) else None
        if inside is None:
            checks.append(_check("parent", f"source {number}", "unknown", "nothing is known of what made it"))
            continue
        try:
            signed = check_signature(inside)
        except IntegrityError as error:
            checks.append(_check("parent", f"source {number}", "failed", error.came))
            continue
        content = signed.manifest.get("content")
        if not isinstance(content, dict) or content.get("sha256") != source.get("file_sha256"):
            checks.append(_check("parent", f"source {number}", "failed", "its manifest is that of another file"))
            continue
        checks.append(_check("parent", f"source {number}", "ok", "its own manifest is there, signature valid"))
        behind = [signer_check("asset", signed), *_check_origin(signed.manifest, None, fingerprint)]
        checks += [check.behind() for check in behind]
    return checks


def _check_artifact(folder: Path, fingerprint: Fingerprint | None) -> tuple[dict[str, Any] | None, list[Check]]:
    found = check_folder(folder)
    if found.signed is None:
        return None, [_check("artifact", "manifest", "failed", found.problems[0])]
    checks = [
        _check("artifact", "manifest", "ok", "signature valid"),
        signer_check("artifact", found.signed),
        *(_check("artifact", "files", "failed", problem) for problem in found.problems),
    ]
    if not found.problems:
        checks.append(
            _check("artifact", "files", "ok", f"all {len(found.signed.manifest['files'])} files of the model match")
        )
    manifest = found.signed.manifest
    run, data = manifest.get("run"), manifest.get("data")
    if not isinstance(run, dict) or not isinstance(data, dict):
        return manifest, [*checks, _check("run", "link", "failed", "the artifact states no run and data")]
    checks += _check_run(manifest, run, data)
    checks += _check_data(run, data, fingerprint)
    checks += _check_parent(manifest.get("parent"), fingerprint)
    return manifest, checks


def _check_pipeline(statement: SignedManifest) -> list[Check]:
    """Compare the folder of a pretrained pipeline with what was stated of it when it was opened."""
    stated = statement.manifest
    folder, problems = pipeline_problems(stated)
    checks = [_check("artifact", "link", "ok", f"made by a pretrained {stated['pipeline']}")]
    if folder is None:
        checks.append(_check("artifact", "found", "unknown", "its folder is not where it was"))
    elif problems:
        checks += [_check("artifact", "files", "failed", f"{folder}: {problem}") for problem in problems]
    else:
        checks.append(_check("artifact", "files", "ok", f"all {len(stated['files'])} files of {folder} match"))
    return [*checks, _check("data", "found", "unknown", str(stated["training_data"]))]


def _check_parent(stated: Any, fingerprint: Fingerprint | None) -> list[Check]:
    """Return the checks of the model that an artifact began from, and of all behind it; hashes name each other, so none comes twice."""
    if stated is None:
        return []
    if not isinstance(stated, dict) or not isinstance(stated.get("hash"), str):
        return [_check("parent", "link", "failed", "the artifact does not say which model it began from")]
    name, digest = str(stated.get("name")), stated["hash"]
    if (pipeline := known_pipeline(digest)) is not None:
        link, *checks = _check_pipeline(pipeline)
        return [_check("parent", "link", link.status, link.detail), *(check.behind() for check in checks)]
    folder = find_artifact(digest, name)
    if folder is None:
        return [
            _check(
                "parent", "found", "unknown", f'it began from "{name}" ({digest[:16]}), which is not on this machine'
            )
        ]
    manifest, checks = _check_artifact(folder, fingerprint)
    if manifest is not None and manifest_hash(manifest) != digest:
        # Another model of that name says nothing about the one that was begun from.
        return [
            _check("parent", "found", "unknown", f'{folder} is not the "{name}" ({digest[:16]}) that it began from')
        ]
    status: Status = "failed" if manifest is None else "ok"
    link = _check("parent", "link", status, f"it began from {folder}")
    return [link, *(check.behind() for check in checks)]


def _check_run(artifact: dict[str, Any], run: dict[str, Any], data: dict[str, Any]) -> list[Check]:
    if artifact.get("previous") != manifest_hash(run):
        return [_check("run", "link", "failed", "the artifact names another run than the one it carries")]
    name = run.get("id")
    if not name:
        return [_check("run", "found", "unknown", "the model was not trained here: it states no run")]
    folder = runs_folder() / str(name)
    if not is_safe_name(name) or not folder.is_dir():
        return [_check("run", "found", "unknown", f"the run {name} is not on this machine")]
    checks = [_check("run", "found", "ok", f"the run {name} is on this machine")]
    for file_name, label in ((PLAN_NAME, "plan"), (METRICS_NAME, "metrics")):
        checks.append(_check_run_file(folder / file_name, label, run.get(label)))
    try:
        plan = read_strict_json(read_limited(folder / PLAN_NAME))
        planned = plan.get("data_fingerprint") if isinstance(plan, dict) else None
        if planned != data.get("fingerprint"):
            checks.append(_check("run", "data", "failed", "the plan names other data than the artifact"))
    except IntegrityError as error:
        checks.append(_check("run", "data", "unknown", error.came))
    return checks


def _check_run_file(path: Path, label: str, stated: Any) -> Check:
    if not isinstance(stated, dict):
        return _check("run", label, "unknown", f"the artifact states no {label}")
    if not path.is_file():
        return _check("run", label, "failed", f"{path.name} is missing")
    length = stated.get("bytes")
    found = file_hash(path, first_bytes=length if isinstance(length, int) else None)
    if found != stated.get("sha256"):
        return _check("run", label, "failed", f"{path.name} was changed after the model was saved")
    return _check("run", label, "ok", f"{path.name} is the one the model was saved with")


def _check_data(run: dict[str, Any], data: dict[str, Any], fingerprint: Fingerprint | None) -> list[Check]:
    if run.get("previous") != manifest_hash(data):
        return [_check("data", "link", "failed", "the run names another data set than the one it carries")]
    stated = str(data.get("fingerprint"))
    checks = [_check("data", "link", "ok", f'data set "{data.get("name")}", fingerprint {stated[:16]}')]
    if fingerprint is None:
        return checks
    place = known_place("data", stated)
    # What came from the memory of a program is noted as a word, which is no path.
    if place is None or not (
        place.startswith(("builtin:", "feedback:")) or (Path(place).is_absolute() and Path(place).exists())
    ):
        detail = "the data is not where it was" if place else "this machine does not know where the data was"
        return [*checks, _check("data", "fingerprint", "unknown", detail)]
    try:
        found = fingerprint(place, data)
    except (MakarError, OSError) as error:
        # What cannot be read proves nothing either way.
        return [*checks, _check("data", "fingerprint", "unknown", f"{place} cannot be compared: {_first_line(error)}")]
    if found == stated:
        return [*checks, _check("data", "fingerprint", "ok", f"{place} is still the same")]
    return [*checks, _check("data", "fingerprint", "failed", f"{place} has changed since the training")]


def _first_line(error: Exception) -> str:
    return error.came if isinstance(error, MakarError) else str(error)


def _check(link: Link, name: str, status: Status, detail: str) -> Check:
    return Check(link=link, name=name, status=status, detail=detail)
