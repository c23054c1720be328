"""Opening a saved model: found by path or name, every byte compared with the signed list before anything is read."""

from collections.abc import Sequence
from pathlib import Path

from makar.artifacts.adapters import adapters_for
from makar.artifacts.artifact import Artifact, read_header
from makar.artifacts.builtin import is_builtin, open_builtin
from makar.artifacts.checkpoints import open_checkpoint_folder
from makar.artifacts.folders import recover
from makar.artifacts.hub import fetch_checkpoint, is_hub_name
from makar.artifacts.pipelines import open_pipeline_folder, refuse_single_file
from makar.artifacts.remote import is_remote, open_remote
from makar.errors import ArtifactError, IntegrityError, UnknownNameError, UnsupportedError
from makar.families.pretrained.checkpoint_folder import is_checkpoint
from makar.families.pretrained.folder import is_pipeline
from makar.home import models_folder
from makar.provenance.folder import MANIFEST_NAME, check_folder, is_safe_name
from makar.provenance.ledger import remember_place


def load_artifact(
    path: Path | str,
    *,
    verify: bool = True,
    loras: Sequence[str] = (),
    controlnet: Path | str | None = None,
    base_url: str | None = None,
) -> Artifact:
    """Open a saved model.

    Args:
        path: Its folder, or the name of a folder in the models folder; the folder of a pipeline of diffusers or of a
            checkpoint of transformers is one too, and so is the name of a model on the hub, as text, which is fetched once; also
            ``builtin:NAME``, a model that needs no training, and ``openai:NAME``.
        verify: Whether to compare every file with its hash; without, only names, sizes and signatures are.
        loras: Adapters to add: for a pipeline LoRA files, each FILE or FILE:SCALE; for text names or folders of adapters, with :WEIGHT.
        controlnet: For a pipeline: folder of a ControlNet.
        base_url: For ``openai:NAME``, a model behind an endpoint: its address.

    Raises:
        UnknownNameError: There is no such model; the nearest name is proposed.
        IntegrityError: A file is missing, foreign or changed, or a signature does not match; the message names all of them.
        ArtifactError: The folder is no artifact, or of another version.
        UnsupportedError: Adapters or a ControlNet for a model that takes none, or an address for one that is here.
    """
    if not str(path).strip():
        raise ArtifactError(
            "the name of the model is empty", expected="a name that makar list models shows, or a folder"
        )
    if is_remote(path):
        return open_remote(str(path), base_url=base_url)
    if is_builtin(path) and base_url is None and not loras and controlnet is None:
        return open_builtin(str(path))
    if base_url is not None:
        raise UnsupportedError(f"an address for {path}", expected="openai:NAME, a model behind an endpoint")
    refuse_single_file(Path(path))
    folder = _found_or_fetched(path)
    if is_pipeline(folder) and not (folder / MANIFEST_NAME).exists():
        return open_pipeline_folder(folder, loras=loras, controlnet=controlnet)
    if controlnet is not None:
        raise UnsupportedError(
            f"a ControlNet for {folder.name}, which is no pipeline of diffusers",
            expected="the folder of a pretrained pipeline",
        )
    if is_checkpoint(folder) and not (folder / MANIFEST_NAME).exists():
        return _with_adapters(open_checkpoint_folder(folder), loras)
    if not (folder / MANIFEST_NAME).exists():
        raise ArtifactError(
            f"{folder} is no saved model: it has no {MANIFEST_NAME}",
            expected="a folder that makar train wrote, a checkpoint of transformers, or a pipeline of diffusers",
            do="makar import brings models of other formats in",
        )
    found = check_folder(folder, hashes=verify)
    if found.signed is None or found.problems:
        raise IntegrityError(
            f"{folder} cannot be trusted: " + "; ".join(found.problems),
            expected="exactly the files that were signed",
            do="get the model again from where it came from",
        )
    artifact = Artifact(folder, read_header(folder), found.signed)
    remember_place("artifact", artifact.hash, str(folder.absolute()))
    return _with_adapters(artifact, loras)


def _with_adapters(artifact: Artifact, loras: Sequence[str]) -> Artifact:
    if loras:
        artifact.use_adapters(adapters_for(artifact, loras))
    return artifact


def _found_or_fetched(path: Path | str) -> Path:
    try:
        return find_model(path)
    except UnknownNameError:
        if isinstance(path, str) and is_hub_name(path):
            return fetch_checkpoint(path)
        raise


def find_model(path: Path | str) -> Path:
    """Return the folder of a model.

    Raises:
        UnknownNameError: Neither a folder nor the name of a model.
    """
    folder = Path(path)
    places = [folder]
    if is_safe_name(str(path)) and len(folder.parts) == 1:
        places.append(models_folder() / folder)
    for place in places:
        recover(place.absolute())
    # A model has the name of its data unless another is given, so the folder of the data often lies where the name is typed.
    for place in sorted(places, key=lambda place: not (place / MANIFEST_NAME).is_file()):
        if place.is_dir():
            return place
    if is_remote(path):
        raise UnsupportedError(
            f"{path} is behind an endpoint, and its weights are needed here", expected="a model that is on this machine"
        )
    raise UnknownNameError("model", str(path), model_names())


def model_names() -> list[str]:
    """Return the names of the models in the models folder."""
    if not models_folder().is_dir():
        return []
    return sorted(folder.name for folder in models_folder().iterdir() if (folder / MANIFEST_NAME).is_file())
