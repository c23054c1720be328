"""A model behind an endpoint as an artifact without a folder, ``openai:NAME``; the network is asked when the model is, not before.

There is nothing here whose hash could be signed but the name and the address, and every asset says that no more is known.
"""

from pathlib import Path

from makar.artifacts.artifact import SCHEMA, Artifact
from makar.codecs.remote_text_config import RemoteTextCodecConfig
from makar.families.remote.config import OPENAI_URL, RemoteConfig
from makar.provenance import manifest as signing
from makar.provenance.keys import signing_key
from makar.provenance.links import data_manifest, run_manifest
from makar.provenance.manifest import SignedManifest, manifest_hash
from makar.provenance.pipelines import UNKNOWN
from makar.recipe import Recipe, Stage
from makar.version import VERSION

PREFIX = "openai:"
MEDIUM = "text"


def is_remote(text: object) -> bool:
    """Return whether a text names a model behind an endpoint.

    >>> is_remote("openai:gpt-4o"), is_remote("gpt2")
    (True, False)
    """
    return isinstance(text, str) and text.startswith(PREFIX)


def open_remote(text: str, *, base_url: str | None = None) -> Artifact:
    """Return a model behind an endpoint.

    Args:
        text: ``openai:NAME``.
        base_url: Address of the endpoint; ``None`` for that of OpenAI.

    Raises:
        ConfigError: No name, or no address that a key may be sent to.
    """
    config = RemoteConfig(name=text.removeprefix(PREFIX), base_url=(base_url or OPENAI_URL).rstrip("/"))
    codec = RemoteTextCodecConfig()
    recipe = Recipe(
        name="remote",
        medium=MEDIUM,
        summary=f"{config.name} at {config.base_url}",
        stages=(Stage(name="text", codec=codec, family=config),),
    )
    data = data_manifest({"fingerprint": UNKNOWN, "name": UNKNOWN, "medium": MEDIUM})
    run = run_manifest("", None, data)
    statement = {
        "schema": signing.SCHEMA,
        "type": "service",
        "medium": MEDIUM,
        "service": config.stated(),
        "training_data": "unknown: the endpoint does not state what its model was trained on",
        "previous": manifest_hash(run),
        "run": run,
        "data": data,
    }
    header = {
        "schema": SCHEMA,
        "system": {"name": "makar", "version": VERSION},
        "time_utc": UNKNOWN,
        "medium": MEDIUM,
        "run": "",
        "recipe": recipe.to_dictionary(),
        "codec": codec.to_dictionary(),
        "family": config.to_dictionary(),
        "training": {"run": ""},
        "data": {"fingerprint": UNKNOWN, "name": UNKNOWN},
        "components": {},
    }
    # It has no folder; the name is where others have a path, with nothing in it that could lead anywhere.
    place = Path(PREFIX + config.name.replace("/", "_"))
    return Artifact(place, header, SignedManifest(statement, signing_key().public_bytes.hex()))
