"""The folder of a checkpoint of transformers, looked at without opening it: what it holds, and why it may not be opened. No torch.

Allowed are settings, tokenizers and safetensors. Code and pickles run whatever their author wrote, so a folder with code is refused,
weights that are pickles are not read, and a configuration that names code of its own (``auto_map``) is only used where transformers has
that type itself.
"""

import dataclasses
from pathlib import Path
from typing import Any

from makar.errors import ArtifactError, UnsupportedError
from makar.families.pretrained.folder import PICKLES, shapes_in
from makar.families.pretrained.sentence_layout import sentence_files
from makar.provenance.folder import is_safe_name, read_limited
from makar.provenance.manifest import read_strict_json

CONFIG_NAME = "config.json"
GENERATION_NAME = "generation_config.json"
WEIGHTS_NAME = "model.safetensors"
INDEX_NAME = "model.safetensors.index.json"
READ = (".json", ".txt", ".model", ".spm", ".jinja")
"""What is read beside the weights: settings, vocabularies, templates."""
CONVERT = (
    "on a machine where you would run its code anyway, save it anew: "
    "AutoModel...from_pretrained(FOLDER).save_pretrained(NEW, safe_serialization=True)"
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class CheckpointFolder:
    """What a folder says of itself.

    Attributes:
        path: The folder.
        settings: Its ``config.json``.
        model_type: Name of its type in transformers.
        architecture: Class of the network with its head.
        files: Names of the files that are read.
    """

    path: Path
    settings: dict[str, Any]
    model_type: str
    architecture: str
    files: tuple[str, ...]

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of every tensor by its name, from the heads of the files.

        Raises:
            IntegrityError: A file cannot be read.
        """
        return shapes_in(self.path, (name for name in self.files if name.endswith(".safetensors")))

    def generation(self) -> dict[str, Any]:
        """Return what it says of generation: tokens that begin and end; empty where it says nothing."""
        path = self.path / GENERATION_NAME
        return table_of(path) if path.is_file() else {}


def is_checkpoint(folder: Path) -> bool:
    """Return whether a folder holds the settings of a network of transformers."""
    return (folder / CONFIG_NAME).is_file() and not (folder / "model_index.json").is_file()


def read_checkpoint(folder: Path) -> CheckpointFolder:
    """Look at a folder and refuse what must not be opened.

    Raises:
        ArtifactError: Code, pickles, no weights or no type; the message says what to do.
        UnsupportedError: The weights are packed in a way that is not read here.
    """
    settings = table_of(folder / CONFIG_NAME)
    kind, listed = settings.get("model_type"), settings.get("architectures")
    architecture = str(listed[0]) if isinstance(listed, list) and listed else ""
    if not isinstance(kind, str) or not architecture.isidentifier():
        raise ArtifactError(
            f"{folder / CONFIG_NAME} says neither what type of network it is nor which class",
            expected='"model_type" and "architectures", as save_pretrained writes them',
            do="get the whole folder again",
        )
    if found := sorted(path.name for path in folder.glob("*.py")):
        raise ArtifactError(
            f"{folder} holds code: {', '.join(found[:4])}",
            expected="settings, tokenizer and safetensors only",
            do="remove the code if transformers has this model itself; otherwise it cannot be opened here",
        )
    if settings.get("quantization_config"):
        raise UnsupportedError(
            f"the weights of {folder} are quantised", expected="weights in float32, float16 or bfloat16"
        )
    files = [path.name for path in folder.iterdir() if path.suffix in READ and path.is_file()]
    # The list of the parts of weights belongs to weights that are not taken where there is one whole file.
    kept = [name for name in files if is_safe_name(name) and not name.endswith(".safetensors.index.json")]
    return CheckpointFolder(
        path=folder,
        settings=settings,
        model_type=kind,
        architecture=architecture,
        files=tuple(sorted([*kept, *_weights(folder), *sentence_files(folder)])),
    )


def _weights(folder: Path) -> list[str]:
    if (folder / WEIGHTS_NAME).is_file():
        return [WEIGHTS_NAME]
    if (folder / INDEX_NAME).is_file():
        listed = table_of(folder / INDEX_NAME).get("weight_map")
        names = sorted(set(listed.values())) if isinstance(listed, dict) else []
        if names and all(is_safe_name(name) and "/" not in name for name in names):
            missing = [name for name in names if not (folder / name).is_file()]
            if not missing:
                return [INDEX_NAME, *names]
            raise ArtifactError(
                f"{folder} lacks {len(missing)} of {len(names)} files of weights: {', '.join(missing[:4])}",
                do="get the whole folder again",
            )
        raise ArtifactError(f"{INDEX_NAME} lists no usable files", do="get the whole folder again")
    pickles = sorted(path.name for path in folder.iterdir() if path.suffix in (*PICKLES, ".h5", ".msgpack"))
    if pickles:
        raise ArtifactError(
            f"the weights of {folder} are no safetensors but {pickles[0]}, and pickles run code when they are opened",
            expected=WEIGHTS_NAME,
            do=f"get the model as safetensors; or {CONVERT}",
        )
    raise ArtifactError(f"{folder} has no weights", expected=WEIGHTS_NAME, do="get the whole folder again")


def table_of(path: Path) -> dict[str, Any]:
    """Return the settings of a JSON file of any origin.

    Raises:
        ArtifactError: It is no table of settings.
    """
    values = read_strict_json(read_limited(path.resolve()))
    if not isinstance(values, dict):
        raise ArtifactError(f"{path} is no table of settings", do="get the model again")
    return values
