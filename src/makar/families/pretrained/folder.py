"""The folder of a pretrained pipeline, looked at without opening it: what it holds, and why it may not be opened. No torch.

A folder that diffusers saves has ``model_index.json``, which names a class of diffusers for the whole and a library and class for each
component. Only diffusers and transformers are allowed, weights are safetensors only, and nothing that could be executed may lie in the
folder: code and pickles run whatever their author wrote. Of weights in two number formats the full one is taken.
"""

import dataclasses
import math
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import safetensors

from makar.errors import ArtifactError, IntegrityError, UnsupportedError
from makar.provenance.folder import is_safe_name, read_limited
from makar.provenance.manifest import read_strict_json

INDEX_NAME = "model_index.json"
PICKLES = (".bin", ".ckpt", ".pt", ".pth", ".pkl", ".pickle")
KEPT = (".json", ".txt", ".model", ".safetensors")
"""What is read of a component: settings, vocabularies, weights."""
SAFETY_CHECKER = ("stable_diffusion", "StableDiffusionSafetyChecker")
OF_PIPELINES = (
    SAFETY_CHECKER,
    ("audioldm2", "AudioLDM2ProjectionModel"),
    ("audioldm2", "AudioLDM2UNet2DConditionModel"),
    ("stable_audio", "StableAudioProjectionModel"),
)
"""Components whose classes diffusers keeps beside those of its pipelines."""
VARIANT = "fp16"
TAG = re.compile(r"\.(fp16|bf16|fp32|ema|non_ema)[.-]")
"""In the name of weights in another number format, or of an average."""
CONVERT = (
    "on a machine where you would run its code anyway, save it anew: "
    "DiffusionPipeline.from_pretrained(FOLDER).save_pretrained(NEW, safe_serialization=True)"
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class PipelineFolder:
    """What a folder says of itself.

    Attributes:
        path: The folder.
        pipeline: Class of the whole.
        components: Library and class of every component that is there.
        files: Names of the files that are read, relative to the folder.
        variant: ``"fp16"`` where weights are there in that format only.
    """

    path: Path
    pipeline: str
    components: dict[str, tuple[str, str]]
    files: tuple[str, ...]
    variant: str | None

    @property
    def denoiser(self) -> str:
        """Name of the component that takes the noise away.

        Raises:
            UnsupportedError: There is none that is known.
        """
        for name in ("unet", "transformer"):
            if name in self.components:
                return name
        raise UnsupportedError(
            f"{self.pipeline} has neither a unet nor a transformer",
            expected="a pipeline that makes images from noise",
        )

    def settings(self, component: str) -> dict[str, Any]:
        """Return the ``config.json`` of a component; empty where it has none."""
        path = self.path / component / "config.json"
        return _table(path) if path.is_file() else {}

    def shapes(self, component: str) -> dict[str, tuple[int, ...]]:
        """Return the shape of every tensor of a component by its name, from the heads of its files.

        Raises:
            IntegrityError: A file cannot be read.
        """
        listed = (name for name in self.files if name.startswith(f"{component}/") and name.endswith(".safetensors"))
        return shapes_in(self.path, listed)

    def weights(self) -> dict[str, int]:
        """Return the number of weights of every component that has any."""
        counts = {name: sum(map(math.prod, self.shapes(name).values())) for name in self.components}
        return {name: count for name, count in counts.items() if count}


def shapes_in(folder: Path, names: Iterable[str]) -> dict[str, tuple[int, ...]]:
    """Return the shape of every tensor of some files by its name, from the heads of the files.

    Raises:
        IntegrityError: A file cannot be read.
    """
    found: dict[str, tuple[int, ...]] = {}
    for name in names:
        try:
            with safetensors.safe_open(str(folder / name), framework="np") as file:
                found |= {key: tuple(file.get_slice(key).get_shape()) for key in file.keys()}  # noqa: SIM118
        except (safetensors.SafetensorError, OSError) as error:
            raise IntegrityError(f"{name} cannot be read: {error}", do="get the model again") from error
    return found


def is_pipeline(folder: Path) -> bool:
    """Return whether a folder is one that diffusers saved."""
    return (folder / INDEX_NAME).is_file()


def read_folder(folder: Path) -> PipelineFolder:
    """Look at a folder and refuse what must not be opened.

    Raises:
        ArtifactError: Code, pickles, classes of other libraries, or a missing component; the message says what to do.
    """
    index = _table(folder / INDEX_NAME)
    name = index.get("_class_name")
    if not isinstance(name, str) or not name.isidentifier():
        raise ArtifactError(
            f"{INDEX_NAME} names {name!r} as its class", expected="a class of diffusers", do="code of others is not run"
        )
    if found := sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.py")):
        raise ArtifactError(
            f"{folder} holds code: {', '.join(found[:4])}",
            expected="settings and safetensors only",
            do="remove the code if the pipeline works without it; otherwise it cannot be opened here",
        )
    components = {
        key: _component(key, value)
        for key, value in index.items()
        if isinstance(value, list) and not key.startswith("_") and value[:1] != [None]
    }
    for component in components:
        _check_component(folder, component)
    # Where one component is there in half precision only, diffusers is asked for that, and takes it of all that have it.
    lacks_plain = [name for name in components if _weights(folder / name, "") == [] != _weights(folder / name, VARIANT)]
    variant = VARIANT if lacks_plain else ""
    files = [INDEX_NAME, *(name for component in components for name in _files(folder, component, variant))]
    return PipelineFolder(
        path=folder, pipeline=name, components=components, files=tuple(sorted(files)), variant=variant or None
    )


def _component(name: str, value: list[Any]) -> tuple[str, str]:
    is_named = len(value) == 2 and all(isinstance(part, str) and part.isidentifier() for part in value)
    if not is_safe_name(name) or not name.isidentifier() or not is_named:
        raise ArtifactError(f"{INDEX_NAME} describes the component {name!r} by {str(value)[:80]}", expected="a class")
    library, kind = value
    if library not in ("diffusers", "transformers") and (library, kind) not in OF_PIPELINES:
        raise ArtifactError(
            f'the component "{name}" is of the library "{library}"',
            expected="diffusers or transformers",
            do="code of others is not run",
        )
    return library, kind


def _check_component(folder: Path, name: str) -> None:
    place = folder / name
    if not place.is_dir():
        raise ArtifactError(
            f'{folder} lacks the component "{name}"', expected=f"a folder {name}", do="get the whole folder again"
        )
    if not (place / "config.json").is_file() or any(place.glob("*.safetensors")):
        return
    pickles = sorted(path.name for path in place.iterdir() if path.suffix in PICKLES)
    if pickles:
        raise ArtifactError(
            f'the weights of "{name}" are a pickle, which runs code when it is opened: {pickles[0]}',
            expected="safetensors",
            do=f"get the model as safetensors; or {CONVERT}",
        )
    raise ArtifactError(
        f'the component "{name}" has no weights', expected="a file *.safetensors", do="get the whole folder again"
    )


def _files(folder: Path, component: str, variant: str) -> list[str]:
    place = folder / component
    others = [
        path.name
        for path in place.iterdir()
        if path.suffix in KEPT and ".safetensors" not in path.name and path.is_file() and is_safe_name(path.name)
    ]
    return [f"{component}/{name}" for name in sorted([*others, *_weights(place, variant)])]


def _weights(place: Path, variant: str) -> list[str]:
    """Return the files of weights that diffusers opens, their lists of parts included: those in the format, or else the plain ones."""
    names = [path.name for path in place.glob("*.safetensors*") if path.suffix in KEPT]
    tagged = [name for name in names if variant and f".{variant}" in name]
    return sorted(tagged or [name for name in names if not TAG.search(name)])


def _table(path: Path) -> dict[str, Any]:
    values = read_strict_json(read_limited(path.resolve()))
    if not isinstance(values, dict):
        raise ArtifactError(f"{path} is no table of settings", do="get the model again")
    return values
