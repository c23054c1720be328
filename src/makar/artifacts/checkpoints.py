"""The folder of a checkpoint of transformers as an artifact that the rest of the house cannot tell from one of ours.

As with pipelines of images (``pipelines``) nobody signed such a folder: the header is made from what it says of itself and the manifest
from the hashes of its files, and every asset says that what it was trained on is unknown.
"""

from pathlib import Path

from makar.artifacts.artifact import SCHEMA, Artifact
from makar.codecs.pretrained_text_config import PretrainedTextCodecConfig
from makar.families.pretrained.checkpoint_folder import read_checkpoint
from makar.families.pretrained.text_opening import describe_checkpoint, tokenizer_files
from makar.provenance.pipelines import UNKNOWN, hashed_files, pipeline_statement, remember_pipeline
from makar.recipe import Recipe, Stage
from makar.version import VERSION

MEDIUM = "text"


def open_checkpoint_folder(folder: Path) -> Artifact:
    """Open the folder of a checkpoint; tokenizer and network are loaded when they are asked for.

    Args:
        folder: The folder.

    Raises:
        ArtifactError: It holds code or pickles, or lacks weights; the message says what to do.
        UnsupportedError: It is no network for text; the message says what it is.
        MissingExtraError: transformers is absent.
    """
    looked = read_checkpoint(folder)
    config = describe_checkpoint(folder)
    codec = PretrainedTextCodecConfig(vocabulary=config.vocabulary)
    recipe = Recipe(
        name="pretrained-text",
        medium=MEDIUM,
        summary=f"a pretrained {config.architecture}",
        stages=(Stage(name="text", codec=codec, family=config),),
    )
    statement = pipeline_statement(
        hashed_files(folder, looked.files), pipeline=config.architecture, medium=MEDIUM, added={}
    )
    remember_pipeline(statement, folder)
    header = {
        "schema": SCHEMA,
        "system": {"name": "makar", "version": VERSION},
        "time_utc": UNKNOWN,
        "medium": MEDIUM,
        "run": "",
        "recipe": recipe.to_dictionary(),
        "codec": codec.to_dictionary(),
        "family": config.to_dictionary(),
        "training": {"run": "", "parameters": config.weights},
        "data": {"fingerprint": UNKNOWN, "name": UNKNOWN},
        "components": {},
    }
    return Artifact(folder.absolute(), header, statement, codec_files=lambda: tokenizer_files(looked))
