"""What a model that talks needs for the held-out answers, row by row, and what it says to held-out prompts."""

import dataclasses

import numpy as np
import torch

from makar.codecs.codec import Codec
from makar.data.store import Store
from makar.evaluation.likelihood import bytes_of_tokens
from makar.families.conversation.speaking import SpeakingFamily
from makar.tensor_spec import LEARNED, TARGET

TOGETHER = 16
MOST_ROWS = 1000


@dataclasses.dataclass(frozen=True)
class AnswerNats:
    """Information of the answers of rows under a model, one number a row.

    Attributes:
        nats: Of all learned tokens of a row.
        tokens: Their number.
        bytes: The bytes of text that they stand for.
    """

    nats: np.ndarray
    tokens: np.ndarray
    bytes: np.ndarray


def chosen_rows(store: Store, most: int = MOST_ROWS) -> np.ndarray:
    """Return the numbers of at most so many rows, evenly spread over a store."""
    return np.unique(np.linspace(0, len(store) - 1, min(len(store), most)).astype(np.int64))


def padded(store: Store, slot: str, rows: np.ndarray) -> torch.Tensor:
    """Return rows of a slot, filled up at their ends, int64 ``[rows, length]``."""
    column = store.columns[slot]
    parts = [torch.from_numpy(np.asarray(column[int(row)]).astype(np.int64)) for row in rows]
    return torch.nn.utils.rnn.pad_sequence(parts, batch_first=True)


def measure_answers(
    family: SpeakingFamily,
    codec: Codec,
    store: Store,
    *,
    slots: tuple[str, str] = (TARGET, LEARNED),
    most: int = MOST_ROWS,
) -> AnswerNats:
    """Measure a model on the answers of a store.

    Args:
        family: In evaluation mode.
        codec: Knows how many bytes a token stands for.
        store: Rows of conversations.
        slots: The slot of the tokens and that of the marks of those that count.
        most: Largest number of rows.
    """
    rows = chosen_rows(store, most)
    # Rows of like lengths together, and the figures in the order of the rows again.
    lengths = np.array([len(store.columns[slots[0]][int(row)]) for row in rows])
    order = np.argsort(lengths, kind="stable")
    sizes = bytes_of_tokens(codec)
    device = next(family.parameters()).device
    nats, tokens, counted_bytes = np.zeros(len(rows)), np.zeros(len(rows)), np.zeros(len(rows))
    for start in range(0, len(rows), TOGETHER):
        part = order[start : start + TOGETHER]
        given, marks = (padded(store, slot, rows[part]) for slot in slots)
        marks[:, 0] = 0
        with torch.inference_mode():
            found = family.log_probabilities(given.to(device), marks.to(device)).cpu().double()
        nats[part] = -found.sum(1).numpy()
        tokens[part] = marks.sum(1).numpy()
        counted_bytes[part] = (sizes[given.numpy()] * marks.numpy()).sum(1)
    return AnswerNats(nats, tokens, counted_bytes)


def prompts_of(store: Store, most: int) -> list[np.ndarray]:
    """Return what comes before the first answer in evenly spread rows, tokens int64 ``[length]``."""
    found = []
    for row in chosen_rows(store, most):
        tokens, learned = (np.asarray(store.columns[slot][int(row)]) for slot in (TARGET, LEARNED))
        found.append(tokens[: int(learned.argmax())].astype(np.int64))
    return found
