"""Writes down what is said in one window of a recording: the likeliest token after the other, in segments with their moments.

Moments come in pairs and never go back, a transcript begins with one, and where moments together are likelier than any word one of them is
written. What is written behind the last closed segment belongs to a sentence that the window cuts, and is heard again in the next.

Source: Radford et al. 2022, arXiv 2212.04356, sections 2.3 and 4.5; the rules in the order of transformers, whose text this is.
"""

import dataclasses
import itertools
import math
from typing import Any

import torch
from torch import Tensor

from makar.families.pretrained.whisper_tokens import WhisperTokens

NEVER = -math.inf


@dataclasses.dataclass(frozen=True, kw_only=True)
class Segment:
    """What is said between two moments.

    Attributes:
        first: The moment at which it begins, in moments of the window.
        last: That at which it ends; ``None`` for the end of the window.
        tokens: Its words.
        logarithm: Mean logarithm of the chance of its tokens.
    """

    first: int
    last: int | None
    tokens: tuple[int, ...]
    logarithm: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class HeardWindow:
    """What is said in a window.

    Attributes:
        segments: In their order.
        next_moment: Where the next window begins, in moments of this one; ``None`` at its end.
        silence: How likely nobody speaks, 0 to 1.
        language: Code of the language that was told or guessed; ``None`` where only English is known.
        language_chance: How likely the guess is, among the languages; ``None`` where it was told.
        logarithm: Mean logarithm of the chance of all tokens.
    """

    segments: tuple[Segment, ...]
    next_moment: int | None
    silence: float
    language: str | None
    language_chance: float | None
    logarithm: float


@torch.inference_mode()
def heard_window(network: Any, features: Tensor, tokens: WhisperTokens, *, language: str | None) -> HeardWindow:
    """Write down what is said in a window.

    Args:
        network: A ``WhisperForConditionalGeneration``.
        features: Loudness by band and frame, float ``[1, mels, frames]``.
        tokens: What its tokens mean.
        language: Code of the language that is spoken; ``None`` guesses it.

    Raises:
        UnsupportedError: It does not know the language.
    """
    told = None if language is None else tokens.language(language)
    reader = _Reader(network, features)
    logits = reader.logits([tokens.start])
    silence = 0.0 if tokens.silence is None else float(logits.softmax(-1)[tokens.silence])
    chance: float | None = None
    before: list[int] = []
    if tokens.languages:
        if told is None:
            numbers = torch.tensor(list(tokens.languages.values()))
            shares = logits[numbers].softmax(-1)
            language, chance = list(tokens.languages)[int(shares.argmax())], float(shares.max())
            told = tokens.languages[language]
        before = [told] + ([] if tokens.transcribe is None else [tokens.transcribe])
    made, logarithms = _written(reader, logits, before, tokens)
    segments, after = _parted(made, logarithms, tokens)
    return HeardWindow(
        segments=segments,
        next_moment=after,
        silence=silence,
        language=language if tokens.languages else None,
        language_chance=chance,
        logarithm=_mean(logarithms),
    )


def _written(
    reader: "_Reader", logits: Tensor, before: list[int], tokens: WhisperTokens
) -> tuple[list[int], list[float]]:
    """Return the tokens of a transcript without its end, and the logarithms of their chances."""
    if before:
        logits = reader.logits(before)
    made: list[int] = []
    logarithms: list[float] = []
    while 1 + len(before) + len(made) < tokens.most:
        scores = _allowed(logits, made, tokens).log_softmax(-1)
        token = int(scores.argmax())
        if token == tokens.end:
            break
        made.append(token)
        logarithms.append(float(scores[token]))
        logits = reader.logits([token])
    return made, logarithms


def _allowed(logits: Tensor, made: list[int], tokens: WhisperTokens) -> Tensor:
    scores = logits.clone()
    if not made:
        scores[list(tokens.suppressed_first)] = NEVER
    scores[list(tokens.suppressed)] = NEVER
    moment = tokens.first_moment
    if moment is None:
        return scores
    scores[moment - 1] = NEVER
    is_moment = [token >= moment for token in made]
    is_last, is_closed = is_moment[-1:] == [True], len(made) < 2 or is_moment[-2]
    if is_last and is_closed:
        scores[moment:] = NEVER
    elif is_last:
        scores[: tokens.end] = NEVER
    if any(is_moment):
        latest = max(token for token in made if token >= moment)
        scores[moment : latest + (0 if is_last and not is_closed else 1)] = NEVER
    if not made:
        scores[:moment] = NEVER
        if tokens.latest_first is not None:
            scores[moment + tokens.latest_first + 1 :] = NEVER
    shares = scores.log_softmax(-1)
    if shares[moment:].logsumexp(-1) > shares[:moment].max():
        scores[:moment] = NEVER
    return scores


def _parted(made: list[int], logarithms: list[float], tokens: WhisperTokens) -> tuple[tuple[Segment, ...], int | None]:
    """Return the segments of a transcript, and the moment from which it is to be heard again; ``None`` for the end."""
    moment = tokens.first_moment
    is_moment = [moment is not None and token >= moment for token in made]
    cuts = [place for place in range(1, len(made)) if is_moment[place - 1] and is_moment[place]]
    if moment is None or not cuts:
        stamps = [token for token, one in zip(made, is_moment) if one]
        ends = stamps[-1] - moment if moment is not None and stamps and stamps[-1] != moment else None
        return (_segment(made, logarithms, first=0, last=ends, end=tokens.end),), None
    is_whole = is_moment[-2:] == [False, True]
    edges = [0, *cuts, len(made)] if is_whole else [0, *cuts]
    found = [
        _segment(
            made[left:right],
            logarithms[left:right],
            first=made[left] - moment,
            last=made[right - 1] - moment,
            end=tokens.end,
        )
        for left, right in itertools.pairwise(edges)
    ]
    return tuple(found), None if is_whole else made[cuts[-1] - 1] - moment


def _segment(made: list[int], logarithms: list[float], *, first: int, last: int | None, end: int) -> Segment:
    words = tuple(token for token in made if token < end)
    return Segment(first=first, last=last, tokens=words, logarithm=_mean(logarithms))


def _mean(logarithms: list[float]) -> float:
    return sum(logarithms) / max(1, len(logarithms))


class _Reader:
    """One transcript in the making, with what the network keeps of it."""

    def __init__(self, network: Any, features: Tensor) -> None:
        self._network = network
        self._heard = network.get_encoder()(features.to(network.device, network.dtype))
        self._kept: Any = None

    def logits(self, tokens: list[int]) -> Tensor:
        """Return the logits after further tokens, float32 on the CPU."""
        made = self._network(
            encoder_outputs=self._heard,
            decoder_input_ids=torch.tensor([tokens], device=self._network.device),
            past_key_values=self._kept,
            use_cache=True,
        )
        self._kept = made.past_key_values
        last: Tensor = made.logits[0, -1]
        return last.float().cpu()
