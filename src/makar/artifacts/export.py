"""Taking a model out: ``export_artifact`` writes a folder that other programs open, checked before it is accepted.

Formats: ``transformers`` (where the family writes what that library needs), ``onnx`` (every family) and ``gguf`` (one file, text of layout
mainstream with a vocabulary of byte pairs; it is not brought back); of an adapter of images ``diffusers`` and
``kohya``, one file each (``export_lora``). An adapter of text goes out as it is (``peft``), or merged into its base in any format of text.
The folders of the first two also hold ``makar.json``, the codec's files, the tensors under
their saved names and, as ``provenance.json``, the signed manifest, so that ``import_artifact`` reverses them exactly.
"""

import functools
import tempfile
from collections.abc import Callable
from pathlib import Path

from makar.artifacts.artifact import CARD_NAME, CODEC_FOLDER, HEADER_NAME, Artifact, read_plain, tensors_name
from makar.artifacts.components import COMPONENTS_FOLDER
from makar.artifacts.export_gguf import export_gguf
from makar.artifacts.export_lora import export_diffusers, export_kohya
from makar.artifacts.export_onnx import write_onnx
from makar.artifacts.folders import check_replaceable, new_folder, write_file
from makar.artifacts.load import load_artifact
from makar.artifacts.merging import is_adapter, merged_artifact, write_merged_checkpoint
from makar.errors import UnknownNameError, UnsupportedError
from makar.families.pretrained.text_config import PretrainedTextConfig
from makar.provenance.folder import MANIFEST_NAME

TRANSFORMERS_CONFIG = "config.json"
PROVENANCE_NAME = "provenance.json"
PEFT = "peft"
OF_IMAGES = ("diffusers", "kohya")
"""Formats of adapters of pipelines."""

FOR_TRANSFORMERS: dict[str, tuple[str, ...]] = {
    "classifier": ("grams=0", "readers=1"),
    "regressor": ("grams=0", "readers=1"),
    "tagger": ("features=false",),
    "span-finder": ("matches=false",),
    "embedder": ("weighted=false",),
    "reward": ("grams=0",),
    "seq2seq": ("copies=false",),
}
"""Settings without what no class of transformers has, of families that have such a form with them."""


def export_artifact(artifact: Artifact, *, to: str, folder: Path, precision: str | None = None) -> Path:
    """Write a model in a format of others.

    Args:
        artifact: The model; it is compared with its signed hashes first.
        to: One of ``FORMATS``.
        folder: A folder that does not exist or is empty.
        precision: Of ``gguf``: float32, float16, bfloat16 or int8; ``None`` is float32. The other formats are exact.

    Returns:
        The folder.

    Raises:
        UnknownNameError: There is no such format.
        UnsupportedError: This model cannot be written in it; the message names what it can.
        UsageError: The folder holds something.
        MissingExtraError: A package that the format needs is absent; the message has the install command.
        ArtifactError: What was written does not give the same numbers.
    """
    if to not in FORMATS:
        raise UnknownNameError("format", to, FORMATS)
    if precision is not None and to != "gguf":
        raise UnsupportedError(f"precision {precision} in the format {to}", expected="--to gguf, or no precision")
    if artifact.manifest["type"] == "service":
        raise UnsupportedError(f"{artifact.name} is not on this machine", expected="a model that makar train wrote")
    if artifact.manifest["type"] == "builtin":
        raise UnsupportedError(f"{artifact.name} stands in the code", expected="a model that makar train wrote")
    if artifact.manifest["type"] == "pipeline":
        raise UnsupportedError(
            f"{artifact.path} is in the format of {'diffusers' if artifact.medium == 'image' else 'transformers'} already",
            expected="a model that makar train wrote",
            do="" if artifact.medium == "image" else "makar import brings checkpoints of mainstream layout in",
        )
    folder = Path(folder)
    check_replaceable(folder, None)
    artifact = load_artifact(artifact.path)
    write = FORMATS[to] if precision is None else functools.partial(export_gguf, precision=precision)
    if not is_adapter(artifact) or to == PEFT:
        write(artifact, folder)
        return folder
    if to in OF_IMAGES:
        raise UnsupportedError(
            f"{artifact.name} is an adapter of text",
            expected="an adapter of a pipeline of images",
            do=f"makar export {artifact.name} --to {PEFT}",
        )
    if isinstance(artifact.family_config, PretrainedTextConfig):
        if to != "transformers":
            raise UnsupportedError(
                f"an adapter of a {artifact.family_config.architecture} as {to}",
                expected="peft as it is, or transformers merged",
            )
        with new_folder(folder, replaces=None) as building:
            write_merged_checkpoint(artifact, building)
        return folder
    with tempfile.TemporaryDirectory(dir=folder.absolute().parent, prefix=".merging-") as place:
        write(merged_artifact(artifact, Path(place) / artifact.name), folder)
    return folder


def _export_peft(artifact: Artifact, folder: Path) -> None:
    if not is_adapter(artifact):
        raise UnsupportedError(
            f"{artifact.name} is no adapter of a model of text",
            expected="a model made with --adapter",
            do=f"makar export {artifact.name} --to transformers",
        )
    with new_folder(folder, replaces=None) as building:
        _write_parts(artifact, building, [name for name in artifact.manifest["files"] if not _is_always_written(name)])


def _export_transformers(artifact: Artifact, folder: Path) -> None:
    names = [name for name in artifact.manifest["files"] if not _is_always_written(name)]
    if TRANSFORMERS_CONFIG not in names:
        kind = artifact.header["family"]["kind"]
        alone = " ".join(f"--set stages.0.family.{setting}" for setting in FOR_TRANSFORMERS.get(kind, ()))
        raise UnsupportedError(
            f"{artifact.name}, of family {kind}, has no form in transformers",
            expected="a network that a class of transformers computes",
            do=(f"train with {alone}, or: " if alone else "") + f"makar export {artifact.name} --to onnx",
        )
    with new_folder(folder, replaces=None) as building:
        _write_parts(artifact, building, names)


def _export_onnx(artifact: Artifact, folder: Path) -> None:
    with new_folder(folder, replaces=None) as building:
        _write_parts(artifact, building, [HEADER_NAME, tensors_name(artifact.header)])
        write_onnx(artifact, building)


def _write_parts(artifact: Artifact, building: Path, names: list[str]) -> None:
    always = [name for name in artifact.manifest["files"] if _is_always_written(name)]
    for name in [*names, *always]:
        write_file(building, name, read_plain(artifact.path / name))
    write_file(building, PROVENANCE_NAME, read_plain(artifact.path / MANIFEST_NAME))
    if (artifact.path / CARD_NAME).is_file():
        write_file(building, CARD_NAME, read_plain(artifact.path / CARD_NAME))


def _is_always_written(name: str) -> bool:
    """Codec and components have no form in other formats, and nothing can be rebuilt without them."""
    return name.startswith((f"{CODEC_FOLDER}/", f"{COMPONENTS_FOLDER}/"))


FORMATS: dict[str, Callable[[Artifact, Path], None]] = {
    "transformers": _export_transformers,
    PEFT: _export_peft,
    "onnx": _export_onnx,
    "gguf": export_gguf,
    "diffusers": export_diffusers,
    "kohya": export_kohya,
}
"""Every format that a model can be written in."""
