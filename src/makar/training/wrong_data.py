"""What data a recipe cannot learn from, said before anything of it is encoded."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from makar.codecs.chat_config import ROWS_OF, TASKS_OF, ChatCodecConfig
from makar.codecs.codec import CodecConfig
from makar.data.task_columns import ROLES
from makar.errors import UnsupportedError

if TYPE_CHECKING:
    from makar.data.dataset import DataSet


def check_rows(codec: CodecConfig, dataset: "DataSet", *, recipe: str) -> None:
    """Refuse data whose rows cannot become what a codec of rows of one task makes of them.

    Args:
        codec: Settings of the codec.
        dataset: The data.
        recipe: Name of the recipe.

    Raises:
        UnsupportedError: They cannot.
    """
    if codec.task and dataset.task != codec.task:
        found = f'labelled for the task "{dataset.task}"' if dataset.task else "labelled for no task"
        raise UnsupportedError(
            f'recipe "{recipe}" learns from a table labelled for the task "{codec.task}", the data is {found}',
            expected=f"columns of the roles {', '.join(ROLES[codec.task])}",
            do=f"name them: --columns {','.join(f'{role}=COLUMN' for role in ROLES[codec.task])}, or leave --recipe out",
        )
    if not isinstance(codec, ChatCodecConfig) or dataset.task in TASKS_OF[codec.makes]:
        return
    found = (
        f'labelled for the task "{dataset.task}"' if dataset.task else f"{dataset.medium} that is labelled for no task"
    )
    raise UnsupportedError(
        f'recipe "{recipe}" learns from {ROWS_OF[codec.makes]}, the data is {found}',
        expected=f"a table labelled for the task {' or '.join(TASKS_OF[codec.makes])}",
        do="name the columns: --columns prompt=COLUMN,response=COLUMN, or leave --recipe out",
    )


def without_pairs(found: Mapping[str, Any], recipe: str) -> UnsupportedError:
    """Return the refusal of data without pairs of images.

    Args:
        found: What the inspection says of pairs.
        recipe: Name of the recipe.
    """
    came = f'recipe "{recipe}" learns from pairs of images, and there are none'
    if found:
        examples = ", ".join(found["examples"][:2])
        came += f": no file in {found['from']} bears the name of one in {found['to']} with the same shape ({examples})"
    return UnsupportedError(
        came,
        expected="two folders in which files bear the same names, or a table with two columns of images",
        do="use --recipe cyclegan for two folders without pairs; for images that show a pair side by side add "
        "--set stages.0.codec.source=left",
    )
