"""The reward model that answers are tuned by: found by its name, frozen as name and hash, opened again by the hash.

A configuration travels with the model and holds no path of a machine, so a judge is named ``NAME@HASH`` there. It has to cut text into
the same tokens as the model that is tuned, because it reads the very tokens of the answers: train both from one model.
"""

from pathlib import Path
from typing import Any

import numpy as np

from makar.artifacts.artifact import Artifact
from makar.artifacts.load import load_artifact
from makar.errors import ArtifactError, MakarError, UnsupportedError
from makar.families.conversation.policy_config import MODEL, PolicyConfig
from makar.families.conversation.reward_family import RewardFamily
from makar.provenance.chain import find_artifact
from makar.recipe import Recipe, Stage

BETWEEN = "@"
LOOKED_AT = ("The quick brown fox: 12 + 7 = 19.\n", "Où? 日本")


def with_frozen_judges(recipe: Recipe) -> Recipe:
    """Return a recipe whose reward models are named by their hashes; they are looked at once, before anything is trained.

    Args:
        recipe: Names them as the user did: by name or folder.

    Raises:
        UnsupportedError: One is no reward model.
        UnknownNameError: There is no such model.
    """
    return recipe.changed(stages=tuple(_frozen(stage) for stage in recipe.stages))


def _frozen(stage: Stage) -> Stage:
    family = stage.family
    if not isinstance(family, PolicyConfig) or family.reward != MODEL or BETWEEN in Path(family.judge).name:
        return stage
    artifact = load_artifact(family.judge)
    _check_kind(artifact)
    return stage.changed(family=family.changed(judge=f"{artifact.name}{BETWEEN}{artifact.hash}"))


def judge_for(config: PolicyConfig, codec: Any) -> RewardFamily | None:
    """Return the reward model of a configuration, in evaluation mode; ``None`` where the reward is another.

    Args:
        config: Names it by its hash.
        codec: The codec of the model that is tuned.

    Raises:
        ArtifactError: It is not on this machine, or another than the one of this hash.
        UnsupportedError: It is no reward model, or has other tokens.
    """
    if config.reward != MODEL:
        return None
    name, _, digest = config.judge.rpartition(BETWEEN)
    place = find_artifact(digest, name)
    artifact = None if place is None else load_artifact(place)
    if artifact is None or artifact.hash != digest:
        raise ArtifactError(
            f'the reward model "{name}" ({digest[:16]}) is not on this machine',
            expected="the one that the training began with",
            do="put it back into the folder of models",
        )
    _check_kind(artifact)
    theirs = artifact.codec()
    if any(not np.array_equal(_tokens(codec, text), _tokens(theirs, text)) for text in LOOKED_AT):
        raise UnsupportedError(
            f'the reward model "{name}" cuts text into other tokens than the model that it is to judge',
            expected="one that began from the same model",
            do="makar train PAIRS --recipe reward --from MODEL",
        )
    family = artifact.family("cpu")
    assert isinstance(family, RewardFamily), "it was looked at above"
    return family.eval().requires_grad_(False)


def judge_here(config: PolicyConfig, codec: Any) -> RewardFamily | None:
    """Return the reward model of a configuration as ``judge_for``; ``None`` also where it is not on this machine."""
    try:
        return judge_for(config, codec)
    except MakarError:
        return None  # whoever measures says so; nothing is trained here


def _check_kind(artifact: Artifact) -> None:
    kind = artifact.family_config.kind
    if kind != "reward":
        raise UnsupportedError(
            f'"{artifact.name}" is of family "{kind}" and gives answers no score',
            expected="a reward model",
            do="makar train PAIRS --recipe reward --from MODEL",
        )


def _tokens(codec: Any, text: str) -> np.ndarray:
    return np.asarray(codec.encode_turns([{"role": "user", "content": text}]))
