"""A saved model in memory: what it is at once, its codec and family when they are asked for.

Folder of an artifact::

    makar.json             schema, medium, recipe, configurations of codec and family, training, data
    model.safetensors      every tensor of the family (of an adapter: adapter_model.safetensors)
    codec/NAME             the learned part of the codec
    components/NAME/...    the trained stages that the codec works through (``makar.artifacts.components``)
    config.json ...        whatever the family adds so that other programs open the folder
    manifest.json          signed: hash and size of all of the above, run and data before it; its hash is the artifact's identity
    README.md  report.json documents.json    the card, the last report, and their signed hashes; renewed without changing the identity

No part of the training data and no path of the machine is in it, and nothing in it is ever executed: configurations are built only
from classes that the registry names.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from makar.artifacts.components import COMPONENTS_FOLDER, TrainedStage, components_of, family_hash
from makar.artifacts.tensors import check_header, read_tensors
from makar.codecs.codec import Codec, CodecConfig, load_codec
from makar.config import Config
from makar.errors import ArtifactError, IntegrityError, UsageError
from makar.families.adapter_files import AdapterFile
from makar.families.family import Family, build_family
from makar.families.family_config import FamilyConfig
from makar.nn.device import working_device
from makar.provenance.folder import is_safe_name, read_limited
from makar.provenance.manifest import SignedManifest, read_strict_json
from makar.recipe import Recipe
from makar.registry import config_class

SCHEMA = 1
HEADER_NAME = "makar.json"
CODEC_FOLDER = "codec"
CARD_NAME = "README.md"
REPORT_NAME = "report.json"


class Artifact:
    """A saved model.

    Attributes:
        path: Its folder.
        header: What ``makar.json`` says.
        manifest: What was signed.
        signer: Id of the key that signed it.
    """

    def __init__(
        self,
        path: Path,
        header: dict[str, Any],
        signed: SignedManifest,
        *,
        codec_files: Callable[[], dict[str, bytes]] | None = None,
    ) -> None:
        self.path = path
        self.header = header
        self.manifest = signed.manifest
        self.signer = signed.key_id
        self.hash = signed.hash
        self._codec_files = codec_files
        """Makes the files of the codec, for a folder of others; ``None`` reads them in the folder."""
        self._codec: Codec | None = None
        self._family: Family | None = None
        self._components: dict[str, TrainedStage] | None = None
        self._adapters: tuple[AdapterFile, ...] = ()

    @property
    def columns(self) -> str:
        """The columns of tables that were named by hand for its training, as ``open_dataset`` takes them; empty for none."""
        return str(self.header["data"].get("columns", ""))

    @property
    def name(self) -> str:
        """The name of the folder."""
        return self.path.name

    @property
    def medium(self) -> str:
        """The medium that it makes."""
        return str(self.header["medium"])

    @property
    def run(self) -> str:
        """Name of the run folder that it was trained in; empty when it was not trained here."""
        return str(self.header["run"])

    @property
    def recipe(self) -> Recipe:
        """The recipe that it was trained by."""
        return _rebuild("recipe", lambda: Recipe.from_dictionary(self.header["recipe"]))

    @property
    def family_config(self) -> FamilyConfig:
        """The configuration of the family, without its weights."""
        return _family_config(self.header)

    def codec(self) -> Codec:
        """Return the codec; it is rebuilt at the first call.

        Raises:
            ArtifactError: Its configuration or files cannot be used.
        """
        if self._codec is None:
            files = read_codec_files(self.path) if self._codec_files is None else self._codec_files()
            self._codec = rebuild_codec(self.header, files, self.components())
        return self._codec

    def components(self) -> dict[str, TrainedStage]:
        """Return the trained stages that the codec works through, by name; they are loaded at the first call.

        Raises:
            IntegrityError: One is not the one that the model was trained with.
            ArtifactError: A configuration or a file cannot be used.
        """
        if self._components is None:
            self._components = rebuild_components(self.header, self.path)
        return self._components

    def family(self, device: str | None = None) -> Family:
        """Return the family with its weights, ready to sample; it is loaded at the first call.

        Args:
            device: Where it is to be; ``None`` takes the CUDA device when there is one. There is one family, which moves.

        Raises:
            TensorMismatchError: Tensors are missing, foreign or of another shape; the message lists them.
            ArtifactError: The configuration or the file of tensors cannot be used.
        """
        if self._family is None:
            name = tensors_name(self.header)
            self._family = rebuild_family(self.header, [self.path / name] if name else [])
            if self._adapters:
                self._family.add_adapters(self._adapters)
        wanted = working_device() if device is None else torch.device(device)
        first = next(self._family.parameters(), None)
        # To look through every module takes milliseconds, and each request asks several times.
        return self._family if first is not None and first.device == wanted else self._family.to(wanted)

    def use_adapters(self, adapters: Sequence[AdapterFile]) -> None:
        """Take other adapters than before, or none; the weights are read anew when they are asked for."""
        self._adapters = tuple(adapters)
        self._family = None


def read_header(folder: Path) -> dict[str, Any]:
    """Read and check ``makar.json``.

    Raises:
        ArtifactError: It is missing, damaged or of another schema.
    """
    header = read_strict_json(read_limited(folder / HEADER_NAME))
    if not isinstance(header, dict) or header.get("schema") != SCHEMA:
        schema = header.get("schema") if isinstance(header, dict) else None
        raise ArtifactError(
            f"{folder / HEADER_NAME} has schema {schema!r}",
            expected=str(SCHEMA),
            do="open it with the version of Makar that wrote it, or a newer one",
        )
    parts = {"medium": str, "run": str, "recipe": dict, "codec": dict, "family": dict, "training": dict, "data": dict}
    for name, kind in parts.items():
        if not isinstance(header.get(name), kind):
            raise ArtifactError(f'{folder / HEADER_NAME} has no usable "{name}"', do="get the model again")
    _check_components(header, folder)
    return header


def _check_components(header: dict[str, Any], folder: Path) -> None:
    """Refuse components whose names would leave their folder, or of which something is missing."""
    components = header.setdefault("components", {})
    wanted = {"family": dict, "codec": dict, "hash": str, "training": dict}
    is_table = isinstance(components, dict)
    for name, entry in components.items() if is_table else ():
        is_whole = isinstance(entry, dict) and all(isinstance(entry.get(key), kind) for key, kind in wanted.items())
        if not is_whole or not is_safe_name(name) or "/" in name:
            is_table = False
    if not is_table:
        raise ArtifactError(f'{folder / HEADER_NAME} has no usable "components"', do="get the model again")


def read_codec_files(folder: Path) -> dict[str, bytes]:
    """Return the files of the codec by name.

    Raises:
        IntegrityError: One is a link or unreadable.
    """
    place = folder / CODEC_FOLDER
    if not place.is_dir():
        return {}
    return {path.name: read_plain(path) for path in sorted(place.iterdir()) if is_safe_name(path.name)}


def read_plain(path: Path) -> bytes:
    """Read a whole file that is no link.

    Raises:
        IntegrityError: It is a link, or cannot be read.
    """
    try:
        if path.is_symlink():
            raise IntegrityError(f"{path.name} is a link", expected="a file")
        return path.read_bytes()
    except OSError as error:
        raise IntegrityError(f"{path.name} cannot be read: {error.strerror}") from error


def rebuild_codec(
    header: dict[str, Any], files: dict[str, bytes], stages: Mapping[str, TrainedStage] | None = None
) -> Codec:
    """Build the codec that a header describes from its files.

    Args:
        header: What ``makar.json`` says, or its entry of a component.
        files: The learned part, by name.
        stages: The components that it may work through.
    """
    config = _rebuild("codec", lambda: _config(header["codec"], CodecConfig))
    return _rebuild("codec", lambda: load_codec(config, files, components_of(stages or {}, config.components)))


def rebuild_components(header: dict[str, Any], folder: Path) -> dict[str, TrainedStage]:
    """Build every component that a header describes from the files of a model, in the order in which they were trained.

    Raises:
        IntegrityError: The tensors of one are not those that the header names.
    """
    found: dict[str, TrainedStage] = {}
    for name, entry in header["components"].items():
        place = folder / COMPONENTS_FOLDER / name
        family = rebuild_family(entry, [place / tensors_name(entry)])
        if family_hash(family) != entry["hash"]:
            raise IntegrityError(
                f'the component "{name}" is not the one that the model was trained with',
                expected=str(entry["hash"])[:16],
                do="get the model again",
            )
        codec = rebuild_codec(entry, read_codec_files(place), found)
        found[name] = TrainedStage(codec=codec, family=family, training=entry["training"])
    return found


def rebuild_family(header: dict[str, Any], tensors: list[Path]) -> Family:
    """Build the family that a header describes and give it every tensor of some files.

    Raises:
        TensorMismatchError: Tensors are missing, foreign or of another shape; the message lists them.
        IntegrityError: The configuration describes more weights than the files hold, or a file is damaged.
    """
    config = _rebuild("family", lambda: _config(header["family"], FamilyConfig))
    held = sum(count for path in tensors for count in check_header(path).values())
    # A forged configuration could ask for more memory than there is, so sizes are compared before anything is built.
    if config.parameter_count() > held:
        names = ", ".join(path.name for path in tensors) or "no file"
        raise IntegrityError(
            f"the configuration describes {config.parameter_count()} weights, {names} holds {held}",
            do="do not trust this model",
        )
    family = _rebuild("family", lambda: build_family(config))
    found: dict[str, Tensor] = {}
    for path in tensors:
        part = read_tensors(path)
        if repeated := sorted(set(part) & set(found)):
            raise IntegrityError(f"{path.name} repeats tensors of another file: {', '.join(repeated)}")
        found |= part
    family.load_tensors(found)
    family.eval()
    return family


def tensors_name(header: dict[str, Any]) -> str:
    """Return the file with the tensors of a model, from what ``makar.json`` says or its entry of a component; empty for none."""
    return _family_config(header).tensors_name


def _family_config(header: dict[str, Any]) -> FamilyConfig:
    config: FamilyConfig = _rebuild("family", lambda: _config(header["family"], FamilyConfig))
    return config


def _config(values: dict[str, Any], wanted: type[Config]) -> Any:
    found = config_class(str(values.get("kind")))
    if not issubclass(found, wanted):
        raise ArtifactError(f"{values.get('kind')!r} is no {wanted.__name__}", do="get the model again")
    return found.from_dictionary(values)


def _rebuild(part: str, build: Any) -> Any:
    try:
        return build()
    except UsageError as error:
        raise ArtifactError(
            f"the {part} of the model cannot be rebuilt: {error.came}",
            expected=error.expected,
            do=error.do or "install the plug-in or the version of Makar that it was made with",
        ) from error
    except (ValueError, TypeError, KeyError) as error:
        raise ArtifactError(f"the {part} of the model cannot be rebuilt: {error}", do="get the model again") from error
