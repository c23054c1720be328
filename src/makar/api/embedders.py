"""The embedder of an index in Python: opened by what the index notes, and compared with the one that made its vectors."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from makar.errors import ArtifactError

if TYPE_CHECKING:
    from makar.api.model import Model
    from makar.generation.embed import Purpose
    from makar.retrieval.index import Index
    from makar.retrieval.search import Encoder

ENCODER, ADDRESS = "encoder", "address of the encoder"
"""Names that an index notes its embedder under: what ``makar.load`` takes, and of an endpoint where it is."""


def choose_embedder(
    index: "Index", encoder: str | Path, *, base_url: str | None = None, changes: bool = False
) -> "Encoder":
    """Make a model the embedder of an index.

    Args:
        index: The index.
        encoder: A model of the recipe ``embed``, the folder of a sentence encoder, or ``openai:NAME``.
        base_url: Of the latter: the address of the endpoint; ``None`` for that of OpenAI.
        changes: Whether it may take the place of another one; every passage then gets another vector.

    Raises:
        ArtifactError: The index has vectors of another one.
        UnsupportedError: The model makes no vectors.
    """
    from makar.api.model import load
    from makar.artifacts.remote import is_remote
    from makar.retrieval.embedder import PROBE, note_embedder

    # A model that makes no vectors is refused here: noted, it would be in the way of every later call.
    model = load(encoder, base_url=base_url)
    probe = model.embed([PROBE])[0]
    note_embedder(index, name_of(model), probe if is_remote(encoder) else None, is_changed=changes)
    index.note(ENCODER, str(encoder) if is_remote(encoder) else str(model.path.resolve()))
    index.note(ADDRESS, base_url or "")
    return _Checked(index, model).encoder


def embedder_of(index: "Index") -> "Encoder | None":
    """Return what compares texts in an index; ``None`` where words alone do.

    Raises:
        ArtifactError: It is gone, or another one than that of the vectors.
    """
    from makar.api.model import load
    from makar.artifacts.remote import is_remote
    from makar.retrieval.embedder import check_embedder

    place = index.about(ENCODER)
    if place is None:
        return None
    if not is_remote(place) and not Path(place).is_dir():
        raise ArtifactError(
            f"the encoder of this index is gone: {place}",
            do="makar index DOCUMENTS -o INDEX --encoder MODEL --change-encoder names another one",
        )
    model = load(place, base_url=index.about(ADDRESS) or None)
    check_embedder(index, name_of(model))
    return _Checked(index, model).encoder


def name_of(model: "Model") -> str:
    """Return what vectors of a model are kept under, with the identity of its weights, or of name and address of an endpoint."""
    return f"{model.path.name} {model.hash[:16]}"


class _Checked:
    """A model whose vectors are compared, before the first of them is used, with those that it made of the same text before.

    Weights on this machine are known by their hash; what is behind an endpoint is only known by what it answers.
    """

    def __init__(self, index: "Index", model: "Model") -> None:
        from makar.families.remote.config import RemoteConfig
        from makar.retrieval.embedder import kept_under
        from makar.retrieval.search import Encoder

        self._index, self._model = index, model
        self._is_known = not isinstance(model.artifact.family_config, RemoteConfig)
        name = kept_under(index, name_of(model))
        self.encoder = Encoder(name=name, embed=self._passages, embed_question=self._questions)

    def _passages(self, texts: Sequence[str]) -> np.ndarray:
        return self._made(texts, "passage")

    def _questions(self, texts: Sequence[str]) -> np.ndarray:
        return self._made(texts, "question")

    def _made(self, texts: Sequence[str], purpose: "Purpose") -> np.ndarray:
        from makar.generation.embed import embed
        from makar.retrieval.embedder import PROBE, check_embedder

        if self._is_known:
            return embed(self._model.artifact, texts, purpose=purpose).values
        # In the same request, so that it costs one text and no further wait.
        made = embed(self._model.artifact, [PROBE, *texts], purpose=purpose).values
        check_embedder(self._index, name_of(self._model), made[0])
        self._is_known = True
        return made[1:]
