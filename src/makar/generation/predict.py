"""``predict``: what a model says of content that exists, one row an item; nothing is made, so nothing is signed.

Texts are read in ``predict_text`` and recordings in ``transcribing``; the rest of this file is about images.

Captions may also be written beside the images, from where a later training reads them; what is there already is kept.

A model of images and captions in one space (``makar.families.contrastive``) is asked with words: ``labels`` tells how likely each of some
labels is, ``query`` puts the images in the order in which they fit a text.
"""

import dataclasses
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch

from makar.artifacts.artifact import Artifact
from makar.errors import EmptyDataError, UnsupportedError, UsageError
from makar.families.recogniser.config import TRANSCRIPT
from makar.generation.able import recipes_with_prediction
from makar.generation.asset import write_new
from makar.generation.bugs import BUGS, TOP, find_bugs
from makar.generation.embed import VECTOR, vectors_of
from makar.generation.given_image import ImageSource, read_given_image
from makar.generation.image_slots import encoded
from makar.generation.jobs import LARGEST_SEED
from makar.generation.predict_text import predict_text
from makar.generation.prompts import EncodesCaptions
from makar.generation.transcribing import transcribe_each
from makar.generation.zero_shot import label_texts
from makar.nn.threads import threads_for
from makar.tensor_spec import CAPTION, TARGET

TOGETHER = 64
LABELS, SIMILARITY = "labels", "similarity"
"""Predictions that compare images with words."""

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff")


@runtime_checkable
class DecodesCaptions(Protocol):
    """A codec that turns the tokens of a ``caption`` into text."""

    def decode_caption(self, tokens: np.ndarray) -> str:
        """Return the text of tokens ``[length]``."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Question:
    """What is asked of every image: one of the model's predictions, and the words that it is compared with."""

    what: str
    words: tuple[str, ...] = ()


def predict(
    artifact: Artifact,
    inputs: Sequence[ImageSource] | ImageSource,
    *,
    what: str | None = None,
    labels: Sequence[str] | str | None = None,
    query: str | None = None,
    seed: int = 0,
    write_captions: bool = False,
    top: int | None = None,
) -> Iterator[dict[str, Any]]:
    """Say something of each image or text.

    Args:
        artifact: The model.
        inputs: Files, folders of images, arrays uint8 ``[rows, columns, channels]``, or several of these; of a model that reads texts
            texts, files or folders of text; of one that writes down speech sound files or folders of them.
        what: One of the model's predictions, for example ``"anomaly"``; ``None`` where it has one only, or where words say it.
        labels: Descriptions of which each image, or each text (see ``zero_shot``), is to get the likeliest; split at commas.
        query: A description that the images are ordered by; of texts a question that each is to answer, or a text that they are
            ordered by.
        seed: Seed of draws, where the prediction needs any.
        write_captions: Write each caption beside its image, in a text file of the same name; one that exists is kept.
        top: With ``"bugs"``: how many lines of each file, the most suspicious first; ``None`` is 10.

    Yields:
        One dictionary an image: ``input`` (its path, or its number for an array), ``what``, and what the model says. For
        ``"anomaly"`` a ``score``, higher is stranger; with labels the likeliest ``label``, its ``probability`` and all
        ``probabilities``; with a query a ``similarity``, -1 to 1, and the ``rank``, the most similar first; for ``"caption"`` a
        ``caption``; for ``"transcript"`` ``text``, ``segments`` and ``words`` with times (``transcribing``). With
        ``write_captions`` also ``file`` and ``written``, which is false where there was a file already.

    Raises:
        UsageError: A path does not exist, it is not said what to predict, or there is no caption to write or no file to write it beside.
        UnsupportedError: The model cannot predict that; the message names recipes that can.
        DataError: A file cannot be read as an image.
        EmptyDataError: There is nothing to look at.
    """
    config = artifact.recipe.stages[-1].family
    if artifact.medium in ("text", "code") and write_captions:
        raise UsageError("captions to write for texts", expected="a model that predicts captions, and image files")
    if artifact.medium in ("text", "code") and labels is not None and what is None and query is None:
        if top is not None:
            raise UsageError("labels and a number of lines", expected="one of them")
        return label_texts(artifact, inputs, labels=labels, seed=seed)
    if artifact.medium in ("text", "code") and config.predictions:
        _asked(what, labels, None, config.predictions)
        if BUGS in config.predictions:
            return _bugs(artifact, inputs, query=query, top=top)
        if top is not None:
            raise UsageError("a number of lines", expected="a model that says which lines look wrong")
        if VECTOR in config.predictions:
            return vectors_of(artifact, inputs, query=query)
        return predict_text(artifact, inputs, query=query)
    if top is not None:
        raise UsageError("a number of lines", expected="a model of code")
    if artifact.medium in ("text", "code") and what is None and labels is None:
        raise UnsupportedError(
            f"{artifact.name} predicts nothing: it writes",
            expected="a model that reads, or one that continues text with --labels to tell apart",
            do=f"makar generate {artifact.name} TEXT; to read, train with one of these recipes: "
            + ", ".join(recipes_with_prediction("", medium="text")),
        )
    question = _asked(what, labels, query, config.predictions)
    if question.what == TRANSCRIPT:
        if write_captions:
            raise UsageError("captions to write for recordings", expected="--json, which has texts, words and times")
        return transcribe_each(artifact, inputs)
    if not 0 <= seed < LARGEST_SEED:
        raise UsageError(f"the seed {seed}", expected=f"0 to {LARGEST_SEED - 1}")
    images = _listed(inputs)
    if not images:
        raise EmptyDataError("there is no image to look at", expected="image files, or a folder that has some")
    rows = _rows(artifact, images, question, seed)
    if write_captions:
        if question.what != CAPTION or any(isinstance(source, np.ndarray) for _, source in images):
            raise UsageError(
                "captions of arrays to write"
                if question.what == CAPTION
                else f'captions to write for the prediction "{question.what}"',
                expected="a model that predicts captions, and files",
            )
        return _written(rows)
    return _ranked(rows) if question.what == SIMILARITY else rows


def _bugs(artifact: Artifact, inputs: Any, *, query: str | None, top: int | None) -> Iterator[dict[str, Any]]:
    if query is not None:
        raise UsageError(f'a question for the prediction "{BUGS}"', expected="files of code")
    if isinstance(inputs, np.ndarray) or (top is not None and top < 1):
        raise UsageError("no file, or no line of it", expected="files of code, and at least one line")
    return find_bugs(artifact, inputs, top=TOP if top is None else top)


def _asked(what: str | None, labels: Sequence[str] | str | None, query: str | None, able: tuple[str, ...]) -> _Question:
    if labels is not None and query is not None:
        raise UsageError("labels and a query", expected="one of them")
    listed = labels.split(",") if isinstance(labels, str) else labels
    words = {LABELS: listed, SIMILARITY: None if query is None else [query]}
    given = next((name for name, value in words.items() if value is not None), None)
    if given is not None and what not in (None, given):
        raise UsageError(f'words for "{given}" and "{what}" to be predicted', expected="one of them")
    chosen = _chosen(given or what, able)
    if chosen not in words:
        return _Question(what=chosen)
    said = tuple(" ".join(word.split()) for word in words[chosen] or ())
    if not said or "" in said or len(set(said)) < len(said):
        raise UsageError(
            f"{chosen} of {', '.join(map(repr, said)) or 'no words'}",
            expected="different labels, for example a cat,a dog" if chosen == LABELS else "a query in words",
        )
    return _Question(what=chosen, words=said)


def _chosen(what: str | None, able: tuple[str, ...]) -> str:
    if what in able:
        return what
    if what is None and len(able) == 1:
        return able[0]
    if what is None and able:
        raise UsageError("it is not said what to predict", expected=f"one of: {', '.join(able)}")
    recipes = recipes_with_prediction(what or "")
    raise UnsupportedError(
        f'this model cannot predict "{what}"' if what else "this model predicts nothing",
        expected=f"one of: {', '.join(able)}" if able else "a model that can predict",
        do=f"train with one of these recipes: {', '.join(recipes)}" if recipes else "no recipe can do this yet",
    )


def _rows(
    artifact: Artifact, images: list[tuple[str, ImageSource]], question: _Question, seed: int
) -> Iterator[dict[str, Any]]:
    codec, family = artifact.codec(), artifact.family()
    waiting = iter(images)
    device = next(family.parameters()).device
    words = {}
    if question.words:
        if not isinstance(codec, EncodesCaptions):
            raise UnsupportedError("words for a model that reads none", do='train with the recipe "clip"')
        rows = np.stack([np.asarray(codec.encode_caption(word), np.int64) for word in question.words])
        words = {CAPTION: torch.from_numpy(rows).to(device)}
    number = 0
    while part := list(islice(waiting, TOGETHER)):
        batch = torch.stack([encoded(read_given_image(source).pixels, codec) for _, source in part])
        generator = torch.Generator().manual_seed(seed + number)
        number += 1
        with threads_for(family.config.computed_weights(), convolutional=True), torch.no_grad():
            found = family.predict({TARGET: batch.to(device), **words}, question.what, generator)
        for row, (name, _) in enumerate(part):
            said = {key: np.asarray(values[row]).tolist() for key, values in found.items()}
            if question.what == CAPTION:
                assert isinstance(codec, DecodesCaptions), "a family that says captions fits a codec of captions"
                said = {CAPTION: codec.decode_caption(found[CAPTION][row])}
            yield {"input": name, "what": question.what, **_in_words(said, question)}


def _in_words(said: dict[str, Any], question: _Question) -> dict[str, Any]:
    """Return what a family says of one image beside the words that it was compared with."""
    if question.what == LABELS:
        shares = dict(zip(question.words, said["probability"], strict=True))
        label = max(shares, key=lambda word: shares[word])
        return {"label": label, "probability": shares[label], "probabilities": shares}
    if question.what == SIMILARITY:
        return {"query": question.words[0], "similarity": said["similarity"][0]}
    return said


def _ranked(rows: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield rows from the most similar on, with their rank; equal ones stay in their order."""
    for rank, row in enumerate(sorted(rows, key=lambda row: -row["similarity"]), start=1):
        yield row | {"rank": rank}


def _written(rows: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for row in rows:
        path = Path(row["input"]).with_suffix(".txt")
        is_free = not (path.exists() or path.is_symlink())
        if is_free:
            write_new(path, (row[CAPTION] + "\n").encode())
        yield {**row, "file": str(path), "written": is_free}


def _listed(inputs: Sequence[ImageSource] | ImageSource) -> list[tuple[str, ImageSource]]:
    """Return every image with its name; a folder stands for the images in it, in the order of their names."""
    if isinstance(inputs, np.ndarray) and inputs.ndim == 4:
        inputs = list(inputs)
    items = [inputs] if isinstance(inputs, str | Path | np.ndarray) else list(inputs)
    listed: list[tuple[str, ImageSource]] = []
    for number, item in enumerate(items):
        if isinstance(item, np.ndarray):
            listed.append((str(number), item))
        elif Path(item).is_dir():
            found = sorted(path for path in Path(item).rglob("*") if path.suffix.lower() in SUFFIXES)
            listed += [(str(path), path) for path in found if path.is_file()]
        else:
            listed.append((str(item), item))
    return listed
