"""Text while it is being written: pieces as soon as they are whole characters, then the signed asset.

A token may end inside a character, and a later token may still change how the last one is shown; so a piece is held back while it ends
in the replacement character, and text is decoded from a little before the last piece (the two-offset method of incremental
detokenisation). Guards judge the whole, and what was shown cannot be taken back: where a guard is in force nothing is given before the
whole has passed, and then it comes in one piece. The same with tokens, and how likely they were, is ``stream_pieces``.
"""

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np

from makar.artifacts.artifact import Artifact
from makar.codecs.codec import Codec
from makar.config import Config
from makar.data.record import WRITTEN
from makar.errors import UnsupportedError, UsageError
from makar.families.logits_hook import LogitsHook
from makar.generation.asset import Asset
from makar.generation.finished_example import SHOWN_TEXT, shown_text
from makar.generation.form import read_form
from makar.generation.generate import make_assets
from makar.generation.guards import NoveltyCheck
from makar.generation.jobs import Job, make_jobs
from makar.generation.prompt_file import with_own_options
from makar.generation.prompts import EncodesText, Prompts, read_prompts
from makar.generation.request import Request
from makar.generation.steering import TokenLikelihood, read_steering
from makar.generation.syntax import read_syntax
from makar.tensor_spec import TARGET

REPLACEMENT = "\ufffd"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Piece:
    """What is new of a text.

    Attributes:
        text: Whole characters, or nothing where they are held back.
        tokens: The tokens; empty of a model whose tokens are not known.
        likelihoods: How likely they were, where the request records that.
    """

    text: str
    tokens: tuple[int, ...]
    likelihoods: tuple[TokenLikelihood, ...] = ()


class PieceDecoder:
    """Turns tokens that arrive bit by bit into pieces of text that join to the text of all of them.

    Args:
        codec: The codec of the tokens.
        given: Tokens of the prompt, int64 ``[length]``; their text is not given out.
    """

    def __init__(self, codec: Codec, given: np.ndarray) -> None:
        self.codec = codec
        self.tokens = [int(token) for token in given]
        self.start = max(len(self.tokens) - 8, 0)
        self.read = len(self.tokens)

    def add(self, tokens: np.ndarray, *, is_last: bool = False) -> str:
        """Return the text that the new tokens complete; empty while a character is open.

        Args:
            tokens: What is new, ``[length]``.
            is_last: Whether nothing follows, so that an open character is given as it is.
        """
        self.tokens.extend(int(token) for token in tokens)
        before = self._text(self.start, self.read)
        now = self._text(self.start, len(self.tokens))
        if not is_last and now.endswith(REPLACEMENT):
            return ""
        piece = now[len(before) :]
        if piece:
            self.start, self.read = self.read, len(self.tokens)
        return piece

    def _text(self, start: int, end: int) -> str:
        text: str = self.codec.decode({TARGET: np.array(self.tokens[start:end], np.int64)})
        return text


def stream_text(
    artifact: Artifact,
    *,
    prompt: Prompts = None,
    seed: int = 0,
    options: dict[str, Any] | Config | None = None,
    novelty: NoveltyCheck | None = None,
    hook: LogitsHook | None = None,
) -> Iterator[str | Asset]:
    """Make one text and give it piece by piece.

    Args:
        artifact: A model of text or code.
        prompt: Text or tokens to continue; the pieces do not repeat it.
        seed: Seed of the draw; the text is the one that ``generate`` makes.
        options: Sampling controls by name, or an instance of the family's options.
        novelty: Compares the finished text with the training data.
        hook: Reshapes the logits of every token before it is drawn: a watermark.

    Yields:
        Pieces of new text, then the asset.

    Raises:
        UnsupportedError: The model makes no text, or a control or prompt cannot be honoured.
        CopyRefusedError: A guard refused every draw; nothing was given.
    """
    form, controls = read_form(with_own_options(prompt, options))
    steering, controls = read_steering(controls)
    held, controls = read_syntax(controls, form)
    request = Request(
        artifact,
        options=controls,
        novelty=novelty,
        refuse_copies=False,
        hook=hook,
        form=held,
        steering=steering,
    )
    return stream_request(request, prompt, seed=seed)


def stream_request(request: Request, prompt: Prompts, *, seed: int) -> Iterator[str | Asset]:
    """Make one text with a request in force and give it piece by piece; see ``stream_text``."""
    pieces = stream_pieces(request, prompt, seed=seed)
    return (_plain(made) for made in pieces if isinstance(made, Asset) or made.text)


def _plain(made: Piece | Asset) -> str | Asset:
    return made.text if isinstance(made, Piece) else made


def stream_pieces(request: Request, prompt: Prompts, *, seed: int) -> Iterator[Piece | Asset]:
    """Make one text with a request in force and give it piece by piece, with its tokens; the last thing is the signed asset.

    Args:
        request: The model with its controls.
        prompt: What to go on from.
        seed: Seed of the draw.

    Raises:
        UnsupportedError: The model makes no text, or the prompt cannot be honoured.
        UsageError: There are several prompts.
    """
    artifact = request.artifact
    if request.codec.spec[TARGET].kind != "tokens" or artifact.medium not in WRITTEN:
        raise UnsupportedError(f"{artifact.medium} cannot be streamed", expected="a model of text or code")
    jobs = make_jobs(read_prompts(prompt, request.codec, request.family), 1, seed)
    if len(jobs) != 1:
        raise UsageError(f"{len(jobs)} prompts to stream", expected="one")
    return _judged(request, jobs[0]) if request.guards else _pieces(request, jobs[0])


def _judged(request: Request, job: Job) -> Iterator[Piece | Asset]:
    for asset in make_assets(request, [job]):
        counted = request.codec.encode_text(asset.new_text) if isinstance(request.codec, EncodesText) else ()
        yield Piece(text=asset.new_text, tokens=tuple(int(token) for token in counted))
        yield asset


def _pieces(request: Request, job: Job) -> Iterator[Piece | Asset]:
    given = job.prompt.tokens
    decoder = PieceDecoder(request.codec, given if given is not None else np.zeros(0, np.int64))
    # Calls of tools are given in another shape than the one in which they are written.
    is_held = request.constraint is not None and request.constraint.form.kind == "tools"
    for piece, slots in request.draw_pieces(job):
        text = shown_text(piece) if SHOWN_TEXT in piece else decoder.add(piece[TARGET], is_last=slots is not None)
        tokens = tuple(int(token) for token in piece[TARGET])
        likelihoods = () if request.likelihoods is None else request.likelihoods.following(tokens)
        yield Piece(text="" if is_held else text, tokens=tokens, likelihoods=likelihoods)
        if slots is not None:
            asset = request.asset(job, request.draft(job.prompt, slots), 0)
            if is_held:
                yield Piece(text=asset.new_text, tokens=())
            yield asset
            return
