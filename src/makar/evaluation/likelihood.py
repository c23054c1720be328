"""Held-out bits per byte and perplexity per token of a model that predicts token after token, with a sliding window.

A long text is cut into windows. Of each window only the second half counts, so that every token but the first ones of
a document has at least half a window of context (Press et al. 2021, arXiv:2012.15832, on sliding against cut
windows). A family answers for a whole window only, therefore the second half is the whole minus the first half:

    nats(second half | first half) = nats(whole) - nats(first half)

which is exact for a model that predicts from left to right. Bits per byte do not depend on the codec: nats / ln 2 /
bytes of the text.
"""

import dataclasses
import math
from collections.abc import Callable, Iterator
from typing import Protocol, runtime_checkable

import numpy as np
import torch

from makar.codecs.codec import Codec
from makar.data.store import Store
from makar.errors import EmptyDataError, UnsupportedError
from makar.evaluation.bootstrap import Interval, ratio_interval
from makar.families.family import Family
from makar.tensor_spec import TARGET

GROUP_TOKENS = 1024
MOST_TOKENS = 200_000


@dataclasses.dataclass(frozen=True)
class Window:
    """A stretch of the held-out text, some neighbouring windows of the model, and what the model needs for it.

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
    column = store.columns.get(TARGET)
    sizes = (
        np.array([len(column[record]) for record in range(len(store))]) if column is not None else np.zeros(0, np.int64)
    )
    groups = _groups(sizes, family.config.window_length, most_tokens)
    if not groups or column is None:
        raise EmptyDataError(
            "there is no held-out text to measure",
            expected="at least one text of two tokens",
            do="give DATA to evaluate",
        )
    lengths = bytes_of_tokens(codec)
    total, done = sum(_counted(group) for group in groups), 0
    windows: list[Window] = []
    family.eval()
    for group in groups:
        tokens = np.asarray(column[group[0].record][group[0].first : group[-1].end]).astype(np.int64)
        start = group[0].counted
        windows.append(
            Window(
                record=group[0].record,
                start=start,
                tokens=_counted(group),
                bytes=int(lengths[tokens[start - group[0].first :]].sum()),
                nats=_nats(family, tokens, group),
            )
        )
        done += _counted(group)
        if progress is not None:
            progress(done, total)
    information = np.array([window.nats for window in windows])
    tokens = np.array([window.tokens for window in windows])
    per_token = ratio_interval(information, tokens)
    return Likelihood(
        bits_per_byte=ratio_interval(information / math.log(2), np.array([window.bytes for window in windows])),
        perplexity=Interval(*(math.exp(min(part, 700.0)) for part in dataclasses.astuple(per_token))),
        nats_per_token=per_token,
        windows=tuple(windows),
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


@dataclasses.dataclass(frozen=True)
class _Cut:
    """One window: where it starts and ends in its record, and the first of its tokens that counts."""

    record: int
    first: int
    counted: int
    end: int


def _cuts(sizes: np.ndarray, length: int) -> Iterator[_Cut]:
    half = max(1, length // 2)
    for record, size in enumerate(sizes.tolist()):
        end = min(length + 1, size)
        if size >= 2:
            yield _Cut(record, 0, 1, end)
        while end < size:
            counted, end = end, min(end + half, size)
            yield _Cut(record, max(0, end - length - 1), counted, end)


def _groups(sizes: np.ndarray, length: int, most_tokens: int) -> list[list[_Cut]]:
    """Put neighbouring windows of one shape together, because a family answers for a batch; keep evenly spread groups."""
    most = max(1, GROUP_TOKENS // length)
    # Only every n-th group is kept while they are counted through, so that a very long text needs no memory.
    every = max(1, math.ceil((sizes - 1).clip(0).sum() / most_tokens))
    groups: list[list[_Cut]] = []
    group: list[_Cut] = []
    number = -1
    for cut in _cuts(sizes, length):
        if group and len(group) < most and group[0].record == cut.record and _shape(group[0]) == _shape(cut):
            group.append(cut)
            continue
        group = [cut]
        number += 1
        if number % every == 0:
            groups.append(group)
    return groups


def _shape(cut: _Cut) -> tuple[int, int]:
    return cut.end - cut.first, cut.counted - cut.first


def _counted(group: list[_Cut]) -> int:
    return sum(cut.end - cut.counted for cut in group)


def _nats(family: Family, tokens: np.ndarray, group: list[_Cut]) -> float:
    """Return the nats of what counts in a group of windows of one shape."""
    start = group[0].first
    batch = torch.from_numpy(np.stack([tokens[cut.first - start : cut.end - start] for cut in group]))
    # A model that runs elsewhere has no weights here, and says itself that it cannot be measured.
    batch = batch.to(next((weight.device for weight in family.parameters()), batch.device))
    generator = torch.Generator().manual_seed(0)
    with torch.inference_mode():
        whole = family.validation_loss({TARGET: batch}, generator)
        information = float(whole.value) * whole.count
        context = group[0].counted - start
        if context > 1:
            before = family.validation_loss({TARGET: batch[:, :context]}, generator)
            information -= float(before.value) * before.count
    return information
