"""What codecs of texts as rows of tokens share: the tokenizer in the saved model, what was noticed of the data, and the text of a row."""

import json
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from makar.codecs.codec import Codec
from makar.codecs.text_rows import TextRows
from makar.codecs.text_rows_config import TextRowsConfig
from makar.errors import ArtifactError
from makar.tensor_spec import TARGET


class RowCodec(Codec):
    """A codec whose texts are rows of tokens.

    Args:
        config: The settings, lengths known.
        rows: What turns texts into rows.
        about: What was learned and noticed of the data, as plain values.
    """

    about_file: ClassVar[str]
    """File of the saved model with what was learned and noticed."""

    def __init__(self, config: TextRowsConfig, rows: TextRows, about: dict[str, Any]) -> None:
        self.config: TextRowsConfig = config
        self.rows = rows
        self.about = about

    def files(self) -> dict[str, bytes]:
        """Return the tokenizer, and what was learned and noticed of the data."""
        return {**self.rows.file(), self.about_file: json.dumps(self.about, indent=1, ensure_ascii=False).encode()}

    @property
    def end_token(self) -> int:
        """The token that ends a text."""
        return self.rows.text.end_token

    def tokenizer_json(self) -> bytes:
        """Return the tokenizer in the format of the `tokenizers` library."""
        return self.rows.text.tokenizer_json()

    def windows(self, text: str) -> np.ndarray:
        """Return a text as rows of tokens, int64 ``[windows, length]``."""
        return self.rows.windows(text)

    def decode(self, slots: dict[str, np.ndarray]) -> str:
        """Return the text of a row."""
        return self.rows.decode(slots[TARGET])


def read_about(files: Mapping[str, bytes], name: str, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a codec noticed of the data, from a file of a saved model.

    Args:
        files: The files.
        name: The one.
        wanted: What it has to say, each with a value of its kind; they are the answer where there is no such file, because the tokenizer
            comes from another model.

    Raises:
        ArtifactError: It says something else.
    """
    if name not in files:
        return dict(wanted)
    try:
        about = json.loads(files[name])
    except ValueError as error:
        raise ArtifactError(f"{name} cannot be read: {error}", do="get the model again") from error
    fits = isinstance(about, dict) and all(type(about.get(key)) is type(value) for key, value in wanted.items())
    if not fits or any(not isinstance(item, str) for key in wanted for item in _items(about[key])):
        raise ArtifactError(f"{name} does not say what it should", expected=", ".join(wanted))
    return dict(about)


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
