"""A checkpoint of transformers all of whose weights are learned: its settings go along, so that the result needs the folder no more.

The settings are those that the class states (``text_opening``), and the class is one that transformers lists for continuing text: a forged
configuration runs no code and asks for no more memory than its file of tensors holds.
"""

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from makar.errors import ArtifactError, IntegrityError
from makar.families.pretrained.checkpoint_folder import CONFIG_NAME, CheckpointFolder
from makar.families.pretrained.checkpoint_settings import (
    OPENING_ERRORS,
    kept_settings,
    learning_settings,
    quiet_transformers,
    transformers,
)
from makar.families.pretrained.text_config import CAUSAL, PretrainedTextConfig
from makar.families.pretrained.text_opening import checkpoint_of, classes_of, task_of


def as_whole(config: PretrainedTextConfig) -> PretrainedTextConfig:
    """Return the settings of a checkpoint that is learned with all of its weights.

    Args:
        config: Of the checkpoint as it came, which is on this machine.

    Raises:
        ArtifactError: The folder is not on this machine.
    """
    folder = checkpoint_of(config)
    stated = {
        **kept_settings(folder),
        "model_type": folder.model_type,
        "architectures": [folder.architecture],
    }
    changed = config.changed(network=json.dumps(stated, sort_keys=True), adapter=None)
    with torch.device("meta"):
        outline = _built(stated_folder(changed))
    return changed.changed(weights=_weights(outline))


def stated_folder(config: PretrainedTextConfig) -> CheckpointFolder:
    """Return what settings that go along with a model say, as a folder says it.

    Raises:
        ArtifactError: They are none, or of a network for something else.
    """
    try:
        settings = json.loads(config.network)
        folder = CheckpointFolder(
            path=Path(config.architecture),
            settings=settings,
            model_type=str(settings["model_type"]),
            architecture=config.architecture,
            files=(),
        )
    except (ValueError, TypeError, KeyError) as error:
        raise ArtifactError(
            f"the settings of the {config.architecture} cannot be read: {error}", expected=CONFIG_NAME
        ) from error
    if task_of(folder) != CAUSAL:
        raise ArtifactError(f"a {config.architecture} whose weights are learned", expected="one that continues text")
    return folder


def empty_network(config: PretrainedTextConfig) -> Any:
    """Return the network of a configuration, float32, with weights that nobody has set.

    Raises:
        IntegrityError: It has other weights than the configuration says.
        ArtifactError: transformers cannot build it.
    """
    folder = stated_folder(config)
    with torch.device("meta"):
        count = _weights(_built(folder))
    if count != config.weights:
        raise IntegrityError(
            f"a {config.architecture} with these settings has {count} weights, the configuration says {config.weights}",
            do="do not trust this model",
        )
    # Its first weights are replaced; the draws of others must not depend on them.
    with torch.random.fork_rng(devices=[]):
        network = _built(folder)
    return network.float().eval()


def classifier_settings(folder: CheckpointFolder) -> dict[str, Any]:
    """Return what ``config.json`` says of a network that gives one number; without a class where transformers has none."""
    classes = classes_of(folder, "classification")
    named = {"architectures": [classes[0]]} if classes else {}
    return {**named, "num_labels": 1, "id2label": {"0": "score"}, "label2id": {"score": 0}}


def every_tensor(network: nn.Module) -> dict[str, Tensor]:
    """Return the tensors of a network under the names that transformers saves them by, what is shared once."""
    found: dict[str, Tensor] = {}
    seen: set[int] = set()
    for name, value in network.state_dict(keep_vars=True).items():
        if id(value) not in seen:
            seen.add(id(value))
            found[name] = value.detach()
    return found


def _built(folder: CheckpointFolder) -> Any:
    try:
        with quiet_transformers():
            return getattr(transformers(), folder.architecture)(learning_settings(folder))
    except OPENING_ERRORS as error:
        raise ArtifactError(f"no {folder.architecture} can be built of these settings: {error}") from error


def _weights(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())
