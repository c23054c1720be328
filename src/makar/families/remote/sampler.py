"""Answers from an endpoint in the shape of any sampler: pieces of text as they come, then what the answer took.

Questions go out one after the other, no faster than was asked for. The last piece carries, as JSON in the slot ``stated``, what the
manifest says of the answer: the model that answered, tokens, cost, why it ended.
"""

import json
import math
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from makar.codecs.remote_text import RemoteTextCodec
from makar.errors import DataError, UnsupportedError
from makar.families.family import Batch, Sampler
from makar.families.remote.asking import Usage, ask
from makar.families.remote.config import RemoteConfig
from makar.families.remote.options import RemoteOptions
from makar.families.transformer.sampler import TEXT
from makar.tensor_spec import TARGET

STATED = "stated"
"""Slot with what the manifest says of an example; see ``makar.generation.request``."""
MILLION = 1_000_000


class Pace:
    """Keeps questions apart, whichever request and thread they come from."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last_seconds = -math.inf

    def wait(self, requests_per_minute: float) -> None:
        """Wait until the next question may go out; 0 waits for nothing."""
        with self._lock:
            now = time.monotonic()
            apart = 60 / requests_per_minute if requests_per_minute else 0.0
            at = max(now, self._last_seconds + apart) if apart else now
            self._last_seconds = max(self._last_seconds, at)
        time.sleep(at - now)


class RemoteSampler(Sampler):
    """Asks a model.

    Args:
        config: Which model, and where.
        codec: Says which turns tokens stand for.
        pace: Keeps its questions apart from those of other samplers.
    """

    def __init__(self, config: RemoteConfig, codec: RemoteTextCodec, pace: Pace) -> None:
        self._config = config
        self._codec = codec
        self._pace = pace

    def sample(
        self, options: Any, prompts: list[Batch], seeds: list[int]
    ) -> Iterator[tuple[int, dict[str, np.ndarray], bool]]:
        """Ask for every prompt; see ``Sampler.sample``. No endpoint promises the same answer twice.

        Raises:
            UnsupportedError: The options are of another class, or nothing is asked.
            RemoteError: The endpoint does not answer.
        """
        if not isinstance(options, RemoteOptions):
            raise UnsupportedError(f"options are {type(options).__name__}", expected="RemoteOptions")
        if len(prompts) != len(seeds):
            raise DataError(f"{len(prompts)} prompts and {len(seeds)} seeds", expected="one seed a prompt")
        if any(set(prompt) != {TARGET} for prompt in prompts):
            raise UnsupportedError("nothing was asked of a model behind an endpoint", expected="a prompt")
        return self._ask(options, prompts, seeds)

    def _ask(
        self, options: RemoteOptions, prompts: list[Batch], seeds: list[int]
    ) -> Iterator[tuple[int, dict[str, np.ndarray], bool]]:
        for index, (prompt, seed) in enumerate(zip(prompts, seeds)):
            self._pace.wait(options.requests_per_minute)
            usage = Usage()
            messages = self._codec.turns_of(prompt[TARGET].numpy())
            for piece in ask(self._config, messages, options=options, seed=seed, usage=usage):
                yield index, _slots(piece), False
            stated = json.dumps(_said(usage, options, self._config)).encode()
            yield index, _slots("") | {STATED: np.frombuffer(stated, np.uint8)}, True


def _slots(piece: str) -> dict[str, np.ndarray]:
    data = np.frombuffer(piece.encode("utf-8", "replace"), np.uint8)
    return {TARGET: data.astype(np.int64), TEXT: data}


def _said(usage: Usage, options: RemoteOptions, config: RemoteConfig) -> dict[str, Any]:
    said = {
        **config.stated(),
        "answered_by": usage.model,
        "finish": usage.finish,
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "is_repeatable": False,
    }
    prices = (options.input_price, options.output_price)
    counts = (usage.input_tokens, usage.output_tokens)
    if None not in prices and None not in counts:
        said["cost"] = sum((price or 0) * (count or 0) for price, count in zip(prices, counts)) / MILLION
    return said
