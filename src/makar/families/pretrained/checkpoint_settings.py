"""The settings of a checkpoint as transformers knows them: the fields that its class states, nothing that names code."""

import contextlib
import dataclasses
import importlib.util
import inspect
from collections.abc import Iterator
from typing import Any

from makar.errors import ArtifactError, MissingExtraError, UnsupportedError
from makar.families.pretrained.checkpoint_folder import CheckpointFolder

LEGACY_FIELDS = frozenset({"rope_theta", "rope_scaling", "num_labels", "torch_dtype"})
"""What older folders state, and transformers turns into fields."""
REFUSED_FIELDS = frozenset(
    {"auto_map", "attn_implementation", "_attn_implementation", "dtype", "torch_dtype", "transformers_version"}
)
FORMER_TYPES = {"hifigan": "speecht5_hifigan"}
"""Types that were called otherwise when folders that people have were saved."""
OPENING_ERRORS = (OSError, ValueError, TypeError, KeyError, AttributeError, RuntimeError, ImportError)


def transformers() -> Any:
    """Return the module.

    Raises:
        MissingExtraError: It is not installed.
    """
    if importlib.util.find_spec("transformers") is None:
        raise MissingExtraError("transformers", extra="transformers")
    import transformers as module

    return module


@contextlib.contextmanager
def quiet_transformers() -> Iterator[None]:
    """Keep the bars and remarks of transformers from the terminal for a while; what goes wrong is raised anyway."""
    transformers()
    from transformers.utils import logging as remarks

    level, had_bar = remarks.get_verbosity(), remarks.is_progress_bar_enabled()
    remarks.set_verbosity_error()
    remarks.disable_progress_bar()
    try:
        yield
    finally:
        remarks.set_verbosity(level)
        if had_bar:
            remarks.enable_progress_bar()


def settings_of(folder: CheckpointFolder) -> Any:
    """Return the configuration of transformers, of the fields that its class states.

    Raises:
        UnsupportedError: This transformers does not know the type.
        ArtifactError: The settings contradict each other.
    """
    from huggingface_hub.errors import StrictDataclassError

    kind, kept = _kind_of(folder), kept_settings(folder)
    try:
        with quiet_transformers():
            return kind.from_dict(kept)
    except (*OPENING_ERRORS, StrictDataclassError) as error:
        raise ArtifactError(f"the settings of {folder.path} do not fit together: {error}", do="get it again") from error


def complete_settings(folder: CheckpointFolder) -> dict[str, Any]:
    """Return the settings of a folder with the values that its class has where the folder says nothing."""
    found: dict[str, Any] = settings_of(folder).to_dict()
    return found


def learning_settings(folder: CheckpointFolder) -> Any:
    """Return the configuration of a network that learns: nothing is dropped.

    Probabilities of answers are compared with those that they were drawn with, and with those of the model before.
    """
    settings = settings_of(folder)
    for name, value in settings.to_dict().items():
        if "drop" in name and isinstance(value, float):
            setattr(settings, name, 0.0)
    return settings


def kept_settings(folder: CheckpointFolder) -> dict[str, Any]:
    """Return what a folder states of the fields of its class.

    Raises:
        UnsupportedError: This transformers does not know the type.
    """
    kind = _kind_of(folder)
    fields = set(inspect.signature(kind.__init__).parameters) | set(kind.attribute_map) | LEGACY_FIELDS
    if dataclasses.is_dataclass(kind):
        fields |= {field.name for field in dataclasses.fields(kind)}
    return {name: _plain(value) for name, value in folder.settings.items() if name in fields - REFUSED_FIELDS}


def _kind_of(folder: CheckpointFolder) -> Any:
    known, name = known_types(), FORMER_TYPES.get(folder.model_type, folder.model_type)
    if name not in known:
        raise UnsupportedError(
            f'the type "{folder.model_type}" is not known to this transformers', expected="a known one"
        )
    return known[name]


def _plain(value: Any) -> Any:
    """Return a value without what is refused in the settings of a part: networks of several parts state those of each."""
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items() if name not in REFUSED_FIELDS}
    return value


def known_types() -> Any:
    """Return the table of transformers with the configuration of every type."""
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    return CONFIG_MAPPING
