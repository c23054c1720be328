"""The sampler of encoder-decoders: sources in, texts out; searched for with beams, or token by token and then streamed.

Examples are computed in blocks of sources of like length. On a CPU a block holds one example, so that every number of it is computed as if
it were alone and neither the batch nor the order changes its text. On other devices texts agree up to ties.
"""

import functools
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from makar.errors import DataError, UnsupportedError
from makar.families.family import Batch, Sampler
from makar.families.logits_hook import Constraint, LogitsHook
from makar.families.seq2seq.beam_search import Search, candidates
from makar.families.seq2seq.decoding import Writer
from makar.families.seq2seq.network import Seq2seqNetwork
from makar.families.seq2seq.options import Seq2seqOptions
from makar.families.transformer.sampling import choose, strategies
from makar.families.transformer.text_stream import TextStream
from makar.tensor_spec import END_TOKEN, PADDING_TOKEN, SOURCE, TARGET

TEXT = "text"
"""Slot of the sampler's output with the text of the new tokens, as UTF-8 bytes."""

TOGETHER = {"cpu": 1}
TOGETHER_ELSEWHERE = 32
INTERVAL_SECONDS = 0.05
NEVER = float("-inf")

Piece = tuple[int, dict[str, np.ndarray], bool]


class Seq2seqSampler(Sampler):
    """Makes texts from others.

    Args:
        network: The network; its weights are copied at the first use.
        decode_tokens: From tokens to text.
        hooks: Applied to the logits after the filters; a watermark.
        rare_run: Shortest run of tokens that hardly any text has twice; 0 for none.
    """

    def __init__(
        self,
        network: Seq2seqNetwork,
        *,
        decode_tokens: Callable[[np.ndarray], str],
        hooks: Sequence[LogitsHook] = (),
        rare_run: int = 0,
    ) -> None:
        self._network = network
        self._rare_run = rare_run
        self._decode_tokens = decode_tokens
        self._hooks = tuple(hooks)

    @functools.cached_property
    def _writer(self) -> Writer:
        return Writer(self._network)

    def sample(self, options: Any, prompts: list[Batch], seeds: list[int]) -> Iterator[Piece]:
        """Make a text of every source; see ``Sampler.sample``.

        Args:
            options: ``Seq2seqOptions``.
            prompts: ``{"source": tokens [length]}`` with the end, or empty for an empty source; one an example.
            seeds: One an example; a search does not use it.

        Yields:
            (index, {"target": new tokens int64, "text": their text as UTF-8 bytes uint8}, finished), without the end.

        Raises:
            UnsupportedError: The options are of another class, or a prompt has a slot other than ``source``.
            DataError: A source is not a row of tokens of the vocabulary, or there are not as many seeds as prompts.
        """
        if not isinstance(options, Seq2seqOptions):
            raise UnsupportedError(f"options are {type(options).__name__}", expected="Seq2seqOptions")
        if len(prompts) != len(seeds):
            raise DataError(f"{len(prompts)} prompts and {len(seeds)} seeds", expected="one seed a prompt")
        sources = [self._source(prompt) for prompt in prompts]
        if options.no_repeat is None:
            # A form may have to repeat itself, and has its own rules.
            is_held = any(isinstance(hook, Constraint) and hook.says_all for hook in self._hooks)
            options = options.changed(no_repeat=0 if is_held else self._rare_run)
        return self._run(options, sources, seeds)

    @torch.inference_mode()
    def _run(self, options: Seq2seqOptions, sources: list[Tensor], seeds: list[int]) -> Iterator[Piece]:
        order = sorted(range(len(sources)), key=lambda index: len(sources[index]))
        together = TOGETHER.get(self._network.embeddings.device.type, TOGETHER_ELSEWHERE)
        make = self._search if options.kept > 1 else self._write
        for start in range(0, len(order), together):
            numbers = order[start : start + together]
            yield from make(
                options, numbers, [sources[index] for index in numbers], [seeds[index] for index in numbers]
            )

    def _search(
        self, options: Seq2seqOptions, numbers: list[int], sources: list[Tensor], seeds: list[int]
    ) -> Iterator[Piece]:
        """Yield the best text that beams find for each source."""
        del seeds
        block = self._writer.begin(sources, beginnings=options.kept)
        going = list(numbers)
        searches = [
            Search(kept=options.kept, length_penalty=options.length_penalty, limit=options.max_tokens) for _ in going
        ]
        tokens = torch.full((len(going) * options.kept,), PADDING_TOKEN)
        reshape = self._reshaping(options)
        while going:
            logits = block.step(tokens.to(self._network.embeddings.device))
            taken = [search.take(*found) for search, found in zip(searches, candidates(logits, searches, reshape))]
            rows = [index * options.kept + row for index, own in enumerate(taken) for row in own]
            stays = [index for index, search in enumerate(searches) if not search.is_over]
            if stays:
                block.reorder(torch.tensor(rows, device=logits.device))
            for index, search in enumerate(searches):
                if search.is_over:
                    yield going[index], self._piece(search.best()), True
            if stays and len(stays) < len(going):
                block.keep(stays)
            going, searches = [going[index] for index in stays], [searches[index] for index in stays]
            tokens = torch.tensor([beginning[-1] for search in searches for beginning in search.beginnings])

    def _write(
        self, options: Seq2seqOptions, numbers: list[int], sources: list[Tensor], seeds: list[int]
    ) -> Iterator[Piece]:
        """Yield texts piece by piece, each token the likeliest or drawn."""
        block = self._writer.begin(sources, beginnings=1)
        going = [
            _Example(number, seed, TextStream(self._decode_tokens), strategies(options, self._hooks))
            for number, seed in zip(numbers, seeds)
        ]
        while going:
            last = torch.tensor([example.tokens[-1] for example in going], device=self._network.embeddings.device)
            stays = []
            for place, (example, logits) in enumerate(zip(list(going), block.step(last).cpu())):
                history = example.tokens[1:]
                logits = without_repeats(logits, history, options.no_repeat or 0)
                token = choose(logits, history, chain=example.chain, generator=example.generator)
                is_last = token == END_TOKEN
                if not is_last:
                    example.tokens.append(token)
                    example.stream.add(token)
                    is_last = len(example.tokens) > options.max_tokens
                now = time.monotonic()
                if is_last or now - example.shown_seconds >= INTERVAL_SECONDS:
                    new, text = example.stream.finish() if is_last else example.stream.take()
                    if new or is_last:
                        example.shown_seconds = now
                        yield example.number, _slots(new, text), is_last
                if not is_last:
                    stays.append(place)
            if stays and len(stays) < len(going):
                block.keep(stays)
            going = [going[place] for place in stays]

    def _reshaping(self, options: Seq2seqOptions) -> Callable[[Tensor, Sequence[int]], Tensor] | None:
        if any(isinstance(hook, Constraint) and hook.follows for hook in self._hooks):
            raise UnsupportedError(
                "a form, or likelihoods of tokens, while several beginnings are tried",
                expected="one beginning",
                do="--set beams=1",
            )
        # Greedy choice is the last of the chain, and a search chooses by itself.
        chain = strategies(options, self._hooks)[:-1]
        if not chain and not options.no_repeat:
            return None

        def reshape(logits: Tensor, history: Sequence[int]) -> Tensor:
            tokens = torch.tensor(history, dtype=torch.int64)
            logits = without_repeats(logits.cpu(), history, options.no_repeat or 0)
            for strategy in chain:
                logits = strategy(logits, tokens)
            return logits

        return reshape

    def _source(self, prompt: Batch) -> Tensor:
        if unknown := set(prompt) - {SOURCE}:
            raise UnsupportedError(
                f"the prompt has {', '.join(sorted(unknown))}", expected="only source: the text to start from"
            )
        tokens = torch.as_tensor(prompt[SOURCE]) if SOURCE in prompt else torch.zeros(0, dtype=torch.int64)
        if tokens.ndim != 1 or tokens.is_floating_point():
            raise DataError(f"a source is {tokens.dtype} {list(tokens.shape)}", expected="integers [length]")
        vocabulary = self._network.config.vocabulary
        if len(tokens) and not 0 < int(tokens.min()) <= int(tokens.max()) < vocabulary:
            raise DataError("a source has tokens outside the vocabulary", expected=f"1 to {vocabulary - 1}")
        return tokens.long() if len(tokens) else torch.tensor([END_TOKEN])

    def _piece(self, tokens: list[int]) -> dict[str, np.ndarray]:
        return _slots(tokens, self._decode_tokens(np.array(tokens, np.int64)))


class _Example:
    """One text in the making; the first token is the one that begins."""

    def __init__(self, number: int, seed: int, stream: TextStream, chain: Sequence[LogitsHook]) -> None:
        self.number = number
        self.chain = chain
        self.tokens = [PADDING_TOKEN]
        self.stream = stream
        self.shown_seconds = 0.0
        self.generator = torch.Generator().manual_seed(seed)


def without_repeats(logits: Tensor, history: Sequence[int], run: int) -> Tensor:
    """Return logits that rule out every token which would end a run of so many that has come before; a run of 0 changes nothing.

    Source: Paulus et al. 2017, arXiv 1705.04304, section 2.5.
    """
    if not run or len(history) < run:
        return logits
    before = tuple(history[len(history) - run + 1 :])
    banned = [
        history[start + run - 1]
        for start in range(len(history) - run + 1)
        if tuple(history[start : start + run - 1]) == before
    ]
    return logits.index_fill(0, torch.tensor(banned, dtype=torch.int64), NEVER) if banned else logits


def _slots(tokens: list[int], text: str) -> dict[str, np.ndarray]:
    return {TARGET: np.array(tokens, np.int64), TEXT: np.frombuffer(text.encode(), np.uint8)}
