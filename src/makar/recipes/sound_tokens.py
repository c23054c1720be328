"""Recipes that write music and sounds token by token: autoencoders of tokens first, then transformers over them, in three designs.

All are made of two parts. A ``sound-vqvae`` turns the picture of a sound into tokens, several a moment; a ``sound-transformer`` writes
tokens from a class, a caption and a guide. ``musicgen`` is one of each, with the melody as a guide that need not be given. ``jukebox`` has
two autoencoders, of which the coarse one sees sixteen frames as one: a prior writes coarse tokens of a class, and a second transformer the
fine ones along them; ``jukebox-lyrics`` tells both what is sung at each moment. ``musiclm`` is the same with coarse tokens of notes and
beginnings alone, written from a caption: what is played before how it sounds. What differs from the papers stands in
docs/tasks/music_tokens.md. Shares of the time and sizes are not measured.

Sources: Copet et al. 2023, arXiv 2306.05284 (MusicGen); Dhariwal et al. 2020, arXiv 2005.00341 (Jukebox); Agostinelli et al. 2023, arXiv
2301.11325 (MusicLM).
"""

import math

from makar.codecs.codec import CodecConfig
from makar.codecs.embedded_config import EmbeddedCodecConfig
from makar.codecs.latent_config import LatentCodecConfig
from makar.codecs.sound_config import OUTLINE, SoundCodecConfig
from makar.families.family_config import FamilyConfig
from makar.families.transformer.sound_config import SoundTransformerConfig
from makar.families.vqvae.sound_config import SoundVqvaeConfig
from makar.recipe import OptimisationConfig, Recipe, Stage
from makar.recipes.size_search import best_size
from makar.recipes.text import text_family_for
from makar.tensor_spec import TensorSpec

TOKENS, COARSE, PRIOR, SOUND = "tokens", "coarse", "prior", "sound"

MUSIC_MELS = 128
"""Bands of pitch. Of 24 built-in tunes that went the way through a picture and back, the key was heard in 24 with 128 bands, in 18 with the
80 that suit speech: low notes stand closer than those."""

SOUNDS_PER_PARAMETER = 0.05
"""Sounds to train an autoencoder on for each of its parameters, counted with repetition. Not measured."""

VALUES_PER_PARAMETER = 4.0
FEATURE_STEP, LARGEST_FEATURES = 16, 384
LEARNING_RATE, REFERENCE_FEATURES, BATCH = 4e-3, 96, 32

HIDDEN_MELODIES = 0.5
"""Share of the examples of ``musicgen`` whose melody is hidden."""

COARSE_CODES = 128
"""Of notes and beginnings there is less to tell apart than of sounds."""


def sound_vqvae() -> Recipe:
    """Return the recipe for an autoencoder of sound tokens."""
    return Recipe(
        name="sound-vqvae",
        medium="sound",
        summary="sounds to tokens and back, for models that write tokens; makes no new sounds by itself",
        expected="not measured",
        stages=(_tokeniser(SOUND, share=1.0),),
    )


def musicgen() -> Recipe:
    """Return the recipe for described music in one stage of tokens, along a melody where one is given."""
    share = 0.4
    codec = SoundCodecConfig(mels=MUSIC_MELS, use_captions=True, use_melody=True)
    tokens = _tokeniser(TOKENS, share=share)
    return _recipe(
        "musicgen",
        summary="music of what you describe, along your melody if you give one: the design of MusicGen",
        stages=(tokens, _writer(SOUND, _through(tokens, codec), over=(tokens,), share=1 - share)),
    )


def jukebox() -> Recipe:
    """Return the recipe for music of a class by way of coarse tokens."""
    codec = SoundCodecConfig(mels=MUSIC_MELS, use_labels=True)
    coarse = _tokeniser(COARSE, share=0.15, strides=(4, 4), codebooks=2)
    return _in_two(
        "jukebox",
        summary="music of the style that you ask for, coarse tokens before fine ones: the design of Jukebox",
        coarse=coarse,
        planned=codec,
        sounding=codec,
    )


def jukebox_lyrics() -> Recipe:
    """Return the recipe for songs with words: ``jukebox`` whose two writers are told what is sung at each moment."""
    codec = SoundCodecConfig(mels=MUSIC_MELS, use_labels=True, use_lyrics=True)
    coarse = _tokeniser(COARSE, share=0.1, strides=(4, 4), codebooks=2)
    return _in_two(
        "jukebox-lyrics",
        summary="songs of the style that you ask for that sing your words: the design of Jukebox with its lyrics",
        coarse=coarse,
        planned=codec,
        sounding=codec,
        # Words are lost in the fine tokens first, and the prior knows the songs of a person by heart within seconds.
        fine_share=0.45,
        prior_share=0.1,
    )


def musiclm() -> Recipe:
    """Return the recipe for described music by way of what is played."""
    codec = SoundCodecConfig(mels=MUSIC_MELS, use_captions=True)
    outline = SoundCodecConfig(shows=OUTLINE)
    coarse = _tokeniser(COARSE, share=0.1, codebooks=1, codes=COARSE_CODES, codec=outline)
    return _in_two(
        "musiclm",
        summary="music of what you describe, its notes before its sound: the design of MusicLM",
        coarse=coarse,
        planned=outline.changed(use_captions=True),
        sounding=codec,
    )


def size_sound_vqvae(
    stage: Stage, *, operations: float, items: int, spec: TensorSpec
) -> tuple[FamilyConfig, OptimisationConfig]:
    """Size an autoencoder of sounds: parameters and sounds seen grow alike with compute.

    Args:
        stage: The stage as its recipe describes it.
        operations: Floating-point operations of the whole training.
        items: Different training sounds.
        spec: What the codec makes.
    """
    family = stage.family.bound_to(spec)
    assert isinstance(family, SoundVqvaeConfig), "the registry's table pairs kind and rule"
    values = items * family.rows * family.frames
    best = best_size(
        (family.changed(features=features) for features in range(FEATURE_STEP, LARGEST_FEATURES + 1, FEATURE_STEP)),
        operations=operations,
        needed=lambda trial: SOUNDS_PER_PARAMETER * trial.parameter_count() * trial.training_operations(),
        is_fed=lambda trial: trial.parameter_count() * VALUES_PER_PARAMETER <= values,
    )
    rate = LEARNING_RATE * math.sqrt(REFERENCE_FEATURES / max(REFERENCE_FEATURES, best.features))
    return best, stage.optimisation.changed(learning_rate=rate)


def size_sound_transformer(
    stage: Stage, *, operations: float, items: int, spec: TensorSpec
) -> tuple[FamilyConfig, OptimisationConfig]:
    """Size a decoder of sound tokens: the rule of ``text_family_for``, for streams of one length.

    Args:
        stage: The stage as its recipe describes it.
        operations: Floating-point operations of the whole training.
        items: Different training sounds.
        spec: What the codec makes.
    """
    family = stage.family.bound_to(spec)
    assert isinstance(family, SoundTransformerConfig), "the registry's table pairs kind and rule"
    return sound_transformer_for(family, operations=operations, sounds=items)


def sound_transformer_for(
    family: SoundTransformerConfig, *, operations: float, sounds: int
) -> tuple[SoundTransformerConfig, OptimisationConfig]:
    """Return the shape and the optimisation for an amount of training.

    Args:
        family: What is learned.
        operations: Floating-point operations of the whole training.
        sounds: Different training sounds.
    """
    length = family.longest_text + family.content_positions
    # Every step has a token of each codebook to learn from.
    tokens = sounds * family.moments * family.codebooks
    decoder, optimisation = text_family_for(operations, tokens=tokens, vocabulary=family.decoder.vocabulary)
    batch_tokens = optimisation.batch_size * decoder.context
    return family.with_decoder(decoder), optimisation.changed(batch_size=max(8, round(batch_tokens / length)))


def _tokeniser(
    name: str,
    *,
    share: float,
    strides: tuple[int, ...] = (2, 2),
    codebooks: int = 4,
    codes: int = 256,
    codec: SoundCodecConfig | None = None,
) -> Stage:
    seen = codec or SoundCodecConfig(mels=MUSIC_MELS)
    return Stage(
        name=name,
        codec=seen,
        family=SoundVqvaeConfig(rows=seen.rows, frames=seen.frames, strides=strides, codebooks=codebooks, codes=codes),
        optimisation=OptimisationConfig(
            learning_rate=LEARNING_RATE, batch_size=BATCH, beta_2=0.99, warmup_steps=100, average_share=0.05
        ),
        share=share,
    )


def _through(tokens: Stage, codec: SoundCodecConfig) -> LatentCodecConfig:
    """Return the codec of the tokens of a stage."""
    return LatentCodecConfig(component=tokens.name, base=codec)


def _writer(name: str, codec: CodecConfig, *, over: tuple[Stage, ...], share: float) -> Stage:
    """Return the stage that writes the tokens of a codec.

    Args:
        name: Of the stage.
        codec: Its codec.
        over: The stages before it.
        share: Of the time.
    """
    is_planned = isinstance(codec, EmbeddedCodecConfig)
    family = SoundTransformerConfig(
        source_edit="vary" if is_planned else "control", source_dropout=0.0 if is_planned else HIDDEN_MELODIES
    ).bound_to(_spec(codec, over))
    sized, optimisation = sound_transformer_for(family, operations=1e13, sounds=1_000)
    return Stage(name=name, codec=codec, family=sized, optimisation=optimisation, share=share)


def _spec(codec: CodecConfig, over: tuple[Stage, ...]) -> TensorSpec:
    """Return what a codec makes of data with one class; how many there are is found in the data."""
    if isinstance(codec, EmbeddedCodecConfig | LatentCodecConfig):
        below = next(stage.family for stage in over if stage.name == codec.component)
        return codec.spec_over(_spec(codec.base, over), below)
    assert isinstance(codec, SoundCodecConfig), "the codecs here are of sounds"
    return codec.estimated_spec({"any": 1})


def _in_two(
    name: str,
    *,
    summary: str,
    coarse: Stage,
    planned: SoundCodecConfig,
    sounding: SoundCodecConfig,
    fine_share: float = 0.3,
    prior_share: float = 0.2,
) -> Recipe:
    """Return a recipe that writes coarse tokens before fine ones.

    Args:
        name: Of the recipe.
        summary: One sentence.
        coarse: The stage that makes coarse tokens.
        planned: The codec below the prior: what is told, and what the coarse tokens are of.
        sounding: The codec below the last stage.
        fine_share: Of the time, for the autoencoder of fine tokens.
        prior_share: Of the time, for what writes the coarse ones.
    """
    fine = _tokeniser(TOKENS, share=fine_share)
    prior = _writer(PRIOR, _through(coarse, planned), over=(coarse, fine), share=prior_share)
    codec = EmbeddedCodecConfig(component=PRIOR, base=_through(fine, sounding))
    rest = 1 - coarse.share - fine.share - prior_share
    sound = _writer(SOUND, codec, over=(coarse, fine, prior), share=rest)
    return _recipe(name, summary=summary, stages=(coarse, fine, prior, sound))


EXPECTED = {
    "jukebox-lyrics": "120 of builtin:songs, 5 minutes of a busy Zen 3 core: a recogniser gets 0.48 (0.35 to 0.60) of the words of "
    "new songs wrong with guidance 2, of real songs 0.04, told no words 0.92",
}


def _recipe(name: str, *, summary: str, stages: tuple[Stage, ...]) -> Recipe:
    expected = EXPECTED.get(name, "not measured")
    return Recipe(name=name, medium="sound", summary=summary, expected=expected, stages=stages)
