"""Another engine for a model: llama.cpp computes what its text is drawn from, and everything else stays as it is."""

import functools
from typing import TYPE_CHECKING

from makar.errors import UnknownNameError

if TYPE_CHECKING:
    from makar.api.model import Model

ENGINES = ("torch", "llama.cpp")


def use_engine(model: "Model", name: str, *, precision: str = "float32") -> None:
    """Let an engine compute the texts of a model from now on.

    The manifests of its assets name an engine that is not Makar's own code. In ``float32`` the numbers are those of torch up to rounding,
    so a text is the same up to ties; the same seed gives the same text on the same engine.

    Args:
        model: A model of text of layout mainstream, or an adapter of one.
        name: ``"llama.cpp"``, or ``"torch"`` for Makar's own code again.
        precision: The arithmetic that is made ready; others are when they are asked for.

    Raises:
        UnknownNameError: There is no such engine.
        UnsupportedError: The model has no form that llama.cpp reads.
        MissingExtraError: llama.cpp or the package that writes its files is absent.
        ArtifactError: The file of the model cannot be written, or reads back differently.
    """
    from makar.artifacts.engine_file import engine_file
    from makar.artifacts.export_gguf import mainstream_config
    from makar.families.transformer.family import TransformerFamily
    from makar.families.transformer.llama_reader import LlamaReaders

    if name not in ENGINES:
        raise UnknownNameError("engine", name, ENGINES)
    family = model.artifact.family()
    if name == "torch":
        if isinstance(family, TransformerFamily):
            family.use_engine(None)
        return
    config = mainstream_config(model.artifact)
    assert isinstance(family, TransformerFamily), "what a configuration of layout mainstream makes"
    readers = LlamaReaders(config, functools.partial(engine_file, model.artifact))
    # What is refused is refused now, and a first request does not wait for a file.
    engine_file(model.artifact, precision)
    family.use_engine(readers)
