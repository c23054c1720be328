"""Settings of the codec of texts with classes; no torch."""

import dataclasses
from collections.abc import Mapping
from typing import ClassVar

from makar.codecs.text_rows_config import TextRowsConfig
from makar.errors import ConfigError
from makar.tensor_spec import CLASS, TARGET, Slot, TensorSpec


@dataclasses.dataclass(frozen=True, kw_only=True)
class LabelledTextCodecConfig(TextRowsConfig):
    """Texts as rows of byte-level pairs, each with its class, or with the labels that it bears."""

    kind: ClassVar[str] = "labelled-text"
    target: ClassVar[str] = "makar.codecs.labelled_text:LabelledTextCodec"
    task: ClassVar[str] = "classify"

    def estimated_spec(self, labels: Mapping[str, int]) -> TensorSpec:
        """Return rows of a usual length, each with one of the labels."""
        label = Slot(kind="tokens", axes=(), sizes=(), vocabulary=len(labels) + 1)
        return TensorSpec({TARGET: self.usual_text(), CLASS: label})


def one_class(label: str) -> ConfigError:
    """Return the error for texts that all have one label, of which nothing can be told."""
    return ConfigError(
        f'every text has the label "{label}"', expected="two classes at least", do="add texts of another"
    )
