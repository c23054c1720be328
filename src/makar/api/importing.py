"""Models that come from outside: what ``export`` wrote, and checkpoints of others that become models of ours."""

from pathlib import Path

from makar.api.model import Model
from makar.api.places import model_place


def import_model(path: str | Path, *, output: str | Path) -> Model:
    """Bring back a model that ``export`` wrote, trained on elsewhere or not, or bring in a checkpoint of others.

    Args:
        path: A folder that ``export`` wrote, or that of a Qwen 2 or 3, Llama or Mistral of transformers, which becomes a model of ours.
        output: Name or folder of the model.

    Raises:
        TensorMismatchError: Tensors are missing, foreign or of another shape; the message lists them.
    """
    from makar.artifacts.importing import import_artifact

    return Model(import_artifact(path, output=model_place(output)))
