"""Adapters that are put to a model of text when it is opened: found by name or folder, and compared with the model before they are added.

What is compared: the hash of the base where the adapter is one of ours, which then also says what is different, the tokens where a
tokenizer comes with it, and every layer with its shape. An adapter that passes all three may still have been learned over another model of
the same shape where its author left no hash: then nobody can tell.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from makar.artifacts.artifact import HEADER_NAME, Artifact, read_header
from makar.codecs.codec import Codec
from makar.errors import ArtifactError, UnsupportedError, UsageError
from makar.families.adapter_config import ADAPTER_SETTINGS
from makar.families.adapter_files import AdapterFile, read_adapter
from makar.families.conversation.config import decoder_of
from makar.families.family_config import FamilyConfig
from makar.families.pretrained.text_config import PretrainedTextConfig
from makar.home import models_folder
from makar.provenance.folder import is_safe_name, read_limited
from makar.provenance.manifest import read_strict_json

TOKENIZER_FILE = "tokenizer.json"
FREE = ("adapter", "recompute", "context", "dropout", "infill_share", "infill_tokens", "vocabulary")
"""Settings of a decoder that no weight depends on, or that are compared as tokens."""


@runtime_checkable
class HasTokenizer(Protocol):
    """A codec of text that others can use."""

    def tokenizer_json(self) -> bytes:
        """Return the tokenizer in the format of the `tokenizers` library."""


def adapters_for(artifact: Artifact, texts: Sequence[str]) -> list[AdapterFile]:
    """Return what a user asks to add to a model.

    Args:
        artifact: The model.
        texts: Each NAME or FOLDER of an adapter, or either with ``:WEIGHT``.

    Raises:
        UsageError: There is no such adapter, or a weight is no number.
        UnsupportedError: The model takes none, or is an adapter itself.
        ArtifactError: One was made for another model; the message says what is different.
    """
    config = artifact.family_config
    decoder = decoder_of(config)
    if decoder is None:
        raise UnsupportedError(
            f'an adapter for {artifact.name}, a model of family "{config.kind}"',
            expected="a decoder of text, a checkpoint that continues text or a pipeline of diffusers",
        )
    if decoder.adapter is not None:
        raise UnsupportedError(
            f'another adapter on top of "{artifact.name}", which is one itself',
            expected="the model that both were learned from",
            do=f"makar generate BASE --lora {artifact.name} --lora OTHER",
        )
    found = []
    for text in texts:
        folder, weight = _place(text)
        _check_base(artifact, folder)
        _check_tokens(artifact.codec(), folder)
        found.append(read_adapter(folder, weight=weight))
    return found


def base_hash(artifact: Artifact) -> str:
    """Return the hash that an adapter of a model names."""
    config = artifact.family_config
    return config.base if isinstance(config, PretrainedTextConfig) else artifact.hash


def _place(text: str) -> tuple[Path, float]:
    name, colon, number = text.rpartition(":")
    weight = 1.0
    if colon and _folder(text) is None:
        try:
            weight = float(number)
        except ValueError as error:
            raise UsageError(
                f'"{text}" is no adapter', expected="NAME or FOLDER, or with a weight: poems:0.8"
            ) from error
    else:
        name = text
    folder = _folder(name)
    if folder is None:
        raise UsageError(f'there is no adapter "{name}"', expected="its name, or the folder of PEFT")
    return folder, weight


def _folder(name: str) -> Path | None:
    places = [Path(name).expanduser()]
    if is_safe_name(name) and "/" not in name:
        places.append(models_folder() / name)
    return next((place for place in places if (place / ADAPTER_SETTINGS).is_file()), None)


def _check_base(artifact: Artifact, folder: Path) -> None:
    if not (folder / HEADER_NAME).is_file():
        return
    header = read_header(folder)
    family = header["family"].get("decoder", header["family"])
    adapter = family.get("adapter") or {}
    if not isinstance(adapter, dict) or adapter.get("base") == base_hash(artifact):
        return
    parent = header["recipe"].get("parent") or {}
    raise ArtifactError(
        f'the adapter "{folder.name}" was learned over "{parent.get("name", "another model")}" ({str(adapter.get("base"))[:16]}), '
        f'and this is "{artifact.name}" ({base_hash(artifact)[:16]}): {_difference(artifact.family_config, family)}',
        expected="the model that it was learned from",
        # One that brought tokens of its own is no addition to a model that has not got them.
        do=f"makar generate {folder.name}"
        if adapter.get("whole")
        else f"makar generate {parent.get('name', 'BASE')} --lora {folder.name}",
    )


def _difference(config: FamilyConfig, theirs: dict[str, Any]) -> str:
    decoder = decoder_of(config)
    ours = (config if decoder is None else decoder).to_dictionary()
    names = [name for name in ours if name not in FREE and name in theirs and ours[name] != theirs[name]]
    if names:
        return "; ".join(f"{name.replace('_', ' ')} {theirs[name]} there and {ours[name]} here" for name in names[:4])
    return "the shape is the same, the weights are others"


def _check_tokens(codec: Codec, folder: Path) -> None:
    """Refuse an adapter that was learned over other tokens; where none came with it, nothing can be said."""
    if not (folder / TOKENIZER_FILE).is_file() or not isinstance(codec, HasTokenizer):
        return
    ours, theirs = (
        _tokens(read_strict_json(content))
        for content in (codec.tokenizer_json(), read_limited(folder / TOKENIZER_FILE))
    )
    moved = sorted(token for token in ours.keys() & theirs.keys() if ours[token] != theirs[token])
    foreign = sorted(theirs.keys() ^ ours.keys(), key=lambda token: (token in ours, token))
    if moved or foreign:
        shown = ", ".join(json.dumps(token, ensure_ascii=False) for token in [*foreign, *moved][:6])
        raise ArtifactError(
            f'the adapter "{folder.name}" was learned over other tokens: {len(foreign)} are only on one side, {len(moved)} have '
            f"other numbers: {shown}",
            expected="the tokenizer of this model",
            do=f"makar generate {folder.name}, which has its own tokens"
            if (folder / HEADER_NAME).is_file()
            else "take the model that it was learned from",
        )


def _tokens(tokenizer: Any) -> dict[str, int]:
    if not isinstance(tokenizer, dict) or not isinstance(tokenizer.get("model"), dict):
        raise ArtifactError(f"{TOKENIZER_FILE} is no tokenizer", do="get the adapter again")
    listed = tokenizer["model"].get("vocab")
    # Of unigram models it is a list of pairs, the number of a token its place.
    known = dict(listed) if isinstance(listed, dict) else {str(pair[0]): at for at, pair in enumerate(listed or [])}
    return known | {str(one["content"]): int(one["id"]) for one in tokenizer.get("added_tokens") or []}
