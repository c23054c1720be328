"""Documents out of Python objects: an array of images or a list of texts."""

import functools
import hashlib
from collections.abc import Iterator

import numpy as np

from makar.data.array_reader import shape_problem
from makar.data.document import Document, Found, Skip, Source
from makar.data.text_stream import parts, repaired
from makar.errors import DataError, EmptyDataError


class ArraySource(Source):
    """Images in an array ``uint8 [N, height, width]`` or ``[N, height, width, channels]``.

    Raises:
        DataError: Another shape or dtype.
    """

    def __init__(self, images: np.ndarray) -> None:
        problem = shape_problem(images.shape, images.dtype)
        if problem:
            raise DataError(
                f"an array that holds no images: {problem}",
                expected="uint8 of [N, height, width] or [N, height, width, channels]",
                do="convert it, for example (values * 255).astype(numpy.uint8)",
            )
        self.name, self.medium = "array", "image"
        self.found = Found(files={"array": 1}, bytes={"array": images.nbytes})
        self._images = images if images.ndim == 4 else images[..., None]

    def documents(self, skip: Skip) -> Iterator[Document]:
        """Yield one document an image."""
        del skip
        for number, pixels in enumerate(self._images):
            yield Document(name=f"array#{number}", read=functools.partial(np.ascontiguousarray, pixels))

    def identity(self) -> Iterator[str]:
        """Yield shape and sha256 of the pixels."""
        digest = hashlib.sha256()
        for pixels in self._images:
            digest.update(np.ascontiguousarray(pixels).data)
        yield f"array\t{list(self._images.shape)}\t{digest.hexdigest()}"


class ListSource(Source):
    """Texts in a list of strings.

    Raises:
        DataError: Something in the list is no string.
        EmptyDataError: The list is empty.
    """

    def __init__(self, texts: list[str], *, medium: str = "text") -> None:
        for number, text in enumerate(texts):
            if not isinstance(text, str):
                raise DataError(f"item {number} of the list is a {type(text).__name__}", expected="a list of strings")
        if not texts:
            raise EmptyDataError("an empty list", expected="a list of strings")
        self.name, self.medium = "list", medium
        self.found = Found(files={"list": 1}, bytes={"list": sum(len(text) for text in texts)})
        self._texts = texts

    def documents(self, skip: Skip) -> Iterator[Document]:
        """Yield one document a string."""
        for number, text in enumerate(self._texts):
            if not text.strip():
                skip(f"list#{number}", "empty text")
                continue
            yield Document(name=f"list#{number}", read=functools.partial(_parts, text))

    def identity(self) -> Iterator[str]:
        """Yield the sha256 of every string."""
        for text in self._texts:
            yield hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _parts(text: str) -> Iterator[str]:
    return parts(iter([repaired(text)]))
