"""Bringing a model in: the reverse of every format that ``export_artifact`` writes.

An exported folder says in ``makar.json`` what codec and family it holds; the tensors are read from ``*.safetensors`` (one file, or the
parts that transformers splits large models into) and must be exactly those of the family: a partial match is refused with the list.
ONNX files must still give the numbers of those tensors. When every file is as it was signed, the artifact comes back with its own
identity and signature. Otherwise, as after training on elsewhere, it is a new artifact, signed here, that claims no run and says in its
header what it was imported from.
"""

import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from makar.artifacts.artifact import (
    CODEC_FOLDER,
    HEADER_NAME,
    Artifact,
    read_codec_files,
    read_header,
    read_plain,
    rebuild_codec,
    rebuild_components,
    rebuild_family,
)
from makar.artifacts.components import TrainedStage
from makar.artifacts.export import PROVENANCE_NAME, TRANSFORMERS_CONFIG
from makar.artifacts.export_onnx import DESCRIPTION_NAME, check_family
from makar.artifacts.folders import check_replaceable, write_file
from makar.artifacts.importing_checkpoint import import_checkpoint
from makar.artifacts.save import restore_artifact, utc_now, write_artifact
from makar.codecs.codec import Codec
from makar.errors import ArtifactError, IntegrityError, UsageError
from makar.families.adapter_config import ADAPTER_SETTINGS
from makar.families.family import Family
from makar.families.pretrained.checkpoint_folder import is_checkpoint
from makar.home import models_folder
from makar.provenance.folder import MANIFEST_NAME, file_hash, is_safe_name, read_limited
from makar.provenance.manifest import SignedManifest, read_signed, read_strict_json
from makar.version import VERSION

# transformers writes these anew whenever it saves; none of them changes what the network computes.
FREE_KEYS = frozenset({"transformers_version", "dtype", "torch_dtype", "_name_or_path", "use_cache"})
# And so does PEFT, which also writes lists in another order.
FREE_KEYS |= {"base_model_name_or_path", "inference_mode", "target_modules", "ensure_weight_tying"}


def import_artifact(path: Path | str, *, output: Path | str) -> Artifact:
    """Make an artifact from a folder that ``export_artifact`` wrote, trained on or not, or from a checkpoint of mainstream layout.

    Args:
        path: The exported folder, or that of a checkpoint.
        output: The folder to make; text that is a plain name means a folder of that name in the models folder.

    Raises:
        UsageError: There is no such folder, or something is already at the name.
        ArtifactError: The folder is no export, or its parts do not belong together.
        TensorMismatchError: Tensors are missing, foreign or of another shape; the message lists them.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise UsageError(f"there is no folder {folder}", expected="a folder that makar export wrote")
    if (folder / MANIFEST_NAME).is_file():
        raise UsageError(
            f"{folder} is already a model of Makar", do=f"use it as it is, or copy it to {models_folder()}"
        )
    is_name = isinstance(output, str) and is_safe_name(output) and "/" not in output
    target = models_folder() / output if is_name else Path(output)
    check_replaceable(target, None)
    if not (folder / HEADER_NAME).is_file():
        if is_checkpoint(folder):
            return import_checkpoint(folder, target)
        raise ArtifactError(
            f"{folder} has no {HEADER_NAME}, so nothing says what model it is",
            expected="a folder that makar export wrote, or a checkpoint of transformers",
            do=f"if another program saved it anew, copy {HEADER_NAME} and {CODEC_FOLDER}/ of the export into it",
        )
    header = read_header(folder)
    components = rebuild_components(header, folder)
    codec = rebuild_codec(header, read_codec_files(folder), components)
    family = rebuild_family(header, _tensor_files(folder))
    format_name = _check_format(folder, family, codec, components)
    signed = _signed_origin(folder)
    if signed is not None:
        restored = _restored(folder, target, header, family, codec, signed)
        if restored is not None:
            return restored
    imported = {"format": format_name, "weights": "changed since the export, or not signed", "run": header["run"]}
    files = {f"{CODEC_FOLDER}/{file}": content for file, content in codec.files().items()} | family.files(codec)
    changed = {
        **header,
        "system": {"name": "makar", "version": VERSION},
        "time_utc": utc_now(),
        "run": "",
        "training": {"run": "", "imported": imported, "parameters": header["training"].get("parameters")},
    }
    return write_artifact(target, header=changed, files=files, tensors=family.tensors(), components=components)


def _tensor_files(folder: Path) -> list[Path]:
    found = sorted(path for path in folder.glob("*.safetensors") if not path.is_symlink())
    if not found:
        raise ArtifactError(f"{folder} has no tensors", expected="*.safetensors")
    return found


def _check_format(folder: Path, family: Family, codec: Codec, components: Mapping[str, TrainedStage]) -> str:
    """Return the name of the format, after checking that what other programs read agrees with the model."""
    if (folder / DESCRIPTION_NAME).is_file():
        check_family(family, folder)
        for name, stage in components.items():
            check_family(stage.family, folder, component=name)
        return "onnx"
    made = family.files(codec)
    known = [name for name in (TRANSFORMERS_CONFIG, ADAPTER_SETTINGS) if name in made and (folder / name).is_file()]
    if not known:
        raise ArtifactError(
            f"{folder} is no known format", expected=f"{TRANSFORMERS_CONFIG}, {ADAPTER_SETTINGS} or {DESCRIPTION_NAME}"
        )
    stated, own = read_strict_json(read_limited(folder / known[0])), made[known[0]]
    if not isinstance(stated, dict):
        raise ArtifactError(f"{known[0]} is no table of settings")
    ours: dict[str, Any] = json.loads(own)
    wrong = [key for key, value in ours.items() if key in stated and key not in FREE_KEYS and stated[key] != value]
    if wrong:
        raise ArtifactError(
            f"{known[0]} and {HEADER_NAME} describe different models: {', '.join(sorted(wrong))}",
            expected="the settings that were exported",
        )
    return "transformers" if known[0] == TRANSFORMERS_CONFIG else "peft"


def _signed_origin(folder: Path) -> SignedManifest | None:
    if not (folder / PROVENANCE_NAME).is_file():
        return None
    signed = read_signed(read_limited(folder / PROVENANCE_NAME))
    files = signed.manifest.get("files")
    if signed.manifest.get("type") != "artifact" or not isinstance(files, dict):
        raise IntegrityError(f"{PROVENANCE_NAME} is no manifest of a model", do="remove it to import without proof")
    if any(not is_safe_name(name) or not isinstance(entry, dict) for name, entry in files.items()):
        raise IntegrityError(f"{PROVENANCE_NAME} lists an unsafe name", do="do not trust this folder")
    return signed


def _restored(
    folder: Path, target: Path, header: dict[str, Any], family: Family, codec: Codec, signed: SignedManifest
) -> Artifact | None:
    """Return the artifact under its old signature, ``None`` when a file is no longer what was signed."""
    made = family.files(codec)
    with tempfile.TemporaryDirectory() as name:
        parts = Path(name)
        for file, entry in signed.manifest["files"].items():
            # The family's files are in the transformers form but not in the ONNX one; the family writes them again, and the hash decides.
            for content in (folder / file, made.get(file)):
                if isinstance(content, Path) and content.is_file() and not content.is_symlink():
                    (parts / file).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(content, parts / file)
                elif isinstance(content, bytes):
                    write_file(parts, file, content)
                if (parts / file).is_file() and file_hash(parts / file) == entry.get("sha256"):
                    break
            else:
                return None
        original = read_plain(folder / PROVENANCE_NAME)
        return restore_artifact(target, header=header, signed=signed, parts=parts, original=original)
