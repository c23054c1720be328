"""Labels for texts from a model that was not trained for them."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from makar.api.model import Model
    from makar.generation.zero_shot import Guidance


def label(
    model: "Model",
    inputs: Sequence[Any] | Any,
    *,
    labels: Sequence[str] | str,
    guidance: "Guidance | None" = None,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """Give each text the likeliest of some labels; see ``makar.generation.zero_shot``.

    Args:
        model: A model that continues text, or fills in masked words.
        inputs: Texts, files or folders of text, or several of these.
        labels: At least two; a text is split at its commas.
        guidance: How to ask, of ``guidance_of``; ``None`` asks without examples.
        seed: Seed of the choice of examples.

    Raises:
        UnsupportedError: The model does not say how likely a text is.
        UsageError: The labels, the prompt or the name of a way cannot be used.
    """
    from makar.generation.zero_shot import label_texts

    return list(label_texts(model.artifact, inputs, labels=labels, guidance=guidance, seed=seed))


def guidance_of(
    examples: str | Path | None = None,
    *,
    shots: int = 4,
    pick: str = "random",
    calibration: str = "contextual",
    template: str | Path = "classify",
) -> "Guidance":
    """Return how labels are asked for.

    Args:
        examples: A table of texts with labels; ``None`` for none.
        shots: How many examples stand before each text.
        pick: How they are chosen: ``"random"``, ``"similar"`` or ``"diverse"``.
        calibration: ``"contextual"``, ``"pmi"`` or ``"none"``.
        template: Prompt that asks, by name or file.

    Raises:
        UnknownNameError: There is no such prompt.
        DataError: The examples cannot be read.
    """
    from makar.data.file_rows import cell_of, column_of, rows_of_file
    from makar.data.task_columns import NAMES
    from makar.generation.prompt_file import read_prompt
    from makar.generation.zero_shot import Example, Guidance

    solved: tuple[Example, ...] = ()
    if examples is not None:
        rows = rows_of_file(examples)
        text = column_of(rows, NAMES["text"], what="a column of texts")
        named = column_of(rows, NAMES["label"], what="a column of labels")
        solved = tuple(
            Example(text=cell_of(row, text, number=number), label=cell_of(row, named, number=number))
            for number, row in enumerate(rows, start=1)
        )
    return Guidance(prompt=read_prompt(template), examples=solved, shots=shots, pick=pick, calibration=calibration)
