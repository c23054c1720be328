"""The sampler of models that pick sentences: a text in, some of its sentences out; nothing is drawn, so every seed gives the same."""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from makar.codecs.sentence_features import SentenceVectors, sentence_features
from makar.codecs.sentences import is_conversation, sentences_of, words_of
from makar.codecs.summary import SummaryCodec
from makar.errors import DataError, UnsupportedError
from makar.families.extractive.options import ExtractiveOptions
from makar.families.extractive.picking import pick
from makar.families.family import Batch, Sampler
from makar.tensor_spec import SOURCE, TARGET

TEXT = "text"
"""Slot of the sampler's output with the summary, as UTF-8 bytes."""


@dataclasses.dataclass(frozen=True)
class Judged:
    """The sentences of a text, the score of each, and the vectors of their words."""

    sentences: list[str]
    scores: np.ndarray
    vectors: SentenceVectors


def judge(text: str, score: Callable[[Tensor], Tensor]) -> Judged:
    """Return the sentences of a text with their scores.

    Args:
        text: The text.
        score: From what is seen of the sentences ``[sentences, features]`` to their scores ``[sentences]``.

    Raises:
        UnsupportedError: There is no sentence.
    """
    sentences = sentences_of(text)
    if not sentences:
        raise UnsupportedError("a text without a sentence to be summed up", expected="at least one word")
    seen, vectors = sentence_features(sentences)
    with torch.inference_mode():
        scores = score(torch.from_numpy(seen)).numpy()
    return Judged(sentences, scores, vectors)


class ExtractiveSampler(Sampler):
    """Picks sentences.

    Args:
        score: From what is seen of the sentences ``[sentences, features]`` to their scores ``[sentences]``, on the CPU.
        codec: Turns bytes into text and back.
    """

    def __init__(self, score: Callable[[Tensor], Tensor], codec: SummaryCodec) -> None:
        self._score = score
        self._codec = codec

    def sample(
        self, options: Any, prompts: list[Batch], seeds: list[int]
    ) -> Iterator[tuple[int, dict[str, np.ndarray], bool]]:
        """Sum up every text; see ``Sampler.sample``.

        Args:
            options: ``ExtractiveOptions``.
            prompts: ``{"source": bytes [length]}``; one an example.
            seeds: One an example, of which none is used.

        Yields:
            (index, {"target": bytes of the summary int64, "text": the same uint8}, True).

        Raises:
            UnsupportedError: The options are of another class, nothing is given, or there is no sentence.
            DataError: There are not as many seeds as prompts.
        """
        if not isinstance(options, ExtractiveOptions):
            raise UnsupportedError(f"options are {type(options).__name__}", expected="ExtractiveOptions")
        if len(prompts) != len(seeds):
            raise DataError(f"{len(prompts)} prompts and {len(seeds)} seeds", expected="one seed a prompt")
        if any(set(prompt) != {SOURCE} for prompt in prompts):
            raise UnsupportedError(
                "nothing was given to be summed up",
                expected="a text",
                do='to write texts from nothing, train with the recipe "text"',
            )
        return self._run(options, prompts)

    def _run(
        self, options: ExtractiveOptions, prompts: list[Batch]
    ) -> Iterator[tuple[int, dict[str, np.ndarray], bool]]:
        for index, prompt in enumerate(prompts):
            text = self._codec.decode_tokens(prompt[SOURCE].cpu().numpy())
            judged = judge(text, self._score)
            lengths = [len(words_of(sentence)) for sentence in judged.sentences]
            numbers = pick(
                judged.scores, judged.vectors, lengths=lengths, options=options, are_turns=is_conversation(text)
            )
            tokens = self._codec.encode_source(" ".join(judged.sentences[number] for number in numbers))
            yield index, {TARGET: tokens, TEXT: tokens.astype(np.uint8)}, True
