"""``edit`` for models that write sounds as tokens: go on where a sound ends, play its melody anew, vary it, or only rebuild it.

To go on, the model is given the tokens of as much of the end as it can look back on, and writes more; what was there stays bit for bit. A
melody is one note a moment, whatever played it. A variation is given what a coarser stage knows of the sound. Nothing of these needs
the sound itself, so they are made anew and carry the mark of what a model made; what goes on carries that of a composite.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from makar.codecs.codec import Codec
from makar.codecs.embedded import EmbeddedCodec
from makar.codecs.latent import LatentCodec
from makar.codecs.sound import SoundCodec
from makar.data.record import Record
from makar.data.sound import Sound, resampled
from makar.errors import UnsupportedError, UsageError
from makar.families.family import Batch
from makar.families.family_config import FamilyConfig
from makar.families.transformer.sound_config import SoundTransformerConfig
from makar.generation.able import check_edit
from makar.generation.change import Change, unchanged
from makar.tensor_spec import KNOWN, SOURCE, TARGET

GO_ON, RECONSTRUCT = "go-on", "reconstruct"
FADE_SECONDS = 0.01


def writes_tokens(config: FamilyConfig) -> bool:
    """Return whether a model writes sounds as tokens."""
    return isinstance(config, SoundTransformerConfig)


def token_edit(
    codec: Codec, config: FamilyConfig, sound: Sound, *, operation: str, stated: Mapping[str, Any]
) -> tuple[Batch, Change]:
    """Return the slots of an edit and what becomes of the result.

    Args:
        codec: The codec of the model.
        config: The settings of its family.
        sound: What was given.
        operation: ``"go-on"``, or an edit of ``makar.families.edits``.
        stated: What the manifest says besides.

    Raises:
        UnsupportedError: The model cannot do it.
        UsageError: The sound is too short to go on from.
    """
    plain = codec.plain
    assert isinstance(plain, SoundCodec), "sounds have one codec"
    if operation == GO_ON:
        if not isinstance(config, SoundTransformerConfig):
            raise UnsupportedError("a model that only rebuilds sounds", expected="one that writes them, to go on")
        return _going_on(codec, config, sound, stated)
    check_edit(operation, config, medium="sound")
    change = Change(finish=unchanged, stated={"operation": operation, **stated}, is_composite=False)
    if operation == RECONSTRUCT:
        drawn = plain.picture(_within(sound, plain))
        values = plain.to_model(TARGET, np.ascontiguousarray(drawn.transpose(2, 0, 1)))
        return {SOURCE: torch.from_numpy(np.ascontiguousarray(values, np.float32))}, change
    return {SOURCE: _guide(codec, sound, whole=True)}, change


def _within(sound: Sound, plain: SoundCodec) -> Sound:
    if sound.seconds > plain.config.seconds * 1.02:
        raise UnsupportedError(
            f"a sound of {sound.seconds:.2f} seconds for a model of {plain.config.seconds:.2f}",
            expected="a shorter one",
            do="cut it",
        )
    return sound


def _guide(codec: Codec, sound: Sound, *, whole: bool) -> torch.Tensor:
    """Return the guide that a sound gives: what a coarser stage knows of it, or its melody; of a part only as far as that goes."""
    plain = codec.plain
    assert isinstance(plain, SoundCodec), "sounds have one codec"
    if isinstance(codec, EmbeddedCodec):
        guide = torch.from_numpy(codec.encode_source(sound if not whole else _within(sound, plain)))
    else:
        guide = torch.from_numpy(plain.melody(sound if not whole else _within(sound, plain)))
    share = 1.0 if whole else min(1.0, sound.seconds / plain.config.seconds)
    return guide[:, : max(1, round(share * guide.shape[1]))]


def _going_on(
    codec: Codec, config: SoundTransformerConfig, sound: Sound, stated: Mapping[str, Any]
) -> tuple[Batch, Change]:
    plain = codec.plain
    assert isinstance(plain, SoundCodec), "sounds have one codec"
    heard = plain.config
    moment = heard.seconds / config.moments
    rate = sound.rate_hz
    # As much of the end as half of what the model hears at once: the other half is written.
    back = min(config.moments // 2, int(sound.seconds / moment))
    if back < 1:
        raise UsageError(f"a sound of {sound.seconds:.3f} seconds to go on from", expected=f"at least {moment:.3f}")
    end = Sound(np.ascontiguousarray(sound.samples[-round(back * moment * rate) :]), rate)
    slots: Batch = {KNOWN: _tokens(codec, end)[:, :back]}
    if config.source_codes and isinstance(codec, EmbeddedCodec):
        slots[SOURCE] = _guide(codec, end, whole=False)

    def finish(made: Sound) -> Sound:
        at_rate = resampled(made, rate)
        # The rebuilt beginning is dropped; its last moment is mixed with what stands there.
        new = at_rate.samples[round(back * moment * rate) :]
        fade = min(round(FADE_SECONDS * rate), len(new))
        spread = np.repeat(new, sound.samples.shape[1], axis=1)
        if fade:
            spread[:fade] *= (np.arange(fade, dtype=np.float32)[:, None] + 1) / (fade + 1)
        return Sound(np.concatenate([sound.samples, spread]), rate)

    return slots, Change(finish=finish, stated={"operation": "go on", **stated})


def _tokens(codec: Codec, sound: Sound) -> torch.Tensor:
    """Return the tokens of a sound as the model writes them, int64 ``[codebooks, moments]``."""
    base = codec.base if isinstance(codec, EmbeddedCodec) else codec
    assert isinstance(base, LatentCodec), "tokens come from a learned codec"
    label = next(iter(base.class_counts), None)
    record = Record(
        id="given", medium="sound", content=sound, document="given", source="given", split="train", label=label
    )
    return torch.from_numpy(base.encode(record)[TARGET].astype(np.int64))
