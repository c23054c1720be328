"""A saved model in Python: generate, stream, evaluate, export; and ``load``, ``verify`` and ``import_model``."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from makar.home import models_folder

if TYPE_CHECKING:
    from makar.artifacts.artifact import Artifact
    from makar.evaluation.report import Report
    from makar.generation.asset import Asset
    from makar.provenance.verification import Verification


class Model:
    """A saved model. Its weights are read at the first use.

    Args:
        artifact: The opened artifact.
    """

    def __init__(self, artifact: "Artifact") -> None:
        self.artifact = artifact

    def __repr__(self) -> str:
        return f"Model({self.short_name!r}, medium={self.medium!r}, hash={self.hash[:16]!r})"

    @property
    def path(self) -> Path:
        """Its folder."""
        return self.artifact.path

    @property
    def short_name(self) -> str:
        """The shortest text by which ``load`` finds it: its name, or its path when it lies elsewhere."""
        return self.path.name if self.path.parent == models_folder() else str(self.path)

    @property
    def medium(self) -> str:
        """The medium that it makes."""
        return self.artifact.medium

    @property
    def hash(self) -> str:
        """The hash that its assets name."""
        return self.artifact.hash

    @property
    def makes_text(self) -> bool:
        """Whether its content is text that can be printed."""
        return self.medium in ("text", "code")

    def generate(
        self,
        prompts: str | int | np.ndarray | Sequence[Any] | None = None,
        *,
        count: int = 1,
        seed: int = 0,
        options: Mapping[str, Any] | None = None,
        refuse_copies: bool = False,
    ) -> list["Asset"]:
        """Make new content.

        Args:
            prompts: Text to continue, the name of a class, tokens, or several of these; ``None`` for nothing.
            count: Assets for every prompt.
            seed: Seed of the first; the same seed gives the same asset.
            options: Sampling controls by name, for example ``{"temperature": 0.8, "top_p": 0.95}`` or ``{"steps": 10}``.
            refuse_copies: Draw again what is too close to the training data.

        Returns:
            Signed assets, prompt after prompt.

        Raises:
            UnsupportedError: A control or prompt that this model cannot honour; the message names what it can.
            CopyRefusedError: Every draw for an asset was too close to the training data.
        """
        return list(
            self.generate_each(prompts, count=count, seed=seed, options=options, refuse_copies=refuse_copies)
        )

    def generate_each(
        self,
        prompts: str | int | np.ndarray | Sequence[Any] | None = None,
        *,
        count: int = 1,
        seed: int = 0,
        options: Mapping[str, Any] | None = None,
        refuse_copies: bool = False,
    ) -> Iterator["Asset"]:
        """Make new content like ``generate``, and give each asset as soon as it is finished."""
        from makar.generation.generate import generate

        return generate(
            self.artifact,
            prompts=prompts,
            count=count,
            seed=seed,
            options=dict(options or {}),
            novelty=self.novelty_index(),
            refuse_copies=refuse_copies,
        )
