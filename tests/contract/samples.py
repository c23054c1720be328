"""Small real records of every medium, and tiny fitted pairs of codec and family for every stage of every recipe in the registry."""

import atexit
import dataclasses
import functools
import hashlib
import importlib.util
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch

from makar import registry
from makar.artifacts.components import component_of
from makar.artifacts.load import load_artifact
from makar.codecs.chat_config import ChatCodecConfig
from makar.codecs.codec import fit_codec, load_codec
from makar.codecs.embedded_config import EmbeddedCodecConfig
from makar.codecs.image_config import ImageCodecConfig
from makar.codecs.pretrained_text import SpecialTokens
from makar.codecs.summary_config import SummaryCodecConfig
from makar.data.builtin.backbones import KINDS as FOLDS
from makar.data.builtin.backbones import backbone
from makar.data.builtin.effects import KINDS, effect
from makar.data.builtin.shapes import ALL, shape_clip
from makar.data.clip import Clip
from makar.data.record import Record
from makar.families.family import build_family
from tests.toy_autoencoder import ToyAutoencoder, ToyAutoencoderConfig

TEXTS = [
    "It was a dark and stormy night; the rain fell in torrents.\n",
    "Ärger, naïveté, 東京 and a fox \U0001f98a: nothing is lost.\n",
    "def add(a, b):\n    return a + b\n",
    "the quick brown fox jumps over the lazy dog " * 12,
]
MOLECULES = [
    "CCO",
    "c1ccccc1C(=O)O",
    "C[C@@H](N)C(=O)O",
    "[NH3+]CC#N",
    "O=C1CCCN1CC(F)(Cl)Br",
    "CC(C)=CCO",
    "C1CC%12CC1C%12",
    "c1cc[nH]c1",
]
PIECES = [
    "m4/4 q96 bar p0 i0 n60 d4 p4 n64 d4 p8 n67 d8 bar p0 n72 d16",
    "m3/4 q120 bar p0 i24 n48 d12 n64 d4 p4 n65 d4 p8 n67 d4 bar p0 n60 d12",
    "m4/4 q96 grid " + ": s72 a67 t64 b48 s72 a67 t64 b50 s74 a65 t62 b47 s76 a67 t60 b48 " * 6 + ": s76 a67 t60 b48",
    "m6/8 q200 bar p0 i128 n36 d1 n42 d1 p6 n38 d2 bar p0 n36 d1",
]
TINY_PARAMETERS = 20_000


def records(medium):
    """Return records of a medium, with labels and captions where images have them."""
    if medium in ("text", "code"):
        contents = TEXTS
    elif medium == "molecule":
        contents = MOLECULES
    elif medium == "music":
        contents = PIECES
    elif medium == "protein":
        contents = ["MKVLAAGIVGLCAKAYEDHPW", "GSHMRQNTFU", "ACDEFGHIKLMNPQRSTVWYBXZJO" * 3, "MAAAK" * 20]
    elif medium == "sound":
        contents = [effect(kind, 0) for kind in sorted(KINDS)]
    elif medium == "structure":
        contents = [backbone(kind, number) for kind in FOLDS for number in range(3)]
    elif medium == "video":
        contents = [Clip(shape_clip(moving, 0).frames[:, :, 2:30], 8.0) for moving in ALL[::5]]
    else:
        draw = np.random.default_rng(0)
        contents = [draw.integers(0, 256, (40, 32, 3), dtype=np.uint8) for _ in range(12)]
    return [
        Record(
            id=hashlib.sha256(repr(index).encode()).hexdigest()[:16],
            medium=medium,
            content=content,
            document=f"document {index}",
            source=f"{index}",
            split="train",
            pair=255 - content if medium == "image" else None,
            label=("odd" if index % 2 else "even")
            if medium in ("image", "music", "sound", "structure", "video")
            else None,
            # What is said of a sound may be said in it, and the shortest has room for few letters.
            caption={
                "image": f"a noisy picture, number {index}",
                "video": f"a noisy picture, number {index}",
                "sound": f"noise {index}",
            }.get(medium),
            roles={"score": index % 4 / 4}
            if medium == "image"
            else task_roles(content, index)
            if medium in ("text", "code")
            else None,
            properties={"odd": float(index), "even": -float(index)} if medium == "molecule" else None,
        )
        for index, content in enumerate(contents)
    ]


def task_roles(text, index):
    """Return the roles of every task that a text can be the content of, so that codecs of all tasks find theirs."""
    words = text.split(" ")
    return {
        "source": text[::-1],
        "targets": (text, "another right one"),
        "text": text,
        "labels": ("odd" if index % 2 else "even",),
        "score": float(index),
        "first": text,
        "second": text[::-1],
        "similarity": index / 4,
        "tokens": tuple(words),
        "tags": ("B-PER", *["I-PER" if number < 3 else "O" for number in range(1, len(words))]),
        "question": f"What is number {index}?",
        "context": text,
        "answers": (words[1], "another right one"),
    }


def rows_for(config, medium):
    """Return the records that a codec can make something of: rows of conversations, pairs and ratings for a codec of turns."""
    found = records(medium)
    if isinstance(config, SummaryCodecConfig):
        # Of one sentence nothing can be picked.
        return [
            dataclasses.replace(
                record, roles={**record.roles, "source": f"It rained. {record.content} The fox ran {number} miles."}
            )
            for number, record in enumerate(found)
        ]
    if not isinstance(config, ChatCodecConfig):
        return found
    asked = ["Tell a story.", "Say something odd.", "Add two numbers.", "Which animals?"]
    return [
        dataclasses.replace(
            record,
            roles={
                "messages": (
                    {"role": "user", "content": question},
                    *(
                        []
                        if config.makes in ("pairs", "scores")
                        else [{"role": "assistant", "content": record.content}]
                    ),
                ),
                **({"chosen": record.content, "rejected": question} if config.makes == "pairs" else {}),
                "response": record.content,
                "score": float(len(record.content) % 7),
            },
        )
        for record, question in zip(found, asked, strict=True)
    ]


def codec_cases():
    """Return (name, medium) of every codec in the registry and each of its media."""
    return [(name, medium) for name in registry.names("codecs") for medium in registry.load("codecs", name).media]


@functools.cache
def codec(name, medium):
    """Return a codec with its default settings, fitted on the records of a medium."""
    config = registry.load("codecs", name)()
    if name == "checkpoint-tokens":
        # Nothing is learned: it comes with a checkpoint.
        return load_codec(config, tokenizer_files())
    return fit_codec(config, iter(records(medium)), codec_components(config))


def tokenizer_files():
    """Return the files of a tokenizer of byte pairs as those of a checkpoint."""
    pairs = codec("bpe", "text")
    return {"tokenizer.json": pairs.tokenizer_json(), "tokens.json": SpecialTokens(ends=(pairs.end_token,)).to_json()}


def codec_components(config):
    """Return what a codec that is tested by itself works through."""
    if isinstance(config, EmbeddedCodecConfig):
        return {name: _tiny_prior() for name in config.components}
    return {name: _toy_component() for name in config.components}


@functools.cache
def _tiny_prior():
    """Return what draws vectors of captions."""
    fitted, config = fitted_stage("dalle2", 1)
    return component_of(new_family(config).eval(), fitted)


@functools.cache
def _toy_component():
    """Return an autoencoder of the size of the default image codec, for codecs that are tested by themselves."""
    family = ToyAutoencoder(ToyAutoencoderConfig(channels=3, height=32, width=32))
    family.initialise(torch.Generator().manual_seed(0))
    return component_of(family.eval())


def stage_cases():
    """Return (recipe, index of the stage) of every recipe in the registry that what is installed suffices for."""
    return [
        pytest.param(name, index, marks=pytest.mark.slow if (name, index) in REPETITIONS else ())
        for name in registry.names("recipes")
        for index, stage in enumerate(registry.load("recipes", name)().stages)
        if stage.family.kind != "pretrained" or importlib.util.find_spec("diffusers")
    ]


REPETITIONS = {
    *(("musicgen", 0), ("jukebox", 0), ("jukebox", 1), ("jukebox", 2), ("musiclm", 0), ("musiclm", 1), ("musiclm", 2)),
    *(("jukebox-lyrics", 0), ("jukebox-lyrics", 1), ("jukebox-lyrics", 2)),
    *(
        ("speech-voices", 0),
        ("speech-clone", 0),
        ("tacotron-voices", 0),
        ("vits-voices", 0),
        ("video-class", 0),
        ("wavenet-class", 0),
    ),
    *(
        ("flow", 0),
        ("image-class", 0),
        ("colorize", 0),
        ("image-tokens", 0),
        ("image-tokens", 1),
        ("latent-diffusion", 0),
        ("latent-video", 1),
        ("latent-video-text", 0),
    ),
    *(("sound-class", 0), ("musiclm", 3), ("answer", 0), ("rating", 0)),
    ("protein-structure", 0),
}
"""Stages with codec and family of another recipe's, where that one is asked already."""


@functools.cache
def pipeline_folder():
    """Return the folder of a tiny pipeline, for recipes that begin from one."""
    from makar.families.pretrained.opening import quiet
    from tests.families.pretrained.tiny_pipelines import stable_diffusion

    folder = Path(tempfile.mkdtemp()) / "pipeline"
    atexit.register(shutil.rmtree, folder.parent)
    with quiet():
        stable_diffusion().save_pretrained(folder)
    return folder


def whole_recipe(name):
    """Return a recipe; where it begins from a pretrained pipeline, from a tiny one."""
    made = registry.load("recipes", name)()
    family = made.stages[-1].family
    if family.kind != "pretrained":
        return made
    base = load_artifact(pipeline_folder()).recipe.stages[-1]
    stage = made.stages[-1].changed(codec=base.codec, family=base.family.changed(rank=family.rank))
    return made.changed(stages=(stage,))


@functools.cache
def fitted_stage(recipe, index, *, labelled=False):
    """Return (fitted codec, tiny configuration of the family) of a stage; of images with labels where they are asked for."""
    made = whole_recipe(recipe)
    stage = made.stages[index]
    if labelled:
        stage = stage.changed(codec=with_labels(stage.codec))
    names = [earlier.name for earlier in made.stages[:index]]
    components = {
        name: component_of(new_family(config).eval(), fitted)
        for name in stage.codec.components
        for fitted, config in [fitted_stage(recipe, names.index(name))]
    }
    fitted = fit_codec(stage.codec, iter(rows_for(stage.codec, made.medium)), components)
    return fitted, stage.family.bound_to(fitted.spec).scaled_to(TINY_PARAMETERS)


def with_labels(config):
    """Return a codec of images, or one that works through such a codec, told to learn labels."""
    if isinstance(config, ImageCodecConfig):
        return config.changed(use_labels=True)
    return config.changed(base=with_labels(config.base))


def new_family(config, *, seed=0):
    """Return a family with drawn weights."""
    if config.kind == "pretrained":
        # Every test has a home of its own, and the place of the pipeline is noted there.
        load_artifact(pipeline_folder())
    family = build_family(config)
    if config.kind == "policy":
        family.know(fitted_stage("grpo", 0)[0])
    family.initialise(torch.Generator().manual_seed(seed))
    if config.teacher() is not None:
        family.attach(new_family(config.teacher(), seed=9))
    return family
