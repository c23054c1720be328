"""Another engine for a model: llama.cpp or OpenVINO computes what its text is drawn from, and everything else stays as it is."""

import functools
from typing import TYPE_CHECKING

from makar.errors import UnknownNameError, UnsupportedError

if TYPE_CHECKING:
    from makar.api.model import Model
    from makar.artifacts.artifact import Artifact
    from makar.families.family import Family
    from makar.families.transformer.family import TransformerFamily
    from makar.families.transformer.reading import EngineReaders

ENGINES = ("torch", "llama.cpp", "openvino")


def use_engine(model: "Model", name: str, *, precision: str = "float32") -> None:
    """Let an engine compute the texts of a model from now on.

    The manifests of its assets name an engine that is not Makar's own code. In ``float32`` the numbers are those of torch up to rounding,
    so a text is the same up to ties; the same seed gives the same text on the same engine.

    Args:
        model: A model of text or conversations that Makar saved, for llama.cpp of layout mainstream, or an adapter of one.
        name: ``"llama.cpp"``, ``"openvino"``, or ``"torch"`` for Makar's own code again.
        precision: The arithmetic that is made ready; others are when they are asked for.

    Raises:
        UnknownNameError: There is no such engine.
        UnsupportedError: The model has no form that the engine computes.
        MissingExtraError: The engine, or the package that writes its files, is absent.
        MakarError: The engine cannot be loaded, or does not take the model.
        ArtifactError: The file of the model cannot be written, or reads back differently.
    """
    from makar.families.transformer.family import TransformerFamily

    if name not in ENGINES:
        raise UnknownNameError("engine", name, ENGINES)
    family = _writer(model.artifact)
    if name == "torch":
        if isinstance(family, TransformerFamily):
            family.use_engine(None)
        return
    if not isinstance(family, TransformerFamily):
        raise UnsupportedError(
            f"a model of {family.config.kind} on the engine {name}",
            expected="a model of text or conversations that Makar saved",
        )
    family.use_engine(
        _llama_cpp(model.artifact, precision) if name == "llama.cpp" else _openvino(family, precision=precision)
    )


def check_no_engine(artifact: "Artifact") -> None:
    """Refuse what an engine does not follow: it computes the weights of its own file.

    Raises:
        UnsupportedError: An engine other than Makar's own code computes the texts of a model.
    """
    if engine := _writer(artifact).computing.get("engine"):
        raise UnsupportedError(
            f"other adapters while {engine} computes the texts",
            expected="Makar's own code",
            do='makar.api.engines.use_engine(model, "torch") first',
        )


def _writer(artifact: "Artifact") -> "Family":
    """Return what computes the tokens of a model: of one that talks its decoder."""
    from makar.families.conversation.speaking import SpeakingFamily

    family = artifact.family()
    return family.writer if isinstance(family, SpeakingFamily) and family.config.writes else family


def _llama_cpp(artifact: "Artifact", precision: str) -> "EngineReaders":
    from makar.artifacts.engine_file import engine_file
    from makar.artifacts.export_gguf import mainstream_config
    from makar.families.transformer.llama_reader import LlamaReaders

    readers = LlamaReaders(mainstream_config(artifact), functools.partial(engine_file, artifact))
    # What is refused is refused now, and a first request does not wait for a file.
    engine_file(artifact, precision)
    return readers


def _openvino(family: "TransformerFamily", *, precision: str) -> "EngineReaders":
    from makar.families.transformer.decoder import DecoderShape
    from makar.families.transformer.layouts import transformers_settings
    from makar.families.transformer.openvino_reader import OpenVinoReaders
    from makar.nn.threads import threads_for

    shape = DecoderShape.from_transformers(transformers_settings(family.config, tokens={}))
    readers = OpenVinoReaders(shape, family.network.saved_tensors)
    # A first request does not wait for the compiler.
    with threads_for(family.config.computed_weights()):
        readers.prepare(precision)
    return readers
