"""Models that need no training as artifacts without a folder, ``builtin:NAME``: their weights stand in the code of this version.

What would be signed of a folder is the name here, with the version and the configuration; there was no run and there is no data.
"""

from collections.abc import Callable
from pathlib import Path

from makar.artifacts.artifact import SCHEMA, Artifact
from makar.codecs.summary_config import USUAL_SENTENCES, USUAL_SUMMARY, USUAL_TEXT, SummaryCodecConfig
from makar.errors import UnknownNameError
from makar.families.extractive.config import ExtractiveConfig
from makar.provenance import manifest as signing
from makar.provenance.keys import signing_key
from makar.provenance.links import data_manifest, run_manifest
from makar.provenance.manifest import SignedManifest, manifest_hash
from makar.provenance.pipelines import UNKNOWN
from makar.recipe import Recipe, Stage
from makar.version import VERSION

PREFIX = "builtin:"


def _extractive() -> Recipe:
    return Recipe(
        name="extractive",
        medium="text",
        summary="sums a text up by its own sentences: what is central and where it stands",
        stages=(Stage(name="model", codec=SummaryCodecConfig(), family=ExtractiveConfig(fixed=True, hidden=0)),),
    )


MODELS: dict[str, tuple[Callable[[], Recipe], Callable[[], dict[str, bytes]]]] = {
    "extractive": (
        _extractive,
        lambda: {"usual.json": f"[{USUAL_SENTENCES}, {USUAL_TEXT}, {USUAL_SUMMARY}]".encode()},
    ),
}
"""By name: the parts of a model, and the files of its codec."""


def is_builtin(text: object) -> bool:
    """Return whether a text names a model that comes with the code.

    >>> is_builtin("builtin:extractive"), is_builtin("extractive")
    (True, False)
    """
    return isinstance(text, str) and text.startswith(PREFIX)


def open_builtin(text: str) -> Artifact:
    """Return a model that needs no training.

    Args:
        text: ``builtin:NAME``.

    Raises:
        UnknownNameError: There is no such model; the nearest name is proposed.
    """
    name = text.removeprefix(PREFIX)
    if name not in MODELS:
        raise UnknownNameError("built-in model", name, MODELS)
    make_recipe, codec_files = MODELS[name]
    recipe = make_recipe()
    (stage,) = recipe.stages
    data = data_manifest({"fingerprint": UNKNOWN, "name": UNKNOWN, "medium": recipe.medium})
    run = run_manifest("", None, data)
    statement = {
        "schema": signing.SCHEMA,
        "type": "builtin",
        "medium": recipe.medium,
        "builtin": {"name": name, "version": VERSION, "family": stage.family.to_dictionary()},
        "training_data": "none: its weights stand in the code",
        "previous": manifest_hash(run),
        "run": run,
        "data": data,
    }
    header = {
        "schema": SCHEMA,
        "system": {"name": "makar", "version": VERSION},
        "time_utc": UNKNOWN,
        "medium": recipe.medium,
        "run": "",
        "recipe": recipe.to_dictionary(),
        "codec": stage.codec.to_dictionary(),
        "family": stage.family.to_dictionary(),
        "training": {"run": ""},
        "data": {"fingerprint": UNKNOWN, "name": UNKNOWN},
        "components": {},
    }
    signed = SignedManifest(statement, signing_key().public_bytes.hex())
    return Artifact(Path(text), header, signed, codec_files=codec_files)
