"""``edit --reconstruct`` for vocoders: a sound is turned into its picture, and the model finds how that sounds."""

import hashlib
import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch

from makar.artifacts.artifact import Artifact
from makar.codecs.hearing import drawn_picture
from makar.codecs.wave import WaveCodec
from makar.errors import UnsupportedError, UsageError
from makar.generation.asset import Asset
from makar.generation.change import Change, unchanged
from makar.generation.edit_request import EditRequest
from makar.generation.generate import make_assets
from makar.generation.given_sound import read_given_sound
from makar.generation.guards import NoveltyCheck
from makar.generation.jobs import Job, check_count_and_seed
from makar.generation.prompts import Prompt
from makar.generation.request import Request
from makar.generation.vocoding import RECONSTRUCT
from makar.tensor_spec import SOURCE

LONGEST_SECONDS = 60.0


def is_resounding(artifact: Artifact) -> bool:
    """Return whether a model finds how pictures sound."""
    return RECONSTRUCT in artifact.family_config.edits and isinstance(artifact.codec(), WaveCodec)


def resound(
    artifact: Artifact,
    how: EditRequest | Mapping[str, Any],
    *,
    count: int,
    seed: int,
    options: Mapping[str, Any] | None,
    novelty: NoveltyCheck | None,
) -> Iterator[Asset]:
    """Take the picture of a sound and find how it sounds.

    Args:
        artifact: A model that finds how pictures sound.
        how: The file (``image``) and the operation, ``reconstruct`` or none.
        count: Variants.
        seed: Seed of the first; the next has ``seed + 1``.
        options: Sampling controls by name.
        novelty: Compares what was made with the training data.

    Yields:
        Signed assets.

    Raises:
        UsageError: There is no file, or it is too long.
        UnsupportedError: Something else is asked for.
        DataError: The file is no sound.
    """
    words = dict(how.to_dictionary() if isinstance(how, EditRequest) else how)
    source, operation = words.pop("image", None), words.pop("operation", None)
    other = sorted(name for name, value in words.items() if value)
    if other or operation not in (None, RECONSTRUCT):
        raise UnsupportedError(
            f"{(other or [operation])[0]} of a model that finds how pictures sound", expected="--reconstruct"
        )
    check_count_and_seed(count, seed)
    content, sound = read_given_sound(source)
    if sound.seconds > LONGEST_SECONDS:
        raise UsageError(f"a sound of {sound.seconds:.0f} seconds", expected=f"at most {LONGEST_SECONDS:g}")
    controls = {name: value for name, value in (options or {}).items() if value is not None}
    request = Request(artifact, options=controls, novelty=novelty, refuse_copies=False)
    codec = request.codec
    assert isinstance(codec, WaveCodec), "asked before"
    frames = max(1, math.ceil(sound.seconds * codec.config.rate_hz / codec.config.hop))
    # The codec may hold less than this sound, and the network hears any length.
    drawn = drawn_picture(sound, codec.config.changed(frames=max(frames, codec.config.frames)))[:, :frames, 0]
    slots = {SOURCE: torch.from_numpy(np.ascontiguousarray(codec.to_model(SOURCE, drawn)))}
    stated = {
        "operation": RECONSTRUCT,
        "settings": {},
        "source": {"kind": "sound", "sha256": hashlib.sha256(content).hexdigest(), "seconds": round(sound.seconds, 6)},
    }
    prompt = Prompt(stated=None, slots=slots, change=Change(finish=unchanged, stated=stated))
    return make_assets(request, [Job(prompt, seed + number) for number in range(count)])
