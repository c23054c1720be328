"""1,797 handwritten digits of 8 x 8 pixels that scikit-learn carries, brought from 0..16 to 0..255 and otherwise as they are.

Source: E. Alpaydin, C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning Repository (1998), test part.
"""

import functools
import hashlib
from collections.abc import Iterator

import numpy as np

from makar.data.document import Document, Found, Skip, Source

LICENCE = "CC-BY-4.0"
_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


class DigitsSource(Source):
    """The digits, one document each, labelled ``0`` to ``9``."""

    name, medium = "digits", "image"

    def __init__(self) -> None:
        from sklearn.datasets import load_digits

        digits = load_digits()
        self._images = np.clip(np.round(digits.images * (255 / 16)), 0, 255).astype(np.uint8)[..., None]
        self._labels = digits.target
        statement = {"licence": LICENCE, "stated_in": "UCI Machine Learning Repository, data set 80", "how": "built in"}
        self.found = Found(
            files={"digits": 1},
            bytes={"digits": self._images.nbytes},
            licences=[statement],
            notes=["handwritten digits of scikit-learn, 8 x 8 pixels of 17 grey levels"],
        )

    def documents(self, skip: Skip) -> Iterator[Document]:
        """Yield one document a digit."""
        del skip
        for number, (pixels, label) in enumerate(zip(self._images, self._labels.tolist())):
            yield Document(
                name=f"digits#{number}",
                read=functools.partial(np.copy, pixels),
                label=str(label),
                caption=f"the handwritten digit {_WORDS[label]}",
                licence=LICENCE,
            )

    def identity(self) -> Iterator[str]:
        """Yield the sha256 of all pixels and labels."""
        yield "digits\t" + hashlib.sha256(self._images.tobytes() + self._labels.astype("<i8").tobytes()).hexdigest()
