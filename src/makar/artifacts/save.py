"""Saving a model as a signed folder, whole or not at all, and renewing its report later.

Source of the card's form: Mitchell et al. 2019, arXiv 1810.03993, with the metadata block of the Hugging Face hub.
"""

import datetime
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from makar.artifacts.artifact import (
    CARD_NAME,
    CODEC_FOLDER,
    HEADER_NAME,
    REPORT_NAME,
    SCHEMA,
    Artifact,
    tensors_name,
)
from makar.artifacts.card import model_card
from makar.artifacts.components import COMPONENTS_FOLDER, TrainedStage, component_files, component_header
from makar.artifacts.folders import new_folder, write_file
from makar.artifacts.load import load_artifact
from makar.artifacts.tensors import write_tensors
from makar.codecs.codec import Codec
from makar.errors import ArtifactError, ConfigError
from makar.families.family import Family
from makar.home import runs_folder
from makar.provenance import manifest as signing
from makar.provenance.folder import DOCUMENTS_NAME, MANIFEST_NAME, is_safe_name, list_files
from makar.provenance.keys import signing_key
from makar.provenance.ledger import remember_place
from makar.provenance.links import data_manifest, run_manifest
from makar.provenance.manifest import SignedManifest
from makar.recipe import Recipe
from makar.version import VERSION


def save_artifact(
    path: Path,
    *,
    recipe: Recipe,
    codec: Codec,
    family: Family,
    training: dict[str, Any],
    data: dict[str, Any],
    components: Mapping[str, TrainedStage] | None = None,
) -> Artifact:
    """Write a model to a folder and sign it; an artifact that is there is replaced once the new one is complete.

    Args:
        path: The folder to make.
        recipe: The recipe that was carried out; the model is that of its last stage.
        codec: The fitted codec.
        family: The family with the weights to save.
        training: What the card says of the training: ``run`` (name of the run folder, required; ``""`` for none), and where
            known ``seconds``, ``steps``, ``items``, ``parameters``, ``inner_loss``, ``unit``, ``energy_kwh``
            (``{"low", "central", "high", "method"}``), ``machine``.
        data: The data set: ``fingerprint`` (required), ``name``, ``medium``, ``items``, ``licences`` (SPDX id to number of
            items), ``languages``. ``path`` says where it is on this machine; it is noted here and does not travel.
        components: The trained stages that the codec works through, by name, in the order of the recipe.

    Returns:
        The artifact, opened from the disk.

    Raises:
        ConfigError: ``run`` or ``fingerprint`` is absent, a component is missing, or a file name would leave the folder.
        UsageError: Something else is at the path.
        OutOfSpaceError: The disk is full; nothing is left behind.
    """
    if not isinstance(training.get("run"), str):
        raise ConfigError("the training names no run", expected='training["run"], the name of the run folder or ""')
    place = data.get("path")
    stages = dict(components or {})
    if missing := [name for name in codec.config.components if name not in stages]:
        raise ConfigError(f'the codec works through "{missing[0]}", which is not there', expected="every component")
    header = {
        "schema": SCHEMA,
        "system": {"name": "makar", "version": VERSION},
        "time_utc": utc_now(),
        "medium": recipe.medium,
        "run": training["run"],
        "recipe": recipe.to_dictionary(),
        "codec": codec.config.to_dictionary(),
        "family": family.config.to_dictionary(),
        "training": training,
        "data": {key: value for key, value in data.items() if key != "path"},
        "components": {name: component_header(stage) for name, stage in stages.items()},
    }
    files = {f"{CODEC_FOLDER}/{name}": content for name, content in codec.files().items()}
    files |= family.files(codec)
    artifact = write_artifact(path, header=header, files=files, tensors=family.tensors(), components=stages)
    if place is not None:
        remember_place("data", header["data"]["fingerprint"], str(place))
    return artifact


def write_artifact(
    path: Path,
    *,
    header: dict[str, Any],
    files: dict[str, bytes],
    tensors: Mapping[str, Tensor],
    components: Mapping[str, TrainedStage],
) -> Artifact:
    """Write and sign a folder from its parts; ``save_artifact`` and ``import_artifact`` end here."""
    nested = {
        f"{COMPONENTS_FOLDER}/{name}/{stage.family.config.tensors_name}": stage.family
        for name, stage in components.items()
    }
    main = tensors_name(header)
    reserved = {HEADER_NAME, main, MANIFEST_NAME, DOCUMENTS_NAME, CARD_NAME, REPORT_NAME, *nested}
    for name in files:
        if not is_safe_name(name) or name in reserved or name.startswith(f"{COMPONENTS_FOLDER}/"):
            raise ConfigError(f'a model cannot hold a file named "{name}"', expected="a plain, free name")
    for name, stage in components.items():
        files = files | component_files(name, stage, codec_folder=CODEC_FOLDER)
    if unsafe := [name for name in (*nested, *files) if not is_safe_name(name)]:
        raise ConfigError(f'a model cannot hold a file named "{unsafe[0]}"', expected="a plain, free name")
    data = data_manifest(header["data"])
    run = run_manifest(header["run"], runs_folder() / header["run"] if header["run"] else None, data)
    key = signing_key()
    with new_folder(path, replaces=MANIFEST_NAME) as building:
        write_file(building, HEADER_NAME, json.dumps(header, indent=1, ensure_ascii=False).encode("utf-8"))
        for name, content in files.items():
            write_file(building, name, content)
        write_tensors(building / main, tensors)
        for name, family in nested.items():
            (building / name).parent.mkdir(parents=True, exist_ok=True)
            write_tensors(building / name, family.tensors())
        manifest = {
            "schema": signing.SCHEMA,
            "type": "artifact",
            "medium": header["medium"],
            "system": header["system"],
            "time_utc": header["time_utc"],
            "files": list_files(building, [HEADER_NAME, main, *nested, *files]),
            "previous": signing.manifest_hash(run),
            "run": run,
            "data": data,
            **({"parent": header["recipe"]["parent"]} if header["recipe"].get("parent") else {}),
        }
        _write_signed(building / MANIFEST_NAME, signing.sign(manifest, key))
        _write_documents(building, header, signing.manifest_hash(manifest), path.name, report=None)
    return load_artifact(path)


def restore_artifact(
    path: Path, *, header: dict[str, Any], signed: SignedManifest, parts: Path, original: bytes
) -> Artifact:
    """Write a folder of files that are all still as they were signed, under the signature that they had.

    Args:
        path: The folder to make.
        header: The content of its ``makar.json``.
        signed: The checked manifest.
        parts: A folder that holds every listed file.
        original: The bytes of the signed manifest.
    """
    with new_folder(path, replaces=MANIFEST_NAME) as building:
        for name in signed.manifest["files"]:
            (building / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(parts / name, building / name)
        write_file(building, MANIFEST_NAME, original)
        _write_documents(building, header, signed.hash, path.name, report=None)
    return load_artifact(path)


def update_artifact_report(artifact: Artifact, report: dict[str, Any]) -> Artifact:
    """Put a report into an artifact and its scores on the card; the identity of the artifact stays the same.

    Args:
        artifact: The artifact, unchanged on the disk.
        report: Plain values, as ``Report.to_dictionary`` gives; ``scores`` (name to number, or to a table with ``value``, ``low``,
            ``high``) go onto the card.

    Returns:
        The artifact, opened anew.

    Raises:
        IntegrityError: The artifact was changed on the disk.
    """
    if artifact.manifest["type"] == "builtin":
        raise ArtifactError(f"{artifact.name} stands in the code and has no card")
    load_artifact(artifact.path)
    if not (artifact.path / MANIFEST_NAME).is_file():
        raise ArtifactError(f"{artifact.path} is the folder of somebody else's model, which stays as it is")
    kept = [MANIFEST_NAME, *artifact.manifest["files"]]
    with new_folder(artifact.path, replaces=MANIFEST_NAME) as building:
        for name in kept:
            _link_or_copy(artifact.path / name, building / name)
        _write_documents(building, artifact.header, artifact.hash, artifact.name, report=report)
    return load_artifact(artifact.path)


def read_report(artifact: Artifact) -> dict[str, Any] | None:
    """Return the report that an artifact carries, ``None`` when it was never evaluated."""
    path = artifact.path / REPORT_NAME
    if not path.is_file():
        return None
    report = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(report, dict):
        raise ArtifactError(f"{path} is no report", expected="a JSON table")
    return report


def utc_now() -> str:
    """Return the time as the clock of this machine has it, to the second, in UTC."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _write_documents(
    building: Path, header: dict[str, Any], digest: str, name: str, *, report: dict[str, Any] | None
) -> None:
    written = [CARD_NAME]
    write_file(building, CARD_NAME, model_card(header, name=name, digest=digest, report=report).encode("utf-8"))
    if report is not None:
        write_file(building, REPORT_NAME, signing.canonical_json(report))
        written.append(REPORT_NAME)
    documents = {
        "schema": signing.SCHEMA,
        "type": "documents",
        "artifact": digest,
        "time_utc": utc_now(),
        "files": list_files(building, written),
    }
    _write_signed(building / DOCUMENTS_NAME, signing.sign(documents, signing_key()))


def _write_signed(path: Path, signed: dict[str, Any]) -> None:
    path.write_text(json.dumps(signed, indent=1, ensure_ascii=False), encoding="utf-8")


def _link_or_copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
