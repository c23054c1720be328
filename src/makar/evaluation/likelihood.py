"""Held-out bits per byte and perplexity per token of a model that predicts token after token, with a sliding window.

A long text is cut into windows. Of each window only the second half counts, so that every token but the first ones of a document has at
least half a window of context (Press et al. 2021, arXiv:2012.15832, on sliding against cut windows). A family answers for a whole
window only, therefore the second half is the whole minus the first half:

    nats(second half | first half) = nats(whole) - nats(first half)

which is exact for a model that predicts from left to right. Bits per byte do not depend on the codec: nats / ln 2 / bytes of the text.
"""

import dataclasses
import math
from collections.abc import Callable
from typing import Protocol, runtime_checkable

import numpy as np
import torch

from makar.codecs.codec import Codec
from makar.data.store import Store
from makar.errors import EmptyDataError, UnsupportedError
from makar.evaluation.bootstrap import Interval, ratio_interval
from makar.families.family import Family
from makar.tensor_spec import TARGET

MOST_TOKENS = 200_000


@dataclasses.dataclass(frozen=True)
class Window:
    """A stretch of the held-out text and what the model needs for it.

    Attributes:
        record: Number of the record it is from.
        start: Its first predicted token within the record.
        tokens: Number of predicted tokens.
        bytes: Bytes of these tokens.
        nats: Information of these tokens under the model.
    """

    record: int
    start: int
    tokens: int
    bytes: int
    nats: float


@dataclasses.dataclass(frozen=True)
class Likelihood:
    """How well a model predicts held-out text.

    Attributes:
        bits_per_byte: With its interval over resampled windows.
        perplexity: Of one token, with its interval.
        nats_per_token: Its logarithm.
        windows: What was measured, in order.
        share: Share of the held-out tokens that was measured.
    """

    bits_per_byte: Interval
    perplexity: Interval
    nats_per_token: Interval
    windows: tuple[Window, ...]
    share: float


def measure_likelihood(
    family: Family,
    codec: Codec,
    store: Store,
    *,
    most_tokens: int = MOST_TOKENS,
    progress: Callable[[int, int], None] | None = None,
) -> Likelihood:
    """Measure a model on a store of tokens.

    Args:
        family: Its ``validation_loss`` gives the mean nats over a batch of windows.
        codec: Knows how many bytes a token stands for.
        store: Held-out tokens.
        most_tokens: Stop after about as many; evenly spread records are taken when there are more.
        progress: Called with the tokens done and their total.

    Raises:
        EmptyDataError: The store holds nothing to predict.
    """
    length = family.config.window_length
    column = store.columns.get(TARGET)
    sizes = np.array([len(column[record]) for record in range(len(store))]) if column is not None else np.zeros(0)
    plan = _cuts(sizes, length, most_tokens)
    if not plan or column is None:
        raise EmptyDataError(
            "there is no held-out text to measure",
            expected="at least one text of two tokens",
            do="give DATA to evaluate",
        )
    lengths = bytes_of_tokens(codec)
    nats = _nats(family, [np.asarray(column[record][first:end]) for record, first, _, end in plan], plan, progress)
    windows = tuple(
        Window(
            record=record,
            start=counted,
            tokens=end - counted,
            bytes=int(lengths[np.asarray(column[record][counted:end])].sum()),
            nats=information,
        )
        for (record, _, counted, end), information in zip(plan, nats)
    )
    information = np.array([window.nats for window in windows])
    tokens = np.array([window.tokens for window in windows])
    per_token = ratio_interval(information, tokens)
    return Likelihood(
        bits_per_byte=ratio_interval(information / math.log(2), np.array([window.bytes for window in windows])),
        perplexity=Interval(*(math.exp(min(part, 700.0)) for part in dataclasses.astuple(per_token))),
        nats_per_token=per_token,
        windows=windows,
        share=float(tokens.sum() / max(1, (sizes - 1).clip(0).sum())),
    )


@runtime_checkable
class CountsBytes(Protocol):
    """A codec that knows how many bytes each of its tokens stands for."""

    def token_byte_lengths(self) -> np.ndarray:
        """Return bytes by token, int64 ``[vocabulary]``; 0 for the end token."""


def bytes_of_tokens(codec: Codec) -> np.ndarray:
    """Return how many bytes of UTF-8 each token of a codec stands for, int64 ``[vocabulary]``.

    Raises:
        UnsupportedError: The codec cannot say.
    """
    if not isinstance(codec, CountsBytes):
        raise UnsupportedError(
            f"bits per byte with codec {type(codec).__name__}", expected="a codec with token_byte_lengths"
        )
    return codec.token_byte_lengths()


def _cuts(sizes: np.ndarray, length: int, most_tokens: int) -> list[tuple[int, int, int, int]]:
    """Return (record, first token of the window, first token that counts, end) for every window."""
    half = max(1, length // 2)
    cuts = []
    for record, size in enumerate(sizes.tolist()):
        end = min(length + 1, size)
        if size >= 2:
            cuts.append((record, 0, 1, end))
        while end < size:
            first_counted, end = end, min(end + half, size)
            cuts.append((record, max(0, end - length - 1), first_counted, end))
    total = sum(end - counted for _, _, counted, end in cuts)
    if total > most_tokens:
        # Evenly spread windows, whole, so that the figure is of the whole held-out part.
        keep = max(1, round(len(cuts) * most_tokens / total))
        cuts = [cuts[index] for index in np.linspace(0, len(cuts) - 1, keep).astype(np.int64)]
    return cuts


def _nats(
    family: Family,
    windows: list[np.ndarray],
    plan: list[tuple[int, int, int, int]],
    progress: Callable[[int, int], None] | None,
) -> list[float]:
    """Return the nats of what counts of every window."""
    # A mean over a batch would mix windows, and the interval needs each alone; single windows are as fast on a CPU.
    device = next(family.parameters()).device
    generator = torch.Generator().manual_seed(0)
    total = sum(end - counted for _, _, counted, end in plan)
    done, nats = 0, []
    family.eval()
    with torch.inference_mode():
        for tokens, (_, first, counted, end) in zip(windows, plan):
            batch = torch.from_numpy(tokens.astype(np.int64))[None].to(device)
            whole = family.validation_loss({TARGET: batch}, generator)
            information = float(whole.value) * whole.count
            context = counted - first
            if context > 1:
                before = family.validation_loss({TARGET: batch[:, :context]}, generator)
                information -= float(before.value) * before.count
            nats.append(information)
            done += end - counted
            if progress is not None:
                progress(done, total)
    return nats
